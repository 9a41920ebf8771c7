"""Each fault as a client meets it, on both sides, and the rules that choose the requests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests
from sandbox.requestlog import Entry, Moment
from sandbox.testing import Sandbox

if TYPE_CHECKING:
    from conftest import Api

NAMESPACE = "http://www.visorsoftware.com/visor/accountsiq/dashboard/Integration/"
ENVELOPE = (
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Header>{header}</soap:Header>'
    "<soap:Body>{body}</soap:Body></soap:Envelope>"
)


def rule(fault: dict[str, Any], side: str = "expensein", **more: object) -> dict[str, Any]:
    return {"side": side, "fault": fault, **more}


def call(box: Sandbox, operation: str, content: str = "", token: str | None = None) -> requests.Response:
    """One SOAP call, by hand."""
    header = (
        f'<AiqSoapHeader xmlns="{NAMESPACE}"><Entity>{box.entities[0]}</Entity>'
        f"<AccessToken>{token}</AccessToken></AiqSoapHeader>"
    )
    text = ENVELOPE.format(
        header="" if token is None else header,
        body=f'<{operation} xmlns="{NAMESPACE}">{content}</{operation}>',
    )
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": NAMESPACE + operation}
    return requests.post(box.accountsiq_url, data=text.encode(), headers=headers, timeout=10)


def sign_in(box: Sandbox) -> str:
    answer = call(
        box,
        "TokenGet",
        f"<clientId>{box.client_id}</clientId><clientSecret>{box.client_secret}</clientSecret>",
    )
    return answer.text.split("<AccessToken>")[1].split("</AccessToken>")[0]


# What a client observes


def test_latency_makes_the_answer_later_than_the_client_waits(box: Sandbox, api: Api) -> None:
    box.faults([rule({"type": "latency", "seconds": 0.01}), rule({"type": "latency", "seconds": 60})])
    with pytest.raises(requests.ReadTimeout):
        api.get("projects", timeout=0.3)
    assert api.get("projects").status_code == 200


def test_a_latency_is_followed_by_the_fault_behind_it(box: Sandbox, api: Api) -> None:
    box.faults([rule({"type": "latency", "seconds": 0.01}), rule({"type": "status", "status": 500})])
    assert statuses(api, 2) == [500, 200]


def test_the_general_latency_is_there_without_a_rule() -> None:
    with Sandbox(seed="empty", latency=60) as box:
        for url in (box.expensein_url, box.accountsiq_url):
            with pytest.raises(requests.ReadTimeout):
                requests.get(url, timeout=0.3)
        assert requests.get(box.control_url, timeout=10).status_code == 200


def test_a_slow_body_trickles(box: Sandbox, api: Api) -> None:
    made = box.add_live("projects", name="Bridge")
    box.faults([rule({"type": "slow_body", "bytes_per_second": 1})])
    with api.get("projects", stream=True, timeout=0.3) as answer:
        assert answer.status_code == 200
        assert int(answer.headers["Content-Length"]) > 100
        assert answer.raw.read(1) == b"["
        with pytest.raises(requests.ConnectionError, match="Read timed out"):
            answer.content  # noqa: B018 - reads the rest
    box.faults([rule({"type": "slow_body", "bytes_per_second": 50_000})])
    assert api.get("projects").json() == [made]


def test_slow_headers_trickle_and_the_answer_is_the_true_one(box: Sandbox, api: Api) -> None:
    made = box.add_live("projects", name="Bridge")
    box.faults([rule({"type": "slow_headers", "bytes_per_second": 1})])
    with pytest.raises(requests.ReadTimeout):
        api.get("projects", timeout=0.3)
    box.faults([rule({"type": "slow_headers", "bytes_per_second": 50_000})])
    assert api.get("projects").json() == [made]


@pytest.mark.parametrize("side", ["expensein", "accountsiq"])
def test_the_clock_of_a_side_can_be_wrong(box: Sandbox, side: str) -> None:
    box.configure(**{side: {"clock_skew": 86400}})
    url = box.expensein_url if side == "expensein" else box.accountsiq_url
    fast = parsedate_to_datetime(requests.get(url, timeout=10).headers["Date"]) - datetime.now(UTC)
    assert timedelta(hours=23) < fast < timedelta(hours=25)


def test_retry_after_can_be_a_date_by_the_servers_clock(box: Sandbox, api: Api) -> None:
    box.configure(expensein={"clock_skew": -3600})
    box.faults([rule({"type": "status", "status": 429, "retry_after_in": 5})])
    headers = api.get("projects").headers
    wait = parsedate_to_datetime(headers["Retry-After"]) - parsedate_to_datetime(headers["Date"])
    assert wait == timedelta(seconds=5)


def test_an_observer_is_told_before_and_after_the_work_and_may_act(box: Sandbox, api: Api) -> None:
    told: list[tuple[Moment, str, int]] = []

    def observe(moment: Moment, entry: Entry) -> None:
        told.append((moment, entry.operation, len(box.live("projects"))))

    box.observe(observe)
    box.faults([rule({"type": "drop_before"}, skip=1)])
    api.post("projects", json={"name": "Bridge"})
    with pytest.raises(requests.ConnectionError):
        api.post("projects", json={"name": "Tunnel"})
    box.observe(None)
    api.get("projects")
    assert told == [
        (moment, "POST projects", n) for moment, n in zip([*Moment, *Moment], [0, 1, 1, 1], strict=True)
    ]


def test_a_truncated_body_ends_early_under_its_true_length(box: Sandbox, api: Api) -> None:
    box.add_live("projects", name="Bridge")
    whole = api.get("projects").content
    box.faults([rule({"type": "truncate", "after_bytes": 10})])
    with api.get("projects", stream=True) as answer:
        assert answer.status_code == 200
        assert int(answer.headers["Content-Length"]) == len(whole)
        assert answer.raw.read(10) == whole[:10]
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            answer.content  # noqa: B018 - reads the rest
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        box.faults([rule({"type": "truncate"})]) or api.get("projects")
    assert api.get("projects").content == whole


def test_dropped_before_nothing_was_done(box: Sandbox, api: Api) -> None:
    box.faults([rule({"type": "drop_before"})])
    with pytest.raises(requests.ConnectionError):
        api.post("projects", json={"name": "Bridge"})
    assert box.live("projects") == []
    assert box.requests()[-1]["status"] is None
    assert box.requests()[-1]["fault"] == "drop_before"


def test_dropped_after_the_work_is_done(box: Sandbox, api: Api) -> None:
    box.faults([rule({"type": "drop_after"})])
    with pytest.raises(requests.ConnectionError):
        api.post("projects", json={"name": "Bridge"})
    assert [one["name"] for one in box.live("projects")] == ["Bridge"]
    assert api.get("projects").json() == box.live("projects")


def test_a_status_instead_of_the_work(box: Sandbox, api: Api) -> None:
    box.faults(
        [
            rule({"type": "status", "status": 429, "retry_after": 2}),
            rule({"type": "status", "status": 503, "body": {"a": [1]}}),
        ]
    )
    first = api.post("projects", json={"name": "Bridge"})
    assert (first.status_code, first.headers["Retry-After"]) == (429, "2")
    second = api.post("projects", json={"name": "Bridge"})
    assert (second.status_code, second.json()) == (503, {"a": [1]})
    assert "Retry-After" not in second.headers
    assert box.live("projects") == []


def test_a_status_after_the_work(box: Sandbox, api: Api) -> None:
    box.faults([rule({"type": "status_after", "status": 500, "body": "Oops"})])
    answer = api.post("projects", json={"name": "Bridge"})
    assert (answer.status_code, answer.text) == (500, "Oops")
    assert len(box.live("projects")) == 1
    assert box.requests()[-1]["status"] == 500


def test_a_gateways_html_page(box: Sandbox, api: Api) -> None:
    box.faults([rule({"type": "html", "status": 504}), rule({"type": "html"})])
    answer = api.post("projects", json={"name": "Bridge"})
    assert answer.status_code == 504
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<h1>504 Gateway Timeout</h1>" in answer.text
    assert api.get("projects").status_code == 502
    assert box.live("projects") == []


def test_a_malformed_body_under_a_good_status(box: Sandbox, api: Api) -> None:
    box.faults([rule({"type": "malformed"})])
    answer = api.post("projects", json={"name": "Bridge"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    with pytest.raises(ValueError, match=r"Invalid control character|Expecting"):
        answer.json()
    assert len(box.live("projects")) == 1


def test_the_true_answer_under_another_content_type(box: Sandbox, api: Api) -> None:
    box.add_live("projects", name="Bridge")
    box.faults([rule({"type": "content_type", "value": "text/html"}), rule({"type": "content_type"})])
    assert api.get("projects").headers["Content-Type"] == "text/html"
    answer = api.get("projects")
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.json() == box.live("projects")


def test_a_redirection(box: Sandbox, api: Api) -> None:
    box.faults([rule({"type": "redirect", "location": "https://elsewhere.example/"})])
    answer = api.post("projects", json={"name": "Bridge"}, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (307, "https://elsewhere.example/")
    assert box.live("projects") == []


# The AccountsIQ side


def test_the_same_faults_play_on_the_soap_side(box: Sandbox) -> None:
    box.set_source(box.entities[0], "tax_codes", [{"Code": "S", "Description": "Standard", "Rate": "0.2"}])
    token = sign_in(box)
    whole = call(box, "GetTaxCodeList", token=token)
    assert "<Code>S</Code>" in whole.text

    box.faults([rule({"type": kind}, "accountsiq") for kind in ("drop_before", "drop_after", "truncate")])
    for _ in range(3):
        with pytest.raises(requests.RequestException):
            call(box, "GetTaxCodeList", token=token)

    box.faults([rule({"type": "malformed"}, "accountsiq"), rule({"type": "html"}, "accountsiq")])
    broken = call(box, "GetTaxCodeList", token=token)
    assert broken.status_code == 200
    assert "\x00" in broken.text
    assert broken.text.replace("\x00<", "") == whole.text
    assert call(box, "GetTaxCodeList", token=token).status_code == 502
    assert call(box, "GetTaxCodeList", token=token).text == whole.text


def test_all_tokens_can_expire_between_two_calls(box: Sandbox) -> None:
    token = sign_in(box)
    box.faults([rule({"type": "token_expired"}, "accountsiq", skip=1)])
    assert "<Status>Success</Status>" in call(box, "GetTaxCodeList", token=token).text
    assert "<Status>Failure</Status>" in call(box, "GetTaxCodeList", token=token).text
    assert "<Status>Success</Status>" in call(box, "GetTaxCodeList", token=sign_in(box)).text


def test_an_error_inside_a_good_envelope(box: Sandbox) -> None:
    token = sign_in(box)
    fault = {"type": "in_band", "status": "Unknown", "code": "JOB_RUNNING", "message": "a & b"}
    box.faults([rule(fault, "accountsiq", match={"operation": "GetTax*"})])
    assert "<Status>Success</Status>" in call(box, "GetSupplierList", token=token).text
    answer = call(box, "GetTaxCodeList", token=token)
    assert answer.status_code == 200
    assert "<GetTaxCodeListResponse" in answer.text
    for part in (
        "<Status>Unknown</Status>",
        "<ErrorCode>JOB_RUNNING</ErrorCode>",
        "<ErrorMessage>a &amp; b</ErrorMessage>",
    ):
        assert part in answer.text


def test_soap_secrets_are_masked_in_the_log(box: Sandbox) -> None:
    token = sign_in(box)
    call(box, "GetTaxCodeList", token=token)
    log = box.requests("accountsiq")
    assert [entry["operation"] for entry in log] == ["TokenGet", "GetTaxCodeList"]
    assert box.client_id in log[0]["body"]
    assert box.client_secret not in str(log)
    assert token not in str(log)
    assert box.counters()["accountsiq"] == {"TokenGet": 1, "GetTaxCodeList": 1}


# The rules


def test_a_rule_meets_only_the_requests_that_match(box: Sandbox, api: Api) -> None:
    fault = {"type": "status", "status": 500}
    box.faults([rule(fault, match={"method": "POST", "path": "/1.0/suppliers*"}, times=None)])
    assert api.get("suppliers").status_code == 200
    assert api.post("projects", json={"name": "x"}).status_code == 201
    assert api.post("suppliers", json={"name": "x"}).status_code == 500
    box.faults([rule(fault, match={"operation": "PUT projects"})])
    made = box.live("projects")[0]
    assert api.get(f"projects/{made['id']}").status_code == 200
    assert api.put(f"projects/{made['id']}", json=made).status_code == 500
    box.faults([rule(fault, side="accountsiq", times=None)])
    assert api.get("projects").status_code == 200


def statuses(api: Api, count: int) -> list[int]:
    return [api.get("projects").status_code for _ in range(count)]


def test_skip_times_and_order(box: Sandbox, api: Api) -> None:
    box.faults(
        [rule({"type": "status", "status": 500}, skip=1, times=2), rule({"type": "status", "status": 503})]
    )
    # The second rule is met by what the first lets by.
    assert statuses(api, 5) == [503, 500, 500, 200, 200]
    box.faults([rule({"type": "status", "status": 500}, times=None)])
    assert statuses(api, 4) == [500] * 4
    box.clear_faults()
    assert statuses(api, 1) == [200]


def test_a_rate_with_a_seed_is_reproducible(box: Sandbox, api: Api) -> None:
    def drawn(seed: int) -> list[int]:
        box.faults([rule({"type": "status", "status": 500}, rate=0.5, seed=seed, times=None)])
        return statuses(api, 20)

    first = drawn(1)
    assert {200, 500} == set(first)
    assert drawn(1) == first
    assert drawn(2) != first
    box.faults([rule({"type": "status", "status": 500}, rate=0, times=None)])
    assert statuses(api, 5) == [200] * 5


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"fault": {"type": "latency", "seconds": 1}}, "side is None"),
        (rule({"type": "latency", "seconds": 1}, "nowhere"), "one of accountsiq, expensein"),
        (rule({"type": "explosion"}), "fault.type is one of latency"),
        (rule({"type": "latency"}), "seconds is None, expected a number of seconds"),
        (rule({"type": "latency", "seconds": -1}), "seconds is -1"),
        (rule({"type": "latency", "seconds": 1, "minutes": 1}), "unknown key 'minutes'"),
        (rule({"type": "status", "status": "500"}), "status is '500'"),
        (rule({"type": "token_expired"}), "a fault of accountsiq only"),
        (rule({"type": "drop_after"}, times=0), "times is 0"),
        (rule({"type": "drop_after"}, skip=-1), "skip is -1"),
        (rule({"type": "drop_after"}, rate=1.5), "rate is 1.5"),
        (rule({"type": "drop_after"}, match={"verb": "GET"}), "unknown key 'verb'"),
        (rule({"type": "drop_after"}, match={"method": 1}), "match.method is 1"),
        (rule({"type": "drop_after"}, often=1), "unknown key 'often'"),
        ("drop_after", "a fault rule is an object"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_place_and_the_old_rules_stay(
    box: Sandbox, api: Api, wrong: object, says: str
) -> None:
    box.faults([rule({"type": "status", "status": 500}, times=None)])
    good = rule({"type": "drop_before"})
    answer = requests.put(box.control_url + "faults", data=json.dumps([good, wrong]), timeout=10)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("rule 2")
    assert says in answer.json()["message"]
    assert statuses(api, 1) == [500]

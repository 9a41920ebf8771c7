"""The wire: what is sent, and what each way of failing looks like from outside."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tap_testing import (
    NAMESPACE,
    TAP,
    Reply,
    Run,
    Service,
    Tap,
    answer,
    envelope,
    fault,
    only,
    refusal,
    rows,
    sent,
    token,
)

TAX = "<Tax><Code>S</Code><Rate>0.2300</Rate></Tax>"
OPERATION = "GetTaxCodeList"
LIST = rows(OPERATION, TAX)
SECRETS = ("the-s3cret", "access-1", "refresh-1", "access-2", "refresh-2")

NOW = {"Retry-After": "0"}  # the tests do not wait longer than they must


Read = Callable[..., Run]


@pytest.fixture(scope="session")
def read(tap: Tap, catalog: dict[str, Any]) -> Read:
    """Read the tax codes with these settings; whatever happens, no secret is printed."""

    def run(settings: dict[str, Any], **arguments: dict[str, str]) -> Run:
        done = tap(settings, catalog=only(catalog, "tax_rates"), **arguments)
        for secret in SECRETS:
            assert secret not in done.out + done.err
        return done

    return run


# --- what is sent ---------------------------------------------------------------------------------------------------


def test_a_read_carries_the_vendors_header_action_and_body(service: Service, read: Read) -> None:
    assert read(service.settings(entities=["A & <B>"])).code == 0
    (_, signing_in), (operation, request) = service.calls
    assert "Header>" not in signing_in
    assert sent(signing_in, "clientId") == "the-client"
    assert operation == OPERATION
    assert service.headers["SOAPAction"] == f"{NAMESPACE}{OPERATION}"
    assert service.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert service.headers["Accept-Encoding"] == "gzip"
    assert service.headers["User-Agent"].startswith("tap-accountsiq/")
    assert f'<AiqSoapHeader xmlns="{NAMESPACE}">' in request
    assert sent(request, "Entity") == "A &amp; &lt;B&gt;"
    assert sent(request, "AccessToken") == "access-1"
    assert f'<GetTaxCodeList xmlns="{NAMESPACE}"/></soap:Body>' in request


def test_the_user_agent_can_be_chosen(service: Service, read: Read) -> None:
    assert read(service.settings(user_agent="somebody/1 (hello)")).code == 0
    assert service.headers["User-Agent"] == "somebody/1 (hello)"


def test_expense_suppliers_are_left_out_by_the_services_own_query(
    service: Service, tap: Tap, catalog: dict[str, Any]
) -> None:
    done = tap(service.settings(exclude_expense_suppliers=True), catalog=only(catalog, "suppliers"))
    assert done.complete == ["suppliers"]
    operation, request = service.calls[-1]
    assert operation == "GetSuppliersBy"
    assert (
        "<query><ExcludeExpenseSuppliers>true</ExcludeExpenseSuppliers>"
        '<FromLastModifiedDateInUTC xsi:nil="true"/></query>'
    ) in request


def test_one_sign_in_serves_the_whole_run_and_no_connection_outlives_its_answer(
    service: Service, tap: Tap
) -> None:
    assert tap(service.settings(entities=["A", "B"])).code == 0
    assert service.count("TokenGet") == 1
    assert service.connections == len(service.calls) > 2


# --- answers --------------------------------------------------------------------------------------------------------


def test_a_service_that_keeps_the_connection_open_all_the_same_does_not_get_it_again(
    service: Service, read: Read
) -> None:
    """It may still close it as it was asked to, and then the next request would be lost."""
    service.keeps_connections = True
    assert read(service.settings()).code == 0
    assert service.connections == len(service.calls) > 1


def test_gzip_is_understood(service: Service, read: Read) -> None:
    service.replies[OPERATION] = [Reply(gzip.compress(LIST.encode()), headers={"Content-Encoding": "gzip"})]
    done = read(service.settings())
    assert done.complete == ["tax_rates"]
    assert '"rate":0.2300,' in done.out


def test_elements_are_matched_by_namespace_not_by_prefix(service: Service, read: Read) -> None:
    body = (
        f'<v:GetTaxCodeListResponse xmlns:v="{NAMESPACE}"><v:GetTaxCodeListResult><v:Status>Success</v:Status>'
        '<v:Result><v:Tax xmlns:x="elsewhere"><x:Code>wrong</x:Code><v:Code>right</v:Code></v:Tax>'
        '<Tax xmlns="elsewhere"><Code>wrong</Code></Tax></v:Result></v:GetTaxCodeListResult></v:GetTaxCodeListResponse>'
    )
    service.replies[OPERATION] = [Reply(envelope(body))]
    assert [each["code"] for each in read(service.settings()).records("tax_rates")] == ["right"]


def test_a_content_type_that_lies_does_not_matter_when_the_body_is_right(
    service: Service, read: Read
) -> None:
    service.replies[OPERATION] = [Reply(LIST, headers={"Content-Type": "text/plain"})]
    assert read(service.settings()).complete == ["tax_rates"]


def test_comments_and_cdata_do_not_cut_a_text_short(service: Service, read: Read) -> None:
    entry = "<Tax><Code>A<!-- no -->B<![CDATA[<C>]]></Code></Tax>"
    service.replies[OPERATION] = [Reply(rows(OPERATION, entry))]
    assert read(service.settings()).records("tax_rates")[0]["code"] == "AB<C>"


# --- failures that stop at once: cause and cure, one call, exit code 1, no ACTIVATE_VERSION (R32) --------------------

DOCTYPE = '<?xml version="1.0"?><!DOCTYPE soap:Envelope [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
STOPS = {
    "an empty body": (Reply(b""), "The answer is empty", "Check region or api_url"),
    "a web page": (
        Reply("<!DOCTYPE html><html><title>Down</title></html>", headers={"Content-Type": "text/html"}),
        "is a web page, not a SOAP message. [the service says: Down]",
        "maintenance page",
    ),
    "no XML": (Reply("oops"), "The answer is not XML", "Check region or api_url"),
    "other XML": (Reply("<feed/>"), "no SOAP envelope", "Check region or api_url"),
    "another operation's answer": (
        Reply(rows("GetDepartmentList")),
        "does not hold what the contract promises (GetTaxCodeListResult",
        "Report this",
    ),
    "rows without a status": (
        Reply(answer(OPERATION, f"<Result>{TAX}</Result>")),
        "does not hold what the contract promises",
        "Report this",
    ),
    "broken XML": (Reply(LIST.replace("</Tax>", "</Tux>")), "not well-formed", "report it to AccountsIQ"),
    "a DOCTYPE": (
        Reply(envelope(f'<x xmlns="{NAMESPACE}">&x;</x>', DOCTYPE)),
        "carries a DOCTYPE",
        "somebody stands between",
    ),
    "a DOCTYPE behind comments": (
        Reply(LIST.replace("<soap:Envelope", "<!-- x --><?y?> <!DOCTYPE a><soap:Envelope", 1)),
        "carries a DOCTYPE",
        "somebody stands between",
    ),
    "a DOCTYPE far behind": (
        Reply(LIST.replace("<soap:Envelope", f"<!--{'x' * 5000}--><!DOCTYPE a><soap:Envelope", 1)),
        "no SOAP envelope",
        "api_url",
    ),
    "a redirect": (
        Reply(status=307, headers={"Location": "https://elsewhere.example/"}),
        "redirects (HTTP 307)",
        "Correct region or api_url",
    ),
    "HTTP 404": (Reply(status=404), "HTTP 404", "Check region or api_url"),
    "HTTP 401": (Reply("<html><title>No</title></html>", status=401), "HTTP 401", "api_url"),
    "an unknown code": (Reply(refusal(OPERATION, "SOMETHING_NEW")), "SOMETHING_NEW", "API documentation"),
    "no permission": (
        Reply(refusal(OPERATION, "OAUTH_INTEGRATION_APPS_TOKEN_DOES_NOT_HAVE_PERMISSION")),
        "not allowed",
        "Read permission",
    ),
    "no permission, as a fault": (
        Reply(fault("System.Exception: NOT_AUTHORIZED at x"), status=500),
        "not allowed",
        "Read permission",
    ),
    "no permission, as a fault with HTTP 200": (
        Reply(fault("NOT_AUTHORIZED")),
        "not allowed",
        "Read permission",
    ),
    "a fault that blames the request": (
        Reply(fault("did not recognize the value of SOAPAction", "soap:Client"), status=500),
        "does not accept the request (SOAP Fault). [the service says: did not recognize",
        "Report this",
    ),
    "an unknown entity": (
        Reply(refusal(OPERATION, "API_LAYER_ENTITY_ID_NOT_FOUND")),
        "does not know this entity",
        "setting entities",
    ),
    "a refused header": (
        Reply(refusal(OPERATION, "OAUTH_INTEGRATION_APPS_AIQ_SOAP_HEADER_MISMATCH")),
        "does not accept the SOAP header",
        "Check that the entity",
    ),
    "a number that is none": (
        Reply(LIST.replace("0.2300", "lots")),
        "Row 1 of the answer holds a value that does not fit its type: Rate is 'lots', not a decimal number",
        "Correct the record",
    ),
}


@pytest.fixture(scope="module")
def stopped(read: Read) -> Iterator[tuple[Run, Service]]:
    """Make one run in which every entity meets one of the failures."""
    with Service() as service:
        for case, (reply, _, _) in STOPS.items():
            service.replies[OPERATION, case] = [reply]
        yield read(service.settings(entities=["before", *STOPS, "after"])), service


@pytest.mark.parametrize("case", STOPS)
def test_it_stops_with_cause_and_cure_at(case: str, stopped: tuple[Run, Service]) -> None:
    done, service = stopped
    _, cause, cure = STOPS[case]
    (line,) = [each for each in done.errors if f" {case}, tax_rates: " in each]
    assert cause in line
    assert cure in line
    assert service.count(OPERATION, case) == 1


def test_one_failing_entity_does_not_stop_the_others_and_the_stream_is_not_declared_complete_r32(
    stopped: tuple[Run, Service],
) -> None:
    done, service = stopped
    assert done.code == 1
    assert len(done.errors) == len(STOPS)
    assert service.count(OPERATION, "before") == service.count(OPERATION, "after") == 1
    assert done.complete == []


def test_a_redirect_is_not_followed(service: Service, read: Read) -> None:
    with Service() as elsewhere:
        service.replies["TokenGet"] = [Reply(status=308, headers={"Location": elsewhere.url})]
        done = read(service.settings())
        assert done.code == 1
        assert elsewhere.calls == []


def test_the_services_own_words_cannot_give_a_secret_away(service: Service, read: Read) -> None:
    service.replies[OPERATION] = [
        Reply(refusal(OPERATION, "SOMETHING_NEW", message="token access-1 of the-s3cret\nis bad"))
    ]
    done = read(service.settings())
    assert "the service says: token *** of *** is bad" in done.errors[0]


def test_secrets_do_not_appear_at_debug_level(service: Service, read: Read) -> None:
    service.replies[OPERATION] = [Reply(refusal(OPERATION, "WS_INVALIDTOKEN")), Reply(LIST)]
    service.replies["TokenRefresh"] = [Reply(token("access-2", "refresh-2", "TokenRefresh"))]
    assert read(service.settings(), environment={"LOGLEVEL": "DEBUG"}).code == 0


# --- the way there --------------------------------------------------------------------------------------------------


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_nobody_listens(service: Service, read: Read) -> None:
    done = read(service.settings(api_url=f"http://127.0.0.1:{free_port()}/"))
    assert done.code == 1
    assert "sign-in, tax_rates: 127.0.0.1 refuses the connection. Check region or api_url" in done.errors[-1]


def test_the_host_does_not_exist(service: Service, read: Read) -> None:
    done = read(service.settings(api_url="https://no-such-host.invalid/x"))
    assert done.code == 1
    assert "The host no-such-host.invalid was not found. Check region or api_url" in done.errors[-1]


def test_the_proxy_of_the_environment_is_used_and_named_when_it_fails(service: Service, read: Read) -> None:
    done = read(
        service.settings(api_url="https://uk1.accountsiq.com/x"),
        environment={"HTTPS_PROXY": f"http://127.0.0.1:{free_port()}"},
    )
    assert done.code == 1
    assert (
        "The proxy of the environment does not let the tap through to uk1.accountsiq.com." in done.errors[-1]
    )


def test_this_machine_is_never_reached_through_a_proxy(service: Service, read: Read) -> None:
    proxy = f"http://127.0.0.1:{free_port()}"
    assert read(service.settings(), environment={"HTTP_PROXY": proxy, "ALL_PROXY": proxy}).code == 0


# --- failures that pass ---------------------------------------------------------------------------------------------

PASSES = {
    "HTTP 503": Reply("<html><title>Busy</title></html>", status=503, headers=NOW),
    "HTTP 500 without XML": Reply("oops", status=500, headers=NOW),
    "HTTP 429": Reply(status=429, headers=NOW),
    "a fault without a known code": Reply(fault("Object reference not set"), status=500, headers=NOW),
    "throttling": Reply(refusal(OPERATION, "OAUTH_INTEGRATION_APPS_RATE_LIMIT_REACHED"), headers=NOW),
    "a busy service": Reply(refusal(OPERATION, "JOB_RUNNING"), headers=NOW),
    "the status Unknown": Reply(refusal(OPERATION, "NO_ERROR", status="Unknown"), headers=NOW),
    "a body that ends before its announced length": Reply(
        LIST[:-200], headers={"Content-Length": str(len(LIST)), **NOW}
    ),
    "a body without announced length that ends early": Reply(LIST[:-30], length=False, headers=NOW),
    "gzip that is none": Reply(LIST, headers={"Content-Encoding": "gzip", **NOW}),
}


@pytest.fixture(scope="module")
def passed(read: Read) -> Iterator[tuple[Run, Service]]:
    """Make one run in which every entity meets one of the failures, and then a good answer."""
    with Service() as service:
        for case, reply in PASSES.items():
            service.replies[OPERATION, case] = [reply, Reply(LIST)]
        yield read(service.settings(entities=[*PASSES])), service


@pytest.mark.parametrize("case", PASSES)
def test_it_waits_and_asks_again_after(case: str, passed: tuple[Run, Service]) -> None:
    done, service = passed
    assert done.code == 0, done.err
    assert done.complete == ["tax_rates"]
    assert [each["entity"] for each in done.records("tax_rates")].count(case) == 1, (
        "nothing left at the first attempt"
    )
    assert service.count(OPERATION, case) == 2


def test_signing_in_is_repeated_too(service: Service, read: Read) -> None:
    busy = refusal("TokenGet", "OAUTH_INTEGRATION_APPS_TOO_MANY_API_CALLS")
    service.replies["TokenGet"].insert(0, Reply(busy, headers=NOW))
    assert read(service.settings()).code == 0


def test_it_gives_up_in_the_end_and_names_the_last_cause(service: Service, read: Read) -> None:
    service.replies[OPERATION] = [Reply(status=503, headers=NOW)]
    done = read(service.settings())
    assert done.code == 1
    assert "out of order (HTTP 503). Try again later." in done.errors[-1]
    assert service.count(OPERATION) == 6


def test_a_silent_service_runs_into_the_time_out() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(20)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        # one attempt is enough to see it: the first pause is announced in the log
        command = [str(TAP), "--config=ENV"]
        environment = {
            "TAP_ACCOUNTSIQ_API_URL": url,
            "TAP_ACCOUNTSIQ_CLIENT_ID": "x",
            "TAP_ACCOUNTSIQ_CLIENT_SECRET": "x",
            "TAP_ACCOUNTSIQ_ENTITIES": '["A"]',
            "TAP_ACCOUNTSIQ_REQUEST_TIMEOUT": "1",
        }
        with subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            line = next(line for line in process.stderr if "Next attempt" in line)
            process.kill()
            process.stderr.read()
    assert "127.0.0.1 did not answer within 1 seconds." in line
    assert "Next attempt in 1 s." in line


# --- signing in -----------------------------------------------------------------------------------------------------


def test_a_wrong_secret_stops_the_whole_run_at_once(service: Service, tap: Tap) -> None:
    service.replies["TokenGet"] = [Reply(refusal("TokenGet", "OAUTH_INTEGRATION_APPS_APP_NOT_FOUND"))]
    done = tap(service.settings(entities=["A", "B"]))
    assert done.code == 1
    assert "Copy client_id and client_secret again" in done.errors[-1]
    assert [name for name, _ in service.calls] == ["TokenGet"]


def test_a_revoked_application_stops_the_whole_run_at_once(service: Service, tap: Tap) -> None:
    service.replies["GetChartOfAccounts"] = [
        Reply(refusal("GetChartOfAccounts", "OAUTH_INTEGRATION_APPS_APPLICATION_IS_REVOKED"))
    ]
    done = tap(service.settings())
    assert done.code == 1
    assert "has been revoked" in done.errors[-1]
    assert [name for name, _ in service.calls] == ["TokenGet", "GetChartOfAccounts"]


def test_an_answer_without_a_token_is_no_sign_in(service: Service, tap: Tap) -> None:
    service.replies["TokenGet"] = [Reply(token("", ""))]
    done = tap(service.settings())
    assert done.code == 1
    assert "The service gave no access token." in done.errors[-1]


@pytest.mark.parametrize(
    "refused", [refusal(OPERATION, "OAUTH_INTEGRATION_APPS_TOKEN_EXPIRED"), fault("WS_INVALIDTOKEN")]
)
def test_an_expired_token_is_refreshed_and_the_read_repeated(
    refused: str, service: Service, read: Read
) -> None:
    service.replies[OPERATION] = [Reply(refused), Reply(LIST)]
    service.replies["TokenRefresh"] = [Reply(token("access-2", "refresh-2", "TokenRefresh"))]
    assert read(service.settings()).complete == ["tax_rates"]
    assert [name for name, _ in service.calls] == ["TokenGet", OPERATION, "TokenRefresh", OPERATION]
    assert sent(service.calls[2][1], "refreshToken") == "refresh-1"
    assert sent(service.calls[3][1], "AccessToken") == "access-2"


def test_a_refused_refresh_falls_back_to_signing_in(service: Service, read: Read) -> None:
    service.replies[OPERATION] = [Reply(refusal(OPERATION, "WS_INVALIDTOKEN")), Reply(LIST)]
    service.replies["TokenGet"].append(Reply(token("access-2", "refresh-2")))
    service.replies["TokenRefresh"] = [
        Reply(refusal("TokenRefresh", "OAUTH_INTEGRATION_APPS_REFRESH_TOKEN_EXPIRED"))
    ]
    assert read(service.settings()).complete == ["tax_rates"]
    assert [name for name, _ in service.calls] == [
        "TokenGet",
        OPERATION,
        "TokenRefresh",
        "TokenGet",
        OPERATION,
    ]
    assert sent(service.calls[4][1], "AccessToken") == "access-2"


def test_a_token_is_renewed_once_for_each_read_not_for_ever(service: Service, read: Read) -> None:
    service.replies[OPERATION] = [Reply(refusal(OPERATION, "WS_INVALIDTOKEN"))]
    service.replies["TokenRefresh"] = [Reply(token("access-2", "refresh-2", "TokenRefresh"))]
    done = read(service.settings())
    assert done.code == 1
    assert "Renewing it did not help" in done.errors[-1]
    assert service.count(OPERATION) == 2


# --- the spool ------------------------------------------------------------------------------------------------------


def big_list(count: int) -> str:
    """Make a list that does not fit into the memory part of the spool, nor into a pipe."""
    return rows(
        OPERATION,
        *(f"<Tax><Code>{n}</Code><Description>{'x' * 1000}</Description></Tax>" for n in range(count)),
    )


@contextlib.contextmanager
def running(service: Service, *command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run the tap with its output in a pipe that the test reads as slowly as it likes."""
    settings = {
        f"TAP_ACCOUNTSIQ_{name.upper()}": value for name, value in service.settings(entities='["A"]').items()
    }
    with subprocess.Popen(
        [*command, str(TAP), "--config=ENV"],
        env={**os.environ, **settings, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process
        process.kill()
        assert process.stdout is not None
        process.stdout.read()


def record_number(process: subprocess.Popen[str], number: int) -> str:
    """Return the line of a record, by its code."""
    assert process.stdout is not None
    return next(line for line in process.stdout if f'"code":"{number}"' in line)


def peak_memory(process: subprocess.Popen[str]) -> int:
    """Return the most memory that the process has ever held, in megabytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def test_a_slow_consumer_does_not_hold_the_service_up_and_nothing_stays_on_disk(
    service: Service, tmp_path: Path
) -> None:
    service.replies[OPERATION] = [Reply(big_list(6000))]
    with running(service, TMPDIR=str(tmp_path)) as process:
        record_number(process, 0)
        # The consumer stops here; the tap stands still in the middle of the list, its pipe full.
        assert not service.sending, "the body was read to its end before the first record left"
        assert list(tmp_path.iterdir()) == [], "the spool has no name, so that a crash leaves nothing behind"
        assert any("(deleted)" in str(each.readlink()) for each in Path(f"/proc/{process.pid}/fd").iterdir())
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_list(service: Service) -> None:
    service.replies[OPERATION] = [Reply(big_list(30_000))]
    with running(service) as process:
        record_number(process, 0)
        at_first = peak_memory(process)
        record_number(process, 29_000)
        assert peak_memory(process) - at_first < 10, "megabytes; the list has thirty"


def test_a_full_disk_is_an_error_with_a_name(service: Service, tmp_path: Path) -> None:
    service.replies[OPERATION] = [Reply(big_list(6000))]
    config = tmp_path / "config.json"
    config.write_text(json.dumps(service.settings()))
    done = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -f 1000; exec {TAP} --config {config}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "ACME, tax_rates: The answer could not be stored in " in done.stderr
    assert "point TMPDIR at a directory with more" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_target_that_dies_ends_the_run_without_a_traceback(service: Service, tmp_path: Path) -> None:
    service.replies[OPERATION] = [Reply(big_list(2000))]
    config = tmp_path / "config.json"
    config.write_text(json.dumps(service.settings()))
    with subprocess.Popen(
        [str(TAP), "--config", str(config)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        log = process.stderr.read()
    assert process.returncode == 1
    assert "The target stopped reading" in log
    assert "Traceback" not in log
    assert "BrokenPipe" not in log

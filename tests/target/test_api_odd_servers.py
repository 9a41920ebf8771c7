"""The client against servers that the sandbox does not play: each test scripts the answers, word for word."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from target_expensein.api.client import ExpenseInClient
from target_expensein.api.errors import (
    ApiError,
    BadAnswer,
    ChangedMeanwhile,
    Forbidden,
    ModuleMissing,
    NotFound,
    NotKept,
    OutcomeUnknown,
    RedirectRefused,
    Refused,
)
from target_expensein.model import LiveRecord

from .conftest import OpenClient

KEY = "key-of-the-account-1"
JSON = {"Content-Type": "application/json"}
DEPARTMENT = {"id": "7", "name": "Old", "reference": "007"}

Reply = tuple[int, Mapping[str, str], str]


class Script:
    """A server that gives prepared answers in turn and keeps what it was asked."""

    def __init__(self) -> None:
        """Start on a free port."""
        self.replies: list[Reply] = []
        self.asked: list[tuple[str, str, dict[str, str], str]] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                script.asked.append((self.command, self.path, headers, body))
                status, extra, text = script.replies.pop(0)
                self.send_response_only(status)
                for name, value in {"Content-Length": str(len(text.encode())), **extra}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())
                self.close_connection = self.close_connection or script.hang_up

            do_GET = do_POST = do_PUT = do_PATCH = answer  # noqa: N815 - the names of http.server

        class Server(ThreadingHTTPServer):
            def shutdown_request(self, request: Any) -> None:
                super().shutdown_request(request)
                script.hung_up.set()

        self.hung_up = threading.Event()
        self.hang_up = False
        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/1.0/"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def says(self, *bodies: object) -> None:
        """Answer 200 with JSON, in turn."""
        self.replies += [(200, JSON, body if isinstance(body, str) else json.dumps(body)) for body in bodies]


@pytest.fixture
def server() -> Iterator[Script]:
    script = Script()
    yield script
    script.close()


@pytest.fixture
def elsewhere() -> Iterator[Script]:
    script = Script()
    yield script
    script.close()


Connect = Callable[..., ExpenseInClient]


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def connect(server: Script, slept: list[float], open_client: OpenClient) -> Connect:
    def make(overlay: dict[str, Any] | None = None) -> ExpenseInClient:
        return open_client(server.url, KEY, overlay, concurrency=1, timeout=5, sleep=slept.append)

    return make


@pytest.fixture
def client(connect: Connect) -> ExpenseInClient:
    return connect()


# The whole object goes back


def test_r9_what_nobody_has_heard_of_goes_back_exactly_as_it_came(
    server: Script, client: ExpenseInClient
) -> None:
    unknown = (
        '"price": 12.50, "big": 123456789012345678901234567890, "tiny": 1E-30, "exact": 0.1000000000000000055511151231257827, '
        '"nested": {"list": [1, 2.0, null, true, {"deep": -0.0}]}, "text": "é \\ud83d\\ude00 \\u2028 <&> \\ud800", "": [], "iban": "IE29"'
    )
    server.says(
        '{"id": "7", "name": "Old", "reference": "007", ' + unknown + "}",
        '{"id": "7", "name": "New", "reference": "007"}',
    )
    client.update("departments", "7", {"name": "New"}, expect={"reference": "007"})
    method, path, headers, body = server.asked[1]
    assert (method, path, headers["content-type"]) == ("PUT", "/1.0/departments/7", "application/json")
    assert "12.50" in body
    wanted = '{"id": "7", "name": "New", "reference": "007", ' + unknown + "}"
    assert json.loads(body, parse_float=Decimal) == json.loads(wanted, parse_float=Decimal)
    assert str(json.loads(body, parse_float=Decimal)["nested"]["list"][4]["deep"]) == "-0.0"


def test_every_call_carries_the_key_and_says_who_asks(server: Script, client: ExpenseInClient) -> None:
    server.says([])
    list(client.list("departments"))
    headers = server.asked[0][2]
    assert headers["authorization"] == f"ApiKey {KEY}"
    assert headers["user-agent"].startswith("target-expensein/")


def test_the_profile_names_the_header_of_the_key_and_the_query(server: Script, connect: Connect) -> None:
    server.says({"result": {"items": [DEPARTMENT]}})
    overlay = {
        "authorization": {"header": "X-Api-Key", "scheme": None},
        "list": {"envelope": "result.items", "query": {"includeInactive": "true"}},
    }
    assert [record.id for record in connect(overlay).list("departments")] == [DEPARTMENT["id"]]
    assert server.asked[0][1] == "/1.0/departments?includeInactive=true"
    assert server.asked[0][2]["x-api-key"] == KEY
    assert "authorization" not in server.asked[0][2]


def test_a_stale_etag_leads_to_a_fresh_reading_and_what_came_between_is_kept(
    server: Script, client: ExpenseInClient
) -> None:
    between = {**DEPARTMENT, "visibility": "managers"}
    server.replies = [
        (200, {**JSON, "ETag": '"1"'}, json.dumps(DEPARTMENT)),
        (412, JSON, "{}"),
        (200, {**JSON, "ETag": '"2"'}, json.dumps(between)),
        (200, JSON, json.dumps({**between, "name": "New"})),
    ]
    client.update("departments", "7", {"name": "New"}, expect={"reference": "007"})
    assert [asked[2].get("if-match") for asked in server.asked] == [None, '"1"', None, '"2"']
    assert json.loads(server.asked[3][3]) == {**between, "name": "New"}
    assert server.asked[0][2]["accept-encoding"] == "identity", "a compressing server would change the ETag"


def test_a_recoding_between_two_attempts_stops_the_write(server: Script, client: ExpenseInClient) -> None:
    server.replies = [
        (200, JSON, json.dumps(DEPARTMENT)),
        (503, JSON, "{}"),
        (200, JSON, json.dumps({**DEPARTMENT, "reference": "008"})),
    ]
    with pytest.raises(ChangedMeanwhile, match=r"reference is '008', expected '007'"):
        client.update("departments", "7", {"name": "New"}, expect={"reference": "007"})


@pytest.mark.parametrize("reply", [(204, {}, ""), (200, JSON, ""), (202, JSON, " ")])
def test_a_change_without_an_answer_is_looked_at(
    server: Script, client: ExpenseInClient, reply: Reply
) -> None:
    server.says(DEPARTMENT)
    server.replies.append(reply)
    server.says({**DEPARTMENT, "name": "New"})
    assert client.update("departments", "7", {"name": "New"}, expect={"reference": "007"})["name"] == "New"


@pytest.mark.parametrize("silent", [True, False])
def test_a_value_that_the_server_does_not_keep_is_an_error(
    server: Script, client: ExpenseInClient, *, silent: bool
) -> None:
    server.says(DEPARTMENT)
    if silent:
        server.replies.append((204, {}, ""))
    server.says({**DEPARTMENT, "name": "NEW"})
    with pytest.raises(NotKept, match=r"reference '007', ID 7.*name is 'NEW', not 'New'"):
        client.update("departments", "7", {"name": "New"}, expect={"reference": "007"})


def test_the_answer_must_be_the_record_that_was_asked_for(server: Script, client: ExpenseInClient) -> None:
    server.says({**DEPARTMENT, "id": "8"})
    with pytest.raises(BadAnswer, match="another record"):
        client.read("departments", "7")


def test_true_is_not_one(server: Script, client: ExpenseInClient) -> None:
    server.says({"id": 7, "name": "Ace", "reference": "A", "isActive": 1})
    with pytest.raises(BadAnswer, match=r"'isActive' is a number, expected true or false.*fields\.is_active"):
        client.update("suppliers", 7, {"is_active": True}, expect={})


@pytest.mark.parametrize("identity", ["a/b", "a?b#c", "é %2e", "../x"])
def test_an_odd_id_stays_one_step_of_the_path(server: Script, client: ExpenseInClient, identity: str) -> None:
    server.says({**DEPARTMENT, "id": identity})
    client.read("departments", identity)
    path = server.asked[0][1]
    assert path.startswith("/1.0/departments/")
    assert path.count("/") == 3
    assert "?" not in path


# Lists


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error": "none"}', "members error where|an object with the members error"),
        ("[1]", "expected a record"),
        (
            '[{"name": "x", "reference": "y"}]',
            r"members name, reference.*api_profile\.items\.departments\.fields\.id",
        ),
        ('[{"id": true, "name": "x", "reference": "y"}]', r"'id' is true or false.*fields\.id"),
        ('[{"id": "..", "name": "x", "reference": "y"}]', r"fields\.id"),
        ('[{"id": 1, "name": "x", "reference": 4000}]', r"'reference' is a number.*fields\.reference"),
        ('[{"id": 1, "name": "x", "reference": "a"}, {"id": 1, "name": "y", "reference": "b"}]', "same ID"),
        ("null", "expected an array"),
        ("[NaN]", "not valid JSON"),
        ("[1e99999999999999999999]", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('["\\x"]', "not valid JSON"),
        ("", "empty body"),
    ],
)
def test_what_is_not_a_list_of_records_is_refused_with_what_was_found(
    server: Script, client: ExpenseInClient, body: str, said: str
) -> None:
    server.says(*[body] * 5)
    with pytest.raises(BadAnswer, match=said) as caught:
        list(client.list("departments"))
    assert caught.value.item == "departments"


def test_an_html_page_is_called_one(server: Script, client: ExpenseInClient) -> None:
    server.replies = [(200, {"Content-Type": "text/html"}, "<html><title>Sign\n in</title></html>")] * 5
    with pytest.raises(BadAnswer, match=r"an HTML page \(Sign in\).*api_url"):
        list(client.list("departments"))


def test_members_without_a_value_may_be_left_out_when_the_profile_says_so(
    server: Script, connect: Connect
) -> None:
    server.says([{"id": 1, "name": "x"}])
    assert list(connect({"list": {"absent_is_null": True}}).list("departments")) == [LiveRecord(1, None, "x")]


def page(*numbers: int) -> list[dict[str, Any]]:
    return [{"id": number, "name": f"N{number}", "reference": None} for number in numbers]


@pytest.mark.parametrize("style", ["page", "offset"])
def test_a_server_that_gives_fewer_per_page_than_asked_is_read_to_its_end(
    server: Script, connect: Connect, style: str
) -> None:
    server.says(page(1, 2), page(3, 4), page(5), [])
    assert [record.id for record in connect({"list": {"paging": {"style": style}}}).list("departments")] == [
        1,
        2,
        3,
        4,
        5,
    ]
    if style == "offset":
        assert [asked[1].split("?")[1] for asked in server.asked] == [
            f"offset={n}&limit=100" for n in (0, 2, 4, 5)
        ]
    else:
        assert [asked[1].split("?")[1] for asked in server.asked] == [
            f"page={n}&pageSize=100" for n in (1, 2, 3, 4)
        ]


@pytest.mark.parametrize("style", ["page", "offset"])
def test_a_server_that_ignores_the_page_is_found_out(server: Script, connect: Connect, style: str) -> None:
    server.says(page(1, 2), page(1, 2))
    with pytest.raises(BadAnswer, match=r"earlier pages already had.*api_profile\.list\.paging"):
        list(connect({"list": {"paging": {"style": style}}}).list("departments"))


def test_a_record_that_slips_to_the_next_page_is_given_once(server: Script, connect: Connect) -> None:
    server.says(page(1, 2), page(2, 3), [])
    assert [record.id for record in connect({"list": {"paging": {"style": "page"}}}).list("departments")] == [
        1,
        2,
        3,
    ]


def test_next_links_that_lead_in_a_circle_are_found_out(server: Script, connect: Connect) -> None:
    link = "departments?cursor={}"
    server.says({"data": page(1), "next": link.format(2)}, {"data": page(2), "next": link.format(3)})
    server.says({"data": page(3), "next": link.format(2)})
    with pytest.raises(BadAnswer, match="circle"):
        list(connect({"list": {"envelope": "data", "paging": {"style": "link"}}}).list("departments"))
    assert len(server.asked) == 3


@pytest.mark.parametrize("where", ["header", "member"])
def test_a_next_link_to_another_server_never_gets_the_key(
    server: Script, elsewhere: Script, connect: Connect, where: str
) -> None:
    url = f"{elsewhere.url}departments?page=2"
    headers = {**JSON, "Link": f'<{url}>; rel="next"'} if where == "header" else JSON
    server.replies = [
        (200, headers, json.dumps({"data": page(1), "next": url if where == "member" else None}))
    ]
    with pytest.raises(RedirectRefused, match="another server than api_url"):
        list(connect({"list": {"envelope": "data", "paging": {"style": "link"}}}).list("departments"))
    assert elsewhere.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("action", ["list", "create", "update"])
def test_a_redirect_to_another_server_never_gets_the_key(
    server: Script, elsewhere: Script, client: ExpenseInClient, status: int, action: str
) -> None:
    if action == "update":
        server.says(DEPARTMENT)
    server.replies.append((status, {"Location": f"{elsewhere.url}departments"}, ""))
    call = {
        "list": lambda: list(client.list("departments")),
        "create": lambda: client.create("departments", {"name": "New", "reference": "008"}),
        "update": lambda: client.update("departments", "7", {"name": "New"}, expect={"reference": "007"}),
    }[action]
    with pytest.raises(RedirectRefused, match="not followed"):
        call()
    assert elsewhere.asked == []


# Words and codes


@pytest.mark.parametrize(
    ("content_type", "body", "words"),
    [
        ("application/json", '{"message": "No.", "errors": {"name": ["too long", "odd"]}}', "No.; name: too long; name: odd"),
        ("application/problem+json", '{"title": "Bad", "detail": "name taken"}', "title: Bad; detail: name taken"),
        ("application/json", '["a", {"b": "c"}]', "a; b: c"),
        ("application/json", '"just text"', "just text"),
        ("text/plain", "name\ttaken\r\n\x1b[31m!", "name taken [31m!"),
        ("text/html", "<html><head><title>Oops</title></head><body>x</body></html>", "Oops"),
        ("text/html", "<p>name <b>taken</b></p><script>x()</script>", "name taken"),
        ("application/json", "{broken", "{broken"),
        ("application/json", "", ""),
    ],
)  # fmt: skip
def test_the_servers_words_are_found_in_any_body(
    server: Script, client: ExpenseInClient, content_type: str, body: str, words: str
) -> None:
    server.replies = [(422, {"Content-Type": content_type}, body)]
    with pytest.raises(Refused) as caught:
        client.create("departments", {"name": "New", "reference": "008"})
    assert caught.value.words == words


def test_the_words_have_a_length_that_fits_a_log(server: Script, client: ExpenseInClient) -> None:
    server.replies = [(422, {"Content-Type": "text/plain"}, "x" * 100_000)]
    with pytest.raises(Refused) as caught:
        client.create("departments", {"name": "New", "reference": "008"})
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ((403, JSON, '{"code": "module_not_enabled"}'), ModuleMissing),
        ((403, JSON, '{"code": "permission_denied"}'), Forbidden),
        ((403, JSON, "[]"), Forbidden),
        ((404, {"Content-Type": "text/html"}, "<p>Not found</p>"), ModuleMissing),
    ],
)
def test_r24_the_profile_says_how_a_missing_module_looks(
    server: Script, client: ExpenseInClient, reply: Reply, kind: type[ApiError]
) -> None:
    server.replies = [reply]
    with pytest.raises(kind):
        list(client.list("suppliers"))


def test_r24_the_signs_of_a_missing_module_can_be_changed(server: Script, connect: Connect) -> None:
    server.replies = [(402, JSON, '{"error": {}, "kind": "no_invoicing"}')]
    overlay = {
        "errors": {"code": "kind"},
        "items": {"suppliers": {"module": {"missing_when": [{"status": 402, "code": "no_invoicing"}]}}},
    }
    with pytest.raises(ModuleMissing):
        list(connect(overlay).list("suppliers"))


def test_r24_a_supplier_that_vanishes_before_the_write_is_not_a_missing_module(
    server: Script, client: ExpenseInClient
) -> None:
    server.says({**DEPARTMENT, "isActive": True})
    server.replies.append((404, JSON, "{}"))
    with pytest.raises(NotFound):
        client.update("suppliers", "7", {"name": "New"}, expect={"reference": "007"})


def test_r24_a_module_that_is_switched_off_during_the_run_is_named(
    server: Script, client: ExpenseInClient
) -> None:
    server.replies = [(403, JSON, '{"code": "module_not_enabled"}')]
    with pytest.raises(ModuleMissing):
        client.update("suppliers", "7", {"name": "New"}, expect={"reference": "007"})


# Waiting


def test_a_date_in_retry_after_is_measured_by_the_servers_own_clock(
    server: Script, client: ExpenseInClient, slept: list[float]
) -> None:
    long_ago = 1_000_000_000.0
    dates = {"Date": formatdate(long_ago, usegmt=True), "Retry-After": formatdate(long_ago + 9, usegmt=True)}
    server.replies = [(429, {**JSON, **dates}, "{}")]
    server.says([])
    list(client.list("departments"))
    assert slept[0] == pytest.approx(9, abs=1)


# Creates


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        '{"name": "New", "reference": "008"}',
        '{"id": "9", "name": "New"}',
        '{"id": "9", "name": "New", "reference": "8"}',
        '{"id": "9", "name": "New", "reference": 8}',
        '{"data": {"id": "9", "name": "New", "reference": "008"}}',
    ],
)
def test_a_2xx_alone_does_not_prove_a_create(server: Script, client: ExpenseInClient, body: str) -> None:
    server.replies = [(201, JSON, body)]
    with pytest.raises(OutcomeUnknown):
        client.create("departments", {"name": "New", "reference": "008"})
    assert len(server.asked) == 1


def test_a_connection_that_the_server_closed_meanwhile_is_not_used_for_a_create(
    server: Script, client: ExpenseInClient
) -> None:
    server.hang_up = True
    server.says([], {"id": "9", "name": "New", "reference": "008"})
    list(client.list("departments"))
    assert server.hung_up.wait(5)
    assert client.create("departments", {"name": "New", "reference": "008"})["id"] == "9"


def test_single_records_can_have_an_envelope(server: Script, connect: Connect) -> None:
    server.says({"data": {"id": "9", "name": "New", "reference": "008"}})
    created = connect({"record": {"envelope": "data"}}).create(
        "departments", {"name": "New", "reference": "008"}
    )
    assert created == {"id": "9", "name": "New", "reference": "008"}


def test_cookies_are_not_kept(server: Script, client: ExpenseInClient) -> None:
    server.replies = [(200, {**JSON, "Set-Cookie": "a=b; Path=/"}, "[]")]
    server.says([])
    list(client.list("departments"))
    list(client.list("departments"))
    assert "cookie" not in server.asked[1][2]

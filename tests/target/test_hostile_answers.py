"""A server that means harm, or is broken: whatever it answers, the client ends with a message of its own, and soon.

The server here speaks raw bytes, so that it can say what no HTTP library would.
"""

from __future__ import annotations

import contextlib
import gc
import gzip
import json
import re
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from target_expensein.api import deadline, paging
from target_expensein.api.client import ExpenseInClient
from target_expensein.api.errors import ApiError, BadAnswer, OutcomeUnknown, RedirectRefused, Unreachable
from target_expensein.api.retry import RetryPolicy, retry_after_seconds
from target_expensein.commands.doctor import _skew

from .conftest import OpenClient, TargetCommand, stream

KEY = "key-of-the/account+1"
CATEGORIES = {"categories": {"enabled": True}}
TRAVEL = {"code": "0100", "description": "Travel"}
ODD = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

Parts = Iterable[bytes]


class RawServer:
    """Answers every request with the bytes it was told to, then closes the connection.

    Attributes:
        answer: Gives the parts of the next answer; each is sent on its own.
        sent: Bytes that were sent of the last answer.
        contacts: How many connections came.
    """

    def __init__(self) -> None:
        """Listen on a free port."""
        self.answer: Callable[[], Parts] = lambda: [ok(b"[]")]
        self.sent = 0
        self.contacts = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/1.0/"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.contacts += 1
            with connection, contextlib.suppress(OSError):  # the client has seen enough
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            part = connection.recv(65536)
            if not part:
                return
            request += part
        head, _, body = request.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        while length and len(body) < int(length[1]):
            body += connection.recv(65536)
        self.sent = 0
        for part in self.answer():
            connection.sendall(part)
            self.sent += len(part)

    def close(self) -> None:
        """Stop."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def says(self, *parts: bytes) -> None:
        """Answer with these bytes from now on."""
        self.answer = lambda: parts


def ok(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A well-formed answer."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(body)}",
        "Content-Type: application/json",
        "Connection: close",  # as the server does: else the next request may go out on a connection that just ended
        *headers,
    ]
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


@pytest.fixture
def server() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()


@pytest.fixture
def elsewhere() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()


Connect = Callable[..., ExpenseInClient]


@pytest.fixture
def connect(server: RawServer, open_client: OpenClient) -> Connect:
    def make(overlay: dict[str, Any] | None = None, **more: Any) -> ExpenseInClient:
        arguments: dict[str, Any] = {
            "concurrency": 1,
            "timeout": 5,
            "sleep": lambda _: None,
            "retries": RetryPolicy(attempts=2, throttled_attempts=2),
        }
        return open_client(server.url, KEY, overlay, **(arguments | more))

    return make


@pytest.fixture
def client(connect: Connect) -> ExpenseInClient:
    return connect()


def try_all(client: ExpenseInClient) -> list[ApiError]:
    """List, read, create and change; return what went wrong. Anything but an ApiError fails the test."""
    errors = []
    for call in (
        lambda: list(client.list("suppliers")),
        lambda: client.read("suppliers", "7"),
        lambda: client.create("suppliers", {"name": "New", "reference": "008"}),
        lambda: client.update("suppliers", "7", {"name": "New"}, expect={"reference": "007"}),
    ):
        try:
            call()
        except ApiError as error:
            errors.append(error)
    for error in errors:
        assert error.message
        assert str(error).isprintable()
        assert KEY not in str(error)
    return errors


# Whatever the JSON


def json_values() -> st.SearchStrategy[Any]:
    texts = st.one_of(
        st.text(), st.sampled_from(["\ud800", "\x1b[2J", "a\nb", "\u202e", "=cmd()", "7", ".."])
    )
    names = st.one_of(st.sampled_from(["id", "name", "reference", "isActive", "next", "data", "iban"]), texts)
    numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, Decimal("1e400")]))
    leaves = st.one_of(
        st.none(), st.booleans(), numbers.map(lambda n: n if isinstance(n, int) else float(n)), texts
    )
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=12)


@ODD
@given(value=json_values())
def test_any_json_in_place_of_a_record_is_taken_or_refused_in_words(
    server: RawServer, client: ExpenseInClient, value: Any
) -> None:
    server.says(ok(json.dumps(value).encode()))
    try_all(client)


@ODD
@given(
    fields=st.fixed_dictionaries(
        {
            name: json_values() | st.sampled_from(["7", "007", True])
            for name in ("id", "name", "reference", "isActive")
        }
    )
)
def test_any_value_in_a_record_is_taken_or_refused_in_words(
    server: RawServer, connect: Connect, fields: dict[str, Any]
) -> None:
    for payload in (fields, [fields], {"data": [fields], "next": fields["name"]}):
        server.says(ok(json.dumps(payload).encode()))
        try_all(connect({"list": {"envelope": "data", "paging": {"style": "link"}}}))
        try_all(connect())


@ODD
@given(body=st.binary(), content=st.sampled_from(["application/json", "text/html", "", "é\x00", "a/b;c"]))
def test_any_bytes_for_a_body_end_in_words(
    server: RawServer, client: ExpenseInClient, body: bytes, content: str
) -> None:
    for status in (200, 201, 401, 404, 422, 500):
        head = f"HTTP/1.1 {status} x\r\nContent-Type: {content}\r\nContent-Length: {len(body)}\r\n\r\n"
        server.says(head.encode("utf-8") + body)
        try_all(client)


@ODD
@given(head=st.binary(max_size=200), middle=st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 "]))
def test_any_bytes_at_all_end_in_words(
    server: RawServer, client: ExpenseInClient, head: bytes, middle: bytes
) -> None:
    server.says(middle + head + b"\r\n\r\n")
    try_all(client)


DEEP = 100_000
LIST = "departments"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'[{"id": "1", "name": "a", "reference": "r", "reference": "s"}]', "not valid JSON"),
        (b"[" * DEEP + b"]" * DEEP, "not valid JSON"),
        (b'{"a":' * DEEP + b"1" + b"}" * DEEP, "not valid JSON"),
        (b'[{"id": NaN, "name": "a", "reference": "r"}]', "not valid JSON"),
        (b"[-Infinity]", "not valid JSON"),
        (b"[" + b"9" * 5000 + b"]", "not valid JSON"),
        (b'[{"id": 1e9, "name": "a", "reference": "r"}]', "without a usable ID"),
        (b'[{"id": "\\ud800", "name": "a", "reference": "r"}]', "without a usable ID"),
        ('[{"id": "1", "name": "ä", "reference": "r"}]'.encode("latin-1"), "not valid JSON"),
        ('[{"id": "1", "name": "ä", "reference": "r"}]'.encode("utf-16"), "not valid JSON"),
        (b"", "empty body"),
        (b" \r\n", "empty body"),
        (b"\x00", "not valid JSON"),
        (b"<html><title>Sign in</title></html>", "not valid JSON"),
        (b'{"\x1b[2J\\u001b[2J": 1}', "not valid JSON"),
        (b'{"\\u001b[2J\\u202e": 1}', r"expected an array.*\\u001b\[2J\\u202e"),
    ],
)  # fmt: skip
def test_each_known_trick_has_its_words(
    server: RawServer, client: ExpenseInClient, body: bytes, said: str
) -> None:
    server.says(ok(body))
    with pytest.raises(BadAnswer, match=said) as caught:
        list(client.list(LIST))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def test_r09_a_record_that_could_not_go_back_as_it_came_is_refused(
    server: RawServer, client: ExpenseInClient
) -> None:
    server.says(ok(b'{"id": "1", "name": "a", "reference": "r", "x": {"iban": "1", "iban": "2"}}'))
    with pytest.raises(BadAnswer, match="not valid JSON"):
        client.read(LIST, "1")


@pytest.mark.parametrize("depth", range(100, 1100, 50))
def test_an_error_nested_to_any_depth_is_an_error_in_words(
    server: RawServer, client: ExpenseInClient, depth: int
) -> None:
    server.says(ok(b'{"message":' * depth + b'"no"' + b"}" * depth, status="422 x"))
    assert len(try_all(client)) == 4


@pytest.mark.parametrize("depth", range(100, 1100, 50))
def test_a_record_nested_to_any_depth_goes_back_or_is_refused_in_words(
    server: RawServer, client: ExpenseInClient, depth: int
) -> None:
    record = b'{"id": "7", "name": "Old", "reference": "007", "isActive": true, "x": %s}'
    server.says(ok(record % (b"[" * depth + b"]" * depth)))
    try_all(client)


# Whatever the length


MEGABYTE = b" " * 1_000_000


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (b"Connection: close", MEGABYTE),
        (b"Content-Length: 1000000000", MEGABYTE),
        (b"Transfer-Encoding: chunked", b"f4240\r\n" + MEGABYTE + b"\r\n"),
    ],
)
@pytest.mark.parametrize("status", [b"200", b"500"])
def test_a_gigabyte_is_not_read(
    server: RawServer, connect: Connect, header: bytes, part: bytes, status: bytes
) -> None:
    def gigabyte() -> Parts:
        yield b"HTTP/1.1 %s x\r\nContent-Type: application/json\r\n%s\r\n\r\n" % (status, header)
        yield from (part for _ in range(1000))

    server.answer = gigabyte
    with pytest.raises(ApiError) as caught:
        list(connect(megabytes=2).list(LIST))
    assert status == b"500" or "longer than 2 MB" in str(caught.value)
    assert server.sent < 50_000_000, "what is in the buffers of both sides, no more"


@pytest.mark.parametrize("layers", [1, 2])
def test_a_gzip_bomb_is_counted_by_what_comes_out_of_it(
    server: RawServer, connect: Connect, layers: int
) -> None:
    bomb = bytes(200_000_000)
    for _ in range(layers):
        bomb = gzip.compress(bomb, 1 if len(bomb) > 10**7 else 9)
    server.says(ok(bomb, "Content-Encoding: " + ", ".join(["gzip"] * layers)))
    client = connect(megabytes=2)
    tracemalloc.start()
    try:
        with pytest.raises(BadAnswer, match="longer than 2 MB"):
            list(client.list(LIST))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


def test_the_pages_of_a_list_count_together(server: RawServer, connect: Connect) -> None:
    def pages() -> Parts:
        number = server.contacts
        rows = [{"id": f"{number}-{n}", "name": "x" * 1000, "reference": None} for n in range(100)]
        yield ok(json.dumps(rows).encode())

    server.answer = pages
    with pytest.raises(BadAnswer, match="longer than 2 MB"):
        list(connect({"list": {"paging": {"style": "page"}}}, megabytes=2).list(LIST))
    assert server.contacts < 25


def test_a_create_whose_answer_is_too_long_may_have_run(server: RawServer, connect: Connect) -> None:
    server.says(ok(b" " * 2_000_000))
    with pytest.raises(OutcomeUnknown, match="longer than 1 MB"):
        connect(megabytes=1).create(LIST, {"name": "New", "reference": "008"})
    assert server.contacts == 1


@pytest.mark.parametrize(
    "headers",
    [
        [f"X-{n}: 1" for n in range(1000)],
        ["X: " + "x" * 100_000],
        ["Content-Encoding: gzip"],
        ["Content-Encoding: " + ", ".join(["gzip"] * 50)],
        ["Transfer-Encoding: chunked"],
        ["Content-Length: 5"],
        ["Content-Length: 5, 6"],
        ["Content-Length: -5"],
        ["no colon here", "X: y"],
        [": no name"],
    ],
)
def test_headers_that_make_no_sense_end_in_words(
    server: RawServer, client: ExpenseInClient, headers: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    server.says(ok(b'[{"id": 1}]', *headers))
    assert len(try_all(client)) == 4
    assert "Traceback" not in caplog.text
    gc.collect()  # a connection that nobody closed is a warning now, and so an error


# Whatever the pace


def dripping(head: bytes, drop: bytes) -> Callable[[], Parts]:
    def parts() -> Parts:
        yield head
        while True:
            time.sleep(0.05)
            yield drop

    return parts


@pytest.mark.parametrize(
    "answer",
    [
        dripping(b"HTTP/1.1 200 O", b"K"),
        dripping(b"HTTP/1.1 200 OK\r\n", b"X"),
        dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    ],
    ids=["status", "header", "headers", "continue", "body", "chunk size"],
)
def test_an_answer_that_drips_ends_whatever_part_of_it_drips(
    server: RawServer, connect: Connect, monkeypatch: pytest.MonkeyPatch, answer: Callable[[], Parts]
) -> None:
    """Every byte comes within the time-out of 5 seconds, and without a deadline for the whole would do so for ever."""
    monkeypatch.setattr(deadline, "SILENCES", 0.1)
    server.answer = answer
    with pytest.raises(Unreachable, match=r"no whole answer in time|its head makes no sense"):
        list(connect(retries=RetryPolicy(attempts=1)).list(LIST))


# Whatever the time


@ODD
@given(
    text=st.one_of(
        st.text(),
        st.from_regex(r"[A-Z][a-z]{2}, \d{1,20} Jan \d{1,20} \d{1,9}:\d\d:\d\d [+-]\d{1,20}", fullmatch=True),
        st.sampled_from(["-1", "1e999", "nan", "inf", "9" * 500, "²", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 +2359"]),
    ),
    date=st.one_of(st.text(), st.sampled_from(["", "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 GMT"])),
)  # fmt: skip
def test_any_retry_after_and_any_date_are_a_wait_or_none(text: str, date: str) -> None:
    seconds = retry_after_seconds({"Retry-After": text, "Date": date})
    assert seconds is None or seconds >= 0
    for value in (text, date):
        skew = _skew(value, datetime.now(UTC))
        assert skew is None or isinstance(skew, float)


@pytest.mark.parametrize("text", ["9" * 500, "Fri, 31 Dec 9999 23:59:59 GMT", "86400"])
def test_no_server_can_make_the_client_wait_for_more_than_two_minutes_at_a_time(
    server: RawServer, connect: Connect, text: str
) -> None:
    slept: list[float] = []
    server.says(ok(b"{}", f"Retry-After: {text}", status="429 x"))
    with pytest.raises(ApiError, match="too many requests"):
        list(connect(sleep=slept.append).list(LIST))
    assert slept
    assert max(slept) <= 120


# Wherever it points


@pytest.mark.parametrize(
    "link",
    ["http://[", "//[::1", "\ud800", "é", "http://127.0.0.1:99999/", "javascript:1", "file:///etc/passwd", "?a=\x1b[2J", "..//..//"],
)  # fmt: skip
def test_a_next_link_that_is_none_ends_in_words(server: RawServer, connect: Connect, link: str) -> None:
    rows = [{"id": 1, "name": "a", "reference": None}]
    server.says(ok(json.dumps({"data": rows, "next": link}).encode()))
    with pytest.raises((BadAnswer, RedirectRefused)) as caught:
        list(connect({"list": {"envelope": "data", "paging": {"style": "link"}}}).list(LIST))
    assert str(caught.value).isprintable()


def test_pages_without_end_end(server: RawServer, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MOST_PAGES", 20)
    server.answer = lambda: [ok(json.dumps({"data": [], "next": f"?page={server.contacts}"}).encode())]
    with pytest.raises(BadAnswer, match="no end"):
        list(connect({"list": {"envelope": "data", "paging": {"style": "link"}}}).list(LIST))


# Through the front door


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            ok(b'{"message": "\x1b[2J\\nINFO all is well"}', status="400 x"),
            r"expensein|departments|categories",
        ),
        (ok(b'{"\\u001b[2J": 1}'), r"\\u001b\[2J"),
        (ok(b"", "Location: http://127.0.0.1:9/", status="302 Found"), "not followed"),
        (ok(b" " * 1_100_000), "longer than 1 MB"),
    ],
)
def test_the_run_ends_with_a_message_and_its_exit_code(
    server: RawServer, target: TargetCommand, answer: bytes, said: str
) -> None:
    server.says(answer)
    result = target.run(
        stream("accounts", TRAVEL), items=CATEGORIES, api_url=server.url, max_answer_megabytes=1
    )
    assert result.exit_code == 1
    assert result.summary["items"]["categories"]["problem"]
    assert re.search(said, result.log)
    assert "\x1b" not in result.log

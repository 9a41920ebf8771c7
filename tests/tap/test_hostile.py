"""Answers that are broken or mean harm, and what they may cost.

Always one line with cause and cure, never a traceback, never half a list called whole (R32).
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from sandbox.testing import Sandbox
from tap_accountsiq.soap import MAX_RETRY_AFTER, retry_after
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
    settings,
    token,
)

OPERATION = "GetTaxCodeList"
TAX = "<Tax><Code>S</Code><Rate>0.2300</Rate></Tax>"
STATUS = "<Status>Success</Status>"
LIST = rows(OPERATION, TAX)
RESPONSE = f'<{OPERATION}Response xmlns="{NAMESPACE}"><{OPERATION}Result>{STATUS}<Result>{TAX}</Result></{OPERATION}Result></{OPERATION}Response>'
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE soap:Envelope [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)
HOSTILE = LIST.replace("<Code>S</Code>", "<Code>S</Code><Description>{}</Description>")

HOSTILES: dict[str, tuple[bytes | str, str]] = {
    # DOCTYPE and entities
    "billion laughs": (envelope("&i;", LAUGHS), "carries a DOCTYPE"),
    "a DOCTYPE in lower case": (LIST.replace("<soap:Envelope", "<!doctype x><soap:Envelope", 1), "carries a DOCTYPE"),
    "a DOCTYPE behind a BOM": (f"\ufeff<!DOCTYPE x>{envelope(RESPONSE, '')}", "carries a DOCTYPE"),
    "a DOCTYPE in UTF-16": (envelope(RESPONSE, "<!DOCTYPE x>").encode("utf-16"), "not written in UTF-8"),
    "a DOCTYPE in UTF-16 without BOM": (envelope(RESPONSE, "<!DOCTYPE x>").encode("utf-16-be"), "not written in UTF-8"),
    "a DOCTYPE in UTF-7": (
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE x+AD4-' + envelope(RESPONSE, "").encode(),
        "not XML",
    ),
    "a DOCTYPE in the middle": (LIST.replace("<Result>", "<!DOCTYPE x><Result>"), "not well-formed"),
    "an entity without DOCTYPE": (HOSTILE.format("&nbsp;"), "not well-formed"),
    # encodings
    "bytes that are not the declared UTF-8": (HOSTILE.format("Müller").encode("latin-1"), "not well-formed"),
    "an unknown encoding": (LIST.replace("utf-8", "x-nothing"), "not well-formed"),
    "UTF-16 that is UTF-8": (LIST.replace("utf-8", "utf-16"), "not well-formed"),
    # characters
    "a control character": (HOSTILE.format("a\x01b"), "not well-formed XML: PCDATA invalid Char value 1, line 1, column "),
    "a control character far down": (
        rows(OPERATION, *[f"{TAX}\n"] * 3999, "<Tax><Code>a\x01b</Code></Tax>\n", *[TAX] * 1000),
        "near row 4000 of the list: PCDATA invalid Char value 1, line 4000, column 13.",
    ),
    "a reference to no character": (HOSTILE.format("a&#0;b"), "not well-formed XML: xmlParseCharRef: invalid xmlChar value 0, line 1, column "),
    "a lone surrogate": (HOSTILE.format("&#xD800;"), "not well-formed"),
    # shapes
    "no end of the envelope": (LIST.removesuffix("</soap:Envelope>") + "</soap:Envelope >x", "not well-formed"),
    "an end of another envelope": (LIST.replace("</soap:Body>", ""), "not well-formed"),
    "something behind the envelope": (LIST + "<more/>", "not well-formed"),
    "a second document behind the first": (LIST + LIST, "not well-formed"),
    "a prefix that is not bound": (HOSTILE.format("<q:x/>"), "not well-formed"),
    "an attribute twice": (HOSTILE.format("<x a='1' a='2'/>"), "not well-formed"),
    "a text of eleven megabytes": (HOSTILE.format("x" * 11_000_000), "not well-formed"),
    "a comment of eleven megabytes": (HOSTILE.format(f"<!--{'x' * 11_000_000}-->"), "not well-formed"),
    "ten thousand levels": (HOSTILE.format("<x>" * 10_000 + "</x>" * 10_000), "not well-formed"),
    # what contradicts one whole list
    "another SOAP version": (
        LIST.replace("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"),
        "no SOAP envelope",
    ),
    "a status behind the rows": (
        answer(OPERATION, f"<Result>{TAX}</Result>{STATUS}"),
        "does not hold what the contract promises",
    ),
    "a second status": (answer(OPERATION, f"{STATUS}<Result>{TAX}</Result>{STATUS}"), "holds Status where"),
    "a failure after the success": (
        answer(OPERATION, f"{STATUS}<Result>{TAX}</Result><Status>Failure</Status><ErrorCode>X</ErrorCode>"),
        "holds Status where the contract has none",
    ),
    "a fault behind the result": (
        LIST.replace("</soap:Body>", "<soap:Fault><faultstring>NOT_AUTHORIZED</faultstring></soap:Fault></soap:Body>"),
        "not allowed",
    ),
    "two results": (envelope(RESPONSE * 2), f"holds {OPERATION}Response twice"),
    "two lists": (answer(OPERATION, f"{STATUS}<Result>{TAX}</Result><Result>{TAX}</Result>"), "holds Result twice"),
    "two bodies": (LIST.replace("</soap:Body>", f"</soap:Body><soap:Body>{RESPONSE}</soap:Body>"), "holds Body twice"),
    "a row beside the list": (answer(OPERATION, f"{STATUS}{TAX}<Result/>"), "holds Tax where"),
    "a row in a row": (rows(OPERATION, TAX.replace("</Tax>", f"{TAX}</Tax>")), "holds Tax where"),
    "elements in a text": (HOSTILE.format("a<b/>c"), "Description holds elements instead of a text"),
    # values
    "a week for a day": (rows(OPERATION, "<Tax><Checker><IdLength>1e3</IdLength></Checker></Tax>"), "not a whole number"),
    "a number without end": (
        rows(OPERATION, f"<Tax><TaxTypeId>{'9' * 5000}</TaxTypeId></Tax>"), "not a whole number"
    ),
    "NaN": (rows(OPERATION, "<Tax><Rate>NaN</Rate></Tax>"), "not a decimal number"),
    "an exponent": (rows(OPERATION, "<Tax><Rate>1E+2</Rate></Tax>"), "not a decimal number"),
}  # fmt: skip

HARMLESS: dict[str, tuple[bytes | str, list[str]]] = {
    "HasExpired beside Success": (LIST.replace("<HasExpired>false", "<HasExpired>true"), ["S"]),
    "no list at all": (answer(OPERATION, STATUS), []),
    "unknown elements everywhere": (
        LIST.replace("<Result>", "<New><Tax>x</Tax></New><Result><New/>").replace("<soap:Body>", "<x/><soap:Body>"),
        ["S"],
    ),
    "a thousand attributes": (
        LIST.replace("<Tax>", "<Tax " + " ".join(f"a{n}='{n}'" for n in range(1000)) + ">"),
        ["S"],
    ),
    "comments that look like rows": (rows(OPERATION, f"<!-- {TAX} -->", TAX, f"<!--</Result>{TAX}-->"), ["S"]),
    "CDATA that looks like rows": (
        rows(OPERATION, "<Tax><Code>A<![CDATA[</Code></Tax><Tax><Code>B]]></Code></Tax>"),
        ["A</Code></Tax><Tax><Code>B"],
    ),
    "many comments behind the envelope": (LIST + "<!---->" * 60, ["S"]),
    "another encoding, declared": (
        rows(OPERATION, "<Tax><Code>Müller</Code></Tax>").replace("utf-8", "iso-8859-1").encode("latin-1"),
        ["Müller"],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def read(tap: Tap, catalog: dict[str, Any]) -> Iterator[tuple[Run, Service]]:
    """Make one run in which every entity meets one of the answers."""
    with Service() as service:
        for case, (body, _) in {**HOSTILES, **HARMLESS}.items():
            service.replies[OPERATION, case] = [Reply(body)]
        entities = [*HOSTILES, *HARMLESS]
        yield tap(service.settings(entities=entities), catalog=only(catalog, "tax_rates")), service


@pytest.mark.parametrize("case", HOSTILES)
def test_it_is_refused_with_cause_and_cure(case: str, read: tuple[Run, Service]) -> None:
    done, service = read
    lines = [each for each in done.errors if f" {case}, tax_rates: " in each]
    assert len(lines) == 1, done.errors
    assert HOSTILES[case][1] in lines[0]
    assert service.count(OPERATION, case) == 1


@pytest.mark.parametrize("case", HARMLESS)
def test_it_is_understood(case: str, read: tuple[Run, Service]) -> None:
    done, _ = read
    assert not [each for each in done.errors if f" {case}, tax_rates: " in each]
    found = [each["code"] for each in done.records("tax_rates") if each["entity"] == case]
    assert found == HARMLESS[case][1]


def test_nothing_of_it_is_called_whole_r32(read: tuple[Run, Service]) -> None:
    assert read[0].code == 1
    assert read[0].complete == []


# --- size -----------------------------------------------------------------------------------------------------------


# The wrapper is small: a child begins with the memory of whoever forks it, and pytest is large.
MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


def peak_memory(config: dict[str, Any], folder: Path) -> tuple[int, str]:
    """Run the tap; return the most memory it held, in megabytes, and its log."""
    file = folder / "config.json"
    file.write_text(json.dumps(config))
    done = subprocess.run(
        [sys.executable, "-Sc", MEASURED, str(TAP), "--config", str(file)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.split()[1]), done.stderr


def bomb(kind: str, megabytes: int) -> bytes:
    """Make a gzip body that grows to so many megabytes: junk where the service may put things the tap does not know."""
    head, end = LIST.split(TAX)
    piece = {"elements": "<x/>" * 250_000, "rows": "<Tax><x/></Tax>" * 66_667, "space": " " * 1_000_000}[kind]
    packed = gzip.compress((head + TAX).encode(), 1)
    return packed + gzip.compress(piece.encode(), 1) * megabytes + gzip.compress(end.encode(), 1)


@pytest.mark.parametrize("kind", ["elements", "rows", "space"])
def test_a_bomb_is_stopped_at_the_limit_of_the_unpacked_size(
    kind: str, service: Service, tmp_path: Path
) -> None:
    service.replies[OPERATION] = [Reply(bomb(kind, 1000), headers={"Content-Encoding": "gzip"})]
    memory, log = peak_memory(service.settings(max_answer_megabytes=20), tmp_path)
    assert "ACME, tax_rates: The answer is larger than 20 MB. If the list really is that long, raise" in log
    assert service.count(OPERATION) == 1
    assert memory < 80


@pytest.mark.parametrize("kind", ["elements", "rows"])
def test_memory_does_not_grow_with_junk_below_the_limit(kind: str, service: Service, tmp_path: Path) -> None:
    service.replies[OPERATION] = [Reply(bomb(kind, 40), headers={"Content-Encoding": "gzip"})]
    memory, log = peak_memory(service.settings(), tmp_path)
    assert "ERROR" not in log
    assert memory < 120, (
        "megabytes: a piece of nothing but small elements takes thirty, and there are 160 of them"
    )


# --- time -----------------------------------------------------------------------------------------------------------


def test_a_body_that_trickles_is_broken_off(tap: Tap, catalog: dict[str, Any], box: Sandbox) -> None:
    box.add_source("ACME", "tax_codes", Code="S", Description="x")
    box.faults(
        [
            {
                "side": "accountsiq",
                "match": {"operation": OPERATION},
                "fault": {"type": "slow_body", "bytes_per_second": 1},
            }
        ]
    )
    done = tap(settings(box, answer_timeout=1), catalog=only(catalog, "tax_rates"))
    assert done.code == 1
    assert (
        "The answer was not complete within 1 seconds. If the list really takes that long" in done.errors[-1]
    )
    assert done.complete == []
    assert box.counters()["accountsiq"][OPERATION] == 1, "another try would not be quicker"


@contextlib.contextmanager
def trickling(head: bytes) -> Iterator[str]:
    """Run a server that sends a head and then a byte now and again, for ever."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(head)
                    while not stop.wait(0.1):
                        connection.sendall(b" ")

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        stop.set()
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Long:",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
        b"HTTP/1.1 404 No\r\nContent-Length: 1000000\r\n\r\n",
    ],
    ids=["nothing yet", "a header", "no length", "a length", "one chunk", "an error"],
)
def test_however_it_trickles(head: bytes, service: Service, tap: Tap) -> None:
    with trickling(head) as url:
        done = tap(service.settings(api_url=url, answer_timeout=1))
    assert done.code == 1
    assert "sign-in, " in done.errors[-1]
    assert "The answer was not complete within 1 seconds." in done.errors[-1]


# --- Retry-After ----------------------------------------------------------------------------------------------------

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def http_date(moment: datetime) -> str:
    """Write a date as HTTP does."""
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("0.5", 0.5),
        ("1000000000", MAX_RETRY_AFTER),
        ("9" * 400, None),
        ("-1", None),
        ("+5", None),
        ("1e9", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        (http_date(NOW + timedelta(seconds=30)), 30),
        (http_date(NOW), 0),
        (http_date(NOW - timedelta(seconds=1)), None),
        (http_date(NOW + timedelta(days=36500)), MAX_RETRY_AFTER),
        ("Sun, 01 Mar 2026 12:00:10 -0000", 10),
        ("Sun, 99 Foo 2026 12:00:10 GMT", None),
        ("Sun, 01 Mar 99999 12:00:10 GMT", None),
    ],
)
def test_retry_after_is_measured_with_the_clock_of_the_answer(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value, "Date": http_date(NOW)}) == seconds


def test_retry_after_without_a_date_of_its_own_is_measured_with_our_clock() -> None:
    later = http_date(datetime.now(UTC) + timedelta(seconds=100))
    for headers in ({"Retry-After": later}, {"Retry-After": later, "Date": "nonsense"}):
        found = retry_after(headers)
        assert found is not None
        assert 0 < found <= 100


@pytest.mark.parametrize("value", ["nan", "-5", "1e9", "Sun, 01 Mar 2026 12:00:00 GMT", "x" * 5000])
def test_an_absurd_pause_is_not_taken(value: str, service: Service, tap: Tap) -> None:
    headers = {"Retry-After": value, "Date": "Sun, 01 Mar 2026 12:00:01 GMT"}
    service.replies["TokenGet"].insert(0, Reply(status=503, headers=headers))
    done = tap(service.settings(), "--test")
    assert done.code == 0
    assert "Next attempt in 1 s." in done.err


# --- tokens ---------------------------------------------------------------------------------------------------------


def test_a_token_that_expires_between_two_entities_is_renewed_without_a_gap(
    tap: Tap, catalog: dict[str, Any]
) -> None:
    seed = {"accountsiq": {"entities": {"A": {}, "B": {}, "C": {}}}}
    with Sandbox(seed=seed) as box:
        for entity in "ABC":
            box.add_source(entity, "tax_codes", Code="S", Description=entity)
        box.faults(
            [
                {
                    "side": "accountsiq",
                    "match": {"operation": OPERATION},
                    "skip": skip,
                    "fault": {"type": "token_expired"},
                }
                for skip in (1, 2)  # the second rule does not count what meets the first: entities B and C
            ]
        )
        done = tap(settings(box), catalog=only(catalog, "tax_rates"))
        counted = box.counters()["accountsiq"]
    assert [each["description"] for each in done.records("tax_rates")] == ["A", "B", "C"]
    assert done.complete == ["tax_rates"]
    assert counted == {"TokenGet": 1, "TokenRefresh": 2, OPERATION: 5}


def test_a_refresh_without_a_new_refresh_token_leads_to_signing_in_the_next_time(
    service: Service, tap: Tap, catalog: dict[str, Any]
) -> None:
    expired = Reply(refusal(OPERATION, "WS_INVALIDTOKEN"))
    service.replies[OPERATION, "A"] = [expired, Reply(LIST)]
    service.replies[OPERATION, "B"] = [expired, Reply(LIST)]
    service.replies["TokenRefresh"] = [Reply(token("access-2", "", "TokenRefresh"))]
    done = tap(service.settings(entities=["A", "B"]), catalog=only(catalog, "tax_rates"))
    assert done.complete == ["tax_rates"]
    names = [name for name, _ in service.calls]
    assert names == ["TokenGet", *[OPERATION, "TokenRefresh", OPERATION], *[OPERATION, "TokenGet", OPERATION]]


def test_an_application_that_is_revoked_during_the_run_ends_it_with_its_name(
    service: Service, tap: Tap, catalog: dict[str, Any]
) -> None:
    revoked = "OAUTH_INTEGRATION_APPS_APPLICATION_IS_REVOKED"
    service.replies[OPERATION, "B"] = [Reply(refusal(OPERATION, "WS_INVALIDTOKEN"))]
    service.replies["TokenGet"].append(Reply(refusal("TokenGet", revoked)))
    service.replies["TokenRefresh"] = [Reply(refusal("TokenRefresh", revoked))]
    done = tap(service.settings(entities=["A", "B", "C"]), catalog=only(catalog, "tax_rates"))
    assert done.code == 1
    assert "has been revoked" in done.errors[-1]
    assert service.count(OPERATION, "C") == 0, "nothing else can work"
    assert done.complete == []


def test_a_fault_in_place_of_a_token_is_no_token(service: Service, tap: Tap) -> None:
    service.replies["TokenGet"] = [Reply(fault("soap:Client did not like it", "soap:Client"), status=500)]
    done = tap(service.settings())
    assert done.code == 1
    assert service.count("TokenGet") == 1
    assert "sign-in, accounts: The service does not accept the request" in done.errors[-1]

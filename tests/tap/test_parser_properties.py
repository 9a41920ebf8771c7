"""The reader that never sees a whole document, against a plain one that does: the same values, or an error (hypothesis)."""

from __future__ import annotations

import datetime
import email.utils
import io
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from tap_accountsiq import document, errors
from tap_accountsiq.auth import Tokens
from tap_accountsiq.parser import RowReader, read_values
from tap_accountsiq.soap import MAX_RETRY_AFTER, Reply, retry_after
from tap_accountsiq.streams import STREAMS
from tap_testing import NAMESPACE, rows

TAX_RATES = next(each for each in STREAMS if each.name == "tax_rates")
OPERATION = TAX_RATES.read.operation
FIELDS = ["code", "description", "rate", "is_default", "checker_id_length"]
NS = f"{{{NAMESPACE}}}"
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def read(body: bytes, names: list[str] = FIELDS) -> list[dict[str, Any]]:
    """Read a body to its end."""
    reader = RowReader(Reply(200, io.BytesIO(body), whole=True, retry_after=None), OPERATION, TAX_RATES.row)
    return list(reader.records(TAX_RATES, names, "ACME"))


def plainly(body: bytes) -> list[dict[str, Any]]:
    """Read a body the simple way: all of it into a tree, comments taken out, then look for what is wanted."""
    root = etree.fromstring(
        body, etree.XMLParser(remove_comments=True, remove_pis=True, resolve_entities=False)
    )
    path = f"{SOAP}Body/{NS}{OPERATION}Response/{NS}{OPERATION}Result/{NS}Result/{NS}Tax"

    def text(row: etree._Element, name: str) -> str | None:
        found = [each for each in row.findall(name) if each.get(NIL) not in {"true", "1"} or each.text]
        return (found[-1].text or "") if found else None

    result = []
    for row in root.findall(path):
        if row.get(NIL) not in {"true", "1"}:
            rate, default = text(row, f"{NS}Rate"), text(row, f"{NS}IsDefault")
            length = text(row, f"{NS}Checker/{NS}IdLength")
            result.append(
                {
                    "entity": "ACME",
                    "code": text(row, f"{NS}Code") or "",
                    "description": text(row, f"{NS}Description"),
                    "rate": None if rate is None else Decimal(rate),
                    "is_default": None if default is None else default == "true",
                    "checker_id_length": None if length is None else int(length),
                }
            )
    return result


# --- documents ------------------------------------------------------------------------------------------------------

# Whatever XML may hold; the carriage return too, which is kept only as a reference.
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
    max_size=30,
)
NOISE = st.sampled_from(
    [
        "",
        "",
        " ",
        "\r\n  ",
        "<!-- <Tax><Code>no</Code></Tax> -->",
        "<?pi <Tax/> ?>",
        "<!--x--> ",
        "<!-- </Result> -->",
    ]
)


def escaped(text: str) -> str:
    """Write text with references."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@st.composite
def content(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    """Write a value as text, in parts with comments between, as CDATA, or with numeric references."""
    value = draw(values)
    cut = draw(st.integers(0, len(value)))
    parts = []
    for part in (value[:cut], value[cut:]):
        how = draw(st.sampled_from(["text", "cdata", "numbers"]))
        if how == "cdata" and "]]>" not in part:
            parts.append(f"<![CDATA[{part}]]>")
        elif how == "numbers":
            parts.append("".join(f"&#{ord(each)};" for each in part))
        else:
            parts.append(escaped(part))
    return draw(st.sampled_from(["", "<!-- x -->", "<?x y?>"])).join(parts)


VALUES = {
    "Code": TEXT,
    "Description": TEXT,
    "Rate": st.decimals(allow_nan=False, allow_infinity=False, places=4).map(lambda each: format(each, "f")),
    "IsDefault": st.sampled_from(["true", "false"]),
    "Unknown": TEXT,
}


@st.composite
def element(draw: st.DrawFn, prefix: str) -> str:
    """Write one child of a row."""
    name = draw(st.sampled_from([*VALUES, "Checker", "foreign", "nested"]))
    if name == "nested":
        return f"<{prefix}Nested><{prefix}Code>no</{prefix}Code><x><{prefix}Tax/></x></{prefix}Nested>"
    if name == "foreign":
        return f'<Code xmlns="urn:elsewhere">{draw(content(TEXT))}</Code>'
    if name == "Checker":
        return f"<{prefix}Checker><{prefix}IdLength>{draw(st.integers(-9, 99))}</{prefix}IdLength></{prefix}Checker>"
    if draw(st.integers(0, 4)) == 0:
        return f'<{prefix}{name} xsi:nil="true"/>'
    text = draw(content(VALUES[name]))
    return f"<{prefix}{name} >{text}</{prefix}{name}\n>"


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Write an answer in one of the many ways that mean the same."""
    prefix = draw(st.sampled_from(["", "v:"]))
    declared = f'xmlns="{NAMESPACE}" xmlns:v="{NAMESPACE}"'
    entries = []
    for _ in range(draw(st.integers(0, 6))):
        noise, inside = draw(NOISE), "".join(draw(st.lists(element(prefix), max_size=6)))
        attribute = draw(st.sampled_from(["", "", ' xsi:nil="true"', ' xsi:nil="false"', ' a=">"']))
        entries.append(f"{noise}<{prefix}Tax{attribute}>{draw(NOISE)}{inside}</{prefix}Tax>")
    body = (
        f'<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{draw(NOISE)}<soap:Body>{draw(NOISE)}'
        f"<{OPERATION}Response {declared}><v:{OPERATION}Result><Status>Success</Status>{draw(NOISE)}"
        f"<Result>{''.join(entries)}{draw(NOISE)}</Result></v:{OPERATION}Result>{draw(NOISE)}"
        f"</{OPERATION}Response></soap:Body></soap:Envelope>"
    )
    encoding = draw(st.sampled_from(["utf-8", "iso-8859-1"]))
    return f'<?xml version="1.0" encoding="{encoding}"?>{body}'.encode(encoding, "xmlcharrefreplace")


@pytest.fixture(autouse=True, params=[31, 1_000, 100_000])
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Cut every document in many places, in some, or nowhere."""
    monkeypatch.setattr(document, "FIRST_PIECE", 97)
    monkeypatch.setattr(document, "PIECE", request.param)
    size: int = request.param
    return size


SETTINGS = settings(deadline=None, max_examples=60)


@SETTINGS
@given(documents())
def test_whatever_the_answer_looks_like_it_is_read_as_a_plain_parser_reads_it(body: bytes) -> None:
    assert read(body) == plainly(body)


@SETTINGS
@given(documents(), st.data())
def test_a_selection_of_fields_changes_nothing_in_them(body: bytes, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(FIELDS), unique=True))
    chosen = [
        {name: each[name] for name in ("entity", *FIELDS) if name in (*names, "entity")}
        for each in read(body)
    ]
    assert read(body, names) == chosen


@SETTINGS
@given(documents(), st.data())
def test_a_damaged_answer_is_an_error_or_is_still_read_as_a_plain_parser_reads_it(
    body: bytes, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 40)))
    damaged = body[:start] + data.draw(st.binary(max_size=8)) + body[end:]
    try:
        found = read(damaged)
    except errors.AccountsIQError:  # they all have a cause and a cure
        return
    assert found == plainly(damaged)


@SETTINGS
@given(documents(), st.data())
def test_a_shortened_answer_is_never_called_whole_r32(body: bytes, data: st.DataObject) -> None:
    short = body[: data.draw(st.integers(0, len(body) - 1))]
    with pytest.raises(errors.AccountsIQError):
        read(short)


ROW = "<Tax><Code>S</Code></Tax>"


@pytest.mark.parametrize("names", [["code"], FIELDS])
def test_a_row_in_a_row_is_refused_wherever_it_stands(names: list[str]) -> None:
    for entries in ((f"<Tax>{ROW}</Tax>",), (ROW, ROW, f"<Tax><Code>S</Code>{ROW}</Tax>", ROW)):
        with pytest.raises(errors.UnexpectedAnswer, match="holds Tax where the contract has none"):
            read(rows(OPERATION, *entries).encode(), names)


@pytest.mark.parametrize("names", [["code"], FIELDS])
def test_only_a_rows_own_children_fill_its_record(names: list[str]) -> None:
    nested = "<Tax><Code>B</Code><Nested><Code>no</Code><Tax><Code>no</Code></Tax></Nested></Tax>"
    nil, foreign = '<Tax xsi:nil="true"><Code>no</Code></Tax>', "<New><Tax><Code>no</Code></Tax></New>"
    found = read(rows(OPERATION, ROW, nested, nil, nested, foreign, ROW).encode(), names)
    assert [each["code"] for each in found] == ["S", "B", "B", "S"]


@pytest.mark.parametrize("names", [["rate"], FIELDS])
def test_a_value_that_does_not_fit_is_found_by_its_place_in_the_list(names: list[str]) -> None:
    entries = (*[ROW] * 90, "<!-- <Tax/> -->", "<New/>", '<Tax xsi:nil="true"/>', "<Tax><Rate>x</Rate></Tax>")
    with pytest.raises(
        errors.UnreadableValue, match=r"Row 93 of the answer .*Rate is 'x', not a decimal number"
    ):
        read(rows(OPERATION, *entries, ROW).encode(), names)


@SETTINGS
@given(st.one_of(st.binary(max_size=300), documents()), st.sampled_from([200, 401, 429, 500, 503]))
def test_any_bytes_at_all_are_an_error_with_a_name(body: bytes, status: int) -> None:
    with pytest.raises(errors.AccountsIQError):
        read_values(
            Reply(status, io.BytesIO(body), whole=True, retry_after=None), "TokenGet", ("AccessToken",)
        )


DATES = st.datetimes(timezones=st.just(datetime.UTC)).map(
    lambda each: email.utils.format_datetime(each, usegmt=True)
)


@settings(deadline=None, max_examples=500)
@given(st.one_of(st.text(), st.floats().map(str), DATES), st.one_of(st.text(), DATES))
def test_no_retry_after_makes_the_tap_fail_or_wait_for_ever(value: str, date: str) -> None:
    seconds = retry_after({"Retry-After": value, "Date": date})
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER


def test_a_sign_in_is_read_whatever_the_order() -> None:
    body = rows("TokenGet").replace(
        "<Result></Result>", "<Result><RefreshToken>r</RefreshToken><AccessToken>a</AccessToken></Result>"
    )
    found = read_values(
        Reply(200, io.BytesIO(body.encode()), whole=True, retry_after=None),
        "TokenGet",
        ("AccessToken", "RefreshToken"),
    )
    assert Tokens(found["AccessToken"], found["RefreshToken"]) == Tokens("a", "r")


def test_the_fuzzer_finds_nothing_in_its_corpus_nor_close_to_it(tmp_path: Path) -> None:
    fuzzer = Path(__file__).parents[1] / "fuzz"
    pytest.importorskip("atheris")
    done = subprocess.run(
        [
            sys.executable,
            fuzzer / "soap_reader.py",
            "-runs=3000",
            "-seed=1",
            "-max_len=20000",
            tmp_path,  # where new inputs go
            fuzzer / "corpus" / "soap",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]

"""The short cuts of reading change nothing: what they give is what reading to the letter gives.

A plain record is decoded in one step, a long list piece by piece. Here each meets JSON that is anything but plain, and the
result is held against that of the long way.
"""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from singer_sdk.singerlib.exceptions import InvalidInputLine
from target_expensein import exactjson, reader
from target_expensein.api import listing
from target_expensein.api.errors import BadAnswer
from target_expensein.api.listing import ListReader
from target_expensein.api.profile import load_profile
from target_expensein.api.wire import checked, live_record
from target_expensein.decoding import RecordDecoder
from target_expensein.intake import Intake
from target_expensein.model import LiveRecord
from target_expensein.reader import MEMBERS, MessageReader
from target_expensein.settings import ItemSettings, load

TEXTS = st.sampled_from(
    ["", " ", "A1", "0100", "null", '"', "\\", "},{", "é", "\u2028", "\x00", "\ud800", "x" * 12_000]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([10**30, Decimal("0.20"), Decimal("1e3"), Decimal("-0")])
    | TEXTS
)
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(TEXTS, SCALARS, max_size=2)
TYPES = st.lists(
    st.sampled_from(["string", "null", "boolean", "number", "integer", "object", "array"]),
    min_size=1,
    max_size=3,
    unique=True,
)
SCHEMAS = st.one_of(
    st.just({"type": ["string", "null"]}),
    st.builds(lambda types: {"type": types}, TYPES),
    st.just({}),
    st.just({"type": "string", "maxLength": 3}),
    st.just({"type": ["number", "null"], "minimum": 0, "format": "singer.decimal"}),
)


def settings_of(item: str, **more: Any) -> ItemSettings:
    return load({"mode": "preview", "items": {item: {"enabled": True} | more}}).items[item]


SETTINGS = {
    "accounts": settings_of("categories", filters={"account_type": {"is_not_one_of": ["Bank", 1, True]}}),
    "tax_rates": settings_of("tax_rates", filters={"rate": {"is_not_one_of": [0.2, 1000]}}),
    "dimension_options": settings_of("departments", source="dimension_options", dimension="A1"),
    "suppliers": settings_of("suppliers"),
}
FIELDS = {
    stream: sorted({*settings.needed_fields, "entity", "other"}) for stream, settings in SETTINGS.items()
}


def spelt(value: object) -> str:
    """JSON with the digits of decimals."""
    match value:
        case dict():
            return f"{{{', '.join(f'{json.dumps(name)}: {spelt(inner)}' for name, inner in value.items())}}}"
        case list():
            return f"[{','.join(map(spelt, value))}]"
        case Decimal():
            return str(value)
        case _:
            return json.dumps(value)


@st.composite
def members(draw: st.DrawFn, names: list[str], values: st.SearchStrategy[Any]) -> str:
    """A JSON object, perhaps with members twice and with escapes in their names."""
    chosen = draw(st.lists(st.sampled_from(names), max_size=len(names) + 2))
    pairs = [
        (json.dumps(name).replace("o", draw(st.sampled_from(["o", "\\u006f"]))), spelt(draw(values)))
        for name in chosen
    ]
    space = draw(st.sampled_from(["", " ", "\t"]))
    return "{" + f",{space}".join(f"{name}{space}:{space}{value}" for name, value in pairs) + "}"


@st.composite
def streams(draw: st.DrawFn) -> tuple[str, dict[str, Any], list[str]]:
    name = draw(st.sampled_from(sorted(SETTINGS)))
    schema = {"properties": {field: draw(SCHEMAS) for field in SETTINGS[name].needed_fields}}
    plausible = st.sampled_from(["A1", "0100", True, Decimal("0.20"), 1, None])
    records = draw(st.lists(members(FIELDS[name], plausible | VALUES), max_size=6))
    return name, schema, records


def offered(stream: str, schema: dict[str, Any], value: str) -> tuple[str, dict[str, Any], list[str]]:
    """A stream whose only record has one odd field."""
    plain = {"code": '"A1"', "description": '"Travel"', "is_active": "true", "rate": "0.20"}
    plain |= {"account_type": '"Sales"'} | dict.fromkeys(schema, value)
    needed = SETTINGS[stream].needed_fields
    members = ", ".join(f'"{field}": {text}' for field, text in plain.items() if field in needed)
    return stream, {"properties": {field: {} for field in needed} | schema}, [f"{{{members}}}"]


def taken(
    settings: ItemSettings, schema: dict[str, Any], records: list[str], *, short: bool
) -> tuple[Any, ...]:
    """What an intake makes of a stream, each record by itself if it cannot take all at once."""
    intake = Intake(settings, keep_verdicts=True)
    intake.open(schema)
    rows = intake.plain([msgspec.Raw(record.encode()) for record in records]) if short else None
    if rows is not None:
        intake.take_plain(rows, 1)
    for record in records if rows is None else ():
        rows = intake.plain([msgspec.Raw(record.encode())]) if short else None
        if rows is None:
            intake.offer(exactjson.loads(record), 1)
        else:
            intake.take_plain(rows, 1)
    intake.close(1)
    source = intake.source
    entities = [record.entity for record in source.records]
    return (
        source.records,
        entities,
        source.references,
        source.rejected,
        source.filtered,
        intake.verdicts,
        intake.problem(),
    )


@settings(deadline=None)
@given(streams())
@example(("suppliers", {"properties": {}}, ["{}"]))
@example(offered("accounts", {"account_type": {"type": "string"}}, "1"))
@example(offered("accounts", {"account_type": {"type": "string"}}, "null"))
@example(offered("accounts", {"account_type": {"type": "integer"}}, "1.5"))
@example(offered("accounts", {"account_type": {"type": "boolean"}}, '"x"'))
@example(offered("accounts", {"code": {"type": "integer"}}, '"A1"'))
@example(offered("accounts", {"code": {"type": "string"}}, "null"))
@example(offered("accounts", {"is_active": {"type": "string"}}, "true"))
@example(offered("tax_rates", {"rate": {"type": "number"}}, '"0.20"'))
@example(offered("tax_rates", {"rate": {"type": "string"}}, "0.20"))
@example(offered("tax_rates", {"rate": {"type": "number"}}, "[0.20]"))
@example(offered("tax_rates", {"rate": {}}, '"A1"'))
@example(offered("tax_rates", {"rate": {}}, "true"))
@example(offered("accounts", {"account_type": {}}, f'"{"x" * 12_000}"'))
@example(
    (
        "suppliers",
        {"properties": {field: {} for field in ("code", "name", "is_active")}},
        ['{"code": "A", "is_active": true, "name": "x", "name": "y"}', '{"code": "B", "is_active": true}'],
    )
)
def test_a_record_is_taken_as_if_it_had_been_read_to_the_letter(stream):
    """R30: records, rejects, filtered ones and references are the same."""
    name, schema, records = stream
    short = taken(SETTINGS[name], schema, records, short=True)
    assert short == taken(SETTINGS[name], schema, records, short=False)


@pytest.mark.parametrize(
    ("type_", "value", "plain"),
    [
        ("string", '"x"', True),
        ("string", "1", False),
        ("string", "null", False),
        ("number", "0.20", True),
        ("number", "20", True),
        ("number", '"0.20"', False),
        ("number", "true", False),
        ("integer", "20", True),
        ("integer", "0.20", False),
        ("boolean", "true", True),
        ("boolean", "1", False),
        ("null", "null", True),
        ("null", '"null"', False),
        (["string", "null"], "[]", False),
        (["string", "null"], "{}", False),
    ],
)
def test_a_field_of_a_type_that_the_schema_does_not_allow_makes_a_record_not_plain(type_, value, plain):
    """R30: whoever can say what is wrong with it looks at it."""
    decoder = RecordDecoder(
        {"code": {"type": "string"}, "rate": {"type": type_}}, {"code": str}, ["code"], "entity"
    )
    record = msgspec.Raw(f'{{"code": "A", "rate": {value}}}'.encode())
    assert (decoder.decode([record]) is not None) is plain


def test_a_plain_record_does_take_the_short_cut():
    """Else the test above would compare the long way with itself."""
    properties = {"code": {"type": ["string", "null"]}, "name": {"type": "string"}, "is_active": {}}
    decoder = RecordDecoder(properties, {"code": str, "name": str, "is_active": bool}, ["code"], "entity")
    plain = b'{"name": "Ace \\u00e9", "other": {"x": 1e5}, "code": null, "is_active": true}'
    odd = plain.replace(b'"x"', b'"code"')  # which of the two is meant?
    row = {"name": "Ace \u00e9", "code": None, "is_active": True}
    assert decoder.decode([msgspec.Raw(plain), msgspec.Raw(plain)]) == [row, row]
    assert decoder.decode([msgspec.Raw(plain), msgspec.Raw(odd)]) is None


FRAMES = st.sampled_from(
    [
        '{"type": "RECORD", "stream": "a", "record": {"x": 1.50}}',
        '{"type": "RECORD", "stream": "a", "record": {"x": "}\\n{"}, "version": 1}',
        '{"type": "RECORD", "stream": "a", "record": {"record": "\\u0022é"}, "version": 1}',
        '{"type": "RECORD", "stream": "b", "record": {}, "version": 0, "time_extracted": "now"}',
        '{"type": "RECORD", "stream": "a", "record": {}, "version": null}',
        '{"type": "RECORD", "stream": "a", "record": {}, "stream": "b"}',
        '{"type": "RECORD", "stream": "a", "record": {}, "str\\u0065am": "b"}',
        '{"type": "RECORD", "stream": "a", "record": []}',
        '{"type": "RECORD", "stream": "a", "same": {}, "record": {}}',
        '{"type": "RECORD", "time_extracted": "a", "stream": "a", "record": {"x": 1}}',
        '{"type": "RECORD", "stream": "a", "record": {}, "time_extracted": 1, "time_extracted": 2}',
        '{"type": "RECORD", "stream": "a", "record": {}, "version": 1.5}',
        '{"type": "SCHEMA", "stream": "a", "schema": {"properties": {}}}',
        '{"type": "STATE", "value": {"x": 0.10}}',
        '{"type": "RECORD", "stream": "a"}',
        '{"type": "RECORD", "stream": "a", "record": {}}{"type": "STATE", "value": 1}',
        '{"type": "RECORD", "stream": "a",\n"record":\n{}}',
        '{"type": "RECORD", "stream": "a", "record": {"x": "\udc80"}}',
        "",
        " ",
        "{",
    ]
)


class Taken(list[tuple[Any, ...]]):
    """What a reader hands over, one message after the other."""

    def plain(self, stream: str, version: int | None, records: list[msgspec.Raw]) -> bool:
        self.extend(("RECORD", stream, version, exactjson.loads(bytes(one).decode())) for one in records)
        return True

    def message(self, message: dict[str, Any]) -> None:
        if message["type"] == "RECORD":
            self.append(("RECORD", message["stream"], message.get("version"), message["record"]))
        else:
            self.append((message["type"], message))


def received(text: bytes, block: int, *, short: bool) -> tuple[Any, ...]:
    """What is handed over of some lines, how many of each type were counted, and how it ended at which line."""
    taken, lines = Taken(), MessageReader()
    if short:
        lines.take_plain = taken.plain
    counts, end = None, None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "BLOCK", block)
        try:
            counts = lines.process_lines(io.BytesIO(text), dict.fromkeys(MEMBERS, taken.message))
        except InvalidInputLine as error:
            end = str(error)
    return list(taken), counts, end, lines.line


@settings(deadline=None)
@given(
    st.lists(FRAMES, max_size=12),
    st.sampled_from(["\n", "\n", "\r\n", " \n"]),
    st.sampled_from([20, 300, 100_000]),
    st.sampled_from(["\n", ""]),
)
@example(['{"type": "RECORD", "stream": "a", "record": {}}'] * 9, "\n", 100_000, "\n")
@example(
    [f'{{"type": "RECORD", "stream": "a", "record": {{}}, "version": {n}}}' for n in (1, 2)], "\n", 300, "\n"
)
def test_lines_are_read_as_if_each_had_been_read_to_the_letter(lines, between, block, end):
    text = between.join(lines) + end
    encoded = text.encode("utf-8", "surrogateescape")
    assert received(encoded, block, short=True) == received(encoded, block, short=False)


def untimed(number: int) -> bytes:
    return f'{{"type": "RECORD", "stream": "a", "record": {{"x": {number}}}}}\n'.encode()


def timed(number: int) -> bytes:
    return untimed(number).replace(b"}}", b'}, "version": 1, "time_extracted": "12:%02d"}' % (number % 60))


@pytest.mark.parametrize("line", [untimed, timed])
def test_plain_records_are_taken_many_at_a_time(line):
    """Else the test above would compare the long way with itself; one odd line costs its neighbours nothing."""
    sizes: list[int] = []
    lines = MessageReader()
    lines.take_plain = lambda _stream, _version, records: sizes.append(len(records)) or True  # type: ignore[func-returns-value]
    before, after = (b"".join(map(line, numbers)) for numbers in (range(64), range(63)))
    odd = b'{"type": "STATE", "value": 1}\n'
    lines.process_lines(io.BytesIO(before + odd + after), {"STATE": lambda _: None})
    assert sum(sizes) == 127
    assert len(sizes) < 10


IDS = st.sampled_from(["a", "b", "c", 1, 2, 3]) | st.sampled_from(
    ["", ".", None, True, Decimal("1.0"), 10**30]
)
BODIES = {
    "suppliers": ["id", "name", "reference", "isActive", "address"],
    "tax_rates": ["id", "name", "reference", "rate", "address"],
    "categories": ["id", "name", "reference", "appliesTo", "address"],
}


@st.composite
def answers(draw: st.DrawFn) -> tuple[str, bool, str | None, bytes]:
    """The body of a list: mostly of records as they should be, some of them odd, some broken."""
    item = draw(st.sampled_from(sorted(BODIES)))
    envelope = draw(st.sampled_from([None, "data", "result.items"]))
    rows = []
    for _ in range(draw(st.integers(0, 8))):
        row = {"id": draw(IDS), "name": draw(TEXTS), "reference": draw(TEXTS | st.none())}
        row |= {"isActive": draw(st.booleans())} if item == "suppliers" else {}
        row |= {"appliesTo": draw(st.sampled_from([None, [], ["Expense"]]))} if item == "categories" else {}
        row |= (
            {"rate": draw(st.sampled_from([0, Decimal("13.50"), None, "20", 10**30]))}
            if item == "tax_rates"
            else {}
        )
        row |= draw(st.sampled_from([{}, {"address": {"a": {"b": 1}, "c": "},{"}}, {"other": [{}, {}]}]))
        for name in draw(st.lists(st.sampled_from(BODIES[item]), max_size=1)):
            row[name] = draw(VALUES)
        rows.append(spelt(row))
    start, between = draw(st.sampled_from(["", " "])), draw(st.sampled_from([",", ", ", " ,", ",\n"]))
    array = f"[{start}{between.join(rows)}]"
    if envelope == "data":
        array = f'{{"total": {len(rows)}, "data": {array}, "next": null}}'
    elif envelope is not None:
        array = f'{{"result": {{"items": {array}}}}}'
    body = bytearray(
        draw(st.sampled_from(["", "\ufeff", " \n"])).encode() + array.encode("utf-8", "surrogatepass")
    )
    if draw(st.booleans()):  # a member twice, perhaps at an end of the frame
        twice = draw(
            st.sampled_from([b'"data":', b'"name":', b'"n\\u0061me":', b'"items":', b'"address":', b'"c":'])
        )
        body = body.replace(twice.replace(b"\\u0061", b"a"), twice + b" [], " + twice, 1)
    for _ in range(draw(st.integers(0, 1))):
        place = draw(st.integers(0, len(body) - 1))
        body[place : place + draw(st.integers(0, 2))] = draw(
            st.sampled_from([b"", b",", b"}", b"\xff", b"\\", b"NaN"])
        )
    return item, draw(st.booleans()), envelope, bytes(body)


def read(item: str, absent_is_null: bool, envelope: str | None, body: bytes, *, short: bool) -> Any:  # noqa: FBT001
    """What becomes of an answer: the records, or what is said of it."""
    profile = load_profile({"list": {"absent_is_null": absent_is_null, "envelope": envelope}}).items[item]
    try:
        reader = ListReader(profile)
        payload = reader.read(bytearray(body)) if short else reader._to_the_letter(body)
    except (ValueError, ArithmeticError, RecursionError):
        return "not JSON"
    for step in profile.listing.envelope:
        if not isinstance(payload, dict) or step not in payload:
            return "no such member"
        payload = payload[step]
    if not isinstance(payload, list):
        return type(payload)
    try:
        return [
            row if isinstance(row, LiveRecord) else live_record(profile, checked(profile, row, "here"))
            for row in payload
        ]
    except BadAnswer as error:
        return str(error)


@settings(deadline=None)
@given(answers(), st.sampled_from([1, 60, 200]))
@example(("departments", False, None, b'[{"id": 1, "name": "a", "reference": null},]'), 1)
@example(
    ("departments", False, "data", b'{"data": [{"id": 1, "name": "", "reference": ""}], "data": []}'), 60
)
@example(("departments", False, None, b'[{"id": true, "name": "a", "reference": null}]'), 60)
@example(("departments", False, None, b'[{"id": " ", "name": "a", "reference": " "}]'), 60)
@example(("departments", False, None, b'[{"id": 1, "name": "a", "n\\u0061me": "b", "reference": "x"}]'), 60)
@example(("departments", False, None, b'[{"id": 1, "name": "a", "reference": "x", "c": "\xff"}]'), 60)
@example(("tax_rates", False, None, b'[{"id": 1, "name": "a", "reference": "x", "rate": "20"}]'), 60)
@example(("tax_rates", False, None, b'[{"id": 1, "name": "a", "reference": "x", "rate": 13.50}]'), 60)
def test_a_list_is_read_as_if_it_had_been_read_to_the_letter(answer, piece):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "PIECE", piece)
        assert read(*answer, short=True) == read(*answer, short=False)


@pytest.mark.parametrize("absent_is_null", [False, True])
@pytest.mark.parametrize("odd_neighbour", ["", ', {"id": 2.0, "name": "b", "reference": "y"}'])
@pytest.mark.parametrize(
    ("members", "taken"),
    [
        ('"other": 1, "other": 2', True),
        ('"other": {"x": 1, "x": 2}', True),
        ('"name": "b"', False),
        ('"n\\u0061me": "b"', False),
        ('"id": 1', False),
    ],
)
def test_of_a_list_only_what_is_used_must_be_there_once(members, taken, odd_neighbour, absent_is_null):
    """And it makes no difference whether the record takes the short cut."""
    body = f'[{{"id": 1, "name": "a", "reference": "x", {members}}}{odd_neighbour}]'
    result = read("departments", absent_is_null, None, body.encode(), short=True)
    if not taken:
        assert result == "not JSON"
    elif odd_neighbour:
        assert "without a usable ID" in result
    else:
        assert result == [LiveRecord(1, "x", "a")]


def test_a_long_list_is_read_in_pieces(monkeypatch):
    """Else the test above would compare the long way with itself."""
    monkeypatch.setattr(listing, "PIECE", 100)
    pieces: list[int] = []
    piece = ListReader._piece
    monkeypatch.setattr(
        ListReader, "_piece", lambda self, text: pieces.append(len(text)) or piece(self, text)
    )
    rows = [{"id": n, "name": f"N {n}", "reference": str(n)} for n in range(50)]
    reader = ListReader(load_profile({}).items["departments"])
    assert reader.read(bytearray(json.dumps(rows).encode())) == [
        LiveRecord(n, str(n), f"N {n}") for n in range(50)
    ]
    assert len(pieces) > 10

"""Input that is not from our tap, or broken on its way: a clear message, a defined exit code, and never half of anything.

What is not a Singer stream ends the run before ExpenseIn is asked anything. A record that cannot be taken is rejected by
itself, and the rest goes on (R30). A list that is not whole is not applied (R32).
"""

from __future__ import annotations

import io
import json
import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from target_expensein import reader
from target_expensein.run import sync_tasks
from target_expensein.target import TargetExpenseIn

from .conftest import Result, TargetCommand, record, schema, state, stream, whole

CATEGORIES = {"categories": {"enabled": True}}
TRAVEL = record("accounts", code="5000", description="Travel")
MEALS = record("accounts", code="5100", description="Meals")
OPEN = schema("accounts")
END = whole("accounts")


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """Each time that the command is asked for, the SDK sets up the log, for the tests to come as well."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)


def line(message: Any, old: str = "", new: str = "") -> bytes:
    """A message as a line, with a piece of its JSON replaced."""
    text = json.dumps(message)
    assert old in text
    return text.replace(old, new, 1).encode("utf-8", "surrogatepass") + b"\n"


def run(target: TargetCommand, *lines: bytes | dict[str, Any], **config: Any) -> Result:
    """Feed the command with bytes; in this process, for there are many cases."""
    text = b"".join(one if isinstance(one, bytes) else line(one) for one in lines)
    ended = CliRunner().invoke(
        TargetExpenseIn.cli,
        ["--config", str(target.configure(**({"items": CATEGORIES} | config)))],
        input=text,
    )
    assert isinstance(ended.exception, SystemExit | None)
    report = target.folder / "output/latest/report.txt"
    log = ended.stderr + (report.read_text() if report.exists() else "")
    assert len(log) < 20_000
    states = [json.loads(one) for one in ended.stdout.splitlines()]
    return Result(ended.exit_code, states, log, target.folder / "output")


def references(target: TargetCommand) -> list[str]:
    """What ExpenseIn has."""
    return sorted(live["reference"] for live in target.box.live("categories"))


DEEP = "[" * 100_000 + "]" * 100_000

NOT_SINGER: dict[str, tuple[list[bytes | dict[str, Any]], str]] = {
    "broken JSON": ([OPEN, TRAVEL, b'{"type": "RECORD", "stream": \n', END], "line 3 is not JSON"),
    "a last line that was cut off": ([OPEN, TRAVEL, END, line(MEALS)[:-20]], "line 4 is not JSON: the input ends in"),
    "NaN": ([OPEN, line(TRAVEL, '"Travel"', "NaN"), END], "line 2 is not JSON"),
    "NaN where nobody looks": ([OPEN, line(TRAVEL, '"ONE"', "-Infinity"), END], "line 2 is not JSON"),
    "a NUL byte": ([OPEN, line(TRAVEL, "Travel", "Tra\x00vel"), END], "line 2 is not JSON"),
    "bytes that are not UTF-8": ([OPEN, b'{"type": "\xff"}\n', END], "line 2 is not UTF-8 (byte 11)"),
    "not UTF-8 where nobody looks": ([OPEN, line(TRAVEL).replace(b"ONE", b"\xc3("), END], "line 2 is not UTF-8"),
    "UTF-16": (["".join(map(json.dumps, [OPEN, TRAVEL, END])).encode("utf-16")], "line 1 is not UTF-8"),
    "deep nesting in a record": ([OPEN, line(TRAVEL, '"ONE"', DEEP), END], "line 2 is nested too deeply"),
    "deep nesting in a state": ([line(state(1), "1", DEEP)], "line 1 is nested too deeply"),
    "something other than an object": ([b"42\n"], "line 1 is not a JSON object"),
    "no type": ([{"stream": "accounts"}], "line 1: a message without 'type'"),
    "a type that is no text": ([{"type": 1}], "line 1: a message whose 'type' is not a text"),
    "an unknown type": ([{"type": "PARTY" * 1000}], "line 1: Unknown message type 'PARTYPARTY"),
    "two types": ([line(END, '"type"', '"type": "STATE", "value": 1, "type"')], "line 1: a message with more than one"),
    "two records in one": ([OPEN, line(TRAVEL, '"record"', '"record": {}, "record"')], "line 2: a RECORD message with more"),
    "BATCH": ([OPEN, {"type": "BATCH", "stream": "accounts"}], "line 2: BATCH messages are not taken"),
    "a record before its schema": ([TRAVEL], "line 1: a RECORD message of the stream 'accounts' before"),
    "an end before the schema": ([END], "line 1: a ACTIVATE_VERSION message of the stream 'accounts' before"),
    "a record without its stream": ([{"type": "RECORD", "record": {}}], "line 1: a RECORD message without 'stream'"),
    "no record in a record": ([OPEN, {"type": "RECORD", "stream": "accounts"}], "line 2: a RECORD message without 'record'"),
    "a record that is a list": ([OPEN, TRAVEL | {"record": []}], "line 2: 'record' of a RECORD message is not an object"),
    "a stream that is no text": ([OPEN, TRAVEL | {"stream": ["accounts"]}], "line 2: 'stream' of a RECORD message is not a"),
    "a version that is no number": ([OPEN, TRAVEL | {"version": "1"}], "line 2: 'version' of a RECORD message is not a"),
    "an end without a version": ([OPEN, {"type": "ACTIVATE_VERSION", "stream": "accounts"}], "line 2: a ACTIVATE_VERSION"),
    "a schema that is a list": ([OPEN | {"schema": []}], "line 1: 'schema' of a SCHEMA message is not an object"),
    "a schema without properties": ([OPEN | {"schema": {"properties": 1}}], "line 1: the schema of a SCHEMA message has no"),
    "a schema that is none": (
        [schema("accounts", code={"type": "strin"})],
        "line 1: the schema of the stream 'accounts' cannot be used: it is not a JSON Schema at properties.code.type",
    ),
    "a state without a value": ([{"type": "STATE"}], "line 1: a STATE message without 'value'"),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "message"), NOT_SINGER.values(), ids=NOT_SINGER.keys())
def test_what_is_not_a_singer_stream_ends_the_run_before_anything_is_asked(
    target: TargetCommand, lines, message
):
    result = run(target, *lines)
    assert result.exit_code == 1
    assert f"The input is not a Singer stream, so nothing was written: {message}" in result.log
    assert result.states == []
    assert target.box.counters()["expensein"] == {}


def test_a_line_without_an_end_is_not_read_into_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(reader, "LONGEST_LINE", 1000)
    monkeypatch.setattr(reader, "BLOCK", 400)
    endless = io.BufferedReader(io.BytesIO(b"x" * 100_000))  # type: ignore[arg-type]  # a raw stream
    with pytest.raises(click.ClickException, match="line 1 is longer than 1,000 bytes"):
        in_process(str(tmp_path)).receive(endless)  # type: ignore[arg-type]  # bytes, as from standard input
    assert endless.tell() < 20_000


TAKEN: dict[str, list[bytes | dict[str, Any]]] = {
    "a byte order mark": [b"\xef\xbb\xbf" + line(OPEN), TRAVEL, END],
    "CRLF": [line(one).replace(b"\n", b"\r\n") for one in (OPEN, TRAVEL, END)],
    "empty lines": [b"\n", OPEN, b" \t\r\n", TRAVEL, b"\n\n", END, b"\n"],
    "no line feed at the end": [OPEN, TRAVEL, line(END).rstrip()],
    "half a surrogate pair where nobody looks": [OPEN, line(TRAVEL, "ONE", "\\ud800"), END],
    "a member twice where nobody looks": [OPEN, line(TRAVEL, '"entity"', '"x": 1, "x": 2, "entity"'), END],
    "escapes in names": [OPEN, line(TRAVEL, '"code"', '"c\\u006fde"'), END],
    "a number of 10,000 digits where nobody looks": [OPEN, line(TRAVEL, '"ONE"', "9" * 10_000), END],
    "a long text where nobody looks": [OPEN, line(TRAVEL, "ONE", "x" * 5_000_000), END],
    "a stream without a key": [OPEN | {"key_properties": []}, TRAVEL, END],
    "no word of a key": [{name: OPEN[name] for name in ("type", "stream", "schema")}, TRAVEL, END],
    "no versions": [OPEN, TRAVEL | {"version": None}, END],
    "the end at the beginning, too": [OPEN, END, TRAVEL, END],
    "the schema once more, after the end": [OPEN, TRAVEL, END, OPEN],
    "a schema with another field, on the way": [OPEN, TRAVEL, schema("accounts", more={}), TRAVEL, END],
    "a schema that refers to its own definitions": [
        OPEN | {"schema": {"$defs": {"t": {"type": "string"}}, "properties": OPEN["schema"]["properties"] | {"code": {"$ref": "#/$defs/t"}}}},
        TRAVEL,
        END,
    ],
    "streams of another tap": [schema("suppliers"), record("suppliers", code=1), {"type": "SCHEMA", "stream": "x", "schema": {"properties": {}}}, OPEN, TRAVEL, END],
}  # fmt: skip


@pytest.mark.parametrize("lines", TAKEN.values(), ids=TAKEN.keys())
def test_what_is_odd_but_clear_is_taken(target: TargetCommand, lines):
    assert run(target, *lines).exit_code == 0
    assert references(target) == ["5000"]


REJECTED: dict[str, tuple[bytes, str]] = {
    "half a surrogate pair": (line(MEALS, "Meals", "\\udfff"), "description: half a surrogate pair"),
    "a member twice": (line(MEALS, '"code"', '"code": "9", "code"'), "code: there is more than one"),
    "a member twice, spelt in two ways": (line(MEALS, '"code"', '"c\\u006fde": "9", "code"'), "code: there is more than"),
    "a name of 50 MB": (line(MEALS, "Meals", "x" * 50_000_000), "description: a text of 50,000,000 characters"),
    "a code of 100 KB of the wrong type": (line(MEALS, '"5100"', f"[{'1,' * 50_000}1]"), "code: [1, 1, 1,"),
    "an object for a name": (line(MEALS, '"Meals"', '{"a": {"b": NULL}}'.lower()), "description: {'a': {'b': None}} is not"),
    "a number for a flag": (line(MEALS, "true", "1"), "is_active: 1 is not of type 'boolean'"),
    "no flag": (line(MEALS, '"is_active": true, ', ""), "is_active: None is neither true nor false"),
    "no code": (line(MEALS, '"code": "5100", ', ""), "'code' is a required property"),
}  # fmt: skip


@pytest.mark.parametrize(("bad", "detail"), REJECTED.values(), ids=REJECTED.keys())
def test_r30_a_record_that_cannot_be_taken_is_rejected_and_the_rest_is_written(
    target: TargetCommand, bad, detail
):
    result = run(target, OPEN, bad, TRAVEL, END)
    assert result.exit_code == 3
    assert references(target) == ["5000"]
    (reject,) = result.rejects
    assert reject["reason"] == "invalid_record"
    assert detail in reject["detail"]
    assert len(reject["detail"]) < 1000


def test_r30_a_schema_that_cannot_be_applied_rejects_its_records_and_fetches_nothing(target: TargetCommand):
    elsewhere = {"$ref": f"{target.box.control_url}state"}
    result = run(target, schema("accounts", description=elsewhere), TRAVEL, END)
    assert result.exit_code == 3
    assert "the stream's schema cannot be applied" in result.rejects[0]["detail"]
    assert references(target) == []


def test_r21_a_rate_beyond_all_numbers_is_rejected(target: TargetCommand):
    rate = record("tax_rates", code="S", description="Standard", rate=0)
    lines = [
        schema("tax_rates"),
        line(rate, '"rate": 0', '"rate": 1e99999999999999999999'),
        whole("tax_rates"),
    ]
    result = run(target, *lines, items={"tax_rates": {"enabled": True}})
    assert (result.exit_code, result.rejects[0]["reason"]) == (3, "invalid_record")


@pytest.mark.parametrize("rate", ["A1", True, "", "0.2x", []])
def test_r21_what_is_no_rate_is_rejected_whatever_the_schema_allows(target: TargetCommand, rate):
    bad = record("tax_rates", code="S", description="Standard", rate=rate)
    lines = [schema("tax_rates", rate={}), bad, whole("tax_rates")]
    result = run(target, *lines, items={"tax_rates": {"enabled": True}})
    assert (result.exit_code, result.rejects[0]["reason"]) == (3, "invalid_record")
    assert f"rate: {rate!r} is not a number" in result.rejects[0]["detail"]


NOT_WHOLE: dict[str, tuple[list[bytes | dict[str, Any]], str]] = {
    "records of another version": ([OPEN, TRAVEL, MEALS | {"version": 2}, whole("accounts") | {"version": 2}], "mixes versions"),
    "a later schema that lacks a field": ([OPEN, TRAVEL, {"type": "SCHEMA", "stream": "accounts", "schema": {"properties": {"code": {}}}}, MEALS, END], "offers no field 'description'"),
    "an earlier schema that lacks a field": ([{"type": "SCHEMA", "stream": "accounts", "schema": {"properties": {"code": {}}}}, MEALS, OPEN, TRAVEL, END], "offers no field 'description'"),
    "another schema after the end": ([OPEN, TRAVEL, END, schema("accounts", more={})], "did not arrive whole"),
    "the end of another stream": ([schema("suppliers"), OPEN, TRAVEL, whole("suppliers")], "did not arrive whole"),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "message"), NOT_WHOLE.values(), ids=NOT_WHOLE.keys())
def test_r32_a_list_that_is_not_certainly_whole_is_not_applied(target: TargetCommand, lines, message):
    result = run(target, *lines)
    assert result.exit_code == 1
    assert message in result.log
    assert target.box.counters()["expensein"] == {}


@pytest.mark.parametrize(
    "value", ["null", "[]", '"\\ud800"', "0.10", "1.0E+2", '{"a": {"a": 12345678901234567890.10}}']
)
def test_a_state_of_any_kind_is_passed_on_digit_for_digit(target: TargetCommand, value):
    config = str(target.configure(items=CATEGORIES))
    messages = b"".join(map(line, [OPEN, TRAVEL, END])) + line(state(1), "1", value)
    ended = CliRunner().invoke(TargetExpenseIn.cli, ["--config", config], input=messages)
    assert ended.exit_code == 0
    assert json.loads(ended.stdout, parse_float=str) == json.loads(value, parse_float=str)


@pytest.mark.parametrize(
    ("text", "exit_code", "message"),
    [
        (
            b"".join(map(line, [OPEN, TRAVEL])) + line(END)[:-9],
            1,
            "line 3 is not JSON: the input ends in the middle",
        ),
        (b"".join(map(line, [OPEN, TRAVEL])) + b"\xff\n", 1, "line 3 is not UTF-8 (byte 1)"),
        (line(OPEN) + line(TRAVEL, '"ONE"', DEEP) + line(END), 1, "line 2 is nested too deeply"),
        (b"\xef\xbb\xbf" + b"\r\n".join(line(one).strip() for one in (OPEN, TRAVEL, END)), 0, "1"),
    ],
    ids=["cut off", "not UTF-8", "deep", "BOM and CRLF"],
)
def test_the_command_says_so_and_exits_likewise(target: TargetCommand, text, exit_code, message):
    process = target.start(items=CATEGORIES)
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it need not read on to say so
        process.stdin.buffer.write(text)
        process.stdin.close()
    process.stdin = None
    log = target.finish(process)
    assert process.returncode == exit_code
    assert message in log
    assert "Traceback" not in log
    assert references(target) == (["5000"] if exit_code == 0 else [])


# Any bytes at all


def in_process(folder: str) -> TargetExpenseIn:
    items = CATEGORIES | {"tax_rates": {"enabled": True, "filters": {"rate": {"is_not_one_of": [0.5]}}}}
    return TargetExpenseIn(config={"api_key": "none", "output_dir": folder, "items": items})


NIGHT = b"".join(
    map(
        line,
        [
            *stream("accounts", {"code": "1", "description": "Ä"}, {"code": "2", "description": None}),
            state({"a": 1.5}),
            *stream("tax_rates", {"code": "S", "description": "Standard", "rate": 0.2}),
            state({"a": 2}),
        ],
    )
)
SPLINTERS = st.sampled_from(
    [b"", b"\n", b'"', b"{", b"}", b"[", b",", b"\\", b"\xff", b"\x00", b"1", b"-", b"null", b"NaN", b"\\ud800", b'"type"', b"{}"]
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A night's input with lines lost, repeated and moved, and splinters in it."""
    lines = NIGHT.splitlines(keepends=True)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["lose", "repeat", "move"])):
            case "lose" if len(lines) > 1:
                del lines[place]
            case "repeat":
                lines.insert(draw(st.integers(0, len(lines))), lines[place])
            case _:
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(place))
    text = bytearray(b"".join(lines))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(text)))
        text[place : place + draw(st.integers(0, 3))] = draw(SPLINTERS)
    return bytes(text[: draw(st.integers(0, len(text)))] if draw(st.booleans()) else text)


def messages_of(text: bytes) -> list[Any]:
    return [json.loads(one) for one in text.split(b"\n") if one.strip()]


@settings(max_examples=150, deadline=None)
@given(mutated() | st.binary(max_size=200))
def test_whatever_comes_in_there_is_a_message_or_a_whole_list(text):
    """R32: what is planned comes from a stream of which the last word is that it is whole."""
    with tempfile.TemporaryDirectory() as folder:
        target = in_process(folder)
        try:
            target.receive(io.BytesIO(text))  # type: ignore[arg-type]  # bytes, as from standard input
        except click.ClickException as error:
            complaint = error
        else:
            complaint = None
        if complaint is not None:
            assert complaint.exit_code == 1
            assert re.search(r"nothing was written: line \d+", complaint.message)
            return
        for task in sync_tasks(target.settings.items, target._intakes):
            if task.problem is not None:
                continue
            intake = target._intakes[task.item]
            name = intake.settings.source.stream
            words = [
                one for one in messages_of(text) if one.get("stream") == name and one["type"] != "SCHEMA"
            ]
            assert words[-1]["type"] == "ACTIVATE_VERSION"
            codes = {one["record"].get("code") for one in words if one["type"] == "RECORD"}
            assert {one.reference or None for one in intake.source.records} <= codes | {None}

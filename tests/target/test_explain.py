"""Why a reference is what it is: in the words of the plan, from the source to what the last runs did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sandbox.testing import Sandbox

from .conftest import schema, stream
from .test_restore import Commands

FILTERED = {"categories": {"enabled": True, "filters": {"description": {"contains": "x"}}}}

RECORDS: tuple[dict[str, Any], ...] = (
    {"code": "new", "description": "New x"},
    {"code": "same", "description": "Same x"},
    {"code": "renamed", "description": "Renamed x"},
    {"code": "out", "description": "Out"},
    {"code": "twin", "description": "One x"},
    {"code": "twin", "description": "Other x"},
    {"code": "0100", "description": "Lookalike x"},
    {"code": "off", "description": "Off x", "is_active": False},
    {"code": "adopt", "description": "Adoptable x"},
    {"code": "blank", "description": ["x"]},
)
LIVE: tuple[dict[str, Any], ...] = (
    {"reference": "same", "name": "Same x"},
    {"reference": "renamed", "name": "Before"},
    {"reference": "100", "name": "Hundred"},
    {"reference": "gone", "name": "Gone"},
    {"reference": None, "name": "Adoptable x"},
)


@pytest.fixture
def expensein(box: Sandbox, tmp_path: Path) -> Commands:
    """The command with a filter on categories, records on both sides, and a saved tap output."""
    for fields in LIVE:
        box.add_live("categories", **fields)
    messages = stream("accounts", *RECORDS)
    (tmp_path / "tap.singer").write_text("".join(json.dumps(message) + "\n" for message in messages))
    return Commands(box, tmp_path, items=FILTERED)


def explained(expensein: Commands, reference: str, *more: str) -> dict[str, Any]:
    """What is said of a reference in categories."""
    (facts,) = json.loads(expensein("explain", reference, "--json", *more).stdout)["items"]
    return dict(facts)


def reasons(facts: dict[str, Any]) -> list[str]:
    return [row["reason"] for row in facts["decision"]["rows"]]


def given(expensein: Commands) -> tuple[str, str]:
    return "--input", str(expensein.folder / "tap.singer")


def test_every_decision_is_that_of_the_plan(expensein: Commands):
    document = json.loads(expensein("plan", given(expensein)[1], "--json", exit_code=3).stdout)
    rows = document["items"][0]["rows"]
    assert {row["reason"] for row in rows} >= {"new", "differs", "duplicate_at_source", "lookalike", "orphan"}
    for reference in {row["reference"] for row in rows}:
        decided = explained(expensein, reference, *given(expensein))["decision"]["rows"]
        planned = [row for row in rows if row["reference"] == reference]
        assert [{key: row[key] for key in planned[0]} for row in decided] == planned


def test_what_has_no_row_in_the_plan_is_explained_all_the_same(expensein: Commands):
    assert reasons(explained(expensein, "same", *given(expensein))) == ["equal"]
    (row,) = explained(expensein, "out", *given(expensein))["decision"]["rows"]
    assert (row["reason"], row["detail"]) == ("filtered", "not: description contains 'x'")
    assert reasons(explained(expensein, "nowhere", *given(expensein))) == []
    assert "Nothing is known" in expensein("explain", "nowhere", *given(expensein)).stdout


def test_the_filter_is_shown_condition_by_condition_and_the_mapping_field_by_field(expensein: Commands):
    filters = {"description": {"contains": "x"}, "code": {"is_one_of": ["out", "new"]}}
    expensein.config["items"] = {"categories": {"enabled": True, "filters": filters}}
    (record,) = explained(expensein, "out", *given(expensein))["source"]["records"]
    assert record["record"]["description"] == "Out"
    assert record["passes"] is False
    assert [(one["condition"], one["value"], one["passes"]) for one in record["conditions"]] == [
        ("description contains 'x'", "Out", False),
        ("code is one of 'out', 'new'", "out", True),
    ]
    mapping = explained(expensein, "new", *given(expensein))["source"]["mapping"]
    assert [(one["field"], one["from"], one["value"]) for one in mapping] == [
        ("reference", "code", "new"),
        ("name", "description", "New x"),
        ("applies_to", None, ["purchase"]),
    ]


def test_the_records_that_could_be_meant_are_shown(expensein: Commands):
    live = explained(expensein, "0100", *given(expensein))["expensein"]
    assert [one["reference"] for one in live["lookalikes"]] == ["100"]
    live = explained(expensein, "adopt", *given(expensein))["expensein"]
    assert [one["name"] for one in live["same_name"]] == ["Adoptable x"]
    live = explained(expensein, "same", *given(expensein))["expensein"]
    assert [one["name"] for one in live["exact"]] == ["Same x"]
    assert explained(expensein, "100", *given(expensein))["source"]["lookalikes"] == ["0100"]


def test_the_words_say_why_whose_edit_is_lost_what_the_gate_holds_and_what_was_done(expensein: Commands):
    expensein("apply", given(expensein)[1], exit_code=3)
    (edited,) = (one for one in expensein.box.live("categories") if one["reference"] == "renamed")
    expensein.box.edit_live("categories", edited["id"], name="Mine \x1b[31m")
    expensein.config["limits"] = {"updates_count": 0, "floor": 0}
    text = expensein("explain", "renamed", *given(expensein)).stdout
    assert 'name "Mine \\u001b[31m" → "Renamed x" (edited in ExpenseIn)' in text
    assert "[differs, R2 R12 R15 R20]" in text
    assert "Gate: holds the whole item: more records would be changed" in text
    assert 'Last applied: name "Renamed x"' in text
    assert 'update [differs] name "Before" → "Renamed x" - done' in text


def test_without_a_tap_output_the_last_plan_speaks(expensein: Commands):
    expensein("plan", given(expensein)[1], exit_code=3)
    facts = explained(expensein, "renamed")
    assert facts["source"] is None
    assert reasons(facts) == ["differs"]
    assert facts["decision"]["run_id"].startswith("20")
    assert facts["expensein"]["exact"][0]["name"] == "Before"


def test_without_a_key_only_the_past_is_told(expensein: Commands):
    expensein("apply", given(expensein)[1], exit_code=3)
    key = expensein.config.pop("api_key")
    expensein.box.clear_requests()
    text = expensein("explain", "renamed").stdout
    assert "api_key is not set" in text
    assert 'update [differs] name "Before" → "Renamed x" - done' in text
    assert expensein.box.requests("expensein") == []
    assert key not in text


def test_what_cannot_be_read_is_said_and_fails(expensein: Commands, tmp_path: Path):
    cut = tmp_path / "cut.singer"
    cut.write_text("".join(json.dumps(message) + "\n" for message in stream("accounts", *RECORDS)[:-1]))
    assert "did not arrive whole" in expensein("explain", "new", "--input", str(cut), exit_code=1).output
    for number, line in enumerate(("{", json.dumps({"type": "RECORD"}), json.dumps({"type": "SCHEMA"}))):
        bad = tmp_path / f"bad{number}.singer"
        bad.write_text(line + "\n")
        assert "stream: line 1" in expensein("explain", "new", "--input", str(bad), exit_code=1).output
    early = tmp_path / "early.singer"
    early.write_text(json.dumps(stream("accounts", RECORDS[0])[1]) + "\n" + json.dumps(schema("accounts")))
    assert (
        "before the stream's SCHEMA" in expensein("explain", "new", "--input", str(early), exit_code=1).output
    )
    expensein.box.configure(expensein={"allowed": False})
    assert "ExpenseIn now:" in expensein("explain", "new", *given(expensein), exit_code=1).output


def test_an_item_that_is_switched_off_is_not_looked_into(expensein: Commands):
    result = expensein("explain", "new", "--item", "projects", exit_code=2)
    assert "projects is switched off" in result.output

"""Taking a run back: what is put back, what is left, and that it goes the way of any other run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from sandbox.testing import Sandbox
from target_expensein.apply import Status
from target_expensein.commands import main
from target_expensein.items import ITEMS, Item
from target_expensein.ledger import Entry
from target_expensein.live import LiveIndex
from target_expensein.model import Field, Kind, LiveRecord, SourceRecord
from target_expensein.plan import Decisions, ItemPlan
from target_expensein.restore import plan_restore, written
from target_expensein.source import SourceList

from .conftest import stream
from .test_plan_properties import carried_out, plan_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def entries_of(plan: ItemPlan, status: Status | None = Status.DONE) -> list[Entry]:
    """What the ledger has of a plan that was carried out by ``carried_out``."""
    return [
        Entry(
            run_id="run",
            run=1,
            position=number,
            row=replace(row, source=None),
            status=status,
            reason=row.reason,
            detail="",
            answer=f"new-{number}" if row.kind is Kind.CREATE else row.record_id,
            noted_at=NOW,
            settled_at=NOW,
        )
        for number, row in enumerate(plan.writes)
    ]


def by_id(records: Sequence[LiveRecord]) -> dict[Any, LiveRecord]:
    return {record.id: record for record in records}


# Few values, and live records that the run has something to do with: what matters is that things meet.
REFERENCES = ("1", "2", "3")
NAMES = ("A", "B", "C")


@st.composite
def runs(draw: st.DrawFn) -> tuple[Item, list[LiveRecord], ItemPlan]:
    """An item, its live records, and what a run does to them."""
    item = ITEMS[draw(st.sampled_from(["categories", "suppliers"]))]
    source = SourceList(references=set(REFERENCES))
    live = []
    for reference in REFERENCES:
        name = draw(st.sampled_from(NAMES))
        source.records.append(SourceRecord(reference, name))
        match draw(st.sampled_from(["missing", "there", "there", "without reference"])):
            case "there":
                other = draw(st.sampled_from(NAMES))
                live.append(LiveRecord(f"id {reference}", reference, other, is_active=draw(st.booleans())))
            case "without reference":
                live.append(LiveRecord(f"id {reference}", None, name, is_active=draw(st.booleans())))
    return item, live, plan_of(item, Decisions(adopt_by_name=True), source, live)


def edited(draw: Any, records: Sequence[LiveRecord]) -> Iterator[LiveRecord]:
    """The records after people have been at some of them."""
    edits = {
        "name": st.sampled_from(NAMES),
        "reference": st.sampled_from([None, *REFERENCES]),
        "is_active": st.booleans(),
    }
    for record in records:
        match draw(st.sampled_from(["leave", *edits, "remove"])):
            case "leave":
                yield record
            case "remove":
                pass
            case field:
                yield structs.replace(record, **{field: draw(edits[field])})


def run_on(*live: LiveRecord) -> ItemPlan:
    """A run that brings one category, with some live records."""
    source = SourceList(records=[SourceRecord("1", "A")], references={"1"})
    return plan_of(ITEMS["categories"], Decisions(adopt_by_name=True), source, list(live))


class TestPlan:
    """The plan of a restore, for any run and whatever happened since."""

    @given(runs(), st.data())
    def test_what_is_untouched_gets_its_values_from_before_and_nothing_else_changes(self, a_run, data):
        """R7, R9."""
        item, live, run = a_run
        after = carried_out(run, live)
        now = list(edited(data.draw, after))
        entries = entries_of(run)
        restore = plan_restore(item.name, entries, LiveIndex(now), {})

        updated = {row.record_id for row in run.writes if row.kind is Kind.UPDATE}
        expected = {}
        for one in now:
            wrote = by_id(after)[one.id]
            untouched = (one.name, one.reference) == (wrote.name, wrote.reference)
            if one.id in updated and untouched:
                before = by_id(live)[one.id]
                one = structs.replace(one, name=before.name, reference=before.reference)  # noqa: PLW2901
            expected[one.id] = one
        restored = carried_out(restore, now)
        assert by_id(restored) == expected
        assert plan_restore(item.name, entries, LiveIndex(restored), {}).writes == ()

    @given(runs(), st.data())
    def test_nothing_is_ever_made_inactive_created_or_written_beside_name_and_reference(self, a_run, data):
        """R7, R9."""
        item, live, run = a_run
        now = list(edited(data.draw, carried_out(run, live)))
        for row in plan_restore(item.name, entries_of(run), LiveIndex(now), {}).writes:
            assert row.kind is Kind.UPDATE
            assert row.values.keys() <= {Field.NAME, Field.REFERENCE}

    @given(runs(), st.data())
    def test_whatever_is_not_as_before_the_run_is_held_or_noticed(self, a_run, data):
        item, live, run = a_run
        now = list(edited(data.draw, carried_out(run, live)))
        restore = plan_restore(item.name, entries_of(run), LiveIndex(now), {})
        before, restored = by_id(live), by_id(carried_out(restore, now))
        told = {(row.reason, row.record_id) for row in restore.rows}
        for row in run.writes:
            one = restored.get(row.record_id)
            if row.kind is Kind.UPDATE:
                wrote = {field for field in row.values if field in {Field.NAME, Field.REFERENCE}}
                back = one is not None and all(
                    getattr(one, field) == getattr(before[row.record_id], field) for field in wrote
                )
                if not back:
                    assert ("restore_changed_since", row.record_id) in told
                elif Field.IS_ACTIVE in row.values and one is not None and one.is_active:
                    assert told & {("restore_stays_active", one.id), ("restore_changed_since", one.id)}
        for number, row in enumerate(run.writes):
            one = restored.get(f"new-{number}")
            if row.kind is Kind.CREATE and one and one.reference == row.reference and one.is_active:
                assert ("restore_created", one.id) in told

    @given(runs())
    def test_a_restore_can_be_restored(self, a_run):
        item, live, run = a_run
        after = carried_out(run, live)
        restore = plan_restore(item.name, entries_of(run), LiveIndex(after), {})
        restored = carried_out(restore, after)
        again = plan_restore(item.name, entries_of(restore), LiveIndex(restored), {})
        assert by_id(carried_out(again, restored)) == by_id(after)

    @pytest.mark.parametrize(
        ("now", "reasons"),
        [
            (LiveRecord("a", "1", "A"), ["restored"]),
            (LiveRecord("a", "1", "Another"), ["restore_changed_since"]),
            (LiveRecord("a", "2", "A"), ["restore_changed_since"]),
            (LiveRecord("a", None, "A"), []),
            (LiveRecord("b", "1", "A"), ["restore_changed_since"]),
        ],
    )
    def test_a_reference_is_taken_away_only_from_a_record_that_is_as_the_run_left_it(self, now, reasons):
        """R29."""
        run = run_on(LiveRecord("a", None, "A"))
        assert [row.reason for row in run.writes] == ["adopted"]
        restore = plan_restore("categories", entries_of(run), LiveIndex([now]), {})
        assert [row.reason for row in restore.rows] == reasons

    def test_a_reference_that_another_record_has_got_meanwhile_is_not_given_back(self):
        """R27."""
        adopted = LiveRecord("a", "1", "A")
        restore = plan_restore(
            "categories", entries_of(run_on(LiveRecord("a", None, "A"))), LiveIndex([adopted]), {}
        )
        now = [LiveRecord("a", None, "A"), LiveRecord("b", "1", "A")]
        again = plan_restore("categories", entries_of(restore), LiveIndex(now), {})
        assert [row.reason for row in again.rows] == ["restore_changed_since"]

    @pytest.mark.parametrize(
        ("now", "reasons"),
        [
            (LiveRecord("new-0", "1", "A"), ["restore_created"]),
            (LiveRecord("new-0", "1", "Renamed"), ["restore_created"]),
            (LiveRecord("new-0", "1", "A", is_active=False), []),
            (LiveRecord("of an admin", "1", "A"), []),
        ],
    )
    def test_what_the_run_created_is_listed_until_somebody_has_retired_it(self, now, reasons):
        """R7."""
        restore = plan_restore("categories", entries_of(run_on()), LiveIndex([now]), {})
        assert [row.reason for row in restore.rows] == reasons
        assert restore.writes == ()

    @pytest.mark.parametrize(
        ("status", "counts"),
        [
            (Status.DONE, True),
            (None, True),
            (Status.UNKNOWN, True),
            (Status.UNSETTLED, True),
            (Status.FAILED, False),
            (Status.HELD, False),
            (Status.REJECTED, False),
        ],
    )
    def test_only_what_was_written_or_may_have_been_counts(self, status, counts):
        (entry,) = entries_of(run_on(LiveRecord("a", "1", "Old")), status)
        assert written([entry]) == ((entry,) if counts else ())
        assert written([replace(entry, row=replace(entry.row, kind=Kind.HELD))]) == ()


class Commands:
    """The command ``expensein`` in this process, configured for a sandbox."""

    def __init__(self, box: Sandbox, folder: Path, **config: Any) -> None:
        """Point the configuration to the sandbox and the folder."""
        self.box = box
        self.folder = folder
        self.config = {
            "api_url": box.expensein_url,
            "api_key": box.api_key,
            "output_dir": str(folder / "output"),
            "ledger": str(folder / "ledger.db"),
            "settle_seconds": 0,
        } | config

    def __call__(self, *arguments: str, exit_code: int = 0) -> Result:
        path = self.folder / "config.json"
        path.write_text(json.dumps(self.config))
        result = CliRunner().invoke(main, [*arguments, "--config", str(path)], catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        assert self.box.api_key not in result.output
        return result

    def sync(self, *messages: Any) -> None:
        path = self.folder / "tap.singer"
        path.write_text("".join(json.dumps(message) + "\n" for message in messages))
        self("apply", str(path))

    def names(self, collection: str = "categories") -> dict[str, str]:
        return {one["reference"]: one["name"] for one in self.box.live(collection)}


ENABLED = {"categories": {"enabled": True}, "suppliers": {"enabled": True}}


class TestCommand:
    """The restore through the command, from ledger to ExpenseIn."""

    def test_a_restored_run_leaves_the_values_from_before_and_lists_what_it_leaves(
        self, box: Sandbox, tmp_path: Path
    ):
        expensein = Commands(box, tmp_path, items=ENABLED)
        for code in "12":
            box.add_live("categories", reference=code, name=f"Old {code}", description="An admin's own")
        box.add_live("suppliers", reference="S", name="Sleeper", isActive=False)
        before = box.live("categories")
        accounts = [{"code": code, "description": f"New {code}"} for code in "123"]
        expensein.sync(*stream("accounts", *accounts), *stream("suppliers", {"code": "S", "name": "Sleeper"}))
        box.edit_live("categories", before[1]["id"], name="Mine")
        now = box.live("suppliers")
        box.clear_requests()

        planned = expensein("restore", "latest", "--plan", exit_code=3)
        assert expensein.names() == {"1": "New 1", "2": "Mine", "3": "New 3"}
        done = expensein("restore", "latest", exit_code=3)

        assert expensein.names() == {"1": "Old 1", "2": "Mine", "3": "New 3"}
        assert box.live("categories")[0] == before[0]
        assert box.live("suppliers") == now
        assert {request["method"] for request in box.requests("expensein")} == {"GET", "PUT"}
        for page in (planned.output, done.output):
            assert "the run wrote name 'New 2' over 'Old 2', now it is 'Mine'" in page
            assert "created by the run" in page
            assert "made active by the run" in page
        # The restore is no sync, so "latest" still is the run before it: there is nothing left to put back.
        again = expensein("restore", "latest", "--json", exit_code=3)
        assert json.loads(again.stdout)["items"]["categories"]["counts"]["updated"] == 0

    def test_a_restore_over_the_limits_is_held_and_can_be_approved(self, box: Sandbox, tmp_path: Path):
        expensein = Commands(
            box, tmp_path, items=ENABLED, limits={"updates_count": -1, "updates_percent": -1}
        )
        codes = "1234567"
        for code in codes:
            box.add_live("categories", reference=code, name=f"Old {code}")
        accounts = [{"code": code, "description": f"New {code}"} for code in codes]
        expensein.sync(*stream("accounts", *accounts), *stream("suppliers"))
        expensein.config["limits"] = {}

        held = expensein("restore", "latest", exit_code=3)
        assert set(expensein.names().values()) == {f"New {code}" for code in codes}
        (line,) = [line for line in held.output.splitlines() if "expensein restore" in line]
        command = shlex.split(line.partition("expensein ")[2])
        assert command.pop() == str(tmp_path / "config.json")
        assert command.pop() == "--config"
        expensein(*command)
        assert set(expensein.names().values()) == {f"Old {code}" for code in codes}

    def test_what_cannot_be_restored_is_refused_with_a_reason(self, box: Sandbox, tmp_path: Path):
        expensein = Commands(box, tmp_path, items=ENABLED)
        assert "no ledger" in expensein("restore", "latest", exit_code=1).output
        box.add_live("categories", reference="1", name="Old")
        expensein.sync(*stream("accounts", {"code": "1", "description": "New"}), *stream("suppliers"))
        assert "no run '7'" in expensein("restore", "7", exit_code=1).output
        assert "--plan" in expensein("restore", "latest", "--plan", "--approve", "x", exit_code=2).output
        expensein.config["items"] = {"suppliers": {"enabled": True}}
        assert "items.categories.enabled" in expensein("restore", "latest", exit_code=1).output
        assert expensein.names() == {"1": "New"}

    def test_an_adopted_reference_is_taken_away_again(self, box: Sandbox, tmp_path: Path):
        """R29."""
        items = {"categories": {"enabled": True, "adopt_by_name": True}}
        expensein = Commands(box, tmp_path, items=items)
        box.add_live("categories", reference=None, name="Travel", description="An admin's own")
        before = box.live("categories")
        expensein.sync(*stream("accounts", {"code": "1", "description": "Travel"}))
        assert expensein.names() == {"1": "Travel"}
        run_id = json.loads(expensein("history", "--json").stdout)["runs"][0]["run_id"]
        expensein("restore", run_id)
        assert box.live("categories") == before
        restored = json.loads(expensein("history", "--json").stdout)["runs"][0]["run_id"]
        expensein("restore", restored)
        assert expensein.names() == {"1": "Travel"}
        planned = expensein("restore", run_id, "--plan", "--json")
        nothing = expensein("restore", json.loads(planned.stdout)["run_id"])
        assert "wrote nothing" in nothing.output

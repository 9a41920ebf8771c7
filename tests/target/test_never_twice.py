"""A creation that may have happened is not sent again before it is certain that it did not."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from sandbox.requestlog import Entry, Moment
from target_expensein.apply import Status
from target_expensein.ledger import Ledger

from .conftest import TargetCommand, state, stream

CATEGORIES = {"categories": {"enabled": True}}
TRAVEL = {"code": "5000", "description": "Travel"}


def profile(shows_within: float) -> dict[str, Any]:
    return {"create": {"shows_within": shows_within}}


def fault(kind: str, method: str = "POST", **more: Any) -> dict[str, Any]:
    rule = {name: more.pop(name) for name in ("skip", "times") if name in more}
    return {"side": "expensein", "match": {"method": method}, "fault": {"type": kind} | more, **rule}


def posts(target: TargetCommand) -> int:
    return target.box.counters()["expensein"].get("POST categories", 0)


def references(target: TargetCommand) -> list[str]:
    return sorted(one["reference"] for one in target.box.live("categories"))


def killed_at(target: TargetCommand, moment: Moment, records: list[dict[str, str]], **config: Any) -> None:
    """Run the command and kill it at its first POST."""
    process = target.start(items=CATEGORIES, **config)

    def strike(when: Moment, entry: Entry) -> None:
        if when is moment and entry.method == "POST":
            process.kill()
            process.wait()

    target.box.observe(strike)
    target.finish(_fed(process, records))
    target.box.observe(None)
    assert process.returncode == -9


def _fed(process: Any, records: list[dict[str, str]]) -> Any:
    process.stdin.writelines(json.dumps(message) + "\n" for message in stream("accounts", *records))
    process.stdin.close()
    process.stdin = None
    return process


def test_a_creation_is_in_the_ledger_before_it_arrives(target: TargetCommand):
    """However many are under way: else a kill would leave one that nobody knows of."""
    known: list[tuple[str, str]] = []

    def look(when: Moment, entry: Entry) -> None:
        if when is Moment.ARRIVED and entry.method == "POST":
            reference = json.loads(entry.raw_body)["reference"]
            with closing(sqlite3.connect(f"file:{target.folder}/ledger.db?mode=ro", uri=True)) as ledger:
                found = ledger.execute(
                    "SELECT status FROM expensein_entries WHERE reference = ?", [json.dumps(reference)]
                )
                known.append((reference, *found.fetchone()))

    target.box.observe(look)
    codes = [f"{number}" for number in range(5000, 5200)]
    target.run(
        stream("accounts", *({"code": code, "description": code} for code in codes)),
        items=CATEGORIES,
        concurrency=16,
        limits={"creates_count": -1, "creates_percent": -1},
    )
    target.box.observe(None)
    assert sorted(known) == [(code, "sent") for code in codes]


class TestALateList:
    """ExpenseIn lists a new record only seconds later, longer than the run looks for it."""

    @pytest.mark.parametrize("kind", ["drop_after", "status_after", "malformed"])
    def test_a_lost_answer_makes_no_twin_in_this_run_nor_in_the_next(self, target: TargetCommand, kind):
        target.box.configure(expensein={"list_delay": 3600})
        target.box.faults([fault(kind, **({"status": 500} if kind == "status_after" else {}))])
        first = target.run([*stream("accounts", TRAVEL), state({"n": 1})], items=CATEGORIES)
        assert (first.exit_code, first.states) == (3, [])
        second = target.run([*stream("accounts", TRAVEL), state({"n": 1})], items=CATEGORIES)
        assert (second.exit_code, second.states) == (3, [])
        assert second.counts("categories") == {"unsettled": 1}
        assert "sent this creation, and ExpenseIn does not list it" in second.log
        assert references(target) == ["5000"]
        target.box.configure(expensein={"list_delay": 0})
        third = target.run([*stream("accounts", TRAVEL), state({"n": 1})], items=CATEGORIES)
        assert (third.exit_code, third.states) == (0, [{"n": 1}])
        assert posts(target) == 1
        with Ledger.open(str(target.folder / "ledger.db"), "default") as ledger:
            assert ledger.unsettled() == ()
            assert ledger.verify() == []

    def test_what_was_confirmed_and_is_not_listed_is_not_created_again(self, target: TargetCommand):
        target.box.configure(expensein={"list_delay": 3600})
        for _ in range(2):
            result = target.run(stream("accounts", TRAVEL), items=CATEGORIES)
            assert result.counts("categories") == {"unsettled": 1}
        assert posts(target) == 1

    def test_what_an_admin_took_the_reference_of_meanwhile_is_known_by_its_id(self, target: TargetCommand):
        """The ledger calls it done; that the source's record is then created anew is R8."""
        target.box.configure(expensein={"list_delay": 3600})
        assert target.run(stream("accounts", TRAVEL), items=CATEGORIES).exit_code == 3
        (created,) = target.box.live("categories")
        target.box.edit_live("categories", created["id"], reference=None)
        target.box.configure(expensein={"list_delay": 0})
        second = target.run(stream("accounts", TRAVEL), items=CATEGORIES)
        assert second.counts("categories") == {"created": 1, "notices": 1}
        with Ledger.open(str(target.folder / "ledger.db"), "default") as ledger:
            (first, *_) = (ledger.entries(run.run_id)[0] for run in reversed(ledger.history(9)))
            assert ledger.unsettled() == ()
        assert (first.status, first.answer) == (Status.DONE, created["id"])

    def test_what_shows_on_reading_back_settles_the_run_that_sent_it(self, target: TargetCommand):
        target.box.configure(expensein={"list_delay": 3600})
        target.box.faults([fault("drop_after")])
        assert target.run(stream("accounts", TRAVEL), items=CATEGORIES).exit_code == 3
        target.box.clear_requests()

        def show(moment: Moment, _: Entry) -> None:
            if moment is Moment.ARRIVED and target.box.counters()["expensein"]["GET categories"] == 2:
                target.box.configure(expensein={"list_delay": 0})

        target.box.observe(show)
        assert target.run(stream("accounts", TRAVEL), items=CATEGORIES).exit_code == 0
        target.box.observe(None)
        with Ledger.open(str(target.folder / "ledger.db"), "default") as ledger:
            assert ledger.unsettled() == ()
            assert ledger.verify() == []

    @pytest.mark.parametrize("moment", list(Moment))
    def test_a_kill_makes_no_twin(self, target: TargetCommand, moment):
        target.box.configure(expensein={"list_delay": 3600})
        killed_at(target, moment, [TRAVEL])
        result = target.run(stream("accounts", TRAVEL), items=CATEGORIES)
        assert result.counts("categories") == {"unsettled": 1}
        target.box.configure(expensein={"list_delay": 0})
        assert target.run(stream("accounts", TRAVEL), items=CATEGORIES).exit_code == 0
        assert references(target) == ["5000"]

    def test_what_was_never_sent_is_created_by_the_next_run(self, target: TargetCommand):
        target.box.configure(expensein={"list_delay": 3600})
        records = [{"code": f"{n}", "description": "x"} for n in range(6)]
        killed_at(target, Moment.ARRIVED, records, concurrency=1)
        result = target.run(stream("accounts", *records), items=CATEGORIES)
        assert posts(target) == 6
        assert len(references(target)) == 6
        assert result.exit_code == 3  # the list does not show them yet


class TestAServerStillAtWork:
    """No answer in time, and the work is done later."""

    def test_a_creation_that_timed_out_is_not_repeated_although_later_ones_are_listed(
        self, target: TargetCommand
    ):
        target.box.faults([fault("latency", seconds=3)])
        records = [{"code": f"{n}", "description": "x"} for n in range(8)]
        result = target.run(stream("accounts", *records), items=CATEGORIES, request_timeout=1)
        assert result.counts("categories") == {"created": 7, "unsettled": 1}
        again = target.run(stream("accounts", *records), items=CATEGORIES)
        assert posts(target) == 8
        _wait(lambda: len(references(target)) == 8)
        assert again.exit_code in {0, 3}
        assert target.run(stream("accounts", *records), items=CATEGORIES).exit_code == 0
        assert references(target) == sorted(one["code"] for one in records)

    def test_after_a_gateways_time_out_it_is_not_repeated_either(self, target: TargetCommand):
        target.box.faults([fault("status_after", status=504)])
        target.box.configure(expensein={"list_delay": 0})
        records = [{"code": f"{n}", "description": "x"} for n in range(8)]
        assert target.run(stream("accounts", *records), items=CATEGORIES).exit_code == 0
        target.box.faults([fault("status", status=504)])
        records.append({"code": "8", "description": "x"})
        result = target.run(stream("accounts", *records), items=CATEGORIES)
        assert result.counts("categories") == {"unchanged": 8, "unsettled": 1}


class TestCertainty:
    """What did not happen is sent again, as soon as that is certain."""

    def test_when_the_time_is_over_a_later_run_creates_it(self, target: TargetCommand):
        target.box.faults([fault("drop_before")])
        first = target.run(stream("accounts", TRAVEL), items=CATEGORIES, api_profile=profile(2))
        assert first.counts("categories") == {"unsettled": 1}
        time.sleep(2)
        second = target.run(stream("accounts", TRAVEL), items=CATEGORIES, api_profile=profile(2))
        assert second.counts("categories") == {"created": 1}
        with Ledger.open(str(target.folder / "ledger.db"), "default") as ledger:
            old, new = (ledger.entries(run.run_id)[0] for run in reversed(ledger.history(9)))
        assert (old.status, new.status) == (Status.FAILED, Status.DONE)

    def test_with_a_server_that_lists_at_once_the_run_itself_creates_it_again(self, target: TargetCommand):
        target.box.faults([fault("drop_before")])
        result = target.run(stream("accounts", TRAVEL), items=CATEGORIES, api_profile=profile(0))
        assert result.counts("categories") == {"created": 1}
        assert posts(target) == 2

    def test_a_record_that_was_created_later_and_is_listed_makes_it_certain(self, target: TargetCommand):
        target.box.faults([fault("status", status=500)])
        records = [{"code": f"{n}", "description": "x"} for n in range(4)]
        result = target.run(stream("accounts", *records), items=CATEGORIES, concurrency=1)
        assert result.counts("categories") == {"created": 4}
        assert posts(target) == 5

    def test_a_record_that_was_created_before_does_not(self, target: TargetCommand):
        target.box.faults([fault("status", status=500, skip=3)])
        records = [{"code": f"{n}", "description": "x"} for n in range(4)]
        result = target.run(stream("accounts", *records), items=CATEGORIES, concurrency=1)
        assert result.counts("categories") == {"created": 3, "unsettled": 1}
        assert posts(target) == 4


class TestTwoWriters:
    """An admin is at work at the same time."""

    @pytest.mark.parametrize("field", ["description", "name"])
    def test_with_etag_an_edit_between_our_reading_and_our_writing_is_not_lost(
        self, target: TargetCommand, field
    ):
        target.box.configure(expensein={"etag": True})
        live = target.box.add_live("categories", name="Old", reference="5000")

        def edit(moment: Moment, entry: Entry) -> None:
            if (
                moment is Moment.ARRIVED
                and entry.method == "PUT"
                and target.box.live("categories")[0] == live
            ):
                target.box.edit_live("categories", live["id"], **{field: "by the admin"})

        target.box.observe(edit)
        assert target.run(stream("accounts", TRAVEL), items=CATEGORIES).exit_code == 0
        target.box.observe(None)
        (after,) = target.box.live("categories")
        assert after == live | {"description": after["description"], "name": "Travel"}
        assert field == "name" or after["description"] == "by the admin"
        assert target.box.counters()["expensein"]["PUT categories"] == 2

    def test_after_a_pause_that_the_server_asked_for_the_record_is_read_again(self, target: TargetCommand):
        """Without ETag the window between reading and writing is one request long, not a pause."""
        for number in range(2):
            target.box.add_live("categories", name="Old", reference=f"{number}")
        first, second = target.box.live("categories")
        path = f"/1.0/categories/{second['id']}"
        target.box.faults(
            [
                # The second record is read slowly; meanwhile, but not before that has begun, the first worker is told to wait.
                {"side": "expensein", "match": {"method": "PUT"}, "fault": {"type": "latency", "seconds": 1}},
                {"side": "expensein", "match": {"method": "GET", "path": path}, "fault": {"type": "latency", "seconds": 2}},
                {"side": "expensein", "match": {"method": "PUT"}, "fault": {"type": "status", "status": 429, "retry_after": 4}},
            ]
        )  # fmt: skip
        edited: list[str] = []

        def edit(moment: Moment, entry: Entry) -> None:
            # As soon as the second record has been read, and the pause is on.
            if moment is Moment.DONE and entry.method == "GET" and entry.path == path and not edited:
                edited.append(target.box.edit_live("categories", second["id"], description="new")["id"])

        target.box.observe(edit)
        # The edit is made after the answer was put together and before it is sent.
        records = [{"code": f"{n}", "description": "New"} for n in range(2)]
        assert target.run(stream("accounts", *records), items=CATEGORIES, concurrency=2).exit_code == 0
        target.box.observe(None)
        after = {one["id"]: one for one in target.box.live("categories")}
        assert after[second["id"]] == second | {"name": "New", "description": "new"}
        assert after[first["id"]] == first | {"name": "New"}

    def test_a_twin_that_an_admin_makes_between_our_list_and_our_creation_is_reported(
        self, target: TargetCommand
    ):
        def make(moment: Moment, entry: Entry) -> None:
            if moment is Moment.ARRIVED and entry.method == "POST":
                target.box.add_live("categories", name="By the admin", reference="5000")

        target.box.observe(make)
        result = target.run([*stream("accounts", TRAVEL), state({"n": 1})], items=CATEGORIES)
        target.box.observe(None)
        assert (result.exit_code, result.states) == (3, [])
        assert "'5000' 'By the admin'" in result.log
        (line,) = result.rejects
        assert line["reference"] == "5000"
        again = target.run(stream("accounts", TRAVEL), items=CATEGORIES)
        assert again.counts("categories") == {"held": 1}
        assert len(references(target)) == 2


def _wait(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError

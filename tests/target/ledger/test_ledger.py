"""The ledger on both databases: what is noted comes back, crashes are readable, later edits show."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import create_engine, inspect, make_url
from target_expensein.apply import Status
from target_expensein.guard import Past
from target_expensein.ledger import Ledger, LedgerError, LedgerLocked, migrations
from target_expensein.ledger.chain import BATCH
from target_expensein.ledger.tables import METADATA
from target_expensein.model import Field, FieldChange, Kind, Origin, Row


def update(reference, before="old", after="new"):
    """A row that renames."""
    changes = (FieldChange(Field.NAME, before, after, Origin.SOURCE),)
    return Row("suppliers", Kind.UPDATE, "differs", reference, after, f"id-{reference}", changes)


def create(reference, fields=()):
    """A row that creates."""
    changes = [FieldChange(Field(name), None, value, Origin.NEW) for name, value in dict(fields).items()]
    return Row("tax_rates", Kind.CREATE, "new", reference, "new", changes=tuple(changes))


@contextmanager
def at_work(ledger, run_id):
    """A run of the ledger's account that has begun; not finished by the context."""
    with ledger.lock():
        yield ledger.begin("apply", {"target-expensein": "0.1.0"}, "sha256:config", run_id)


def whole_run(ledger, run_id, *rows):
    """A run that writes some rows and finishes."""
    with at_work(ledger, run_id) as log:
        log.intend(rows)
        for row in rows:
            log.settle(row, Status.DONE, row.reason, "", {"id": row.record_id})
        return log.finish("finished", 0, {"suppliers": {"updated": len(rows)}})


@contextmanager
def database(address):
    """The database, past the ledger."""
    url = make_url(address)
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def tamper(address, *statements):
    """Change the database past the ledger."""
    with database(address) as engine, engine.begin() as connection:
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount


# --- What is noted comes back ------------------------------------------------------------------------------------


def test_a_run_comes_back_as_it_was_noted(ledger, clock):
    began = clock()
    with at_work(ledger, "first") as log:
        assert ledger.run("first").outcome is None
        clock.pass_by(seconds=1.5)
        closed = log.finish("held", 3, {"suppliers": {"held": 2}})
    run = ledger.run("first")
    assert (run.number, run.run_id, run.mode) == (1, "first", "apply")
    assert (run.versions, run.config_digest) == ({"target-expensein": "0.1.0"}, "sha256:config")
    assert (run.host, run.pid) == (socket.gethostname(), os.getpid())
    assert (run.began_at, run.finished_at) == (began, clock())
    assert (run.outcome, run.exit_code, run.counts) == ("held", 3, {"suppliers": {"held": 2}})
    assert (run.hash, run.pruned) == (closed, False)


def test_a_change_comes_back_as_it_was_noted(ledger, clock):
    row = update("S1", before="it was 'this'", after="Größe \u202e 😀")
    with at_work(ledger, "first") as log:
        log.intend([row])
        noted = clock()
        clock.pass_by(seconds=1)
        log.settle(
            row, Status.REJECTED, "refused", "too long", {"code": "validation_failed", "errors": [1.5]}
        )
    (entry,) = ledger.entries("first")
    assert entry.row == row
    assert (entry.status, entry.reason, entry.detail) == (Status.REJECTED, "refused", "too long")
    assert entry.answer == {"code": "validation_failed", "errors": [Decimal("1.5")]}
    assert (entry.noted_at, entry.settled_at) == (noted, clock())


@pytest.mark.parametrize("number", [BATCH, 2 * BATCH + 1])
def test_more_changes_than_are_written_at_a_time_come_back_all_and_in_order(ledger, number):
    rows = [update(f"S{each}") for each in range(number)]
    with at_work(ledger, "first") as log:
        log.intend(rows)
        log.settle(rows[-1], Status.DONE, "differs", "", None)
    entries = list(ledger.entries("first"))
    assert [entry.row for entry in entries] == rows
    assert [entry.position for entry in entries if entry.status is Status.DONE] == [number]


@pytest.mark.parametrize("text", ["", " ", "nul \0", "half a pair \ud800", "'; DROP TABLE x --", "\\u0041"])
def test_any_text_comes_back_character_for_character(ledger, text):
    row = update(text, before=text, after=text)
    with at_work(ledger, "first") as log:
        log.intend([row])
        log.settle(row, Status.DONE, "differs", text, {"name": text})
        log.hold_item("suppliers", "too_many", text, [text])
        log.applied("suppliers", {text: {"name": text}}, 1)
        log.finish("finished", 0, {})
    (entry,) = ledger.trail("suppliers", text, 1)
    assert (entry.row, entry.detail, entry.answer) == (row, text, {"name": text})
    assert ledger.holds("first")[0].message == text
    assert ledger.applied("suppliers") == {text: {"name": text}}
    assert ledger.verify() == []


@pytest.mark.parametrize(
    "digits", ["0", "20", "20.0", "13.5", "0.1", "1E+2", "0.12345678901234567890123456789012345"]
)
def test_decimals_come_back_digit_for_digit(ledger, digits):
    rate = Decimal(digits)
    fields = {
        "reference": "T1",
        "name": None,
        "rate": rate,
        "is_active": True,
        "applies_to": ["purchase", "invoice"],
    }
    row = create("T1", fields)
    with at_work(ledger, "first") as log:
        log.intend([row])
        log.settle(row, Status.DONE, "new", "", {"rate": rate})
        log.applied("tax_rates", {"T1": row.values}, 1)
    (entry,) = ledger.entries("first")
    assert entry.row == row
    for value in (
        entry.row.values["rate"],
        Decimal(entry.answer["rate"]),
        ledger.applied("tax_rates")["T1"]["rate"],
    ):
        assert isinstance(value, Decimal)
        assert str(value) == digits


@pytest.mark.parametrize("record_id", [7, "7"])
def test_an_id_stays_a_number_or_a_text(ledger, record_id):
    row = Row("suppliers", Kind.UPDATE, "differs", "S1", record_id=record_id)
    with at_work(ledger, "first") as log:
        log.intend([row])
    assert ledger.entries("first")[0].row.record_id == record_id


def test_held_and_rejected_rows_and_held_items_are_kept(ledger):
    held = Row("suppliers", Kind.HELD, "lookalike", "0100", "Name", detail="in ExpenseIn: '100'")
    rejected = Row("suppliers", Kind.REJECTED, "blank_name", None)
    with at_work(ledger, "first") as log:
        log.hold([held])
        log.reject([rejected])
        log.hold_item("projects", "too_many_creates", "73 > 50", {"limit": 50, "share": Decimal("0.30")})
    assert [(entry.row, entry.status) for entry in ledger.entries("first")] == [
        (held, Status.HELD),
        (rejected, Status.REJECTED),
    ]
    (hold,) = ledger.holds("first")
    assert (hold.item, hold.reason, hold.message) == ("projects", "too_many_creates", "73 > 50")
    assert hold.facts == {"limit": 50, "share": Decimal("0.30")}
    assert ledger.unsettled() == ()


def test_history_is_newest_first_and_as_long_as_asked(ledger):
    for run_id in ("first", "second", "third"):
        whole_run(ledger, run_id)
    assert [run.run_id for run in ledger.history(2)] == ["third", "second"]


def test_the_trail_of_a_reference_is_newest_first_and_only_its_own(ledger):
    whole_run(ledger, "first", update("S1", after="one"), update("S2"))
    whole_run(ledger, "second", create("S1"))  # of another item
    whole_run(ledger, "third", update("S1", after="two"))
    trail = ledger.trail("suppliers", "S1", 10)
    assert [(entry.run_id, entry.row.name) for entry in trail] == [("third", "two"), ("first", "one")]
    assert ledger.trail("suppliers", "S1", 1) == trail[:1]


def test_an_unknown_run_is_named(ledger):
    with pytest.raises(LedgerError, match="no run 'nonsense' of account 'acme'"):
        ledger.run("nonsense")


# --- What was applied last, and approvals ------------------------------------------------------------------------


def test_an_item_that_was_never_applied_has_no_past(ledger):
    whole_run(ledger, "first", update("S1"))
    assert ledger.past("suppliers") == Past(applied_before=False, source_count=None)
    assert ledger.applied("suppliers") == {}


def test_applied_values_are_replaced_added_and_kept(ledger):
    with at_work(ledger, "first") as log:
        log.applied("suppliers", {"S1": {"name": "one"}, "S2": {"name": "two"}, "S3": {"name": "three"}}, 3)
        log.applied("projects", {"S1": {"name": "project"}}, 0)
    with at_work(ledger, "second") as log:
        log.applied("suppliers", {"S1": {"name": "one"}, "S2": {"name": "TWO"}, "S4": {"name": "four"}}, 5)
    names = {reference: fields["name"] for reference, fields in ledger.applied("suppliers").items()}
    assert names == {"S1": "one", "S2": "TWO", "S3": "three", "S4": "four"}
    assert ledger.past("suppliers") == Past(applied_before=True, source_count=5)
    assert ledger.past("projects") == Past(applied_before=True, source_count=0)


def test_an_approval_is_for_one_run(ledger):
    assert not ledger.approval_used("sha256:plan")
    with at_work(ledger, "first") as log:
        log.use_approval("sha256:plan")
        assert ledger.approval_used("sha256:plan")
        with pytest.raises(LedgerError, match="has been used already"):
            log.use_approval("sha256:plan")
        log.finish("finished", 0, {})
    assert ledger.run("first").approval == "sha256:plan"
    assert not ledger.approval_interrupted("sha256:plan")
    with at_work(ledger, "second") as log, pytest.raises(LedgerError, match="has been used already"):
        log.use_approval("sha256:plan")


def test_the_approval_of_a_run_that_was_cut_off_goes_to_the_one_that_takes_over(ledger):
    with at_work(ledger, "first") as log:
        log.use_approval("sha256:plan")
        assert not ledger.approval_interrupted("sha256:plan")
    with at_work(ledger, "second") as log:
        assert ledger.approval_used("sha256:plan")
        assert ledger.approval_interrupted("sha256:plan")
        assert not ledger.approval_interrupted("sha256:other")
        log.use_approval("sha256:plan")
        log.finish("finished", 0, {})
    with at_work(ledger, "third") as log:
        assert not ledger.approval_interrupted("sha256:plan")
        with pytest.raises(LedgerError, match="has been used already"):
            log.use_approval("sha256:plan")
    assert ledger.verify() == []


# --- Intended, then settled --------------------------------------------------------------------------------------


def test_a_write_that_was_intended_and_not_settled_is_unsettled(ledger):
    rows = [update("S1"), update("S2")]
    with at_work(ledger, "first") as log:
        log.intend(rows)
        assert [entry.row for entry in ledger.unsettled()] == rows
        log.settle(rows[0], Status.DONE, "differs", "", None)
        (entry,) = ledger.unsettled()
    assert (entry.row, entry.status, entry.settled_at) == (rows[1], None, None)


@pytest.mark.parametrize(
    ("status", "unsettled"),
    [
        (Status.DONE, False),
        (Status.HELD, False),
        (Status.REJECTED, False),
        (Status.FAILED, False),
        (Status.SENT, True),
        (Status.UNKNOWN, True),
        (Status.UNSETTLED, True),
    ],
)
def test_a_write_whose_outcome_is_open_is_unsettled(ledger, status, unsettled):
    row = update("S1")
    with at_work(ledger, "first") as log:
        log.intend([row])
        log.settle(row, status, "why", "", None)
        log.finish("finished", 0, {})
    assert bool(ledger.unsettled()) is unsettled


@pytest.mark.parametrize("status", [None, *Status])
def test_what_was_sent_lately_and_not_refused_is_told(ledger, clock, status):
    row = create("A")
    with at_work(ledger, "first") as log:
        log.intend([row, update("S1")])
        clock.pass_by(minutes=1)
        if status is not None:
            log.settle(row, status, "why", "", None)
    sent = status in {Status.SENT, Status.DONE, Status.UNKNOWN, Status.UNSETTLED}
    assert [entry.row for entry in ledger.sent("tax_rates", clock() - timedelta(seconds=1))] == [row] * sent
    assert ledger.sent("tax_rates", clock()) == ()
    assert ledger.sent("suppliers", clock() - timedelta(days=1)) == ()


def test_the_last_word_about_a_write_counts(ledger):
    row = create("T1")
    with at_work(ledger, "first") as log:
        log.intend([row])
        log.settle(row, Status.UNKNOWN, "outcome_unknown", "the answer was lost", None)
        log.intend([row])  # once more
        log.settle(row, Status.DONE, "new", "", {"id": 1})
    (entry,) = ledger.entries("first")
    assert (entry.status, entry.detail, entry.answer) == (Status.DONE, "", {"id": 1})


def test_a_write_that_was_not_intended_cannot_be_settled(ledger):
    with at_work(ledger, "first") as log, pytest.raises(LedgerError, match="not noted before it was sent"):
        log.settle(update("S1"), Status.DONE, "differs", "", None)


def test_settling_is_safe_for_threads(ledger):
    rows = [update(f"S{number}") for number in range(400)]
    with at_work(ledger, "first") as log:
        log.intend(rows)
        with ThreadPoolExecutor(8) as pool:
            settle = pool.map(
                lambda row: log.settle(row, Status.DONE, "differs", row.reference, row.reference), rows
            )
        assert list(settle) == [None] * 400
        log.finish("finished", 0, {})
    entries = ledger.entries("first")
    assert [entry.row for entry in entries] == rows
    assert all(entry.detail == entry.answer == entry.row.reference for entry in entries)
    assert ledger.verify() == []


def test_a_closed_run_is_not_written_to_again(ledger):
    row = update("S1")
    with at_work(ledger, "first") as log:
        log.intend([row])
        (entry,) = ledger.unsettled()
        log.finish("finished", 0, {})
        for write in (
            lambda: log.settle(row, Status.DONE, "differs", "", None),
            lambda: log.intend([update("S2")]),
            lambda: log.hold_item("suppliers", "why", "", None),
            lambda: log.settle_found(entry, Status.DONE, ""),
            lambda: log.use_approval("sha256:plan"),
            lambda: log.finish("finished", 0, {}),
        ):
            with pytest.raises(LedgerError, match="closed already"):
                write()
    assert ledger.verify() == []


# --- One at a time, crashes --------------------------------------------------------------------------------------


def test_a_run_needs_the_lock(ledger):
    with pytest.raises(LedgerError, match="needs the lock"):
        ledger.begin("apply", {}, "sha256:config", "first")


def test_a_second_run_is_refused_while_the_first_is_at_work(ledger, address, other_run):
    with other_run(address, "acme") as process:
        since = f"{ledger.run('other').began_at:%Y-%m-%dT%H:%M}"
        with pytest.raises(LedgerLocked) as refused, ledger.lock():
            pytest.fail("two runs at once")
    for part in (socket.gethostname(), str(process.pid), since, "acme"):
        assert part in str(refused.value)
    assert "s3cret" not in str(refused.value)
    with at_work(ledger, "after") as log:
        log.finish("finished", 0, {})


def test_a_second_run_in_the_same_process_is_refused(ledger, address):
    second = Ledger.open(address, "acme")
    with closing(second), ledger.lock(), pytest.raises(LedgerLocked), second.lock():
        pytest.fail("two runs at once")


def test_the_lock_is_given_back_when_a_run_fails(ledger, address):
    with pytest.raises(ZeroDivisionError), ledger.lock():
        _ = 1 / 0
    with Ledger.open(address, "acme") as second, second.lock():
        pass


def test_a_signal_while_connections_are_closed_ends_the_run_without_a_traceback(address, monkeypatch, caplog):
    """SQLAlchemy would log it with all its frames."""
    ledger = Ledger.open(address, "ACME")
    dialect = ledger._database.engine.dialect
    close = dialect.do_close

    def closed_and_told_to_stop(connection: object) -> None:
        close(connection)  # type: ignore[arg-type]  # a connection of the driver
        raise SystemExit(143)

    monkeypatch.setattr(dialect, "do_close", closed_and_told_to_stop)
    with pytest.raises(SystemExit):
        ledger.close()
    assert caplog.text == ""


def test_a_killed_run_leaves_a_readable_trace_and_the_next_run_settles_it(
    ledger, address, other_run, eventually
):
    with other_run(address, "acme", "killed") as process:
        process.kill()
    assert ledger.run("killed").outcome is None
    assert [entry.row.reference for entry in ledger.unsettled()] == ["S2", "S3"]

    def next_run():
        with at_work(ledger, "next") as log:
            assert ledger.run("killed").outcome == "interrupted"
            assert ledger.run("killed").finished_at is None
            second, third = ledger.unsettled()
            log.settle_found(second, Status.DONE, "ExpenseIn has it")
            log.settle_found(third, Status.FAILED, "ExpenseIn does not have it")
            log.finish("finished", 0, {})

    eventually(next_run, LedgerLocked)
    assert ledger.unsettled() == ()
    found = [(entry.status, entry.detail, entry.found_by) for entry in ledger.entries("killed")]
    assert found == [
        (Status.DONE, "", None),
        (Status.DONE, "ExpenseIn has it", "next"),
        (Status.FAILED, "ExpenseIn does not have it", "next"),
    ]
    assert ledger.trail("suppliers", "S2", 1)[0].found_by == "next"
    assert ledger.verify() == []


def test_runs_that_were_cut_off_one_after_the_other_are_all_closed(ledger):
    for run_id in ("first", "second"):
        with at_work(ledger, run_id) as log:
            log.intend([update("S1")])
    assert len(ledger.unsettled()) == 2
    whole_run(ledger, "third")
    assert [run.outcome for run in ledger.history(3)] == ["finished", "interrupted", "interrupted"]
    assert ledger.verify() == []


# --- Accounts ----------------------------------------------------------------------------------------------------


def test_accounts_in_one_database_do_not_block_each_other(ledger, address, other_run):
    with other_run(address, "globex"):
        whole_run(ledger, "first", update("S1"))
    assert [run.run_id for run in ledger.history(10)] == ["first"]


def test_accounts_in_one_database_do_not_mix(ledger, address):
    with Ledger.open(address, "globex") as other:
        for one, name in ((ledger, "acme"), (other, "globex")):
            with at_work(one, "same id") as log:
                log.intend([update("S1", after=name)])
                log.hold_item("projects", "why", name, None)
                log.applied("suppliers", {"S1": {"name": name}}, 1)
                log.use_approval("sha256:plan")
        for one, name in ((ledger, "acme"), (other, "globex")):
            assert [run.number for run in one.history(10)] == [1]
            assert [entry.row.name for entry in one.entries("same id")] == [name]
            assert [entry.row.name for entry in one.unsettled()] == [name]
            assert [entry.row.name for entry in one.trail("suppliers", "S1", 10)] == [name]
            assert [hold.message for hold in one.holds("same id")] == [name]
            assert one.applied("suppliers") == {"S1": {"name": name}}
        whole_run(other, "second")
        assert ledger.run("same id").outcome is None  # the other account's next run does not close it
        with at_work(other, "third") as log:
            log.prune(0)
    assert len(ledger.entries("same id")) == 1


# --- The chain ---------------------------------------------------------------------------------------------------


@pytest.fixture
def story(ledger):
    """A ledger with four runs, one of them interrupted, with something of every kind in them."""
    whole_run(ledger, "first", update("S1"), update("S2"))
    with at_work(ledger, "second") as log:
        log.intend([update("S1"), update("S3")])
    with at_work(ledger, "third") as log:
        log.use_approval("sha256:plan")
        log.settle_found(ledger.unsettled()[0], Status.DONE, "ExpenseIn has it")
        log.hold_item("projects", "too_many_creates", "73 > 50", None)
        log.finish("held", 3, {})
    whole_run(ledger, "fourth", update("S1"))
    assert ledger.verify() == []
    return ledger


SWAP = "SET {0} = CASE {0} WHEN 1 THEN 902 ELSE 901 END WHERE {0} IN (1, 2)"
SHIFT = "SET {0} = {0} - 900 WHERE {0} > 900"
SET_RUN = "UPDATE expensein_runs SET {} WHERE number = {}"
EDITS = {
    "a value before": [
        "UPDATE expensein_entries SET changes = replace(changes, 'old', 'odd') WHERE run = 1 AND position = 2"
    ],
    "an outcome": ["UPDATE expensein_entries SET status = 'failed' WHERE run = 4"],
    "an answer": ["UPDATE expensein_entries SET answer = NULL WHERE run = 4"],
    "the outcome of an interrupted run's write": [
        "UPDATE expensein_entries SET status = 'done' WHERE run = 2 AND position = 1"
    ],
    "a deleted change": ["DELETE FROM expensein_entries WHERE run = 1 AND position = 1"],
    "the last change deleted": ["DELETE FROM expensein_entries WHERE run = 4"],
    "an added change": ["UPDATE expensein_entries SET run = 3, position = 9 WHERE run = 4"],
    "two changes swapped": [
        "UPDATE expensein_entries SET position = 3 WHERE run = 1 AND position = 1",
        "UPDATE expensein_entries SET position = 1 WHERE run = 1 AND position = 2",
        "UPDATE expensein_entries SET position = 2 WHERE run = 1 AND position = 3",
    ],
    "a deleted hold": ["DELETE FROM expensein_holds"],
    "a changed hold": ["UPDATE expensein_holds SET message = '\"51 > 50\"'"],
    "a deleted finding": ["DELETE FROM expensein_findings"],
    "a changed finding": ["UPDATE expensein_findings SET status = 'failed'"],
    "a run's outcome": [SET_RUN.format("outcome = 'finished'", 3)],
    "a run's counts": [SET_RUN.format("counts = '{}'", 4)],
    "a run's time": [
        SET_RUN.format("began_at = finished_at", 1) + " AND 1 = 1",
        SET_RUN.format("pid = 1", 1),
    ],
    "an approval given back": [SET_RUN.format("approval = NULL", 3)],
    "the first run deleted": [
        "DELETE FROM expensein_runs WHERE number = 1",
        "DELETE FROM expensein_entries WHERE run = 1",
    ],
    "a run deleted from the middle": [
        "DELETE FROM expensein_runs WHERE number = 2",
        "DELETE FROM expensein_entries WHERE run = 2",
    ],
    "the latest run deleted": [
        "DELETE FROM expensein_runs WHERE number = 4",
        "DELETE FROM expensein_entries WHERE run = 4",
    ],
    "the latest run deleted, and the count of runs": [
        "DELETE FROM expensein_runs WHERE number = 4",
        "DELETE FROM expensein_entries WHERE run = 4",
        "UPDATE expensein_accounts SET last_run = 3",
    ],
    "a run deleted whose changes stay": [
        "DELETE FROM expensein_runs WHERE number = 4",
        "UPDATE expensein_accounts SET last_run = 3, head = (SELECT hash FROM expensein_runs WHERE number = 3)",
    ],
    "two runs swapped": [
        "UPDATE expensein_runs " + SWAP.format("number"),
        "UPDATE expensein_entries " + SWAP.format("run"),
        "UPDATE expensein_runs " + SHIFT.format("number"),
        "UPDATE expensein_entries " + SHIFT.format("run"),
    ],
    "a run reopened": [SET_RUN.format("hash = NULL", 2)],
    "the latest run reopened": [SET_RUN.format("hash = NULL", 4)],
    "a run whose hash was made up": [SET_RUN.format("pid = 1, hash = 'sha256:1'", 4)],
    "changes pruned by hand": [
        "DELETE FROM expensein_entries WHERE run = 1",
        SET_RUN.format("pruned_through = 1", 4),
    ],
}


EDITS_ON_POSTGRESQL = (
    "a value before",
    "a deleted change",
    "a run deleted from the middle",
    "two runs swapped",
)
"""The check is the same code on the same texts; enough to see that both databases give them back alike."""


@pytest.mark.parametrize(
    ("address", "edit"),
    [*(("sqlite", edit) for edit in EDITS), *(("postgresql", edit) for edit in EDITS_ON_POSTGRESQL)],
    indirect=["address"],
)
def test_a_later_edit_of_history_shows(story, address, edit):
    tamper(address, *EDITS[edit])
    assert story.verify()


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (
            "a value before",
            "run first (number 1): its entries were changed, removed or added after it was closed.",
        ),
        ("a run's outcome", "run third (number 3): its record was changed after it was closed."),
        (
            "a run deleted from the middle",
            "run third (number 3): the run before it is missing from the ledger.",
        ),
        ("the latest run deleted", "the latest run (number 4) is missing from the ledger."),
        ("a run reopened", "run second (number 2): it was reopened after later runs had closed it."),
        ("a run deleted whose changes stay", "run number 4: it is missing, but 1 of its entries are there."),
        ("changes pruned by hand", "run fourth (number 4): its record was changed after it was closed."),
    ],
)
@pytest.mark.parametrize("address", ["sqlite"], indirect=True)
def test_a_break_is_named(story, address, edit, sentence):
    tamper(address, *EDITS[edit])
    assert sentence in story.verify()


@pytest.mark.parametrize("address", ["sqlite"], indirect=True)
def test_a_run_that_was_cut_off_and_then_deleted_shows(story, address):
    with at_work(story, "fifth"):
        pass
    tamper(address, "DELETE FROM expensein_runs WHERE number = 5")
    assert story.verify() == ["the latest run (number 5) is missing from the ledger."]


def test_a_forged_run_does_not_fit_the_one_after_it(story, address):
    """Whoever recomputes one run's hashes must recompute all that follow."""
    with Ledger.open(address, "forger") as forger:
        whole_run(forger, "first", update("S1", after="forged"))
    tamper(
        address,
        "DELETE FROM expensein_entries WHERE account = 'acme' AND run = 1",
        "DELETE FROM expensein_runs WHERE account = 'acme' AND number = 1",
        "UPDATE expensein_entries SET account = 'acme' WHERE account = 'forger'",
        "UPDATE expensein_runs SET account = 'acme' WHERE account = 'forger'",
    )
    assert any("second" in sentence and "does not follow" in sentence for sentence in story.verify())


def test_a_run_at_work_is_no_break(story):
    with at_work(story, "fifth") as log:
        log.intend([update("S1")])
        assert story.verify() == []


def test_an_empty_ledger_is_whole(ledger):
    assert ledger.verify() == []


def test_pruned_history_still_verifies_and_later_edits_show(ledger, address, clock):
    first = whole_run(ledger, "first", update("S1"))
    with at_work(ledger, "second") as log:
        log.use_approval("sha256:plan")
        log.intend([update("S1")])
        log.hold_item("projects", "why", "", None)
    clock.pass_by(days=30)
    whole_run(ledger, "third", update("S1"))
    clock.pass_by(days=1)
    with at_work(ledger, "fourth") as log:
        assert log.prune(31) == 0
        assert log.prune(30) == 2
        assert log.prune(30) == 0
        assert ledger.verify() == []
        log.finish("finished", 0, {})
    assert ledger.verify() == []
    assert [(run.run_id, run.pruned) for run in ledger.history(10)] == [
        ("fourth", False),
        ("third", False),
        ("second", True),
        ("first", True),
    ]
    assert ledger.entries("first") == ledger.entries("second") == ledger.holds("second") == ()
    assert [entry.run_id for entry in ledger.trail("suppliers", "S1", 10)] == ["third"]
    assert ledger.unsettled() == ()
    assert ledger.approval_used("sha256:plan")
    assert ledger.run("first").hash == first
    tamper(address, "UPDATE expensein_entries SET run = 1 WHERE run = 3")
    assert [sentence.partition(":")[0] for sentence in ledger.verify()] == [
        "run first (number 1)",
        "run third (number 3)",
    ]


def test_pruning_leaves_the_run_at_work_alone(ledger, clock):
    with at_work(ledger, "first") as log:
        log.intend([update("S1")])
        clock.pass_by(days=2)
        assert log.prune(1) == 0
    assert len(ledger.entries("first")) == 1


def test_pruning_in_a_run_that_was_cut_off_is_no_break(ledger, clock):
    whole_run(ledger, "first", update("S1"))
    clock.pass_by(days=2)
    with at_work(ledger, "second") as log:
        assert log.prune(1) == 1
    assert ledger.verify() == []
    whole_run(ledger, "third")
    assert ledger.verify() == []


# --- The schema --------------------------------------------------------------------------------------------------


def test_the_migrations_make_the_tables_that_the_code_uses(address):
    Ledger.open(address, "acme").close()
    with database(address) as engine:
        made = inspect(engine)
        tables = {
            name: [column["name"] for column in made.get_columns(name)] for name in made.get_table_names()
        }
    assert tables == {table.name: table.columns.keys() for table in METADATA.sorted_tables}


def test_a_ledger_of_an_older_version_is_migrated_and_keeps_its_history(address, monkeypatch):
    with Ledger.open(address, "acme") as ledger:
        whole_run(ledger, "first", update("S1"))
    next_version = migrations.Migration(
        migrations.MIGRATIONS[-1].version + 1,
        (
            "ALTER TABLE expensein_runs ADD COLUMN mood TEXT",
            "CREATE TABLE expensein_moods (mood TEXT NOT NULL PRIMARY KEY)",
        ),
    )
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, next_version))
    for _ in range(2):  # the second time there is nothing to do
        with Ledger.open(address, "acme") as ledger:
            assert [entry.row for entry in ledger.entries("first")] == [update("S1")]
            assert ledger.verify() == []
    tamper(address, "UPDATE expensein_runs SET mood = 'good'")


def test_a_migration_is_done_whole_or_not_at_all(address, monkeypatch):
    with Ledger.open(address, "acme") as ledger:
        whole_run(ledger, "first", update("S1"))
    broken = migrations.Migration(99, ("CREATE TABLE expensein_moods (mood TEXT)", "NONSENSE"))
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, broken))
        with pytest.raises(LedgerError, match="syntax error"):
            Ledger.open(address, "acme")
    with database(address) as engine:
        assert not inspect(engine).has_table("expensein_moods")
    with Ledger.open(address, "acme") as ledger:
        assert ledger.verify() == []


def test_a_ledger_of_a_newer_version_is_left_alone(address, monkeypatch):
    newer = migrations.Migration(99, ())
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, newer))
        Ledger.open(address, "acme").close()
    with pytest.raises(LedgerError, match=r"version 99.*Upgrade target-expensein"):
        Ledger.open(address, "acme")


def test_a_new_ledger_can_be_opened_by_several_at_once(address):
    def open_it(number):
        with Ledger.open(address, f"account {number}") as ledger:
            whole_run(ledger, "first", update("S1"))
            return ledger.verify()

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(open_it, range(6))) == [[]] * 6

"""The ledger as a file: who may read it, and what happens when it cannot be written."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from target_expensein.apply import Status
from target_expensein.ledger import Ledger, LedgerError
from target_expensein.model import Kind, Row

from ...conftest import eventually

NOBODY = 65534


def rows(number):
    """Some writes."""
    return [Row("suppliers", Kind.UPDATE, "differs", f"S{n}", "name " * 40) for n in range(number)]


@contextmanager
def at_work(ledger, run_id="first"):
    """A run that has begun."""
    with ledger.lock():
        yield ledger.begin("apply", {}, "sha256:config", run_id)


@contextmanager
def without_privileges():
    """Give up root, whom no permission stops, if it is root that tests."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def shared_folder():
    """A folder that another user can get at, too; pytest's are private."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def full_disk():
    """Lets files grow up to a number of pages of 4 KiB, then says what SQLite says when a disk is full."""
    listeners = []

    def limit(pages):
        def set_limit(driver, _):
            driver.execute(f"PRAGMA max_page_count = {pages}")

        event.listen(Engine, "connect", set_limit)
        listeners.append(set_limit)

    yield limit
    for listener in listeners:
        event.remove(Engine, "connect", listener)


@pytest.mark.parametrize("prefix", ["", "sqlite:///"])
def test_the_file_is_made_on_first_use_with_its_folders(tmp_path, prefix):
    path = tmp_path / "some" / "where" / "ledger.db"
    Ledger.open(f"{prefix}{path}", "acme").close()
    with Ledger.open(f"{prefix}{path}", "acme") as ledger:
        assert ledger.history(1) == ()
    assert path.is_file()


def test_all_files_are_for_their_owner_only(tmp_path):
    """During a run, too, when the write-ahead log and the lock lie beside the file."""
    folder = tmp_path / "ledger"
    before = os.umask(0)
    try:
        with Ledger.open(str(folder / "ledger.db"), "acme") as ledger, at_work(ledger) as log:
            log.intend(rows(1))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    finally:
        os.umask(before)
    assert len(modes) == 4
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_closed_ledger_is_one_file_that_can_be_copied(tmp_path):
    with Ledger.open(str(tmp_path / "ledger.db"), "acme") as ledger, at_work(ledger) as log:
        log.intend(rows(1))
        log.finish("finished", 0, {})
    shutil.copy(tmp_path / "ledger.db", tmp_path / "copy.db")
    with Ledger.open(str(tmp_path / "copy.db"), "acme") as copy:
        assert len(copy.entries("first")) == 1
        assert copy.verify() == []


def test_a_reader_does_not_wait_for_a_writer(tmp_path):
    path = str(tmp_path / "ledger.db")
    with Ledger.open(path, "acme") as ledger, closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert ledger.history(1) == ()


def test_a_full_disk_is_said_when_writes_are_intended(tmp_path, full_disk):
    full_disk(60)
    with Ledger.open(str(tmp_path / "ledger.db"), "acme") as ledger:
        with (
            at_work(ledger) as log,
            pytest.raises(LedgerError, match=r"disk is full. There is no space left. Free"),
        ):
            log.intend(rows(2000))
        assert ledger.entries("first") == ()
        assert ledger.verify() == []


def test_a_full_disk_is_said_when_a_write_is_settled(tmp_path, full_disk):
    full_disk(60)
    (row,) = rows(1)
    with Ledger.open(str(tmp_path / "ledger.db"), "acme") as ledger:
        with at_work(ledger) as log:
            log.intend([row])
            with pytest.raises(LedgerError, match=r"disk is full. There is no space left. Free"):
                log.settle(row, Status.DONE, "differs", "", "answer" * 100_000)
        assert [entry.row for entry in ledger.unsettled()] == [row]


@pytest.mark.parametrize("closed", [False, True])
def test_outcomes_that_wait_for_each_other_are_written_together(tmp_path, closed):
    """Each of eight threads comes back when its own can be read by others; if they cannot be written, each is told."""
    path, writes, transactions = str(tmp_path / "ledger.db"), rows(8), []
    with (
        Ledger.open(path, "acme") as ledger,
        at_work(ledger) as log,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):

        def settle(row):
            log.settle(row, Status.SENT, "differs", "", None)
            return next(entry.status for entry in ledger.entries("first") if entry.row == row)

        def all_are_waiting():
            assert len(log._waiting) == len(writes)

        log.intend(writes)
        event.listen(ledger._database.engine, "begin", transactions.append)
        with ThreadPoolExecutor(8) as pool:
            other.execute("BEGIN IMMEDIATE")
            settled = [pool.submit(settle, row) for row in writes]
            eventually(all_are_waiting, AssertionError)
            if closed:
                other.execute("UPDATE expensein_runs SET hash = 'closed by another'")
            other.execute("COMMIT")
        if closed:
            assert all("closed already" in str(one.exception()) for one in settled)
            assert not log._waiting
            return
        assert [one.result() for one in settled] == [Status.SENT] * len(writes)
    writing = [one for one in transactions if one.get_execution_options().get("ledger_writes")]
    assert len(writing) <= 2  # one that found the file taken, and one for all who came meanwhile


def test_a_read_only_file_can_be_read_and_says_that_it_cannot_be_written(shared_folder):
    path = shared_folder / "ledger.db"
    with Ledger.open(str(path), "acme") as ledger, at_work(ledger) as log:
        log.finish("finished", 0, {})
    (lock,) = shared_folder.glob("*.lock")
    lock.chmod(0o666)
    path.chmod(0o444)
    shared_folder.chmod(0o777)
    with without_privileges(), Ledger.open(str(path), "acme") as ledger:
        assert [run.run_id for run in ledger.history(1)] == ["first"]
        with (
            pytest.raises(LedgerError, match=r"readonly database. It may not be written. Make"),
            ledger.lock(),
        ):
            pytest.fail("a run without a ledger")


def test_a_lock_that_may_not_be_touched_is_said(shared_folder):
    path = shared_folder / "ledger.db"
    with Ledger.open(str(path), "acme") as ledger, at_work(ledger) as log:
        log.finish("finished", 0, {})
    path.chmod(0o666)
    shared_folder.chmod(0o777)
    (lock,) = shared_folder.glob("*.lock")
    lock.chmod(0o444)
    with (
        without_privileges(),
        Ledger.open(str(path), "acme") as ledger,
        pytest.raises(LedgerError, match=r"lock .* cannot be opened: Permission denied"),
        ledger.lock(),
    ):
        pytest.fail("a run without a lock")


def test_a_folder_that_may_not_be_written_is_said(shared_folder):
    shared_folder.chmod(0o555)
    with (
        without_privileges(),
        pytest.raises(LedgerError, match=r"cannot be made: Permission denied. Name a file in"),
    ):
        Ledger.open(str(shared_folder / "ledger.db"), "acme")


def test_a_file_in_place_of_a_folder_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match=r"cannot be made: File exists"):
        Ledger.open(str(tmp_path / "file" / "ledger.db"), "acme")


def test_a_folder_in_place_of_the_file_is_said(tmp_path):
    with pytest.raises(LedgerError, match=r"unable to open database file. It must be a file"):
        Ledger.open(str(tmp_path), "acme")


def test_another_kind_of_file_is_left_alone(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("Dear ledger, " * 100)
    with pytest.raises(LedgerError, match=r"file is not a database. It is something else"):
        Ledger.open(str(path), "acme")
    assert path.read_text() == "Dear ledger, " * 100


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "no file is named"),
        ("sqlite://", "no file is named"),
        ("sqlite:///:memory:", "no file is named"),
        ("mysql://user:s3cret@host/db", "'mysql' is not supported"),
        ("postgresql://user:s3cret@host:p/db", "address cannot be read"),
        ("://user:s3cret@host/db", "address cannot be read"),
    ],
)
def test_an_address_that_cannot_be_used_is_explained_without_its_password(address, words):
    with pytest.raises(LedgerError, match=words) as error:
        Ledger.open(address, "acme")
    assert "s3cret" not in f"{error.value!r} {error.value.__cause__!r}"

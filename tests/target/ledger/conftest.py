"""Ledgers to try: SQLite files, and schemas of a real PostgreSQL server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from target_expensein.ledger import Ledger

from ...conftest import PostgresServer, eventually

OTHER_RUN = """
import sys
from target_expensein.apply import Status
from target_expensein.ledger import Ledger
from target_expensein.model import Field, FieldChange, Kind, Row

rows = [
    Row("suppliers", Kind.UPDATE, "differs", name, name, name, (FieldChange(Field.NAME, "old", "new"),))
    for name in ("S1", "S2", "S3")
]
with Ledger.open(sys.argv[1], sys.argv[2]) as ledger, ledger.lock():
    log = ledger.begin("apply", {}, "sha256:0", sys.argv[3])
    log.intend(rows)
    log.settle(rows[0], Status.DONE, "differs", "", None)
    print("at work", flush=True)
    sys.stdin.read()
"""
"""A run that intends three writes, settles one, and then does not get on."""


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a ledger that is not there yet, one of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_schema()


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    time: datetime = datetime(2026, 1, 31, 4, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time."""
        return self.time

    def pass_by(self, **duration: float) -> None:
        """Move on."""
        self.time += timedelta(**duration)


@pytest.fixture
def clock() -> Clock:
    """The clock of the ledger under test."""
    return Clock()


@pytest.fixture
def ledger(address: str, clock: Clock) -> Iterator[Ledger]:
    """A ledger that was just made."""
    with closing(Ledger.open(address, "acme", clock)) as opened:
        yield opened


OtherRun = Callable[..., AbstractContextManager["subprocess.Popen[str]"]]


@pytest.fixture
def other_run() -> OtherRun:
    """Starts a run in another process and leaves it at work; it ends with the context, or is killed in it."""

    @contextmanager
    def start(address: str, account: str, run_id: str = "other") -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [sys.executable, "-c", OTHER_RUN, address, account, run_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "at work\n"
            yield process

    return start


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., None]:
    """Tries until it goes: a server takes a moment to notice that a client was killed."""
    return eventually

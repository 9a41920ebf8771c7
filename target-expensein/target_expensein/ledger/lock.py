"""One run at a time on one ledger and account. Whatever ends the process ends the lock, kill -9 included."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection, func, select

from target_expensein.ledger.database import PRIVATE, Database
from target_expensein.ledger.errors import LedgerError, explained

KEEPALIVE: Final = ("tcp_keepalives_idle = 30", "tcp_keepalives_interval = 10", "tcp_keepalives_count = 3")
"""A machine that vanishes without a word loses its lock after a minute."""


class Lock(Protocol):
    """What keeps a second run out."""

    def acquire(self) -> bool:
        """Take the lock; False if somebody else has it."""

    def check(self) -> None:
        """Make sure that the lock is still held."""

    def release(self) -> None:
        """Give the lock back."""


def lock_for(database: Database, account: str) -> Lock:
    """Return the lock of an account in a database, not taken yet."""
    digest = sha256(f"target-expensein ledger\0{account}".encode()).digest()
    if database.path is None:
        return AdvisoryLock(database, digest)
    return FileLock(database.path.with_name(f"{database.path.name}.{digest.hex()[:16]}.lock"))


class FileLock:
    """A lock on a file beside the SQLite file; the kernel keeps it as long as the process lives.

    Args:
        path: The file. It is left behind: to remove it could give two runs a lock each.
    """

    def __init__(self, path: Path) -> None:
        """Remember the file."""
        self._path = path
        self._file: int | None = None

    def acquire(self) -> bool:
        """Take the lock.

        Returns:
            False if somebody else has it.

        Raises:
            LedgerError: If the file cannot be used.
        """
        try:
            file = os.open(self._path, os.O_CREAT | os.O_RDWR, PRIVATE)
        except OSError as error:
            problem = f"ledger: the lock {self._path} cannot be opened: {error.strerror}. Make it writable for this user."
            raise LedgerError(problem) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        except OSError as error:
            os.close(file)
            problem = (
                f"ledger: {self._path} cannot be locked: {error.strerror}. Keep the ledger on a local disk."
            )
            raise LedgerError(problem) from error
        self._file = file
        return True

    def check(self) -> None:
        """Do nothing: the kernel does not lose locks."""

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class AdvisoryLock:
    """An advisory lock of PostgreSQL, held by a connection of its own.

    Args:
        database: The database.
        digest: Says whose lock it is, in at least four bytes; the schema's own number is the other half of the key.
    """

    def __init__(self, database: Database, digest: bytes) -> None:
        """Work out the key."""
        self._database = database
        self._key = int.from_bytes(digest[:4], "big", signed=True)
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        """Take the lock.

        Returns:
            False if somebody else has it.

        Raises:
            LedgerError: If the database fails.
        """
        with explained(self._database.location):
            connection = self._database.alone()
            try:
                with connection.begin():
                    for setting in (*KEEPALIVE, "idle_session_timeout = 0"):
                        connection.exec_driver_sql(f"SET {setting}")
                    schema = func.hashtext(func.current_schema())
                    lock = select(func.pg_try_advisory_lock(schema, self._key))
                    taken: bool = connection.execute(lock).scalar_one()
            except BaseException:
                connection.close()
                raise
        if not taken:
            connection.close()
            return False
        self._connection = connection
        return True

    def check(self) -> None:
        """Make sure that the connection, and with it the lock, is still there.

        Raises:
            LedgerError: If it is not.
        """
        if self._connection is None:
            return
        try:
            with explained(self._database.location), self._connection.begin():
                self._connection.execute(select(1))
        except LedgerError as error:
            problem = f"{error} The lock is lost with it, so another run may have begun: nothing further is written."
            raise LedgerError(problem) from error

    def release(self) -> None:
        """Give the lock back."""
        if self._connection is None:
            return
        # Said aloud: the server may take a moment to notice that the connection is closed. Where it cannot be said,
        # the connection is lost, and the lock with it.
        with suppress(LedgerError), explained(self._database.location), self._connection.begin():
            self._connection.execute(select(func.pg_advisory_unlock_all()))
        self._connection.close()
        self._connection = None

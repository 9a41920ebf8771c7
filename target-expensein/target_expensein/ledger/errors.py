"""What can go wrong with the ledger, in words that say what to do. No message repeats a password or a record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError


class LedgerError(Exception):
    """The ledger cannot be used, or cannot be written any further."""


class LedgerLocked(LedgerError):  # noqa: N818 - named after the cause
    """Another run of the same account is at work with this ledger."""


ADVICE: Final = (
    ("database or disk is full", "There is no space left. Free some, then run again."),
    ("disk I/O error", "The disk failed, or is full. Check it, then run again."),
    ("readonly database", "It may not be written. Make the file and its folder writable for this user."),
    ("unable to open database file", "It must be a file in a folder that this user may write to."),
    ("database is locked", "Another program keeps it busy. Close that, then run again."),
    ("file is not a database", "It is something else. Give the path of another file."),
    ("malformed", "The file is damaged. Restore it from a backup, or move it away to start afresh."),
    ("does not exist", "Check the address, and that the database has been created."),
    ("authentication failed", "Check the user and the password in the address."),
    ("permission denied", "Give this user the right to create and write tables there."),
    ("connection", "Check the address, and that the database server runs and can be reached."),
)
"""What a database says → what to do about it; the first that fits counts."""


@contextmanager
def explained(location: str) -> Iterator[None]:
    """Turn a failure of the database into words.

    Args:
        location: What to call the ledger: the path, or host and database; without a password.

    Raises:
        LedgerError: In place of what SQLAlchemy raised.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise _error(location, error) from error


def _error(location: str, error: SQLAlchemyError) -> LedgerError:
    cause = error.orig if isinstance(error, DBAPIError) else error
    words = str(cause).strip() or type(cause).__name__
    said = words.splitlines()[0]  # what follows may quote the record
    advice = next((advice for fragment, advice in ADVICE if fragment in words), "")
    return LedgerError(f"ledger {location}: {said}. {advice}".rstrip())

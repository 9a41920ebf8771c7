"""What was applied last, and what is to be kept of a run for the next: both without holding a whole list in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Final, Protocol

from sqlalchemy import select

from target_expensein.ledger.database import Database
from target_expensein.ledger.records import decode, decode_values, encode
from target_expensein.ledger.tables import APPLIED
from target_expensein.model import Value

FEW: Final = 50
"""So many references are looked up one by one. A plan with more differences than that gets the whole list at once."""


class Values(Protocol):
    """Reference → field → value, as far as it can be gone through, more than once."""

    def items(self) -> Iterable[tuple[str, Mapping[str, Value]]]:
        """Return each reference with its values; one that comes twice has the same values."""


class LastApplied(Mapping[str, Mapping[str, Value]]):
    """What was applied last: reference → field → value. It is looked up when it is asked for.

    On an unchanged night nothing is asked: then nothing is read.

    Args:
        database: The ledger's database.
        account: The account.
        item: Name of the item.
    """

    def __init__(self, database: Database, account: str, item: str) -> None:
        """Read nothing yet."""
        self._database = database
        self._of_item = (APPLIED.c.account == account, APPLIED.c.item == item)
        self._lookups = 0
        self._all: dict[str, str] | None = None

    def __getitem__(self, reference: str) -> Mapping[str, Value]:
        """Return the values of a reference."""
        self._lookups += 1
        if self._all is not None or self._lookups > FEW:
            return _values(self._everything()[encode(reference)])
        statement = select(APPLIED.c.fields).where(*self._of_item, APPLIED.c.reference == encode(reference))
        with self._database.reading() as connection:
            fields = connection.execute(statement).scalar_one_or_none()
        if fields is None:
            raise KeyError(reference)
        return _values(fields)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the references."""
        return map(decode, self._everything())

    def __len__(self) -> int:
        """Return how many references there are."""
        return len(self._everything())

    def _everything(self) -> dict[str, str]:
        """Read it all, once; as the texts that the ledger has."""
        if self._all is None:
            statement = select(APPLIED.c.reference, APPLIED.c.fields).where(*self._of_item)
            with self._database.reading() as connection:
                self._all = dict(connection.execute(statement).tuples().all())
        return self._all


def digest(values: Values) -> str:
    """Return what tells values from others, their order included.

    Args:
        values: The values.
    """
    whole = sha256()
    for pair in values.items():
        whole.update(repr(pair).encode("utf-8", "backslashreplace"))
    return f"sha256:{whole.hexdigest()}"


def batches(values: Values, size: int) -> Iterator[dict[str, str]]:
    """Cut values into parts, as the texts that the ledger keeps.

    Args:
        values: The values.
        size: How many at a time, at most.

    Yields:
        Reference → fields.
    """
    batch: dict[str, str] = {}
    for reference, fields in values.items():
        batch[encode(reference)] = encode(fields)
        if len(batch) == size:
            yield batch
            batch = {}
    if batch:
        yield batch


def _values(fields: str) -> Mapping[str, Value]:
    values: dict[str, Any] = decode_values(fields)
    return values

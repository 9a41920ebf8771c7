"""ExpenseIn's state of one item, indexed by reference.

The index is what the plan compares with (R2: always the live state, never the last run).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from target_expensein.api import wire
from target_expensein.api.profile import ItemProfile
from target_expensein.model import Field, LiveRecord

NO_RECORDS: Final[tuple[LiveRecord, ...]] = ()


def fold_reference(reference: str) -> str:
    """Return what is left of a reference without case, surrounding space, leading zeros and Unicode form.

    Two references with the same fold are *lookalikes* (R28). The fold is for comparison only: it is never written
    anywhere (R8).
    """
    folded = unicodedata.normalize("NFKC", reference).strip().casefold()
    return unicodedata.normalize("NFKC", folded).lstrip("0") or "0"


def reduce_live(body: Mapping[str, Any], profile: ItemProfile) -> LiveRecord:
    """Keep of an ExpenseIn object what is compared.

    Args:
        body: The object as listed, its shape checked by the client.
        profile: What its fields are called on this server.

    Returns:
        The live record. A reference that is missing, null or nothing but white space is None.
    """
    values: dict[str, Any] = wire.decode(profile, body)
    reference = values[Field.REFERENCE]
    return LiveRecord(
        id=wire.record_id(profile, body),
        reference=reference if reference and reference.strip() else None,
        name=values[Field.NAME],
        is_active=values.get(Field.IS_ACTIVE),
        rate=values.get(Field.RATE),
    )


class LiveIndex:
    """All live records of one item.

    Args:
        records: The records, in ExpenseIn's order. A record that is listed twice (same id) counts once.
    """

    def __init__(self, records: Iterable[LiveRecord]) -> None:
        """Index the records."""
        self._by_reference: dict[str, tuple[LiveRecord, ...]] = {}
        self._unreferenced: dict[str, tuple[LiveRecord, ...]] = {}
        unique = {record.id: record for record in records}
        for record in unique.values():
            index, key = (
                (self._unreferenced, record.name or "")
                if record.reference is None
                else (self._by_reference, record.reference)
            )
            index[key] = (*index.get(key, NO_RECORDS), record)

    def __len__(self) -> int:
        """Return how many records there are."""
        return sum(map(len, self._by_reference.values())) + sum(map(len, self._unreferenced.values()))

    def matches(self, reference: str) -> tuple[LiveRecord, ...]:
        """Return the records with exactly this reference (R8)."""
        return self._by_reference.get(reference, NO_RECORDS)

    def unreferenced(self, name: str) -> tuple[LiveRecord, ...]:
        """Return the records without a reference that have exactly this name (R29)."""
        return self._unreferenced.get(name, NO_RECORDS)

    def lookalikes(self, reference: str) -> Iterator[LiveRecord]:
        """Yield the records whose reference folds to the same, other than those that match exactly (R28)."""
        for other in self._folds.get(fold_reference(reference), ()):
            if other != reference:
                yield from self._by_reference[other]

    def references(self) -> Iterator[tuple[str, tuple[LiveRecord, ...]]]:
        """Yield each reference with the records that carry it."""
        yield from self._by_reference.items()

    @cached_property
    def _folds(self) -> dict[str, list[str]]:
        folds: dict[str, list[str]] = {}
        for reference in self._by_reference:
            folds.setdefault(fold_reference(reference), []).append(reference)
        return folds

"""ExpenseIn's state of one item, indexed by reference.

The index is what the plan compares with (R2: always the live state, never the last run).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final

from target_expensein.model import LiveRecord, RecordId

NO_RECORDS: Final[tuple[LiveRecord, ...]] = ()


def fold_reference(reference: str) -> str:
    """Return what is left of a reference without case, surrounding space, leading zeros and Unicode form.

    Two references with the same fold are *lookalikes* (R28). The fold is for comparison only: it is never written
    anywhere (R8).
    """
    folded = unicodedata.normalize("NFKC", reference).strip().casefold()
    return unicodedata.normalize("NFKC", folded).lstrip("0") or "0"


class LiveIndex:
    """All live records of one item.

    Args:
        records: The records, in ExpenseIn's order, each once.
    """

    def __init__(self, records: Iterable[LiveRecord]) -> None:
        """Index the records."""
        # Nearly every reference and name is there once; only where it is not, a tuple is kept.
        self._by_reference: dict[str, LiveRecord | tuple[LiveRecord, ...]] = {}
        self._unreferenced: dict[str, LiveRecord | tuple[LiveRecord, ...]] = {}
        self._length = 0
        for record in records:
            self._length += 1
            if record.reference is None:
                index, key = self._unreferenced, record.name or ""
            else:
                index, key = self._by_reference, record.reference
            if (first := index.setdefault(key, record)) is not record:
                index[key] = (*_listed(first), record)

    def __len__(self) -> int:
        """Return how many records there are."""
        return self._length

    def matches(self, reference: str) -> tuple[LiveRecord, ...]:
        """Return the records with exactly this reference (R8)."""
        return _listed(self._by_reference.get(reference, NO_RECORDS))

    def unreferenced(self, name: str) -> tuple[LiveRecord, ...]:
        """Return the records without a reference that have exactly this name (R29)."""
        return _listed(self._unreferenced.get(name, NO_RECORDS))

    def lookalikes(self, reference: str) -> Iterator[LiveRecord]:
        """Yield the records whose reference folds to the same, other than those that match exactly (R28)."""
        for other in self._folds.get(fold_reference(reference), ()):
            if other != reference:
                yield from self.matches(other)

    def references(self) -> Iterator[tuple[str, tuple[LiveRecord, ...]]]:
        """Yield each reference with the records that carry it."""
        for reference, found in self._by_reference.items():
            yield reference, _listed(found)

    def has(self, record_id: RecordId) -> bool:
        """Tell whether there is a record with this ID, whatever its reference is by now."""
        return record_id in self._ids

    @cached_property
    def _ids(self) -> frozenset[RecordId]:
        found = (*self._by_reference.values(), *self._unreferenced.values())
        return frozenset(record.id for records in found for record in _listed(records))

    @cached_property
    def _folds(self) -> dict[str, list[str]]:
        folds: dict[str, list[str]] = {}
        for reference in self._by_reference:
            folds.setdefault(fold_reference(reference), []).append(reference)
        return folds


def _listed(found: LiveRecord | tuple[LiveRecord, ...]) -> tuple[LiveRecord, ...]:
    return found if isinstance(found, tuple) else (found,)

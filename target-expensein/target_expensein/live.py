"""ExpenseIn's state of one item, indexed by reference.

The index is what the plan compares with (R2: always the live state, never the last run).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

from target_expensein.api.profile import ItemProfile
from target_expensein.items import Item
from target_expensein.model import Field, LiveRecord, RecordId

NO_RECORDS: Final[tuple[LiveRecord, ...]] = ()


def fold_reference(reference: str) -> str:
    """Return what is left of a reference without case, surrounding space, leading zeros and Unicode form.

    Two references with the same fold are *lookalikes* (R28). The fold is for comparison only: it is never written
    anywhere (R8).
    """
    folded = unicodedata.normalize("NFKC", reference).strip().casefold()
    return unicodedata.normalize("NFKC", folded).lstrip("0") or "0"


def reduce_live(body: Mapping[str, Any], item: Item, profile: ItemProfile) -> LiveRecord:
    """Keep of an ExpenseIn object what is compared.

    Args:
        body: The object as listed.
        item: The item's declaration: which fields are looked at.
        profile: What they are called on this server.

    Returns:
        The live record. A reference that is missing, null or nothing but white space is None; one that the server
        gives as a number is its digits.
    """

    def value(field: Field) -> Any:  # noqa: ANN401 - whatever the server has there
        wire = profile.fields[field.value]
        return None if wire is None or field not in watched else body.get(wire)

    watched = (Field.REFERENCE, *item.live_fields)
    reference, name = _as_text(value(Field.REFERENCE)), _as_text(value(Field.NAME))
    is_active, rate = value(Field.IS_ACTIVE), value(Field.RATE)
    record_id: RecordId = body[profile.id_field]
    return LiveRecord(
        id=record_id,
        reference=reference if reference and reference.strip() else None,
        name=name,
        is_active=is_active if isinstance(is_active, bool) else None,
        rate=Decimal(str(rate)) if isinstance(rate, int | Decimal) and not isinstance(rate, bool) else None,
    )


def _as_text(value: object) -> str | None:
    return None if value is None else str(value)


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

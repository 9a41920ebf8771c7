"""What must be true of ExpenseIn, whatever happened: a second reading of the rules that shares no code with the target.

:class:`Model` keeps every record as it should be. Each change that is not an admin's must be one that the rules allow;
when all is quiet, every reference that the rules let pass must be as at the source.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox.expensein.fields import APPLIES_TO, COLLECTIONS

Record = dict[str, Any]
Live = Mapping[str, Sequence[Record]]


@dataclass(frozen=True)
class Row:
    """One record of AccountsIQ."""

    code: str
    name: str
    active: bool = True
    rate: Decimal | None = None


Source = Mapping[str, Sequence[Row]]
"""Item → its rows."""

COLLECTION = {
    "categories": "categories",
    "projects": "projects",
    "departments": "departments",
    "tax_rates": "taxrates",
    "suppliers": "suppliers",
}
"""Item → ExpenseIn's collection."""


def new_record(item: str, row: Row) -> Record:
    """Return the record that a source row becomes, without its id (R11, R13, R14, R16, R18, R21, R22)."""
    given: Record = {"name": row.name, "reference": row.code}
    match item:
        case "categories":
            given["appliesTo"] = ["purchase"]
        case "projects":
            given |= {"appliesTo": list(APPLIES_TO), "isActive": True}
        case "tax_rates":
            given["rate"] = (row.rate or Decimal(0)) * 100
        case "suppliers":
            given["isActive"] = row.active
    return COLLECTIONS[COLLECTION[item]].complete(given)


def fold(text: str) -> str:
    """Return what two lookalikes have in common (R28)."""
    folded = unicodedata.normalize("NFKC", text).strip().casefold()
    return unicodedata.normalize("NFKC", folded).lstrip("0") or "0"


def usable(item: str, rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the rows that may be written, one for each code (R21, R25, R26, R30)."""
    groups: dict[str, set[Row]] = {}
    for row in rows:
        groups.setdefault(row.code, set()).add(row)
    for code, group in groups.items():
        row = next(iter(group))
        if len(group) > 1 or not row.active or not code.strip() or not row.name.strip():
            continue
        if item == "tax_rates" and (row.rate is None or not 0 <= row.rate <= 1):
            continue
        yield row


def holders(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Return the records that carry each reference."""
    found: dict[str, list[Record]] = {}
    for record in records:
        if (record["reference"] or "").strip():
            found.setdefault(record["reference"], []).append(record)
    return found


@dataclass
class Model:
    """Every record as it should be, and all that the source ever said.

    Attributes:
        expected: Collection → id → record, as the last admin or the last allowed write left it.
        said: Item and code → the rows that could be written at some time.
        doubled: Collection and reference that an admin gave to a second record.
        created: Item and reference of each record that the sync made.
        changed: Item and reference of each record that the sync changed.
        taken_away: Item and reference of each record that the sync made and an admin removed, or took the reference from →
            when that happened last.
    """

    expected: dict[str, dict[str, Record]] = field(
        default_factory=lambda: {collection: {} for collection in COLLECTION.values()}
    )
    said: dict[tuple[str, str], set[Row]] = field(default_factory=dict)
    doubled: set[tuple[str, str]] = field(default_factory=set)
    created: set[tuple[str, str]] = field(default_factory=set)
    changed: set[tuple[str, str]] = field(default_factory=set)
    taken_away: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def source_is(self, source: Source) -> None:
        """Take note of what the source says now."""
        for item, rows in source.items():
            for row in usable(item, rows):
                self.said.setdefault((item, row.code), set()).add(row)

    def edited(self, collection: str, record: Record) -> None:
        """Take note of a record that an admin made or edited: all of it is right as it is."""
        before = self.expected[collection].get(str(record["id"]), record)
        self.expected[collection][str(record["id"])] = record
        reference = record["reference"]
        if before["reference"] != reference:
            self._took_away(collection, before)
        same = [one for one in self.expected[collection].values() if one["reference"] == reference]
        if reference and len(same) > 1:
            self.doubled.add((collection, reference))

    def removed(self, collection: str, record: Record) -> None:
        """Take note of a record that an admin removed."""
        del self.expected[collection][str(record["id"])]
        self._took_away(collection, record)

    def _took_away(self, collection: str, record: Record) -> None:
        item = next(item for item, its_collection in COLLECTION.items() if its_collection == collection)
        if (item, record["reference"]) in self.created:
            self.taken_away[item, record["reference"]] = datetime.now(UTC)

    def witness(self, live: Live) -> list[str]:
        """Look at what a run left behind, and take over what is allowed.

        Returns:
            One sentence for each thing that must not be.
        """
        return [
            problem
            for item, collection in COLLECTION.items()
            for problem in self._witness(item, collection, live[collection])
        ]

    def _witness(self, item: str, collection: str, records: Sequence[Record]) -> Iterator[str]:
        expected = self.expected[collection]
        now = {str(record["id"]): record for record in records}
        for lost in expected.keys() - now.keys():
            yield f"{collection}: {expected[lost]} was deleted (R7)"
        for identity, record in now.items():
            if identity not in expected:
                yield from self._new(item, record)
            elif record != expected[identity]:
                yield from self._changed(item, expected[identity], record)
            expected[identity] = record
        for reference, same in holders(records).items():
            if len(same) > 1 and (collection, reference) not in self.doubled:
                yield f"{collection}: TWIN: {len(same)} records have the reference {reference!r}"

    def _new(self, item: str, record: Record) -> Iterator[str]:
        reference = record["reference"]
        fields = {name: value for name, value in record.items() if name != "id"}
        if not any(new_record(item, row) == fields for row in self.said.get((item, reference), ())):
            yield f"{item}: {record} was created, which the source never said"
        self.created.add((item, reference))

    def _changed(self, item: str, before: Record, after: Record) -> Iterator[str]:
        rows = self.said.get((item, before["reference"]), set())
        allowed: dict[str, list[object]] = {"name": [row.name for row in rows]}
        if item == "suppliers" and rows:  # R23
            allowed["isActive"] = [True]
        for name in before.keys() | after.keys():
            if before.get(name) != after.get(name) and after.get(name) not in allowed.get(name, ()):
                yield (
                    f"{item}: {before['reference']!r}: {name} was changed from {before.get(name)!r} to "
                    f"{after.get(name)!r}, which the sync does not own or the source never said (R9)"
                )
        self.changed.add((item, before["reference"]))

    def behind(self, live: Live, source: Source) -> list[str]:
        """Say what is not yet as the source says, for references that the rules let pass.

        Returns:
            One sentence for each; none when everything is as it should be.
        """
        return [
            problem
            for item, rows in source.items()
            for problem in self._behind(item, rows, holders(live[COLLECTION[item]]))
        ]

    def _behind(self, item: str, rows: Sequence[Row], live: Mapping[str, list[Record]]) -> Iterator[str]:
        codes = {row.code for row in rows}
        for row in usable(item, rows):
            same = live.get(row.code, [])
            if not same and any(fold(other) == fold(row.code) and other not in codes for other in live):
                continue  # R28
            if not same:
                yield f"{item}: {row.code!r} {row.name!r} is missing"
            elif len(same) == 1 and same[0]["name"] != row.name:  # else R27
                yield f"{item}: {row.code!r} is called {same[0]['name']!r}, not {row.name!r}"
            elif len(same) == 1 and item == "suppliers" and not same[0]["isActive"]:
                yield f"{item}: {row.code!r} is not active (R23)"

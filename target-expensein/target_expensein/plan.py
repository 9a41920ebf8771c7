"""The plan: desired against live → rows, each with a kind and a reason. Pure: no I/O, no Singer, no HTTP.

Everything that is decided about a record is decided here, from top to bottom, once. The particulars of an item (which
fields it owns, what a new record starts with) are data in ``items.py``; what each reason means is in ``reasons.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import Final, Literal

from target_expensein.items import Item
from target_expensein.live import LiveIndex
from target_expensein.model import (
    WRITES,
    Applied,
    Field,
    FieldChange,
    Kind,
    LiveRecord,
    Origin,
    Row,
    SourceRecord,
    Value,
)
from target_expensein.reasons import REASONS
from target_expensein.source import SourceList

NOTHING_APPLIED: Final[Applied] = MappingProxyType({})

HIGHEST_PERCENT: Final = 1000
"""No tax is above this; a number such as 1e999 would be sent digit by digit."""

RateUnit = Literal["fraction", "percent"]


@dataclass(frozen=True, slots=True)
class Decisions:
    """An item's settings as far as they bear on the plan.

    Attributes:
        inactive_source: Whether records that are inactive at the source take part (R25).
        adopt_by_name: Whether a live record with the same name and no reference gets the reference (R29).
        rate_unit: What the source's tax rates are given in (R21).
        applies_to: What a new record applies to (R13, R16).
        absent: Fields that this ExpenseIn server does not have.
    """

    inactive_source: Literal["ignore", "sync"] = "ignore"
    adopt_by_name: bool = False
    rate_unit: RateUnit = "fraction"
    applies_to: tuple[str, ...] = ()
    absent: frozenset[Field] = frozenset()


@dataclass(frozen=True)
class ItemPlan:
    """What is to be done for one item.

    Attributes:
        item: Name of the item.
        rows: Every row but the unchanged and the filtered ones, in the order of the source, orphans last.
        unchanged: How many records are already as they should be.
        filtered: How many records the filter kept out.
    """

    item: str
    rows: tuple[Row, ...]
    unchanged: int
    filtered: int

    @property
    def writes(self) -> tuple[Row, ...]:
        """The rows that write."""
        return tuple(row for row in self.rows if row.kind in WRITES)

    @cached_property
    def counts(self) -> Counter[Kind]:
        """How many records there are of each kind."""
        counts = Counter(row.kind for row in self.rows)
        counts[Kind.UNCHANGED] += self.unchanged
        counts[Kind.SKIPPED] += self.filtered
        return counts


def percent(rate: Decimal, unit: RateUnit) -> Decimal:
    """Convert a rate of the source into percent, exactly (R21).

    Args:
        rate: The rate as the source has it, 0.135 for thirteen and a half percent when the unit is ``fraction``.
        unit: What the source's rates are given in.

    Returns:
        The percentage without trailing zeros: 13.5.
    """
    exact = (rate.scaleb(2) if unit == "fraction" else rate).normalize()
    return exact.quantize(Decimal(1)) if exact == exact.to_integral_value() else exact


def _rate_in_percent(record: SourceRecord, decisions: Decisions) -> Decimal | None:
    return None if record.rate is None else percent(record.rate, decisions.rate_unit)


_DESIRED: Final[Mapping[Field, Callable[[SourceRecord, Decisions], Value]]] = {
    Field.REFERENCE: lambda record, _: record.reference,
    Field.NAME: lambda record, _: record.name,
    Field.RATE: _rate_in_percent,
    Field.IS_ACTIVE: lambda record, _: record.active,
    Field.APPLIES_TO: lambda _, decisions: list(decisions.applies_to),
}
"""The value that each field should have, from the source record and the item's settings."""


def plan_item(
    item: Item, decisions: Decisions, source: SourceList, live: LiveIndex, applied: Applied = NOTHING_APPLIED
) -> ItemPlan:
    """Compare one item's source list with its live state.

    Args:
        item: The item's declaration.
        decisions: The item's settings.
        source: Its complete source list.
        live: ExpenseIn's state.
        applied: What was applied last; it tells where a difference comes from and nothing else (R2).

    Returns:
        The plan. The same arguments give the same plan, row for row.
    """
    return _Planner(item, decisions, source, live, applied).plan()


@dataclass(frozen=True, slots=True)
class AppliedValues:
    """What ExpenseIn holds of the owned fields once a plan is carried out, for the next three-way comparison.

    Attributes:
        item: The item's declaration.
        source: Its complete source list.
        left_open: References that the plan, or carrying it out, left as they were.
    """

    item: Item
    source: SourceList
    left_open: Collection[str | None]

    def items(self) -> Iterator[tuple[str, Mapping[str, Value]]]:
        """Yield field → value for every other reference of the source, made as it is asked for."""
        for record in self.source.records:
            if record.reference not in self.left_open:
                woken = {Field.IS_ACTIVE.value: True} if self.item.wakes and record.active else {}
                yield record.reference, {Field.NAME.value: record.name, **woken}


class _Planner:
    """The decisions of one item, each a small method."""

    def __init__(
        self, item: Item, decisions: Decisions, source: SourceList, live: LiveIndex, applied: Applied
    ) -> None:
        self.applied = applied
        self.item = item
        self.decisions = decisions
        self.source = source
        self.live = live
        self.unchanged = 0

    def plan(self) -> ItemPlan:
        rows = [*self.source.rejected]
        for reference, records in _by_reference(self.source.records):
            rows += self._decide(reference, records)
        rows += self._orphans()
        return ItemPlan(self.item.name, tuple(rows), self.unchanged, self.source.filtered.total())

    # Nearly every record leads to no row at all, and there may be a million: so rows come as lists, not from generators.

    def _decide(self, reference: str, records: Sequence[SourceRecord]) -> list[Row]:
        """Decide about one reference of the source."""
        if unusable := self._unusable(reference, records):
            return unusable
        record = records[0]
        matches = self.live.matches(reference)
        if len(matches) == 1:
            return self._compare(record, matches[0])
        if matches:  # R27
            return [self._row("duplicate_in_expensein", record, detail=_list_live(matches))]
        return self._create(record)

    def _unusable(self, reference: str, records: Sequence[SourceRecord]) -> list[Row]:
        """Say what keeps the records of a reference out, whatever ExpenseIn has; nothing if they can be used."""
        if is_blank(reference):  # R30
            return [self._row("blank_reference", record) for record in records]
        record = records[0]
        active = record.active or any(one.active for one in records)
        if not active and self.decisions.inactive_source == "ignore":  # R25
            return [self._row("inactive_at_source", record)]
        if len(records) > 1 and len(distinct := tuple(dict.fromkeys(records))) > 1:  # R26
            return [self._row("duplicate_at_source", record, detail=_list_records(distinct))]
        if is_blank(record.name):  # R30
            return [self._row("blank_name", record)]
        obstacle = self._rate_obstacle(record)  # R21
        return [] if obstacle is None else [obstacle]

    def _rate_obstacle(self, record: SourceRecord) -> Row | None:
        if Field.RATE not in self.item.on_creation:
            return None
        rate = record.rate
        if rate is None or not rate.is_finite() or rate < 0 or self._is_absurd(rate):
            return self._row("rate_invalid", record, detail=f"rate: {rate}")
        if self.decisions.rate_unit == "fraction" and rate > 1:
            return self._row("rate_above_one", record, detail=f"rate: {rate}")
        return None

    def _is_absurd(self, rate: Decimal) -> bool:
        return self.decisions.rate_unit == "percent" and rate > HIGHEST_PERCENT

    def _compare(self, record: SourceRecord, live: LiveRecord) -> list[Row]:
        """Compare a source record with its one live match (R2)."""
        observed = self._observe(record, live)
        changes = self._differing(self.item.owned, record, live) + self._wake(record, live)
        if not changes:
            self.unchanged += 1
            return observed
        reason = "differs" if any(change.field in self.item.owned for change in changes) else "woken"
        return [self._row(reason, record, live=live, changes=tuple(changes)), *observed]

    def _differing(
        self, fields: Sequence[Field], record: SourceRecord, live: LiveRecord
    ) -> list[FieldChange]:
        """Compare some fields, character for character and digit for digit."""
        changes = []
        for field in fields:
            before, after = getattr(live, field), self._desired(field, record)
            if before != after:
                changes.append(self._change(record.reference, field, before, after))
        return changes

    def _wake(self, record: SourceRecord, live: LiveRecord) -> list[FieldChange]:
        """R23: the one flag that is ever written on an existing record, and only ever to *active* (R7)."""
        if not (self.item.wakes and record.active and live.is_active is False):
            return []
        return [self._change(record.reference, Field.IS_ACTIVE, before=False, after=True)]

    def _observe(self, record: SourceRecord, live: LiveRecord) -> list[Row]:
        """R19: report what differs and is never written."""
        rows = []
        for change in self._differing(self.item.observed, record, live):
            reason = f"{change.field}_differs"
            rows.append(self._row(reason, record, live=live, changes=(change,)))
        return rows

    def _create(self, record: SourceRecord) -> list[Row]:
        """Decide about a source record that ExpenseIn has no exact match for."""
        lookalikes = tuple(
            live
            for live in self.live.lookalikes(record.reference)
            if live.reference not in self.source.references
        )
        if lookalikes:  # R28
            return [self._row("lookalike", record, detail=_list_live(lookalikes))]
        candidates = self.live.unreferenced(record.name)
        if candidates and self.decisions.adopt_by_name:
            return [self._adopt(record, candidates)]
        fields = (Field.REFERENCE, *self.item.owned, *self.item.on_creation)
        changes = tuple(
            FieldChange(field, None, self._desired(field, record), Origin.NEW)
            for field in fields
            if field not in self.decisions.absent
        )
        rows = [self._row("new", record, changes=changes)]
        if candidates:
            rows.append(
                self._row("adoption_candidate", record, live=candidates[0], detail=_list_live(candidates))
            )
        return rows

    def _adopt(self, record: SourceRecord, candidates: Sequence[LiveRecord]) -> Row:
        """R29: give the one live record of this name the reference, unless it could be the wrong one."""
        rivals = self._newcomers[record.name]
        if len(candidates) > 1 or rivals > 1:
            detail = f"{_list_live(candidates)}; {rivals} source record(s) of this name"
            return self._row("ambiguous_name", record, detail=detail)
        live = candidates[0]
        if self._observe(record, live):
            return self._row("adoption_rate_differs", record, live=live, detail=_list_live(candidates))
        reference = FieldChange(Field.REFERENCE, None, record.reference, Origin.NEW)
        return self._row("adopted", record, live=live, changes=(reference, *self._wake(record, live)))

    @cached_property
    def _newcomers(self) -> Counter[str]:
        """How many references that ExpenseIn does not have yet share a name."""
        references = {
            (record.name, record.reference)
            for record in self.source.records
            if not self.live.matches(record.reference)
        }
        return Counter(name for name, _ in references)

    def _orphans(self) -> Iterator[Row]:
        """R7: what is gone from the source stays as it is and is reported."""
        for reference, records in self.live.references():
            if reference not in self.source.references:
                for live in records:
                    yield Row(self.item.name, Kind.NOTICE, "orphan", reference, live.name, live.id)

    def _change(self, reference: str, field: Field, before: Value, after: Value) -> FieldChange:
        """Say where a difference comes from: source, last applied and live value compared."""
        last = self.applied.get(reference, {})
        if field not in last:
            origin = Origin.UNKNOWN
        else:
            source_changed, edited = after != last[field], before != last[field]
            origin = Origin.BOTH if source_changed and edited else Origin.EDITED if edited else Origin.SOURCE
        return FieldChange(field, before, after, origin)

    def _desired(self, field: Field, record: SourceRecord) -> Value:
        return _DESIRED[field](record, self.decisions)

    def _row(
        self,
        reason: str,
        record: SourceRecord,
        *,
        live: LiveRecord | None = None,
        changes: tuple[FieldChange, ...] = (),
        detail: str = "",
    ) -> Row:
        return Row(
            item=self.item.name,
            kind=REASONS[reason].kind,
            reason=reason,
            reference=record.reference,
            name=record.name,
            record_id=None if live is None else live.id,
            changes=changes,
            detail=detail,
            source=record,
        )


def _by_reference(records: Sequence[SourceRecord]) -> Iterator[tuple[str, Sequence[SourceRecord]]]:
    """Yield each reference with its records, in the order of the first; nearly every one has but one."""
    seen: set[str] = set()
    shared: dict[str, list[SourceRecord]] = {}
    for record in records:
        if record.reference in seen:
            shared[record.reference] = []
        seen.add(record.reference)
    for record in records if shared else ():
        if record.reference in shared:
            shared[record.reference].append(record)
    for record in records:
        if record.reference not in shared:
            yield record.reference, (record,)
        elif together := shared[record.reference]:
            yield record.reference, tuple(together)
            together.clear()


def is_blank(text: str) -> bool:
    """Tell whether a code or name is empty or nothing but white space (R30)."""
    return not text.strip()


def _list_live(records: Sequence[LiveRecord]) -> str:
    """Say which ExpenseIn records are meant."""
    return "in ExpenseIn: " + ", ".join(
        f"{record.reference!r} {record.name!r} (id {record.id})" for record in records
    )


def _list_records(records: Sequence[SourceRecord]) -> str:
    """Say how source records with one reference differ."""
    return "at the source: " + ", ".join(
        f"{record.name!r}"
        + ("" if record.active else " (inactive)")
        + ("" if record.rate is None else f" (rate {record.rate})")
        + ("" if record.entity is None else f" (entity {record.entity})")
        for record in records
    )

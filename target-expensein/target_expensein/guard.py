"""The gate: what of a plan may be written without a person looking at it first. Pure: no I/O, no Singer, no HTTP.

A plan does what the source says. When the source is wrong (another dimension was chosen, a filter was lost, half a list
arrived, an import shifted all names by a row), so is the plan, and much of it cannot be taken back: what is created is
never deleted (R7). The gate stands between plan and apply and knows two answers beside *yes*:

* A **hold** stops the item as a whole: nothing of it is written, the other items go on. The plan stays as it is, so that
  it can be looked at and approved; approval is the caller's business and lifts holds, nothing else.
* A **risk** stops one row: it becomes a held row that still shows what it would have written, and the rest goes on.

The limits count what the plan wants, the rows held as risks included: caution about single rows never makes a plan look
smaller than it is. The defaults and their reasons are the tables :data:`SETTINGS` and :data:`ITEM_DEFAULTS`, what each
reason code means is in :mod:`target_expensein.reasons`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from target_expensein.limits import Limit, Limits
from target_expensein.live import LiveIndex
from target_expensein.model import Field, Kind, LiveRecord, Origin, Row, Value
from target_expensein.names import are_related, fold_name
from target_expensein.plan import ItemPlan

EXAMPLES: Final = 5
"""How many examples a hold shows."""

RISKS: Final = {Kind.CREATE: "probable_recode", Kind.UPDATE: "code_reused"}
"""The reason that a row of each writing kind gets when it is held by itself."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the ledger knows of an item.

    Attributes:
        applied_before: Whether the item has ever been applied to its end.
        source_count: Length of the last complete source list that was applied, after the filter; None if there was none.
    """

    applied_before: bool
    source_count: int | None


@dataclass(frozen=True, slots=True)
class Hold:
    """Why an item is held as a whole.

    Attributes:
        reason: Stable code, a key of :mod:`target_expensein.reasons`.
        number: How many there are of what is limited; for an empty list, how many it should have.
        allowed: How many would have passed.
        summary: Which limit, and the numbers, in a sentence.
        examples: At most five lines of text, one for a record.
    """

    reason: str
    number: int
    allowed: int
    summary: str
    examples: tuple[str, ...]

    @property
    def message(self) -> str:
        """The whole message: the summary, and the examples on lines of their own."""
        heading = f"{self.summary}; for example:" if self.examples else f"{self.summary}."
        return "\n".join((heading, *(f"  {example}" for example in self.examples)))


@dataclass(frozen=True, slots=True)
class Gated:
    """A plan that has been through the gate.

    Attributes:
        plan: The plan, its risky rows held. Its writes are what an approval lets through.
        holds: Why nothing of the item may be written; empty when it may.
    """

    plan: ItemPlan
    holds: tuple[Hold, ...] = ()

    @property
    def writes(self) -> tuple[Row, ...]:
        """The rows that may be written without approval."""
        return () if self.holds else self.plan.writes


def gate(plan: ItemPlan, source_count: int, live: LiveIndex, past: Past, limits: Limits) -> Gated:
    """Decide what of one item's plan may be written.

    An item that has never been applied may create what it needs: neither the limit on creates nor the comparison with what
    ExpenseIn has stands in its way. All else holds from the first run on.

    Args:
        plan: The item's plan.
        source_count: How many source records passed the item's filter.
        live: ExpenseIn's state that the plan was made with.
        past: What the ledger knows of the item.
        limits: The item's limits.

    Returns:
        The plan with risky rows held, and the holds. Rows keep their order, and none is added or written differently. The
        gate changes nothing in a plan that has been through it.
    """
    careful = _hold_risks(plan, live, limits)
    return Gated(careful, tuple(_holds(careful, source_count, live, past, limits)))


def _holds(plan: ItemPlan, source_count: int, live: LiveIndex, past: Past, limits: Limits) -> Iterator[Hold]:
    """Yield each hold on an item: first those of its source list, then those of its writes."""
    creates, updates = _planned(plan, Kind.CREATE), _planned(plan, Kind.UPDATE)
    orphans = [row for row in plan.rows if row.reason == "orphan"]
    referenced = sum(len(records) for _, records in live.references())
    last = past.source_count

    expected = referenced if last is None else last
    if source_count == 0 and expected > 0 and "empty_source" not in limits.allow:
        before = "ExpenseIn has" if last is None else "the last complete one had"
        summary = f"the source list is empty, {before} {expected} (limits.empty_source: hold)"
        yield Hold("empty_source", expected, 0, summary, _examples(orphans))
    if source_count > 0 and last is not None:
        missing = last - source_count
        found = f"{source_count} in the source list, {last} in the last complete one, {missing} missing"
        yield from _over("short_source", limits.missing, missing, last, found=found, rows=orphans)

    if past.applied_before and creates:
        if 0 < referenced == len(orphans) and "unrelated_source" not in limits.allow:
            summary = (
                f"{len(creates)} to create, and none of the {referenced} that ExpenseIn has is in the source list "
                "(limits.unrelated_source: hold)"
            )
            yield Hold("unrelated_source", len(creates), 0, summary, _examples(creates))
        found = f"{len(creates)} to create, {len(live)} in ExpenseIn"
        yield from _over(
            "too_many_creates", limits.creates, len(creates), len(live), found=found, rows=creates
        )
    found = f"{len(updates)} to change, {len(live)} in ExpenseIn"
    yield from _over("too_many_updates", limits.updates, len(updates), len(live), found=found, rows=updates)


def _over(
    reason: str, limit: Limit, number: int, base: int, *, found: str, rows: Sequence[Row]
) -> Iterator[Hold]:
    """Yield a hold if a number is above its limit; the summary names each setting that it is above."""
    allowed, share = limit.allowed(base), limit.share(base)
    if allowed is None or number <= allowed:
        return
    above = []
    if limit.count is not None and number > limit.count:
        above.append(f"limits.{limit.name}_count: {limit.count}")
    if share is not None and number > share:
        above.append(f"limits.{limit.name}_percent: {limit.percent} (that is {share})")
    if allowed == limit.floor:
        above.append(f"limits.floor: {limit.floor}")
    yield Hold(reason, number, allowed, f"{found}; more than {' and '.join(above)}", _examples(rows))


def _planned(plan: ItemPlan, kind: Kind) -> list[Row]:
    """Return the rows that write, or would if the gate did not hold them as risks."""
    return [row for row in plan.rows if row.kind is kind or row.reason == RISKS[kind]]


def _examples(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(_example(row) for row in rows[:EXAMPLES])


def _example(row: Row) -> str:
    """Show a record that would be changed by its changes, any other by its name."""
    if row.kind is Kind.UPDATE or row.reason == RISKS[Kind.UPDATE]:
        changes = (
            f"{change.field}: {_shown(change.before)} → {_shown(change.after)}" for change in row.changes
        )
        return f"{row.reference!r}  {', '.join(changes)}"
    gone = "  not in the source list" if row.reason == "orphan" else ""
    return f"{row.reference!r}  {row.name!r}{gone}"


def _shown(value: Value) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case _:
            return repr(value)


# Risks of single rows


def _hold_risks(plan: ItemPlan, live: LiveIndex, limits: Limits) -> ItemPlan:
    """Turn each risky write into a held row."""
    recodes = {} if RISKS[Kind.CREATE] in limits.allow else _recodes(plan, live)
    reuse_held = RISKS[Kind.UPDATE] not in limits.allow

    def careful(row: Row) -> Row:
        if row.kind is Kind.CREATE and (gone := recodes.get(fold_name(row.name))):
            pairs = ", ".join(f"{old.reference!r} {old.name!r} (id {old.id})" for old in gone)
            detail = f"in ExpenseIn, its own code gone from the source: {pairs}"
        elif row.kind is Kind.UPDATE and reuse_held and _reuses_code(row):
            detail = row.detail
        else:
            return row
        return replace(row, kind=Kind.HELD, reason=RISKS[row.kind], detail=detail)

    return replace(plan, rows=tuple(map(careful, plan.rows)))


def _recodes(plan: ItemPlan, live: LiveIndex) -> dict[str, list[LiveRecord]]:
    """Find the orphans that a record to create is probably the successor of.

    A name that a record has whose code still is at the source proves nothing: it is shared by several. Nor does an orphan
    that has been made inactive: somebody has taken care of it.

    Returns:
        Folded name of a record to create → the orphans that have it.
    """
    names = {fold_name(row.name) for row in plan.rows if row.kind is Kind.CREATE}
    gone = {row.record_id for row in plan.rows if row.reason == "orphan"}
    if not (names and gone):
        return {}  # as on most nights: then the names of a long list need not be folded
    bearers: dict[str, list[LiveRecord]] = {}
    for _, records in live.references():
        for record in records:
            if record.is_active is not False and (name := fold_name(record.name)) in names:
                bearers.setdefault(name, []).append(record)
    return {name: records for name, records in bearers.items() if gone.issuperset(r.id for r in records)}


def _reuses_code(row: Row) -> bool:
    """Tell whether the source has given the row's code to something else.

    Only the source can, so that a name edited in ExpenseIn is no sign of it, nor is one of which the ledger does not know
    where it comes from: overwriting it is what the sync is for (R2).
    """
    return any(
        change.field is Field.NAME
        and change.origin in {Origin.SOURCE, Origin.BOTH}
        and isinstance(change.before, str)
        and isinstance(change.after, str)
        and not are_related(change.before, change.after)
        for change in row.changes
    )

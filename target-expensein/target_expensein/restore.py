"""Taking a run back: from what the ledger knows of it and the live state to a plan of its own. Pure: no I/O.

A restore puts each field that the run wrote back to its value from before, if the live value still is what the run
wrote. Whoever changed it since, a person or a later run, had a reason: then nothing is written, and both values are
shown. What the run created stays, and what it made active stays active, since nothing is ever deleted or made inactive
(R7); both are listed for whoever wants to see to it by hand.

A reference that the run gave to a record without one (R29) is taken away again only if the record still has both the
name and the reference that it had then. If it has another name, somebody, or the sync, has gone on to use it as that
record.

The ledger keeps what the sync applied last. So the next sync shows each restored value as edited in ExpenseIn, and writes
it again unless the source, the filter or the settings were put right first (R2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from target_expensein.apply import Status
from target_expensein.engine import Task
from target_expensein.items import ITEMS
from target_expensein.ledger import Entry
from target_expensein.limits import limits_from
from target_expensein.live import LiveIndex
from target_expensein.model import WRITES, Applied, Field, FieldChange, Kind, LiveRecord, Origin, Row
from target_expensein.plan import ItemPlan
from target_expensein.reasons import REASONS
from target_expensein.settings import Settings

MAY_BE_THERE: Final = frozenset({Status.DONE, Status.SENT, Status.UNKNOWN, Status.UNSETTLED, None})
"""What became of the writes that a restore looks at.

Beside those that were done, these are the ones of which the run never learnt: only the live value can tell, and a restore
holds against it anyway.
"""

RESTORED_FIELDS: Final = frozenset({Field.REFERENCE, Field.NAME})
"""The fields that an update of the sync writes and that may be put back. The other one is the active flag (R7)."""


def written(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return those of a run's entries that wrote, or may have written, to ExpenseIn.

    Args:
        entries: All of the run's entries.
    """
    return tuple(entry for entry in entries if entry.row.kind in WRITES and entry.status in MAY_BE_THERE)


def restore_tasks(settings: Settings, entries: Sequence[Entry]) -> list[Task]:
    """Return the tasks that take a run back.

    Args:
        settings: The settings.
        entries: What the run wrote, as :func:`written` gives it.

    Returns:
        One task for each item that the run wrote to. That of an item that is switched off fails: it is neither read
        nor written (R4).
    """
    return [
        _task(settings, item, of_item)
        for item in ITEMS
        if (of_item := tuple(entry for entry in entries if entry.row.item == item))
    ]


def _task(settings: Settings, item: str, entries: Sequence[Entry]) -> Task:
    enabled = settings.items.get(item)
    switched_off = (
        f"the run wrote {len(entries)} of them, but the item is switched off. Set items.{item}.enabled to true to "
        "restore them."
    )
    return Task(
        item=item,
        plan=partial(plan_restore, item, entries),
        source_count=len(entries),
        limits=limits_from({}, item) if enabled is None else enabled.limits,
        compare_length=False,
        problem=switched_off if enabled is None else None,
    )


def plan_restore(item: str, entries: Sequence[Entry], live: LiveIndex, _applied: Applied) -> ItemPlan:
    """Plan how to take back what a run wrote to one item.

    Args:
        item: Name of the item.
        entries: What the run wrote to it.
        live: ExpenseIn's state.
        _applied: What was applied last; a restore goes by what the run itself wrote.

    Returns:
        The plan. What is as it was before the run, whoever saw to that, counts as unchanged.
    """
    rows: list[Row] = []
    unchanged = 0
    for entry in entries:
        of_entry = tuple(_take_back(entry, live))
        rows.extend(of_entry)
        unchanged += not of_entry
    return ItemPlan(item, tuple(rows), unchanged, filtered=0)


def _take_back(entry: Entry, live: LiveIndex) -> Iterator[Row]:
    """Yield the rows for one write of the run."""
    row = entry.row
    if row.kind is Kind.CREATE:
        yield from _created(entry, live)
        return
    record = _find(row, live)
    if record is None:
        yield _row("restore_changed_since", row, detail=f"no such record any more; {_history(row.changes)}")
        return
    for change in row.changes:
        if change.field in RESTORED_FIELDS:
            yield from _put_back(entry, change, record, live)
        else:
            yield from _leave_active(row, change, record)


def _find(row: Row, live: LiveIndex) -> LiveRecord | None:
    """Return the record that the run updated, if it still is the one of that reference (R8)."""
    candidates = live.matches(row.reference or "")
    if Field.REFERENCE in row.values:  # given or taken away: without it, the record is known by its name
        candidates += live.unreferenced(row.name or "")
    return next((record for record in candidates if record.id == row.record_id), None)


def _created(entry: Entry, live: LiveIndex) -> Iterator[Row]:
    """Yield a notice of what the run created, unless somebody has retired it already."""
    for record in live.matches(entry.row.reference or ""):
        if entry.answer in {record.id, None} and record.is_active is not False:
            yield _row("restore_created", entry.row, record)


def _leave_active(row: Row, change: FieldChange, record: LiveRecord) -> Iterator[Row]:
    live_value = getattr(record, change.field)
    if live_value != change.before:
        left = FieldChange(change.field, live_value, change.before, Origin.UNKNOWN)
        yield _row("restore_stays_active", row, record, (left,))


def _put_back(entry: Entry, change: FieldChange, record: LiveRecord, live: LiveIndex) -> Iterator[Row]:
    """Yield what is to be done about one field; nothing when it has its value from before."""
    row = entry.row
    live_value = getattr(record, change.field)
    if live_value == change.before:
        return
    back = FieldChange(change.field, live_value, change.before, Origin.UNKNOWN)
    if live_value != change.after:
        detail = f"{_history((change,))}, now it is {live_value!r}"
    elif change.field is Field.REFERENCE and record.name != row.name:
        detail = f"{_history((change,))}, when its name was {row.name!r}"
    elif change.field is Field.REFERENCE and isinstance(change.before, str) and live.matches(change.before):
        detail = f"{_history((change,))}; another record has that reference now"
    else:
        yield _row("restored", row, record, (back,), f"as before run {entry.run_id}")
        return
    yield _row("restore_changed_since", row, record, (back,), detail)


def _history(changes: Sequence[FieldChange]) -> str:
    return ", ".join(
        f"the run wrote {change.field} {change.after!r} over {change.before!r}" for change in changes
    )


def _row(
    reason: str,
    row: Row,
    record: LiveRecord | None = None,
    changes: tuple[FieldChange, ...] = (),
    detail: str = "",
) -> Row:
    """Return a row of the restore for a row of the run."""
    return Row(
        item=row.item,
        kind=REASONS[reason].kind,
        reason=reason,
        reference=row.reference,
        name=row.name if record is None else record.name,
        record_id=row.record_id if record is None else record.id,
        changes=changes,
        detail=detail,
    )

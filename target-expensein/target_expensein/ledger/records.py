"""What the ledger tells: runs, entries and holds; and how values become text and come back, digit for digit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import simplejson
from sqlalchemy import RowMapping

from target_expensein import exactjson
from target_expensein.apply import Status
from target_expensein.model import Field, FieldChange, Kind, Origin, Row

TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"

INTERRUPTED: Final = "interrupted"
"""Outcome of a run that began and never finished."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run as the ledger has it.

    Attributes:
        number: 1, 2, 3 … in its account.
        run_id: The id of its output directory, too.
        mode: The target's mode.
        versions: What ran: name → version.
        config_digest: Digest of the configuration without its secrets.
        host: The machine.
        pid: The process.
        began_at: When it began, UTC.
        finished_at: When it finished; None when it did not.
        outcome: How it ended; ``interrupted`` when a later run found that it never did; None when it is still at
            work, or was cut off and no later run has come yet.
        exit_code: What it told the shell.
        counts: Numbers for each item, as they were given.
        approval: Digest of the plan whose approval it used up.
        hash: Its place in the chain; whoever knows it can tell later that nothing up to here was changed. None
            until the run is closed.
        pruned: Whether its entries were removed since.
    """

    number: int
    run_id: str
    mode: str
    versions: Mapping[str, str]
    config_digest: str
    host: str
    pid: int
    began_at: datetime
    finished_at: datetime | None
    outcome: str | None
    exit_code: int | None
    counts: Mapping[str, Any]
    approval: str | None
    hash: str | None
    pruned: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a plan as the ledger has it: a write that was intended, or a row that was held or rejected.

    Attributes:
        run_id: The run.
        run: Its number.
        position: The place within the run.
        row: The row, without its source record.
        status: What became of it; None when that was never noted: the write may or may not have happened.
        reason: Stable reason code of the outcome.
        detail: The particulars of the outcome.
        answer: What the server said.
        noted_at: When the write was intended, UTC.
        settled_at: When its outcome was noted; None when it was not.
        found_by: The later run that found the status out, when the run itself could not note it.
    """

    run_id: str
    run: int
    position: int
    row: Row
    status: Status | None
    reason: str
    detail: str
    answer: Any
    noted_at: datetime
    settled_at: datetime | None
    found_by: str | None = None


@dataclass(frozen=True, slots=True)
class ItemHold:
    """An item that was held whole.

    Attributes:
        item: Name of the item.
        reason: Stable reason code.
        message: What was wrong, with the numbers, and what to do.
        facts: The numbers and examples, for machines.
    """

    item: str
    reason: str
    message: str
    facts: Any


encode: Final = exactjson.canonical
"""Gives the text that the ledger keeps of a value."""


def decode(text: str | None) -> Any:  # noqa: ANN401 - whatever was encoded
    """Return what was encoded; None stays None."""
    return None if text is None else simplejson.loads(text, use_decimal=True)


def decode_values(text: str) -> Any:  # noqa: ANN401 - objects and lists of field values
    """Return what was encoded, every number a Decimal."""
    return simplejson.loads(text, use_decimal=True, parse_int=Decimal)


def time_text(time: datetime) -> str:
    """Return a time as the ledger keeps it."""
    return time.astimezone(UTC).strftime(TIME_FORMAT)


def time_from(text: str) -> datetime:
    """Return a time that the ledger keeps."""
    return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=UTC)


def row_columns(row: Row) -> dict[str, str]:
    """Return a plan's row as columns of an entry."""
    return {
        "item": row.item,
        "kind": row.kind.value,
        "reason": row.reason,
        "reference": encode(row.reference),
        "name": encode(row.name),
        "record_id": encode(row.record_id),
        "changes": encode(
            [[change.field, change.before, change.after, change.origin] for change in row.changes]
        ),
        "detail": encode(row.detail),
    }


def run_from(columns: RowMapping, pruned_through: int) -> Run:
    """Return a run from its columns.

    Args:
        columns: The columns of the table of runs.
        pruned_through: Number of the last run whose entries were removed.
    """
    return Run(
        number=columns["number"],
        run_id=columns["run_id"],
        mode=columns["mode"],
        versions=decode(columns["versions"]),
        config_digest=columns["config_digest"],
        host=columns["host"],
        pid=columns["pid"],
        began_at=time_from(columns["began_at"]),
        finished_at=columns["finished_at"] and time_from(columns["finished_at"]),
        outcome=columns["outcome"],
        exit_code=columns["exit_code"],
        counts=decode(columns["counts"]) or {},
        approval=columns["approval"],
        hash=columns["hash"],
        pruned=columns["number"] <= pruned_through,
    )


def entry_from(columns: RowMapping, finding: RowMapping | None) -> Entry:
    """Return an entry from its columns.

    Args:
        columns: The columns of the table of entries, and its run's ``run_id``.
        finding: The columns of the latest finding about it, and ``found_by``, the run's id, if there is one.
    """
    status = columns["status"] if finding is None else finding["status"]
    detail = columns["settled_detail"] if finding is None else finding["detail"]
    settled_at = columns["settled_at"] if finding is None else finding["noted_at"]
    return Entry(
        run_id=columns["run_id"],
        run=columns["run"],
        position=columns["position"],
        row=_row(columns),
        status=status and Status(status),
        reason=columns["settled_reason"] or columns["reason"],
        detail=decode(detail) or "",
        answer=decode(columns["answer"]),
        noted_at=time_from(columns["noted_at"]),
        settled_at=settled_at and time_from(settled_at),
        found_by=None if finding is None else finding["found_by"],
    )


def hold_from(columns: RowMapping) -> ItemHold:
    """Return an item's hold from its columns."""
    return ItemHold(
        item=columns["item"],
        reason=columns["reason"],
        message=decode(columns["message"]),
        facts=decode(columns["facts"]),
    )


def _row(columns: RowMapping) -> Row:
    return Row(
        item=columns["item"],
        kind=Kind(columns["kind"]),
        reason=columns["reason"],
        reference=decode(columns["reference"]),
        name=decode(columns["name"]),
        record_id=decode(columns["record_id"]),
        changes=tuple(
            FieldChange(Field(field), before, after, Origin(origin))
            for field, before, after, origin in decode_values(columns["changes"])
        ),
        detail=decode(columns["detail"]),
    )

"""What a run writes to the ledger while it is at work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, update

from target_expensein.apply import Status
from target_expensein.ledger.applied import Values, batches, digest
from target_expensein.ledger.chain import BATCH, close_run
from target_expensein.ledger.database import Database
from target_expensein.ledger.errors import LedgerError, explained
from target_expensein.ledger.lock import Lock
from target_expensein.ledger.records import INTERRUPTED, Entry, encode, row_columns, time_text
from target_expensein.ledger.tables import APPLIED, ENTRIES, FINDINGS, HOLDS, ITEMS, JOURNAL, RUNS
from target_expensein.model import WRITES, RecordId, Row

SETTLE: Final = (
    update(ENTRIES)
    .where(
        ENTRIES.c.account == bindparam("of_account"),
        ENTRIES.c.run == bindparam("of_run"),
        ENTRIES.c.position == bindparam("at_position"),
        exists().where(
            RUNS.c.account == ENTRIES.c.account, RUNS.c.number == ENTRIES.c.run, RUNS.c.hash.is_(None)
        ),
    )
    .values(
        {
            column: bindparam(f"new_{column.name}")
            for column in (
                ENTRIES.c.status,
                ENTRIES.c.settled_reason,
                ENTRIES.c.settled_detail,
                ENTRIES.c.answer,
                ENTRIES.c.settled_at,
            )
        }
    )
)
"""Settles an entry of a run that is not closed, in one statement: this one is carried out thousands of times."""


class RunLog:
    """The ledger's page for the run at work; see :meth:`target_expensein.ledger.ledger.Ledger.begin`.

    Safe for threads. Every method raises :class:`LedgerError` if the database fails: then nothing further may be
    written to ExpenseIn, because it would leave no trace.
    """

    def __init__(
        self, database: Database, lock: Lock, account: str, number: int, now: Callable[[], datetime]
    ) -> None:
        """Open the page."""
        self._database = database
        self._lock = lock
        self._account = account
        self._number = number
        self._now = now
        self._mutex = threading.Lock()
        self._position = 0
        self._intended: dict[tuple[str, str | None, RecordId | None], int] = {}
        self._quick: Connection | None = None
        self._waiting: list[Mapping[str, Any]] = []

    def intend(self, rows: Sequence[Row]) -> None:
        """Note writes before the first of them is sent; when this returns, they outlive even a power cut.

        Args:
            rows: The writes of an item. Those that are noted already stay as they are.

        Raises:
            LedgerError: If they could not be noted, or the lock is lost: then nothing may be sent.
        """
        with self._mutex:
            self._lock.check()
            fresh = [row for row in rows if row.kind in WRITES and _key(row) not in self._intended]
            position = self._position
            self._note(fresh)
            self._intended |= {_key(row): position + index for index, row in enumerate(fresh, start=1)}

    def settle(self, row: Row, status: Status, reason: str, detail: str, answer: Any) -> None:  # noqa: ANN401 - JSON
        """Note what became of a write; may be repeated, the last word counts. For any thread.

        Outlives a crash of the program; after a power cut the write may show as not settled again.

        Args:
            row: The row that was intended.
            status: What became of it.
            reason: Stable reason code.
            detail: The particulars.
            answer: What the server said, as JSON; None when it said nothing. Hand over no more than may be kept.

        Raises:
            LedgerError: If the write was not intended, or the outcome could not be noted.
        """
        position = self._intended.get(_key(row))
        if position is None:
            problem = (
                f"ledger {self._database.location}: a write was not noted before it was sent ({row.item})."
            )
            raise LedgerError(problem)
        note = {
            "of_account": self._account,
            "of_run": self._number,
            "at_position": position,
            "new_status": status.value,
            "new_settled_reason": reason,
            "new_settled_detail": encode(detail),
            "new_answer": None if answer is None else encode(answer),
            "new_settled_at": time_text(self._now()),
        }
        self._waiting.append(note)
        with self._mutex:
            self._write_waiting(note)

    def _write_waiting(self, own: Mapping[str, Any]) -> None:
        """Write a note and all that came while others wrote theirs, in one transaction.

        Whoever comes first writes for those who wait behind him; they find their own notes written. The order in which
        the notes came is kept.
        """
        batch = self._waiting[:]
        if not any(note is own for note in batch):
            return
        try:
            with self._quickly() as connection:
                if connection.execute(SETTLE, batch).rowcount != len(batch):
                    raise self._closed()
        except LedgerError:
            self._waiting.remove(own)  # the others try for themselves, and learn what is wrong
            raise
        del self._waiting[: len(batch)]

    def settle_found(self, entry: Entry, status: Status, detail: str) -> None:
        """Note what became of a write of an earlier run, which could not note it itself.

        The earlier run stays as it was closed; this is an addition to the run at work.

        Args:
            entry: One of :meth:`target_expensein.ledger.ledger.Ledger.unsettled`.
            status: What became of it, as ExpenseIn's live state shows.
            detail: How that was found out.
        """
        with self._mutex, self._quickly() as connection:
            self._require_open(connection)
            connection.execute(
                insert(FINDINGS).values(
                    **self._place(),
                    of_run=entry.run,
                    of_position=entry.position,
                    status=status.value,
                    detail=encode(detail),
                )
            )

    def hold(self, rows: Sequence[Row]) -> None:
        """Note rows that were held."""
        with self._mutex:
            self._note(rows, Status.HELD)

    def reject(self, rows: Sequence[Row]) -> None:
        """Note rows that were rejected."""
        with self._mutex:
            self._note(rows, Status.REJECTED)

    def hold_item(self, item: str, reason: str, message: str, facts: Any) -> None:  # noqa: ANN401 - JSON
        """Note that an item was held whole.

        Args:
            item: Name of the item.
            reason: Stable reason code.
            message: What was wrong, with the numbers, and what to do.
            facts: The numbers and examples, as JSON.
        """
        with self._mutex, self._writing() as connection:
            connection.execute(
                insert(HOLDS).values(
                    **self._place(), item=item, reason=reason, message=encode(message), facts=encode(facts)
                )
            )

    def applied(self, item: str, values: Values, source_count: int) -> None:
        """Keep what an item has after it was proven; only what changed is written.

        Args:
            item: Name of the item.
            values: Reference → field → value. References that are not in here keep what they had.
            source_count: How many records the complete source list had, after the filter.
        """
        account = self._account
        fresh = {"source_count": source_count, "run": self._number, "values_digest": digest(values)}
        this_item = (ITEMS.c.account == account, ITEMS.c.item == item)
        with self._mutex, self._writing() as connection:
            known = connection.execute(select(ITEMS.c.values_digest).where(*this_item)).one_or_none()
            if known is None:
                connection.execute(insert(ITEMS).values(account=account, item=item, **fresh))
            else:
                connection.execute(update(ITEMS).where(*this_item).values(**fresh))
            if known is None or known.values_digest != fresh["values_digest"]:
                for batch in batches(values, BATCH):
                    self._apply(connection, item, batch)

    def _apply(self, connection: Connection, item: str, fresh: Mapping[str, str]) -> None:
        """Write what changed of some references."""
        of_item = (APPLIED.c.account == self._account, APPLIED.c.item == item)
        statement = select(APPLIED.c.reference, APPLIED.c.fields).where(
            *of_item, APPLIED.c.reference.in_(fresh)
        )
        known = dict(connection.execute(statement).tuples().all())
        changed = [
            {"of_reference": reference, "new_fields": fields}
            for reference, fields in fresh.items()
            if known.get(reference, fields) != fields
        ]
        added = [
            {"account": self._account, "item": item, "reference": reference, "fields": fields}
            for reference, fields in fresh.items()
            if reference not in known
        ]
        if changed:
            connection.execute(
                update(APPLIED)
                .where(*of_item, APPLIED.c.reference == bindparam("of_reference"))
                .values(fields=bindparam("new_fields")),
                changed,
            )
        if added:
            connection.execute(insert(APPLIED), added)

    def use_approval(self, digest: str) -> None:
        """Use up the approval of a plan: it is for one run, and if that is cut off, for the one that takes over.

        Args:
            digest: The plan's digest.

        Raises:
            LedgerError: If a run that was not cut off has used it already.
        """
        with self._mutex, self._writing() as connection:
            used = select(
                exists().where(
                    RUNS.c.account == self._account,
                    RUNS.c.approval == digest,
                    RUNS.c.outcome.is_distinct_from(INTERRUPTED),
                )
            )
            if connection.execute(used).scalar_one():
                problem = f"ledger {self._database.location}: the approval {digest} has been used already."
                raise LedgerError(problem)
            connection.execute(update(RUNS).where(*self._this_run).values(approval=digest))

    def prune(self, keep_days: int) -> int:
        """Remove the entries of old runs. The runs themselves stay, with their hashes, and the chain still verifies.

        Args:
            keep_days: Entries of runs that began at most this many days ago stay.

        Returns:
            How many runs were pruned.
        """
        kept = time_text(self._now() - timedelta(days=keep_days))
        account = self._account
        with self._mutex, self._writing() as connection:
            first_kept = connection.execute(
                select(func.min(RUNS.c.number)).where(
                    RUNS.c.account == account, (RUNS.c.began_at >= kept) | (RUNS.c.number == self._number)
                )
            ).scalar_one()
            pruned = connection.execute(
                select(func.max(RUNS.c.pruned_through)).where(RUNS.c.account == account)
            ).scalar()
            through: int = first_kept - 1
            before: int = pruned or 0
            if through <= before:
                return 0
            for table in JOURNAL:
                connection.execute(delete(table).where(table.c.account == account, table.c.run <= through))
            connection.execute(update(RUNS).where(*self._this_run).values(pruned_through=through))
            return through - before

    def finish(self, outcome: str, exit_code: int, counts: Mapping[str, Any]) -> str:
        """Close the run.

        Args:
            outcome: How it ended, in a word.
            exit_code: What it tells the shell.
            counts: Numbers for each item.

        Returns:
            The run's hash. Kept outside the ledger, it proves later that nothing up to here was changed.
        """
        self.close()
        with self._mutex, self._writing() as connection:
            return close_run(
                connection,
                self._account,
                self._number,
                finished_at=time_text(self._now()),
                outcome=outcome,
                exit_code=exit_code,
                counts=encode(counts),
            )

    def close(self) -> None:
        """Give back the connection; the run is not finished by that."""
        with self._mutex:
            if self._quick is not None:
                self._quick.close()
                self._quick = None

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Offer a writing transaction, unless the run is closed."""
        with self._database.writing() as connection:
            self._require_open(connection)
            yield connection

    @contextmanager
    def _quickly(self) -> Iterator[Connection]:
        """Offer a writing transaction that does not wait for the disk."""
        if self._quick is None:
            self._quick = self._database.quick()
        with explained(self._database.location), self._quick.begin():
            yield self._quick

    def _require_open(self, connection: Connection) -> None:
        """Make sure that what is closed is never written to again, by whomever it was closed."""
        is_open = select(exists().where(*self._this_run, RUNS.c.hash.is_(None)))
        if not connection.execute(is_open).scalar_one():
            raise self._closed()

    def _closed(self) -> LedgerError:
        problem = "the run is closed already, by itself or by another run: nothing further is written"
        return LedgerError(f"ledger {self._database.location}: {problem}.")

    @property
    def _this_run(self) -> tuple[Any, Any]:
        return RUNS.c.account == self._account, RUNS.c.number == self._number

    def _place(self) -> dict[str, Any]:
        """Return the next place on the page."""
        self._position += 1
        return {
            "account": self._account,
            "run": self._number,
            "position": self._position,
            "noted_at": time_text(self._now()),
        }

    def _note(self, rows: Sequence[Row], status: Status | None = None) -> None:
        """Write rows as entries, in one transaction."""
        if not rows:
            return
        settled = (
            {}
            if status is None
            else {"status": status.value, "settled_detail": encode(""), "settled_at": time_text(self._now())}
        )
        with self._writing() as connection:
            for start in range(0, len(rows), BATCH):
                batch = rows[start : start + BATCH]
                connection.execute(
                    insert(ENTRIES), [{**self._place(), **row_columns(row), **settled} for row in batch]
                )


def _key(row: Row) -> tuple[str, str | None, RecordId | None]:
    """Return what tells a write from the others of a run."""
    return row.item, row.reference, row.record_id

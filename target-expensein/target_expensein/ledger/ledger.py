"""One account's ledger: opening, locking, reading. What a run writes is in ``runlog.py``."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sqlalchemy import ColumnElement, Connection, Select, exists, func, insert, or_, select, update

from target_expensein.apply import Status
from target_expensein.guard import Past
from target_expensein.ledger.applied import LastApplied
from target_expensein.ledger.chain import BEGINNING, close_run, verify
from target_expensein.ledger.database import Database, open_database
from target_expensein.ledger.errors import LedgerError, LedgerLocked
from target_expensein.ledger.lock import lock_for
from target_expensein.ledger.migrations import migrate
from target_expensein.ledger.records import (
    INTERRUPTED,
    Entry,
    ItemHold,
    Run,
    decode,
    encode,
    entry_from,
    hold_from,
    run_from,
    time_text,
)
from target_expensein.ledger.runlog import RunLog
from target_expensein.ledger.tables import ACCOUNTS, ENTRIES, FINDINGS, HOLDS, ITEMS, RUNS
from target_expensein.model import WRITES, Applied, Kind


class Ledger:
    """The ledger of one account; use :meth:`open`. Every method raises :class:`LedgerError` if the database fails."""

    def __init__(self, database: Database, account: str, now: Callable[[], datetime]) -> None:
        """Keep the surroundings; :meth:`open` makes them."""
        self._database = database
        self._account = account
        self._now = now
        self._lock = lock_for(database, account)
        self._locked = False
        self._log: RunLog | None = None

    @classmethod
    def open(cls, url: str, account: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Self:
        """Open a ledger; a SQLite file is made on first use, and the tables are brought to this version.

        Args:
            url: The path of a SQLite file, ``sqlite:///path`` or ``postgresql://user:password@host/database``.
            account: What to call the ExpenseIn account. Accounts in one database have nothing to do with each other.
            now: The clock.

        Returns:
            The ledger. Close it, or use it as a context.

        Raises:
            LedgerError: If it cannot be opened; the message says why and what to do, and repeats no password.
        """
        database = open_database(url)
        try:
            migrate(database, now())
        except LedgerError:
            database.close()
            raise
        return cls(database, account, now)

    def __enter__(self) -> Self:
        """Return the ledger."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the ledger."""
        self.close()

    def close(self) -> None:
        """Close all connections, and give back the lock."""
        self._end()
        self._database.close()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other runs of this account out, until the end of the context or of the process.

        Raises:
            LedgerLocked: If another run is at work; the message says which.
        """
        if not self._lock.acquire():
            raise LedgerLocked(self._holder())
        try:
            self._note_holder()
            self._locked = True
            yield
        finally:
            self._end()

    def begin(self, mode: str, versions: Mapping[str, str], config_digest: str, run_id: str) -> RunLog:
        """Begin a run. Runs of this account that never finished are closed as interrupted.

        Args:
            mode: The target's mode.
            versions: What runs: name → version.
            config_digest: Digest of the configuration without its secrets.
            run_id: The run's id, new to this account.

        Returns:
            What the run writes to.

        Raises:
            LedgerError: If the lock is not held.
        """
        if not self._locked:
            problem = f"ledger {self._database.location}: a run needs the lock."
            raise LedgerError(problem)
        account = self._account
        with self._database.writing() as connection:
            unfinished = select(RUNS.c.number).where(RUNS.c.account == account, RUNS.c.hash.is_(None))
            for number in connection.execute(unfinished.order_by(RUNS.c.number)).scalars().all():
                close_run(connection, account, number, outcome=INTERRUPTED)
            number = connection.execute(
                update(ACCOUNTS)
                .where(ACCOUNTS.c.account == account)
                .values(last_run=ACCOUNTS.c.last_run + 1)
                .returning(ACCOUNTS.c.last_run)
            ).scalar_one()
            connection.execute(
                insert(RUNS).values(
                    account=account,
                    number=number,
                    run_id=run_id,
                    mode=mode,
                    versions=encode(versions),
                    config_digest=config_digest,
                    host=socket.gethostname(),
                    pid=os.getpid(),
                    began_at=time_text(self._now()),
                )
            )
        self._log = RunLog(self._database, self._lock, account, number, self._now)
        return self._log

    def now(self) -> datetime:
        """Return the time on the ledger's clock."""
        return self._now()

    def past(self, item: str) -> Past:
        """Return what is known of an item from the last time it was applied."""
        statement = select(ITEMS.c.source_count).where(ITEMS.c.account == self._account, ITEMS.c.item == item)
        with self._database.reading() as connection:
            count = connection.execute(statement).scalar_one_or_none()
        return Past(count is not None, count)

    def applied(self, item: str) -> Applied:
        """Return what was applied last: reference → field → value; read as it is asked for."""
        return LastApplied(self._database, self._account, item)

    def approval_used(self, digest: str) -> bool:
        """Tell whether some run has used the approval of this plan."""
        statement = select(exists().where(RUNS.c.account == self._account, RUNS.c.approval == digest))
        with self._database.reading() as connection:
            return bool(connection.execute(statement).scalar_one())

    def approval_interrupted(self, digest: str) -> bool:
        """Tell whether the latest run that used the approval of this plan was cut off.

        A run counts as cut off from the moment that the next one begins.
        """
        statement = (
            select(RUNS.c.outcome)
            .where(RUNS.c.account == self._account, RUNS.c.approval == digest)
            .order_by(RUNS.c.number.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            return connection.execute(statement).scalar_one_or_none() == INTERRUPTED

    def unsettled(self) -> tuple[Entry, ...]:
        """Return the writes that may or may not have happened, oldest first.

        They were intended and never settled, or their outcome was unknown or did not show in ExpenseIn, and no later
        run found out (:meth:`RunLog.settle_found`). A creation that was never sent has no status, one that was has.
        During a run, its own writes in flight are among them.
        """
        found = exists().where(
            FINDINGS.c.account == ENTRIES.c.account,
            FINDINGS.c.of_run == ENTRIES.c.run,
            FINDINGS.c.of_position == ENTRIES.c.position,
        )
        with self._database.reading() as connection:
            return self._entries(
                connection,
                ENTRIES.c.kind.in_([kind.value for kind in WRITES]),
                or_(
                    ENTRIES.c.status.is_(None),
                    ENTRIES.c.status.in_([Status.SENT.value, Status.UNKNOWN.value, Status.UNSETTLED.value]),
                ),
                ~found,
            )

    def sent(self, item: str, since: datetime) -> tuple[Entry, ...]:
        """Return the creations that were sent to ExpenseIn and not refused, oldest first.

        Args:
            item: Name of the item.
            since: Only those whose last note is later than this.
        """
        happened = [Status.SENT.value, Status.UNKNOWN.value, Status.UNSETTLED.value, Status.DONE.value]
        with self._database.reading() as connection:
            return self._entries(
                connection,
                ENTRIES.c.item == item,
                ENTRIES.c.kind == Kind.CREATE.value,
                ENTRIES.c.status.in_(happened),
                ENTRIES.c.settled_at > time_text(since),
            )

    def history(self, limit: int) -> tuple[Run, ...]:
        """Return the latest runs, newest first.

        Args:
            limit: How many at most.
        """
        with self._database.reading() as connection:
            return self._runs(connection, self._select_runs().order_by(RUNS.c.number.desc()).limit(limit))

    def run(self, run_id: str) -> Run:
        """Return one run.

        Raises:
            LedgerError: If there is none of this id.
        """
        with self._database.reading() as connection:
            for run in self._runs(connection, self._select_runs().where(RUNS.c.run_id == run_id)):
                return run
        problem = (
            f"ledger {self._database.location}: there is no run {run_id!r} of account {self._account!r}."
        )
        raise LedgerError(problem)

    def entries(self, run_id: str) -> tuple[Entry, ...]:
        """Return a run's writes, and its rows that were held or rejected, in the order of noting."""
        with self._database.reading() as connection:
            return self._entries(connection, RUNS.c.run_id == run_id)

    def holds(self, run_id: str) -> tuple[ItemHold, ...]:
        """Return the items that a run held whole."""
        statement = (
            select(HOLDS)
            .join(RUNS, (RUNS.c.account == HOLDS.c.account) & (RUNS.c.number == HOLDS.c.run))
            .where(HOLDS.c.account == self._account, RUNS.c.run_id == run_id)
            .order_by(HOLDS.c.position)
        )
        with self._database.reading() as connection:
            return tuple(hold_from(columns) for columns in connection.execute(statement).mappings())

    def trail(self, item: str, reference: str, limit: int) -> tuple[Entry, ...]:
        """Return what the last runs did to a reference, newest first.

        Args:
            item: Name of the item.
            reference: The reference, verbatim.
            limit: How many entries at most.
        """
        with self._database.reading() as connection:
            return self._entries(
                connection,
                ENTRIES.c.item == item,
                ENTRIES.c.reference == encode(reference),
                newest=limit,
            )

    def verify(self) -> list[str]:
        """Check that nothing of this account's closed runs was changed, removed, added or moved.

        Returns:
            One sentence for each break; none when the history is whole. A run that is not closed yet is not covered.
        """
        with self._database.reading() as connection:
            return list(verify(connection, self._account))

    def _end(self) -> None:
        """End the run at work, if there is one, finished or not."""
        if self._log is not None:
            self._log.close()
            self._log = None
        self._locked = False
        self._lock.release()

    def _note_holder(self) -> None:
        """Say who holds the lock, for those who are refused, and make sure that the account is there."""
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "since": time_text(self._now())}
        this_account = ACCOUNTS.c.account == self._account
        with self._database.writing() as connection:
            known = connection.execute(
                update(ACCOUNTS).where(this_account).values(holder=encode(holder))
            ).rowcount
            if not known:
                connection.execute(
                    insert(ACCOUNTS).values(
                        account=self._account, last_run=0, head=BEGINNING, holder=encode(holder)
                    )
                )

    def _holder(self) -> str:
        with self._database.reading() as connection:
            statement = select(ACCOUNTS.c.holder).where(ACCOUNTS.c.account == self._account)
            holder = decode(connection.execute(statement).scalar_one_or_none())
        who = "" if holder is None else " (host {host}, process {pid}, since {since})".format(**holder)
        return (
            f"ledger {self._database.location}: another run of account {self._account!r} is at work{who}."
            " Wait until it ends, then run again."
        )

    def _select_runs(self) -> Select[tuple[object, ...]]:
        return select(RUNS).where(RUNS.c.account == self._account)

    def _runs(self, connection: Connection, statement: Select[tuple[object, ...]]) -> tuple[Run, ...]:
        pruned_through = connection.execute(
            select(func.max(RUNS.c.pruned_through)).where(RUNS.c.account == self._account)
        ).scalar()
        runs = connection.execute(statement).mappings()
        return tuple(run_from(columns, pruned_through or 0) for columns in runs)

    def _entries(
        self, connection: Connection, *conditions: ColumnElement[bool], newest: int | None = None
    ) -> tuple[Entry, ...]:
        """Return entries with what later runs found out about them.

        Args:
            connection: A reading transaction.
            conditions: Which entries.
            newest: How many at most, newest first; None for all, oldest first.
        """
        order = (ENTRIES.c.run, ENTRIES.c.position)
        statement = (
            select(ENTRIES, RUNS.c.run_id)
            .join(RUNS, (RUNS.c.account == ENTRIES.c.account) & (RUNS.c.number == ENTRIES.c.run))
            .where(ENTRIES.c.account == self._account, *conditions)
            .order_by(*order if newest is None else (column.desc() for column in order))
            .limit(newest)
        )
        entries = connection.execute(statement).mappings().all()
        statement = (
            select(FINDINGS, RUNS.c.run_id.label("found_by"))
            .join(RUNS, (RUNS.c.account == FINDINGS.c.account) & (RUNS.c.number == FINDINGS.c.run))
            .where(
                FINDINGS.c.account == self._account,
                FINDINGS.c.of_run.in_({columns["run"] for columns in entries}),
            )
            .order_by(FINDINGS.c.run, FINDINGS.c.position)
        )
        found = {
            (columns["of_run"], columns["of_position"]): columns
            for columns in connection.execute(statement).mappings()
        }
        return tuple(
            entry_from(columns, found.get((columns["run"], columns["position"]))) for columns in entries
        )

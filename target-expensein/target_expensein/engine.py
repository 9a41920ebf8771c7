"""The walk of a run: read both sides, compare, gate, apply, read back.

:class:`Engine` is the one place where the pure parts (``plan.py``, ``guard.py``) and the edges (``api``, ``ledger``)
meet. It knows nothing of Singer and nothing of where a plan comes from: a :class:`Task` says how an item is planned
from the live state, be it from a source list (the sync) or from the ledger (a restore).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from target_expensein.api.client import ExpenseInClient
from target_expensein.api.errors import ApiError, Scope
from target_expensein.apply import Applier, Outcome, Status
from target_expensein.guard import Gated, Past, gate
from target_expensein.ledger import Entry, Ledger, RunLog
from target_expensein.limits import Limits
from target_expensein.live import LiveIndex
from target_expensein.model import Applied, Kind, Row
from target_expensein.plan import AppliedValues, ItemPlan
from target_expensein.progress import Progress
from target_expensein.readback import Look, is_listed, shows
from target_expensein.settings import Settings

SETTLE_READS = 3
"""How many times a collection is read again, over the settle time, for what does not show at once."""

MOST_REPETITIONS = 3
"""How often what certainly did not happen is created once more."""

OPEN_ENDS = frozenset({Status.FAILED, Status.UNKNOWN, Status.UNSETTLED})
"""What a write can end as without being settled for good."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done for one item, and how it is planned.

    Attributes:
        item: Name of the item.
        plan: Makes the plan from the live state and what was applied last. Called again to read back.
        source_count: Length of the list behind the plan, for the gate.
        limits: The item's limits.
        applied: Tells what ExpenseIn holds afterwards, given the references that were left open; None when the ledger
            is to keep what it has.
        compare_length: Whether the length of the list is to be held against the last one.
        problem: Why the item cannot be planned; None when it can.
    """

    item: str
    plan: Callable[[LiveIndex, Applied], ItemPlan]
    source_count: int
    limits: Limits
    applied: Callable[[frozenset[str | None]], AppliedValues] | None = None
    compare_length: bool = True
    problem: str | None = None


@dataclass(slots=True)
class ItemResult:
    """What became of one item.

    Attributes:
        item: Name of the item.
        gated: The plan after the gate, or None when there could not be one.
        outcomes: What became of each write.
        problem: Why the item failed as a whole; None when it did not.
        held: Whether nothing was written because the gate holds the item.
        pending: Creations of earlier runs that may have happened or still may, by reference.
    """

    item: str
    gated: Gated | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    problem: str | None = None
    held: bool = False
    pending: Mapping[str | None, Entry] = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Whether everything that this item's stream brought is written, refused or reported for good."""
        return (
            self.problem is None
            and not self.held
            and not any(outcome.status in OPEN_ENDS for outcome in self.outcomes)
        )


def read_live(client: ExpenseInClient, item: str) -> LiveIndex:
    """Read an item's collection from ExpenseIn.

    Args:
        client: The connection to ExpenseIn.
        item: Name of the item.

    Returns:
        The live state.

    Raises:
        ApiError: If it could not be read to its end.
    """
    return LiveIndex(client.list(item))


def plan_and_gate(task: Task, live: LiveIndex, ledger: Ledger) -> Gated:
    """Plan a task and hold the plan against the limits, with what the ledger knows of the item.

    Args:
        task: What is to be done.
        live: ExpenseIn's state.
        ledger: What earlier runs did.

    Returns:
        The plan after the gate.
    """
    plan = task.plan(live, ledger.applied(task.item))
    past = ledger.past(task.item)
    if not task.compare_length:
        past = Past(past.applied_before, None)
    return gate(plan, task.source_count, live, past, task.limits)


class Engine:
    """Compares and writes the items of one run.

    Args:
        settings: The run's settings.
        client: The connection to ExpenseIn.
        ledger: What earlier runs did.
        log: The ledger's page for this run.
        logger: Where progress goes.
        stop: Set from outside to end the run early: writes in flight end, no further one begins.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        client: ExpenseInClient,
        ledger: Ledger,
        log: RunLog,
        logger: logging.Logger,
        stop: threading.Event,
    ) -> None:
        """Keep the run's surroundings."""
        self._settings = settings
        self._client = client
        self._ledger = ledger
        self._log = log
        self._logger = logger
        self._stop = stop

    def plan(self, tasks: Sequence[Task]) -> list[ItemResult]:
        """Plan every item before anything is written; an item that cannot be planned fails alone (R24, R31, R32).

        Args:
            tasks: What is to be done.

        Returns:
            A result for each task, in their order, nothing written yet.
        """
        results = []
        over: ApiError | None = None
        unsettled = self._ledger.unsettled()
        for task in tasks:
            result = ItemResult(task.item, problem=task.problem)
            results.append(result)
            if result.problem is not None:
                continue
            if over is not None:
                result.problem = f"not attempted after: {over}"
                continue
            asked = self._ledger.now()
            try:
                live = read_live(self._client, task.item)
            except ApiError as error:
                result.problem = str(error)
                over = error if error.scope is Scope.RUN else None
                continue
            result.pending = self._pending(task.item, live, asked)
            self._settle_earlier(task.item, live, unsettled, result.pending)
            result.gated = plan_and_gate(task, live, self._ledger)
            self._note(result.gated)
            counts = result.gated.plan.counts
            self._logger.info(
                "%s: %d in the list, %d in ExpenseIn, %d to create, %d to update",
                task.item,
                task.source_count,
                len(live),
                counts[Kind.CREATE],
                counts[Kind.UPDATE],
            )
        return results

    def apply(
        self,
        tasks: Sequence[Task],
        results: Sequence[ItemResult],
        on_settled: Callable[[ItemResult], None],
        *,
        approved: bool,
    ) -> None:
        """Write what was planned, item by item, and prove it by reading back.

        Args:
            tasks: The tasks that were planned.
            results: Their results; the outcomes are added to them.
            on_settled: Called as soon as an item is through.
            approved: Whether the whole plan was approved: then the gate holds no item.
        """
        for task, result in zip(tasks, results, strict=True):
            if result.gated is not None:
                result.held = bool(result.gated.holds) and not approved
                if not result.held:
                    self._carry_out(task, result.gated.plan, result)
            on_settled(result)

    def _note(self, gated: Gated) -> None:
        """Put what is held and rejected into the ledger."""
        rows = gated.plan.rows
        self._log.hold([row for row in rows if row.kind is Kind.HELD])
        self._log.reject([row for row in rows if row.kind is Kind.REJECTED])
        for hold in gated.holds:
            facts = {"number": hold.number, "allowed": hold.allowed, "examples": list(hold.examples)}
            self._log.hold_item(gated.plan.item, hold.reason, hold.message, facts)

    def _settle_earlier(
        self, item: str, live: LiveIndex, unsettled: Sequence[Entry], pending: Mapping[str | None, Entry]
    ) -> None:
        """Note what became of the writes that an earlier run left open, where the live state tells."""
        for entry in unsettled:
            if entry.row.item != item or (entry.status is not None and entry.row.reference in pending):
                continue
            done = shows(entry, live)
            status, found = (Status.DONE, "shows") if done else (Status.FAILED, "does not show")
            self._log.settle_found(entry, status, f"ExpenseIn's live state {found} it")

    def _pending(self, item: str, live: LiveIndex, asked: datetime) -> dict[str | None, Entry]:
        """Find what was sent to be created lately and is not listed: it may be there, or may still come.

        Args:
            item: Name of the item.
            live: The live state.
            asked: When it was asked for.
        """
        shows_within = timedelta(seconds=self._settings.profile.items[item].shows_within)
        return {
            entry.row.reference: entry
            for entry in self._ledger.sent(item, asked - shows_within)
            if not is_listed(entry, live)
        }

    def _carry_out(self, task: Task, plan: ItemPlan, result: ItemResult) -> None:
        """Write one item's plan and prove it by reading back."""
        deferred = [_deferred(row, entry) for row, entry in _known(plan.writes, result.pending)]
        held_back = {outcome.row.reference for outcome in deferred}
        writes = [row for row in plan.writes if row.kind is not Kind.CREATE or row.reference not in held_back]
        if plan.writes:
            self._log.intend(writes)
            progress = Progress(self._logger, plan.item, len(writes))

            def note(outcome: Outcome) -> None:
                self._settle(outcome)
                if outcome.status is not Status.SENT:
                    progress.step()

            applier = Applier(self._client, self._settings.concurrency, self._stop, note)
            result.outcomes = [*applier.apply(writes), *deferred]
            try:
                result.outcomes = self._proven(task, applier, result.outcomes)
            except ApiError as error:
                result.problem = f"what was written could not be read back: {error}"
            self._settle_deferred(result)
        # An item counts as applied only when it is through: until then, a rerun goes on creating what it needs.
        if task.applied is not None and result.settled:
            left_open = {
                row.reference for row in plan.rows if row.kind in {Kind.HELD, Kind.REJECTED, Kind.SKIPPED}
            }
            left_open |= {one.row.reference for one in result.outcomes if one.status is not Status.DONE}
            self._log.applied(task.item, task.applied(frozenset(left_open)), task.source_count)

    def _settle_deferred(self, result: ItemResult) -> None:
        """Note creations of earlier runs that the list did not show when it was planned, and shows now."""
        shown = {one.row.reference for one in result.outcomes if one.status is Status.DONE and not one.began}
        if not shown & result.pending.keys():
            return
        for entry in self._ledger.unsettled():
            if entry.row.reference in shown and entry == result.pending.get(entry.row.reference):
                self._log.settle_found(entry, Status.DONE, "ExpenseIn's live state shows it")

    def _settle(self, outcome: Outcome) -> None:
        self._log.settle(outcome.row, outcome.status, outcome.reason, outcome.detail, outcome.answer)

    def _proven(self, task: Task, applier: Applier, answered: Sequence[Outcome]) -> list[Outcome]:
        """Read back, create once more what certainly was not created, and read back again.

        What was created once more also shows that ExpenseIn's list is up to date, so it may tell of others.
        """
        outcomes = list(answered)
        for attempt in range(MOST_REPETITIONS + 1):
            look = self._look(task, outcomes)
            absent = [outcome for outcome in outcomes if look.certainly_absent(outcome)]
            if not absent or attempt == MOST_REPETITIONS or self._stop.is_set():
                break
            outcomes = _merged(outcomes, applier.apply([outcome.row for outcome in absent]))
        known = {outcome.row.reference: outcome for outcome in answered}
        final = [look.verdict(outcome) for outcome in outcomes]
        for outcome in final:
            if outcome != known[outcome.row.reference] and outcome.began:
                self._settle(outcome)
        return final

    def _look(self, task: Task, outcomes: Sequence[Outcome]) -> Look:
        """Read the collection again and plan again; what does not show is looked for again during the settle time.

        Args:
            task: How the item is planned.
            outcomes: What the writes were answered with.

        Returns:
            What the last reading shows.
        """
        pause = self._settings.settle_seconds / SETTLE_READS
        shows_within = self._settings.profile.items[task.item].shows_within
        for reading in range(SETTLE_READS + 1):
            asked = time.monotonic()
            fresh = task.plan(read_live(self._client, task.item), {})
            look = Look(outcomes, fresh, asked, shows_within)
            if not look.missing or reading == SETTLE_READS or self._stop.is_set():
                break
            self._stop.wait(pause)  # ExpenseIn may list a new record a little later
        return look


def _known(rows: Sequence[Row], pending: Mapping[str | None, Entry]) -> Iterator[tuple[Row, Entry]]:
    """Yield the creations that may have been sent already, each with the note of that."""
    for row in rows:
        if row.kind is Kind.CREATE and row.reference in pending:
            yield row, pending[row.reference]


def _deferred(row: Row, entry: Entry) -> Outcome:
    """Return the outcome of a creation that is not sent, because an earlier one may have happened or may still."""
    detail = (
        f"run {entry.run_id} sent this creation, and ExpenseIn does not list it: it may be there, or may still come. It is "
        "sent again by a later run, once it is certain that it did not happen (api_profile.create.shows_within)"
    )
    return Outcome(row, Status.UNKNOWN, "unsettled", detail)


def _merged(outcomes: Sequence[Outcome], newer: Sequence[Outcome]) -> list[Outcome]:
    """Replace outcomes by newer ones of the same reference."""
    by_reference = {outcome.row.reference: outcome for outcome in newer}
    return [by_reference.get(outcome.row.reference, outcome) for outcome in outcomes]

"""The walk of a run: read both sides, compare, plan, apply, read back.

:class:`Engine` is the one place where the pure parts (``plan.py``) and the edges (``api``) meet. It knows nothing of
Singer: it takes intakes and gives results, and says after each item which streams are settled, so that the state may
be passed on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from target_expensein.api.client import ExpenseInClient
from target_expensein.api.errors import ApiError, Scope
from target_expensein.apply import Applier, Outcome, Status
from target_expensein.intake import Intake
from target_expensein.live import LiveIndex, reduce_live
from target_expensein.model import Kind
from target_expensein.plan import ItemPlan, plan_item
from target_expensein.progress import Progress
from target_expensein.settings import ItemSettings, Settings

SETTLE_READS = 3
"""How many times a collection is read again, over the settle time, for what does not show at once."""


@dataclass(slots=True)
class ItemResult:
    """What became of one item.

    Attributes:
        item: Name of the item.
        plan: The plan, or None when there could not be one.
        outcomes: What became of each write.
        problem: Why the item failed as a whole; None when it did not.
    """

    item: str
    plan: ItemPlan | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    problem: str | None = None

    @property
    def settled(self) -> bool:
        """Whether everything that this item's stream brought is written, refused or reported for good."""
        return self.problem is None and not any(
            outcome.status in {Status.FAILED, Status.UNKNOWN, Status.UNSETTLED} for outcome in self.outcomes
        )


class Engine:
    """Compares and writes the items of one run.

    Args:
        settings: The run's settings.
        client: The connection to ExpenseIn.
        logger: Where progress goes.
        stop: Set from outside to end the run early: writes in flight end, no further one begins.
    """

    def __init__(
        self, settings: Settings, client: ExpenseInClient, logger: logging.Logger, stop: threading.Event
    ) -> None:
        """Keep the run's surroundings."""
        self._settings = settings
        self._client = client
        self._logger = logger
        self._stop = stop

    def run(
        self, intakes: Mapping[str, Intake], on_settled: Callable[[ItemResult], None]
    ) -> list[ItemResult]:
        """Plan every item, then write item by item.

        Args:
            intakes: The source side of each enabled item, by name.
            on_settled: Called as soon as an item is through.

        Returns:
            A result for each enabled item, in the order of the intakes.
        """
        results = self._plan_all(intakes)
        for result in results:
            if result.plan is not None and self._settings.mode == "apply":
                self._apply(intakes[result.item], result.plan, result)
            on_settled(result)
        return results

    def _plan_all(self, intakes: Mapping[str, Intake]) -> list[ItemResult]:
        """Plan before anything is written; an item that cannot be planned fails alone (R24, R31, R32)."""
        results = []
        over: ApiError | None = None
        for name, intake in intakes.items():
            problem = intake.problem()
            result = ItemResult(name, problem=problem)
            results.append(result)
            if problem is not None:
                continue
            if over is not None:
                result.problem = f"not attempted after: {over}"
                continue
            try:
                live = self._read_live(intake.settings)
            except ApiError as error:
                result.problem = str(error)
                over = error if error.scope is Scope.RUN else None
            else:
                result.plan = self._plan(intake, live)
                self._logger.info(
                    "%s: %d at the source, %d in ExpenseIn, %d to create, %d to update",
                    name,
                    len(intake.source.records),
                    len(live),
                    result.plan.counts[Kind.CREATE],
                    result.plan.counts[Kind.UPDATE],
                )
        return results

    def _plan(self, intake: Intake, live: LiveIndex) -> ItemPlan:
        settings = intake.settings
        return plan_item(settings.item, settings.decisions, intake.source, live)

    def _read_live(self, settings: ItemSettings) -> LiveIndex:
        profile = self._settings.profile.items[settings.item.name]
        bodies = self._client.list(settings.item.name)
        return LiveIndex(reduce_live(body, profile) for body in bodies)

    def _apply(self, intake: Intake, plan: ItemPlan, result: ItemResult) -> None:
        """Write one item's plan and prove it by reading back."""
        if not plan.writes:
            return
        progress = Progress(self._logger, plan.item, len(plan.writes))
        applier = Applier(self._client, self._settings.concurrency, self._stop)
        result.outcomes = applier.apply(plan.writes, progress.step)
        try:
            outcomes, absent = self._read_back(intake, result.outcomes)
            if absent and not self._stop.is_set():
                # Certainly not there: ExpenseIn lists every creation that it confirmed, but not these. Once more.
                again = applier.apply([outcome.row for outcome in absent], progress.step)
                outcomes = _merged(outcomes, again)
                outcomes, still_absent = self._read_back(intake, outcomes)
                outcomes = _merged(outcomes, [_unsettled(outcome) for outcome in still_absent])
            result.outcomes = outcomes
        except ApiError as error:
            result.problem = f"what was written could not be read back: {error}"

    def _read_back(self, intake: Intake, outcomes: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
        """Read the collection again, plan again, and hold each write against it.

        Whatever does not show is looked for again during the settle time.

        Args:
            intake: The item's source side.
            outcomes: What the writes were answered with.

        Returns:
            The outcomes as proven, and those among them that are creations of unknown outcome which certainly did not
            happen.
        """
        pause = self._settings.settle_seconds / SETTLE_READS
        for reading in range(SETTLE_READS + 1):
            fresh = self._plan(intake, self._read_live(intake.settings))
            open_rows = {row.reference: row for row in fresh.rows if row.kind is not Kind.NOTICE}
            pending = [
                outcome
                for outcome in outcomes
                if outcome.status in {Status.DONE, Status.UNKNOWN} and outcome.row.reference in open_rows
            ]
            if not pending or reading == SETTLE_READS or self._stop.is_set():
                break
            self._stop.wait(pause)  # ExpenseIn may list a new record a little later
        missing = {outcome.row.reference for outcome in pending}
        lagging = any(
            outcome.status is Status.DONE and outcome.row.kind is Kind.CREATE for outcome in pending
        )
        settled, absent = [], []
        for outcome in outcomes:
            if outcome.status not in {Status.DONE, Status.UNKNOWN}:
                settled.append(outcome)
            elif outcome.row.reference not in missing:
                settled.append(replace(outcome, status=Status.DONE, reason=outcome.row.reason))
            elif (
                outcome.status is Status.UNKNOWN
                and not lagging
                and open_rows[outcome.row.reference].kind is Kind.CREATE
            ):
                settled.append(outcome)
                absent.append(outcome)
            else:
                settled.append(_unsettled(outcome, open_rows[outcome.row.reference].detail))
        return settled, absent


def _merged(outcomes: Sequence[Outcome], newer: Sequence[Outcome]) -> list[Outcome]:
    """Replace outcomes by newer ones of the same reference."""
    by_reference = {outcome.row.reference: outcome for outcome in newer}
    return [by_reference.get(outcome.row.reference, outcome) for outcome in outcomes]


def _unsettled(outcome: Outcome, detail: str = "") -> Outcome:
    """Mark a write that reading back does not show."""
    seen = detail or "reading the collection again does not show it"
    before = f"{outcome.detail}; " if outcome.detail else ""
    return replace(outcome, status=Status.UNSETTLED, reason="unsettled", detail=f"{before}{seen}")

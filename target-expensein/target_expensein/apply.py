"""Carries out the writes of a plan, several at a time, and says what became of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from target_expensein.api.client import ExpenseInClient
from target_expensein.api.errors import (
    ApiError,
    BadAnswer,
    ChangedMeanwhile,
    OutcomeUnknown,
    Scope,
    ServerFailed,
    Unreachable,
)
from target_expensein.model import Field, RecordId, Row, Value

PATIENCE: Final = 3
"""How many writes in a row may meet a failing server before the rest of the item is not attempted.

One record that the server always stumbles over must not keep all others from being written.
"""


class Status(StrEnum):
    """What became of a write."""

    SENT = "sent"
    """A creation that is on its way; whoever finds this later does not know whether it happened."""
    DONE = "done"
    HELD = "held"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    """It may or may not have happened; reading back tells."""
    FAILED = "failed"
    """It did not happen, for a reason that is not the record's."""
    UNSETTLED = "unsettled"
    """It was answered as done, or its outcome was unknown, and reading back does not show it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one write.

    Attributes:
        row: The row of the plan.
        status: What became of it.
        reason: Stable reason code; that of the row when it was done.
        detail: The server's words or ours.
        answer: ExpenseIn's identifier of the record, when it said that it was done.
        at_work: Whether the server may still be at work on it, because it did not answer in time.
        began: When the write was begun, on a clock in seconds that never goes back.
        ended: When there was an answer, or none was waited for any more.
    """

    row: Row
    status: Status
    reason: str
    detail: str = ""
    answer: RecordId | None = None
    at_work: bool = False
    began: float = field(default=0.0, compare=False)
    ended: float = field(default=0.0, compare=False)


class Applier:
    """Carries out writes with bounded concurrency.

    Args:
        client: The connection to ExpenseIn.
        concurrency: How many writes may be in flight at once.
        stop: Set from outside to stop: writes in flight end, no further one begins.
        note: Called with the outcome of each row, from the thread that did it, and before a creation is sent with the
            status ``SENT``. If it raises, nothing further is written: a write that cannot be noted would leave no
            trace.
    """

    def __init__(
        self,
        client: ExpenseInClient,
        concurrency: int,
        stop: threading.Event,
        note: Callable[[Outcome], None],
    ) -> None:
        """Remember how to write."""
        self._client = client
        self._concurrency = concurrency
        self._stop = stop
        self._note = note

    def apply(self, rows: Sequence[Row]) -> list[Outcome]:
        """Carry out the writes of one item.

        A failure that is not the record's own (no connection, key refused …) stops the rest of the item; a server that
        fails stops it when it does so ``PATIENCE`` times in a row.

        Args:
            rows: The rows to write.

        Returns:
            One outcome for each row, in their order.

        Raises:
            Exception: Whatever noting raised.
        """
        breaker = _Breaker()

        def write(row: Row) -> Outcome:
            try:
                outcome = self._attempt(row, breaker)
                self._note(outcome)
            except Exception as error:
                breaker.trip(error)
                raise
            return outcome

        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="write") as pool:
            return list(pool.map(write, rows))

    def _attempt(self, row: Row, breaker: _Breaker) -> Outcome:
        """Write a row, unless nothing is to be written any more."""
        if breaker.cause is not None:
            return Outcome(row, Status.FAILED, "not_attempted", f"not attempted after: {breaker.cause}")
        if self._stop.is_set():
            return Outcome(row, Status.FAILED, "not_attempted", "not attempted: the run was told to stop")
        began = time.monotonic()
        try:
            answer = self._write(row)
        except ApiError as error:
            breaker.failed(error)
            at_work = isinstance(error, OutcomeUnknown) and error.at_work
            outcome = Outcome(row, _status(row, error), error.reason, str(error), at_work=at_work)
        else:
            breaker.worked()
            outcome = Outcome(row, Status.DONE, row.reason, answer=answer)
        return replace(outcome, began=began, ended=time.monotonic())

    def _write(self, row: Row) -> RecordId:
        """Write a row; return ExpenseIn's identifier of the record."""
        if row.record_id is None:
            body = self._client.create(
                row.item, row.values, lambda: self._note(Outcome(row, Status.SENT, row.reason))
            )
            return self._client.record_id(row.item, body)
        self._client.update(row.item, row.record_id, row.values, expect=_expected(row))
        return row.record_id


class _Breaker:
    """Decides when the rest of an item is not attempted. Safe to use from several threads.

    Attributes:
        cause: The error that stopped the item; None while it goes on.
    """

    def __init__(self) -> None:
        self.cause: Exception | None = None
        self._in_a_row = 0
        self._lock = threading.Lock()

    def trip(self, error: Exception) -> None:
        with self._lock:
            self.cause = self.cause or error

    def worked(self) -> None:
        with self._lock:
            self._in_a_row = 0

    def failed(self, error: ApiError) -> None:
        if error.scope is Scope.RECORD:
            return
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row >= PATIENCE or not isinstance(error, ServerFailed | BadAnswer):
                self.cause = self.cause or error


def _status(row: Row, error: ApiError) -> Status:
    """Say what an error means for the record that was to be written."""
    match error:
        case ChangedMeanwhile():
            return Status.HELD
        case OutcomeUnknown():
            return Status.UNKNOWN
        case ServerFailed() | BadAnswer() | Unreachable() if row.record_id is not None:
            return Status.UNKNOWN  # a change whose answer was lost; of a creation the client says so itself
        case _:
            return Status.REJECTED if error.scope is Scope.RECORD else Status.FAILED


def _expected(row: Row) -> dict[str, Value]:
    """Return what the record must still say when it is read just before the write (R8).

    The match was made on the reference, or for an adoption on the name and the missing reference (R29). Whoever
    changed that meanwhile made it another record.
    """
    before: dict[str, Value] = {change.field.value: change.before for change in row.changes}
    if Field.REFERENCE in before:
        return {Field.REFERENCE: before[Field.REFERENCE], Field.NAME: row.name}
    if row.reason == "restored":  # only where the value still is what the run wrote
        return {Field.REFERENCE: row.reference, **before}
    return {Field.REFERENCE: row.reference}

"""What ExpenseIn's state tells about the writes of this run and of earlier ones. Pure: no I/O, no Singer, no HTTP.

An answer can be lost, and a list can lag behind. So what was written counts as written when the list shows it; and what the
list does not show counts as not done only when that is certain, for a creation that happens twice cannot be taken back (R7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from target_expensein.apply import Outcome, Status
from target_expensein.ledger import Entry
from target_expensein.live import LiveIndex
from target_expensein.model import Field, Kind
from target_expensein.plan import ItemPlan


class Look:
    """What a collection that was read back tells about the writes to it.

    Args:
        outcomes: What the writes were answered with.
        fresh: The plan that was made from it.
        asked: When it was asked for, on the clock of the outcomes.
        shows_within: Seconds after which a creation that was sent is in the list, if it happened at all.

    Attributes:
        missing: References of the writes that may have happened and do not show.
    """

    def __init__(
        self, outcomes: Sequence[Outcome], fresh: ItemPlan, asked: float, shows_within: float
    ) -> None:
        """Compare the writes with what is still to be done."""
        self._asked = asked
        self._shows_within = shows_within
        self._open = {row.reference: row for row in fresh.rows if row.kind is not Kind.NOTICE}
        maybe_done = [one for one in outcomes if one.status in {Status.DONE, Status.UNKNOWN}]
        self.missing = {one.row.reference for one in maybe_done} & self._open.keys()
        created = [
            one
            for one in maybe_done
            if one.status is Status.DONE and one.row.kind is Kind.CREATE and one.began
        ]
        self._lags = any(one.row.reference in self.missing for one in created)
        self._latest = max((one.began for one in created), default=0.0)

    def verdict(self, outcome: Outcome) -> Outcome:
        """Say what a write has come to."""
        if outcome.status not in {Status.DONE, Status.UNKNOWN}:
            return outcome
        if outcome.row.reference in self.missing:
            return _unsettled(outcome, self._open[outcome.row.reference].detail)
        return replace(outcome, status=Status.DONE, reason=outcome.row.reason)

    def certainly_absent(self, outcome: Outcome) -> bool:
        """Tell whether a creation of unknown outcome certainly did not happen, so that it can be sent again.

        It is not listed, and so long after it was sent it would be. Or the server had done with it, and its list is
        up to date: it has everything that it confirmed, among that a record that was created later.
        """
        row = self._open.get(outcome.row.reference)
        if outcome.status is not Status.UNKNOWN or row is None or row.kind is not Kind.CREATE or self._lags:
            return False
        if not outcome.began:  # sent by an earlier run, and deferred by this one
            return False
        waited = self._asked - outcome.ended >= self._shows_within
        return waited or (not outcome.at_work and self._latest > outcome.ended)


def is_listed(creation: Entry, live: LiveIndex) -> bool:
    """Tell whether what was created is there: under its reference, or under its ID if an admin has changed that since.

    Args:
        creation: What the ledger has on it.
        live: The live state.
    """
    confirmed = creation.answer is not None and live.has(creation.answer)
    return confirmed or bool(live.matches(creation.row.reference or ""))


def shows(entry: Entry, live: LiveIndex) -> bool:
    """Tell whether the live state has what a write was to bring about.

    Args:
        entry: What the ledger has on the write.
        live: The live state.
    """
    row = entry.row
    if row.kind is Kind.CREATE:
        return is_listed(entry, live)
    reference = row.values.get(Field.REFERENCE, row.reference)
    candidates = live.matches(reference) if isinstance(reference, str) else live.unreferenced(row.name or "")
    wanted = {name: value for name, value in row.values.items() if name in {Field.NAME, Field.IS_ACTIVE}}
    return any(
        all(getattr(record, name) == value for name, value in wanted.items())
        for record in candidates
        if row.record_id is None or record.id == row.record_id
    )


def _unsettled(outcome: Outcome, detail: str = "") -> Outcome:
    """Mark a write that reading back does not show."""
    seen = detail or "reading the collection again does not show it"
    before = f"{outcome.detail}; " if outcome.detail else ""
    return replace(outcome, status=Status.UNSETTLED, reason="unsettled", detail=f"{before}{seen}")

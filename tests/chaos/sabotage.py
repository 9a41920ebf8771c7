"""Ways to break the target on purpose: a campaign that does not catch them proves nothing.

``python -m chaos --sabotage NAME`` plays the campaign with a target that is broken in one way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from target_expensein import items
from target_expensein.api.client import ExpenseInClient
from target_expensein.api.retry import REPEATED, Call, Trouble
from target_expensein.apply import Outcome, Status
from target_expensein.engine import Engine
from target_expensein.ledger import LedgerError, RunLog
from target_expensein.target import TargetExpenseIn

OURS = frozenset({"id", "name", "reference", "isActive", "rate", "appliesTo"})


def repeats_creations_blindly() -> None:
    """A creation whose answer was lost is sent again, as generic clients do."""
    REPEATED[Call.CREATE] = frozenset(Trouble) - {Trouble.UNTRUSTED, Trouble.STALE}  # type: ignore[index]


def forgets_what_it_sent() -> None:
    """A run knows nothing of the creations that an earlier one sent."""
    Engine._pending = lambda *_: {}  # type: ignore[method-assign]


def takes_writes_for_granted() -> None:
    """Nothing is read back: what was sent counts as done."""

    def proven(_: Engine, __: object, ___: object, answered: list[Outcome]) -> list[Outcome]:
        return [
            dataclasses.replace(one, status=Status.DONE) if one.status is Status.UNKNOWN else one
            for one in answered
        ]

    Engine._proven = proven  # type: ignore[assignment, method-assign]


def writes_only_the_fields_it_knows() -> None:
    """A change leaves out what this project has no name for."""
    write = ExpenseInClient._write

    def without(self: ExpenseInClient, target: Any, snapshot: Any, changes: Any) -> Any:
        body = {name: value for name, value in snapshot.body.items() if name in OURS}
        return write(self, target, dataclasses.replace(snapshot, body=body), changes)

    ExpenseInClient._write = without  # type: ignore[method-assign]


def ignores_etags() -> None:
    """A change is sent whatever has become of the record since it was read."""
    write = ExpenseInClient._write

    def without(self: ExpenseInClient, target: Any, snapshot: Any, changes: Any) -> Any:
        return write(self, target, dataclasses.replace(snapshot, etag=None), changes)

    ExpenseInClient._write = without  # type: ignore[method-assign]


def passes_state_on_at_once() -> None:
    """STATE goes out when it comes in."""

    def at_once(self: TargetExpenseIn, message_dict: dict[str, Any]) -> None:
        self._write_state_message(message_dict["value"])

    TargetExpenseIn._process_state_message = at_once  # type: ignore[method-assign]


def goes_on_without_its_ledger() -> None:
    """What cannot be noted is done all the same."""

    def suppressed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            try:
                return method(*arguments)
            except LedgerError:
                return None

        return call

    for name in ("intend", "settle", "settle_found", "applied", "hold", "reject"):
        setattr(RunLog, name, suppressed(getattr(RunLog, name)))


def wakes_projects() -> None:
    """A project that an admin made inactive is made active again, as a supplier would be (R17, R23)."""
    items.ITEMS["projects"] = dataclasses.replace(items.ITEMS["projects"], wakes=True)


SABOTAGES: Mapping[str, Callable[[], None]] = {
    one.__name__: one
    for one in (
        repeats_creations_blindly,
        forgets_what_it_sent,
        takes_writes_for_granted,
        writes_only_the_fields_it_knows,
        ignores_etags,
        passes_state_on_at_once,
        goes_on_without_its_ledger,
        wakes_projects,
    )
}

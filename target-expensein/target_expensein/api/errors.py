# ruff: noqa: N818 - the classes are named after the cause, which is what a reader of an except clause looks for
"""What can go wrong between the target and ExpenseIn: one class per cause, each saying what to do.

No message ever holds the API key: whatever the server says passes through the transport's redaction first.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

from target_expensein.visible import visible


class Scope(StrEnum):
    """How far an error reaches: what can still go on after it."""

    RUN = "run"
    """Nothing can go on: every further call would meet the same error."""
    ITEM = "item"
    """The item fails, the other items go on (R24)."""
    RECORD = "record"
    """The record fails, the rest of the item goes on."""


class ApiError(Exception):
    """Anything that went wrong with ExpenseIn's API.

    Attributes:
        reason: Stable code for reports and reject files, in snake_case.
        scope: How far the error reaches.
        message: What is wrong and what to do, without the place; on one line, whatever it quotes.
        item: The item concerned (``categories`` …), when known.
        reference: The reference of the record concerned, when known.
        record_id: ExpenseIn's ID of the record concerned, when known.
        status: The HTTP status that said so, when there was one.
        words: The server's own words, cleaned and without the key; empty when it said nothing.
    """

    reason: ClassVar[str] = "api_error"
    scope: ClassVar[Scope] = Scope.ITEM

    def __init__(
        self,
        message: str,
        *,
        item: str | None = None,
        reference: str | None = None,
        record_id: str | int | None = None,
        status: int | None = None,
        words: str = "",
    ) -> None:
        """Keep the message and its place; see the class for the arguments."""
        self.message = visible(message)
        super().__init__(self.message)
        self.item = item
        self.reference = reference
        self.record_id = record_id
        self.status = status
        self.words = words

    @property
    def place(self) -> str:
        """Item, reference and ID in words; empty when none is known."""
        parts = [
            self.item or "",
            f"reference {self.reference!r}" if self.reference is not None else "",
            visible(f"ID {self.record_id}") if self.record_id is not None else "",
        ]
        return ", ".join(part for part in parts if part)

    def __str__(self) -> str:
        """Return the place and the message in one line."""
        return f"{self.place}: {self.message}" if self.place else self.message


class ConfigurationError(ApiError):
    """A setting is wrong: nothing was sent."""

    reason = "configuration_invalid"
    scope = Scope.RUN


class ProfileError(ConfigurationError):
    """The API profile is wrong.

    Attributes:
        problems: One sentence per problem, each beginning with the JSON path of the wrong value.
    """

    reason = "profile_invalid"

    def __init__(self, problems: list[str]) -> None:
        """Join the problems into one message.

        Args:
            problems: One sentence per problem, each beginning with the JSON path of the wrong value.
        """
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class NotOffered(ApiError):
    """The API profile says that this server does not have what the item needs."""

    reason = "not_on_this_server"


class Unauthorized(ApiError):
    """401: the key is wrong or was regenerated."""

    reason = "unauthorized"
    scope = Scope.RUN


class Forbidden(ApiError):
    """403: the key lacks a permission, or this address is not allowed to use it."""

    reason = "forbidden"


class ModuleMissing(ApiError):
    """The module that the item belongs to is not switched on (R24)."""

    reason = "module_missing"


class CollectionMissing(ApiError):
    """404 on a collection: this server has no such path."""

    reason = "collection_missing"


class ContractMismatch(ApiError):
    """The server does not do what the API profile says (405, 415 and other unexpected statuses)."""

    reason = "contract_mismatch"


class Refused(ApiError):
    """400, 409 or 422 on a write: the server refuses this record, in its own words."""

    reason = "refused"
    scope = Scope.RECORD


class NotKept(ApiError):
    """The server answered that it changed the record, but the record does not have the value."""

    reason = "not_kept"
    scope = Scope.RECORD


class ChangedMeanwhile(ApiError):
    """The record is no longer what the plan was made for, or keeps changing under our hands."""

    reason = "changed_meanwhile"
    scope = Scope.RECORD


class NotFound(ApiError):
    """404 on a record: it vanished."""

    reason = "not_found"
    scope = Scope.RECORD


class Unreachable(ApiError):
    """No connection, no trust, or no answer in time; for a create: it certainly did not run."""

    reason = "unreachable"


class ServerFailed(ApiError):
    """5xx, again and again."""

    reason = "server_failed"


class Throttled(ApiError):
    """429, again and again."""

    reason = "throttled"


class OutcomeUnknown(ApiError):
    """A create whose answer was lost: it may or may not have run. Only reading back can tell; never repeat it blindly.

    Attributes:
        at_work: Whether the server may still be at work on it, because it did not answer in time.
    """

    reason = "outcome_unknown"
    scope = Scope.RECORD

    def __init__(self, message: str, *, at_work: bool, **place: Any) -> None:  # noqa: ANN401 - see the base class
        """Keep the message and its place; see the class for the arguments."""
        super().__init__(message, **place)
        self.at_work = at_work


class BadAnswer(ApiError):
    """The answer is not what the contract says: HTML, broken JSON, a wrong shape."""

    reason = "bad_answer"


class RedirectRefused(ApiError):
    """The server sends us elsewhere. Never followed: the key is for one address only."""

    reason = "redirect_refused"
    scope = Scope.RUN

"""Refusals of the ExpenseIn API: a status, a stable code, a message, and messages per field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class ApiError(Exception):
    """An answer that refuses.

    Args:
        status: HTTP status.
        code: Stable code, e.g. ``validation_failed``.
        message: For people.
        errors: Messages per field.
        headers: Further header fields, e.g. ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        errors: Mapping[str, list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep what the answer says."""
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"code": code, "message": message, "errors": dict(errors or {})}
        self.headers = dict(headers or {})

"""Where an incremental read begins, and when the whole list is due again. Pure: no clock, no state file, no network.

The records carry no stamp of their last change. So the bookmark is the moment just before the service was asked, one
for each entity, and the next read goes back behind it by an overlap: for a change that was being written at that moment,
and for a clock of the service that is behind ours. Deletions never show in such a read, and neither does what a clock
that is further off hides: hence a full read every so many days.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

READ_AT, FULL_READ_AT, SCOPE = "read_at", "full_read_at", "scope"
"""The keys of a bookmark in the state."""

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No read can have been before this moment."""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """What is known of an entity after a read that came to its end.

    Attributes:
        read_at: The moment just before that read was asked for.
        full_read_at: The same of the last read of everything.
        scope: Fingerprint of what was asked for, see `scope`.
    """

    read_at: datetime
    full_read_at: datetime
    scope: str

    @classmethod
    def from_state(cls, entry: object) -> Self:
        """Read a bookmark; keys that are not known are not looked at.

        Raises:
            ValueError: It is none.
        """
        if not isinstance(entry, Mapping):
            msg = "it is no object"
            raise ValueError(msg)
        return cls(_moment(entry, READ_AT), _moment(entry, FULL_READ_AT), str(entry.get(SCOPE)))

    def to_state(self) -> dict[str, str]:
        """Return the bookmark as it stands in the state: moments in UTC, to the second."""
        return {
            READ_AT: to_text(self.read_at),
            FULL_READ_AT: to_text(self.full_read_at),
            SCOPE: self.scope,
        }


def _moment(entry: Mapping[str, Any], key: str) -> datetime:
    text = entry.get(key)
    if not isinstance(text, str):
        msg = f"{key} is missing"
        raise ValueError(msg)
    moment = parse_moment(text)
    if moment < EARLIEST:
        msg = f"{key} lies before the year {EARLIEST.year}"
        raise ValueError(msg)
    return moment


def parse_moment(text: str) -> datetime:
    """Read a date, or a date and time, in ISO 8601; without a zone it is UTC.

    Raises:
        ValueError: It is none.
    """
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from error


def start_date(config: Mapping[str, Any]) -> datetime | None:
    """Return the setting ``start_date`` as a moment.

    Raises:
        ValueError: It is none.
    """
    text = config.get("start_date")
    return parse_moment(text) if text is not None else None


def to_text(moment: datetime) -> str:
    """Write a moment in UTC, cut to the second: never later than it was."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def scope(fields: Iterable[str], settings: Mapping[str, Any]) -> str:
    """Return a fingerprint of what is asked for.

    With other fields or other settings the bookmark tells nothing: rows that have not changed since would lack a field
    that was selected meanwhile.

    Args:
        fields: Names of the selected fields.
        settings: The settings that decide which part of the list is read.
    """
    asked = json.dumps([sorted(fields), dict(settings)], sort_keys=True, default=str)
    return hashlib.sha256(asked.encode()).hexdigest()[:16]


def why_full(bookmark: Bookmark | None, *, now: datetime, scope: str, full_read_days: int) -> str | None:
    """Say why everything has to be read, or ``None`` when the changes are enough.

    Args:
        bookmark: The bookmark of an entity, if there is one.
        now: The present moment.
        scope: What is going to be asked for.
        full_read_days: After how many days everything is read again. Days of the calendar (UTC), so that a daily
            run that begins some seconds earlier than last time does not put it off by a day.
    """
    if bookmark is None:
        return "it has not been read before"
    if bookmark.scope != scope:
        return "the fields or settings are not those of the last read"
    if max(bookmark.read_at, bookmark.full_read_at) > now:
        return "its bookmark lies in the future"
    if (now.date() - bookmark.full_read_at.date()).days >= full_read_days:
        return f"the last full read was on {bookmark.full_read_at.date()}"
    return None


def since(bookmark: Bookmark, *, overlap: timedelta, start_date: datetime | None) -> datetime:
    """Return the moment from which on changes are asked for.

    Args:
        bookmark: The bookmark of an entity.
        overlap: How far to go back behind it.
        start_date: What was changed last before this moment is never wanted.
    """
    moment = bookmark.read_at - overlap
    return moment if start_date is None else max(moment, start_date)


def after(previous: Bookmark | None, *, asked_at: datetime, full: bool, scope: str) -> Bookmark:
    """Return the bookmark of an entity after a read that came to its end.

    Args:
        previous: The bookmark before.
        asked_at: The moment just before the read was asked for.
        full: Whether everything was read.
        scope: What was asked for.
    """
    return Bookmark(asked_at, asked_at if full or previous is None else previous.full_read_at, scope)

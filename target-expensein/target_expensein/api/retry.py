"""When a call is repeated, how often, and how long to wait: all of it in this one place.

The rule behind the table: reading can always be repeated. A change sends the whole wanted state, so it can be repeated
after the record was read again. A create is repeated only when the server certainly did not run it; a twin cannot be
taken back.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn

from target_expensein.api.errors import ApiError, OutcomeUnknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_expensein.api.limiter import SharedPause

_log = logging.getLogger(__name__)


class Call(Enum):
    """The three sorts of calls, by what a repetition would do."""

    READ = auto()
    CHANGE = auto()
    CREATE = auto()


class Trouble(Enum):
    """What happened to a call that did not succeed, by what is known of the server's side."""

    NOT_SENT = auto()
    """No connection was made: refused, DNS, connect time-out, proxy. The server saw nothing."""
    UNTRUSTED = auto()
    """The TLS handshake failed on the certificate. The server saw nothing, and waiting does not help."""
    THROTTLED = auto()
    """429: the server turned it away."""
    TIMED_OUT = auto()
    """Sent, but there was no answer in time: the server may still be at work on it."""
    LOST = auto()
    """Sent, but the answer was lost: dropped connection, body broken off."""
    SERVER_FAILED = auto()
    """5xx or 408: it may have run or not."""
    UNREADABLE = auto()
    """2xx, but the answer is not what the contract says."""
    TOO_LONG = auto()
    """2xx, but longer than it may be. To ask again would not make it shorter."""
    STALE = auto()
    """412: the record changed between reading and writing."""


CERTAINLY_NOT_RUN = frozenset({Trouble.NOT_SENT, Trouble.UNTRUSTED, Trouble.THROTTLED})
"""After these the server has done nothing; after all others the outcome of a create is unknown."""

_TURNED_AWAY = frozenset({Trouble.NOT_SENT, Trouble.THROTTLED})
_MAY_HAVE_RUN = frozenset({Trouble.TIMED_OUT, Trouble.LOST, Trouble.SERVER_FAILED, Trouble.UNREADABLE})

REPEATED: Mapping[Call, frozenset[Trouble]] = {
    Call.READ: _TURNED_AWAY | _MAY_HAVE_RUN,
    Call.CHANGE: _TURNED_AWAY | _MAY_HAVE_RUN | {Trouble.STALE},
    Call.CREATE: _TURNED_AWAY,
}
"""Which trouble is answered with another attempt, per sort of call."""

STILL_AT_WORK = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT})
"""Statuses by which somebody on the way says that the server has not answered yet."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Numbers: attempts, and seconds to wait between them.

    Attributes:
        attempts: How often a call is tried in all.
        throttled_attempts: How often a call is turned away (429) before it is given up; these do not count as attempts.
        first_delay: Seconds before the second attempt; doubles each time.
        longest_delay: The longest such wait, in seconds.
        longest_retry_after: The longest wait asked for by Retry-After that is kept, in seconds.
    """

    attempts: int = 5
    throttled_attempts: int = 20
    first_delay: float = 0.5
    longest_delay: float = 20.0
    longest_retry_after: float = 120.0

    def delay(self, failures: int) -> float:
        """Return the seconds to wait after so many failures: doubling, and up to half of it by chance.

        Args:
            failures: How often the call has failed, from 1.
        """
        full = min(self.longest_delay, self.first_delay * 2.0 ** (failures - 1))
        return full * random.uniform(0.5, 1.0)  # noqa: S311 - spreads the workers, no secret  # nosec B311


class CallFailed(Exception):  # noqa: N818 - never leaves the package
    """A call failed in a way that the retry policy decides about.

    Attributes:
        trouble: What is known of the server's side.
        error: The error to raise when it is not tried again.
        retry_after: Seconds the server asked to wait, when it did.
    """

    def __init__(self, trouble: Trouble, error: ApiError, retry_after: float | None = None) -> None:
        """Keep what is known; see the class for the arguments."""
        super().__init__(str(error))
        self.trouble = trouble
        self.error = error
        self.retry_after = retry_after


class Attempts:
    """Counts the attempts of one call and waits between them."""

    def __init__(
        self, call: Call, policy: RetryPolicy, pause: SharedPause, sleep: Callable[[float], object]
    ) -> None:
        """Start with no failure.

        Args:
            call: The sort of call.
            policy: The numbers.
            pause: The pause that all workers share.
            sleep: Waits for a number of seconds.
        """
        self._call = call
        self._policy = policy
        self._pause = pause
        self._sleep = sleep
        self._failures = 0
        self._turned_away = 0

    def wait_or_give_up(self, failure: CallFailed) -> None:
        """Wait before the next attempt, or raise because there is none.

        Args:
            failure: How the last attempt failed.

        Raises:
            ApiError: The failure's own error, or :class:`OutcomeUnknown` for a create that may have run.
        """
        asked = min(failure.retry_after, self._policy.longest_retry_after) if failure.retry_after else None
        throttled = failure.trouble is Trouble.THROTTLED
        if throttled:
            self._turned_away += 1
        else:
            self._failures += 1
        delay = asked or self._policy.delay(self._turned_away if throttled else self._failures)
        if throttled or asked:
            self._pause.hold(delay)
        if failure.trouble not in REPEATED[self._call] or (
            self._turned_away >= self._policy.throttled_attempts or self._failures >= self._policy.attempts
        ):
            self._give_up(failure)
        _log.info("%s Trying again in %.1f s.", failure, delay)
        if not (throttled or asked):
            self._sleep(delay)

    def _give_up(self, failure: CallFailed) -> NoReturn:
        error = failure.error
        if self._call is Call.CREATE and failure.trouble not in CERTAINLY_NOT_RUN:
            raise OutcomeUnknown(
                f"The create may or may not have run: {error.message} It is not repeated; reading back will tell.",
                item=error.item,
                reference=error.reference,
                status=error.status,
                words=error.words,
                at_work=failure.trouble is Trouble.TIMED_OUT or error.status in STILL_AT_WORK,
            ) from failure
        raise error from failure


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Read the header Retry-After, as seconds or as an HTTP date.

    A date is compared with the answer's own ``Date``, so that a wrong clock on either side does no harm.

    Args:
        headers: The answer's headers.

    Returns:
        Seconds from now, never negative; None when there is no such header or it makes no sense.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    moment = http_date(text)
    if moment is None:
        return None
    now = http_date(headers.get("Date", "")) or datetime.now(UTC)
    return max(0.0, (moment - now).total_seconds())


def http_date(text: str) -> datetime | None:
    """Read the date of a header.

    Args:
        text: The header's value.

    Returns:
        The moment; None when it is not a date, or one that no calendar has.
    """
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for a year of twenty digits
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

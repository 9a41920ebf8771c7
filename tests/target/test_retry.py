"""The retry decision alone: what is repeated, how often, after how long, and how it ends when it is not."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from target_expensein.api import retry
from target_expensein.api.errors import ApiError, OutcomeUnknown
from target_expensein.api.limiter import SharedPause
from target_expensein.api.retry import Attempts, Call, CallFailed, RetryPolicy, Trouble, retry_after_seconds

POLICY = RetryPolicy(
    attempts=4, throttled_attempts=6, first_delay=1.0, longest_delay=3.0, longest_retry_after=60.0
)


class Clock:
    """A clock that only sleeping moves, and what was slept."""

    def __init__(self) -> None:
        """Begin somewhere."""
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pause(clock: Clock) -> SharedPause:
    return SharedPause(clock.sleep, lambda: clock.now)


@pytest.fixture(autouse=True)
def no_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest wait that chance allows, every time."""
    monkeypatch.setattr(retry.random, "uniform", lambda _low, high: high)


def failure(trouble: Trouble, retry_after: float | None = None) -> CallFailed:
    error = ApiError("It failed.", item="suppliers", reference="S1", status=500, words="no")
    return CallFailed(trouble, error, retry_after)


def attempts(call: Call, pause: SharedPause, clock: Clock, policy: RetryPolicy = POLICY) -> Attempts:
    return Attempts(call, policy, pause, clock.sleep)


REPEATED = {
    Call.READ: {
        Trouble.NOT_SENT, Trouble.THROTTLED, Trouble.TIMED_OUT, Trouble.LOST, Trouble.SERVER_FAILED, Trouble.UNREADABLE,
    },
    Call.CHANGE: {
        Trouble.NOT_SENT, Trouble.THROTTLED, Trouble.TIMED_OUT, Trouble.LOST, Trouble.SERVER_FAILED, Trouble.UNREADABLE,
        Trouble.STALE,
    },
    Call.CREATE: {Trouble.NOT_SENT, Trouble.THROTTLED},
}  # fmt: skip
NOT_RUN = {Trouble.NOT_SENT, Trouble.UNTRUSTED, Trouble.THROTTLED}


@pytest.mark.parametrize("trouble", Trouble)
@pytest.mark.parametrize("call", Call)
def test_a_call_is_repeated_only_where_that_can_do_no_harm(
    call: Call, trouble: Trouble, pause: SharedPause, clock: Clock
):
    """Above all: a create is repeated only when the server certainly did not run it."""
    trying = attempts(call, pause, clock)
    failed = failure(trouble)
    if trouble in REPEATED[call]:
        trying.wait_or_give_up(failed)
        return
    with pytest.raises(ApiError) as caught:
        trying.wait_or_give_up(failed)
    if call is Call.CREATE and trouble not in NOT_RUN:
        assert isinstance(caught.value, OutcomeUnknown)
    else:
        assert caught.value is failed.error
    assert caught.value.__cause__ is failed
    assert clock.slept == []


def test_a_create_that_may_have_run_says_so_and_keeps_what_is_known(pause: SharedPause, clock: Clock):
    with pytest.raises(OutcomeUnknown) as caught:
        attempts(Call.CREATE, pause, clock).wait_or_give_up(failure(Trouble.LOST))
    unknown = caught.value
    assert (unknown.item, unknown.reference, unknown.status, unknown.words) == ("suppliers", "S1", 500, "no")
    assert unknown.message == (
        "The create may or may not have run: It failed. It is not repeated; reading back will tell."
    )


@pytest.mark.parametrize(
    ("trouble", "status", "at_work"),
    [
        (Trouble.TIMED_OUT, None, True),
        (Trouble.SERVER_FAILED, 408, True),
        (Trouble.SERVER_FAILED, 504, True),
        (Trouble.SERVER_FAILED, 500, False),
        (Trouble.LOST, None, False),
    ],
)
def test_a_create_that_timed_out_may_still_be_under_way(
    trouble: Trouble, status: int | None, *, at_work: bool, pause: SharedPause, clock: Clock
):
    """Then reading back at once would prove nothing."""
    failed = CallFailed(trouble, ApiError("It failed.", status=status))
    with pytest.raises(OutcomeUnknown) as caught:
        attempts(Call.CREATE, pause, clock).wait_or_give_up(failed)
    assert caught.value.at_work is at_work


@pytest.mark.parametrize("trouble", [Trouble.NOT_SENT, Trouble.THROTTLED])
def test_a_create_that_is_given_up_because_it_never_ran_is_not_called_unknown(
    trouble: Trouble, pause: SharedPause, clock: Clock
):
    trying = attempts(Call.CREATE, pause, clock)
    repeated = POLICY.attempts if trouble is Trouble.NOT_SENT else POLICY.throttled_attempts
    for _ in range(repeated - 1):
        trying.wait_or_give_up(failure(trouble))
    last = failure(trouble)
    with pytest.raises(ApiError) as caught:
        trying.wait_or_give_up(last)
    assert caught.value is last.error


def test_waits_double_up_to_the_longest_and_end_with_the_last_attempt(pause: SharedPause, clock: Clock):
    trying = attempts(Call.READ, pause, clock)
    for _ in range(3):
        trying.wait_or_give_up(failure(Trouble.LOST))
    assert clock.slept == [1.0, 2.0, 3.0]
    with pytest.raises(ApiError):
        trying.wait_or_give_up(failure(Trouble.LOST))
    assert clock.slept == [1.0, 2.0, 3.0]
    pause.wait()
    assert clock.slept == [1.0, 2.0, 3.0]  # nobody else was held


def test_being_turned_away_holds_everybody_and_does_not_count_as_an_attempt(pause: SharedPause, clock: Clock):
    trying = attempts(Call.CREATE, pause, clock)
    for expected in (1.0, 2.0, 3.0, 3.0, 3.0):
        trying.wait_or_give_up(failure(Trouble.THROTTLED))
        assert clock.slept == []  # it waits with the others, where all wait
        pause.wait()
        assert clock.slept == [expected]
        clock.slept.clear()
    trying.wait_or_give_up(failure(Trouble.NOT_SENT))
    assert clock.slept == [1.0]  # the first attempt that counts
    with pytest.raises(ApiError):
        trying.wait_or_give_up(failure(Trouble.THROTTLED))


@pytest.mark.parametrize("trouble", [Trouble.THROTTLED, Trouble.SERVER_FAILED])
@pytest.mark.parametrize(("asked", "kept"), [(7.0, 7.0), (60.0, 60.0), (61.0, 60.0), (1e9, 60.0)])
def test_what_the_server_asks_for_is_kept_by_everybody_up_to_a_limit(
    trouble: Trouble, asked: float, kept: float, pause: SharedPause, clock: Clock
):
    attempts(Call.READ, pause, clock).wait_or_give_up(failure(trouble, asked))
    assert clock.slept == []
    pause.wait()
    assert clock.slept == [kept]


@pytest.mark.parametrize("asked", [None, 0.0])
def test_a_server_that_asks_for_no_time_gets_the_usual(asked: float | None, pause: SharedPause, clock: Clock):
    attempts(Call.READ, pause, clock).wait_or_give_up(failure(Trouble.LOST, asked))
    assert clock.slept == [1.0]


def test_the_log_says_why_and_when_it_goes_on(
    pause: SharedPause, clock: Clock, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO, logger=retry.__name__):
        attempts(Call.READ, pause, clock).wait_or_give_up(failure(Trouble.LOST))
    (record,) = caplog.records
    assert record.getMessage() == "suppliers, reference 'S1': It failed. Trying again in 1.0 s."
    assert record.name == "target_expensein.api.retry"


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (1.0, 1.0)])
def test_chance_takes_up_to_half_of_a_wait(monkeypatch: pytest.MonkeyPatch, low: float, high: float):
    monkeypatch.setattr(retry.random, "uniform", lambda least, most: {0.5: least, 1.0: most}[low])
    assert POLICY.delay(1) == high
    assert POLICY.delay(2) == 2 * high


def test_the_numbers_that_are_built_in():
    policy = RetryPolicy()
    assert (policy.attempts, policy.throttled_attempts) == (5, 20)
    assert [policy.delay(failures) for failures in range(1, 9)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0]
    assert policy.longest_retry_after == 120.0


NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "\u0663"}, None),  # a digit, but not one of HTTP
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": " 12 "}, 12.0),
        ({"Retry-After": http_date(NOW + timedelta(seconds=90)), "Date": http_date(NOW)}, 90.0),
        ({"Retry-After": http_date(NOW - timedelta(seconds=90)), "Date": http_date(NOW)}, 0.0),
        (
            {"Retry-After": "Sun, 01 Mar 20262026202620262026 12:00:05 GMT"},
            None,
        ),  # a year that no calendar has
        ({"Retry-After": "Sun, 01 Mar 2026 13:00:05 +0100", "Date": http_date(NOW)}, 5.0),
        # Without a zone, and with -0000, which Python reads as none: UTC is meant.
        ({"Retry-After": "Sun, 01 Mar 2026 12:00:05 -0000", "Date": http_date(NOW)}, 5.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(headers: dict[str, str], seconds: float | None):
    assert retry_after_seconds(headers) == seconds


@pytest.mark.parametrize("date", [{}, {"Date": "yesterday"}])
def test_a_date_is_compared_with_the_own_clock_where_the_answer_has_none(date: dict[str, str]):
    headers = date | {"Retry-After": http_date(datetime.now(UTC) + timedelta(hours=1))}
    asked = retry_after_seconds(headers)
    assert asked is not None
    assert 0 < asked <= 3600

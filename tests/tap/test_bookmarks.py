"""Where an incremental read begins, as pure functions: nothing that changed is ever missed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tap_accountsiq import bookmarks
from tap_accountsiq.bookmarks import Bookmark, after, parse_moment, scope, since, to_text, why_full

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
SCOPE = scope(["code"], {})
moments = st.datetimes(datetime(2000, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))


def mark(read_at: datetime = NOON, full_read_at: datetime | None = None, scope: str = SCOPE) -> Bookmark:
    return Bookmark(read_at, full_read_at or read_at, scope)


def reason(bookmark: Bookmark | None, *, now: datetime = NOON, days: int = 7) -> str | None:
    return why_full(bookmark, now=now, scope=SCOPE, full_read_days=days)


# --- in the state -----------------------------------------------------------------------------------------------------


@given(
    read_at=moments,
    full_read_at=moments,
    later_keys=st.dictionaries(st.text("xyz", min_size=1), st.integers()),
)
def test_a_bookmark_survives_the_state_and_never_grows_there(
    read_at: datetime, full_read_at: datetime, later_keys: dict[str, int]
) -> None:
    before = mark(read_at, full_read_at)
    read_back = Bookmark.from_state(later_keys | before.to_state())
    assert Bookmark.from_state(read_back.to_state()) == read_back
    for was, now in ((read_at, read_back.read_at), (full_read_at, read_back.full_read_at)):
        assert timedelta(0) <= was - now < timedelta(seconds=1)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        7,
        [],
        {},
        {"read_at": "2026-03-14T12:00:00Z"},
        {"read_at": "2026-03-14T12:00:00Z", "full_read_at": 7},
        {"read_at": "yesterday", "full_read_at": "2026-03-14T12:00:00Z"},
        {"read_at": "0001-01-01T00:00:00Z", "full_read_at": "2026-03-14T12:00:00Z"},
        {"read_at": "0001-01-01T00:00:00+14:00", "full_read_at": "2026-03-14T12:00:00Z"},
    ],
)
def test_what_is_no_bookmark_is_refused(entry: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        Bookmark.from_state(entry)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_nothing_that_a_state_may_hold_raises_another_error(entry: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        Bookmark.from_state(entry)


def test_a_moment_without_a_zone_is_utc() -> None:
    assert parse_moment("2026-03-14") == datetime(2026, 3, 14, tzinfo=UTC)
    assert parse_moment("2026-03-14T13:00:00+01:00") == NOON
    assert to_text(NOON.replace(microsecond=999_999)) == "2026-03-14T12:00:00Z", "cut, never rounded up"


# --- when everything is read ------------------------------------------------------------------------------------------


def test_everything_is_read_the_first_time_and_when_something_else_is_asked_for() -> None:
    assert reason(None) == "it has not been read before"
    assert reason(mark()) is None
    other = scope(["code", "name"], {})
    assert reason(mark(scope=other)) == "the fields or settings are not those of the last read"
    assert len({SCOPE, other, scope(["code"], {"start_date": "2026-01-01"})}) == 3
    assert scope(["b", "a"], {"x": 1, "y": 2}) == scope(["a", "b"], {"y": 2, "x": 1})


def test_a_daily_run_that_begins_a_little_earlier_does_not_put_the_full_read_off() -> None:
    began = datetime(2026, 3, 1, 4, 0, 30, tzinfo=UTC)
    for day in range(1, 7):
        assert reason(mark(began, began), now=began + timedelta(days=day)) is None
    early = began + timedelta(days=7, seconds=-20)
    assert reason(mark(early - timedelta(days=1), began), now=early) == "the last full read was on 2026-03-01"


@given(read_at=moments, full_read_at=moments, now=moments, days=st.integers(1, 400))
def test_a_bookmark_in_the_future_or_an_old_full_read_is_never_trusted(
    read_at: datetime, full_read_at: datetime, now: datetime, days: int
) -> None:
    trusted = reason(mark(read_at, full_read_at), now=now, days=days) is None
    assert not (trusted and (read_at > now or full_read_at > now))
    assert not (trusted and now - full_read_at > timedelta(days=days))
    if read_at <= now and full_read_at <= now and now - full_read_at <= timedelta(days=days - 1):
        assert trusted


# --- from where -------------------------------------------------------------------------------------------------------


@given(read_at=moments, overlap=st.integers(0, 10080), start_date=st.none() | moments)
def test_a_read_begins_the_overlap_before_the_last_one_but_never_before_the_start_date(
    read_at: datetime, overlap: int, start_date: datetime | None
) -> None:
    moment = since(mark(read_at), overlap=timedelta(minutes=overlap), start_date=start_date)
    if start_date is None:
        assert moment == read_at - timedelta(minutes=overlap)
    else:
        assert moment == max(start_date, read_at - timedelta(minutes=overlap))


def test_only_a_full_read_moves_the_moment_of_the_last_full_read() -> None:
    later = NOON + timedelta(hours=1)
    assert after(mark(), asked_at=later, full=False, scope=SCOPE) == mark(later, NOON)
    assert after(mark(), asked_at=later, full=True, scope=SCOPE) == mark(later, later)
    assert after(None, asked_at=later, full=True, scope="x") == mark(later, later, "x")


# --- the whole story --------------------------------------------------------------------------------------------------

OVERLAP = timedelta(minutes=120)
DAYS = 7

codes = st.sampled_from("ABC")
nights = st.tuples(
    st.lists(codes, max_size=2),  # edited
    st.none() | codes,  # deleted
    st.integers(0, 4 * 24 * 60),  # minutes until the next night
    st.sampled_from(["good", "good", "good", "fails", "cut short"]),
)


@given(
    nights=st.lists(nights, min_size=2, max_size=20),
    skew=st.integers(-120, 120),
    written_late=st.integers(0, 60),
)
@example(
    nights=[(["A"], None, 3 * 24 * 60, "good"), *[([], "A", 3 * 24 * 60, "good")] * 4], skew=0, written_late=0
)
@example(nights=[(["A"], None, 60, "good")] * 3, skew=-60, written_late=60)
def test_no_change_is_ever_missed_and_deletions_show_within_the_interval(
    nights: Iterable[tuple[list[str], str | None, int, str]], skew: int, written_late: int
) -> None:
    """A service with a clock that is off, and a table that is fed by reads of which some fail.

    Each good read has to leave the table equal to the source, but for what was deleted since the last full read; a
    change may be stamped long before it can be seen, as long as skew and delay stay within the overlap.
    """
    now = NOON
    delay = min(timedelta(minutes=written_late), OVERLAP - timedelta(minutes=max(-skew, 0)))
    source: dict[str, tuple[int, datetime]] = {}
    deleted: dict[str, datetime] = {}
    table: dict[str, int] = {}
    bookmark: Bookmark | None = None
    for night, (edited, removed, minutes, outcome) in enumerate(nights):
        for code in edited:
            source[code] = (night, now + timedelta(minutes=skew) - delay)
            deleted.pop(code, None)
        if removed in source:
            del source[removed]
            deleted[removed] = now
        full = why_full(bookmark, now=now, scope=SCOPE, full_read_days=DAYS) is not None
        start = None if full or bookmark is None else since(bookmark, overlap=OVERLAP, start_date=None)
        found = {code: row for code, (row, stamp) in source.items() if start is None or stamp >= start}
        if outcome == "cut short":
            table |= dict(list(found.items())[:1])
        if outcome == "good":
            table = found if full else table | found
            bookmark = after(bookmark, asked_at=now, full=full, scope=SCOPE)
            bookmark = Bookmark.from_state(bookmark.to_state())
            assert {code: row for code, row in table.items() if code in source} == {
                code: row for code, (row, _) in source.items()
            }
            assert all(deleted[code] > now - timedelta(days=DAYS) for code in table if code not in source)
        now += timedelta(minutes=minutes)


def test_the_start_date_of_the_settings_is_a_moment_or_none() -> None:
    assert bookmarks.start_date({}) is None
    assert bookmarks.start_date({"start_date": "2026-03-14T12:00:00Z"}) == NOON
    with pytest.raises(ValueError, match="Invalid isoformat"):
        bookmarks.start_date({"start_date": "soon"})

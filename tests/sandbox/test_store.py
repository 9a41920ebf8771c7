"""What the store promises to both sides beyond what HTTP shows: stamps of change, order, all or nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sandbox.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        """Start at noon."""
        self.now = NOON

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Iterator[Store]:
    opened = Store(None, clock)
    yield opened
    opened.close()


def changed(store: Store, moment: datetime | None) -> list[str]:
    return [row["Code"] for row in store.modified_since("ACME", "suppliers", moment)]


def test_source_rows_are_found_by_the_moment_of_their_last_change(store: Store, clock: Clock) -> None:
    store.set_source("ACME", "suppliers", [{"Code": "A"}, {"Code": "B"}, {"Code": "C"}])
    clock.now += HOUR
    store.edit_source("ACME", "suppliers", "B", {"Name": "New"})
    clock.now += HOUR
    store.add_source("ACME", "suppliers", {"Code": "D"})
    assert changed(store, None) == changed(store, NOON) == ["A", "B", "C", "D"]
    assert changed(store, NOON + timedelta(microseconds=1)) == ["B", "D"]
    assert changed(store, NOON + HOUR) == ["B", "D"]
    assert changed(store, NOON + 2 * HOUR) == ["D"]
    assert changed(store, NOON + 3 * HOUR) == []
    store.remove_source("ACME", "suppliers", "D")
    assert changed(store, NOON + HOUR) == ["B"]


def test_replacing_a_dataset_stamps_only_what_differs(store: Store, clock: Clock) -> None:
    store.set_source("ACME", "suppliers", [{"Code": "A", "Name": "a"}, {"Code": "B", "Name": "b"}])
    clock.now += HOUR
    rows = [{"Code": "B", "Name": "b"}, {"Code": "A", "Name": "new"}, {"Code": "C"}]
    store.set_source("ACME", "suppliers", rows)
    assert store.source("ACME", "suppliers") == rows
    assert changed(store, NOON + HOUR) == ["A", "C"]


def test_rows_can_be_changed_while_they_are_read(store: Store) -> None:
    store.set_source("ACME", "suppliers", [{"Code": f"{number:04}"} for number in range(2500)])
    rows = store.iter_source("ACME", "suppliers")
    first = next(rows)
    store.add_source("ACME", "suppliers", {"Code": "last"})
    store.remove_source("ACME", "suppliers", "2000")
    read = [first, *rows]
    assert len(read) == 2500
    assert read[-1] == {"Code": "last"}


def test_entities_and_datasets_do_not_mix(store: Store) -> None:
    store.set_source("ACME", "suppliers", [{"Code": "A"}])
    store.set_source("OTHER", "suppliers", [{"Code": "B"}])
    store.set_source("ACME", "accounts", [{"Code": "A"}])
    store.remove_source("ACME", "suppliers", "A")
    assert store.source("OTHER", "suppliers") == [{"Code": "B"}]
    assert store.source("ACME", "accounts") == [{"Code": "A"}]


def fail_half_way(store: Store) -> None:
    store.insert_live("projects", {"name": "Lost"})
    store.set_source("ACME", "accounts", [{"Code": "1"}])
    message = "half-way"
    raise RuntimeError(message)


def test_a_change_that_fails_half_way_leaves_nothing(store: Store) -> None:
    store.insert_live("projects", {"name": "Kept"})
    with pytest.raises(RuntimeError, match="half-way"), store.transaction():
        fail_half_way(store)
    assert [row.fields() for row in store.list_live("projects")] == [{"name": "Kept"}]
    assert store.source("ACME", "accounts") == []
    assert store.insert_live("projects", {"name": "Next"}).number == 2


def test_the_same_history_gives_the_same_ids() -> None:
    ids = []
    for _ in range(2):
        fresh = Store()
        ids.append([fresh.insert_live("projects", {"name": name}).id for name in "ab"])
        fresh.close()
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2

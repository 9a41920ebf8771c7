"""The short campaign that is part of ``make test``; the long one is ``make chaos``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from target_expensein import model as plan
from target_expensein.apply import Status
from target_expensein.ledger import Entry

from .campaign import player
from .cases import MARGIN, SYSTEMATIC, Step, case, edits_at_puts, systematic
from .model import Model, Row, new_record
from .runner import Player, is_true_of_what_happened

SEED = 1
CASES = [number for number in range(1, 13) if number % 8]
"""Without those that are systematic, which follow, and without Meltano, which ``tests/end_to_end`` is for."""
LISTED_AFTER = 1
"""Seconds: longer than it takes to begin a run."""


@pytest.fixture(scope="module")
def at_play() -> Iterator[Player]:
    """A player for all cases of a worker."""
    with player() as one:
        yield one


@pytest.mark.parametrize("number", CASES)
def test_a_case_of_the_campaign(at_play: Player, number: int):
    assert at_play.play(case(SEED, number)).problems == []


@pytest.mark.parametrize(
    "kill", SYSTEMATIC[::5], ids=lambda kill: f"{kill.method}-{kill.number}-{kill.moment}-{kill.signal}"
)
def test_a_kill_between_two_writes(at_play: Player, kill):
    played = at_play.play(systematic("short", kill))
    assert played.problems == []
    assert any(name.startswith("kills") for name in played.counts), "nobody was killed"


def test_an_edit_between_reading_and_writing_is_not_lost(at_play: Player):
    played = at_play.play(edits_at_puts("short"))
    assert played.problems == []
    assert played.counts["edits between reading and writing"]


def test_the_campaign_sees_such_an_edit_lost():
    with player("ignores_etags") as broken:
        problems = broken.play(edits_at_puts("sabotaged")).problems
    assert any("(R9)" in problem for problem in problems)


def test_what_an_admin_made_is_listed_before_the_run_begins(at_play: Player):
    hidden = replace(
        edits_at_puts("listed"),
        already=1,
        expensein={"list_delay": LISTED_AFTER},
        shows_within=MARGIN + LISTED_AFTER,
        steps=[Step()],
    )
    assert at_play.play(hidden).problems == []


BEFORE, REMOVED, AFTER = (datetime(2026, 11, 26, hour, tzinfo=UTC) for hour in (1, 2, 3))


@pytest.mark.parametrize(
    ("status", "settled_at", "seen", "true"),
    [
        (Status.DONE, AFTER, {"is_there": True}, True),
        (Status.REJECTED, AFTER, {"refused": True}, True),
        (Status.REJECTED, AFTER, {}, False),
        (Status.FAILED, AFTER, {"taken_away": REMOVED}, True),
        (Status.FAILED, BEFORE, {"taken_away": REMOVED}, False),
        (Status.FAILED, AFTER, {"taken_away": REMOVED, "is_there": True}, False),
        (Status.FAILED, AFTER, {"refused": True}, False),
        (Status.SENT, AFTER, {"taken_away": REMOVED, "refused": True}, False),
        (None, None, {"taken_away": REMOVED, "refused": True}, False),
    ],
)
def test_what_the_ledger_may_say_of_a_creation_that_happened(status, settled_at, seen, true):
    row = plan.Row("categories", plan.Kind.CREATE, "new", "1")
    entry = Entry("run", 1, 1, row, status, "new", "", None, BEFORE, settled_at)
    world = {"taken_away": None, "is_there": False, "refused": False} | seen
    assert is_true_of_what_happened(entry, **world) is true


class TestTheModel:
    """A model that sees nothing would let everything pass."""

    ROWS = (Row("1", "One"), Row("2", "Two"))

    @pytest.fixture
    def model(self) -> Model:
        """A model that knows two rows of every item."""
        model = Model()
        model.source_is({"categories": self.ROWS, "suppliers": self.ROWS})
        return model

    @staticmethod
    def live(**collections: list[dict]) -> dict[str, list[dict]]:
        return {name: collections.get(name, []) for name in ("categories", "projects", "departments", "taxrates", "suppliers")}  # fmt: skip

    def created(self, item: str, number: int = 0, **fields: object) -> dict:
        return {"id": str(number), **new_record(item, self.ROWS[number]), **fields}

    def test_it_lets_pass_what_the_source_says(self, model: Model):
        live = self.live(categories=[self.created("categories"), self.created("categories", 1)])
        assert model.witness(live) == []
        assert model.behind(live, {"categories": self.ROWS}) == []

    @pytest.mark.parametrize(
        ("after", "words"),
        [
            ([], "was deleted"),
            ([{"description": "x"}], "does not own"),
            ([{"name": "Two"}], "never said"),
            ([{"reference": "3"}], "does not own"),
            ([{"unknown": 1}], "does not own"),
            ([{}, {"id": "9"}], "TWIN"),
            ([{}, {"id": "9", "reference": "3", "name": "x"}], "never said"),
        ],
    )
    def test_it_sees_what_must_not_be(self, model: Model, after, words):
        assert model.witness(self.live(categories=[self.created("categories")])) == []
        live = self.live(categories=[self.created("categories", **fields) for fields in after])
        assert words in " ".join(model.witness(live))

    @pytest.mark.parametrize("how", ["removed", "cleared"])
    def test_it_remembers_what_an_admin_took_away_of_what_the_sync_made(self, model: Model, how):
        ours, by_hand = self.created("categories"), self.created("categories", 1)
        model.edited("categories", by_hand)
        assert model.witness(self.live(categories=[ours, by_hand])) == []
        for record in (ours, by_hand):
            if how == "removed":
                model.removed("categories", record)
            else:
                model.edited("categories", record | {"reference": None})
        assert list(model.taken_away) == [("categories", "1")]

    def test_it_sees_what_is_missing_or_has_another_name_or_is_asleep(self, model: Model):
        suppliers = [self.created("suppliers", name="By hand"), self.created("suppliers", 1, isActive=False)]
        problems = model.behind(
            self.live(suppliers=suppliers), {"suppliers": self.ROWS, "categories": self.ROWS[:1]}
        )
        assert len(problems) == 3

"""The short campaign that is part of ``make test``; the long one is ``make chaos``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .campaign import player
from .cases import SYSTEMATIC, case, edits_at_puts, systematic
from .model import Model, Row, new_record
from .runner import Player

SEED = 1
CASES = [number for number in range(1, 27) if number % 8 and number != 21]
"""Without those that are systematic, which follow, and without Meltano, which ``tests/end_to_end`` is for."""


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

    def test_it_sees_what_is_missing_or_has_another_name_or_is_asleep(self, model: Model):
        suppliers = [self.created("suppliers", name="By hand"), self.created("suppliers", 1, isActive=False)]
        problems = model.behind(
            self.live(suppliers=suppliers), {"suppliers": self.ROWS, "categories": self.ROWS[:1]}
        )
        assert len(problems) == 3

"""JSON that is written: piece by piece as at once, and on one line for people."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import simplejson
from hypothesis import given
from hypothesis import strategies as st
from target_expensein.exactjson import one_line, pieces

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([Decimal("13.50"), "\n}", ""])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


def streamed(value: Any) -> Any:
    """The same value with iterators for arrays, inside other iterators' elements excepted."""
    if isinstance(value, dict):
        return {name: streamed(member) for name, member in value.items()}
    return iter(value) if isinstance(value, list) else value


@given(VALUES)
def test_pieces_are_those_of_the_text_that_is_written_at_once(value: Any):
    text = simplejson.dumps(value, use_decimal=True, indent=1, ensure_ascii=False) + "\n"
    assert "".join(pieces(value)) == text
    assert "".join(pieces(streamed(value))) == text


def test_elements_of_an_iterator_are_made_as_they_are_written():
    made: list[int] = []

    def rows():
        for number in range(3):
            made.append(number)
            yield {"number": number}

    written = pieces({"rows": rows(), "after": 1})
    while not made:
        next(written)
    assert made == [0]
    assert simplejson.loads('{"rows": [' + "".join(written).lstrip()) == {
        "rows": [{"number": number} for number in range(3)],
        "after": 1,
    }


def test_times_are_written_in_iso_8601_and_nothing_else_is_guessed():
    assert "".join(pieces(datetime(2026, 11, 22, 4, tzinfo=UTC))) == '"2026-11-22T04:00:00+00:00"\n'
    with pytest.raises(TypeError):
        "".join(pieces({"x": object()}))


def test_a_line_for_people_has_their_letters_and_every_digit():
    assert one_line({"name": "Café \n", "rate": Decimal("13.50")}) == '{"name": "Café \\n", "rate": 13.50}'

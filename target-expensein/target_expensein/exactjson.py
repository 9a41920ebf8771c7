"""Reads JSON to the letter: numbers digit for digit, and an object that names a member twice says so."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import simplejson

MOST_DIGITS: Final = 4000
"""Longer whole numbers are not turned into an ``int``: Python refuses them, and nobody needs one."""


class Ambiguous(dict[str, Any]):
    """An object that names a member more than once; the last value is the one it has.

    Attributes:
        repeated: The members in question.
    """

    def __init__(self, pairs: Iterable[tuple[str, Any]], repeated: frozenset[str]) -> None:
        """Keep the last value of each member."""
        super().__init__(pairs)
        self.repeated = repeated


def loads(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Read JSON.

    Args:
        text: One JSON value.

    Returns:
        The value. A number with a fraction or an exponent is a ``Decimal``; one beyond the reach of ``Decimal`` stays a
        text, which is no number to anybody. An object with a member that is named twice is :class:`Ambiguous`.

    Raises:
        ValueError: It is not JSON (NaN and infinity are not).
        RecursionError: It is nested too deeply.
    """
    return simplejson.loads(
        text, object_pairs_hook=_object, parse_float=number, parse_int=number, allow_nan=False
    )


def number(text: str) -> int | Decimal | str:
    """Read a JSON number: whole numbers as ``int``, others as ``Decimal``; as a text what is beyond both.

    Args:
        text: The number.
    """
    if len(text) <= MOST_DIGITS and text.lstrip("-").isdecimal():
        return int(text)
    try:
        return Decimal(text)
    except ArithmeticError:
        return text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    seen: set[str] = set()
    repeated = frozenset(name for name, _ in pairs if name in seen or seen.add(name))
    return Ambiguous(pairs, repeated)

"""JSON to the letter: numbers digit for digit, and an object that names a member twice says so when it is read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import simplejson

BOM: Final = b"\xef\xbb\xbf"
"""What some programs put before UTF-8."""

_ESCAPED_ASCII: Final = re.compile(rb"\\u00[2-7]")

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


# An encoder takes longer to make than most of what is written with it.
_CANONICAL: Final = simplejson.JSONEncoder(use_decimal=True, sort_keys=True, separators=(",", ":"))
_ONE_LINE: Final = simplejson.JSONEncoder(use_decimal=True, ensure_ascii=False)
_LINES: Final = simplejson.JSONEncoder(
    use_decimal=True, ensure_ascii=False, indent=1, default=datetime.isoformat
)


def canonical(value: object) -> str:
    """Write JSON in its one spelling: sorted keys, no spaces, ASCII, decimals digit for digit.

    Args:
        value: JSON data, decimals included.

    Raises:
        TypeError: There is something else in the value.
    """
    return _CANONICAL.encode(value)


def one_line(value: object) -> str:
    """Write JSON on one line, as people read it: decimals digit for digit, and no escapes but those that must be.

    Args:
        value: JSON data, decimals included.

    Raises:
        TypeError: There is something else in the value.
    """
    return _ONE_LINE.encode(value)


def pieces(value: object) -> Iterator[str]:
    """Write JSON on lines, piece by piece: there may be more of it than should be in memory at once.

    Args:
        value: JSON data, decimals and times included. An iterator stands for an array, whose elements are made as they are
            written.

    Yields:
        The pieces of the text, decimals digit for digit, times in ISO 8601; it ends with a line break.

    Raises:
        TypeError: There is something else in the value.
    """
    yield from _pieces(value, "\n")
    yield "\n"


def _pieces(value: object, line: str) -> Iterator[str]:
    """Write a value; ``line`` is a line break with the indent of the line that the value begins on."""
    inner = f"{line} "
    if isinstance(value, dict):
        before = "{"
        for name, member in value.items():
            yield f"{before}{inner}{_LINES.encode(name)}: "
            yield from _pieces(member, inner)
            before = ","
        yield "{}" if before == "{" else f"{line}}}"
    elif isinstance(value, list | tuple | Iterator):
        before = "["
        for element in value:
            yield f"{before}{inner}"
            if isinstance(value, Iterator):  # there may be very many
                yield _LINES.encode(element).replace("\n", inner)  # a line break within a text is escaped
            else:
                yield from _pieces(element, inner)
            before = ","
        yield "[]" if before == "[" else f"{line}]"
    else:
        yield _LINES.encode(value)


def is_spelt_plainly(name: str) -> bool:
    """Tell whether JSON has a member's name as it is, so that it can be counted; unless it uses more escapes than it must.

    Args:
        name: The name.
    """
    return name.isascii() and simplejson.dumps(name) == f'"{name}"'


def names_at_most(text: bytes | bytearray, most: Mapping[bytes, int]) -> bool:
    """Tell whether a JSON text certainly has each of some members at most so many times.

    Args:
        text: The JSON text.
        most: The members' names, spelt plainly, with their quotes → how many times.

    Returns:
        False also when that is not easy to tell.
    """
    # The first question is answered at once, and nearly always settles it.
    if b"\\" in text and b"\\u00" in text and _ESCAPED_ASCII.search(text):
        return False  # a name could be spelt with escapes
    return all(text.count(name) <= times for name, times in most.items())


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    times = Counter(name for name, _ in pairs)
    return Ambiguous(pairs, frozenset(name for name, number in times.items() if number > 1))

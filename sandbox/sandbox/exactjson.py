"""JSON whose numbers survive: read as ``Decimal``, written back digit for digit.

A tax rate of ``13.50`` must leave the sandbox as ``13.50``; a detour through binary floating point
would lose that, and would hide the same mistake in a client.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn

_fast = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _refuse_constant(text: str) -> NoReturn:
    message = f"{text} is not JSON"
    raise ValueError(message)


_exact = json.JSONDecoder(
    parse_float=Decimal, parse_constant=_refuse_constant
)  # one for all: it is costly to make


def loads(text: str | bytes) -> Any:  # noqa: ANN401 - JSON is any type
    """Read JSON text.

    Args:
        text: JSON, as text or UTF-8 bytes.

    Returns:
        The value; fractional numbers as ``Decimal``.

    Raises:
        ValueError: The text is not JSON (``NaN`` and ``Infinity`` included).
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    return _exact.decode(text)


def dumps(value: object) -> str:
    """Write a value as compact JSON text.

    Args:
        value: Dictionaries, lists, strings, numbers (``Decimal`` included), booleans, ``None``.

    Returns:
        JSON text, not ASCII-escaped.

    Raises:
        TypeError: The value holds something that JSON cannot express.
        ValueError: A number is not finite.
    """
    try:
        return _fast.encode(value)
    except TypeError:  # only a Decimal (or nonsense) comes here, so the C encoder serves the big lists
        return _encode(value)


def plain(value: object) -> Any:  # noqa: ANN401 - any type in, the same out
    """A number that was read as ``Decimal`` as the float that clocks and dice work with; all else as it is."""
    return float(value) if isinstance(value, Decimal) else value


def _encode(value: object) -> str:
    if isinstance(value, Decimal):
        if not value.is_finite():
            _refuse_constant(str(value))
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_fast.encode(str(k))}:{_encode(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_encode, value)) + "]"
    return _fast.encode(value)

"""What a field is: declared once, used by the schema, the parser and the README tables."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

JsonSchema = dict[str, Any]

_INTEGER = re.compile(r"[+-]?0*[0-9]{1,19}")  # an xs:long has no more digits
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def to_text(text: str) -> str:
    """Return the characters exactly as they came: codes are never trimmed, padded or re-cased (R8)."""
    return text


def to_integer(text: str) -> int:
    """Read an ``xs:int``, ``xs:short`` or ``xs:long``.

    Raises:
        ValueError: The text is not a whole number.
    """
    digits = text.strip()
    if not _INTEGER.fullmatch(digits):
        msg = "not a whole number"
        raise ValueError(msg)
    return int(digits)


def to_decimal(text: str) -> Decimal:
    """Read an ``xs:decimal`` exactly, digit by digit, without a detour through binary floats.

    Raises:
        ValueError: The text is not a decimal number.
    """
    digits = text.strip()
    if not _DECIMAL.fullmatch(digits):
        msg = "not a decimal number"
        raise ValueError(msg)
    return Decimal(digits)


def to_boolean(text: str) -> bool:
    """Read an ``xs:boolean``.

    Raises:
        ValueError: The text is none of true, false, 1, 0.
    """
    try:
        return _BOOLEANS[text.strip()]
    except KeyError:
        msg = "neither true nor false"
        raise ValueError(msg) from None


def to_date_time(text: str) -> str:
    """Read an ``xs:dateTime`` as an RFC 3339 string.

    A value without a zone (what .NET writes for a date kept in a database) is taken as UTC, so that the result is
    a valid ``date-time`` everywhere. The digits are kept as they are, fractions of seconds included.

    Raises:
        ValueError: The text is not a date and time.
    """
    stamp = text.strip()
    found = _DATE_TIME.fullmatch(stamp)
    if not found:
        msg = "not a date and time"
        raise ValueError(msg)
    datetime.datetime.fromisoformat(stamp)
    return stamp if found[2] else f"{stamp}Z"


@dataclass(frozen=True, slots=True)
class FieldType:
    """A type of the vendor's contract: its JSON Schema and how its text becomes a value."""

    name: str
    schema: JsonSchema
    convert: Callable[[str], Any]


TEXT = FieldType("string", {"type": ["string"]}, to_text)
INTEGER = FieldType("integer", {"type": ["integer"]}, to_integer)
DECIMAL = FieldType("number", {"type": ["number"]}, to_decimal)
BOOLEAN = FieldType("boolean", {"type": ["boolean"]}, to_boolean)
DATE_TIME = FieldType("date-time", {"type": ["string"], "format": "date-time"}, to_date_time)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a stream.

    Attributes:
        vendor: The vendor's element name; ``/`` steps into a nested element, seen from the row element.
        name: The name in the record.
        type: Its type in the vendor's contract.
        description: One sentence for the schema and the README.
        private: Personal or payment data: offered, but not selected unless somebody asks for it.
    """

    vendor: str
    name: str
    type: FieldType
    description: str
    private: bool = False


def property_schema(field: Field, *, key: bool) -> JsonSchema:
    """Return the JSON Schema of one field; only a key field is never null."""
    types = field.type.schema["type"]
    return {
        **field.type.schema,
        "type": types if key else [*types, "null"],
        "description": field.description,
    }

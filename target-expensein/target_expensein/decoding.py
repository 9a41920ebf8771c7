"""Decodes of records the fields that an item needs.

Most records are plain: each needed field is there once, and of a type that the stream's schema allows. Such records are
decoded many at a time, and nothing but the needed fields is ever built. :class:`RecordDecoder` leaves every other record
to whoever can say what is wrong with it; a record that it does decode is one that the stream's schema accepts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, NotRequired, Required, TypedDict

import msgspec
from jsonschema import Draft202012Validator

from target_expensein import exactjson

LONGEST_TEXT: Final = 10_000
"""In characters. What is longer is no code and no name."""

_Text = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]

_ANY_SCALAR: Final = frozenset({"string", "number", "integer", "boolean", "null"})
_JSON_TYPES: Final[Mapping[type, str]] = {str: "string", bool: "boolean"}
_LITERALS: Final[Mapping[bytes, bool | None]] = {b"true": True, b"false": False, b"null": None}


class RecordDecoder:
    """Decodes the plain records of one stream.

    Args:
        properties: The needed fields, and the JSON Schema of each.
        kinds: The Python type of those that must have one and the same; a text may be null where the schema says so.
            The others may hold any text, number or flag.
        required: Fields without which a record is not plain.
        extra: A text to decode, too, if it is there.
    """

    def __init__(
        self,
        properties: Mapping[str, Any],
        kinds: Mapping[str, type[str | bool]],
        required: Collection[str | None],
        extra: str,
    ) -> None:
        """Work out what a plain record looks like."""
        types = {field: _plain_types(schema) for field, schema in properties.items()}
        kinds = {field: kind for field, kind in kinds.items() if field in properties}
        self._decoder: msgspec.json.Decoder[list[dict[str, Any]]] | None = None
        if not all(types.values()) or any(_JSON_TYPES[kinds[field]] not in types[field] for field in kinds):
            return
        if not all(map(exactjson.is_spelt_plainly, properties)):
            return
        self._quoted = {field: f'"{field}"'.encode() for field in properties}
        self._required = frozenset(required)
        self._scalars = {field: types[field] for field in properties if field not in kinds}
        members: dict[str, Any] = {extra: str | None, **dict.fromkeys(self._scalars, msgspec.Raw)}
        for field, kind in kinds.items():
            wanted = _Text if kind is str else kind
            members[field] = wanted | None if kind is str and "null" in types[field] else wanted
        fields = {
            field: Required[kind] if field in required else NotRequired[kind]
            for field, kind in members.items()
        }
        plain: Any = TypedDict("PlainFields", fields)  # type: ignore[misc]
        self._decoder = msgspec.json.Decoder(list[plain])

    def decode(self, records: Iterable[msgspec.Raw]) -> list[dict[str, Any]] | None:
        """Decode records.

        Args:
            records: The records, each a JSON text.

        Returns:
            For each record those of the needed fields that it has; None when one of them is not plain.
        """
        if self._decoder is None:
            return None
        text = b"[%b]" % b",".join(records)
        try:
            rows = self._decoder.decode(text)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        # As often as there are records that have it: so none has it twice.
        times = {
            quoted: len(rows) if field in self._required else sum(field in row for row in rows)
            for field, quoted in self._quoted.items()
        }
        if not exactjson.names_at_most(text, times) or not self._read_scalars(rows):
            return None
        return rows

    def _read_scalars(self, rows: Iterable[dict[str, Any]]) -> bool:
        """Read the fields that may hold any scalar, and tell whether all are of a type that the schema allows."""
        for field, types in self._scalars.items():
            for row in rows:
                if field in row:
                    text = bytes(row[field])
                    value = row[field] = _scalar(text)
                    if _type_of(value) not in types or len(text) > LONGEST_TEXT:
                        return False
        return True


def _plain_types(schema: object) -> frozenset[str]:
    """Return the JSON types that a schema allows without further conditions; none if there are conditions."""
    if not isinstance(schema, dict) or any(
        keyword in Draft202012Validator.VALIDATORS for keyword in schema.keys() - {"type", "format"}
    ):
        return frozenset()
    kinds = schema.get("type", _ANY_SCALAR)
    types = frozenset([kinds] if isinstance(kinds, str) else kinds)
    return types | {"integer"} if "number" in types else types


def _scalar(text: bytes) -> object:
    """Read a JSON value that is not an array or an object; of those, return the text."""
    if text in _LITERALS:
        return _LITERALS[text]
    if text[:1] == b'"':
        return msgspec.json.decode(text, type=str)
    return text if text[:1] in {b"{", b"["} else exactjson.number(text.decode("ascii"))


def _type_of(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case Decimal():
            return "number"
        case _:
            return "array or object"

"""Rows to XML, with the habits of .NET's serialiser.

A null string, object or list is an absent element; an empty string or list an empty one (`<Notes />`); a null number,
date or boolean is `xsi:nil="true"` where the contract allows it; what is required and was never set has .NET's default.
Each type is compiled once into a plain function, because a supplier list has millions of fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Final

from sandbox.accountsiq.types import DEFAULTS, ENUMERATION_DEFAULTS, TYPES, Field, fields_of, item_of

Render = Callable[[Any], str]

NIL_ROW: Final = "_nil"
"""Private key of a row that stands for a null entry of its list."""

_UNSET: Final = object()
_SPECIAL: Final = re.compile("[&<>\x00-\x08\x0b\x0c\x0e-\x1f]")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escape(text: str) -> str:
    """Write text as XML character data.

    Args:
        text: Any text.

    Returns:
        The text with markup characters escaped. Control characters become references, which no XML 1.0 parser
        accepts: .NET's XmlTextWriter does just that.
    """
    return _SPECIAL.sub(_reference, text) if _SPECIAL.search(text) else text


def _reference(match: re.Match[str]) -> str:
    character = match.group()
    return _ENTITIES.get(character) or f"&#x{ord(character):X};"


def element(name: str, content: str) -> str:
    """Wrap markup in an element, written the way .NET writes an empty one.

    Args:
        name: The element's name.
        content: Its markup, escaped already.

    Returns:
        The element.
    """
    return f"<{name}>{content}</{name}>" if content else f"<{name} />"


def nil(name: str) -> str:
    """Write the element of a null value.

    Args:
        name: The element's name.

    Returns:
        The element.
    """
    return f'<{name} xsi:nil="true" />'


@cache
def renderer(name: str, kind: str) -> Render:
    """Compile what writes one value that is there (not null).

    Args:
        name: The element's name.
        kind: A field's kind, see `types.Field`.

    Returns:
        A function from the value (a row for a type, a list for an array, text, number or boolean else) to markup.
        Keys of a row that the type does not have are left out; they are the sandbox's own.
    """
    if (item := item_of(kind)) is not None:
        entry = entry_renderer(item)
        return lambda values: element(name, "".join(map(entry, values)))
    if kind in TYPES:
        plan = [_step(field) for field in fields_of(kind)]

        def render_row(row: Mapping[str, Any]) -> str:
            get = row.get
            parts = [
                unset if (value := get(key, _UNSET)) is _UNSET else null if value is None else render(value)
                for key, unset, null, render in plan
            ]
            return element(name, "".join(parts))

        return render_row
    if kind == "string":
        start, end, empty = f"<{name}>", f"</{name}>", f"<{name} />"
        return lambda value: f"{start}{escape(str(value))}{end}" if value != "" else empty
    return lambda value: element(name, escape(_text(value)))


@cache
def entry_renderer(item: str) -> Render:
    """Compile what writes one entry of a list.

    Args:
        item: The type of the entries.

    Returns:
        A function from a row (None or a row with `NIL_ROW` for a null entry) to markup.
    """
    render, null = renderer(item, item), nil(item)
    return lambda row: null if row is None or (item in TYPES and NIL_ROW in row) else render(row)


def _step(field: Field) -> tuple[str, str, str, Render]:
    """Say how a field is written: its key, the markup when unset, the markup when null, the renderer else."""
    default = DEFAULTS.get(field.kind, ENUMERATION_DEFAULTS.get(field.kind))
    null = nil(field.name) if field.nillable else ""
    if field.required and not field.nillable and default is not None:
        null = element(field.name, default)
    return field.name, null if field.required else "", null, renderer(field.name, field.kind)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")  # never an exponent: xs:decimal has none
    return str(value)

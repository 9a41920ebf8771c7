r"""Foreign text on its way to people: what cannot be seen is shown, so that it can neither forge a line nor steer a terminal.

Names, references and a server's words may hold anything: line breaks, escape sequences of a terminal, marks that turn the
direction of writing round. Whatever Python does not call printable is shown as JSON shows it, for example ``\u001b``.
"""

from __future__ import annotations

from typing import Final

_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return a text in which every character that cannot be seen is escaped.

    Args:
        text: Any text, halves of surrogate pairs included.
        lines: Whether the text is lines of ours, whose line breaks stay.

    Returns:
        The text; ``\n``, ``\u202e`` and the like in place of control characters, marks of direction, invisible
        characters, and spaces other than the plain one. JSON stays the same JSON.
    """
    if lines:
        return "\n".join(map(visible, text.split("\n")))
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _SHORT.get(char) or _escaped(char) for char in text)


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))

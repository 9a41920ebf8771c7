"""Filters on the source fields (R6): which records take part.

A filter is a mapping of field to one comparison, all joined by *and*::

    {"description": {"contains": "Expenses"}, "account_type": {"is_one_of": ["Posting", "Control"]}}

Comparisons are exact, character for character, as references are (R8): ``expenses`` does not pass
``contains: Expenses``. Numbers compare by value (0.2 is 0.20), flags as true and false.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final


def _text(value: object) -> str | None:
    """Return a value as the text that a person would type for it, or None for nothing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _same(value: object, wanted: object) -> bool:
    """Tell whether a source value is the wanted one."""
    if isinstance(wanted, bool) or isinstance(value, bool):
        return _text(value) == _text(wanted)
    if isinstance(wanted, int | float | Decimal) and isinstance(value, int | float | Decimal):
        return Decimal(str(value)) == Decimal(str(wanted))
    return _text(value) == _text(wanted)


def _on_text(test: Callable[[str, str], bool]) -> Callable[[object, Any], bool]:
    return lambda value, wanted: (text := _text(value)) is not None and test(text, wanted)


COMPARISONS: Final[Mapping[str, Callable[[object, Any], bool]]] = {
    "contains": _on_text(lambda text, wanted: wanted in text),
    "starts_with": _on_text(str.startswith),
    "ends_with": _on_text(str.endswith),
    "is_one_of": lambda value, wanted: any(_same(value, one) for one in wanted),
    "is_not_one_of": lambda value, wanted: not any(_same(value, one) for one in wanted),
}
"""Comparison by name. The first three want a text, the last two a list of texts, numbers or flags."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison on one field."""

    field: str
    comparison: str
    wanted: Any

    def passes(self, record: Mapping[str, Any]) -> bool:
        """Tell whether the record passes; a field without a value passes ``is_not_one_of`` only."""
        return COMPARISONS[self.comparison](record.get(self.field), self.wanted)

    def __str__(self) -> str:
        """Return the condition as an admin would say it."""
        wanted = ", ".join(map(repr, self.wanted)) if isinstance(self.wanted, list) else repr(self.wanted)
        return f"{self.field} {self.comparison.replace('_', ' ')} {wanted}"


@dataclass(frozen=True, slots=True)
class Filter:
    """All conditions of one item."""

    conditions: Sequence[Condition] = ()

    @classmethod
    def from_config(cls, config: Mapping[str, Mapping[str, Any]]) -> Filter:
        """Build a filter from its validated configuration.

        Args:
            config: Field → {comparison: wanted value}, one comparison for each field.

        Returns:
            The filter; an empty configuration lets everything pass.
        """
        return cls(
            tuple(
                Condition(field, comparison, wanted)
                for field, comparisons in config.items()
                for comparison, wanted in comparisons.items()
            )
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that the filter looks at."""
        return tuple(condition.field for condition in self.conditions)

    def failed(self, record: Mapping[str, Any]) -> Condition | None:
        """Return the first condition that the record does not pass, or None when it passes them all."""
        for condition in self.conditions:  # no generator: this is done for every record
            if not condition.passes(record):
                return condition
        return None

"""The limits of the gate: what may be written without anybody's approval, every default with its reason.

Data only, and its shape as JSON Schema; ``guard.py`` holds a plan against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from target_expensein.items import ITEMS

NO_LIMIT: Final = -1
"""What switches off a setting that is a number."""


@dataclass(frozen=True, slots=True)
class Default:
    """A built-in value and why it is that.

    Attributes:
        value: A number (-1: no limit), or ``hold`` or ``allow``.
        why: The reason, in a sentence.
    """

    value: int | str
    why: str


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of the gate.

    Attributes:
        name: Its name below ``limits``.
        title: Its name for people.
        meaning: What it does.
        default: Its built-in value.
    """

    name: str
    title: str
    meaning: str
    default: Default

    @property
    def schema(self) -> dict[str, Any]:
        """The setting as JSON Schema."""
        values = (
            {"type": "integer", "minimum": 0 if self.name == "floor" else NO_LIMIT}
            if isinstance(self.default.value, int)
            else {"type": "string", "enum": ["hold", "allow"]}
        )
        return {
            **values,
            "title": self.title,
            "description": f"{self.meaning} {self.default.why}",
            "default": self.default.value,
        }


SETTINGS: Final = (
    Setting(
        "creates_count",
        "Creates, number",
        "An item is held if it would create more records than this (-1: no such limit).",
        Default(
            100,
            "A month end brings some accounts and projects and perhaps fifty suppliers; a lost filter, a wrong dimension or "
            "a new chart brings hundreds.",
        ),
    ),
    Setting(
        "creates_percent",
        "Creates, share",
        "An item is held if it would create more records than this percentage of those that ExpenseIn has (-1: no such "
        "limit).",
        Default(
            20,
            "A list that grows by a fifth in one night is another list, or ExpenseIn did not list all that it has.",
        ),
    ),
    Setting(
        "updates_count",
        "Updates, number",
        "An item is held if it would change more records than this (-1: no such limit).",
        Default(50, "Accounts are renamed one by one; fifty at once is a clean-up, or an import gone wrong."),
    ),
    Setting(
        "updates_percent",
        "Updates, share",
        "An item is held if it would change more records than this percentage of those that ExpenseIn has (-1: no such "
        "limit).",
        Default(20, "When a fifth of a list changes its name, the people who claim should hear of it first."),
    ),
    Setting(
        "missing_percent",
        "Missing, share",
        "An item is held if its source list lacks more than this percentage of the number of records that the last "
        "complete one had (-1: no such limit).",
        Default(
            30,
            "Codes are closed far more often than removed, and a closed one stays in the list; half a list lacks 50 %.",
        ),
    ),
    Setting(
        "floor",
        "Floor",
        "Up to this many creates, updates or missing records never hold an item, however short its list.",
        Default(5, "So many can be looked through in the report, and put right by hand in minutes."),
    ),
    Setting(
        "empty_source",
        "Empty source list",
        "Whether an empty source list holds the item, unless the last complete one was empty, too.",
        Default(
            "hold", "Nothing would be written either way, but an empty list is a mistake nearly every time."
        ),
    ),
    Setting(
        "unrelated_source",
        "Unrelated source list",
        "Whether an item that has been applied before is held if it would create records while not one record of ExpenseIn "
        "is in the source list.",
        Default("hold", "So a wrong dimension shows in lists that are too short for the other limits."),
    ),
    Setting(
        "code_reused",
        "Code re-used",
        "Whether an update is held if the source replaced the name by an unrelated one.",
        Default(
            "allow",
            "A working title becomes a real one, travel becomes rail: in most lists that is a rename like any other.",
        ),
    ),
    Setting(
        "probable_recode",
        "Probable recode",
        "Whether a create is held if only records whose own code is gone from the source have its name.",
        Default(
            "allow", "A changed code creates a new record: that is the rule (R8). Hold it to be asked first."
        ),
    ),
)
"""Every setting of the gate with its default for all items."""

ITEM_DEFAULTS: Final[Mapping[str, Mapping[str, Default]]] = {
    "projects": {"floor": Default(10, "they are opened in batches, also where there are few")},
    "tax_rates": {
        "floor": Default(3, "the law changes them one or two at a time, and a list may have but ten"),
        "code_reused": Default(
            "hold", "the percentage is never changed, so the new name would stand on the old rate"
        ),
    },
    "suppliers": {
        "code_reused": Default("hold", "bank details stay, so the new name would be paid to the old account"),
    },
}
"""Where an item's default is another one."""

GUARD_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Limits",
    "description": "What may be written without anybody's approval, for all items.",
    "properties": {setting.name: setting.schema for setting in SETTINGS},
    "additionalProperties": False,
}
"""JSON Schema of the target's setting ``limits``."""


def _item_schema(item: str) -> dict[str, Any]:
    """Return the schema of one item's own limits: one object, so that they do not multiply the settings by five."""
    own = ITEM_DEFAULTS.get(item, {})
    built_in = "".join(f" Built in: {name} {default.value} ({default.why})." for name, default in own.items())
    values = {
        setting.name: {key: value for key, value in setting.schema.items() if key != "default"}
        for setting in SETTINGS
    }
    return {
        "type": "object",
        "title": "Limits",
        "description": f"Limits for this item alone: any of the settings below limits.{built_in}",
        "default": {},
        "allOf": [{"properties": values, "additionalProperties": False}],
    }


ITEM_GUARD_SCHEMAS: Final = {item: _item_schema(item) for item in ITEMS}
"""JSON Schema of each item's setting ``items.<item>.limits``."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many of something pass.

    Attributes:
        name: What its settings are called: ``creates_count``, ``creates_percent``.
        count: At most this many; None for no such limit.
        percent: At most this percentage of what there is; None for no such limit.
        floor: This many pass in any case.
    """

    name: str
    count: int | None
    percent: int | None
    floor: int

    def allowed(self, base: int) -> int | None:
        """Return the largest number that passes.

        Args:
            base: How many there are, of which ``percent`` is a part.

        Returns:
            The number; None when any number passes.
        """
        limits = [limit for limit in (self.count, self.share(base)) if limit is not None]
        return max(self.floor, min(limits)) if limits else None

    def share(self, base: int) -> int | None:
        """Return how many the percentage is, rounded down; None for no such limit."""
        return None if self.percent is None else base * self.percent // 100


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of one item.

    Attributes:
        creates: On records to create, as a part of those that ExpenseIn has.
        updates: On records to change, as a part of those that ExpenseIn has.
        missing: On records that the source list lacks, as a part of the last complete one.
        allow: Reason codes of the other guards that are switched off.
    """

    creates: Limit
    updates: Limit
    missing: Limit
    allow: frozenset[str] = frozenset()


def limits_from(config: Mapping[str, Any], item: str) -> Limits:
    """Return the limits of one item.

    What is set for the item wins over what is set for all items, and either over what is built in.

    Args:
        config: The target's configuration, checked.
        item: Name of the item.

    Returns:
        The limits, every default filled in.
    """
    own = (config.get("items") or {}).get(item) or {}
    values: dict[str, Any] = {
        **{setting.name: setting.default.value for setting in SETTINGS},
        **{name: default.value for name, default in ITEM_DEFAULTS.get(item, {}).items()},
        **(config.get("limits") or {}),
        **(own.get("limits") or {}),
    }

    def limit(name: str) -> Limit:
        count, percent = (int(values.get(f"{name}_{unit}", NO_LIMIT)) for unit in ("count", "percent"))
        return Limit(
            name,
            count=None if count == NO_LIMIT else count,
            percent=None if percent == NO_LIMIT else percent,
            floor=int(values["floor"]),
        )

    return Limits(
        creates=limit("creates"),
        updates=limit("updates"),
        missing=limit("missing"),
        allow=frozenset(name for name, value in values.items() if value == "allow"),
    )

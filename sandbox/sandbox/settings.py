"""What can be changed about each side while it runs: one declaration per setting, one place for its check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.exactjson import plain

#: Permissions that an ExpenseIn API key can be given by tick boxes.
PERMISSIONS = ("account_administrator", "finance_user")
PAGING_STYLES = ("none", "page", "offset", "link")


class SettingError(ValueError):
    """A setting is unknown or its value is wrong; the message says which and what would be right."""


@dataclass(frozen=True)
class Kind:
    """A kind of value: what it accepts, in code and in words."""

    accepts: Callable[[Any], bool]
    words: str


@dataclass(frozen=True)
class Setting:
    """One setting of one side."""

    name: str
    kind: Kind
    description: str
    default: Any


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _one_of(*choices: str) -> Kind:
    return Kind(lambda value: value in choices, "one of " + ", ".join(choices))


def _is_text_list(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


FLAG = Kind(lambda value: isinstance(value, bool), "true or false")
COUNT = Kind(
    lambda value: isinstance(value, int) and not isinstance(value, bool) and value > 0,
    "a whole number above 0",
)
SECONDS = Kind(lambda value: _is_number(value) and value >= 0, "a number of seconds, 0 or more")
ANY_SECONDS = Kind(_is_number, "a number of seconds, below 0 for a clock that is slow")
RATE = Kind(lambda value: value is None or (_is_number(value) and value > 0), "a number above 0, or null")
TEXT_OR_NULL = Kind(
    lambda value: value is None or (isinstance(value, str) and value != ""), "a text, or null"
)
TEXTS = Kind(_is_text_list, "a list of texts")
GRANTS = Kind(
    lambda value: _is_text_list(value) and set(value) <= set(PERMISSIONS),
    "a list of " + ", ".join(PERMISSIONS),
)

_CLOCK_SKEW = Setting("clock_skew", ANY_SECONDS, "Seconds by which the server's clock is fast.", default=0)

SETTINGS: dict[str, tuple[Setting, ...]] = {
    "expensein": (
        Setting("etag", FLAG, "ETag on every object; If-Match is honoured (412 when stale).", default=False),
        Setting("paging", _one_of(*PAGING_STYLES), "How lists are cut into pages.", default="none"),
        Setting(
            "page_size", COUNT, "Objects per page; also the most that a client can ask for.", default=100
        ),
        Setting(
            "envelope", TEXT_OR_NULL, "Key under which a list stands; null for a bare array.", default=None
        ),
        Setting(
            "unique_names", FLAG, "409 when a name is taken in its collection (case ignored).", default=False
        ),
        Setting("unique_references", FLAG, "409 when a reference is taken in its collection.", default=False),
        Setting(
            "invoicing",
            FLAG,
            "The Invoicing module, without which there are no suppliers (403).",
            default=True,
        ),
        Setting("patch", FLAG, "PATCH (merge) is offered; otherwise 405.", default=False),
        Setting("id_type", _one_of("string", "number"), "JSON type of ids.", default="string"),
        Setting("max_name_length", COUNT, "Longest name, in characters.", default=255),
        Setting("permissions", GRANTS, "Tick boxes of the API key.", default=list(PERMISSIONS)),
        Setting("allowed", FLAG, "Whether the client's IP address is on the key's list.", default=True),
        Setting(
            "missing_collections", TEXTS, "Collections that this account does not know (404).", default=[]
        ),
        Setting(
            "list_delay",
            SECONDS,
            "Seconds until a new object shows in lists; it can be read by id at once.",
            default=0,
        ),
        Setting("rate_limit", RATE, "Requests per second; above it 429 with Retry-After.", default=None),
        _CLOCK_SKEW,
    ),
    "accountsiq": (
        Setting("token_lifetime", SECONDS, "Seconds until an access token expires.", default=1200),
        Setting("refresh_token_reusable", FLAG, "A refresh token works more than once.", default=False),
        Setting("revoked", FLAG, "The integration application is revoked.", default=False),
        Setting("scope_denied", TEXTS, "Operations that the application may not use.", default=[]),
        Setting(
            "errors_as_fault",
            FLAG,
            "Authentication errors come as soap:Fault instead of in-band.",
            default=False,
        ),
        Setting("gzip", FLAG, "Answers are compressed for clients that accept it.", default=True),
        Setting("calls_per_minute", RATE, "Calls per minute; above it the service throttles.", default=None),
        _CLOCK_SKEW,
    ),
}


class Settings(Mapping[str, Any]):
    """The settings of one side, always complete and valid.

    Args:
        side: ``accountsiq`` or ``expensein``.
    """

    def __init__(self, side: str) -> None:
        """Start with every default."""
        self._side = side
        self._declared = {setting.name: setting for setting in SETTINGS[side]}
        self._values = {setting.name: setting.default for setting in SETTINGS[side]}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - settings have different types
        """The value of a setting."""
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        """The names of all settings."""
        return iter(self._values)

    def __len__(self) -> int:
        """How many settings this side has."""
        return len(self._values)

    def check(self, changes: Mapping[str, Any]) -> None:
        """Check names and values without taking them over.

        Raises:
            SettingError: Something is wrong with them.
        """
        for name, value in changes.items():
            declared = self._declared.get(name)
            if declared is None:
                known = ", ".join(self._declared)
                message = f"{self._side} has no setting {name!r}; there are: {known}"
                raise SettingError(message)
            if not declared.kind.accepts(value):
                message = f"{self._side} setting {name!r}: {value!r} is not {declared.kind.words}"
                raise SettingError(message)

    def update(self, changes: Mapping[str, Any]) -> None:
        """Take over new values: all or, when one is wrong, none.

        Raises:
            SettingError: A name is unknown or a value is wrong.
        """
        self.check(changes)
        self._values.update({name: plain(value) for name, value in changes.items()})

    def changed(self) -> dict[str, Any]:
        """What differs from the defaults."""
        return {name: value for name, value in self._values.items() if value != self._declared[name].default}

    def restore_defaults(self) -> None:
        """Every setting back to its default."""
        self._values = {name: setting.default for name, setting in self._declared.items()}

"""The target's settings: one JSON Schema, and the values that come out of it.

The schema is what ``--about`` shows, what the README's table is made from, and what a configuration is checked
against. Whatever it cannot express is checked in :func:`load` with the same kind of message: which setting, what is
wrong, what to do.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast
from urllib.parse import urlsplit

import simplejson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from singer_sdk.exceptions import ConfigValidationError

from target_expensein.api.client import MEGABYTES
from target_expensein.api.errors import ProfileError
from target_expensein.api.profile import Profile, load_profile
from target_expensein.filters import COMPARISONS, Filter
from target_expensein.items import ITEMS, SOURCES, Item, Source
from target_expensein.limits import GUARD_SCHEMA, ITEM_GUARD_SCHEMAS, Limits, limits_from
from target_expensein.model import Field
from target_expensein.plan import Decisions

Mode = Literal["apply", "plan", "preview"]

DEFAULT_API_URL: Final = "https://api.expensein.com/1.0/"
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_TEXT_COMPARISONS: Final = ("contains", "starts_with", "ends_with")
_COMPARISON_SCHEMAS: Final = {
    name: {"type": "string", "minLength": 1}
    if name in _TEXT_COMPARISONS
    else {"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}}
    for name in COMPARISONS
}

_FILTERS_SCHEMA: Final = {
    "type": "object",
    "title": "Filters",
    "description": "Which source records take part: field → one comparison (contains, starts_with, ends_with, is_one_of, is_not_one_of), all of them together. Comparisons are exact, upper and lower case differ.",
    "default": {},
    "additionalProperties": {
        "type": "object",
        "properties": _COMPARISON_SCHEMAS,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    },
}

_RATE_UNIT_SCHEMA: Final = {
    "type": "string",
    "title": "Rate unit",
    "description": "What the source's tax rates are given in: fraction (0.2 means 20 %) or percent (20 means 20 %). With fraction, a rate above 1 is held.",
    "enum": ["fraction", "percent"],
    "default": "fraction",
}


def _item_schema(item: Item) -> dict[str, Any]:
    """Return the schema of one item's settings, from its declaration."""
    properties: dict[str, Any] = {
        "enabled": {
            "type": "boolean",
            "title": "Enabled",
            "description": f"Whether ExpenseIn's {item.name.replace('_', ' ')} are kept aligned. A switched-off item is neither read nor written.",
            "default": False,
        },
        "source": {
            "type": "string",
            "title": "Source",
            "description": f"Stream that feeds the item: {' or '.join(item.sources)}.",
            "enum": list(item.sources),
        },
        "dimension": {
            "type": "string",
            "title": "Dimension",
            "description": "Code of the dimension whose options feed the item; needed with source dimension_options.",
            "minLength": 1,
        },
        "filters": _FILTERS_SCHEMA,
        "inactive_source": {
            "type": "string",
            "title": "Inactive source records",
            "description": "What to do with records that are inactive at the source: ignore (not created, not renamed, counted) or sync (they take part like active ones; nothing is ever deactivated).",
            "enum": ["ignore", "sync"],
            "default": "ignore",
        },
        "adopt_by_name": {
            "type": "boolean",
            "title": "Adopt by name",
            "description": "Whether an ExpenseIn record without reference whose name equals that of a new source record gets its reference, instead of a second record being created.",
            "default": False,
        },
        "rate_unit": _RATE_UNIT_SCHEMA,
        "limits": ITEM_GUARD_SCHEMAS[item.name],
    }
    if len(item.sources) == 1:
        properties["source"]["default"] = item.sources[0]
    if not any(SOURCES[source].dimension for source in item.sources):
        del properties["dimension"]
    if not any(SOURCES[source].active for source in item.sources):
        del properties["inactive_source"]
    if "rate_unit" not in item.settings:
        del properties["rate_unit"]
    return {
        "type": "object",
        "title": item.name.replace("_", " ").capitalize(),
        "description": f"How ExpenseIn's {item.name.replace('_', ' ')} are fed.",
        "properties": properties,
        "additionalProperties": False,
    }


SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "api_key": {
            "type": "string",
            "title": "API key",
            "description": "ExpenseIn API key (Admin → API keys). Needs the permission Account administrator, for suppliers also Finance user. Not needed in mode preview.",
            "secret": True,
            "writeOnly": True,
            "minLength": 1,
        },
        "api_url": {
            "type": "string",
            "title": "API URL",
            "description": "Base address of the ExpenseIn REST API.",
            "default": DEFAULT_API_URL,
        },
        "mode": {
            "type": "string",
            "title": "Mode",
            "description": "apply: compare and write. plan: compare and report what would be written. preview: only show which source records pass the filters, without any call to ExpenseIn.",
            "enum": ["apply", "plan", "preview"],
            "default": "apply",
        },
        "items": {
            "type": "object",
            "title": "Items",
            "description": "The five ExpenseIn items, each with its source, filters and decisions. At least one must be enabled.",
            "properties": {name: _item_schema(item) for name, item in ITEMS.items()},
            "additionalProperties": False,
        },
        "limits": GUARD_SCHEMA,
        "approve": {
            "type": "string",
            "title": "Approve",
            "description": "Digest of a plan that was looked at. The run writes only if the fresh plan is that plan, then all of it, held items included; otherwise it writes nothing and shows what differs. An approval is for one run.",
            "pattern": "^sha256:[0-9a-f]{64}$",
        },
        "ledger": {
            "type": "string",
            "title": "Ledger",
            "description": "Where the history is kept: path of a SQLite file, made on first use, or postgresql://user:password@host/database.",
            "default": "output/expensein/ledger.db",
            "secret": True,
            "minLength": 1,
        },
        "account": {
            "type": "string",
            "title": "Account",
            "description": "What to call this ExpenseIn account in the ledger. Accounts that share a ledger need a name each.",
            "default": "default",
            "minLength": 1,
        },
        "keep_days": {
            "type": "integer",
            "title": "Retention",
            "description": "Days to keep the details of past runs in the ledger; for ever if not set. That a run took place stays on record.",
            "minimum": 1,
        },
        "concurrency": {
            "type": "integer",
            "title": "Concurrency",
            "description": "How many writes may be in flight at once.",
            "default": 4,
            "minimum": 1,
            "maximum": 64,
        },
        "request_timeout": {
            "type": "integer",
            "title": "Request time-out",
            "description": "Seconds to wait for ExpenseIn to answer a request.",
            "default": 60,
            "minimum": 1,
        },
        "max_answer_megabytes": {
            "type": "integer",
            "title": "Longest answer",
            "description": "Megabytes that are read of one answer of ExpenseIn, or of all pages of a list together, after decompression. What is longer fails the item, before it fills the memory.",
            "default": MEGABYTES,
            "minimum": 1,
        },
        "settle_seconds": {
            "type": "integer",
            "title": "Settle time",
            "description": "Seconds to go on looking for a record whose creation was not confirmed, before it is created once more.",
            "default": 5,
            "minimum": 0,
        },
        "ca_bundle": {
            "type": "string",
            "title": "CA bundle",
            "description": "PEM file of the certificate authorities to trust, instead of the built-in list.",
        },
        "output_dir": {
            "type": "string",
            "title": "Output directory",
            "description": "Where each run leaves a directory with its report, summary and reject file.",
            "default": "output/expensein",
            "minLength": 1,
        },
        "api_profile": {
            "type": "object",
            "title": "API profile",
            "description": "Overlay on the built-in profile of the ExpenseIn API: paths, field names, paging, update method, values.",
            "default": {},
        },
    },
}


@dataclass(frozen=True, slots=True)
class ItemSettings:
    """One enabled item: its declaration, where its records come from, and its decisions."""

    item: Item
    source: Source
    dimension: str | None
    filter: Filter
    decisions: Decisions
    limits: Limits

    @property
    def needed_fields(self) -> tuple[str, ...]:
        """Names of the source fields that this item reads."""
        return (*self.source.fields, *self.filter.fields)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a run needs to know."""

    api_url: str
    api_key: str
    mode: Mode
    items: Mapping[str, ItemSettings]
    approve: str | None
    ledger: str
    account: str
    keep_days: int | None
    concurrency: int
    request_timeout: int
    max_answer_megabytes: int
    settle_seconds: int
    ca_bundle: str | None
    output_dir: Path
    profile: Profile
    digest: str


def load(config: Mapping[str, Any]) -> Settings:
    """Check a configuration and turn it into settings.

    Args:
        config: The plugin's configuration.

    Returns:
        The settings, every default filled in.

    Raises:
        ConfigValidationError: If anything is wrong. Its ``errors`` name each wrong setting, what is wrong and what
            to do; no secret is repeated.
    """
    config = _without_nulls(config)
    errors = [_explain(error) for error in Draft202012Validator(SCHEMA).iter_errors(config)]
    if not errors:
        errors = list(_semantic_errors(config))
    if errors:
        raise ConfigValidationError("The configuration is wrong.", errors=errors)
    defaults = {name: spec.get("default") for name, spec in SCHEMA["properties"].items()}
    values: dict[str, Any] = {**defaults, **config}
    profile = load_profile(values["api_profile"])
    items = values["items"] or {}
    return Settings(
        api_url=values["api_url"],
        api_key=values["api_key"] or "",
        mode=values["mode"],
        items={
            name: _item_settings(ITEMS[name], items[name], profile, limits_from(config, name))
            for name in ITEMS
            if items.get(name, {}).get("enabled")
        },
        approve=values["approve"],
        ledger=values["ledger"],
        account=values["account"],
        keep_days=values["keep_days"],
        concurrency=values["concurrency"],
        request_timeout=values["request_timeout"],
        max_answer_megabytes=values["max_answer_megabytes"],
        settle_seconds=values["settle_seconds"],
        ca_bundle=values["ca_bundle"],
        output_dir=Path(values["output_dir"]),
        profile=profile,
        digest=_digest(config),
    )


def _without_nulls(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration without its nulls: a setting that is null is not set.

    The API profile is left alone: there, null says that this server does not have something.
    """
    return {
        name: _without_nulls(value) if isinstance(value, Mapping) and name != "api_profile" else value
        for name, value in config.items()
        if value is not None
    }


def _digest(config: Mapping[str, Any]) -> str:
    """Return the digest of what decides about a plan: all settings but the secrets and where things are kept."""
    left_out = {"output_dir", "approve", "mode", "account", "keep_days"}
    left_out |= {name for name, schema in SCHEMA["properties"].items() if schema.get("secret")}
    deciding = {name: value for name, value in config.items() if name not in left_out}
    text = simplejson.dumps(deciding, use_decimal=True, sort_keys=True, ensure_ascii=True)
    return "sha256:" + hashlib.sha256(text.encode("ascii")).hexdigest()


def _item_settings(item: Item, config: Mapping[str, Any], profile: Profile, limits: Limits) -> ItemSettings:
    """Return the settings of one enabled item of a checked configuration."""
    source = SOURCES[config.get("source", item.sources[0])]
    server = profile.items[item.name]
    return ItemSettings(
        item=item,
        source=source,
        dimension=config.get("dimension") if source.dimension else None,
        filter=Filter.from_config(config.get("filters", {})),
        decisions=Decisions(
            inactive_source=config.get("inactive_source", "ignore"),
            adopt_by_name=config.get("adopt_by_name", False),
            rate_unit=config.get("rate_unit", "fraction"),
            applies_to=server.new_applies_to,
            absent=frozenset(Field(field) for field, wire in server.fields.items() if wire is None),
        ),
        limits=limits,
    )


def _semantic_errors(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the schema cannot express."""
    enabled = {name: item for name, item in config.get("items", {}).items() if item.get("enabled")}
    if not enabled:  # R3
        yield f"items: nothing is enabled, so there is nothing to do. Set items.<item>.enabled to true for at least one of {', '.join(ITEMS)}."
    for name, settings in enabled.items():
        yield from _source_errors(ITEMS[name], settings)
    if "api_key" not in config and config.get("mode") != "preview":
        yield "api_key: missing. Create a key in ExpenseIn (Admin → API keys) and set it, for example as TARGET_EXPENSEIN_API_KEY."
    yield from _url_errors(config.get("api_url", DEFAULT_API_URL))
    if (bundle := config.get("ca_bundle")) is not None and not Path(bundle).is_file():
        yield f"ca_bundle: there is no file {bundle!r}. Give the path of a PEM file."
    try:
        load_profile(config.get("api_profile", {}))
    except ProfileError as error:
        yield f"api_profile: {error}"


def _source_errors(item: Item, settings: Mapping[str, Any]) -> Iterator[str]:
    """R5: an item with several possible sources names one, and dimension options name their dimension."""
    where = f"items.{item.name}"
    source = settings.get("source", item.sources[0] if len(item.sources) == 1 else None)
    if source is None:
        yield f"{where}.source: missing. Choose {' or '.join(item.sources)}."
    elif SOURCES[source].dimension and "dimension" not in settings:
        yield f"{where}.dimension: missing. With source {source}, name the dimension by its code."
    elif not SOURCES[source].dimension and "dimension" in settings:
        yield f"{where}.dimension: has no meaning with source {source}. Remove it, or use source dimension_options."


def _url_errors(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        yield f"api_url: {url!r} is not a web address. The live one is {DEFAULT_API_URL}."
    elif parts.scheme == "http" and parts.hostname not in LOOPBACK:
        yield f"api_url: {url!r} would send the API key in the clear. Use https (http is for this machine only)."


def _explain(error: ValidationError) -> str:
    """Say in words which setting is wrong, what is wrong and what would be right."""
    path = ".".join(str(part) for part in error.absolute_path)
    schema: Any = error.schema
    value = error.instance
    where = f"{path}: " if path else ""
    if schema.get("secret"):
        return f"{where}must be a text that is not empty."
    match error.validator:
        case "additionalProperties":
            known = list(schema.get("properties", {}))
            unknown = sorted(set(cast("Mapping[str, Any]", value)) - set(known))
            said = "; ".join(f"unknown setting {name!r}{_suggestion(name, known)}" for name in unknown)
        case "enum":
            said = f"{value!r} is not possible. Choose one of {', '.join(map(str, schema['enum']))}."
        case "type":
            kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            said = f"{value!r} has the wrong type: wanted is {' or '.join(kinds)}."
        case "pattern":
            said = f"{value!r} is not a digest. It looks like sha256:… and stands in the plan."
        case "minProperties" | "maxProperties":
            said = f"exactly one comparison is wanted for a field: {', '.join(COMPARISONS)}."
        case _:
            said = f"{error.message}."
    return where + said


def _suggestion(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}."

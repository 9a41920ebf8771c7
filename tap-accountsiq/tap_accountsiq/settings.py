"""The settings: declared once for ``--about``, the README and the checks, and checked in words that help."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlsplit

from jsonschema import ValidationError
from singer_sdk import typing as th
from singer_sdk.plugin_base import JSONSchemaValidator

from tap_accountsiq.bookmarks import start_date
from tap_accountsiq.soap import LOOPBACK_HOSTS

REGIONS = ("uk1", "eu1", "eu2", "us1")
ADDRESS = "https://{region}.accountsiq.com/system/dashboard/integration/integration_2_0.asmx"

SETTINGS: dict[str, Any] = th.PropertiesList(
    th.Property(
        "region",
        th.StringType,
        title="Region",
        description=(
            "Where your AccountsIQ company lives: the first part of the address in your browser "
            "(uk1, eu1, eu2 or us1). Set either region or api_url."
        ),
        allowed_values=[*REGIONS, None],
    ),
    th.Property(
        "api_url",
        th.StringType,
        title="API URL",
        description=(
            "Full https address of the service integration_2_0.asmx, instead of a region; "
            "plain http only for this machine itself (localhost)."
        ),
    ),
    th.Property(
        "client_id",
        th.StringType,
        required=True,
        title="Client ID",
        description="Client Id of the Integration Application that an administrator made in AccountsIQ.",
    ),
    th.Property(
        "client_secret",
        th.StringType,
        required=True,
        secret=True,
        title="Client secret",
        description="Client Secret of the same Integration Application.",
    ),
    th.Property(
        "entities",
        th.ArrayType(th.StringType),
        required=True,
        title="Entities",
        description=(
            "Ids of the entities to read, exactly as AccountsIQ writes them; one or more, as a list. "
            "In an environment variable: a JSON list."
        ),
        examples=[["ACME_UK", "ACME_IE"]],
    ),
    th.Property(
        "request_timeout",
        th.IntegerType,
        default=300,
        title="Request time-out",
        description="Seconds to wait for the service to begin its answer, and for each further part of it.",
    ),
    th.Property(
        "answer_timeout",
        th.IntegerType,
        default=3600,
        title="Answer time-out",
        description="Seconds for one whole answer, however steadily it trickles.",
    ),
    th.Property(
        "max_answer_megabytes",
        th.IntegerType,
        default=4000,
        title="Largest answer",
        description=(
            "Megabytes that one answer may have after decompression, as protection of this machine's disk. "
            "100,000 suppliers with every field filled are about 220."
        ),
    ),
    th.Property(
        "user_agent",
        th.StringType,
        title="User agent",
        description="How the tap introduces itself to the service; by default with its name and version.",
    ),
    th.Property(
        "ca_bundle",
        th.StringType,
        title="CA bundle",
        description=(
            "PEM file with the certificates to trust instead of the usual ones, "
            "for a proxy or test server with a certificate of its own."
        ),
    ),
    th.Property(
        "exclude_expense_suppliers",
        th.BooleanType,
        default=False,
        title="Exclude expense suppliers",
        description="Leave out the suppliers that stand for employees who claim expenses.",
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description=(
            "With the replication method INCREMENTAL: leave out what was last changed before this moment (ISO 8601, "
            "UTC unless it says otherwise). Such a stream is never declared whole. FULL_TABLE reads everything."
        ),
        examples=["2026-01-01T00:00:00Z"],
    ),
    th.Property(
        "incremental_overlap_minutes",
        th.IntegerType,
        default=120,
        title="Incremental overlap",
        description=(
            "With INCREMENTAL: how many minutes before the last read an incremental read begins. It covers changes "
            "that were being written at that moment, and a clock of the service that is behind yours."
        ),
    ),
    th.Property(
        "full_read_days",
        th.IntegerType,
        default=7,
        title="Full read interval",
        description=(
            "With INCREMENTAL: read everything again every so many days, because an incremental read never shows "
            "what was deleted."
        ),
    ),
    th.Property(
        "emit_activate_version_messages",
        th.BooleanType,
        default=True,
        title="Emit `ACTIVATE_VERSION` messages",
        description=(
            "Write an ACTIVATE_VERSION message after a stream that was read whole for every entity: "
            "so a target knows that the list is complete, and may remove what is no longer in it."
        ),
    ),
    additional_properties=False,
).to_dict()
"""JSON Schema of the configuration; the SDK adds its own settings (stream maps, flattening)."""

MAX_OVERLAP_MINUTES = 7 * 24 * 60

CURES = {
    "region": f"Set it to one of {', '.join(REGIONS)}, or remove it and set api_url.",
    "api_url": "Give the full address, such as "
    + ADDRESS.format(region="eu1")
    + ", or remove it and set region.",
    "client_id": "Copy the Client Id from the Integration Application in AccountsIQ.",
    "client_secret": "Copy the Client Secret from the Integration Application in AccountsIQ.",
    "entities": 'Give a list with at least one entity id, such as ["ACME_UK"].',
    "request_timeout": "Give a whole number of seconds, at least 1.",
    "answer_timeout": "Give a whole number of seconds, at least 1.",
    "max_answer_megabytes": "Give a whole number of megabytes, at least 1.",
    "user_agent": "Give printable ASCII characters on one line, or remove it.",
    "ca_bundle": "Give the path of a file with certificates in PEM format, or remove it.",
    "exclude_expense_suppliers": "Set it to true or false.",
    "start_date": 'Give a date or a date and time that has passed, such as "2026-01-01T00:00:00Z", or remove it.',
    "incremental_overlap_minutes": f"Give a whole number of minutes from 0 to {MAX_OVERLAP_MINUTES}.",
    "full_read_days": "Give a whole number of days, at least 1.",
    "emit_activate_version_messages": "Set it to true or false.",
}
"""What to do about a wrong value, by setting."""

TYPES = {
    "string": "text",
    "array": "a list",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "a mapping",
}

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PRINTABLE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


def address(config: Mapping[str, Any]) -> str:
    """Return the address of the service, from `api_url` or `region`."""
    return str(config.get("api_url") or ADDRESS.format(region=config["region"]))


def problems(config: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """Check a configuration and fill in the defaults.

    Args:
        config: The configuration; defaults are put into it.
        schema: `SETTINGS`, with what the SDK added.

    Returns:
        One line for each wrong setting: its name, what is wrong, what to do. No value of a secret setting.
    """
    for name in [name for name, value in config.items() if value is None]:
        del config[name]  # null is the same as not set
    found = [_explain(error, schema) for error in JSONSchemaValidator(schema).iter_errors(config)]
    return found or [f"{name}: {wrong} {CURES[name]}" for name, wrong in _beyond_types(config)]


def _explain(error: ValidationError, schema: dict[str, Any]) -> str:
    """Put one of jsonschema's errors into words, without the value."""
    name, *rest = [str(step) for step in error.absolute_path] or [""]
    where = ".".join((name, *rest))
    rule, instance = cast("Any", error.validator_value), cast("Any", error.instance)
    if error.validator == "required" and not name:
        missing = [each for each in rule if each not in instance]
        return "; ".join(f"{each}: is missing. {CURES[each]}" for each in missing)
    if error.validator == "additionalProperties" and not name:
        unknown = ", ".join(sorted(set(instance) - set(schema["properties"])))
        return f"{unknown}: unknown setting. Check the spelling; tap-accountsiq --about lists the settings."
    if error.validator == "type":
        wanted = [rule] if isinstance(rule, str) else rule
        fault = f"must be {' or '.join(TYPES.get(each, each) for each in wanted if each != 'null')}."
    elif error.validator == "enum":
        fault = f"{instance!r} is not one of the known values."
    else:
        fault = f"does not satisfy the rule {error.validator!r}."
    return f"{where}: {fault} {CURES.get(name, '')}".rstrip()


def _beyond_types(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return setting and fault for what a schema cannot say."""
    wrong: list[tuple[str, str]] = []
    if config.get("region") and config.get("api_url"):
        wrong.append(("region", "is set together with api_url, but only one of them can hold."))
    elif config.get("api_url"):
        wrong += [("api_url", fault) for fault in _url_faults(config["api_url"])]
    elif not config.get("region"):
        wrong.append(("region", "neither region nor api_url is set."))
    for name in ("client_id", "client_secret"):
        if not config[name].strip():
            wrong.append((name, "is empty."))
        elif _NOT_IN_XML.search(config[name]):
            wrong.append((name, "holds a control character."))
    wrong += [("entities", fault) for fault in _entity_faults(config["entities"])]
    wrong += [
        (name, "is too small.")
        for name in ("request_timeout", "answer_timeout", "max_answer_megabytes", "full_read_days")
        if config[name] < 1
    ]
    wrong += [("start_date", fault) for fault in _start_date_faults(config)]
    if not 0 <= config["incremental_overlap_minutes"] <= MAX_OVERLAP_MINUTES:
        wrong.append(("incremental_overlap_minutes", "is out of range."))
    if "user_agent" in config and not _PRINTABLE.fullmatch(config["user_agent"]):
        wrong.append(("user_agent", "is empty or holds characters that a header cannot carry."))
    if "ca_bundle" in config:
        try:
            ssl.create_default_context(cafile=config["ca_bundle"])
        except OSError as error:
            reason = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
            wrong.append(("ca_bundle", f"{config['ca_bundle']!r} cannot be used ({reason})."))
    return wrong


def _url_faults(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return ["is not an address."]
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return ["is not an address that begins with https://."]
    if parts.username or parts.password or parts.query or parts.fragment:
        return ["may not carry a user, a password, a query or a fragment."]
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        return ["would send the client secret unencrypted; http is only allowed for this machine itself."]
    return []


def _start_date_faults(config: Mapping[str, Any]) -> list[str]:
    try:
        moment = start_date(config)
    except ValueError:
        return [f"{config['start_date']!r} is not a date and time."]
    return ["lies in the future."] if moment is not None and moment > datetime.now(UTC) else []


def _entity_faults(entities: list[str]) -> list[str]:
    if not entities:
        return ["is empty."]
    if any(not each.strip() or _NOT_IN_XML.search(each) for each in entities):
        return ["holds an entity id that is blank or has a control character."]
    twice = sorted({each for each in entities if entities.count(each) > 1})
    return [f"names {', '.join(twice)} more than once."] if twice else []

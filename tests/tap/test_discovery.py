"""Discovery, --about and the README: static, complete, and true to the service's contract."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lxml import etree
from sandbox.testing import Sandbox
from tap_accountsiq.__main__ import asks_for_the_catalog_alone
from tap_accountsiq.discovery import discovered
from tap_accountsiq.readme import render
from tap_accountsiq.streams import STREAMS
from tap_testing import Tap

README = Path(__file__).parents[2] / "tap-accountsiq/README.md"
NAMES = [stream.name for stream in STREAMS]
NO_WAY_OUT = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
PRIVATE = [
    "bank_account_code",
    "international_bank_account_number",
    "bank_sort_code",
    "bank_code",
    "bank_swift_code",
    "e_payment_reference",
    "vat_registration_number",
    "vat_exempt_reference",
    "contractor_tax_code",
    "address_1",
    "address_2",
    "city",
    "county_state",
    "post_code",
    "phone",
    "fax",
    "mobile_phone",
    "email",
    "contact",
    "notes",
    "delivery_name",
    "delivery_address_1",
    "delivery_address_2",
    "delivery_city",
    "delivery_county_state",
    "delivery_country",
    "delivery_post_code",
    "delivery_contact",
    "delivery_phone",
    "delivery_fax",
]


def entries(catalog: dict[str, Any]) -> dict[str, Any]:
    """Return the catalog's streams by name."""
    return {stream["tap_stream_id"]: stream for stream in catalog["streams"]}


def test_discovery_needs_neither_settings_nor_network(tap: Tap) -> None:
    done = tap(None, "--discover", environment=NO_WAY_OUT)
    assert done.code == 0
    assert sorted(entries(json.loads(done.out))) == sorted(NAMES)
    assert "WARNING" not in done.err
    assert "ERROR" not in done.err


def test_discovery_does_not_mind_settings_that_are_wrong(tap: Tap) -> None:
    assert tap({"region": "mars", "entities": 7}, "--discover").code == 0


def test_discovery_prints_what_the_streams_declare(tap: Tap) -> None:
    """The command prints a file, which nobody may change unseen nor forget to renew."""
    wrong = "renew the file: .venv/bin/python -m tap_accountsiq.discovery"
    assert tap({}, "--discover").out == discovered(), wrong


@pytest.mark.parametrize(
    ("arguments", "alone"),
    [
        (["--discover"], True),
        (["--config", __file__, "--discover"], True),
        (["--discover", "--config", "ENV", "--config", __file__], True),
        (["--config", __file__, "--state", __file__, "--discover"], True),  # as Meltano asks
        (["--discover", "--config", "no such file"], False),
        (["--discover", "--state", "no such file"], False),
        (["--discover", "--state", "ENV"], False),
        (["--discover", "--config"], False),
        (["--config", "--discover"], False),
        (["--discover", "--about"], False),
        (["--discover", "--discover"], False),
        (["--about"], False),
        ([], False),
    ],
)
def test_only_the_catalog_alone_is_printed_from_a_file(arguments: list[str], alone: bool) -> None:  # noqa: FBT001
    assert asks_for_the_catalog_alone(arguments) is alone


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_valid_and_says_what_each_field_is(name: str, catalog: dict[str, Any]) -> None:
    schema = entries(catalog)[name]["schema"]
    jsonschema.Draft7Validator.check_schema(schema)
    assert all(each["description"].endswith(".") for each in schema["properties"].values())
    for key in entries(catalog)[name]["key_properties"]:
        assert "null" not in schema["properties"][key]["type"]


def test_private_fields_of_suppliers_are_offered_but_not_selected(catalog: dict[str, Any]) -> None:
    entry = entries(catalog)["suppliers"]
    metadata = {each["breadcrumb"][-1]: each["metadata"] for each in entry["metadata"] if each["breadcrumb"]}
    assert set(metadata) == set(entry["schema"]["properties"])
    assert {name for name, each in metadata.items() if each.get("selected-by-default") is False} == set(
        PRIVATE
    )
    assert all(metadata[name]["inclusion"] == "available" for name in PRIVATE)


# --- against the contract -------------------------------------------------------------------------------------------

XS = "{http://www.w3.org/2001/XMLSchema}"
TYPES = {
    "boolean": "boolean",
    "dateTime": "date-time",
    "decimal": "number",
    "int": "integer",
    "long": "integer",
    "short": "integer",
}


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    """Return the complex types of the sandbox's WSDL, which shares no code with the tap."""
    with Sandbox(seed="empty") as box, urllib.request.urlopen(f"{box.accountsiq_url}?wsdl") as page:  # noqa: S310 - the sandbox
        document = etree.fromstring(page.read())
    return {each.get("name"): each for each in document.iter(f"{XS}complexType") if each.get("name")}


def elements(contract: dict[str, Any], name: str, prefix: str = "") -> dict[str, str]:
    """Return the elements of a type, inherited and nested ones included: path → the tap's word for their type."""
    found: dict[str, str] = {}
    for extension in contract[name].iter(f"{XS}extension"):
        found |= elements(contract, extension.get("base").partition(":")[2], prefix)
    for element in contract[name].iter(f"{XS}element"):
        kind = element.get("type").partition(":")[2]
        path = prefix + element.get("name")
        if kind in contract:
            found |= elements(contract, kind, f"{path}/")
        else:
            found[path] = TYPES.get(kind, "string")
    return found


RENAMED = {"code", "dimension_code", "dimension_description", "entity"}
"""Fields that are not named after their element."""

ROW_TYPES = {"Result": "WSCompanyInformation"}
"""The type of a row that is not named after its type."""


@pytest.mark.parametrize("stream", STREAMS, ids=NAMES)
def test_every_field_of_the_contract_is_offered_with_its_type(stream: Any, contract: dict[str, Any]) -> None:
    expected = elements(contract, ROW_TYPES.get(stream.row, stream.row))
    assert {each.vendor: each.type.name for each in stream.fields} == expected


@pytest.mark.parametrize("stream", STREAMS, ids=NAMES)
def test_names_are_snake_case_and_unique(stream: Any) -> None:
    names = [each.name for each in stream.fields]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", name) for name in names)
    for each in stream.fields:
        if "/" not in each.vendor and each.name not in RENAMED:
            assert each.name.replace("_", "") == each.vendor.replace("_", "").lower()


# --- --about and the README -----------------------------------------------------------------------------------------


def test_about_describes_every_setting(tap: Tap) -> None:
    about = json.loads(tap(None, "--about", "--format", "json").out)
    settings = about["settings"]["properties"]
    own = list(settings)[: list(settings).index("stream_maps")]
    assert own == [
        "region",
        "api_url",
        "client_id",
        "client_secret",
        "entities",
        "request_timeout",
        "answer_timeout",
        "max_answer_megabytes",
        "user_agent",
        "ca_bundle",
        "exclude_expense_suppliers",
        "start_date",
        "incremental_overlap_minutes",
        "full_read_days",
        "emit_activate_version_messages",
    ]
    assert all(settings[name]["title"] and settings[name]["description"] for name in own)
    assert [name for name in settings if settings[name].get("secret")] == ["client_secret"]
    assert about["settings"]["required"] == ["client_id", "client_secret", "entities"]
    assert "batch" not in about["capabilities"]


def test_the_readme_is_what_the_declarations_say(tap: Tap) -> None:
    text = README.read_text("utf-8")
    assert text == render(text), "run: python -m tap_accountsiq.readme tap-accountsiq/README.md"
    about = tap(None, "--about", "--format", "markdown").out
    table = [line for line in about.splitlines() if line.startswith("|")]
    assert "\n".join(table) in text
    for stream in STREAMS:
        assert f"### {stream.name}\n" in text
        assert all(f"| `{each.name}` | `{each.vendor}` |" in text for each in stream.fields)


def described(schema: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Every field of a schema, nested ones too, with its description."""
    for name, each in schema.get("properties", {}).items():
        yield name, each.get("description")
        yield from described(each)
        yield from described(each.get("items", {}))


def test_every_field_is_described_nested_ones_too(catalog: dict[str, Any]) -> None:
    fields = [field for entry in entries(catalog).values() for field in described(entry["schema"])]
    assert ("position", "Which of the six analysis codes holds the option code, from 1.") in fields
    assert [name for name, text in fields if not (text and text.endswith("."))] == []


def test_the_catalog_says_which_streams_can_only_be_read_whole_and_which_only_on_request(
    catalog: dict[str, Any],
) -> None:
    roots = {
        name: next(each["metadata"] for each in entry["metadata"] if not each["breadcrumb"])
        for name, entry in entries(catalog).items()
    }
    free = {name for name, root in roots.items() if "forced-replication-method" not in root}
    assert free == {"suppliers", "bi_codes"}
    assert {entry["replication_method"] for entry in entries(catalog).values()} == {"FULL_TABLE"}
    on_request = {name for name, root in roots.items() if not root["selected-by-default"]}
    assert on_request == {"entities", "company"}

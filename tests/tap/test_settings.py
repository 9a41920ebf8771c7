"""Wrong settings: each named, with what is wrong and what to do; exit code 1 and no traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tap_accountsiq.settings import SETTINGS, address, problems
from tap_testing import Service, Tap

GOOD: dict[str, Any] = {
    "region": "eu1",
    "client_id": "id",
    "client_secret": "the-s3cret",
    "entities": ["ACME"],
}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no region": (
        {"region": None},
        "region: neither region nor api_url is set. Set it to one of uk1, eu1, eu2, us1",
    ),
    "region and api_url": ({"api_url": "https://x.example/"}, "region: is set together with api_url"),
    "an unknown region": (
        {"region": "mars"},
        "region: 'mars' is not one of the known values. Set it to one of uk1",
    ),
    "http": (
        {"region": None, "api_url": "http://accountsiq.example/"},
        "api_url: would send the client secret unencrypted; http is only allowed for this machine itself.",
    ),
    "no address": (
        {"region": None, "api_url": "eu1"},
        "api_url: is not an address that begins with https://. Give the",
    ),
    "an address with a bad port": (
        {"region": None, "api_url": "https://x:y/"},
        "api_url: is not an address.",
    ),
    "an address with a password": (
        {"region": None, "api_url": "https://me:pass@x.example/"},
        "api_url: may not carry a user, a password, a query or a fragment.",
    ),
    "no client_id": ({"client_id": None}, "client_id: is missing. Copy the Client Id"),
    "an empty client_secret": ({"client_secret": " "}, "client_secret: is empty. Copy the Client Secret"),
    "a client_secret of the wrong type": (
        {"client_secret": 1234567},
        "client_secret: must be text. Copy the Client",
    ),
    "a client_secret with a control character": (
        {"client_secret": "the-s3cret\x00"},
        "client_secret: holds a control character.",
    ),
    "no entities": ({"entities": None}, "entities: is missing. Give a list with at least one entity id"),
    "an empty list of entities": (
        {"entities": []},
        "entities: is empty. Give a list with at least one entity id",
    ),
    "one entity as text": (
        {"entities": "ACME"},
        "entities: must be a list. Give a list with at least one entity id",
    ),
    "an entity that is no text": ({"entities": [7]}, "entities.0: must be text. Give a list"),
    "a blank entity": ({"entities": ["A", " "]}, "entities: holds an entity id that is blank"),
    "an entity twice": ({"entities": ["A", "B", "A"]}, "entities: names A more than once."),
    "no time at all": (
        {"request_timeout": 0},
        "request_timeout: is too small. Give a whole number of seconds",
    ),
    "no time for an answer": (
        {"answer_timeout": 0},
        "answer_timeout: is too small. Give a whole number of seconds",
    ),
    "no room for an answer": (
        {"max_answer_megabytes": -1},
        "max_answer_megabytes: is too small. Give a whole number of megabytes",
    ),
    "a time that is none": (
        {"request_timeout": "soon"},
        "request_timeout: must be a whole number. Give a whole",
    ),
    "a start date that is none": (
        {"start_date": "soon"},
        "start_date: 'soon' is not a date and time. Give a date or a date and time that has passed",
    ),
    "a start date that is out of the calendar": (
        {"start_date": "0001-01-01T00:00:00+14:00"},
        "start_date: '0001-01-01T00:00:00+14:00' is not a date and time.",
    ),
    "a start date that is a number": ({"start_date": 20260101}, "start_date: must be text."),
    "a start date to come": ({"start_date": "2999-01-01"}, "start_date: lies in the future. Give a date"),
    "no days between full reads": (
        {"full_read_days": 0},
        "full_read_days: is too small. Give a whole number",
    ),
    "an overlap that goes forward": (
        {"incremental_overlap_minutes": -1},
        "incremental_overlap_minutes: is out of range. Give a whole number of minutes from 0 to 10080.",
    ),
    "an overlap without end": (
        {"incremental_overlap_minutes": 10**12},
        "incremental_overlap_minutes: is out of",
    ),
    "a user agent on two lines": ({"user_agent": "a\r\nb: c"}, "user_agent: is empty or holds characters"),
    "a ca_bundle that is not there": (
        {"ca_bundle": "/no/such/file.pem"},
        "ca_bundle: '/no/such/file.pem' cannot be used (No such file or directory). Give the path",
    ),
    "a ca_bundle without a certificate": ({"ca_bundle": __file__}, "cannot be used (no certificate in it)"),
    "a flag that is none": (
        {"exclude_expense_suppliers": "yes"},
        "exclude_expense_suppliers: must be true or false. Set",
    ),
    "a setting that does not exist": ({"entitys": ["A"]}, "entitys: unknown setting. Check the spelling"),
}


@pytest.mark.parametrize("case", BAD)
def test_it_is_refused(case: str) -> None:
    changes, message = BAD[case]
    found = problems(GOOD | changes, SETTINGS)
    assert any(message in line for line in found), found
    assert not any("the-s3cret" in line or "1234567" in line for line in found)


def test_good_settings_are_accepted_and_defaults_filled_in() -> None:
    config = {**GOOD, "user_agent": None}
    assert problems(config, SETTINGS) == []
    assert config["request_timeout"] == 300
    assert config["answer_timeout"] == 3600
    assert config["max_answer_megabytes"] == 4000
    assert (config["incremental_overlap_minutes"], config["full_read_days"]) == (120, 7)
    assert config["emit_activate_version_messages"] is True
    assert "user_agent" not in config, "null is the same as not set"


@pytest.mark.parametrize("arguments", [[], ["--test"]])
def test_the_command_prints_what_is_wrong_and_ends_with_exit_code_1(arguments: list[str], tap: Tap) -> None:
    for changes in ({"region": "mars"}, {"entities": []}):
        done = tap(GOOD | changes, *arguments)
        assert done.code == 1
        assert done.out == ""
        assert f"Configuration: {next(iter(changes))}: " in done.errors[0]
        assert "the-s3cret" not in done.err


def test_every_missing_setting_is_named_at_once(tap: Tap) -> None:
    done = tap({}, "--test")
    assert done.code == 1
    assert all(f"{name}: is missing." in done.err for name in ("client_id", "client_secret", "entities"))


def test_the_region_makes_the_address() -> None:
    assert address(GOOD) == "https://eu1.accountsiq.com/system/dashboard/integration/integration_2_0.asmx"


@pytest.mark.parametrize("entities", ['["ACME"]', "ACME"])
def test_an_environment_variable_may_name_one_entity_plainly_or_as_json(
    entities: str, service: Service, tap: Tap
) -> None:
    environment = {
        f"TAP_ACCOUNTSIQ_{name.upper()}": value
        for name, value in service.settings().items()
        if name != "entities"
    }
    done = tap(None, "--config=ENV", environment={**environment, "TAP_ACCOUNTSIQ_ENTITIES": entities})
    assert done.code == 0
    assert service.count("GetTaxCodeList", "ACME") == 1


def test_an_environment_variable_of_the_wrong_kind_is_an_error_with_a_name(tap: Tap) -> None:
    for arguments in ([], ["--discover"], ["--test"]):
        done = tap(None, "--config=ENV", *arguments, environment={"TAP_ACCOUNTSIQ_REQUEST_TIMEOUT": "soon"})
        assert done.code == 1
        assert "an environment variable TAP_ACCOUNTSIQ_… does not hold what its setting needs" in done.err


@pytest.mark.parametrize("content", [None, "{", "[1]"])
def test_a_settings_file_that_cannot_be_read_is_a_usage_error(
    content: str | None, tap: Tap, tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    if content is not None:
        file.write_text(content)
    done = tap(None, "--config", str(file))
    assert done.code == 2
    assert f"{file} cannot be read as a JSON object" in done.err.replace("\n", " ")


@pytest.mark.parametrize("option", ["--catalog", "--state"])
@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_catalog_or_state_that_is_no_json_object_is_an_error(
    option: str, content: str, tap: Tap, tmp_path: Path
) -> None:
    file = tmp_path / "file.json"
    file.write_text(content)
    done = tap(GOOD, option, str(file))
    assert done.code == 1
    assert f"{file}: the {option[2:]} " in done.err


def test_a_stream_that_the_tap_does_not_have_is_not_skipped_silently(
    service: Service, tap: Tap, catalog: dict[str, Any]
) -> None:
    strange = {"streams": [*catalog["streams"], {**catalog["streams"][0], "tap_stream_id": "invoices"}]}
    done = tap(service.settings(), catalog=strange)
    assert "The catalog names the stream invoices, which this tap does not have." in done.err

"""The records: all streams, several entities, exact values, selection, and when a stream is complete (R32)."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from sandbox.testing import Sandbox
from tap_accountsiq.schemas import TAX_RATES
from tap_accountsiq.streams import STREAMS
from tap_testing import Reply, Run, Service, Tap, answer, only, refusal, rows, settings

ALL = sorted(stream.name for stream in STREAMS)
NAMES = sorted(stream.name for stream in STREAMS if stream.selected)
CHECK_TAP = Path(__file__).parents[2] / ".tools" / "singer-tools" / "bin" / "singer-check-tap"


@pytest.fixture(scope="module")
def company() -> Iterator[Sandbox]:
    """Run the sandbox's company, with several entities."""
    with Sandbox() as box:
        yield box


@pytest.fixture(scope="module")
def whole(company: Sandbox, tap: Tap) -> Run:
    """Read everything of the company, as by default."""
    return tap(settings(company))


@pytest.fixture(scope="module")
def everything(company: Sandbox, tap: Tap, catalog: dict[str, Any]) -> Run:
    """Read every field of every stream, private ones and streams on request included."""
    chosen = only(catalog, *ALL)
    for stream in chosen["streams"]:
        for each in stream["metadata"]:
            each["metadata"]["selected"] = True
    return tap(settings(company), catalog=chosen)


DATASETS = {
    "accounts": "accounts",
    "bi_codes": "bi_codes",
    "tax_rates": "tax_codes",
    "suppliers": "suppliers",
}


@pytest.mark.parametrize("name", DATASETS)
def test_every_record_of_every_entity_arrives_once(name: str, company: Sandbox, whole: Run) -> None:
    assert len(company.entities) > 1
    key = "DepartmentID" if name == "bi_codes" else "Code"
    expected = [
        (entity, row[key]) for entity in company.entities for row in company.source(entity, DATASETS[name])
    ]
    assert [(each["entity"], each["code"]) for each in whole.records(name)] == expected


def test_every_option_of_every_dimension_arrives_once(company: Sandbox, whole: Run) -> None:
    expected = [
        (entity, dimension["Code"], dimension["Description"], option["Code"], option["Description"], position)
        for entity in company.entities
        for position, dimension in enumerate(company.source(entity, "dimensions"), 1)
        for option in dimension.get("DimensionCodes") or []
    ]
    assert [tuple(each.values()) for each in whole.records("dimension_options")] == expected


def test_messages_come_in_order_schema_records_version_state_r32(whole: Run) -> None:
    assert whole.code == 0
    version = whole.of("ACTIVATE_VERSION")[0]["version"]
    for name in NAMES:
        of_stream = [m for m in whole.messages if m.get("stream") == name]
        assert [m["type"] for m in of_stream] == [
            "SCHEMA",
            *["RECORD"] * (len(of_stream) - 2),
            "ACTIVATE_VERSION",
        ]
        assert {m["version"] for m in of_stream[1:]} == {version}
        after = whole.messages[whole.messages.index(of_stream[-1]) + 1]
        assert after["type"] == "STATE"
    assert whole.of("STATE")[-1]["value"] == {"bookmarks": {name: {} for name in NAMES}}


def test_versions_are_milliseconds_and_grow_from_run_to_run(whole: Run, service: Service, tap: Tap) -> None:
    later = tap(service.settings()).of("ACTIVATE_VERSION")[0]["version"]
    assert later > whole.of("ACTIVATE_VERSION")[0]["version"] > 1_700_000_000_000


FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def is_rfc_3339(value: object) -> bool:
    """Jsonschema checks date-time only when another package is there, and says nothing when it is not."""
    if isinstance(value, str):
        datetime.fromisoformat(value)
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value))
    return True


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema in which every field, nested ones too, has to be there and no other may."""
    closed = dict(schema)
    if "properties" in schema:
        closed["properties"] = {name: strict(each) for name, each in schema["properties"].items()}
        closed |= {"additionalProperties": False, "required": [*schema["properties"]]}
    if "items" in schema:
        closed["items"] = strict(schema["items"])
    return closed


@pytest.mark.parametrize("name", ALL)
def test_records_satisfy_their_schema_under_the_strictest_reading(
    name: str, whole: Run, everything: Run
) -> None:
    for run in (whole, everything) if name in NAMES else (everything,):
        assert run.code == 0, run.err
        schema = run.of("SCHEMA", name)[0]
        assert schema["key_properties"][0] == "entity"
        validator = jsonschema.Draft7Validator(strict(schema["schema"]), format_checker=FORMATS)
        records = run.records(name)
        assert records
        for record in records:
            validator.validate(record)
        keys = [tuple(each[key] for key in schema["key_properties"]) for each in records]
        assert len(set(keys)) == len(keys)


def test_the_log_says_how_much_came_from_where(company: Sandbox, whole: Run) -> None:
    count = len(company.source(company.entities[0], "accounts"))
    assert f"{company.entities[0]}: {count} records in " in whole.err


def test_versions_can_be_switched_off(service: Service, tap: Tap) -> None:
    service.replies["GetTaxCodeList"] = [Reply(rows("GetTaxCodeList", "<Tax><Code>S</Code></Tax>"))]
    done = tap(service.settings(emit_activate_version_messages=False))
    assert done.complete == []
    assert "version" not in done.of("RECORD")[0]


def test_a_state_from_before_is_passed_on(service: Service, tap: Tap, catalog: dict[str, Any]) -> None:
    state = {"bookmarks": {"tax_rates": {}}}
    done = tap(service.settings(), catalog=only(catalog, "tax_rates"), state=state)
    assert [m["value"] for m in done.of("STATE")][-1] == state


# --- values ---------------------------------------------------------------------------------------------------------


def test_codes_are_exact_to_the_character(box: Sandbox, tap: Tap) -> None:
    codes = ["0100", "100", " 7 ", "a b", "É<&>\"'", "0", "1\u00a0", "x\ty"]
    box.set_source("ACME", "accounts", [{"Code": code, "Description": code} for code in codes])
    assert [each["code"] for each in tap(settings(box)).records("accounts")] == codes


def test_decimals_keep_their_digits(box: Sandbox, tap: Tap) -> None:
    rates = ["0.135", "0.20", "0", "0.2300", "1.0", "-0.5", "0.1234567890123456789012345678"]
    box.set_source("ACME", "tax_codes", [{"Code": str(n), "Rate": rate} for n, rate in enumerate(rates)])
    done = tap(settings(box))
    assert [str(each["rate"]) for each in done.records("tax_rates")] == rates
    assert all(f'"rate":{rate},' in done.out for rate in rates)
    assert isinstance(done.records("tax_rates")[0]["rate"], Decimal)


def test_absent_and_nil_are_null_and_empty_is_empty(box: Sandbox, tap: Tap) -> None:
    box.set_source(
        "ACME",
        "tax_codes",
        [
            {"Code": "absent"},
            {"Code": "nil", "ReverseCharge": None, "GrossThreshold": None},
            {
                "Code": "value",
                "ReverseCharge": True,
                "GrossThreshold": "10.50",
                "TaxTypeId": 3,
                "Description": "",
            },
        ],
    )
    absent, nil, value = tap(settings(box)).records("tax_rates")
    assert (absent["reverse_charge"], absent["description"], absent["gross_threshold"]) == (None, None, None)
    assert (nil["reverse_charge"], nil["gross_threshold"]) == (None, None)
    assert (value["reverse_charge"], value["gross_threshold"], value["tax_type_id"]) == (
        True,
        Decimal("10.50"),
        3,
    )
    assert value["description"] == ""
    assert list(absent) == list(value), "every selected field is always there"


def test_types_are_those_of_the_contract(service: Service, tap: Tap) -> None:
    service.replies["GetSupplierList"] = [
        Reply(
            rows(
                "GetSupplierList",
                "<Supplier><AccountID> 7 </AccountID><Code>S</Code><CreationDate>2019-03-01T10:11:12.1234567</CreationDate>"
                "<DiscountRate>2.50</DiscountRate><IsActive>1</IsActive><Hold>-1</Hold><IsHeadOffice>false</IsHeadOffice>"
                '<SalesRepresentativeID xsi:nil="true" /></Supplier>',
                '<Supplier xsi:nil="true" />',
                "<Supplier><Code>T</Code><CreationDate>2019-03-01T10:11:12+01:00</CreationDate></Supplier>",
            )
        )
    ]
    service.replies["GetTaxCodeList"] = [
        Reply(
            rows(
                "GetTaxCodeList",
                "<Tax><Checker><IdLength>10</IdLength><CodeLength>5</CodeLength></Checker></Tax>",
            )
        )
    ]
    done = tap(service.settings())
    first, second = done.records("suppliers")
    assert (first["account_id"], first["is_active"], first["hold"], first["is_head_office"]) == (
        7,
        True,
        -1,
        False,
    )
    assert first["creation_date"] == "2019-03-01T10:11:12.1234567Z"
    assert second["creation_date"] == "2019-03-01T10:11:12+01:00"
    assert first["sales_representative_id"] is None
    (tax,) = done.records("tax_rates")
    assert (tax["checker_id_length"], tax["checker_code_length"], tax["checker_author_length"]) == (
        10,
        5,
        None,
    )
    assert tax["code"] == "", "a key field is never null"


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("Rate", "NaN"),
        ("Rate", "1e3"),
        ("Rate", ""),
        ("IsDefault", "yes"),
        ("TaxTypeId", "1.0"),
        ("TaxTypeId", "1_0"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(field: str, text: str) -> None:
    (declared,) = [each for each in TAX_RATES if each.vendor == field]
    with pytest.raises(ValueError, match=r"not a|neither true"):
        declared.type.convert(text)


def test_lists_of_one_entry_and_of_none_are_lists_like_any_other_r32(box: Sandbox, tap: Tap) -> None:
    box.set_source("ACME", "bi_codes", [{"DepartmentID": "B1"}])
    box.set_source("ACME", "dimensions", [{"Code": "D", "DimensionCodes": [{"Code": "1"}]}, {"Code": "E"}])
    done = tap(settings(box))
    assert [each["code"] for each in done.records("bi_codes")] == ["B1"]
    assert [(each["dimension_code"], each["code"]) for each in done.records("dimension_options")] == [
        ("D", "1")
    ]
    assert done.records("accounts") == []
    assert sorted(done.complete) == NAMES, "an empty list that was read whole is complete"


def test_the_entities_are_those_that_the_application_reaches_read_once(
    company: Sandbox, tap: Tap, catalog: dict[str, Any]
) -> None:
    company.clear_requests()
    done = tap(settings(company, entities=company.entities[:2]), catalog=only(catalog, "entities", "company"))
    assert done.code == 0, done.err
    reached = {each["entity"]: each for each in done.records("entities")}
    assert list(reached) == company.entities, "the third as well, although the tap does not read it"
    assert company.counters()["accountsiq"]["GetEntitiesByToken"] == 1
    assert [each["entity"] for each in done.records("company")] == company.entities[:2]
    for each in done.records("company"):
        assert each["base_currency_code"] == reached[each["entity"]]["base_currency"]
    assert sorted(done.complete) == ["company", "entities"]


def test_the_companys_nested_settings_are_fields_of_their_own(
    box: Sandbox, tap: Tap, catalog: dict[str, Any]
) -> None:
    box.set_source(
        "ACME",
        "company",
        [
            {
                "CompanyName": "Ácme & Co",
                "Address": {"City": "Cork"},
                "ContactInformation": {"WebSite": "acme.example", "EmailAddress": "me@home.example"},
                "AutoNumberingSettings": {
                    "UseAutoSalesInvoiceNumbering": True,
                    "CurrentSalesInvoiceNumber": "007",
                },
                "PrecisionSettings": {"PricePrecisionDecimals": 4},
                "ApprovalSettings": {"ApprovalType": "BudgetHolderBased"},
            }
        ],
    )
    done = tap(settings(box), catalog=only(catalog, "company"))
    (record,) = done.records("company")
    expected = {
        "entity": "ACME",
        "company_name": "Ácme & Co",
        "address_city": "Cork",
        "address_line_1": None,
        "contact_web_site": "acme.example",
        "use_auto_sales_invoice_numbering": True,
        "current_sales_invoice_number": "007",
        "price_precision_decimals": 4,
        "approval_type": "BudgetHolderBased",
        "tax_registration_number": None,
    }
    assert {name: record[name] for name in expected} == expected
    assert "me@home" not in done.out


def test_an_object_that_is_there_twice_is_refused_and_one_that_is_null_gives_no_record(
    service: Service, tap: Tap, catalog: dict[str, Any]
) -> None:
    one = "<Result><CompanyName>Acme</CompanyName></Result>"
    success = "<Status>Success</Status><ErrorCode>SUCCESS</ErrorCode><HasExpired>true</HasExpired>"
    for content, records, code in (
        (one, 1, 0),
        (one + one, 1, 1),
        ('<Result xsi:nil="true" />', 0, 0),
        ("", 0, 0),
    ):
        service.replies["GetCompanyInformation"] = [Reply(answer("GetCompanyInformation", success + content))]
        done = tap(service.settings(), catalog=only(catalog, "company"))
        assert (len(done.records("company")), done.code) == (records, code)
        assert (done.complete == ["company"]) == (code == 0)


# --- selection ------------------------------------------------------------------------------------------------------

PRIVATE = {
    "Code": "S",
    "Email": "me@home.example",
    "InternationalBankAccountNumber": "IE1",
    "VATRegistrationNumber": "V",
}


def select(catalog: dict[str, Any], stream: str, **fields: bool) -> dict[str, Any]:
    """Return a copy of a catalog with fields selected or not."""
    copy = only(catalog, stream)
    for entry in copy["streams"]:
        for each in entry["metadata"]:
            if entry["tap_stream_id"] == stream and each["breadcrumb"] and each["breadcrumb"][1] in fields:
                each["metadata"]["selected"] = fields[each["breadcrumb"][1]]
    return copy


def test_private_fields_stay_away_unless_selected(box: Sandbox, tap: Tap, catalog: dict[str, Any]) -> None:
    box.set_source("ACME", "suppliers", [PRIVATE])
    for done in (tap(settings(box)), tap(settings(box), catalog=catalog)):
        text = done.out
        assert done.records("suppliers")[0]["code"] == "S"
        assert not any(
            word in text for word in ("me@home", "IE1", "email", "bank_account_number", "vat_registration")
        )
    done = tap(settings(box), catalog=select(catalog, "suppliers", email=True))
    assert done.records("suppliers")[0]["email"] == "me@home.example"
    assert "email" in done.of("SCHEMA", "suppliers")[0]["schema"]["properties"]
    assert "IE1" not in done.out


def test_private_fields_stay_away_from_a_catalog_that_says_nothing_about_them(
    box: Sandbox, tap: Tap, catalog: dict[str, Any]
) -> None:
    box.set_source("ACME", "suppliers", [PRIVATE])
    silent = only(catalog, "suppliers")
    for entry in silent["streams"]:
        entry["metadata"] = [each for each in entry["metadata"] if not each["breadcrumb"]]
    done = tap(settings(box), catalog=silent)
    assert done.records("suppliers")[0]["code"] == "S"
    assert "me@home" not in done.out
    assert "email" not in done.of("SCHEMA", "suppliers")[0]["schema"]["properties"]


def test_only_selected_fields_are_built_so_that_a_bad_value_elsewhere_does_no_harm(
    service: Service, tap: Tap, catalog: dict[str, Any]
) -> None:
    service.replies["GetTaxCodeList"] = [
        Reply(
            rows("GetTaxCodeList", "<Tax><Code>S</Code><Description>D</Description><Rate>lots</Rate></Tax>")
        )
    ]
    names = [
        each["breadcrumb"][1]
        for each in next(stream for stream in catalog["streams"] if stream["tap_stream_id"] == "tax_rates")[
            "metadata"
        ]
        if each["breadcrumb"]
    ]
    chosen = select(catalog, "tax_rates", **{name: name == "description" for name in names})
    done = tap(service.settings(), catalog=chosen)
    assert done.records("tax_rates") == [{"entity": "ACME", "code": "S", "description": "D"}]
    assert service.count("GetSupplierList") == 0, "what is not selected is not read"


def test_stream_maps_and_versions_go_together(service: Service, tap: Tap, catalog: dict[str, Any]) -> None:
    service.replies["GetTaxCodeList"] = [Reply(rows("GetTaxCodeList", "<Tax><Code>S</Code></Tax>"))]
    maps = {"tax_rates": {"__alias__": "vat", "shout": "code + '!'"}}
    done = tap(service.settings(stream_maps=maps), catalog=only(catalog, "tax_rates"))
    assert done.of("RECORD")[0]["stream"] == "vat"
    bad = tap(service.settings(stream_maps={"tax_rates": {"code": None}}), catalog=only(catalog, "tax_rates"))
    assert bad.code == 1
    assert "Configuration: stream_maps: Removing key property 'code' is not permitted" in bad.errors[0]
    assert done.records("vat")[0]["shout"] == "S!"
    assert done.complete == ["vat"]


# --- complete or not (R32) ------------------------------------------------------------------------------------------


def test_a_stream_that_fails_for_one_entity_is_not_complete_and_the_rest_goes_on_r32(
    service: Service, tap: Tap
) -> None:
    good = rows("GetTaxCodeList", "<Tax><Code>S</Code></Tax>")
    service.replies["GetTaxCodeList"] = [Reply(good)]
    service.replies["GetTaxCodeList", "B"] = [Reply(refusal("GetTaxCodeList", "NOT_AUTHORIZED"))]
    done = tap(service.settings(entities=["A", "B", "C"]))
    assert done.code == 1
    assert [each["entity"] for each in done.records("tax_rates")] == ["A", "C"]
    assert sorted(done.complete) == [name for name in NAMES if name != "tax_rates"]
    assert len(done.errors) == 1
    assert "B, tax_rates: " in done.errors[0]


def test_a_list_that_breaks_in_the_middle_is_not_complete_r32(service: Service, tap: Tap) -> None:
    whole = rows("GetTaxCodeList", *(f"<Tax><Code>{n}</Code></Tax>" for n in range(30_000)))
    service.replies["GetTaxCodeList"] = [Reply(whole.replace("<Code>29999</Code>", "<Code>29999</Kode>"))]
    done = tap(service.settings())
    assert done.code == 1
    assert 0 < len(done.records("tax_rates")) < 30_000
    assert "tax_rates" not in done.complete
    assert "not well-formed XML" in done.errors[0]


# --- the sandbox's own ways of failing ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"type": "drop_before"},
        {"type": "drop_after"},
        {"type": "truncate", "after_bytes": 500},
        {"type": "status", "status": 429, "retry_after": "0"},
        {"type": "status", "status": 503, "retry_after": "0"},
        {"type": "token_expired"},
    ],
    ids=lambda fault: f"{fault['type']}-{fault.get('status', '')}",
)
def test_the_sandboxs_passing_faults_are_got_over(fault: dict[str, Any], company: Sandbox, tap: Tap) -> None:
    catalog = only(json.loads(tap(None, "--discover").out), "tax_rates")
    company.clear_requests()
    company.faults([{"side": "accountsiq", "match": {"operation": "GetTaxCodeList"}, "fault": fault}])
    try:
        done = tap(settings(company, entities=company.entities[:1]), catalog=catalog)
    finally:
        company.clear_faults()
    assert done.code == 0, done.err
    assert done.complete == ["tax_rates"]
    assert len(done.records("tax_rates")) == len(company.source(company.entities[0], "tax_codes"))
    assert company.counters()["accountsiq"]["GetTaxCodeList"] == 2


def test_a_token_that_expires_before_every_read_does_not_end_the_run(company: Sandbox, tap: Tap) -> None:
    company.clear_requests()
    company.faults(
        [
            {
                "side": "accountsiq",
                "match": {"operation": stream.read.operation},
                "fault": {"type": "token_expired"},
            }
            for stream in STREAMS
            if stream.selected
        ]
    )
    done = tap(settings(company))
    company.clear_faults()
    assert done.code == 0, done.err
    assert sorted(done.complete) == NAMES
    assert company.counters()["accountsiq"]["TokenRefresh"] == len(NAMES)


def test_errors_inside_a_fault_are_understood_too(box: Sandbox, tap: Tap) -> None:
    box.configure(accountsiq={"errors_as_fault": True, "scope_denied": ["GetTaxCodeList"]})
    done = tap(settings(box, entities=["ACME", "ELSEWHERE"]))
    assert done.code == 1
    assert any("ACME, tax_rates: The application is not allowed to do this." in line for line in done.errors)
    assert any("ELSEWHERE, accounts: " in line for line in done.errors)
    assert {each["entity"] for each in done.records("accounts")} <= {"ACME"}


# --- TLS ------------------------------------------------------------------------------------------------------------


def test_a_certificate_is_trusted_only_when_the_settings_say_so(tap: Tap, catalog: dict[str, Any]) -> None:
    with Sandbox(seed="empty", tls=True) as box:
        chosen = only(catalog, "tax_rates")
        assert box.ca_bundle
        good = tap(
            settings(box, ca_bundle=box.ca_bundle),
            catalog=chosen,
            environment={"REQUESTS_CA_BUNDLE": "/nowhere"},
        )
        assert good.complete == ["tax_rates"], good.err
        for environment in ({}, {"REQUESTS_CA_BUNDLE": box.ca_bundle, "CURL_CA_BUNDLE": box.ca_bundle}):
            bad = tap(settings(box), catalog=chosen, environment=environment)
            assert bad.code == 1
            assert "No trusted TLS connection to" in bad.errors[-1]
            assert "name it in ca_bundle" in bad.errors[-1]


# --- the suites of others -------------------------------------------------------------------------------------------


def test_singer_check_tap_is_satisfied(whole: Run) -> None:
    done = subprocess.run(
        [str(CHECK_TAP)], input=whole.out, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "The output is valid." in done.stdout + done.stderr


def test_r32_a_tap_that_is_told_to_stop_does_not_end_with_success(tmp_path: Path) -> None:
    latency = {"type": "latency", "seconds": 30}
    rule = {"side": "accountsiq", "match": {"operation": "GetTaxCodeList"}, "fault": latency}
    config = tmp_path / "config.json"
    with Sandbox(faults=[rule]) as box:
        config.write_text(json.dumps(settings(box)))
        command = [Path(__file__).parents[2] / ".venv/bin/tap-accountsiq", "--config", config]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if '"SCHEMA"' in line and "tax_rates" in line:
                    break
            process.terminate()
            out, log = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "ACTIVATE_VERSION" not in out
    assert "Stopped by SIGTERM" in log
    assert "Traceback" not in log

"""The seeds: what the company has to show, that sizes and files work, and that mistakes are named."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from sandbox.accountsiq.types import fields_of
from sandbox.exactjson import dumps
from sandbox.seeds import SeedError
from sandbox.testing import Sandbox

from sandbox import seeds

if TYPE_CHECKING:
    from pathlib import Path

# Items as the demo maps them: collection, dataset, and the fields of code and name.
MAPPING = {
    "categories": ("accounts", "Code", "Description"),
    "projects": ("bi_codes", "DepartmentID", "Description"),
    "taxrates": ("tax_codes", "Code", "Description"),
    "suppliers": ("suppliers", "Code", "Name"),
}


@pytest.fixture(scope="module")
def company() -> dict[str, Any]:
    return seeds.load("company")


@pytest.fixture(scope="module")
def main(company: dict[str, Any]) -> dict[str, Any]:
    entities = company["accountsiq"]["entities"]
    assert next(iter(entities)) == "ACME_UK"
    return dict(entities["ACME_UK"])


def source_of(main: dict[str, Any], collection: str) -> dict[str, dict[str, Any]]:
    """The source rows that the demo maps to a collection, by code, with name and activity."""
    if collection == "departments":
        (dimension,) = (row for row in main["dimensions"] if row["Description"] == "Department")
        return {
            row["Code"]: {"name": row["Description"], "active": True} for row in dimension["DimensionCodes"]
        }
    dataset, code, name = MAPPING[collection]
    assert len({row[code] for row in main[dataset]}) == len(main[dataset])
    return {
        row[code]: {**row, "name": row[name], "active": row.get("IsActive", True)} for row in main[dataset]
    }


def look_alike(code: str) -> str:
    return unicodedata.normalize("NFKC", code).strip().casefold().lstrip("0")


# The company


def test_the_company_has_the_size_of_a_real_one(main: dict[str, Any]) -> None:
    assert len(main["accounts"]) == 276
    assert [len(row["DimensionCodes"]) for row in main["dimensions"]] == [14, 40, 10]
    assert len(main["bi_codes"]) == 54
    assert len(main["tax_codes"]) == 11
    assert len(main["suppliers"]) == 1982
    assert {"Posting", "Control", "Bank", "VAT"} == {row["AccountType"] for row in main["accounts"]}


def test_the_company_has_what_trips_programs(main: dict[str, Any]) -> None:
    names = "".join(row["Name"] for row in main["suppliers"])
    assert all(character in names for character in "&<>\"'é東Ł")
    for dataset, key in [("accounts", "Code"), ("bi_codes", "DepartmentID"), ("suppliers", "Code")]:
        assert any(row[key].startswith("00") for row in main[dataset])
        assert {True, False} == {row["IsActive"] for row in main[dataset]}
    assert {str(row["Rate"]) for row in main["tax_codes"]} == {"0", "0.135", "0.20", "0.23"}
    assert {row.get("ReverseCharge", "absent") for row in main["tax_codes"]} == {"absent", None, True, False}


def test_option_codes_are_unique_and_bi_codes_point_to_one_option_of_each_dimension(
    main: dict[str, Any],
) -> None:
    options = [{option["Code"] for option in row["DimensionCodes"]} for row in main["dimensions"]]
    assert len(set.union(*options)) == sum(map(len, options))
    for row in main["bi_codes"]:
        for place, codes in enumerate(options, 1):
            assert row.get(f"AnalysisCode{place}") in codes | {None}
        assert not any(row.get(f"AnalysisCode{place}") for place in (4, 5, 6))


def test_employees_look_like_any_supplier_but_for_the_private_mark(main: dict[str, Any]) -> None:
    marked = [row for row in main["suppliers"] if "_expense_supplier" in row]
    assert len(marked) == 42
    assert all(
        row["InternationalBankAccountNumber"].startswith(f"{row['CountryCode']}00SAND") for row in marked
    )
    assert {row["GroupID"] for row in main["suppliers"]} == {"TRADE"}


def test_one_entity_has_lists_of_one_and_another_no_dimensions(company: dict[str, Any]) -> None:
    _, irish, plain = company["accountsiq"]["entities"].values()
    for dataset in ("accounts", "dimensions", "bi_codes", "tax_codes", "suppliers", "company"):
        assert len(irish[dataset]) == 1
    assert (plain["dimensions"], plain["bi_codes"]) == ([], [])
    assert plain["accounts"]


@pytest.mark.parametrize("collection", [*MAPPING, "departments"])
def test_a_first_sync_finds_something_of_everything(
    company: dict[str, Any], main: dict[str, Any], collection: str
) -> None:
    source = source_of(main, collection)
    live = company["expensein"][collection]
    matched = {row["reference"]: row for row in live if row.get("reference") in source}
    active = {code: row for code, row in source.items() if row["active"]}
    assert active.keys() - matched.keys()  # to create
    assert matched.keys() <= active.keys()
    unchanged = [code for code, row in matched.items() if row["name"] == source[code]["name"]]
    assert 0 < len(unchanged) < len(matched)  # the others are to update
    assert [row for row in live if row.get("reference") and row["reference"] not in source]  # orphans
    assert all(row["name"].strip() for row in source.values())
    if collection != "projects":
        free = {row["name"] for row in live if not row.get("reference")}
        assert free & {active[code]["name"] for code in active.keys() - matched.keys()}  # candidates by name


@pytest.mark.parametrize("collection", [*MAPPING, "departments"])
def test_a_first_sync_has_nothing_to_hold(
    company: dict[str, Any], main: dict[str, Any], collection: str
) -> None:
    source = source_of(main, collection)
    references = [row["reference"] for row in company["expensein"][collection] if row.get("reference")]
    assert len(references) == len(set(references))
    look_alikes = {look_alike(code) for code in source}
    assert not [code for code in references if code not in source and look_alike(code) in look_alikes]


def test_an_admin_has_left_traces(company: dict[str, Any], main: dict[str, Any]) -> None:
    live = company["expensein"]
    closed = [row for row in live["projects"] if row.get("isActive") is False]
    assert [row for row in closed if source_of(main, "projects").get(row["reference"], {}).get("active")]
    asleep = [row for row in live["suppliers"] if row.get("isActive") is False]
    assert [row for row in asleep if source_of(main, "suppliers").get(row["reference"], {}).get("active")]
    rates = source_of(main, "taxrates")
    differing = {
        row["reference"]
        for row in live["taxrates"]
        if row.get("reference") in rates and row["rate"] != rates[row["reference"]]["Rate"] * 100
    }
    assert differing == {"IE135"}
    assert [
        row
        for row in live["categories"]
        if row.get("defaultTaxRateId") in {row.get("id") for row in live["taxrates"]}
    ]
    for field in ("iban", "paymentTerms", "vatNumber", "approvalFlowId"):
        assert [row for row in live["suppliers"] if row.get(field)]


def test_named_seeds_are_the_same_every_time() -> None:
    for name in ("company", "empty", "generated:suppliers=50,twins=3,seed=9"):
        assert dumps(seeds.load(name)) == dumps(seeds.load(name))


# Sizes


def test_a_generated_seed_has_the_sizes_asked_for() -> None:
    sizes = {"accounts": 3, "suppliers": 5, "dimensions": 2, "options": 4, "bi_codes": 10, "tax_codes": 6}
    text = ",".join(f"{name}={size}" for name, size in sizes.items())
    (entity,) = seeds.load(f"generated:{text}, seed=2, twins=2")["accountsiq"]["entities"].values()
    assert {name: len(entity[name]) for name in sizes if name != "options"} == {
        "accounts": 3,
        "suppliers": 7,
        "dimensions": 2,
        "bi_codes": 10,
        "tax_codes": 6,
    }
    assert [len(row["DimensionCodes"]) for row in entity["dimensions"]] == [4, 4]
    codes = [row["Code"] for row in entity["suppliers"]]
    assert codes[5:] == codes[:2]
    assert len({row["Name"] for row in entity["suppliers"]}) == 7


def test_another_number_makes_other_data() -> None:
    first, second = (
        seeds.generate(suppliers=5, seed=seed)["accountsiq"]["entities"]["ACME_UK"]["suppliers"]
        for seed in (1, 2)
    )
    assert [row["Code"] for row in first] == [row["Code"] for row in second]
    assert [row["Name"] for row in first] != [row["Name"] for row in second]


def test_every_field_of_a_supplier_can_have_a_value() -> None:
    (entity,) = seeds.load("generated:suppliers=50,every_field=1")["accountsiq"]["entities"].values()
    names = {field.name for field in fields_of("Supplier")}
    assert all(
        names == {name for name, value in row.items() if value not in ("", None)}
        for row in entity["suppliers"]
    )


def test_nothing_at_all_can_be_generated() -> None:
    empty = seeds.generate(accounts=0, suppliers=0, dimensions=0, options=0, bi_codes=2, tax_codes=0)
    assert empty["accountsiq"]["entities"]["ACME_UK"]["suppliers"] == []


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        ("generated:colour=3", "unknown size 'colour'; known are accounts, suppliers, "),
        ("generated:accounts=many", "'accounts=many' needs a whole number, as in accounts=100"),
        ("generated:accounts", "'accounts' needs a whole number"),
        ("generated:accounts=-1", "accounts is -1; it must be 0 or more"),
        ("generated:dimensions=7", "there are at most 6 dimensions, not 7"),
        ("generated:suppliers=1,twins=2", "2 twins of 1 suppliers"),
    ],
)
def test_wrong_sizes_are_named(seed: str, message: str) -> None:
    with pytest.raises(SeedError, match=message):
        seeds.load(seed)


# Files and parts


def test_a_partial_seed_is_completed() -> None:
    state = seeds.load(
        {"accountsiq": {"entities": {"E": {"accounts": [{"Code": "1"}], "company": {"CompanyName": "E"}}}}}
    )
    entity = state["accountsiq"]["entities"]["E"]
    assert entity["accounts"] == [{"Code": "1"}]
    assert entity["company"] == [{"CompanyName": "E"}]
    assert (entity["suppliers"], entity["base_currency"]) == ([], "GBP")
    assert set(state["accountsiq"]["application"]) == {"client_id", "client_secret", "scope"}
    assert state["expensein"]["categories"] == []
    assert state["expensein"]["api_key"].replace("-", "").isalnum()


def test_an_empty_seed_has_one_entity_to_fill() -> None:
    assert list(seeds.load("empty")["accountsiq"]["entities"]) == ["ACME_UK"]
    assert seeds.load({}) == seeds.load("empty")
    assert seeds.load({"accountsiq": {"entities": {}}})["accountsiq"]["entities"] == {}


def test_a_file_keeps_its_numbers_digit_for_digit(tmp_path: Path) -> None:
    file = tmp_path / "seed.json"
    file.write_text(
        '{"accountsiq": {"entities": {"E": {"tax_codes": [{"Code": "A", "Rate": 0.1350}]}}}}', "utf-8"
    )
    assert str(seeds.load(file)["accountsiq"]["entities"]["E"]["tax_codes"][0]["Rate"]) == "0.1350"
    assert seeds.load(str(file)) == seeds.load(file)


def test_what_a_running_sandbox_shows_can_be_its_seed() -> None:
    with Sandbox(seed="company") as box:
        before = box.state()
        box.reset(json.loads(dumps(before)))
        assert json.loads(dumps(box.state())) == json.loads(dumps(before))


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        ({"accounts": []}, "the seed: unknown key 'accounts'; known are accountsiq, expensein"),
        ({"accountsiq": []}, "accountsiq: expected an object, found list"),
        ({"accountsiq": {"application": {"id": 1}}}, "accountsiq.application: unknown key 'id'"),
        (
            {"accountsiq": {"entities": {"E": {"taxes": []}}}},
            "accountsiq.entities.E: unknown key 'taxes'; known are name",
        ),
        ({"accountsiq": {"entities": {"E": {"accounts": {}}}}}, r"E.accounts: expected a list, found dict"),
        (
            {"accountsiq": {"entities": {"E": {"accounts": [1]}}}},
            r"E.accounts\[0\]: expected an object, found int",
        ),
        (
            {"accountsiq": {"entities": {"E": {"accounts": [{}, {"Name": "x"}]}}}},
            r"E.accounts\[1\]: WSChartOfAccountLine has no field 'Name'; it has Code, Description",
        ),
        (
            {"accountsiq": {"entities": {"E": {"dimensions": [{"DimensionCodes": [{"Name": "x"}]}]}}}},
            r"E.dimensions\[0\].DimensionCodes\[0\]: WSAnalysisDimensionCode has no field 'Name'",
        ),
        (
            {"accountsiq": {"entities": {"E": {"company": {"Address": {"Street": "x"}}}}}},
            r"E.company\[0\].Address: WSAddress has no field 'Street'",
        ),
        (
            {"expensein": {"tax_rates": []}},
            "expensein: unknown key 'tax_rates'; known are api_key, categories",
        ),
    ],
)
def test_mistakes_in_a_seed_are_named(seed: dict[str, Any], message: str) -> None:
    with pytest.raises(SeedError, match=message):
        seeds.load(seed)


def test_a_seed_that_is_not_there_or_not_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match=r"there is no seed 'compny' .names: company, empty, generated."):
        seeds.load("compny")
    file = tmp_path / "seed.json"
    file.write_text("{", "utf-8")
    with pytest.raises(SeedError, match=r"seed.json is not JSON"):
        seeds.load(file)
    file.write_bytes(b"\xff")
    with pytest.raises(SeedError, match=r"seed.json is not UTF-8 text"):
        seeds.load(file)
    file.write_text('{"colour": 1}', "utf-8")
    with pytest.raises(SeedError, match=r"seed.json: the seed: unknown key 'colour'"):
        seeds.load(file)

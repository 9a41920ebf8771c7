"""The API profile: the built-in one, overlays, and a message with the path for everything that can be wrong."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from target_expensein.api.errors import ProfileError
from target_expensein.api.profile import load_profile

ALL_TYPES = (
    "purchase",
    "time",
    "personalMileage",
    "companyCarMileage",
    "companyCard",
    "fuelCard",
    "cashAdvance",
)


def problem(overlay: object) -> str:
    with pytest.raises(ProfileError) as caught:
        load_profile(overlay)  # type: ignore[arg-type]  # wrong on purpose
    assert caught.value.reason == "profile_invalid"
    return str(caught.value)


def test_the_built_in_profile_is_the_assumed_contract() -> None:
    profile = load_profile(None)
    assert profile.name == "expensein-1.0"
    assert {name: item.path for name, item in profile.items.items()} == {
        "categories": "categories",
        "projects": "projects",
        "departments": "departments",
        "tax_rates": "taxrates",
        "suppliers": "suppliers",
    }
    assert all(item.unusable is None for item in profile.items.values())
    assert all(
        item.updating.method == "PUT" and item.updating.use_if_match for item in profile.items.values()
    )
    assert profile.authorization.value("k") == "ApiKey k"


def test_r13_a_new_category_applies_to_purchases_only() -> None:
    assert load_profile().items["categories"].new_applies_to == ("purchase",)


def test_r16_a_new_project_applies_to_all_expense_types_and_invoicing() -> None:
    assert load_profile().items["projects"].new_applies_to == (*ALL_TYPES, "invoice")


def test_the_values_for_new_records_follow_the_list_of_expense_types() -> None:
    overlay = {
        "values": {
            "expense_types": {"purchase": "PURCHASE", "time": None, "per_diem": "perDiem"},
            "invoicing": None,
        }
    }
    items = load_profile(overlay).items
    assert items["categories"].new_applies_to == ("PURCHASE",)
    assert items["projects"].new_applies_to == ("PURCHASE", *ALL_TYPES[2:], "perDiem")


def test_an_overlay_changes_what_it_names_and_nothing_else() -> None:
    plain, changed = (
        load_profile(),
        load_profile({"items": {"suppliers": {"fields": {"reference": "code"}, "path": "v2/vendors"}}}),
    )
    assert changed.items["suppliers"].fields["reference"] == "code"
    assert changed.items["suppliers"].path == "v2/vendors"
    assert changed.items["suppliers"].fields["name"] == "name"
    assert changed.items["categories"] == plain.items["categories"]
    assert load_profile() == plain


def test_an_item_can_differ_from_what_holds_for_all() -> None:
    overlay = {
        "list": {"envelope": "data", "paging": {"style": "page", "page": {"size": 7}}},
        "update": {"method": "PATCH"},
        "items": {
            "suppliers": {
                "list": {"envelope": "result.items", "paging": {"style": "link"}},
                "update": {"method": "PUT"},
            }
        },
    }
    items = load_profile(overlay).items
    assert items["categories"].listing.envelope == ("data",)
    assert items["categories"].listing.paging.page.size == 7
    assert items["categories"].updating.method == "PATCH"
    assert items["suppliers"].listing.envelope == ("result", "items")
    assert items["suppliers"].listing.paging.style == "link"
    assert items["suppliers"].listing.paging.page.size == 7
    assert items["suppliers"].updating.method == "PUT"


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        ({"items": {"suppliers": {"available": False}}}, "api_profile.items.suppliers.available is false"),
        (
            {"items": {"suppliers": {"fields": {"reference": None}}}},
            "api_profile.items.suppliers.fields.reference is null",
        ),
        ({"items": {"suppliers": {"create": {"method": None}}}}, "api_profile.items.suppliers.create.method"),
        ({"update": {"method": None}}, "api_profile.update.method"),
    ],
)
def test_what_this_server_does_not_have_makes_the_item_unusable_with_the_reason(
    overlay: dict[str, Any], said: str
) -> None:
    unusable = load_profile(overlay).items["suppliers"].unusable
    assert unusable is not None
    assert said in unusable


def test_a_tax_rate_without_a_rate_cannot_be_created_so_the_item_is_unusable() -> None:
    items = load_profile({"items": {"tax_rates": {"fields": {"rate": None}}}}).items
    assert "api_profile.items.tax_rates.fields.rate is null" in (items["tax_rates"].unusable or "")


@pytest.mark.parametrize(
    ("overlay", "path", "hint"),
    [
        ([], "api_profile:", "only the members that differ"),
        ({"list": []}, "api_profile.list:", "How a collection is listed"),
        ({"itmes": {}}, "api_profile.itmes: unknown key", "did you mean items?"),
        ({"items": {"vendors": {}}}, "api_profile.items.vendors: unknown key", "known here: categories, projects"),
        ({"items": {"projects": {"fields": {"refrence": "x"}}}}, "api_profile.items.projects.fields.refrence: unknown key", "did you mean reference?"),
        ({"items": {"projects": {"fields": {"iban": "iban"}}}}, "api_profile.items.projects.fields.iban: unknown key", "known here"),
        ({"items": {"projects": {"fields": {"id": None}}}}, "api_profile.items.projects.fields.id: null", "identity"),
        ({"items": {"projects": {"path": "/projects/"}}}, 'api_profile.items.projects.path: "/projects/"', "without a slash"),
        ({"items": {"projects": {"path": "../users"}}}, "api_profile.items.projects.path", "without a slash"),
        ({"items": {"projects": {"available": "no"}}}, 'api_profile.items.projects.available: "no"', "false when"),
        ({"items": {"projects": {"new_applies_to": ["purchase", "tmie"]}}}, "api_profile.items.projects.new_applies_to[1]", "did you mean time?"),
        ({"items": {"projects": {"max_length": {"name": 0}}}}, "api_profile.items.projects.max_length.name: 0", "in characters, or null"),
        ({"items": {"projects": {"fields": {"reference": "name"}}}}, "api_profile.items.projects.fields.reference", "already the name of name"),
        ({"items": {"projects": {"update": {"leave_out": ["name"]}}}}, "api_profile.items.projects.fields.name", "leave_out"),
        ({"items": {"suppliers": {"module": {"missing_when": [{"status": 200, "code": None}]}}}}, "api_profile.items.suppliers.module.missing_when[0].status: 200", "400 to 499"),
        ({"items": {"projects": {"module": {"name": "X"}}}}, "api_profile.items.projects.module.missing_when: is missing", "Answers of the collection"),
        ({"list": {"paging": {"style": "pages"}}}, 'api_profile.list.paging.style: "pages"', "offset"),
        ({"list": {"paging": {"page": {"size": True}}}}, "api_profile.list.paging.page.size: true", "from 1 to 10000"),
        ({"list": {"query": {"all": 1}}}, "api_profile.list.query.all: 1", "as text"),
        ({"update": {"method": "POST"}}, 'api_profile.update.method: "POST"', "PATCH"),
        ({"create": {"method": "PUT"}}, 'api_profile.create.method: "PUT"', "POST"),
        ({"authorization": {"scheme": "Api Key"}}, 'api_profile.authorization.scheme: "Api Key"', "before the key"),
        ({"values": {"expense_types": {"Fuel Card": "x"}}}, "api_profile.values.expense_types.Fuel Card", "lower-case"),
        ({"values": {"expense_types": {"purchase": None}}}, "api_profile.items.categories.new_applies_to", "exists on this server"),
    ],
)  # fmt: skip
def test_a_wrong_overlay_is_refused_with_the_path_and_what_would_be_right(
    overlay: object, path: str, hint: str
) -> None:
    message = problem(overlay)
    assert path in message
    assert hint in message


def test_all_problems_are_told_at_once() -> None:
    message = problem({"update": {"method": "POST"}, "list": {"envelop": "data"}})
    assert "api_profile.update.method" in message
    assert "api_profile.list.envelop" in message


def test_the_schema_describes_every_key_and_refuses_unknown_ones() -> None:
    schema = json.loads(
        files("target_expensein.api").joinpath("profile.schema.json").read_text(encoding="utf-8")
    )

    def look(node: object, path: str) -> None:
        if isinstance(node, dict):
            if "$ref" not in node and path.endswith("/*"):
                assert node.get("description"), path
            if "properties" in node:
                assert node["additionalProperties"] is False, path
            for key, inner in node.items():
                for name, deeper in inner.items() if key in {"properties", "$defs"} else ():
                    look(deeper, f"{path}/{name}/*")
                if key in {"items", "additionalProperties"}:
                    look(inner, f"{path}/{key}/*")

    look(schema, "")

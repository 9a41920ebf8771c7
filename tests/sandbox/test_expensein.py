"""The ExpenseIn side, over HTTP: each rule of the assumed contract as a client meets it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import requests
import simplejson
from sandbox.expensein.fields import APPLIES_TO, COLLECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Api
    from sandbox.testing import Sandbox

WRITABLE = ["categories", "projects", "departments", "taxrates", "suppliers"]


def new(collection: str, **fields: object) -> dict[str, Any]:
    return {"name": "Travel", **({"rate": 20} if collection == "taxrates" else {}), **fields}


def refusal(response: requests.Response) -> tuple[int, str]:
    body = response.json()
    assert set(body) == {"code", "message", "errors"}
    assert body["message"]
    return response.status_code, body["code"]


# The whole life of an object


@pytest.mark.parametrize("collection", WRITABLE)
def test_an_object_is_made_read_listed_and_replaced(api: Api, collection: str) -> None:
    made = api.post(collection, json=new(collection, reference="0100"))
    assert made.status_code == 201
    location = made.headers["Location"]
    assert location == f"/1.0/{collection}/{made.json()['id']}"
    assert api.get(location).json() == made.json()
    assert api.get(collection).json() == [made.json()]

    changed = api.put(location, json=made.json() | {"name": "Journeys"})
    assert changed.status_code == 200
    assert changed.json() == made.json() | {"name": "Journeys"}
    assert api.get(location).json() == changed.json()


@pytest.mark.parametrize("collection", WRITABLE)
def test_an_object_has_the_declared_fields_and_creation_defaults(api: Api, collection: str) -> None:
    made = api.post(collection, json=new(collection)).json()
    assert list(made) == ["id", *(field.name for field in COLLECTIONS[collection].fields)]
    expected = {
        "isActive": True,
        "isReportable": True,
        "visibility": "everyone",
        "appliesTo": [],
        "reference": None,
    }
    assert {name: made[name] for name in expected if name in made} == {
        name: value for name, value in expected.items() if name in made
    }


def test_put_loses_every_optional_field_that_is_left_out(api: Api) -> None:
    full = {
        "categories": {
            "reference": "1",
            "description": "d",
            "appliesTo": ["purchase"],
            "defaultTaxRateId": "t",
            "fixedAmount": 12.5,
            "carbonCategory": "c",
            "isReportable": True,
            "requiresReceipt": True,
            "requiresAttendees": True,
            "visibility": "everyone",
        },
        "suppliers": {
            "reference": "1",
            "isActive": True,
            "email": "a@b.example",
            "paymentMethod": "bacs",
            "paymentTerms": "30 days",
            "vatNumber": "GB1",
            "invoicePolicy": "p",
            "approvalFlowId": "f",
            "iban": "i",
            "sortCode": "s",
            "accountNumber": "n",
        },
    }
    for collection, fields in full.items():
        made = api.post(collection, json={"name": "Full", **fields}).json()
        assert {name: made[name] for name in fields} == fields
        lost = api.put(f"{collection}/{made['id']}", json={"name": "Full"}).json()
        assert lost.pop("name") == "Full"
        assert lost.pop("id") == made["id"]
        assert set(lost) == set(fields)
        assert not any(lost.values())


def test_fields_beyond_the_contract_are_kept_when_sent_back_and_lost_when_not(box: Sandbox, api: Api) -> None:
    made = box.add_live("projects", name="Bridge", costCentreOwner="Ann")
    path = f"projects/{made['id']}"
    read = api.get(path).json()
    assert read["costCentreOwner"] == "Ann"
    assert api.put(path, json=read | {"name": "New bridge"}).json()["costCentreOwner"] == "Ann"
    del read["costCentreOwner"]
    assert "costCentreOwner" not in api.put(path, json=read).json()


def test_patch_changes_only_what_it_names(box: Sandbox, api: Api) -> None:
    made = api.post("suppliers", json=new("suppliers", email="a@b.example", isActive=False)).json()
    path = f"suppliers/{made['id']}"
    refused = api.patch(path, json={"isActive": True})
    assert refusal(refused) == (405, "method_not_allowed")
    assert refused.headers["Allow"] == "GET, PUT"
    box.configure(expensein={"patch": True})
    assert api.patch(path, json={"isActive": True}).json() == made | {"isActive": True}
    assert refusal(api.patch(path, json={"name": " "})) == (422, "validation_failed")


# Who may


@pytest.mark.parametrize("header", [None, "", "ApiKey", "ApiKey wrong", "Bearer {key}", "{key}"])
def test_without_the_right_key_everything_is_refused(box: Sandbox, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.format(key=box.api_key)}
    for path in ("users", "categories", "categories/1", "nowhere"):
        answer = requests.get(box.expensein_url + path, headers=headers, timeout=10)
        assert refusal(answer) == (401, "unauthorized")
        assert box.api_key not in answer.text


def test_a_regenerated_key_replaces_the_old_one(box: Sandbox, api: Api) -> None:
    old = box.api_key
    box.configure(expensein={"refresh_key": True})
    assert box.api_key != old
    assert refusal(api.get("users")) == (401, "unauthorized")
    assert api.get("users", headers={"Authorization": f"ApiKey {box.api_key}"}).status_code == 200


@pytest.mark.parametrize("collection", WRITABLE)
def test_writing_needs_the_permission_and_the_refusal_names_it(
    box: Sandbox, api: Api, collection: str
) -> None:
    needed = "finance_user" if collection == "suppliers" else "account_administrator"
    made = api.post(collection, json=new(collection)).json()
    box.configure(
        expensein={"permissions": [p for p in ("account_administrator", "finance_user") if p != needed]}
    )
    for answer in (
        api.post(collection, json=new(collection)),
        api.put(f"{collection}/{made['id']}", json=made),
    ):
        assert refusal(answer) == (403, "permission_denied")
        assert needed in answer.json()["message"]
    assert api.get(collection).status_code == (403 if collection == "suppliers" else 200)
    box.configure(expensein={"permissions": [needed]})
    assert api.put(f"{collection}/{made['id']}", json=made).status_code == 200


def test_an_address_that_is_not_allowed_is_refused(box: Sandbox, api: Api) -> None:
    box.configure(expensein={"allowed": False})
    answer = api.get("categories")
    assert refusal(answer) == (403, "ip_not_allowed")
    assert "127.0.0.1" in answer.json()["message"]


def test_without_the_invoicing_module_there_are_no_suppliers_but_everything_else(
    box: Sandbox, api: Api
) -> None:
    made = api.post("suppliers", json=new("suppliers")).json()
    box.configure(expensein={"invoicing": False})
    for answer in (
        api.get("suppliers"),
        api.get(f"suppliers/{made['id']}"),
        api.post("suppliers", json=new("suppliers")),
        api.put(f"suppliers/{made['id']}", json=made),
    ):
        assert refusal(answer) == (403, "module_not_enabled")
        assert "The Invoicing module is not enabled" in answer.json()["message"]
    assert api.get("projects").status_code == 200


def test_users_can_be_listed_but_not_written(box: Sandbox, api: Api) -> None:
    user = box.add_live("users", email="ann@acme.example")
    assert api.get("users").json() == [user]
    answer = api.post("users", json={})
    assert refusal(answer) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET"


# Refusals


def test_what_does_not_exist_is_not_found(box: Sandbox, api: Api) -> None:
    for path in ("nowhere", "categories/", "categories/1/2", "categories/1", "/2.0/categories", "/"):
        assert refusal(api.get(path)) == (404, "not_found"), path
    assert refusal(api.put("categories/1", json=new("categories"))) == (404, "not_found")
    box.configure(expensein={"missing_collections": ["departments"]})
    assert refusal(api.get("departments")) == (404, "not_found")
    assert api.get("projects").status_code == 200


@pytest.mark.parametrize("collection", WRITABLE)
def test_nothing_can_be_deleted(box: Sandbox, api: Api, collection: str) -> None:
    made = api.post(collection, json=new(collection)).json()
    answer = api.delete(f"{collection}/{made['id']}")
    assert refusal(answer) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, PUT"
    assert refusal(api.delete(collection)) == (405, "method_not_allowed")
    assert box.live(collection) == [made]


@pytest.mark.parametrize("collection", WRITABLE)
def test_unknown_fields_are_refused_and_named(box: Sandbox, api: Api, collection: str) -> None:
    answer = api.post(collection, json=new(collection, colour="red"))
    assert refusal(answer) == (400, "unknown_field")
    assert list(answer.json()["errors"]) == ["colour"]
    made = api.post(collection, json=new(collection)).json()
    assert refusal(api.put(f"{collection}/{made['id']}", json=made | {"colour": "red"})) == (
        400,
        "unknown_field",
    )
    assert box.live(collection) == [made]


def test_the_id_is_the_servers(api: Api) -> None:
    assert refusal(api.post("projects", json=new("projects", id="mine"))) == (400, "unknown_field")
    made = api.post("projects", json=new("projects")).json()
    answer = api.put(f"projects/{made['id']}", json=made | {"id": "other"})
    assert refusal(answer) == (422, "validation_failed")
    assert list(answer.json()["errors"]) == ["id"]


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', '{"name": NaN}', b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(api: Api, body: str | bytes) -> None:
    answer = api.post("projects", data=body, headers={"Content-Type": "application/json"})
    assert refusal(answer) == (400, "malformed_request")


def test_a_body_of_another_type_is_refused(box: Sandbox, api: Api) -> None:
    answer = api.post("projects", data='{"name": "x"}', headers={"Content-Type": "text/plain"})
    assert refusal(answer) == (415, "unsupported_media_type")
    assert box.live("projects") == []


@pytest.mark.parametrize(
    ("collection", "fields", "wrong"),
    [
        ("categories", {"name": None}, "name"),
        ("categories", {"name": ""}, "name"),
        ("categories", {"name": " \t"}, "name"),
        ("categories", {"name": 5}, "name"),
        ("categories", {"name": "x" * 256}, "name"),
        ("categories", {"reference": 100}, "reference"),
        ("categories", {"appliesTo": "purchase"}, "appliesTo"),
        ("categories", {"appliesTo": ["flights"]}, "appliesTo"),
        ("categories", {"appliesTo": ["time", "time"]}, "appliesTo"),
        ("categories", {"appliesTo": None}, "appliesTo"),
        ("categories", {"fixedAmount": "12"}, "fixedAmount"),
        ("categories", {"requiresReceipt": None}, "requiresReceipt"),
        ("categories", {"defaultTaxRateId": []}, "defaultTaxRateId"),
        ("projects", {"isActive": "true"}, "isActive"),
        ("suppliers", {"isActive": 1}, "isActive"),
        ("suppliers", {"email": {}}, "email"),
        ("taxrates", {"rate": None}, "rate"),
        ("taxrates", {"rate": "20"}, "rate"),
        ("taxrates", {"rate": True}, "rate"),
        ("taxrates", {"rate": -1}, "rate"),
        ("taxrates", {"rate": 100.01}, "rate"),
    ],
)
def test_wrong_values_are_refused_field_by_field(
    box: Sandbox, api: Api, collection: str, fields: dict[str, Any], wrong: str
) -> None:
    answer = api.post(collection, json=new(collection, **fields))
    assert refusal(answer) == (422, "validation_failed")
    assert list(answer.json()["errors"]) == [wrong]
    assert box.live(collection) == []
    made = box.add_live(collection, **new(collection))
    answer = api.put(f"{collection}/{made['id']}", json=made | fields)
    assert refusal(answer) == (422, "validation_failed")
    assert box.live(collection) == [made]


def test_all_wrong_fields_are_named_at_once(api: Api) -> None:
    answer = api.post("taxrates", json={"visibility": 7})
    assert set(answer.json()["errors"]) == {"name", "rate", "visibility"}


def test_the_longest_name_fits_and_can_be_set(box: Sandbox, api: Api) -> None:
    assert api.post("projects", json={"name": "é" * 255}).status_code == 201
    box.configure(expensein={"max_name_length": 10})
    assert api.post("projects", json={"name": "é" * 10}).status_code == 201
    answer = api.post("projects", json={"name": "é" * 11})
    assert refusal(answer) == (422, "validation_failed")
    assert "at most 10 characters" in answer.json()["message"]


def test_names_and_references_are_kept_character_by_character(api: Api) -> None:
    odd = {"name": " Müller & <Söhne> 💶 ", "reference": " 0012a "}
    made = api.post("suppliers", json=odd).json()
    assert {name: made[name] for name in odd} == odd


# Tax rates


def test_a_rate_keeps_its_digits(box: Sandbox, api: Api) -> None:
    answer = api.post(
        "taxrates", data='{"name": "S", "rate": 13.500}', headers={"Content-Type": "application/json"}
    )
    assert '"rate":13.500' in answer.text
    assert '"rate":13.500' in api.get("taxrates").text
    assert box.live("taxrates")[0]["rate"] == Decimal("13.500")


def test_a_rate_cannot_be_changed_or_left_out_but_sent_back(box: Sandbox, api: Api) -> None:
    made = box.add_live("taxrates", name="Standard", rate=Decimal("20.0"))
    path = f"taxrates/{made['id']}"
    answer = api.put(path, json={"name": "Standard", "rate": 21})
    assert refusal(answer) == (422, "validation_failed")
    assert list(answer.json()["errors"]) == ["rate"]
    assert refusal(api.put(path, json={"name": "Standard"})) == (422, "validation_failed")
    assert api.put(path, json={"name": "Normal", "rate": 20}).status_code == 200
    assert '"rate":20.0,' in api.get(path).text
    box.configure(expensein={"patch": True})
    assert refusal(api.patch(path, json={"rate": 21})) == (422, "validation_failed")
    assert api.patch(path, json={"name": "Usual"}).json()["name"] == "Usual"


# Uniqueness


@pytest.mark.parametrize("field", ["name", "reference"])
def test_uniqueness_is_kept_only_where_it_is_configured(box: Sandbox, api: Api, field: str) -> None:
    first = api.post("projects", json={"name": "First", "reference": "R1"}).json()
    twin = {"name": "Other", "reference": "R2"} | {field: first[field]}
    assert api.post("projects", json=twin).status_code == 201
    box.reset("empty")
    box.configure(expensein={f"unique_{field}s": True})
    first = api.post("projects", json={"name": "First", "reference": "R1"}).json()
    second = api.post("projects", json={"name": "Other", "reference": "R2"}).json()
    for answer in (
        api.post("projects", json=twin),
        api.put(f"projects/{second['id']}", json=second | {field: first[field]}),
    ):
        assert refusal(answer) == (409, f"duplicate_{field}")
    assert api.put(f"projects/{first['id']}", json=first).status_code == 200
    assert api.post("departments", json=twin).status_code == 201
    assert box.live("projects") == [first, second]


def test_unique_names_ignore_case_and_objects_without_reference_do_not_clash(box: Sandbox, api: Api) -> None:
    box.configure(expensein={"unique_names": True, "unique_references": True})
    assert api.post("projects", json={"name": "Bridge"}).status_code == 201
    assert refusal(api.post("projects", json={"name": "BRIDGE"})) == (409, "duplicate_name")
    assert api.post("projects", json={"name": "Tunnel"}).status_code == 201


# ETags


def test_with_etags_a_stale_if_match_is_refused(box: Sandbox, api: Api) -> None:
    made = api.post("departments", json=new("departments"))
    assert "ETag" not in made.headers
    path = made.headers["Location"]
    assert api.put(path, json=made.json(), headers={"If-Match": '"nonsense"'}).status_code == 200

    box.configure(expensein={"etag": True})
    tag = api.get(path).headers["ETag"]
    changed = api.put(path, json=made.json() | {"name": "Sales"}, headers={"If-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag
    stale = api.put(path, json=made.json() | {"name": "Lost update"}, headers={"If-Match": tag})
    assert refusal(stale) == (412, "precondition_failed")
    assert api.get(path).json()["name"] == "Sales"
    assert api.put(path, json=made.json(), headers={"If-Match": "*"}).status_code == 200
    assert api.put(path, json=made.json()).status_code == 200


def test_a_hand_edit_makes_an_etag_stale(box: Sandbox, api: Api) -> None:
    box.configure(expensein={"etag": True})
    made = api.post("departments", json=new("departments"))
    box.edit_live("departments", made.json()["id"], visibility="nobody")
    stale = api.put(made.headers["Location"], json=made.json(), headers={"If-Match": made.headers["ETag"]})
    assert refusal(stale) == (412, "precondition_failed")


def test_a_precondition_does_not_count_where_the_answer_is_no_anyway(box: Sandbox, api: Api) -> None:
    """As RFC 9110 has it: a client must not take a wrong body for a stale one and read again for ever."""
    box.configure(expensein={"etag": True})
    path, stale = api.post("departments", json=new("departments")).headers["Location"], {"If-Match": '"old"'}
    assert refusal(api.put(path, json={}, headers=stale)) == (422, "validation_failed")
    assert refusal(api.put(path, json={"nothing": 1}, headers=stale)) == (400, "unknown_field")
    assert refusal(api.put(path, json=new("departments"), headers=stale)) == (412, "precondition_failed")


# Lists


def walk_pages(api: Api) -> list[dict[str, Any]]:
    """As a client of the style ``page``: until a page is short."""
    found, number = [], 1
    while page := api.get("projects", params={"page": number, "pageSize": 10}).json():
        found += page
        number += 1
    return found


def walk_offsets(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while page := api.get("projects", params={"offset": len(found), "limit": 10}).json():
        found += page
    return found


def walk_links(api: Api) -> list[dict[str, Any]]:
    answer = api.get("projects")
    found = answer.json()
    while "next" in answer.links:
        answer = api.get(answer.links["next"]["url"])
        found += answer.json()
    return found


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 14, 23])
@pytest.mark.parametrize(
    ("style", "walk"), [("page", walk_pages), ("offset", walk_offsets), ("link", walk_links)]
)
def test_each_paging_style_walks_to_exactly_all_objects(
    box: Sandbox,
    api: Api,
    style: str,
    walk: Callable[[Api], list[dict[str, Any]]],
    count: int,
) -> None:
    for number in range(count):
        box.add_live("projects", name=f"Project {number}")
        box.add_live("departments", name="In between")
    box.configure(expensein={"paging": style, "page_size": 7})
    assert walk(api) == box.live("projects")
    assert max((len(page) for page in [api.get("projects").json()]), default=0) <= 7


def test_without_paging_a_list_is_whole_whatever_is_asked(box: Sandbox, api: Api) -> None:
    for number in range(120):
        box.add_live("projects", name=f"Project {number}")
    assert len(api.get("projects", params={"page": 2, "limit": 3, "offset": 5}).json()) == 120


def test_a_smaller_page_can_be_asked_for_and_a_larger_one_is_cut(box: Sandbox, api: Api) -> None:
    for number in range(9):
        box.add_live("projects", name=f"Project {number}")
    box.configure(expensein={"paging": "page", "page_size": 5})
    names = [one["name"] for one in api.get("projects", params={"page": 2, "pageSize": 2}).json()]
    assert names == ["Project 2", "Project 3"]
    assert len(api.get("projects", params={"pageSize": 100}).json()) == 5
    box.configure(expensein={"paging": "offset"})
    assert len(api.get("projects", params={"limit": 100}).json()) == 5
    assert [one["name"] for one in api.get("projects", params={"offset": 8, "limit": 2}).json()] == [
        "Project 8"
    ]


@pytest.mark.parametrize(
    ("style", "query"),
    [
        ("page", {"page": "0"}),
        ("page", {"pageSize": "x"}),
        ("offset", {"offset": "-1"}),
        ("link", {"cursor": "²"}),
    ],
)
def test_a_wrong_page_is_refused(box: Sandbox, api: Api, style: str, query: dict[str, str]) -> None:
    box.configure(expensein={"paging": style})
    assert refusal(api.get("projects", params=query)) == (400, "malformed_request")


def test_an_envelope_holds_the_list_and_the_link_to_the_next_page(box: Sandbox, api: Api) -> None:
    for number in range(3):
        box.add_live("projects", name=f"Project {number}")
    box.configure(expensein={"envelope": "data"})
    assert api.get("projects").json() == {"data": box.live("projects")}
    box.configure(expensein={"paging": "link", "page_size": 2})
    first = api.get("projects").json()
    second = api.get(first["next"]).json()
    assert first["data"] + second["data"] == box.live("projects")
    assert second["next"] is None
    assert "Link" not in api.get("projects").headers


def test_ids_can_be_numbers(box: Sandbox, api: Api) -> None:
    box.configure(expensein={"id_type": "number"})
    made = api.post("projects", json=new("projects"))
    identifier = made.json()["id"]
    assert isinstance(identifier, int)
    assert made.headers["Location"] == f"/1.0/projects/{identifier}"
    assert api.put(f"projects/{identifier}", json=made.json() | {"name": "New"}).json()["id"] == identifier
    assert [one["id"] for one in api.get("projects").json()] == [identifier]
    assert box.edit_live("projects", identifier, name="Newer")["name"] == "Newer"
    assert refusal(api.get("projects/x")) == (404, "not_found")
    box.configure(expensein={"id_type": "string"})
    assert isinstance(api.get("projects").json()[0]["id"], str)


def test_a_new_object_shows_in_lists_only_after_the_delay_but_by_id_at_once(box: Sandbox, api: Api) -> None:
    box.configure(expensein={"list_delay": 3600})
    made = api.post("projects", json=new("projects"))
    assert api.get("projects").json() == []
    assert api.get(made.headers["Location"]).json() == made.json()
    box.configure(expensein={"list_delay": 0})
    assert api.get("projects").json() == [made.json()]


def test_above_the_rate_limit_the_answer_says_when_to_come_back(box: Sandbox, api: Api) -> None:
    box.configure(expensein={"rate_limit": 0.01})
    assert api.get("users").status_code == 200
    answer = api.get("users")
    assert refusal(answer) == (429, "too_many_requests")
    assert 90 <= int(answer.headers["Retry-After"]) <= 100
    box.configure(expensein={"rate_limit": None})
    assert api.get("users").status_code == 200


# OpenAPI


def test_the_openapi_document_has_the_structure_of_one(api: Api) -> None:
    document = requests.get(api.get("openapi.json").url, timeout=10).json()  # it needs no key
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": api.get("openapi.json").url.removesuffix("/openapi.json")}]
    operations = [
        operation
        for path in document["paths"].values()
        for verb, operation in path.items()
        if verb in ("get", "post", "put", "patch")
    ]
    assert len(operations) == 5 * 4 + 2
    for operation in operations:
        assert operation["summary"]
        assert {"401", "403", "404", "429"} <= set(operation["responses"])
    text = simplejson.dumps(document)
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    references = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert references == set(document["components"]["schemas"])


@pytest.mark.parametrize("collection", WRITABLE)
def test_the_openapi_document_is_true(box: Sandbox, api: Api, collection: str) -> None:
    box.configure(expensein={"patch": True})
    document = api.get("openapi.json").json()

    def schema(reference: dict[str, Any]) -> jsonschema.Draft202012Validator:
        return jsonschema.Draft202012Validator(reference | {"components": document["components"]})

    listing, one = document["paths"][f"/{collection}"], document["paths"][f"/{collection}/{{id}}"]
    made = api.post(collection, json=new(collection, reference="1")).json()
    schema(listing["post"]["responses"]["201"]["content"]["application/json"]["schema"]).validate(made)
    schema(listing["get"]["responses"]["200"]["content"]["application/json"]["schema"]).validate(
        api.get(collection).json()
    )
    schema(one["put"]["requestBody"]["content"]["application/json"]["schema"]).validate(made)
    error = listing["post"]["responses"]["422"]["content"]["application/json"]["schema"]
    schema(error).validate(api.post(collection, json={}).json())

    # What the document says about a body, the server says too.
    create = schema(listing["post"]["requestBody"]["content"]["application/json"]["schema"])
    candidates: list[dict[str, Any]] = [
        {},
        new(collection),
        new(collection, name=" "),
        new(collection, name="x" * 256),
        new(collection, nothing=1),
        new(collection, id="1"),
    ]
    for field in COLLECTIONS[collection].fields:
        candidates += [
            new(collection, **{field.name: value})
            for value in (None, 5, "text", "x" * 4001, True, [], list(APPLIES_TO), ["nonsense"], {})
        ]
    for body in candidates:
        accepted = api.post(collection, json=body).status_code == 201
        assert accepted == create.is_valid(body), body

    # Defaults: of creation, and of replacement.
    schemas = document["components"]["schemas"]
    singular = COLLECTIONS[collection].singular
    for name, declared in schemas[f"{singular}Create"]["properties"].items():
        if "default" in declared:
            assert api.post(collection, json=new(collection)).json()[name] == declared["default"]
    emptied = api.put(f"{collection}/{made['id']}", json=new(collection)).json()
    for name, declared in schemas[f"{singular}Replace"]["properties"].items():
        if "default" in declared:
            assert emptied[name] == declared["default"]


def test_the_openapi_document_follows_the_settings(box: Sandbox, api: Api) -> None:
    def document() -> dict[str, Any]:
        found: dict[str, Any] = api.get("openapi.json").json()
        return found

    assert "patch" not in document()["paths"]["/projects/{id}"]
    box.configure(
        expensein={
            "patch": True,
            "id_type": "number",
            "envelope": "items",
            "paging": "offset",
            "etag": True,
            "missing_collections": ["suppliers"],
        }
    )
    paths = document()["paths"]
    assert "/suppliers" not in paths
    assert "patch" in paths["/projects/{id}"]
    assert paths["/projects/{id}"]["put"]["parameters"][0]["name"] == "If-Match"
    assert paths["/projects/{id}"]["parameters"][0]["schema"] == {"type": "integer"}
    assert [parameter["name"] for parameter in paths["/projects"]["get"]["parameters"]] == ["offset", "limit"]
    listed = paths["/projects"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert list(listed["properties"]) == ["items"]


# The log


def test_requests_are_logged_with_their_bodies_and_without_the_key(box: Sandbox, api: Api) -> None:
    made = api.post("projects", json=new("projects", reference="P1")).json()
    api.get("projects", params={"page": 1})
    api.get(f"projects/{made['id']}")
    api.put(f"projects/{made['id']}", json={"name": ""})
    api.get("users")
    log = box.requests("expensein")
    assert [(entry["method"], entry["operation"], entry["status"]) for entry in log] == [
        ("POST", "POST projects", 201),
        ("GET", "GET projects", 200),
        ("GET", "GET projects/{id}", 200),
        ("PUT", "PUT projects", 422),
        ("GET", "GET users", 200),
    ]
    assert log[0]["body"] == new("projects", reference="P1")
    assert log[0]["path"] == "/1.0/projects"
    assert log[1]["query"] == {"page": "1"}
    assert log[0]["time"] <= log[1]["time"]
    assert box.api_key not in str(log)
    assert box.counters()["expensein"] == {
        "POST projects": 1,
        "GET projects": 1,
        "GET projects/{id}": 1,
        "PUT projects": 1,
        "GET users": 1,
    }
    box.clear_requests()
    assert box.requests() == []
    assert box.counters() == {"accountsiq": {}, "expensein": {}}

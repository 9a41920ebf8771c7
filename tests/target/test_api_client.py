"""The client against the sandbox: lists, whole-object updates, refusals, and every fault on the way."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from sandbox.testing import Sandbox
from target_expensein.api.client import ExpenseInClient
from target_expensein.api.errors import (
    ApiError,
    BadAnswer,
    ChangedMeanwhile,
    CollectionMissing,
    ConfigurationError,
    ContractMismatch,
    Forbidden,
    ModuleMissing,
    NotFound,
    NotOffered,
    OutcomeUnknown,
    RedirectRefused,
    Refused,
    Scope,
    ServerFailed,
    Throttled,
    Unauthorized,
    Unreachable,
)
from target_expensein.api.profile import load_profile
from target_expensein.api.retry import RetryPolicy

from .conftest import OpenClient

COLLECTIONS = {
    "categories": "categories",
    "projects": "projects",
    "departments": "departments",
    "tax_rates": "taxrates",
    "suppliers": "suppliers",
}
# A hand-made value for every field of every collection that the sync does not own on an update.
BY_HAND: dict[str, dict[str, Any]] = {
    "categories": {
        "description": "Taxi & train, “only” abroad",
        "appliesTo": ["fuelCard", "invoice"],
        "visibility": "managers",
        "defaultTaxRateId": "t-1",
        "fixedAmount": Decimal("12.50"),
        "carbonCategory": "rail",
        "isReportable": False,
        "requiresReceipt": True,
        "requiresAttendees": True,
    },
    "projects": {
        "description": "Bridge",
        "isActive": False,
        "isBillable": True,
        "appliesTo": ["time"],
        "approvalFlowId": "a-1",
        "visibility": "managers",
    },
    "departments": {"approvalFlowId": "a-2", "visibility": "managers"},
    "tax_rates": {"rate": Decimal("13.50"), "visibility": "managers"},
    "suppliers": {
        "isActive": False,
        "email": "ap@example.org",
        "paymentMethod": "cheque",
        "paymentTerms": "60 days",
        "vatNumber": "IE1234567T",
        "invoicePolicy": "strict",
        "approvalFlowId": "a-3",
        "iban": "IE29AIBK93115212345678",
        "sortCode": "931152",
        "accountNumber": "12345678",
    },
}

Connect = Callable[..., ExpenseInClient]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed="empty") as running:
        yield running


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    sandbox.reset("empty")
    defaults: dict[str, Any] = {
        "etag": False, "paging": "none", "page_size": 100, "envelope": None, "unique_references": False, "invoicing": True,
        "patch": False, "id_type": "string", "allowed": True, "missing_collections": [],
        "permissions": ["account_administrator", "finance_user"],
    }  # fmt: skip
    sandbox.configure(expensein=defaults)
    sandbox.clear_faults()
    sandbox.clear_requests()
    return sandbox


@pytest.fixture
def slept() -> list[float]:
    """Seconds that the client waited, without waiting."""
    return []


@pytest.fixture
def connect(box: Sandbox, slept: list[float], open_client: OpenClient) -> Connect:
    def make(overlay: dict[str, Any] | None = None, **changed: Any) -> ExpenseInClient:
        settings: dict[str, Any] = {
            "url": box.expensein_url,
            "key": box.api_key,
            "concurrency": 4,
            "timeout": 5,
            "sleep": slept.append,
        }
        return open_client(overlay=overlay, **(settings | changed))

    return make


@pytest.fixture
def client(connect: Connect) -> ExpenseInClient:
    return connect()


def fault(box: Sandbox, kind: str, *, method: str = "*", times: int | None = 1, **details: object) -> None:
    rule = {
        "side": "expensein",
        "match": {"method": method},
        "times": times,
        "fault": {"type": kind, **details},
    }
    box.faults([rule])


def asked(box: Sandbox) -> list[str]:
    return [f"{request['method']} {request['path']}" for request in box.requests("expensein")]


# Lists


@pytest.mark.parametrize("envelope", [None, "data"])
@pytest.mark.parametrize("style", ["none", "page", "offset", "link"])
@pytest.mark.parametrize("count", [0, 1, 6, 7])
def test_a_list_is_read_to_its_end_in_every_style(
    box: Sandbox, connect: Connect, style: str, envelope: str | None, count: int
) -> None:
    box.configure(expensein={"paging": style, "page_size": 3, "envelope": envelope})
    for number in range(count):
        box.add_live("projects", name=f"P {number}", reference=f"00{number}")
    client = connect({"list": {"envelope": envelope, "paging": {"style": style}}})
    assert [record.reference for record in client.list("projects")] == [
        f"00{number}" for number in range(count)
    ]


def test_number_ids_work_throughout(box: Sandbox, connect: Connect) -> None:
    box.configure(expensein={"id_type": "number", "paging": "page", "page_size": 1})
    client = connect({"list": {"paging": {"style": "page"}}})
    created = client.create("departments", {"name": "Sales", "reference": "010"})
    assert isinstance(created["id"], int)
    assert [record.id for record in client.list("departments")] == [created["id"]]
    assert (
        client.update("departments", created["id"], {"name": "Sales 2"}, expect={"reference": "010"})["name"]
        == "Sales 2"
    )


def test_a_server_that_gives_links_is_not_taken_for_one_that_gives_everything(
    box: Sandbox, client: ExpenseInClient
) -> None:
    box.configure(expensein={"paging": "link", "page_size": 2})
    for number in range(5):
        box.add_live("projects", name=f"P {number}")
    with pytest.raises(BadAnswer, match=r"next page.*api_profile\.list\.paging\.style"):
        list(client.list("projects"))


def test_a_list_in_an_envelope_names_the_key_of_the_profile(box: Sandbox, client: ExpenseInClient) -> None:
    box.configure(expensein={"envelope": "data"})
    with pytest.raises(BadAnswer, match=r"an object with the members data.*api_profile\.list\.envelope"):
        list(client.list("projects"))


def test_a_missing_envelope_names_the_key_of_the_profile(connect: Connect) -> None:
    with pytest.raises(BadAnswer, match=r"no member 'data' in an array of 0.*api_profile\.list\.envelope"):
        list(connect({"list": {"envelope": "data"}}).list("projects"))


def test_a_misspelt_field_name_is_noticed_before_it_makes_twins(box: Sandbox, connect: Connect) -> None:
    box.add_live("projects", name="Bridge", reference="B1")
    client = connect({"items": {"projects": {"fields": {"reference": "code"}}}})
    with pytest.raises(
        BadAnswer,
        match=r"no member 'code'; it has .*reference.*api_profile\.items\.projects\.fields\.reference",
    ):
        list(client.list("projects"))


def test_a_field_of_the_wrong_type_is_noticed(box: Sandbox, connect: Connect) -> None:
    box.add_live("suppliers", name="Ace", reference="A")
    client = connect({"items": {"suppliers": {"fields": {"is_active": "email", "reference": "isActive"}}}})
    with pytest.raises(
        BadAnswer, match=r"'isActive' is true or false, expected a text or null.*fields\.reference"
    ):
        list(client.list("suppliers"))


def test_a_list_gives_the_logical_fields_exactly(box: Sandbox, client: ExpenseInClient) -> None:
    box.add_live("taxrates", name="Reduced", reference="R", rate=Decimal("13.50"))
    box.add_live("taxrates", name="Zero", reference=None, rate=0)
    assert [(one.name, one.reference, one.rate) for one in client.list("tax_rates")] == [
        ("Reduced", "R", Decimal("13.5")),
        ("Zero", None, Decimal(0)),
    ]


# Creates


def test_a_create_sends_the_fields_under_the_servers_names(box: Sandbox, client: ExpenseInClient) -> None:
    created = client.create(
        "categories", {"name": "Travel & Co - é", "reference": "0100", "applies_to": ["purchase"]}
    )
    (live,) = box.live("categories")
    assert (live["name"], live["reference"], live["appliesTo"]) == ("Travel & Co - é", "0100", ["purchase"])
    assert created["id"] == live["id"]


def test_r21_a_rate_arrives_exactly(box: Sandbox, client: ExpenseInClient) -> None:
    client.create("tax_rates", {"name": "Reduced", "reference": "R", "rate": Decimal("13.50")})
    assert str(box.live("taxrates")[0]["rate"]) == "13.50"


@pytest.mark.parametrize("field", ["iban", "sortCode", "id", "visibility", "fixedAmount"])
def test_r9_no_other_field_can_be_written_by_any_way(
    box: Sandbox, client: ExpenseInClient, field: str
) -> None:
    live = box.add_live("suppliers", name="Ace", reference="A")
    with pytest.raises(ValueError, match="not a field that the sync may write"):
        client.create("suppliers", {"name": "B", "reference": "B", field: "x"})
    with pytest.raises(ValueError, match="not a field that the sync may write"):
        client.update("suppliers", live["id"], {field: "x"}, expect={})
    assert asked(box) == []


@pytest.mark.parametrize("value", [Decimal("NaN"), 0.1, 20, True, "20"])
def test_a_rate_that_is_not_an_exact_decimal_is_never_sent(
    box: Sandbox,
    client: ExpenseInClient,
    value: Any,
) -> None:
    with pytest.raises(ValueError, match="not a value for rate"):
        client.create("tax_rates", {"name": "X", "reference": "X", "rate": value})
    assert asked(box) == []


def test_a_field_that_the_server_does_not_have_is_named(client: ExpenseInClient) -> None:
    with pytest.raises(NotOffered, match=r"api_profile\.items\.departments\.fields\.is_active is null"):
        client.create("departments", {"name": "X", "reference": "X", "is_active": True})


# Updates


@pytest.mark.parametrize("etag", [False, True])
@pytest.mark.parametrize("item", COLLECTIONS)
def test_r9_put_keeps_every_field_that_is_not_ours(
    box: Sandbox, client: ExpenseInClient, item: str, *, etag: bool
) -> None:
    box.configure(expensein={"etag": etag})
    live = box.add_live(COLLECTIONS[item], name="Old", reference="007", **BY_HAND[item])
    assert set(live) == {"id", "name", "reference", *BY_HAND[item]}, (
        "a field of the collection is missing in BY_HAND"
    )
    client.update(item, live["id"], {"name": "New"}, expect={"reference": "007"})
    (after,) = box.live(COLLECTIONS[item])
    assert after == live | {"name": "New"}
    assert {key: str(value) for key, value in after.items()} == {
        key: str(value) for key, value in (live | {"name": "New"}).items()
    }
    put = box.requests("expensein")[-1]
    assert put["method"] == "PUT"
    assert set(put["body"]) == set(live)
    assert ("if-match" in put["headers"]) is etag


@pytest.mark.parametrize("item", COLLECTIONS)
def test_patch_sends_only_what_changes_and_keeps_the_rest(box: Sandbox, connect: Connect, item: str) -> None:
    box.configure(expensein={"patch": True})
    live = box.add_live(COLLECTIONS[item], name="Old", reference="007", **BY_HAND[item])
    client = connect({"update": {"method": "PATCH"}})
    client.update(item, live["id"], {"name": "New", "reference": "007"}, expect={"reference": "007"})
    assert box.live(COLLECTIONS[item]) == [live | {"name": "New"}]
    assert box.requests("expensein")[-1]["body"] == {"name": "New"}


def test_a_record_that_has_the_wanted_values_is_not_written(box: Sandbox, client: ExpenseInClient) -> None:
    live = box.add_live("suppliers", name="Ace", reference="A", isActive=True)
    assert (
        client.update("suppliers", live["id"], {"name": "Ace", "is_active": True}, expect={"reference": "A"})
        == live
    )
    assert asked(box) == [f"GET /1.0/suppliers/{live['id']}"]


def test_r23_an_inactive_supplier_is_woken(box: Sandbox, client: ExpenseInClient) -> None:
    live = box.add_live("suppliers", name="Ace", reference="A", isActive=False)
    client.update("suppliers", live["id"], {"is_active": True}, expect={"reference": "A"})
    assert box.live("suppliers") == [live | {"isActive": True}]


@pytest.mark.parametrize("now", ["a", "A ", None])
def test_r8_a_record_that_is_no_longer_the_expected_one_is_not_written(
    box: Sandbox, client: ExpenseInClient, now: str | None
) -> None:
    live = box.add_live("suppliers", name="Ace", reference=now)
    with pytest.raises(ChangedMeanwhile, match=r"suppliers, reference 'A', ID .*expected 'A'") as caught:
        client.update("suppliers", live["id"], {"name": "New"}, expect={"reference": "A"})
    assert caught.value.scope is Scope.RECORD
    assert box.live("suppliers") == [live]


@pytest.mark.parametrize("blank", [None, "", " "])
def test_r29_a_record_without_a_reference_can_be_given_one(
    box: Sandbox, client: ExpenseInClient, blank: str | None
) -> None:
    live = box.add_live("suppliers", name="Ace", reference=blank)
    fault(box, "drop_after", method="PUT")
    client.update("suppliers", live["id"], {"reference": "A"}, expect={"reference": None, "name": "Ace"})
    assert box.live("suppliers") == [live | {"reference": "A"}]
    assert box.counters()["expensein"]["PUT suppliers"] == 1


def test_patch_that_is_not_offered_names_the_key_of_the_profile(box: Sandbox, connect: Connect) -> None:
    live = box.add_live("projects", name="Old", reference="1")
    with pytest.raises(ContractMismatch, match=r"405.*api_profile\.update\.method"):
        connect({"update": {"method": "PATCH"}}).update("projects", live["id"], {"name": "New"}, expect={})


def test_a_member_left_out_by_the_profile_is_not_sent(box: Sandbox, connect: Connect) -> None:
    live = box.add_live("projects", name="Old", reference="1")
    connect({"update": {"leave_out": ["id"]}}).update("projects", live["id"], {"name": "New"}, expect={})
    assert "id" not in box.requests("expensein")[-1]["body"]


# Refusals


def test_a_wrong_key_stops_the_run(connect: Connect) -> None:
    with pytest.raises(Unauthorized, match=r"401.*regenerated.*api_key") as caught:
        list(connect(key="wrong-key-1").list("projects"))
    assert caught.value.scope is Scope.RUN
    assert "wrong-key-1" not in str(caught.value)


def test_a_missing_permission_is_named(box: Sandbox, client: ExpenseInClient) -> None:
    box.configure(expensein={"permissions": []})
    with pytest.raises(Forbidden, match=r'403.*"Account administrator".*allowed IP addresses') as caught:
        client.create("categories", {"name": "X", "reference": "X"})
    assert caught.value.scope is Scope.ITEM


def test_a_machine_that_is_not_allowed_is_told_so(box: Sandbox, client: ExpenseInClient) -> None:
    box.configure(expensein={"allowed": False})
    with pytest.raises(Forbidden, match="allowed IP addresses"):
        list(client.list("categories"))


def test_r24_the_missing_module_is_named(box: Sandbox, client: ExpenseInClient) -> None:
    box.configure(expensein={"invoicing": False})
    with pytest.raises(ModuleMissing, match="Invoicing module is not enabled") as caught:
        list(client.list("suppliers"))
    assert (caught.value.reason, caught.value.scope) == ("module_missing", Scope.ITEM)
    with pytest.raises(ModuleMissing):
        client.create("suppliers", {"name": "X", "reference": "X"})


def test_a_permission_missing_for_suppliers_is_not_taken_for_the_module(
    box: Sandbox, client: ExpenseInClient
) -> None:
    box.configure(expensein={"permissions": ["account_administrator"]})
    with pytest.raises(Forbidden, match='"Finance user"'):
        list(client.list("suppliers"))


@pytest.mark.parametrize(("item", "kind"), [("projects", CollectionMissing), ("suppliers", ModuleMissing)])
def test_a_missing_collection_is_named(
    box: Sandbox, client: ExpenseInClient, item: str, kind: type[ApiError]
) -> None:
    box.configure(expensein={"missing_collections": [item]})
    with pytest.raises(kind, match=f"404.*{item}"):
        list(client.list(item))


def test_a_record_that_vanished_is_named(client: ExpenseInClient) -> None:
    with pytest.raises(NotFound, match=r"projects, reference 'B1', ID gone/1") as caught:
        client.update("projects", "gone/1", {"name": "New"}, expect={"reference": "B1"})
    assert caught.value.scope is Scope.RECORD


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"name": "Long " * 60, "reference": "L"}, 422, "name"),
        ({"name": "Same", "reference": "taken"}, 409, "reference"),
        ({"name": "X", "reference": "X", "applies_to": ["walking"]}, 422, "appliesTo"),
    ],
)
def test_a_refused_record_carries_the_servers_words(
    box: Sandbox, client: ExpenseInClient, fields: dict[str, Any], status: int, words: str
) -> None:
    box.configure(expensein={"unique_references": True})
    box.add_live("projects", name="Same", reference="taken")
    with pytest.raises(Refused) as caught:
        client.create("projects", fields)
    error = caught.value
    assert (error.reason, error.scope, error.status, error.reference) == (
        "refused",
        Scope.RECORD,
        status,
        fields["reference"],
    )
    assert words in error.words
    assert error.words in str(error)


def test_an_unavailable_item_is_never_asked_for(box: Sandbox, connect: Connect) -> None:
    client = connect({"items": {"suppliers": {"available": False}}})
    with pytest.raises(NotOffered, match=r"api_profile\.items\.suppliers\.available is false"):
        list(client.list("suppliers"))
    assert asked(box) == []


# Faults while reading


@pytest.mark.parametrize(
    "kind",
    [
        {"kind": "drop_before"},
        {"kind": "drop_after"},
        {"kind": "truncate", "after_bytes": 40},
        {"kind": "malformed"},
        {"kind": "html"},
        {"kind": "content_type", "value": "text/html"},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502, "body": "<html><title>Bad gateway</title></html>"},
        {"kind": "status", "status": 503, "retry_after": "2"},
        {"kind": "status", "status": 429, "retry_after": "2"},
    ],
)
def test_a_list_survives_a_fault_and_is_complete(
    box: Sandbox, client: ExpenseInClient, slept: list[float], kind: dict[str, Any]
) -> None:
    for number in range(5):
        box.add_live("projects", name=f"P {number}", reference=str(number))
    fault(box, **kind)
    assert len(list(client.list("projects"))) == 5
    assert len(asked(box)) == 2
    assert slept


@pytest.mark.parametrize(
    ("kind", "expected", "attempts"),
    [
        ({"kind": "drop_before"}, Unreachable, 5),
        ({"kind": "status", "status": 500, "body": {"message": "disk full"}}, ServerFailed, 5),
        ({"kind": "html", "status": 200}, BadAnswer, 5),
        ({"kind": "malformed"}, BadAnswer, 5),
        ({"kind": "status", "status": 429}, Throttled, 20),
    ],
)
def test_a_lasting_fault_ends_with_its_own_error(
    box: Sandbox, client: ExpenseInClient, kind: dict[str, Any], expected: type[ApiError], attempts: int
) -> None:
    box.add_live("projects", name="P", reference="1")
    fault(box, times=None, **kind)
    with pytest.raises(expected) as caught:
        list(client.list("projects"))
    assert len(asked(box)) == attempts
    assert caught.value.item == "projects"


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_seconds_is_kept(
    box: Sandbox, client: ExpenseInClient, slept: list[float], status: int
) -> None:
    fault(box, "status", status=status, retry_after="7")
    list(client.list("projects"))
    assert slept[0] == pytest.approx(7, abs=1)


def test_retry_after_as_a_date_is_kept(box: Sandbox, client: ExpenseInClient, slept: list[float]) -> None:
    fault(box, "status", status=429, retry_after=formatdate(time.time() + 30, usegmt=True))
    list(client.list("projects"))
    assert slept[0] == pytest.approx(30, abs=2)


def test_retry_after_is_kept_only_up_to_a_limit(
    box: Sandbox, client: ExpenseInClient, slept: list[float]
) -> None:
    fault(box, "status", status=429, retry_after="86400")
    list(client.list("projects"))
    assert slept[0] == pytest.approx(120, abs=1)


@pytest.mark.parametrize("text", ["soon", "-5", "0", "", "1e3", "Sat, 99 Foo 2026"])
def test_a_retry_after_that_makes_no_sense_does_no_harm(
    box: Sandbox, client: ExpenseInClient, slept: list[float], text: str
) -> None:
    fault(box, "status", status=429, retry_after=text)
    list(client.list("projects"))
    assert 0 < slept[0] <= 1


def test_a_body_that_drips_cannot_hold_a_worker(
    box: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("target_expensein.api.deadline.SILENCES", 0.1)
    box.add_live("projects", name="P" * 200, reference="1")
    fault(box, "slow_body", bytes_per_second=100, times=None)
    with pytest.raises(Unreachable, match="no whole answer in time"):
        list(connect(timeout=3, retries=RetryPolicy(attempts=1)).list("projects"))


def test_a_429_holds_all_workers(box: Sandbox, connect: Connect, slept: list[float]) -> None:
    client = connect()
    fault(box, "status", status=429, retry_after="60")
    list(client.list("projects"))
    slept.clear()
    with ThreadPoolExecutor(2) as pool:
        for answer in [pool.submit(lambda: list(client.list("departments"))) for _ in range(2)]:
            answer.result()
    assert [round(seconds, -1) for seconds in slept] == [60, 60]


# Faults while creating


@pytest.mark.parametrize(
    ("kind", "exists"),
    [
        ({"kind": "drop_before"}, False),
        ({"kind": "drop_after"}, True),
        ({"kind": "truncate", "after_bytes": 5}, True),
        ({"kind": "malformed"}, True),
        ({"kind": "content_type", "value": "text/plain"}, True),
        ({"kind": "html", "status": 200}, False),
        ({"kind": "status", "status": 500}, False),
        ({"kind": "status", "status": 502}, False),
        ({"kind": "status", "status": 503, "retry_after": "1"}, False),
        ({"kind": "status_after", "status": 500}, True),
        ({"kind": "status_after", "status": 503, "retry_after": "1"}, True),
        ({"kind": "status", "status": 200, "body": {"id": "1", "reference": "other"}}, False),
        ({"kind": "status", "status": 201, "body": {"ok": True}}, False),
        ({"kind": "status", "status": 202, "body": "[]"}, False),
    ],
)
def test_a_create_whose_answer_is_lost_is_never_repeated(
    box: Sandbox, client: ExpenseInClient, kind: dict[str, Any], *, exists: bool
) -> None:
    fault(box, method="POST", **kind)
    with pytest.raises(OutcomeUnknown, match=r"suppliers, reference '007'.*may or may not") as caught:
        client.create("suppliers", {"name": "Bond", "reference": "007", "is_active": True})
    assert (caught.value.reason, caught.value.scope) == ("outcome_unknown", Scope.RECORD)
    assert box.counters()["expensein"]["POST suppliers"] == 1
    assert len(box.live("suppliers")) == exists


def test_a_create_without_an_answer_in_time_is_never_repeated(box: Sandbox, connect: Connect) -> None:
    fault(box, "latency", method="POST", seconds=0.4)
    with pytest.raises(OutcomeUnknown, match="request_timeout"):
        connect(timeout=0.1).create("suppliers", {"name": "Bond", "reference": "007"})
    while not box.live("suppliers"):  # it runs after all, which is why it must not be repeated
        time.sleep(0.02)
    assert box.counters()["expensein"]["POST suppliers"] == 1


def test_a_create_that_was_turned_away_is_repeated(box: Sandbox, client: ExpenseInClient) -> None:
    fault(box, "status", method="POST", status=429, retry_after="1", times=3)
    client.create("suppliers", {"name": "Bond", "reference": "007"})
    assert len(box.live("suppliers")) == 1


def test_a_create_that_finds_no_server_is_repeated_and_then_certainly_did_not_run(
    connect: Connect, slept: list[float]
) -> None:
    client = connect(url="http://127.0.0.1:9/1.0/")
    with pytest.raises(Unreachable, match=r"no connection.*api_url"):
        client.create("suppliers", {"name": "Bond", "reference": "007"})
    assert len(slept) == 4


# Faults while updating


@pytest.mark.parametrize(
    ("kind", "puts"),
    [
        ({"kind": "drop_before"}, 2),
        ({"kind": "drop_after"}, 1),
        ({"kind": "truncate", "after_bytes": 5}, 1),
        ({"kind": "malformed"}, 1),
        ({"kind": "content_type", "value": "text/plain"}, 1),
        ({"kind": "status", "status": 500}, 2),
        ({"kind": "status_after", "status": 502}, 1),
        ({"kind": "status", "status": 503, "retry_after": "1"}, 2),
        ({"kind": "status", "status": 429, "retry_after": "1"}, 2),
        ({"kind": "status", "status": 412}, 2),
    ],
)
@pytest.mark.parametrize("etag", [False, True])
def test_an_update_is_settled_by_reading_again(
    box: Sandbox, client: ExpenseInClient, kind: dict[str, Any], puts: int, *, etag: bool
) -> None:
    box.configure(expensein={"etag": etag})
    live = box.add_live("suppliers", name="Old", reference="007", **BY_HAND["suppliers"])
    fault(box, method="PUT", **kind)
    client.update("suppliers", live["id"], {"name": "New"}, expect={"reference": "007"})
    assert box.live("suppliers") == [live | {"name": "New"}]
    sent = [request["method"] for request in box.requests("expensein")]
    # A written answer lost: the second reading shows the value, nothing is sent twice.
    assert sent == ["GET", "PUT"] * puts + (["GET"] if puts == 1 else [])


def test_a_record_that_keeps_changing_is_left_alone(box: Sandbox, client: ExpenseInClient) -> None:
    live = box.add_live("suppliers", name="Old", reference="007")
    fault(box, "status", method="PUT", status=412, times=None)
    with pytest.raises(ChangedMeanwhile, match="keeps changing"):
        client.update("suppliers", live["id"], {"name": "New"}, expect={"reference": "007"})
    assert box.counters()["expensein"]["PUT suppliers"] == 5


# Several at once


def test_many_workers_share_the_client(box: Sandbox, client: ExpenseInClient) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                lambda n: client.create("departments", {"name": f"D {n}", "reference": f"{n:03}"}), range(40)
            )
        )
    assert sorted(body["reference"] for body in box.live("departments")) == [f"{n:03}" for n in range(40)]


# The key, the address, the certificate


@pytest.mark.parametrize(
    "url",
    [
        "http://api.expensein.com/1.0/",
        "http://127.0.0.1.example.org/",
        "http://127.0.0.1@example.org/",
        "http://localhost.example.org/",
        "ftp://127.0.0.1/",
        "https://user:secret@api.expensein.com/",
        "https://api.expensein.com/1.0/?a=1",
        "https:///1.0/",
        "api.expensein.com/1.0",
        "https://api.expensein.com:port/",
        "https://api.expensein.com /",
        "http://127.0.0.1\\@example.org/",
        "",
    ],
)
def test_an_unusable_address_is_refused_before_anything_is_sent(connect: Connect, url: str) -> None:
    with pytest.raises(ConfigurationError, match="api_url") as caught:
        connect(url=url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["", " ", "two words-s3cret", "s3cret\n", "s3crét"])
def test_an_unusable_key_is_refused_without_showing_it(connect: Connect, key: str) -> None:
    with pytest.raises(ConfigurationError, match="api_key") as caught:
        connect(key=key)
    assert "s3cr" not in str(caught.value)


def test_a_missing_ca_bundle_is_named(connect: Connect) -> None:
    with pytest.raises(ConfigurationError, match="ca_bundle: /nowhere"):
        connect(ca_bundle="/nowhere")


def test_the_key_is_never_shown(box: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key = box.api_key
    client = connect()
    assert key not in repr(client)
    told = {"message": f"Authorization: ApiKey {key}", "errors": {"name": [f"<{key}>"]}}
    shown = []
    for kind in ({"kind": "status", "status": 422, "body": told}, {"kind": "status", "status": 503, "body": f"<p>{key}</p>"}, {"kind": "redirect", "location": f"https://example.org/?key={key}"}, {"kind": "drop_before"}):  # fmt: skip
        fault(box, times=None, **kind)
        with pytest.raises(ApiError) as caught:
            client.create("projects", {"name": "X", "reference": "X"})
        shown.append(
            "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caught.value.words
        )
    assert "[api_key]" in shown[0]
    assert not any(key in text for text in [*shown, caplog.text])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(box: Sandbox, client: ExpenseInClient, status: int) -> None:
    fault(box, "redirect", status=status, location=f"{box.expensein_url}departments")
    with pytest.raises(RedirectRefused, match=r"not followed.*api_url"):
        list(client.list("projects"))
    assert asked(box) == ["GET /1.0/projects"]


def test_the_environment_does_not_interfere(
    box: Sandbox, client: ExpenseInClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, connect: Connect
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert list(client.list("projects")) == []
    assert list(connect().list("projects")) == []
    assert box.counters()["expensein"] == {"GET projects": 2}


def test_a_ca_of_its_own_is_trusted_only_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(seed="empty", tls=True) as box:
        bundle = box.ca_bundle
        assert bundle
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)  # neither trusts it for us …
        monkeypatch.setenv("SSL_CERT_FILE", bundle)
        slept: list[float] = []
        with ExpenseInClient(
            box.expensein_url, box.api_key, load_profile(), concurrency=1, timeout=5, sleep=slept.append
        ) as client:
            with pytest.raises(Unreachable, match=r"certificate is not trusted.*ca_bundle"):
                list(client.list("projects"))
            with pytest.raises(Unreachable, match="certificate is not trusted"):
                client.create("projects", {"name": "X", "reference": "X"})
        assert slept == [], "waiting does not make a certificate trusted"
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")  # … nor distrusts it
        with ExpenseInClient(
            box.expensein_url, box.api_key, load_profile(), concurrency=1, timeout=5, ca_bundle=bundle
        ) as client:
            assert list(client.list("projects")) == []
        assert box.counters()["expensein"] == {"GET projects": 1}

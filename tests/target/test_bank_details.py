"""Bank details of suppliers: kept as they are, never written, emptied or addressed, whatever is configured."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox.testing import Sandbox
from target_expensein.api.client import ExpenseInClient
from target_expensein.api.errors import ProfileError
from target_expensein.api.profile import FIELDS, is_bank_field, load_profile
from target_expensein.items import ITEMS

from .conftest import TargetCommand, stream

BANK = {
    "iban": "IE29AIBK93115212345678",
    "sortCode": "931152",
    "accountNumber": "12345678",
    "bankName": "AIB",
}
NAMES = [
    *BANK,
    *("IBAN", "Iban", "supplierIban", "bank_account", "Bank-Account", "BANKACCOUNT", "bankDetails", "sort_code", "Sort Code"),
    *("bic", "BIC", "bicCode", "swiftCode", "account_no", "accountNo", "acctNumber", "routingNumber", "bsb", "clabe"),
    *("paymentMethod", "payeeName", "beneficiaryAccount", "accountHolder", "\uff29\uff22\uff21\uff2e", "bank.iban", "data.bankDetails"),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_no_overlay_reaches_a_bank_field(name: str) -> None:
    overlays: list[Any] = [
        {"items": {item: {"fields": {field: name}}}} for item in ITEMS for field in ("id", *FIELDS)
    ]
    overlays += [
        {"update": {"leave_out": [name]}},
        {"items": {"suppliers": {"update": {"leave_out": ["x", name]}}}},
    ]
    overlays += [{"record": {"envelope": name}}, {"list": {"envelope": f"data.{name}"}}]
    overlays += [{"items": {"suppliers": {"record": {"envelope": name}}}}]
    if name.isascii() and " " not in name:
        overlays += [{"items": {item: {"path": f"suppliers/{name}"}}} for item in ITEMS]
    for overlay in overlays:
        with pytest.raises(ProfileError, match="looks like bank or payment details"):
            load_profile(overlay)


@pytest.mark.parametrize(
    "name",
    ["id", "name", "supplierName", "reference", "externalRef", "code", "accountCode", "isActive", "status",
     "rate", "percentage", "appliesTo", "cubicle", "fabric", "distribution", "abacus", "description"],
)  # fmt: skip
def test_harmless_names_can_be_configured(name: str) -> None:
    assert not is_bank_field(name)


@given(
    st.sampled_from(["iban", "sortCode", "bankAccount", "accountNumber"]), st.randoms(use_true_random=False)
)
def test_no_spelling_of_case_or_separators_gets_past(name: str, random: Any) -> None:
    spelt = "".join(random.choice([char.lower(), char.upper(), f"{char}_", f"{char}-"]) for char in name)
    assert is_bank_field(spelt)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_r09_bank_details_come_back_as_they_were_and_a_new_supplier_has_none(
    target: TargetCommand, method: str
) -> None:
    box = target.box
    box.configure(expensein={"patch": True})
    live = box.add_live("suppliers", name="Old", reference="S1", isActive=False, **BANK)
    hostile = {"iban": "GB00EVIL", "sortCode": "000000", "accountNumber": "666", "bankName": "Evil"}
    records = [{"code": "S1", "name": "New", **hostile}, {"code": "S2", "name": "Second", **hostile}]
    result = target.run(
        stream("suppliers", *records),
        items={"suppliers": {"enabled": True}},
        api_profile={"update": {"method": method}},
    )
    assert result.counts("suppliers") == {"created": 1, "updated": 1}
    sent = {one["method"]: one["body"] for one in box.requests("expensein") if one["body"]}
    assert sent["POST"] == {"name": "Second", "reference": "S2", "isActive": True}
    if method == "PATCH":
        assert sent["PATCH"] == {"name": "New", "isActive": True}
    else:
        assert sent["PUT"] == live | {"name": "New", "isActive": True}
    by_reference = {one["reference"]: one for one in box.live("suppliers")}
    assert by_reference["S1"] == live | {"name": "New", "isActive": True}
    assert not any(by_reference["S2"].get(field) for field in BANK)
    assert "EVIL" not in result.log + json.dumps(result.summary)


def test_a_run_with_such_an_overlay_does_not_begin(target: TargetCommand) -> None:
    result = target.run(
        stream("suppliers"),
        items={"suppliers": {"enabled": True}},
        api_profile={"items": {"suppliers": {"fields": {"name": "bankAccountName"}}}},
    )
    assert result.exit_code == 1
    assert 'api_profile.items.suppliers.fields.name: "bankAccountName" looks like bank' in result.log
    assert target.box.counters()["expensein"] == {}


def test_the_client_sends_no_field_by_the_servers_own_name(box: Sandbox) -> None:
    client = ExpenseInClient(box.expensein_url, box.api_key, load_profile(), concurrency=1, timeout=5)
    with client, pytest.raises(ValueError, match=r"'iban' is not a field that the sync may write"):
        client.create("suppliers", {"name": "x", "iban": "IE29"})
    assert box.counters()["expensein"] == {}

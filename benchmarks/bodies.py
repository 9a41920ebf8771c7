"""What AccountsIQ answers, written beforehand: the time that a server needs to make a list is nobody's merit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from sandbox.accountsiq.emit import entry_renderer
from sandbox.accountsiq.envelope import closing, opening, token_answer
from sandbox.accountsiq.operations import OPERATIONS
from sandbox.accountsiq.types import fields_of
from sandbox.accountsiq.wsdl import wsdl
from sandbox.seeds.suppliers import company_row, names

SEED = 1
SUPPLIER_OPERATION = "GetSupplierList"

Row = dict[str, Any]


def supplier_rows(count: int, *, full: bool, active: bool = False) -> Iterator[Row]:
    """Make suppliers; the same number gives the same suppliers, whatever the count.

    Args:
        count: How many.
        full: Whether every one of the 69 fields has a value, as the longest rows have.
        active: Whether all are active; else one in forty is not.

    Yields:
        Rows with the vendor's field names.
    """
    draw = Random(SEED)  # noqa: S311 - reproducible, not secret
    texts = {field.name: "1" for field in fields_of("Supplier") if field.kind == "string"}
    for number, name in enumerate(islice(names(SEED), count), 1):
        row = company_row(number, f"S{number:07d}", name, draw)
        if active:
            row["IsActive"] = True
        yield texts | {key: value for key, value in row.items() if value != ""} if full else row


def write_suppliers(path: Path, count: int) -> Path:
    """Write the answer to a read of all suppliers, 69 fields each, as the service sends it.

    Args:
        path: Where to.
        count: How many suppliers.

    Returns:
        The path; a file that exists is left as it is.
    """
    if not path.exists():
        write = entry_renderer("Supplier")
        operation = OPERATIONS[SUPPLIER_OPERATION]
        unfinished = path.with_suffix(".part")
        with unfinished.open("w", encoding="utf-8") as body:
            body.write(opening(operation) + "<Result>")
            body.writelines(write(row) for row in supplier_rows(count, full=True))
            body.write("</Result>" + closing(operation))
        unfinished.rename(path)
    return path


def empty_answer(operation: str) -> bytes:
    """Return the answer to a read that finds nothing."""
    return f"{opening(OPERATIONS[operation])}<Result />{closing(OPERATIONS[operation])}".encode()


def token_given() -> bytes:
    """Return the answer to TokenGet."""
    result = "<Result><AccessToken>access</AccessToken><RefreshToken>refresh</RefreshToken></Result>"
    return token_answer(OPERATIONS["TokenGet"], result).encode()


def description(location: str) -> bytes:
    """Return the WSDL of the service at an address."""
    return wsdl(location)


SYNC_FIELDS = {
    "code": "Code",
    "name": "Name",
    "is_active": "IsActive",
    "group_id": "GroupID",
    "area_id": "AreaID",
    "region_id": "RegionID",
    "currency_code": "CurrencyCode",
    "country_code": "CountryCode",
    "department_id": "DepartmentID",
    "default_gl_account_code": "DefaultGLAccountCode",
}
"""What meltano.yml selects of a supplier: field → the vendor's element. A test holds it against meltano.yml."""


def write_messages(path: Path, count: int, *, active: bool = False) -> Path:
    """Write suppliers as the tap sends them to the target: the fields that the sync selects.

    Args:
        path: Where to.
        count: How many suppliers; with 0 the stream is there, whole and empty.
        active: Whether all of them are active.

    Returns:
        The path.
    """
    text, flag = {"type": ["string", "null"]}, {"type": ["boolean", "null"]}
    properties = {"entity": {"type": "string"}} | {
        name: flag if name == "is_active" else text for name in SYNC_FIELDS
    }
    schema = {
        "type": "SCHEMA",
        "stream": "suppliers",
        "schema": {"type": "object", "properties": properties, "required": ["entity", "code"]},
        "key_properties": ["entity", "code"],
    }
    with path.open("w", encoding="utf-8") as messages:
        messages.write(json.dumps(schema) + "\n")
        for row in supplier_rows(count, full=False, active=active):
            record = {"entity": "ONE"} | {name: row.get(vendor) for name, vendor in SYNC_FIELDS.items()}
            message = {"type": "RECORD", "stream": "suppliers", "record": record, "version": 1}
            messages.write(json.dumps(message, ensure_ascii=False) + "\n")
        messages.write(json.dumps({"type": "ACTIVATE_VERSION", "stream": "suppliers", "version": 1}) + "\n")
        messages.write(json.dumps({"type": "STATE", "value": {"bookmarks": {"suppliers": {}}}}) + "\n")
    return path


def write_seed(path: Path, live: int, source: int = 0) -> Path:
    """Write a seed for the sandbox: the suppliers that ExpenseIn has, and those of AccountsIQ.

    Args:
        path: Where to.
        live: How many ExpenseIn has.
        source: How many AccountsIQ has; the same ones, as far as both go.

    Returns:
        The path.
    """
    seed = {
        "accountsiq": {
            "entities": {"ONE": {"name": "One Ltd", "suppliers": list(supplier_rows(source, full=False))}}
        },
        "expensein": {
            "suppliers": [
                {"name": row["Name"], "reference": row["Code"]} for row in supplier_rows(live, full=False)
            ]
        },
    }
    path.write_text(json.dumps(seed), encoding="utf-8")
    return path

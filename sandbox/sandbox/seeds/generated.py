"""Seeds of any size, from a number."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from random import Random
from typing import Final

from sandbox.seeds.state import MAIN_ENTITY, Row, SeedError, State, complete
from sandbox.seeds.suppliers import company_row, names
from sandbox.seeds.words import SUPPLIER_TRADES

_RATES: Final = (Decimal("0"), Decimal("0.135"), Decimal("0.20"), Decimal("0.23"))
_INACTIVE_SHARE: Final = 10  # one BI code in so many
_DIMENSIONS: Final = ("DEPARTMENT", "PROJECT", "REGION", "CHANNEL", "SITE", "PRODUCT")


def generate(
    *,
    accounts: int = 300,
    suppliers: int = 2000,
    dimensions: int = 3,
    options: int = 20,
    bi_codes: int = 50,
    tax_codes: int = 8,
    twins: int = 0,
    every_field: int = 0,
    seed: int = 1,
) -> State:
    """Make one entity of a given size, and an empty ExpenseIn account.

    Args:
        accounts: GL accounts.
        suppliers: Suppliers, twins not counted.
        dimensions: Analysis dimensions, at most 6.
        options: Options of each dimension.
        bi_codes: BI codes, every tenth of them inactive.
        tax_codes: Tax codes.
        twins: So many suppliers appear a second time, with the same code and another name.
        every_field: 1 for suppliers of which every field has a value, about 2,700 bytes of XML each; 0 as in life.
        seed: The same numbers with the same seed make the same data.

    Returns:
        A complete state.

    Raises:
        SeedError: A number is negative, or there are too many dimensions or twins.
    """
    sizes = dict(locals())
    for name, value in sizes.items():
        if value < 0:
            message = f"generated seed: {name} is {value}; it must be 0 or more"
            raise SeedError(message)
    if dimensions > len(_DIMENSIONS):
        message = f"generated seed: there are at most {len(_DIMENSIONS)} dimensions, not {dimensions}"
        raise SeedError(message)
    if twins > suppliers:
        message = f"generated seed: {twins} twins of {suppliers} suppliers"
        raise SeedError(message)
    state = complete({})
    state["accountsiq"]["entities"] = {
        MAIN_ENTITY: {
            "name": "Generated (UK) Ltd",
            "base_currency": "GBP",
            "accounts": [_account(number) for number in range(accounts)],
            "dimensions": [_dimension(name, options) for name in _DIMENSIONS[:dimensions]],
            "bi_codes": [_bi_code(number, dimensions, options) for number in range(bi_codes)],
            "tax_codes": [_tax_code(number) for number in range(tax_codes)],
            "suppliers": _suppliers(suppliers, twins, seed, bool(every_field)),
            "company": [
                {"CompanyName": "Generated (UK) Ltd", "LocaleName": "en-GB", "BaseCurrencyCode": "GBP"}
            ],
        }
    }
    return state


def _account(number: int) -> Row:
    return {
        "Code": f"{number:06d}",
        "Description": f"{SUPPLIER_TRADES[number % len(SUPPLIER_TRADES)]} {number}",
        "AccountType": "Posting",
        "GLCategory": "Overheads",
        "IsActive": True,
    }


def _dimension(name: str, options: int) -> Row:
    entries = [
        {"Code": f"{name[:3]}{number:04d}", "Description": f"{name.title()} {number}"}
        for number in range(options)
    ]
    return {"Code": name, "Description": name.title(), "DimensionCodes": entries}


def _bi_code(number: int, dimensions: int, options: int) -> Row:
    row: Row = {
        "DepartmentID": f"B{number:05d}",
        "Description": f"BI code {number}",
        "IsActive": (number + 1) % _INACTIVE_SHARE != 0,
    }
    if options:
        for place, name in enumerate(_DIMENSIONS[:dimensions], 1):
            row[f"AnalysisCode{place}"] = f"{name[:3]}{(number * place) % options:04d}"
    return row


def _tax_code(number: int) -> Row:
    rate = _RATES[number % len(_RATES)]
    return {
        "ID": f"T{number}",
        "Code": f"T{number}",
        "Description": f"Tax {number} at {rate * 100:f} %",
        "Rate": rate,
    }


def _suppliers(count: int, twins: int, seed: int, every_field: bool) -> list[Row]:  # noqa: FBT001
    draw = Random(seed)  # noqa: S311 - reproducible, not secret  # nosec B311
    supply = names(seed)
    rows = [
        company_row(number, f"S{number:06d}", name, draw, every_field=every_field)
        for number, name in enumerate(islice(supply, count), 1)
    ]
    copies = [
        row | {"AccountID": count + number, "Name": name}
        for number, (row, name) in enumerate(zip(rows[:twins], supply, strict=False), 1)
    ]
    return rows + copies

"""The `company` seed: an Anglo-Irish group with three entities, and an ExpenseIn account that has been in use.

A first sync with the usual mapping finds something of everything in it: records to create, old names to update, records
that are right already, and matters to report (a tax rate that differs, orphans, candidates by name). Nothing in it is
refused or held.
"""

# ruff: noqa: RUF001 - real names have real dashes

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from random import Random
from typing import Final

from sandbox.seeds.chart import chart_of_accounts
from sandbox.seeds.state import MAIN_ENTITY, Row, State, complete
from sandbox.seeds.suppliers import code_of, company_row, employee_row, names
from sandbox.seeds.words import DEPARTMENTS, DIFFICULT_SUPPLIERS, FIRST_NAMES, LAST_NAMES, PROJECTS, REGIONS

IRISH_ENTITY: Final = "ACME_IE"
PLAIN_ENTITY: Final = "ACME_LAB"

_SEED: Final = 20260401
_COMPANIES: Final = 1940
_EMPLOYEES: Final = 42
_NEW_IN_LEDGER: Final = 5  # every fifth supplier is not in ExpenseIn yet
_RENAMED: Final = 150  # every so-maniest of the others has an old name there
_DEPARTMENT_CODES: Final = [code for code, _ in DEPARTMENTS]
_REGION_CODES: Final = [code for code, _ in REGIONS]

# The tax rates with which an ExpenseIn account starts have ids of their own, because categories point to them.
_NO_VAT: Final = "7a1e0000-0000-4000-8000-000000000001"
_STANDARD: Final = "7a1e0000-0000-4000-8000-000000000002"


def company() -> State:
    """Make the seed.

    Returns:
        A complete state, the same every time.
    """
    source = _main_entity()
    return complete(
        {
            "accountsiq": {
                "entities": {
                    MAIN_ENTITY: source,
                    IRISH_ENTITY: _irish_entity(),
                    PLAIN_ENTITY: _plain_entity(),
                }
            },
            "expensein": {
                "categories": _categories(),
                "projects": _projects(source["bi_codes"]),
                "departments": _departments(),
                "taxrates": _live_tax_rates(),
                "suppliers": _live_suppliers(source["suppliers"]),
                "users": _users(),
            },
        }
    )


def _main_entity() -> State:
    return {
        "name": "Acme Building Services (UK) Ltd",
        "base_currency": "GBP",
        "accounts": chart_of_accounts("GBP"),
        "dimensions": [
            _dimension("DEPARTMENT", "Department", DEPARTMENTS),
            _dimension("PROJECT", "Project", _project_options()),
            _dimension("REGION", "Region", REGIONS),
        ],
        "bi_codes": _bi_codes(),
        "tax_codes": _tax_codes(),
        "suppliers": _suppliers(),
        "company": [
            {
                "CompanyName": "Acme Building Services (UK) Ltd",
                "LocaleName": "en-GB",
                "BaseCurrencyCode": "GBP",
                "Address": {
                    "Line1": "1 Foundry Yard",
                    "Line2": "",
                    "City": "Manchester",
                    "County": "Greater Manchester",
                    "PostZipCode": "M1 1ZZ",
                    "CountryState": "United Kingdom",
                },
                "ContactInformation": {
                    "LandlineNumber": "0161 496 0000",
                    "EmailAddress": "finance@acme.example",
                    "WebSite": "https://acme.example/",
                },
                "AutoNumberingSettings": {
                    "UseAutoSalesInvoiceNumbering": True,
                    "CurrentSalesInvoiceNumber": "SI-004711",
                    "UseAutoPurchaseOrderNumbering": True,
                    "CurrentPurchaseOrderNumber": "PO-000815",
                },
                "PrecisionSettings": {"PricePrecisionDecimals": 2, "QuantityPrecisionDecimals": 3},
                "ApprovalSettings": {"IsPurchaseApprovalEnabled": True, "ApprovalType": "BudgetHolderBased"},
                "TaxRegistrationNumber": "GB000000000",
                "RegistrationNumber": "00000000",
                "IsConsolidationCompany": False,
            }
        ],
    }


def _irish_entity() -> State:
    """Make a small entity: every list has one entry, which looks like any other list on the wire."""
    draw = Random(_SEED)  # noqa: S311 - reproducible, not secret  # nosec B311
    return {
        "name": "Acme Ireland DAC",
        "base_currency": "EUR",
        "accounts": chart_of_accounts("EUR")[-1:],
        "dimensions": [_dimension("DEPARTMENT", "Department", DEPARTMENTS[:1])],
        "bi_codes": [{"DepartmentID": "IE-001", "Description": "Head office Dublin", "IsActive": True}],
        "tax_codes": [_tax("IE23", "Irish VAT 23 %", "0.23", goods=True)],
        "suppliers": [company_row(1, "OCON0001", "O'Connell & Daughters Teoranta", draw)],
        "company": [{"CompanyName": "Acme Ireland DAC", "LocaleName": "en-IE", "BaseCurrencyCode": "EUR"}],
    }


def _plain_entity() -> State:
    """Make an entity that has no dimensions and no BI codes."""
    draw = Random(_SEED + 1)  # noqa: S311 - reproducible, not secret  # nosec B311
    return {
        "name": "Acme Test Laboratory Ltd",
        "base_currency": "GBP",
        "accounts": chart_of_accounts("GBP")[:12],
        "tax_codes": [_tax("Z0", "Zero rated", "0"), _tax("S20", "Standard rated sales", "0.20")],
        "suppliers": [
            company_row(number, code_of(name, number), name, draw)
            for number, name in enumerate(islice(names(7), 5), 1)
        ],
        "company": [
            {"CompanyName": "Acme Test Laboratory Ltd", "LocaleName": "en-GB", "BaseCurrencyCode": "GBP"}
        ],
    }


def _dimension(code: str, description: str, options: tuple[tuple[str, str], ...]) -> Row:
    return {
        "Code": code,
        "Description": description,
        "DimensionCodes": [{"Code": option, "Description": text} for option, text in options],
    }


def _project_options() -> tuple[tuple[str, str], ...]:
    return tuple((f"P{number:04d}", name) for number, name in enumerate(PROJECTS, 1001))


def _bi_codes() -> list[Row]:
    """Make a BI code for every project, and one for the overheads of every department."""
    rows: list[Row] = []
    for number, (project, name) in enumerate(_project_options()):
        row = {
            "DepartmentID": f"{number + 1:04d}" if number < 3 else project.replace("P", "J"),  # noqa: PLR2004 - old jobs
            "Description": name,
            "AnalysisCode1": _DEPARTMENT_CODES[number * 5 % len(_DEPARTMENT_CODES)],
            "AnalysisCode2": project,
            "AnalysisCode3": _REGION_CODES[number * 3 % len(_REGION_CODES)],
            "IsActive": number % 7 != 6,  # noqa: PLR2004 - every seventh is finished
        }
        # What an unused analysis code looks like is not known: absent and empty both occur here.
        rows.append(
            row if number % 2 else row | {"AnalysisCode4": "", "AnalysisCode5": "", "AnalysisCode6": ""}
        )
    for code, name in DEPARTMENTS:
        rows.append(
            {
                "DepartmentID": f"OH-{code}",
                "Description": f"Overheads – {name}",
                "AnalysisCode1": code,
                "IsActive": code != "LEGAL",
            }
        )
    return rows


def _tax(code: str, description: str, rate: str, *, goods: bool = False, **others: object) -> Row:
    return {
        "ID": code,
        "Code": code,
        "Description": description,
        "RowVersionNumber": "AAAAAAAAB9E=",
        "Rate": Decimal(rate),
        "IsGoods": goods,
        "SalesTaxInclude": code.startswith("S"),
        "PurchasesTaxInclude": not code.startswith("S"),
        **others,
    }


def _tax_codes() -> list[Row]:
    checker = {"IdLength": 10, "CodeLength": 10, "DescriptionLength": 100, "AuthorLength": 50}
    return [
        _tax("S20", "Standard rated sales", "0.20", IsDefault=True, IsStandardRate=True, Checker=checker),
        _tax("P20", "Standard rated purchases", "0.20", IsStandardRate=True, ReverseCharge=False),
        _tax("Z0", "Zero rated", "0"),
        _tax("E0", "Exempt", "0", ReverseCharge=None),
        _tax("OS0", "Outside the scope of VAT", "0"),
        _tax("IE23", "Irish VAT 23 %", "0.23", goods=True),
        _tax(
            "IE135",
            "Irish VAT 13.5 % (reduced)",
            "0.135",
            PartialReclaim=True,
            PartialReclaimRate=Decimal("0.50"),
        ),
        _tax("EUG20", "EU goods 20 %", "0.20", goods=True, EuropeanCommunityPurchases=True, EUTrade=True),
        _tax("RCC20", "Reverse charge – construction 20 %", "0.20", ReverseCharge=True, TaxTypeId=4),
        _tax("RCIE135", "Reverse charge – construction IE 13.5 %", "0.135", ReverseCharge=True, TaxTypeId=4),
        _tax("PVA20", "Postponed VAT on imports", "0.20", DebitGlAccno="2201", CreditGlAccno="2203"),
    ]


def _suppliers() -> list[Row]:
    """Make companies with names of every kind, and the employees who claim expenses."""
    draw = Random(_SEED)  # noqa: S311 - reproducible, not secret  # nosec B311
    companies = (*DIFFICULT_SUPPLIERS, *islice(names(_SEED), _COMPANIES - len(DIFFICULT_SUPPLIERS)))
    rows = [
        company_row(number, code_of(name, number), name, draw) for number, name in enumerate(companies, 1)
    ]
    for number in range(_EMPLOYEES):
        first = FIRST_NAMES[number % len(FIRST_NAMES)]
        last = LAST_NAMES[number * 7 % len(LAST_NAMES)]
        rows.append(employee_row(len(rows) + 1, f"EXP{number + 1:04d}", f"{first} {last}", draw))
    # Three codes as an older ledger had them: digits only, zeros in front.
    for row, code in zip(rows[20:23], ("000101", "000102", "00210"), strict=True):
        row["Code"] = code
    return rows


def _categories() -> list[Row]:
    """Make the categories: those an account starts with, and those an admin has matched with GL accounts."""
    purchase = ["purchase", "companyCard"]
    started_with: list[Row] = [
        {"name": "Accommodation", "appliesTo": purchase, "requiresReceipt": True},
        {
            "name": "Air travel",
            "appliesTo": purchase,
            "carbonCategory": "flights",
        },  # also a GL account's name
        {"name": "Entertainment", "appliesTo": purchase, "requiresAttendees": True, "visibility": "managers"},
        {"name": "Meals", "appliesTo": purchase, "description": "Up to £25 a day without asking."},
        {
            "name": "Mileage",
            "appliesTo": ["personalMileage", "companyCarMileage"],
            "fixedAmount": Decimal("0.45"),
        },
        {"name": "Stationery", "appliesTo": purchase},  # also a GL account's name
    ]
    matched: list[Row] = [
        {
            "name": "Train tickets",
            "reference": "7210",
            "appliesTo": [*purchase, "cashAdvance"],
            "carbonCategory": "rail",
            "description": "Second class only.",
        },
        {
            "name": "Taxis",
            "reference": "7220",
            "appliesTo": purchase,
            "requiresReceipt": True,
            "visibility": "field staff",
        },
        {"name": "Hotels", "reference": "7250", "appliesTo": purchase, "defaultTaxRateId": _STANDARD},
        {
            "name": "Entertaining clients",
            "reference": "7280",
            "appliesTo": purchase,
            "requiresAttendees": True,
            "isReportable": False,
        },
        {"name": "Car parking", "reference": "7320", "appliesTo": purchase, "defaultTaxRateId": _NO_VAT},
        {"name": "Fuel – diesel", "reference": "7400", "appliesTo": ["fuelCard"], "carbonCategory": "diesel"},
        {
            "name": "Mobile phones",
            "reference": "7540",
            "appliesTo": ["purchase", "invoice"],
            "fixedAmount": Decimal("30.00"),
        },
        {"name": "Staff entertaining", "reference": "6120", "appliesTo": purchase, "requiresAttendees": True},
        {"name": "Petrol (closed)", "reference": "7999", "appliesTo": ["fuelCard"]},  # its account is gone
    ]
    return [*started_with, *matched]


def _departments() -> list[Row]:
    return [
        {"name": "Finance", "reference": "FIN", "approvalFlowId": "flow-finance", "visibility": "finance"},
        {"name": "Human Resources", "reference": "HR", "approvalFlowId": "flow-hr"},  # renamed at the source
        {"name": "Operations", "reference": "OPS"},
        {"name": "Sales", "reference": None, "visibility": "everyone"},  # a candidate by name
        {"name": "Canteen", "reference": "CANTEEN", "visibility": "hidden"},  # an orphan
    ]


def _projects(bi_codes: list[Row]) -> list[Row]:
    """Make projects for the first active BI codes: right, renamed, and closed by an admin."""
    active = [row for row in bi_codes if row["IsActive"]]
    right = [
        {
            "name": row["Description"],
            "reference": row["DepartmentID"],
            "appliesTo": ["purchase", "time", "invoice"],
        }
        for row in active[:6]
    ]
    renamed, closed = active[6], active[7]
    return [
        *right,
        {
            "name": "Working title 7",
            "reference": renamed["DepartmentID"],
            "description": "Ask Priya before booking to it.",
            "isBillable": True,
            "appliesTo": ["time"],
            "approvalFlowId": "flow-projects",
        },
        {
            "name": f"{closed['Description']} (closed)",
            "reference": closed["DepartmentID"],
            "isActive": False,  # active at the source; a sync leaves it so
            "visibility": "managers",
        },
        {"name": "Charity run", "reference": None, "appliesTo": ["purchase"]},
        {"name": "Canary Wharf snagging", "reference": "J0999", "isActive": False},  # an orphan
    ]


def _live_tax_rates() -> list[Row]:
    return [
        {"id": _NO_VAT, "name": "No VAT", "rate": 0},
        {"id": _STANDARD, "name": "Standard rate", "rate": 20},
        {"name": "Zero rated", "rate": 0},  # a candidate by name
        {
            "name": "VAT 20 % purchases",
            "reference": "P20",
            "rate": 20,
            "visibility": "finance",
        },  # an old name
        {"name": "Exempt", "reference": "E0", "rate": 0},
        {"name": "Irish VAT 13.5 % (reduced)", "reference": "IE135", "rate": 9},  # the rate has changed since
        {"name": "UK VAT 17.5 %", "reference": "S175", "rate": Decimal("17.5")},  # an orphan
    ]


def _live_suppliers(rows: list[Row]) -> list[Row]:
    """Make the suppliers that an account in use has: most of the ledger's, some with settings of an admin."""
    known = [
        row
        for number, row in enumerate(rows)
        if row["IsActive"] and "_expense_supplier" not in row and number % _NEW_IN_LEDGER
    ]
    live: list[Row] = [
        {"name": _old_name(row) if number % _RENAMED == 0 else row["Name"], "reference": row["Code"]}
        | _admin_settings(number)
        for number, row in enumerate(known)
    ]
    live[5]["isActive"] = False  # active at the source: a sync wakes it
    candidate = next(row for row in rows if row["IsActive"] and row not in known)
    return [
        *live,
        {"name": candidate["Name"], "email": "post@candidate.example"},  # no reference: a candidate
        {"name": "Closed & Gone Ltd", "reference": "CLOS9001", "paymentTerms": "30 days"},  # two orphans
        {"name": "Interim Staff Bureau", "reference": "INTE9002", "isActive": False},
    ]


def _old_name(row: Row) -> str:
    return f"{row['Name']} (formerly)"


def _admin_settings(number: int) -> Row:
    """Give some suppliers what an admin has entered by hand and no sync may touch."""
    if number % 25:
        return {}
    return {
        "email": f"remittance-{number}@supplier.example",
        "paymentMethod": "bankTransfer",
        "paymentTerms": f"{number % 4 * 15 + 15} days",
        "vatNumber": f"GB999{number:06d}",
        "invoicePolicy": "purchase order required",
        "approvalFlowId": "flow-invoices",
        "iban": f"GB00SAND{number:014d}",
        "sortCode": "00-00-00",
        "accountNumber": f"{number:08d}",
    }


def _users() -> list[Row]:
    return [
        {
            "firstName": first,
            "lastName": last,
            "name": f"{first} {last}",
            "email": f"user-{number}@acme.example",
            "isActive": True,
        }
        for number, (first, last) in enumerate(zip(FIRST_NAMES[:8], LAST_NAMES[:8], strict=True), 1)
    ]

"""The chart of accounts of the `company` seed."""

# ruff: noqa: RUF001 - real names have real dashes

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sandbox.seeds.state import Row

_REGIONS: Final = ("UK", "Ireland", "Rest of EU", "Rest of world")
_SALES: Final = (
    "Installation,Maintenance contracts,Call-out work,Design fees,Project management,Plant hire,Spare parts"
    ",Training courses,Software licences,Consultancy"
)
_FIXED_ASSETS: Final = (
    "Freehold property,Leasehold improvements,Plant & machinery,Tools & test equipment,Motor vehicles"
    ",Office equipment,Computer hardware,Computer software,Furniture & fittings,Solar panels"
)
_CURRENT_ASSETS: Final = (
    "Other debtors,Staff loans,Prepayments,Accrued income,Deposits paid,Stock – materials,Stock – spare parts"
    ",Work in progress,Intercompany – Ireland,Intercompany – Lab,Corporation tax recoverable,Retentions receivable"
)
_LIABILITIES: Final = (
    "Accruals,Deferred income,PAYE & National Insurance,Pension contributions payable,Net wages payable,Student"
    " loan deductions,Employee expenses payable,Corporation tax payable,Dividends payable,Retentions payable,Hire"
    " purchase,Bank loan,Directors' loans,Warranty provision,Holiday pay accrual,CIS deductions payable"
)
_COST_OF_SALES: Final = (
    "Materials – electrical,Materials – mechanical,Materials – civil,Subcontractors – labour only,Subcontractors –"
    " labour & materials,Site labour,Site labour overtime,Agency labour,Plant hire in,Scaffolding,Skip hire & waste"
    ",Carriage inwards,Import duty,Consumables,Site welfare,Permits & licences,Testing & commissioning,Warranty"
    " repairs,Stock write-offs,Stock movement"
)
_STAFF: Final = (
    "Salaries – administration,Salaries – sales,Salaries – engineering,Directors' remuneration,Employer's National"
    " Insurance,Employer's PRSI,Pension costs,Bonuses,Sales commission,Staff training,Recruitment fees,Staff welfare"
    ",Staff entertaining,Health insurance,Eye tests,Long service awards,Redundancy costs,Apprenticeship levy"
    ",Protective clothing,Professional subscriptions"
)
_PREMISES: Final = (
    "Rent,Rates,Service charges,Electricity,Gas,Water,Cleaning,Building repairs,Security,Fire safety,Waste"
    " collection,Landscaping,Buildings insurance,Storage units"
)
_TRAVEL: Final = (
    "Air travel,Rail travel,Taxis,Bus & tram,Ferries,Hotels,Subsistence – UK,Subsistence – abroad,Client"
    " entertaining,Mileage – own car,Mileage – company car,Car hire,Car parking,Tolls & congestion charges,Visas &"
    " vaccinations,Conferences"
)
_VEHICLES: Final = (
    "Fuel – diesel,Fuel – petrol,Electric charging,Vehicle leasing,Vehicle repairs,Vehicle insurance,Road tax,Tyres"
    ",Breakdown cover,Vehicle tracking"
)
_OFFICE: Final = (
    "Stationery,Postage & couriers,Printing & copying,Telephone – landline,Telephone – mobile,Broadband,Software"
    " subscriptions,Cloud hosting,IT support,Computer consumables,Books & journals,Kitchen supplies,Office"
    " equipment < £500,Meeting room hire,Archive storage,Sundry expenses"
)
_MARKETING: Final = (
    "Advertising – online,Advertising – print,Exhibitions,Sponsorship,Website,Brochures,Public relations,Market"
    " research,Corporate gifts,Photography & video"
)
_PROFESSIONAL: Final = (
    "Audit & accountancy,Legal fees,Payroll bureau,Tax advice,Consultancy fees,Surveyors' fees,Patent & trade mark"
    " fees,R&D claims,Debt collection,Company secretarial,Professional indemnity insurance,Employer's liability"
    " insurance,Public liability insurance,Cyber insurance"
)
_FINANCE: Final = (
    "Bank charges,Card processing fees,Overdraft interest,Loan interest,Hire purchase interest,Exchange gains &"
    " losses,Late payment interest,Interest received,Dividends received,Bad debts written off,Bad debt provision"
    ",Discounts allowed,Discounts received,Rounding differences"
)

BALANCE_SHEET: Final = ("BS", "Balance Sheet", "BalanceSheet")
PROFIT_AND_LOSS: Final = ("PL", "Profit & Loss", "ProfitAndLoss")


@dataclass(frozen=True)
class Section:
    """A run of accounts that differ in code and name only.

    Attributes:
        start: Code of the first, as written: leading zeros stay.
        step: How far the codes are apart.
        kind: Id and description of the category type, and the balance sheet type.
        category: Id and name of the GL category; the group is the same.
        subcategory: Id and name of the GL sub-category.
        names: Their names.
        account_type: As the product names it.
        tax: Code of the default tax code, "" for none.
        departmental: They want a BI code on each posting.
    """

    start: str
    step: int
    kind: tuple[str, str, str]
    category: tuple[str, str]
    subcategory: tuple[str, str]
    names: tuple[str, ...]
    account_type: str = "Posting"
    tax: str = ""
    departmental: bool = False


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _each(text: str, pattern: str, fillers: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(pattern.format(name, filler) for name in text.split(",") for filler in fillers)


_FIXED = ("FA", "Fixed assets")
_CURRENT = ("CA", "Current assets")
_CREDITORS = ("CL", "Current liabilities")
_CAPITAL = ("CR", "Capital & reserves")
_INCOME = ("SA", "Sales")
_COSTS = ("CS", "Cost of sales")
_OVERHEADS = ("OH", "Overheads")
_OTHER = ("FC", "Finance & other")

SECTIONS: Final = (
    Section("0010", 10, BALANCE_SHEET, _FIXED, ("FA1", "Cost"), _each(_FIXED_ASSETS, "{} – {}", ("cost",))),
    Section("0011", 10, BALANCE_SHEET, _FIXED, ("FA2", "Depreciation"), _each(_FIXED_ASSETS, "{} – {}", ("depreciation",))),
    Section("1000", 10, BALANCE_SHEET, _CURRENT, ("CA1", "Debtors & stock"), _names(_CURRENT_ASSETS)),
    Section("1150", 1, BALANCE_SHEET, _CURRENT, ("CA2", "Trade debtors"), ("Debtors control account",), "Control"),
    Section("1200", 10, BALANCE_SHEET, _CURRENT, ("CA3", "Bank"), ("Current account GBP", "Current account EUR", "Deposit account", "Payroll account", "Company cards", "Petty cash"), "Bank"),
    Section("2000", 1, BALANCE_SHEET, _CREDITORS, ("CL1", "Trade creditors"), ("Creditors control account",), "Control"),
    Section("2010", 10, BALANCE_SHEET, _CREDITORS, ("CL2", "Other creditors"), _names(_LIABILITIES)),
    Section("2200", 1, BALANCE_SHEET, _CREDITORS, ("CL3", "VAT"), ("VAT on sales", "VAT on purchases", "VAT liability", "Postponed VAT", "Irish VAT on sales", "Irish VAT on purchases"), "VAT"),
    Section("3000", 100, BALANCE_SHEET, _CAPITAL, ("CR1", "Reserves"), ("Ordinary shares", "Share premium", "Profit & loss account", "Revaluation reserve")),
    Section("4000", 10, PROFIT_AND_LOSS, _INCOME, ("SA1", "Trading income"), _each(_SALES, "{} – {}", _REGIONS), tax="S20", departmental=True),
    Section("4900", 10, PROFIT_AND_LOSS, _INCOME, ("SA2", "Other income"), ("Grants received", "Rent received", "Insurance claims", "Sundry income")),
    Section("5000", 10, PROFIT_AND_LOSS, _COSTS, ("CS1", "Direct costs"), _each(_COST_OF_SALES, "{} – {}", ("UK", "Ireland")), tax="P20", departmental=True),
    Section("6000", 10, PROFIT_AND_LOSS, _OVERHEADS, ("OH1", "Staff"), _names(_STAFF), departmental=True),
    Section("7000", 10, PROFIT_AND_LOSS, _OVERHEADS, ("OH2", "Premises"), _names(_PREMISES), tax="P20", departmental=True),
    Section("7200", 10, PROFIT_AND_LOSS, _OVERHEADS, ("OH3", "Travel & subsistence"), _names(_TRAVEL), tax="P20", departmental=True),
    Section("7400", 10, PROFIT_AND_LOSS, _OVERHEADS, ("OH4", "Motor expenses"), _names(_VEHICLES), tax="P20", departmental=True),
    Section("7500", 10, PROFIT_AND_LOSS, _OVERHEADS, ("OH5", "Office & IT"), _names(_OFFICE), tax="P20", departmental=True),
    Section("7700", 10, PROFIT_AND_LOSS, _OVERHEADS, ("OH6", "Marketing"), _names(_MARKETING), tax="P20", departmental=True),
    Section("7800", 10, PROFIT_AND_LOSS, _OVERHEADS, ("OH7", "Professional & insurance"), _names(_PROFESSIONAL), tax="P20", departmental=True),
    Section("8000", 10, PROFIT_AND_LOSS, _OTHER, ("FC1", "Finance"), _names(_FINANCE)),
    Section("8200", 10, PROFIT_AND_LOSS, _OTHER, ("FC2", "Depreciation"), _each(_FIXED_ASSETS, "Depreciation – {}{}", ("",))),
    Section("9998", 1, BALANCE_SHEET, _CREDITORS, ("CL9", "Suspense"), ("Suspense account", "Mispostings account")),
)  # fmt: skip

# Accounts that bookkeeping has retired.
_INACTIVE: Final = frozenset(
    {"0070", "0071", "4280", "4390", "5380", "6170", "7130", "7340", "7590", "7710", "8050"}
)


def chart_of_accounts(currency: str) -> list[Row]:
    """Make the chart of accounts.

    Args:
        currency: The entity's base currency; bank accounts say theirs.

    Returns:
        Rows of WSChartOfAccountLine in order of code.
    """
    rows = [
        _row(section, number, name, currency)
        for section in SECTIONS
        for number, name in enumerate(section.names)
    ]
    return sorted(rows, key=lambda row: str(row["Code"]))


def _row(section: Section, number: int, name: str, currency: str) -> Row:
    code = str(int(section.start) + number * section.step).zfill(len(section.start))
    type_id, type_description, balance_sheet_type = section.kind
    row: Row = {
        "Code": code,
        "Description": name,
        "AccountType": section.account_type,
        "GLCategoryID": section.category[0],
        "GLSubCategoryID": section.subcategory[0],
        "GLCategory": section.category[1],
        "GLSubCategory": section.subcategory[1],
        "IsDepartmental": section.departmental,
        "BalanceSheetType": balance_sheet_type,
        "GLCategoryTypeID": type_id,
        "GLCategoryTypeDescription": type_description,
        "IsActive": code not in _INACTIVE,
        "GLGroupID": "",
        "GLGroup": "",
    }
    if section.tax:
        row["DefaultTaxID"] = section.tax
    if section.account_type == "Bank":
        row["CurrencyCode"] = "EUR" if name.endswith("EUR") else currency
    return row

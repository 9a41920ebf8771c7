"""Supplier rows, as many as wanted: full of plausible and obviously false data.

Telephone numbers are of the ranges kept free for fiction, e-mail addresses end in `.example`, IBANs and VAT numbers fail
every check.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sandbox.accountsiq.service import EXPENSE_SUPPLIER
from sandbox.seeds.words import (
    FIRST_NAMES,
    LAST_NAMES,
    STREETS,
    SUPPLIER_ENDS,
    SUPPLIER_STARTS,
    SUPPLIER_TRADES,
    TOWNS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from sandbox.seeds.state import Row

_PAIRS: Final = len(SUPPLIER_STARTS) * len(SUPPLIER_TRADES)
_STRIDE: Final = 2_147_483_647  # a prime: multiples of it visit every pair of words before one comes again
_FOUNDED: Final = datetime(2015, 1, 5, 9, 0)  # the service's dates carry no zone
_TERMS: Final = ("NET7", "NET14", "NET30", "NET60")
_METHODS: Final = ("BACS", "SEPA", "CHQ", "DD")
_SELDOM_SET: Final[Row] = {
    "ExternalApproverID": 12,
    "LedgerType": "Purchases",
    "AreaID": "NORTH",
    "ShipViaID": "ROAD",
    "Address2": "Second Floor",
    "DeliveryAddress2": "Gate 3",
    "DeliveryCounty_State": "Fictionshire",
    "DeliveryPostCode": "ZZ1 1ZZ",
    "DeliveryPhone": "020 7946 0123",
    "DeliveryFax": "020 7946 0124",
    "Fax": "020 7946 0125",
    "VATExemptReference": "EX-000",
    "HeadOfficeAccountID": 1,
    "UseHeadOffice": False,
    "IsHeadOffice": False,
    "RegionID": "UK",
    "PriorityID": "NORMAL",
    "DeliveryRouteID": "R1",
    "PriceCategoryID": "TRADE",
    "PriceListID": "LIST1",
    "DepartmentID": "B00001",
    "AccountReferralID": "REF000",
    "MobilePhone": "07700 900123",
    "IsFranchise": False,
    "ContractorTaxCode": "C0",
    "EDICentralID": "EDI000",
    "EPaymentReference": "EPAY000",
    "SalesRepresentativeID": 7,
}
_INACTIVE_SHARE: Final = 40  # one in so many


def names(seed: int) -> Iterator[str]:
    """Make company names without end and without repetition.

    Args:
        seed: Decides the order.

    Returns:
        The names.
    """
    number = 0
    while True:
        pair = (number + seed) * _STRIDE % _PAIRS
        start, trade = divmod(pair, len(SUPPLIER_TRADES))
        lap = number // _PAIRS
        end = SUPPLIER_ENDS[(pair + lap) % len(SUPPLIER_ENDS)]
        middle = f" {lap + 1}" if lap else ""
        yield f"{SUPPLIER_STARTS[start]} {SUPPLIER_TRADES[trade]}{middle} {end}"
        number += 1


def code_of(name: str, number: int) -> str:
    """Make a supplier code the way bookkeepers do: four letters of the name and a number.

    Args:
        name: The supplier's name.
        number: A number that no other supplier has.

    Returns:
        An upper-case code such as "OBRI0042".
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    letters = "".join(filter(str.isalnum, plain)).upper()[:4]
    return f"{letters:X<4}{number:04d}"


def company_row(account_id: int, code: str, name: str, draw: Random, *, every_field: bool = False) -> Row:
    """Make a company that sends invoices.

    Args:
        account_id: Its AccountID.
        code: Its code.
        name: Its name.
        draw: Source of chance.
        every_field: Set all of its 69 fields, and none to an empty value.

    Returns:
        A row of Supplier, most of its fields set.
    """
    chance = draw.getrandbits(60)
    town, county, country, country_code, post_code, currency = TOWNS[chance % len(TOWNS)]
    digits = f"{chance % 1_000_000:06d}"
    first, last = FIRST_NAMES[(chance >> 8) % len(FIRST_NAMES)], LAST_NAMES[(chance >> 16) % len(LAST_NAMES)]
    street = f"{chance % 180 + 1} {STREETS[(chance >> 12) % len(STREETS)]}"
    phone = f"020 7946 0{digits[:3]}" if country_code == "GB" else f"020 911 {digits[:4]}"
    row = {
        "AccountID": account_id,
        "ExternalApproverID": None,
        "Code": code,
        "CountryCode": country_code,
        "Name": name,
        "GroupID": "TRADE",
        "DefaultTaxCode": "P20" if country_code == "GB" else "IE23",
        "AreaID": "",
        "BankAccountCode": "1200",
        "CountryID": country_code,
        "CreditTermID": _TERMS[(chance >> 20) % len(_TERMS)],
        "CurrencyCode": currency,
        "PaymentMethodID": _METHODS[(chance >> 24) % len(_METHODS)],
        "AuthorUserID": "SANDBOX",
        "CreationDate": (_FOUNDED + timedelta(minutes=(chance >> 28) % 5_000_000)).isoformat(),
        "Address1": street,
        "Address2": "" if chance & 1 else f"Unit {chance % 40 + 1}",
        "City": town,
        "County_State": county,
        "Country": country,
        "PostCode": f"{post_code} {chance % 9 + 1}ZZ",
        "Phone": phone,
        "Fax": "",
        "Email": f"accounts@supplier-{account_id}.example",
        "WebAddress": f"https://supplier-{account_id}.example/",
        "Contact": f"{first} {last}",
        "VATRegistrationNumber": f"{country_code}000{digits}",
        "DiscountRate": "0",
        "UseAccountTaxCode": bool(chance & 2),
        "DefaultGLAccountCode": "5000",
        "ControlGLAccountCode": "2000",
        "IsActive": chance % _INACTIVE_SHARE != 0,
        "Hold": 0,
        "HeadOfficeAccountID": None,
        "CreditLimit": f"{(chance >> 32) % 50 * 1000}.00",
        "InternationalBankAccountNumber": f"{country_code}00SAND{digits}{digits}",
        "BankSortCode": "00-00-00",
        "BankCode": digits,
        "BankSwiftCode": f"SAND{country_code}00",
        "RowVersionNumber": f"AAAA{chance % 10**7:07d}=",
        "SalesRepresentativeID": None,
    }
    if every_field:
        row = _SELDOM_SET | {field: value for field, value in row.items() if value not in ("", None)}
    if every_field or chance & 4:
        row |= {
            "DeliveryName": name,
            "DeliveryAddress1": street,
            "DeliveryCity": town,
            "DeliveryCountry": country,
            "DeliveryContact": f"{first} {last}",
            "Notes": "Deliveries before noon.\nRing the bell < 2 times & wait.",
        }
    return row


def employee_row(account_id: int, code: str, name: str, draw: Random) -> Row:
    """Make an employee who is set up as a supplier, for expenses to be paid out.

    Args:
        account_id: Its AccountID.
        code: Its code.
        name: The person's name.
        draw: Source of chance.

    Returns:
        A row of Supplier with a private address and IBAN, marked for ExcludeExpenseSuppliers.
    """
    row = company_row(account_id, code, name, draw)
    for field in ("WebAddress", "VATRegistrationNumber", "DeliveryName", "Notes"):
        row.pop(field, None)
    return row | {
        "GroupID": "TRADE",  # nothing on the wire tells an employee from a company
        "Email": f"person-{account_id}@home.example",
        "MobilePhone": f"07700 900{account_id % 1000:03d}",
        "Contact": name,
        "IsActive": True,
        EXPENSE_SUPPLIER: True,
    }

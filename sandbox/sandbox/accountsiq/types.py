"""The record types of Integration 2.0, as tables: what `emit` writes and what `wsdl` describes.

Both read this one module, so the answers and the WSDL cannot drift apart. The order of the fields is the order of the
elements on the wire; a type that extends another has its base's fields first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NAMESPACE: Final = "http://www.visorsoftware.com/visor/accountsiq/dashboard/Integration/"
"""Namespace of every element, and the beginning of every SOAPAction."""

# What .NET writes for a value type that nobody has set. A kind that is missing here is a reference type
# (a string, an object, a list): unset, its element is absent.
DEFAULTS: Final[dict[str, str]] = {
    "boolean": "false",
    "short": "0",
    "int": "0",
    "long": "0",
    "decimal": "0",
    "dateTime": "0001-01-01T00:00:00",
}

# The enumerations. Their default is what this sandbox serves: it holds suppliers only, so "Purchases".
ENUMERATIONS: Final[dict[str, tuple[str, ...]]] = {
    "OperationStatus": ("Success", "Failure", "NotCreated", "Created", "Conflicted", "Unknown", "InProgress"),
    "LedgerType": ("Sales", "Purchases", "General"),
    "WSApprovalType": ("SupplierBased", "BudgetHolderBased"),
}
ENUMERATION_DEFAULTS: Final[dict[str, str]] = {
    "OperationStatus": "Success",
    "LedgerType": "Purchases",
    "WSApprovalType": "SupplierBased",
}

# Published as an enumeration of 2,404 codes; here a plain string, so that a fault plan may send any of them.
OPEN_ENUMERATIONS: Final = ("VisorExceptionCodes",)


@dataclass(frozen=True)
class Field:
    """One element of a record.

    Attributes:
        name: The element's name, which is also the key in a row.
        kind: A simple XML Schema type ("string", "int" …), the name of an enumeration, of a type in `TYPES`, or
            "ArrayOf" + such a name.
        nillable: The element may carry `xsi:nil="true"`.
        required: The element is always there (minOccurs="1").
    """

    name: str
    kind: str = "string"
    nillable: bool = False
    required: bool = False


@dataclass(frozen=True)
class Type:
    """One complex type.

    Attributes:
        name: Its name in the contract.
        fields: Its own fields, in order.
        base: The type that it extends, whose fields come first.
        abstract: It never appears by itself.
    """

    name: str
    fields: tuple[Field, ...]
    base: str | None = None
    abstract: bool = False


def _texts(names: str) -> tuple[Field, ...]:
    return tuple(Field(name) for name in names.split())


def _values(kind: str, names: str) -> tuple[Field, ...]:
    return tuple(Field(name, kind, required=True) for name in names.split())


def _nullable(kind: str, name: str) -> Field:
    return Field(name, kind, nillable=True, required=True)


_ALL: Final[tuple[Type, ...]] = (
    Type(
        "OperationResult",
        (
            Field("Status", "OperationStatus", required=True),
            Field("ErrorCode", "VisorExceptionCodes", required=True),
            Field("ErrorMessage"),
        ),
    ),
    Type("WSResultStatus", _values("boolean", "HasExpired"), base="OperationResult"),
    Type("ObjectBase", ()),
    Type("InfoBase", _texts("ID Code Description RowVersionNumber"), base="ObjectBase"),
    Type(
        "Department",
        (
            *_texts("DepartmentID Description"),
            *_texts("AnalysisCode1 AnalysisCode2 AnalysisCode3 AnalysisCode4 AnalysisCode5 AnalysisCode6"),
            *_values("boolean", "IsActive"),
        ),
    ),
    Type("WSAnalysisDimensionCode", _texts("Code Description")),
    Type(
        "WSAnalysisDimension",
        (*_texts("Code Description"), Field("DimensionCodes", "ArrayOfWSAnalysisDimensionCode")),
    ),
    Type("WSEntity", _texts("EntityID EntityName BaseCurrency")),
    Type(
        "Account",
        (
            *_values("int", "AccountID"),
            _nullable("int", "ExternalApproverID"),
            *_values("LedgerType", "LedgerType"),
            *_texts(
                "Code CountryCode Name GroupID DefaultTaxCode AreaID BankAccountCode CountryID CreditTermID"
            ),
            *_texts("CurrencyCode PaymentMethodID AuthorUserID ShipViaID"),
            *_values("dateTime", "CreationDate"),
            *_texts("Address1 Address2 City County_State Country PostCode"),
            *_texts("DeliveryName DeliveryAddress1 DeliveryAddress2 DeliveryCity DeliveryCounty_State"),
            *_texts("DeliveryCountry DeliveryPostCode DeliveryContact DeliveryPhone DeliveryFax"),
            *_texts("Phone Fax Email WebAddress Contact VATRegistrationNumber VATExemptReference"),
            *_values("decimal", "DiscountRate"),
            *_values("boolean", "UseAccountTaxCode"),
            *_texts("DefaultGLAccountCode ControlGLAccountCode"),
            *_values("boolean", "IsActive"),
            *_values("short", "Hold"),
            _nullable("int", "HeadOfficeAccountID"),
            *_texts("Notes"),
            *_values("boolean", "UseHeadOffice IsHeadOffice"),
            *_values("decimal", "CreditLimit"),
            *_texts("RegionID PriorityID DeliveryRouteID PriceCategoryID PriceListID DepartmentID"),
            *_texts("InternationalBankAccountNumber BankSortCode BankCode BankSwiftCode"),
            *_texts("AccountReferralID MobilePhone"),
            *_values("boolean", "IsFranchise"),
            *_texts("ContractorTaxCode RowVersionNumber EDICentralID EPaymentReference"),
            _nullable("long", "SalesRepresentativeID"),
        ),
        base="ObjectBase",
    ),
    Type("Supplier", (), base="Account"),
    Type(
        "WSChartOfAccountLine",
        (
            *_texts("Code Description AccountType DefaultTaxID GLCategoryID GLSubCategoryID GLCategory"),
            *_texts("GLSubCategory DepartmentID"),
            *_values("boolean", "IsDepartmental"),
            *_texts("BalanceSheetType GLCategoryTypeID GLCategoryTypeDescription"),
            *_values("boolean", "IsActive"),
            *_texts("CurrencyCode GLGroupID GLGroup"),
        ),
    ),
    Type(
        "InfoCheckerBase",
        _values("int", "IdLength CodeLength DescriptionLength AuthorLength"),
        abstract=True,
    ),
    Type("TaxChecker", (), base="InfoCheckerBase"),
    Type(
        "Tax",
        (
            *_values("decimal", "Rate"),
            *_values("boolean", "EuropeanCommunitySales EuropeanCommunityPurchases EUTrade"),
            Field("ReverseCharge", "boolean", nillable=True),
            *_values("boolean", "IsGoods PartialReclaim"),
            *_values("decimal", "PartialReclaimRate"),
            *_values("boolean", "IsDefault IsTaxExclude IsStandardRate"),
            _nullable("decimal", "GrossThreshold"),
            _nullable("decimal", "NetThreshold"),
            _nullable("int", "TaxTypeId"),
            *_values("boolean", "SalesTaxInclude PurchasesTaxInclude"),
            *_texts("DebitGlAccno CreditGlAccno WithHoldingTaxGLAccount"),
            *_values("boolean", "IsWithHoldingTax Is1099Code"),
            Field("Checker", "TaxChecker"),
        ),
        base="InfoBase",
    ),
    Type("WSAddress", _texts("Line1 Line2 City County PostZipCode CountryState")),
    Type("WSContactInformation", _texts("LandlineNumber MobileNumber FaxNumber EmailAddress WebSite")),
    Type(
        "WSAutoNumberingSettings",
        tuple(
            field
            for document in ("SalesQuote", "SalesOrder", "SalesInvoice", "SalesCreditNote", "PurchaseOrder")
            for field in (
                Field(f"UseAuto{document}Numbering", "boolean", required=True),
                Field(f"Current{document}Number"),
            )
        ),
    ),
    Type("WSPrecisionSettings", _values("int", "PricePrecisionDecimals QuantityPrecisionDecimals")),
    Type(
        "WSApprovalSettings",
        (
            *_values("boolean", "IsPurchaseApprovalEnabled IsPurchaseBatchPaymentApprovalEnabled"),
            *_values("WSApprovalType", "ApprovalType"),
        ),
    ),
    Type(
        "WSCompanyInformation",
        (
            *_texts("CompanyName LocaleName BaseCurrencyCode"),
            Field("Address", "WSAddress"),
            Field("ContactInformation", "WSContactInformation"),
            Field("AutoNumberingSettings", "WSAutoNumberingSettings"),
            Field("PrecisionSettings", "WSPrecisionSettings"),
            Field("ApprovalSettings", "WSApprovalSettings"),
            *_texts("TaxRegistrationNumber RegistrationNumber EDIIdentifier"),
            *_values("boolean", "IsConsolidationCompany"),
        ),
    ),
    Type("TokenGetResponse", _texts("AccessToken RefreshToken")),
    Type("TokenRefreshResponse", _texts("AccessToken RefreshToken")),
    Type("AiqSoapHeader", _texts("Entity AccessToken")),
    Type(
        "WSGetDepartmentsByQuery",
        (_nullable("dateTime", "FromLastModifiedDateInUTC"),),
    ),
    Type(
        "WSGetSuppliersByQuery",
        (
            Field("Emails", "ArrayOfString"),
            *_values("boolean", "ExcludeExpenseSuppliers"),
            _nullable("dateTime", "FromLastModifiedDateInUTC"),
        ),
    ),
)

TYPES: Final[dict[str, Type]] = {declared.name: declared for declared in _ALL}
"""Every complex type that is not a list or an envelope, by name."""


def fields_of(type_name: str) -> tuple[Field, ...]:
    """List the fields of a type in the order of the wire, inherited ones first.

    Args:
        type_name: A key of `TYPES`.

    Returns:
        The fields.
    """
    declared = TYPES[type_name]
    return (*fields_of(declared.base), *declared.fields) if declared.base else declared.fields


def item_of(kind: str) -> str | None:
    """Name the type of the entries of a list.

    Args:
        kind: A field's kind.

    Returns:
        The entries' type ("string" for "ArrayOfString"), None when the kind is no list.
    """
    return _item_name(kind.removeprefix("ArrayOf")) if kind.startswith("ArrayOf") else None


def _item_name(name: str) -> str:
    return "string" if name == "String" else name

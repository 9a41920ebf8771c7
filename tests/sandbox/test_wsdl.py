"""The WSDL is true: a generic SOAP client reads every operation with it, and every answer is valid by its schema."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import requests
import zeep
from lxml import etree
from sandbox.accountsiq.operations import OPERATIONS
from sandbox.testing import Sandbox
from zeep.plugins import HistoryPlugin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

XSD = "{http://www.w3.org/2001/XMLSchema}"
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
QUERIES: dict[str, dict[str, Any]] = {
    "GetDepartmentsBy": {"query": {"FromLastModifiedDateInUTC": datetime(2020, 1, 1)}},
    "GetSuppliersBy": {
        "query": {"Emails": None, "ExcludeExpenseSuppliers": True, "FromLastModifiedDateInUTC": zeep.xsd.Nil}
    },
}
# The published contract, written down a second time: fields in the order of the wire; ":kind" unless it is a string,
# "!" for those that are always there, "?" for those that may be nil.
CONTRACT: dict[str, str] = {
    "Department": (
        "DepartmentID Description AnalysisCode1 AnalysisCode2 AnalysisCode3 AnalysisCode4 AnalysisCode5 "
        "AnalysisCode6 IsActive:boolean!"
    ),
    "WSAnalysisDimension": "Code Description DimensionCodes:ArrayOfWSAnalysisDimensionCode",
    "WSAnalysisDimensionCode": "Code Description",
    "WSEntity": "EntityID EntityName BaseCurrency",
    "Supplier": (
        "AccountID:int! ExternalApproverID:int!? LedgerType:LedgerType! Code CountryCode Name GroupID "
        "DefaultTaxCode AreaID BankAccountCode CountryID CreditTermID CurrencyCode PaymentMethodID "
        "AuthorUserID ShipViaID CreationDate:dateTime! Address1 Address2 City County_State Country "
        "PostCode DeliveryName DeliveryAddress1 DeliveryAddress2 DeliveryCity DeliveryCounty_State "
        "DeliveryCountry DeliveryPostCode DeliveryContact DeliveryPhone DeliveryFax Phone Fax Email "
        "WebAddress Contact VATRegistrationNumber VATExemptReference DiscountRate:decimal! "
        "UseAccountTaxCode:boolean! DefaultGLAccountCode ControlGLAccountCode IsActive:boolean! "
        "Hold:short! HeadOfficeAccountID:int!? Notes UseHeadOffice:boolean! IsHeadOffice:boolean! "
        "CreditLimit:decimal! RegionID PriorityID DeliveryRouteID PriceCategoryID PriceListID "
        "DepartmentID InternationalBankAccountNumber BankSortCode BankCode BankSwiftCode "
        "AccountReferralID MobilePhone IsFranchise:boolean! ContractorTaxCode RowVersionNumber "
        "EDICentralID EPaymentReference SalesRepresentativeID:long!?"
    ),
    "WSChartOfAccountLine": (
        "Code Description AccountType DefaultTaxID GLCategoryID GLSubCategoryID GLCategory GLSubCategory "
        "DepartmentID IsDepartmental:boolean! BalanceSheetType GLCategoryTypeID "
        "GLCategoryTypeDescription IsActive:boolean! CurrencyCode GLGroupID GLGroup"
    ),
    "Tax": (
        "ID Code Description RowVersionNumber Rate:decimal! EuropeanCommunitySales:boolean! "
        "EuropeanCommunityPurchases:boolean! EUTrade:boolean! ReverseCharge:boolean? IsGoods:boolean! "
        "PartialReclaim:boolean! PartialReclaimRate:decimal! IsDefault:boolean! IsTaxExclude:boolean! "
        "IsStandardRate:boolean! GrossThreshold:decimal!? NetThreshold:decimal!? TaxTypeId:int!? "
        "SalesTaxInclude:boolean! PurchasesTaxInclude:boolean! DebitGlAccno CreditGlAccno "
        "WithHoldingTaxGLAccount IsWithHoldingTax:boolean! Is1099Code:boolean! Checker:TaxChecker"
    ),
    "TaxChecker": "IdLength:int! CodeLength:int! DescriptionLength:int! AuthorLength:int!",
    "WSCompanyInformation": (
        "CompanyName LocaleName BaseCurrencyCode Address:WSAddress "
        "ContactInformation:WSContactInformation AutoNumberingSettings:WSAutoNumberingSettings "
        "PrecisionSettings:WSPrecisionSettings ApprovalSettings:WSApprovalSettings TaxRegistrationNumber "
        "RegistrationNumber EDIIdentifier IsConsolidationCompany:boolean!"
    ),
    "WSAddress": "Line1 Line2 City County PostZipCode CountryState",
    "WSContactInformation": "LandlineNumber MobileNumber FaxNumber EmailAddress WebSite",
    "WSAutoNumberingSettings": (
        "UseAutoSalesQuoteNumbering:boolean! CurrentSalesQuoteNumber UseAutoSalesOrderNumbering:boolean! "
        "CurrentSalesOrderNumber UseAutoSalesInvoiceNumbering:boolean! CurrentSalesInvoiceNumber "
        "UseAutoSalesCreditNoteNumbering:boolean! CurrentSalesCreditNoteNumber "
        "UseAutoPurchaseOrderNumbering:boolean! CurrentPurchaseOrderNumber"
    ),
    "WSPrecisionSettings": "PricePrecisionDecimals:int! QuantityPrecisionDecimals:int!",
    "WSApprovalSettings": (
        "IsPurchaseApprovalEnabled:boolean! IsPurchaseBatchPaymentApprovalEnabled:boolean! "
        "ApprovalType:WSApprovalType!"
    ),
    "WSResult2OfArrayOfTax": (
        "Status:OperationStatus! ErrorCode:VisorExceptionCodes! ErrorMessage HasExpired:boolean! "
        "Result:ArrayOfTax"
    ),
    "WSResult3OfTokenGetResponse": "Result:TokenGetResponse Status ErrorCode ErrorMessage",
    "WSResult3OfTokenRefreshResponse": "Result:TokenRefreshResponse Status ErrorCode ErrorMessage",
    "TokenGetResponse": "AccessToken RefreshToken",
    "TokenRefreshResponse": "AccessToken RefreshToken",
    "AiqSoapHeader": "Entity AccessToken",
    "WSGetDepartmentsByQuery": "FromLastModifiedDateInUTC:dateTime!?",
    "WSGetSuppliersByQuery": (
        "Emails:ArrayOfString ExcludeExpenseSuppliers:boolean! FromLastModifiedDateInUTC:dateTime!?"
    ),
}
READS = [operation.name for operation in OPERATIONS.values() if operation.needs_token]


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(seed="company") as running:
        yield running


@pytest.fixture(scope="module")
def history() -> HistoryPlugin:
    return HistoryPlugin()


@pytest.fixture(scope="module")
def client(box: Sandbox, history: HistoryPlugin) -> Iterator[zeep.Client]:
    with requests.Session() as session:
        yield zeep.Client(
            f"{box.accountsiq_url}?wsdl", transport=zeep.Transport(session=session), plugins=[history]
        )


@pytest.fixture(scope="module")
def token(box: Sandbox, client: zeep.Client) -> str:
    answer = client.service.TokenGet(clientId=box.client_id, clientSecret=box.client_secret)
    assert (answer.Status, answer.ErrorCode, answer.ErrorMessage) == ("Success", "SUCCESS", None)
    return str(answer.Result.AccessToken)


@pytest.fixture(scope="module")
def document(box: Sandbox) -> etree._Element:
    response = requests.get(f"{box.accountsiq_url}?WSDL", timeout=10)
    assert response.headers["Content-Type"] == "text/xml; charset=utf-8"
    return etree.fromstring(response.content)


@pytest.fixture(scope="module")
def assert_last_answer_is_valid(document: etree._Element, history: HistoryPlugin) -> Callable[[], None]:
    (found,) = document.iter(f"{XSD}schema")
    schema = etree.XMLSchema(etree.fromstring(etree.tostring(found)))  # with the prefixes that it inherits

    def check() -> None:
        schema.assertValid(history.last_received["envelope"].find(f"{SOAP}Body")[0])

    return check


def read(client: zeep.Client, token: str, entity: str, operation: str) -> Any:
    header = {"AiqSoapHeader": {"Entity": entity, "AccessToken": token}}
    return client.service[operation](**QUERIES.get(operation, {}), _soapheaders=header)


def declared_fields(document: etree._Element, type_name: str) -> list[str]:
    """The fields of a type as `CONTRACT` writes them, inherited ones first."""
    (declared,) = document.iterfind(f".//{XSD}complexType[@name='{type_name}']")
    extension = declared.find(f".//{XSD}extension")
    inherited = [] if extension is None else declared_fields(document, extension.get("base").split(":")[1])
    for field in declared.iter(f"{XSD}element"):
        kind = field.get("type").split(":")[1]
        kind = "" if kind == "string" else f":{kind}"
        required = "!" if field.get("minOccurs") == "1" else ""
        inherited.append(f"{field.get('name')}{kind}{required}{'?' if field.get('nillable') else ''}")
    return inherited


def test_the_wsdl_names_this_server(box: Sandbox, document: etree._Element) -> None:
    (address,) = document.iter("{http://schemas.xmlsoap.org/wsdl/soap/}address")
    assert address.get("location") == box.accountsiq_url


def test_the_wsdl_offers_every_operation(client: zeep.Client) -> None:
    assert set(client.service._operations) == set(OPERATIONS)


@pytest.mark.parametrize(("type_name", "expected"), CONTRACT.items())
def test_a_type_has_the_fields_of_the_contract(
    document: etree._Element, type_name: str, expected: str
) -> None:
    assert " ".join(declared_fields(document, type_name)) == expected


@pytest.mark.parametrize("entity", ["ACME_UK", "ACME_IE", "ACME_LAB"])
@pytest.mark.parametrize("operation", READS)
def test_a_generic_client_reads_every_operation_and_the_answer_is_valid(
    client: zeep.Client,
    token: str,
    assert_last_answer_is_valid: Callable[[], None],
    operation: str,
    entity: str,
) -> None:
    answer = read(client, token, entity, operation)
    assert (answer.Status, answer.ErrorCode) == ("Success", "SUCCESS")
    assert_last_answer_is_valid()


def test_a_generic_client_refreshes_its_token(
    box: Sandbox, client: zeep.Client, assert_last_answer_is_valid: Callable[[], None]
) -> None:
    credentials = {"clientId": box.client_id, "clientSecret": box.client_secret}
    first = client.service.TokenGet(**credentials).Result
    second = client.service.TokenRefresh(**credentials, refreshToken=first.RefreshToken).Result
    assert second.AccessToken != first.AccessToken
    assert read(client, second.AccessToken, "ACME_UK", "GetTaxCodeList").Status == "Success"
    refused = client.service.TokenRefresh(**credentials, refreshToken=first.RefreshToken)
    assert (refused.Status, refused.Result) == ("Failure", None)
    assert_last_answer_is_valid()


def test_a_refusal_is_valid_by_the_schema(
    client: zeep.Client, token: str, assert_last_answer_is_valid: Callable[[], None]
) -> None:
    refused = read(client, token, "NOBODY", "GetSupplierList")
    assert (refused.Status, refused.ErrorCode) == ("Failure", "API_LAYER_ENTITY_ID_NOT_FOUND")
    assert_last_answer_is_valid()


def test_what_the_client_reads_is_what_the_store_holds(box: Sandbox, client: zeep.Client, token: str) -> None:
    suppliers = read(client, token, "ACME_UK", "GetSupplierList").Result.Supplier
    expected = box.source("ACME_UK", "suppliers")
    assert [(row.AccountID, row.Code, row.Name, row.IsActive) for row in suppliers] == [
        (row["AccountID"], row["Code"], row["Name"], row["IsActive"]) for row in expected
    ]
    without_employees = read(client, token, "ACME_UK", "GetSuppliersBy").Result.Supplier
    assert len(without_employees) == sum("_expense_supplier" not in row for row in expected) < len(expected)
    taxes = read(client, token, "ACME_UK", "GetTaxCodeList").Result.Tax
    assert {tax.Rate for tax in taxes} == {Decimal("0"), Decimal("0.135"), Decimal("0.20"), Decimal("0.23")}
    dimensions = read(client, token, "ACME_UK", "GetAnalysisDimensionSetup").Result.WSAnalysisDimension
    assert [(row.Description, len(row.DimensionCodes.WSAnalysisDimensionCode)) for row in dimensions] == [
        (row["Description"], len(row["DimensionCodes"])) for row in box.source("ACME_UK", "dimensions")
    ]

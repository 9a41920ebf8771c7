"""The AccountsIQ side, over HTTP: every operation byte for byte, every refusal by its code."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import pytest
import requests
from sandbox.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACE = "http://www.visorsoftware.com/visor/accountsiq/dashboard/Integration/"
APPS = "OAUTH_INTEGRATION_APPS_"


def envelope(body: str, header: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:i="http://www.w3.org/2001/XMLSchema-instance">'
        f"{header and f'<e:Header>{header}</e:Header>'}<e:Body>{body}</e:Body></e:Envelope>"
    )


def operation_element(operation: str, parameters: str = "") -> str:
    return f'<{operation} xmlns="{NAMESPACE}">{parameters}</{operation}>'


def soap_header(entity: str | None, token: str | None) -> str:
    parts = [("Entity", entity), ("AccessToken", token)]
    content = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in parts if value is not None)
    return f'<AiqSoapHeader xmlns="{NAMESPACE}">{content}</AiqSoapHeader>'


def answer_to(operation: str, content: str) -> str:
    """What the service sends for an operation, its Result element's content given by hand."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body>'
        f'<{operation}Response xmlns="{NAMESPACE}"><{operation}Result>{content}</{operation}Result></{operation}Response>'
        "</soap:Body></soap:Envelope>"
    )


def found(text: str, element: str) -> list[str]:
    """The texts of all elements with this name, in order."""
    return re.findall(f"<{element}>([^<]*)</{element}>", text)


def error_of(response: requests.Response) -> str:
    """The code of a refusal that came in-band."""
    assert response.status_code == 200
    assert found(response.text, "Status") == ["Failure"]
    assert "<Result" not in response.text
    assert found(response.text, "ErrorMessage")[0]
    (code,) = found(response.text, "ErrorCode")
    return code


def fault_of(response: requests.Response) -> tuple[str, str]:
    """Code and words of a fault."""
    assert response.status_code == 500
    assert response.headers["Content-Type"] == "text/xml; charset=utf-8"
    ((code, words),) = re.findall(
        "<soap:Body><soap:Fault><faultcode>(.*)</faultcode><faultstring>(.*)</faultstring><detail /></soap:Fault></soap:Body>",
        response.text,
    )
    return code, words


class Soap:
    """A signed-in client for one entity."""

    def __init__(self, box: Sandbox) -> None:
        """Sign in."""
        self._box = box
        self.entity = box.entities[0]
        self.token, self.refresh_token = self.tokens(self.token_get())

    def post(
        self, operation: str, document: str | bytes, headers: dict[str, str | None] | None = None
    ) -> requests.Response:
        """Send a document; headers given here replace the usual ones, None removes one."""
        usual = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": NAMESPACE + operation}
        body = document.encode() if isinstance(document, str) else document
        return requests.post(
            self._box.accountsiq_url,
            data=body,
            headers={name: value for name, value in (usual | (headers or {})).items() if value is not None},
            timeout=30,
        )

    def call(
        self,
        operation: str,
        parameters: str = "",
        *,
        entity: str | None = None,
        headers: dict[str, str | None] | None = None,
    ) -> requests.Response:
        """Call an operation with the header that belongs to it."""
        header = soap_header(entity or self.entity, self.token)
        return self.post(operation, envelope(operation_element(operation, parameters), header), headers)

    def since(self, operation: str, moment: str | None, *, more: str = "") -> requests.Response:
        """Call an operation whose query has FromLastModifiedDateInUTC."""
        element = "FromLastModifiedDateInUTC"
        date = f'<{element} i:nil="true" />' if moment is None else f"<{element}>{moment}</{element}>"
        return self.call(operation, f"<query>{more}{date}</query>")

    def token_get(self, client_id: str | None = None, client_secret: str | None = None) -> requests.Response:
        """Call TokenGet, with the right credentials unless others are given."""
        return self._sign_in("TokenGet", client_id, client_secret)

    def token_refresh(self, token: str) -> requests.Response:
        """Call TokenRefresh."""
        return self._sign_in("TokenRefresh", None, None, f"<refreshToken>{token}</refreshToken>")

    def tokens(self, response: requests.Response) -> tuple[str, str]:
        """The pair that a sign-in gave out."""
        assert response.status_code == 200
        (access,) = found(response.text, "AccessToken")
        (refresh,) = found(response.text, "RefreshToken")
        return access, refresh

    def _sign_in(
        self, operation: str, client_id: str | None, client_secret: str | None, more: str = ""
    ) -> requests.Response:
        client_id = self._box.client_id if client_id is None else client_id
        secret = self._box.client_secret if client_secret is None else client_secret
        parameters = f"<clientId>{client_id}</clientId><clientSecret>{secret}</clientSecret>{more}"
        return self.post(operation, envelope(operation_element(operation, parameters)))


GOOD = "<Status>Success</Status><ErrorCode>SUCCESS</ErrorCode><HasExpired>true</HasExpired>"
OTHER = "ACME_IE"
SEED = {
    "accountsiq": {
        "application": {"entities": ["ACME_UK", OTHER]},
        "entities": {
            "ACME_UK": {"name": "Acme & Co", "base_currency": "GBP"},
            OTHER: {"name": "Acme Ireland", "base_currency": "EUR"},
            "STRANGER": {"name": "Not ours"},
        },
    }
}
LISTS = {
    "GetChartOfAccounts": "accounts",
    "GetAnalysisDimensionSetup": "dimensions",
    "GetDepartmentList": "bi_codes",
    "GetTaxCodeList": "tax_codes",
    "GetSupplierList": "suppliers",
    "GetActiveSupplierList": "suppliers",
}


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(seed=SEED) as running:
        yield running


@pytest.fixture
def soap(box: Sandbox) -> Soap:
    return Soap(box)


def put(box: Sandbox, dataset: str, *rows: dict[str, Any]) -> None:
    box.set_source("ACME_UK", dataset, list(rows))


# Exact bytes


def test_accounts_are_written_as_dotnet_writes_them(box: Sandbox, soap: Soap) -> None:
    put(
        box,
        "accounts",
        {
            "Code": "0100",
            "Description": 'Heat & light < "£5"',
            "AccountType": "",
            "GLCategory": None,
            "IsActive": True,
        },
    )
    response = soap.call("GetChartOfAccounts")
    assert response.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert response.content.decode() == answer_to(
        "GetChartOfAccounts",
        f"{GOOD}<Result><WSChartOfAccountLine><Code>0100</Code>"
        '<Description>Heat &amp; light &lt; "£5"</Description><AccountType />'
        "<IsDepartmental>false</IsDepartmental><IsActive>true</IsActive></WSChartOfAccountLine></Result>",
    )


def test_dimensions_hold_their_options_and_null_entries_are_nil(box: Sandbox, soap: Soap) -> None:
    put(
        box,
        "dimensions",
        {
            "Code": "DEPT",
            "Description": "Department",
            "DimensionCodes": [{"Code": "FIN", "Description": ""}, None],
        },
        {"Code": "EMPTY", "DimensionCodes": []},
        {"Code": "NULL", "DimensionCodes": None},
        {"_nil": True},
    )
    assert soap.call("GetAnalysisDimensionSetup").text == answer_to(
        "GetAnalysisDimensionSetup",
        f"{GOOD}<Result>"
        "<WSAnalysisDimension><Code>DEPT</Code><Description>Department</Description><DimensionCodes>"
        "<WSAnalysisDimensionCode><Code>FIN</Code><Description /></WSAnalysisDimensionCode>"
        '<WSAnalysisDimensionCode xsi:nil="true" /></DimensionCodes></WSAnalysisDimension>'
        "<WSAnalysisDimension><Code>EMPTY</Code><DimensionCodes /></WSAnalysisDimension>"
        "<WSAnalysisDimension><Code>NULL</Code></WSAnalysisDimension>"
        '<WSAnalysisDimension xsi:nil="true" /></Result>',
    )


@pytest.mark.parametrize("operation", ["GetDepartmentList", "GetDepartmentsBy"])
def test_bi_codes_come_whole_or_by_query(box: Sandbox, soap: Soap, operation: str) -> None:
    put(
        box,
        "bi_codes",
        {
            "DepartmentID": "007 ",
            "Description": "Bond",
            "AnalysisCode1": "FIN",
            "AnalysisCode2": "",
            "IsActive": True,
        },
        {"DepartmentID": "OLD"},
    )
    response = soap.since(operation, None) if operation == "GetDepartmentsBy" else soap.call(operation)
    assert response.text == answer_to(
        operation,
        f"{GOOD}<Result><Department><DepartmentID>007 </DepartmentID><Description>Bond</Description>"
        "<AnalysisCode1>FIN</AnalysisCode1><AnalysisCode2 /><IsActive>true</IsActive></Department>"
        "<Department><DepartmentID>OLD</DepartmentID><IsActive>false</IsActive></Department></Result>",
    )


def test_tax_codes_keep_their_digits_and_reverse_charge_is_absent_nil_or_a_value(
    box: Sandbox, soap: Soap
) -> None:
    put(
        box,
        "tax_codes",
        {
            "ID": "1",
            "Code": "A",
            "Rate": Decimal("0.1350"),
            "GrossThreshold": "1E+2",
            "Checker": {"IdLength": 10},
        },
        {"Code": "B", "Rate": 0, "ReverseCharge": None},
        {
            "Code": "C",
            "Rate": "0.20",
            "ReverseCharge": False,
            "NetThreshold": Decimal("1E+2"),
            "TaxTypeId": 4,
        },
    )
    eu = (
        "<EuropeanCommunitySales>false</EuropeanCommunitySales>"
        "<EuropeanCommunityPurchases>false</EuropeanCommunityPurchases><EUTrade>false</EUTrade>"
    )
    goods = (
        "<IsGoods>false</IsGoods><PartialReclaim>false</PartialReclaim>"
        "<PartialReclaimRate>0</PartialReclaimRate><IsDefault>false</IsDefault>"
        "<IsTaxExclude>false</IsTaxExclude><IsStandardRate>false</IsStandardRate>"
    )
    end = (
        "<SalesTaxInclude>false</SalesTaxInclude><PurchasesTaxInclude>false</PurchasesTaxInclude>"
        "<IsWithHoldingTax>false</IsWithHoldingTax><Is1099Code>false</Is1099Code>"
    )
    nothing = '<NetThreshold xsi:nil="true" /><TaxTypeId xsi:nil="true" />'
    assert soap.call("GetTaxCodeList").text == answer_to(
        "GetTaxCodeList",
        f"{GOOD}<Result>"
        f"<Tax><ID>1</ID><Code>A</Code><Rate>0.1350</Rate>{eu}{goods}<GrossThreshold>1E+2</GrossThreshold>"
        f"{nothing}{end}<Checker><IdLength>10</IdLength><CodeLength>0</CodeLength>"
        "<DescriptionLength>0</DescriptionLength><AuthorLength>0</AuthorLength></Checker></Tax>"
        f'<Tax><Code>B</Code><Rate>0</Rate>{eu}<ReverseCharge xsi:nil="true" />{goods}'
        f'<GrossThreshold xsi:nil="true" />{nothing}{end}</Tax>'
        f"<Tax><Code>C</Code><Rate>0.20</Rate>{eu}<ReverseCharge>false</ReverseCharge>{goods}"
        '<GrossThreshold xsi:nil="true" /><NetThreshold>100</NetThreshold><TaxTypeId>4</TaxTypeId>'
        f"{end}</Tax></Result>",
    )


@pytest.mark.parametrize("operation", ["GetSupplierList", "GetActiveSupplierList", "GetSuppliersBy"])
def test_suppliers_are_written_as_dotnet_writes_them(box: Sandbox, soap: Soap, operation: str) -> None:
    put(
        box,
        "suppliers",
        {
            "AccountID": 7,
            "Code": "OBRI",
            "Name": "O'Brien & Søn ]]> 東京",
            "County_State": "",
            "CreationDate": "2020-02-29T12:00:00.123",
            "IsActive": True,
            "SalesRepresentativeID": 12345678901,
            "_expense_supplier": True,
        },
    )
    response = soap.since(operation, None) if operation == "GetSuppliersBy" else soap.call(operation)
    assert response.text == answer_to(
        operation,
        f"{GOOD}<Result><Supplier><AccountID>7</AccountID>"
        '<ExternalApproverID xsi:nil="true" /><LedgerType>Purchases</LedgerType><Code>OBRI</Code>'
        "<Name>O'Brien &amp; Søn ]]&gt; 東京</Name><CreationDate>2020-02-29T12:00:00.123</CreationDate>"
        "<County_State /><DiscountRate>0</DiscountRate><UseAccountTaxCode>false</UseAccountTaxCode>"
        '<IsActive>true</IsActive><Hold>0</Hold><HeadOfficeAccountID xsi:nil="true" />'
        "<UseHeadOffice>false</UseHeadOffice><IsHeadOffice>false</IsHeadOffice><CreditLimit>0</CreditLimit>"
        "<IsFranchise>false</IsFranchise><SalesRepresentativeID>12345678901</SalesRepresentativeID>"
        "</Supplier></Result>",
    )


def test_entities_are_those_of_the_application_and_need_no_entity_in_the_header(soap: Soap) -> None:
    document = envelope(operation_element("GetEntitiesByToken"), soap_header(None, soap.token))
    assert soap.post("GetEntitiesByToken", document).text == answer_to(
        "GetEntitiesByToken",
        f"{GOOD}<Result>"
        "<WSEntity><EntityID>ACME_UK</EntityID><EntityName>Acme &amp; Co</EntityName>"
        "<BaseCurrency>GBP</BaseCurrency></WSEntity>"
        "<WSEntity><EntityID>ACME_IE</EntityID><EntityName>Acme Ireland</EntityName>"
        "<BaseCurrency>EUR</BaseCurrency></WSEntity></Result>",
    )


def test_company_information_is_one_record(box: Sandbox, soap: Soap) -> None:
    put(
        box,
        "company",
        {
            "LocaleName": "en-GB",
            "Address": {"Line1": "1 Mill Road", "Line2": ""},
            "ContactInformation": {},
            "PrecisionSettings": {"PricePrecisionDecimals": 2},
            "ApprovalSettings": {"IsPurchaseApprovalEnabled": True},
        },
    )
    assert soap.call("GetCompanyInformation").text == answer_to(
        "GetCompanyInformation",
        f"{GOOD}<Result><CompanyName>Acme &amp; Co</CompanyName><LocaleName>en-GB</LocaleName>"
        "<BaseCurrencyCode>GBP</BaseCurrencyCode><Address><Line1>1 Mill Road</Line1><Line2 /></Address>"
        "<ContactInformation /><PrecisionSettings><PricePrecisionDecimals>2</PricePrecisionDecimals>"
        "<QuantityPrecisionDecimals>0</QuantityPrecisionDecimals></PrecisionSettings>"
        "<ApprovalSettings><IsPurchaseApprovalEnabled>true</IsPurchaseApprovalEnabled>"
        "<IsPurchaseBatchPaymentApprovalEnabled>false</IsPurchaseBatchPaymentApprovalEnabled>"
        "<ApprovalType>SupplierBased</ApprovalType></ApprovalSettings>"
        "<IsConsolidationCompany>false</IsConsolidationCompany></Result>",
    )


@pytest.mark.parametrize("operation", ["TokenGet", "TokenRefresh"])
def test_tokens_stand_before_the_status_and_nothing_says_when_they_expire(soap: Soap, operation: str) -> None:
    response = soap.token_get() if operation == "TokenGet" else soap.token_refresh(soap.refresh_token)
    access, refresh = soap.tokens(response)
    assert response.text == answer_to(
        operation,
        f"<Result><AccessToken>{access}</AccessToken><RefreshToken>{refresh}</RefreshToken></Result>"
        "<Status>Success</Status><ErrorCode>SUCCESS</ErrorCode>",
    )


@pytest.mark.parametrize(("operation", "dataset"), LISTS.items())
def test_an_empty_list_is_an_empty_element_and_a_null_list_is_absent(
    box: Sandbox, soap: Soap, operation: str, dataset: str
) -> None:
    assert soap.call(operation).text == answer_to(operation, f"{GOOD}<Result />")
    put(box, dataset, {"_null_list": True})
    assert soap.call(operation).text == answer_to(operation, GOOD)


def test_a_control_character_makes_the_same_bad_reference_as_in_dotnet(box: Sandbox, soap: Soap) -> None:
    put(box, "accounts", {"Code": "A", "Description": "bell \x07, tab \t, line \n"})
    assert found(soap.call("GetChartOfAccounts").text, "Description") == ["bell &#x7;, tab \t, line \n"]


# What takes part


def test_each_entity_has_its_own_data(box: Sandbox, soap: Soap) -> None:
    put(box, "accounts", {"Code": "UK"})
    box.set_source(OTHER, "accounts", [{"Code": "IE"}])
    assert found(soap.call("GetChartOfAccounts").text, "Code") == ["UK"]
    assert found(soap.call("GetChartOfAccounts", entity=OTHER).text, "Code") == ["IE"]


def test_only_the_active_list_leaves_inactive_suppliers_out(box: Sandbox, soap: Soap) -> None:
    put(
        box,
        "suppliers",
        {"Code": "A", "IsActive": True},
        {"Code": "B", "IsActive": False},
        {"Code": "C"},
        {"Code": "D", "IsActive": "true"},
    )
    assert found(soap.call("GetSupplierList").text, "Code") == ["A", "B", "C", "D"]
    assert found(soap.since("GetSuppliersBy", None).text, "Code") == ["A", "B", "C", "D"]
    assert found(soap.call("GetActiveSupplierList").text, "Code") == ["A", "D"]


def test_expense_suppliers_are_left_out_on_request(box: Sandbox, soap: Soap) -> None:
    put(box, "suppliers", {"Code": "FIRM"}, {"Code": "PERSON", "_expense_supplier": True})
    for value, expected in {"true": ["FIRM"], "1": ["FIRM"], "false": ["FIRM", "PERSON"]}.items():
        exclude = f"<ExcludeExpenseSuppliers>{value}</ExcludeExpenseSuppliers>"
        assert found(soap.since("GetSuppliersBy", None, more=exclude).text, "Code") == expected
    assert found(soap.since("GetSuppliersBy", None).text, "Code") == ["FIRM", "PERSON"]
    assert found(soap.call("GetSupplierList").text, "Code") == ["FIRM", "PERSON"]


def test_suppliers_can_be_asked_for_by_email(box: Sandbox, soap: Soap) -> None:
    put(
        box,
        "suppliers",
        {"Code": "A", "Email": "a@a.example"},
        {"Code": "B", "Email": "b@b.example"},
        {"Code": "C"},
    )
    emails = '<Emails><string>B@b.example</string><string i:nil="true" /></Emails>'
    assert found(soap.since("GetSuppliersBy", None, more=emails).text, "Code") == ["B"]


@pytest.mark.parametrize(
    ("operation", "dataset", "key"),
    [("GetDepartmentsBy", "bi_codes", "DepartmentID"), ("GetSuppliersBy", "suppliers", "Code")],
)
def test_changes_since_a_moment_show_new_and_edited_rows_but_not_removed_ones(
    box: Sandbox, soap: Soap, operation: str, dataset: str, key: str
) -> None:
    put(box, dataset, {key: "OLD"}, {key: "EDITED"}, {key: "REMOVED"})
    moment = datetime.now(UTC)
    while datetime.now(UTC) == moment:
        pass
    moment = datetime.now(UTC)
    box.edit_source("ACME_UK", dataset, "EDITED", IsActive=True)
    box.add_source("ACME_UK", dataset, **{key: "NEW"})
    box.remove_source("ACME_UK", dataset, "REMOVED")
    as_utc = moment.replace(tzinfo=None).isoformat(timespec="microseconds")
    elsewhere = moment.astimezone(UTC) + timedelta(hours=2)
    for text in (as_utc, f"{as_utc}Z", f"{as_utc}0Z", f"{elsewhere.replace(tzinfo=None).isoformat()}+02:00"):
        assert found(soap.since(operation, text).text, key) == ["EDITED", "NEW"]
    assert found(soap.since(operation, None).text, key) == ["OLD", "EDITED", "NEW"]
    assert found(soap.since(operation, "2999-01-01T00:00:00").text, key) == []
    assert "<Result />" in soap.since(operation, "2999-01-01T00:00:00").text


@pytest.mark.parametrize("operation", ["GetDepartmentsBy", "GetSuppliersBy"])
def test_a_query_that_is_missing_nil_or_wrong_is_refused(soap: Soap, operation: str) -> None:
    assert error_of(soap.call(operation)) == "INVALID_QUERY"
    assert error_of(soap.call(operation, '<query i:nil="true" />')) == "INVALID_QUERY"
    code, words = fault_of(soap.since(operation, "yesterday"))
    assert code == "soap:Client"
    assert "The string 'yesterday' is not a valid AllXsd value." in words


def test_a_boolean_that_is_none_is_refused(soap: Soap) -> None:
    exclude = "<ExcludeExpenseSuppliers>yes</ExcludeExpenseSuppliers>"
    _, words = fault_of(soap.since("GetSuppliersBy", None, more=exclude))
    assert "The string 'yes' is not a valid Boolean value." in words


# The request's form


def test_what_the_service_does_not_know_is_ignored(box: Sandbox, soap: Soap) -> None:
    put(box, "accounts", {"Code": "A"})
    header = soap_header(soap.entity, soap.token).replace("<Entity>", "<Colour>red</Colour><Entity>")
    document = envelope(
        operation_element("GetChartOfAccounts", "<token>old</token><x>1</x>"), "<Other />" + header
    )
    assert found(soap.post("GetChartOfAccounts", document).text, "Code") == ["A"]


def test_the_soap_action_may_be_quoted(box: Sandbox, soap: Soap) -> None:
    quoted = f'"{NAMESPACE}GetTaxCodeList"'
    assert soap.call("GetTaxCodeList", headers={"SOAPAction": quoted}).status_code == 200
    assert box.counters()["accountsiq"]["GetTaxCodeList"] == 1


@pytest.mark.parametrize(
    "action", [f"{NAMESPACE}GetNothing", "GetTaxCodeList", f"{NAMESPACE}gettaxcodelist", '""']
)
def test_a_wrong_soap_action_is_named_in_a_fault(soap: Soap, action: str) -> None:
    response = soap.call("GetTaxCodeList", headers={"SOAPAction": action})
    words = f"Server did not recognize the value of HTTP Header SOAPAction: {action.strip(chr(34))}."
    assert fault_of(response) == ("soap:Client", words)


def test_a_missing_soap_action_is_a_fault(soap: Soap) -> None:
    _, words = fault_of(soap.call("GetTaxCodeList", headers={"SOAPAction": None}))
    assert words.startswith("Unable to handle request without a valid action parameter.")


def test_a_body_of_another_operation_is_a_fault(soap: Soap) -> None:
    document = envelope(operation_element("GetSupplierList"), soap_header(soap.entity, soap.token))
    _, words = fault_of(soap.post("GetTaxCodeList", document))
    assert words.endswith(f"&lt;GetSupplierList xmlns='{NAMESPACE}'&gt; was not expected.")


def test_parameters_of_another_namespace_are_not_seen(soap: Soap, box: Sandbox) -> None:
    parameters = f'<clientId xmlns="">{box.client_id}</clientId><clientSecret xmlns="">x</clientSecret>'
    response = soap.post("TokenGet", envelope(operation_element("TokenGet", parameters)))
    assert error_of(response) == f"{APPS}CLIENTID_IS_NULL_OR_EMPTY"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("", "There is an error in XML document"),
        ("no XML", "There is an error in XML document"),
        ("<a><b></a>", "There is an error in XML document"),
        ("<a />", "Missing required soap:Envelope element."),
        (
            '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" />',
            "Missing required soap:Body element.",
        ),
        (envelope(""), "an empty body was not expected."),
    ],
)
def test_a_document_that_is_no_call_is_a_fault(soap: Soap, document: str, expected: str) -> None:
    code, words = fault_of(soap.post("GetTaxCodeList", document))
    assert code == "soap:Client"
    assert expected in words


def test_a_doctype_is_refused_and_no_entity_is_resolved(soap: Soap, box: Sandbox) -> None:
    doctype = f'<!DOCTYPE e [<!ENTITY id "{box.client_id}">]>'
    parameters = f"<clientId>&id;</clientId><clientSecret>{box.client_secret}</clientSecret>"
    document = envelope(operation_element("TokenGet", parameters)).replace("?>", f"?>{doctype}")
    response = soap.post("TokenGet", document)
    assert "DTD is prohibited in this XML document." in fault_of(response)[1]
    assert box.client_id not in response.text


def test_soap_12_is_refused_in_so_many_words(soap: Soap) -> None:
    code, words = fault_of(soap.call("GetTaxCodeList", headers={"Content-Type": "application/soap+xml"}))
    assert (code, "SOAP 1.1 only" in words) == ("soap:VersionMismatch", True)
    document = envelope("").replace("http://schemas.xmlsoap.org/soap/envelope/", "urn:other")
    code, words = fault_of(soap.post("GetTaxCodeList", document))
    assert (code, "Envelope namespace urn:other was unexpected" in words) == ("soap:VersionMismatch", True)


@pytest.mark.parametrize("content_type", [None, "application/json", "application/x-www-form-urlencoded"])
def test_what_is_no_soap_at_all_is_an_unsupported_media_type(soap: Soap, content_type: str | None) -> None:
    response = soap.call("GetTaxCodeList", headers={"Content-Type": content_type})
    assert response.status_code == 415
    assert "text/xml" in response.text


def test_a_visitor_with_a_browser_sees_the_operations(box: Sandbox) -> None:
    page = requests.get(box.accountsiq_url, timeout=10)
    assert page.headers["Content-Type"].startswith("text/html")
    for operation in (*LISTS, "TokenGet", "TokenRefresh", "GetEntitiesByToken", "GetCompanyInformation"):
        assert f"<li>{operation}</li>" in page.text


# Signing in


@pytest.mark.parametrize(
    ("client_id", "client_secret", "code"),
    [
        ("", None, f"{APPS}CLIENTID_IS_NULL_OR_EMPTY"),
        (None, "", f"{APPS}CLIENTSECRET_IS_NULL_OR_EMPTY"),
        ("me", None, f"{APPS}UNABLE_TO_PARSE_GUID_TO_STRING"),
        ("00000000-0000-4000-8000-000000000000", None, f"{APPS}APP_NOT_FOUND"),
        (None, "wrong", f"{APPS}APP_NOT_FOUND"),
    ],
)
def test_wrong_credentials_are_refused(
    soap: Soap, client_id: str | None, client_secret: str | None, code: str
) -> None:
    response = soap.token_get(client_id, client_secret)
    assert error_of(response) == code
    assert "HasExpired" not in response.text


def test_a_refresh_token_works_once(box: Sandbox, soap: Soap) -> None:
    first = soap.refresh_token
    access, second = soap.tokens(soap.token_refresh(first))
    assert (access, second) != (soap.token, first)
    assert error_of(soap.token_refresh(first)) == f"{APPS}REFRESH_TOKEN_EXPIRED"
    assert error_of(soap.token_refresh("unheard-of")) == f"{APPS}ERROR_VALIDATING_TOKEN"
    assert error_of(soap.token_refresh("")) == f"{APPS}ERROR_VALIDATING_TOKEN"
    assert soap.call("GetTaxCodeList").status_code == 200  # the first access token lives on
    soap.token = access
    assert found(soap.call("GetTaxCodeList").text, "Status") == ["Success"]
    box.configure(accountsiq={"refresh_token_reusable": True})
    assert soap.tokens(soap.token_refresh(second)) != soap.tokens(soap.token_refresh(second))


def test_an_expired_token_is_named_and_a_refreshed_one_works(box: Sandbox, soap: Soap) -> None:
    box.faults(
        [{"side": "accountsiq", "match": {"operation": "GetTaxCodeList"}, "fault": {"type": "token_expired"}}]
    )
    response = soap.call("GetTaxCodeList")
    assert error_of(response) == f"{APPS}TOKEN_EXPIRED"
    assert "<HasExpired>true</HasExpired></GetTaxCodeListResult>" in response.text
    soap.token, _ = soap.tokens(soap.token_refresh(soap.refresh_token))
    assert found(soap.call("GetTaxCodeList").text, "Status") == ["Success"]


def test_a_token_expires_after_its_lifetime(box: Sandbox, soap: Soap) -> None:
    assert found(soap.call("GetTaxCodeList").text, "Status") == ["Success"]
    box.configure(accountsiq={"token_lifetime": 0})
    assert error_of(soap.call("GetTaxCodeList")) == f"{APPS}TOKEN_EXPIRED"


# Refusals


@pytest.mark.parametrize("operation", [*LISTS, "GetDepartmentsBy", "GetSuppliersBy", "GetCompanyInformation"])
def test_each_read_wants_a_header_with_a_known_token_and_a_granted_entity(soap: Soap, operation: str) -> None:
    for header, code in {
        "": f"{APPS}AIQ_SOAP_HEADER_MISMATCH",
        soap_header(soap.entity, None): f"{APPS}TOKEN_NOT_PROVIDED_IN_AUTHORIZATION_HEADER",
        soap_header(soap.entity, "unheard-of"): f"{APPS}TOKEN_IS_INVALID",
        soap_header(None, soap.token): f"{APPS}NO_ENTITY_PROVIDED_IN_HEADER",
        soap_header("acme_uk", soap.token): "API_LAYER_ENTITY_ID_NOT_FOUND",
        soap_header("STRANGER", soap.token): f"{APPS}TOKEN_DOES_NOT_HAVE_PERMISSION",
    }.items():
        response = soap.post(operation, envelope(operation_element(operation), header))
        assert error_of(response) == code
        assert "<HasExpired>false</HasExpired>" in response.text


def test_a_revoked_application_can_neither_sign_in_nor_read(box: Sandbox, soap: Soap) -> None:
    box.configure(accountsiq={"revoked": True})
    for response in (soap.token_get(), soap.token_refresh(soap.refresh_token), soap.call("GetTaxCodeList")):
        assert error_of(response) == f"{APPS}APPLICATION_IS_REVOKED"


def test_an_operation_out_of_scope_is_refused(box: Sandbox, soap: Soap) -> None:
    box.configure(accountsiq={"scope_denied": ["GetSupplierList"]})
    assert error_of(soap.call("GetSupplierList")) == f"{APPS}TOKEN_DOES_NOT_HAVE_PERMISSION"
    assert found(soap.call("GetTaxCodeList").text, "Status") == ["Success"]
    box.reset({"accountsiq": {"application": {"scope": ["GetTax*"]}}})
    narrow = Soap(box)
    assert found(narrow.call("GetTaxCodeList").text, "Status") == ["Success"]
    assert error_of(narrow.call("GetEntitiesByToken")) == f"{APPS}TOKEN_DOES_NOT_HAVE_PERMISSION"


def test_too_many_calls_are_refused(box: Sandbox, soap: Soap) -> None:
    box.configure(accountsiq={"calls_per_minute": 2})  # the sign-in was one
    assert found(soap.call("GetTaxCodeList").text, "Status") == ["Success"]
    assert error_of(soap.call("GetTaxCodeList")) == f"{APPS}TOO_MANY_API_CALLS"
    assert error_of(soap.token_get()) == f"{APPS}TOO_MANY_API_CALLS"


def test_refusals_can_come_as_faults(box: Sandbox, soap: Soap) -> None:
    box.configure(accountsiq={"errors_as_fault": True})
    for response, code in [
        (soap.token_get("me"), "UNABLE_TO_PARSE_GUID_TO_STRING"),
        (soap.call("GetTaxCodeList", entity="NOBODY"), "API_LAYER_ENTITY_ID_NOT_FOUND"),
    ]:
        fault_code, words = fault_of(response)
        assert fault_code == "soap:Server"
        assert code in words
    assert found(soap.call("GetTaxCodeList").text, "Status") == ["Success"]


def test_any_refusal_can_be_made_to_order(box: Sandbox, soap: Soap) -> None:
    fault = {"type": "in_band", "status": "Unknown", "code": "JOB_RUNNING", "message": "Busy & <tired>."}
    box.faults([{"side": "accountsiq", "match": {"operation": "GetTaxCodeList"}, "fault": fault}])
    assert soap.call("GetTaxCodeList").text == answer_to(
        "GetTaxCodeList",
        "<Status>Unknown</Status><ErrorCode>JOB_RUNNING</ErrorCode>"
        "<ErrorMessage>Busy &amp; &lt;tired&gt;.</ErrorMessage><HasExpired>false</HasExpired>",
    )


# Compression and length


def test_answers_are_compressed_only_for_clients_that_ask_and_while_it_is_on(
    box: Sandbox, soap: Soap
) -> None:
    put(box, "accounts", {"Code": "A"})
    plain = soap.call("GetChartOfAccounts", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    zipped = soap.call("GetChartOfAccounts", headers={"Accept-Encoding": "deflate, gzip"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert int(zipped.headers["Content-Length"]) != len(plain.content)
    assert zipped.content == plain.content
    box.configure(accountsiq={"gzip": False})
    assert "Content-Encoding" not in soap.call("GetChartOfAccounts").headers


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_long_list_is_streamed_whole(box: Sandbox, soap: Soap, encoding: str) -> None:
    notes = "é&" + "é" * 10_000
    put(box, "suppliers", *({"Code": str(number), "Notes": notes} for number in range(2000)))
    response = soap.call("GetSupplierList", headers={"Accept-Encoding": encoding})
    assert response.headers["Transfer-Encoding"] == "chunked"  # it was not held to be measured
    assert response.headers.get("Content-Encoding", "identity") == encoding
    assert found(response.text, "Code") == [str(number) for number in range(2000)]
    assert response.text.count("é&amp;" + "é" * 10_000) == 2000
    assert response.text.endswith(
        "</Result></GetSupplierListResult></GetSupplierListResponse></soap:Body></soap:Envelope>"
    )


def test_a_long_list_that_is_asked_for_again_is_the_same_until_the_data_change(
    box: Sandbox, soap: Soap
) -> None:
    """The second answer comes from what was kept of the first, in whatever encoding; nobody can tell."""
    # Some 18 million characters: an answer is kept if it has more than 256 pieces of 64 Ki characters.
    put(box, "suppliers", *({"Code": str(number), "Notes": "é&" * 1500} for number in range(2000)))

    def answer(operation: str = "GetSupplierList", encoding: str = "identity") -> str:
        return soap.call(operation, headers={"Accept-Encoding": encoding}).text

    first = answer()
    assert answer() == first
    assert answer(encoding="gzip") == first
    assert answer(encoding="gzip") == first
    assert found(answer("GetActiveSupplierList"), "Code") == []
    box.edit_source(box.entities[0], "suppliers", "7", Code="seven")
    assert found(answer(), "Code")[6:9] == ["6", "seven", "8"]
    box.add_source(box.entities[0], "suppliers", Code="last")
    assert found(answer(), "Code")[-1] == "last"
    box.remove_source(box.entities[0], "suppliers", "0")
    assert found(answer(), "Code")[0] == "1"
    box.reset("empty")
    assert found(Soap(box).call("GetSupplierList").text, "Code") == []


def test_a_compressed_answer_is_a_whole_gzip_file(box: Sandbox, soap: Soap) -> None:
    put(box, "accounts", {"Code": "A"})
    headers = {
        "Accept-Encoding": "gzip",
        "SOAPAction": f"{NAMESPACE}GetChartOfAccounts",
        "Content-Type": "text/xml",
    }
    document = envelope(operation_element("GetChartOfAccounts"), soap_header(soap.entity, soap.token))
    with requests.post(
        box.accountsiq_url, data=document, headers=headers, timeout=10, stream=True
    ) as response:
        raw = response.raw.read(decode_content=False)
    assert found(gzip.decompress(raw).decode(), "Code") == ["A"]

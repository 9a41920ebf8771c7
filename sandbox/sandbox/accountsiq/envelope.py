"""SOAP 1.1 envelopes: requests read, answers and faults written byte for byte as ASP.NET does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from lxml import etree

from sandbox.accountsiq.emit import element, escape
from sandbox.accountsiq.errors import EXPIRED_CODES, RequestFault
from sandbox.accountsiq.types import NAMESPACE

if TYPE_CHECKING:
    from sandbox.accountsiq.operations import Operation

SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
_START: Final = (
    '<?xml version="1.0" encoding="utf-8"?>'
    f'<soap:Envelope xmlns:soap="{SOAP}"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body>'
)
_END: Final = "</soap:Body></soap:Envelope>"
_NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_UNREADABLE: Final = "Server was unable to read request. ---> There is an error in XML document"
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class Call:
    """A request as the service sees it. What it does not know, it does not look at.

    Attributes:
        has_header: There is an AiqSoapHeader.
        entity: Its Entity, "" when missing.
        token: Its AccessToken, "" when missing.
        body: The operation's element.
    """

    has_header: bool
    entity: str
    token: str
    body: etree._Element

    def text(self, name: str) -> str:
        """Read a string parameter.

        Args:
            name: Name of an element directly inside the operation's element.

        Returns:
            Its text, "" when it is missing.
        """
        return _text(self.body, name)

    def query(self) -> etree._Element | None:
        """Find the query parameter.

        Returns:
            The element, None when it is missing or nil.
        """
        return _child(self.body, "query")


def read_call(document: bytes, operation: Operation) -> Call:
    """Read a request.

    Args:
        document: The body of the HTTP request.
        operation: The operation that the SOAPAction named.

    Returns:
        The call.

    Raises:
        RequestFault: It is no XML, has a DOCTYPE, is no SOAP 1.1 envelope or its body holds another operation.
    """
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        message = f"{_UNREADABLE} ({line}, {column}). ---> {error.msg}"
        raise RequestFault(message) from None
    if root.getroottree().docinfo.internalDTD is not None:
        message = f"{_UNREADABLE}. ---> For security reasons DTD is prohibited in this XML document."
        raise RequestFault(message)
    if root.tag != f"{{{SOAP}}}Envelope":
        name = etree.QName(root)
        if name.localname == "Envelope":
            message = f"Possible SOAP version mismatch: Envelope namespace {name.namespace or ''} was unexpected. Expecting {SOAP}."
            raise RequestFault(message, "VersionMismatch")
        message = "Request format is invalid: Missing required soap:Envelope element."
        raise RequestFault(message)
    soap_body = root.find(f"{{{SOAP}}}Body")
    if soap_body is None:
        message = "Request format is invalid: Missing required soap:Body element."
        raise RequestFault(message)
    body = soap_body.find(f"{{{NAMESPACE}}}{operation.name}")
    if body is None:
        found = next(soap_body.iterchildren("*"), None)
        what = "an empty body" if found is None else _describe(found)
        message = f"{_UNREADABLE} ({soap_body.sourceline}, 0). ---> {what} was not expected."
        raise RequestFault(message)
    header = root.find(f"{{{SOAP}}}Header/{{{NAMESPACE}}}AiqSoapHeader")
    if header is None:
        return Call(has_header=False, entity="", token="", body=body)
    return Call(True, _text(header, "Entity"), _text(header, "AccessToken"), body)  # noqa: FBT003 - as declared


def read_boolean(query: etree._Element, name: str) -> bool:
    """Read a boolean parameter.

    Args:
        query: The element that holds it.
        name: Its name.

    Returns:
        Its value; False when it is missing, as .NET has it.

    Raises:
        RequestFault: Its text is no boolean.
    """
    text = _text(query, name).strip()
    if text and text not in _BOOLEANS:
        raise _not_a_value(query, text, "Boolean")
    return _BOOLEANS.get(text, False)


def read_moment(query: etree._Element, name: str) -> datetime | None:
    """Read a nillable date and time.

    Args:
        query: The element that holds it.
        name: Its name.

    Returns:
        The moment, UTC when the text names no zone; None when it is nil or missing.

    Raises:
        RequestFault: Its text is no date and time.
    """
    found = _child(query, name)
    if found is None:
        return None
    text = (found.text or "").strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _not_a_value(query, text, "AllXsd") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_strings(query: etree._Element, name: str) -> list[str]:
    """Read a list of strings.

    Args:
        query: The element that holds it.
        name: Its name.

    Returns:
        Its entries, nil ones left out; empty when it is missing.
    """
    found = _child(query, name)
    entries = [] if found is None else found.findall(f"{{{NAMESPACE}}}string")
    return [entry.text for entry in entries if entry.text]


def opening(operation: Operation) -> str:
    """Write a good answer up to its Result.

    Args:
        operation: Not one of the token operations.

    Returns:
        Markup. HasExpired is `true` although nothing has: the service keeps a placeholder there.
    """
    return (
        f'{_START}<{operation.name}Response xmlns="{NAMESPACE}"><{operation.name}Result>'
        "<Status>Success</Status><ErrorCode>SUCCESS</ErrorCode><HasExpired>true</HasExpired>"
    )


def closing(operation: Operation) -> str:
    """Write the rest of an answer after its Result.

    Args:
        operation: The operation.

    Returns:
        Markup.
    """
    return f"</{operation.name}Result></{operation.name}Response>{_END}"


def token_answer(operation: Operation, result: str) -> str:
    """Write a good answer of TokenGet or TokenRefresh.

    Args:
        operation: Which of them.
        result: The Result element.

    Returns:
        The envelope. Here Result comes first, and there is no HasExpired.
    """
    content = f"{result}<Status>Success</Status><ErrorCode>SUCCESS</ErrorCode>"
    return f'{_START}<{operation.name}Response xmlns="{NAMESPACE}"><{operation.name}Result>{content}{closing(operation)}'


def refusal(operation: Operation, status: str, code: str, message: str | None) -> str:
    """Write an answer without a Result.

    Args:
        operation: The operation.
        status: One of the values of OperationStatus.
        code: One of the vendor's codes.
        message: The ErrorMessage, None for none.

    Returns:
        The envelope.
    """
    content = f"<Status>{escape(status)}</Status><ErrorCode>{escape(code)}</ErrorCode>"
    if message is not None:
        content += element("ErrorMessage", escape(message))
    if operation.needs_token:
        content += f"<HasExpired>{'true' if code in EXPIRED_CODES else 'false'}</HasExpired>"
    return f'{_START}<{operation.name}Response xmlns="{NAMESPACE}"><{operation.name}Result>{content}{closing(operation)}'


def fault(code: str, reason: str) -> str:
    """Write a fault.

    Args:
        code: The local name of the faultcode: "Client", "Server" or "VersionMismatch".
        reason: The faultstring.

    Returns:
        The envelope; it belongs to HTTP status 500.
    """
    return f"{_START}<soap:Fault><faultcode>soap:{code}</faultcode>{element('faultstring', escape(reason))}<detail /></soap:Fault>{_END}"


def _child(parent: etree._Element, name: str) -> etree._Element | None:
    found = parent.find(f"{{{NAMESPACE}}}{name}")
    return None if found is None or _BOOLEANS.get(found.get(_NIL, "")) else found


def _text(parent: etree._Element, name: str) -> str:
    found = _child(parent, name)
    return "" if found is None else found.text or ""


def _describe(found: etree._Element) -> str:
    name = etree.QName(found)
    return f"<{name.localname} xmlns='{name.namespace or ''}'>"


def _not_a_value(where: etree._Element, text: str, kind: str) -> RequestFault:
    return RequestFault(
        f"{_UNREADABLE} ({where.sourceline}, 0). ---> The string '{text}' is not a valid {kind} value."
    )

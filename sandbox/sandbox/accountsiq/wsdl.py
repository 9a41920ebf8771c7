"""The WSDL, made from the same tables that write the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lxml import etree

from sandbox.accountsiq.operations import OPERATIONS, Operation
from sandbox.accountsiq.types import (
    DEFAULTS,
    ENUMERATIONS,
    NAMESPACE,
    OPEN_ENUMERATIONS,
    TYPES,
    Field,
    Type,
    item_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_XSD: Final = "http://www.w3.org/2001/XMLSchema"
_WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
_SOAP: Final = "http://schemas.xmlsoap.org/wsdl/soap/"
_NAMES: Final = {"s": _XSD, "tns": NAMESPACE, "soap": _SOAP, "wsdl": _WSDL}

_SERVICE: Final = "Integration_2_0"
_PORT: Final = "Integration_2_0Soap"
_HEADER: Final = "AiqSoapHeader"


def wsdl(location: str) -> bytes:
    """Describe the service.

    Args:
        location: The address under which this server offers it, for `soap:address`.

    Returns:
        A WSDL 1.1 document with a SOAP 1.1 binding, UTF-8.
    """
    root = etree.Element(_tag(_WSDL, "definitions"), nsmap=_NAMES, targetNamespace=NAMESPACE)
    schema = _add(
        _add(root, _WSDL, "types"), _XSD, "schema", elementFormDefault="qualified", targetNamespace=NAMESPACE
    )
    _describe_types(schema)
    for operation in OPERATIONS.values():
        _describe_messages(root, operation)
    port = _add(root, _WSDL, "portType", name=_PORT)
    for operation in OPERATIONS.values():
        offered = _add(port, _WSDL, "operation", name=operation.name)
        _add(offered, _WSDL, "input", message=f"tns:{operation.name}SoapIn")
        _add(offered, _WSDL, "output", message=f"tns:{operation.name}SoapOut")
    _describe_binding(root)
    service = _add(root, _WSDL, "service", name=_SERVICE)
    _add(
        _add(service, _WSDL, "port", name=_PORT, binding=f"tns:{_PORT}"), _SOAP, "address", location=location
    )
    return etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True)


def _describe_types(schema: etree._Element) -> None:
    for name, values in ENUMERATIONS.items():
        restriction = _add(_add(schema, _XSD, "simpleType", name=name), _XSD, "restriction", base="s:string")
        for value in values:
            _add(restriction, _XSD, "enumeration", value=value)
    for name in OPEN_ENUMERATIONS:
        _add(_add(schema, _XSD, "simpleType", name=name), _XSD, "restriction", base="s:string")
    for declared in TYPES.values():
        _describe_type(schema, declared)
    for kind in _list_kinds():
        item = item_of(kind) or ""
        entries = _add(_add(schema, _XSD, "complexType", name=kind), _XSD, "sequence")
        _add(
            entries,
            _XSD,
            "element",
            minOccurs="0",
            maxOccurs="unbounded",
            name=item,
            nillable="true",
            type=_qname(item),
        )
    _add(schema, _XSD, "element", name=_HEADER, type=f"tns:{_HEADER}")
    for operation in OPERATIONS.values():
        request = _add(_add(schema, _XSD, "element", name=operation.name), _XSD, "complexType")
        _sequence(request, operation.parameters)
        response = _add(_add(schema, _XSD, "element", name=f"{operation.name}Response"), _XSD, "complexType")
        _sequence(response, (Field(f"{operation.name}Result", _envelope_name(operation)),))
    for envelope in dict.fromkeys(map(_envelope, OPERATIONS.values())):
        _describe_type(schema, envelope)


def _envelope_name(operation: Operation) -> str:
    return f"WSResult{2 if operation.needs_token else 3}Of{operation.result}"


def _envelope(operation: Operation) -> Type:
    """Give the type of an operation's Result: the token operations have a shape of their own."""
    result = Field("Result", operation.result)
    if operation.needs_token:
        return Type(_envelope_name(operation), (result,), base="WSResultStatus")
    return Type(
        _envelope_name(operation), (result, Field("Status"), Field("ErrorCode"), Field("ErrorMessage"))
    )


def _list_kinds() -> Iterable[str]:
    """List every array that a type or an operation mentions, once."""

    def mentioned() -> Iterator[str]:
        for declared in TYPES.values():
            yield from (field.kind for field in declared.fields)
        for operation in OPERATIONS.values():
            yield operation.result

    return dict.fromkeys(kind for kind in mentioned() if item_of(kind) is not None)


def _describe_type(schema: etree._Element, declared: Type) -> None:
    described = _add(schema, _XSD, "complexType", name=declared.name)
    if declared.abstract:
        described.set("abstract", "true")
    if declared.base:
        content = _add(described, _XSD, "complexContent", mixed="false")
        described = _add(content, _XSD, "extension", base=f"tns:{declared.base}")
    _sequence(described, declared.fields)
    if declared.name == _HEADER:
        _add(described, _XSD, "anyAttribute")


def _sequence(parent: etree._Element, fields: tuple[Field, ...]) -> None:
    if not fields:
        return
    sequence = _add(parent, _XSD, "sequence")
    for field in fields:
        described = _add(
            sequence, _XSD, "element", minOccurs=str(int(field.required)), maxOccurs="1", name=field.name
        )
        if field.nillable:
            described.set("nillable", "true")
        described.set("type", _qname(field.kind))


def _describe_messages(root: etree._Element, operation: Operation) -> None:
    parts = [("SoapIn", "parameters", operation.name), ("SoapOut", "parameters", f"{operation.name}Response")]
    if operation.needs_token:
        parts.append((_HEADER, _HEADER, _HEADER))
    for suffix, part, element in parts:
        message = _add(root, _WSDL, "message", name=f"{operation.name}{suffix}")
        _add(message, _WSDL, "part", name=part, element=f"tns:{element}")


def _describe_binding(root: etree._Element) -> None:
    binding = _add(root, _WSDL, "binding", name=_PORT, type=f"tns:{_PORT}")
    _add(binding, _SOAP, "binding", transport="http://schemas.xmlsoap.org/soap/http")
    for operation in OPERATIONS.values():
        bound = _add(binding, _WSDL, "operation", name=operation.name)
        _add(bound, _SOAP, "operation", soapAction=NAMESPACE + operation.name, style="document")
        request = _add(bound, _WSDL, "input")
        _add(request, _SOAP, "body", use="literal")
        if operation.needs_token:
            message = f"tns:{operation.name}{_HEADER}"
            _add(request, _SOAP, "header", message=message, part=_HEADER, use="literal")
        _add(_add(bound, _WSDL, "output"), _SOAP, "body", use="literal")


def _qname(kind: str) -> str:
    return f"s:{kind}" if kind == "string" or kind in DEFAULTS else f"tns:{kind}"


def _tag(namespace: str, name: str) -> str:
    return f"{{{namespace}}}{name}"


def _add(parent: etree._Element, namespace: str, tag: str, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, _tag(namespace, tag), attributes)

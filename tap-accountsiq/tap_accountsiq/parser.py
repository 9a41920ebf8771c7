"""From a spooled SOAP answer to values: first whether it is a good answer, then row by row.

Elements are matched by namespace, never by prefix. Memory stays flat: what has been read is dropped at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import IO, Any, TypeAlias

from lxml import etree

from tap_accountsiq import errors
from tap_accountsiq.fields import Field
from tap_accountsiq.soap import HTTP_OK, NAMESPACE, SOAP_NAMESPACE, XSI_NAMESPACE, Reply, tail
from tap_accountsiq.streams import ENTITY, StreamDeclaration

Columns: TypeAlias = "dict[str, Field | Columns]"
"""Element name (namespace included) → the field that it fills, or what is nested in it."""

Record = dict[str, Any]

HEAD = 4096
"""Bytes in which the root element has to begin."""

HTTP_TOO_MANY_REQUESTS = 429
HTTP_SERVER_ERROR = 500

_REPORT = "Report this to the tap's authors: the service's contract may have changed."
_PROLOG = re.compile(rb"(\xef\xbb\xbf)?\s*((<\?.*?\?>|<!--.*?-->)\s*)*", re.DOTALL)
_HTML = re.compile(rb"<(!doctype\s+)?html", re.IGNORECASE)
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_ENVELOPE = re.compile(rb"<([\w.-]+:)?Envelope[\s>]")
_ENVELOPE_END = re.compile(rb"</([\w.-]+:)?Envelope\s*>(\s*<!--.*?-->)*$", re.DOTALL)
_CODE = re.compile(r"[A-Z0-9_]{5,}")


def _name(local: str) -> str:
    return f"{{{NAMESPACE}}}{local}"


_STATUS, _ERROR_CODE, _ERROR_MESSAGE = _name("Status"), _name("ErrorCode"), _name("ErrorMessage")
_FAULT = f"{{{SOAP_NAMESPACE}}}Fault"
_NIL = f"{{{XSI_NAMESPACE}}}nil"


def read_values(reply: Reply, operation: str, names: Iterable[str]) -> dict[str, str]:
    """Read a small answer: the texts of some elements of its ``Result``, and its status.

    Args:
        reply: What came over the wire; closed here.
        operation: The operation that was called.
        names: Local names of the elements that are wanted.

    Returns:
        Local name → text, for those elements and for Status, ErrorCode and ErrorMessage, as far as they are there.

    Raises:
        AccountsIQError: There is no such answer in the reply. An in-band failure does not raise.
    """
    wanted = {_name(name): name for name in (*names, "Status", "ErrorCode", "ErrorMessage")}
    result = _name(f"{operation}Result")
    values: dict[str, str] = {}
    with reply.body as body:
        _check_message(reply)
        for element in _elements(body, [*wanted, result, _FAULT]):
            if element.tag == result:
                return values
            if element.tag == _FAULT:
                raise _fault(element)
            values[wanted[str(element.tag)]] = element.text or ""
    raise _unexpected(operation)


class RowReader:
    """The answer to a read of a list: good (``Status`` is ``Success``) once it exists, read once.

    A read is complete only when `records` came to its end without an exception: only then was the document
    well-formed to its end, with the list and the envelope closed.

    Args:
        reply: What came over the wire; closed by `close`.
        operation: The operation that was called.
        row: Local name of the element that holds one entry of the list.

    Raises:
        AccountsIQError: The reply is no answer, or says that the call was refused.
    """

    def __init__(self, reply: Reply, operation: str, row: str) -> None:
        """See the class."""
        self._operation = operation
        self._body = reply.body
        self._result = _name(f"{operation}Result")
        self._row = _name(row)
        try:
            _check_message(reply)
            self._elements = _elements(
                reply.body, [_STATUS, _ERROR_CODE, _ERROR_MESSAGE, self._row, self._result, _FAULT]
            )
            self._check_status()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the spooled body back; the temporary file is gone."""
        self._body.close()

    def _check_status(self) -> None:
        """Read up to ``Status``, which comes before the rows; when it is no success, up to the reason."""
        said: dict[str, str] = {}
        for element in self._elements:
            parent = element.getparent()
            if element.tag == _FAULT:
                raise _fault(element)
            if element.tag in {self._result, self._row}:
                break
            if parent is not None and parent.tag == self._result:
                said[str(element.tag)] = element.text or ""
                if said.get(_STATUS) == "Success":
                    return
        if _STATUS not in said:
            raise _unexpected(self._operation)
        raise errors.from_code(said.get(_ERROR_CODE), said.get(_ERROR_MESSAGE), said[_STATUS])

    def records(self, declaration: StreamDeclaration, names: Iterable[str], entity: str) -> Iterator[Record]:
        """Read the rows, one after the other.

        Absent and nil elements give ``None``, empty elements the empty text; a key field is never ``None``.
        Entries that are nil as a whole hold nothing and give no record.

        Args:
            declaration: The stream that the rows belong to.
            names: Names of the fields to build; the others are not even looked at.
            entity: Value of the field `entity` of every record.

        Yields:
            The records, with typed values, fields in the order of the declaration.

        Raises:
            AccountsIQError: The answer ends early, is not well-formed, or a value does not fit its type.
        """
        wanted = set(names)
        fields = [each for each in declaration.fields if each.name in wanted]
        blank: Record = {ENTITY: entity} | {
            each.name: "" if each.name in declaration.key else None for each in fields
        }
        columns, inner = _columns(fields, declaration.repeat)
        inner_path = "/".join(_name(step) for step in (declaration.repeat or "").split("/"))
        number = 0
        for element in self._elements:
            if element.tag == self._row:
                number += 1
                try:
                    if element.get(_NIL) not in {"true", "1"}:
                        record = blank.copy()
                        _fill(record, element, columns)
                        if declaration.repeat is None:
                            yield record
                        else:
                            for part in element.iterfind(inner_path):
                                if part.get(_NIL) not in {"true", "1"}:
                                    repeated = record.copy()
                                    _fill(repeated, part, inner)
                                    yield repeated
                except ValueError as error:
                    raise errors.UnreadableValue(
                        f"Row {number} of the answer holds a value that does not fit its type: {error}.",
                        "Correct the record in AccountsIQ, or deselect the field.",
                    ) from error
                _forget(element)
            elif element.tag == _FAULT:
                raise _fault(element)


def _columns(fields: Iterable[Field], repeat: str | None) -> tuple[Columns, Columns]:
    """Arrange fields by element: those of the row, and those of the repeated element within it."""
    row: Columns = {}
    inner: Columns = {}
    for each in fields:
        repeated = repeat is not None and each.vendor.startswith(f"{repeat}/")
        level = inner if repeated else row
        *path, last = (each.vendor.removeprefix(f"{repeat}/") if repeated else each.vendor).split("/")
        for step in path:
            nested = level.setdefault(_name(step), {})
            assert isinstance(nested, dict), f"{each.vendor} is declared both as a value and as nested"  # noqa: S101
            level = nested
        level[_name(last)] = each
    return row, inner


def _fill(record: Record, element: etree._Element, columns: Columns) -> None:
    """Put the values of an element's children into a record.

    Raises:
        ValueError: A text does not fit its type; the message names the element.
    """
    for child in element:
        column = columns.get(str(child.tag))
        if column is None:
            continue
        if isinstance(column, dict):
            _fill(record, child, column)
            continue
        text = child.text
        if text is None:
            if child.get(_NIL) in {"true", "1"}:
                continue
            text = ""
        try:
            record[column.name] = column.type.convert(text)
        except ValueError as error:
            msg = f"{column.vendor} is {text[:100]!r}, {error}"
            raise ValueError(msg) from error


def _forget(element: etree._Element) -> None:
    """Drop an element that has been read, and whatever stands before it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _elements(body: IO[bytes], tags: list[str]) -> Iterator[etree._Element]:
    """Yield the elements with these names as they end.

    The document has no DOCTYPE (see `_check_message`). Entities are not resolved, nothing is fetched, comments and processing instructions are left out.

    Raises:
        BrokenXml: The document is not well-formed.
    """
    parsing = etree.iterparse(
        body,
        events=("end",),
        tag=tags,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
        huge_tree=True,  # a list of suppliers may be hundreds of megabytes; rows are dropped as they are read
    )
    try:
        for _, element in parsing:
            yield element
    except etree.XMLSyntaxError as error:
        raise errors.BrokenXml(
            "The answer is not well-formed XML.",
            "Try again later; if it stays so, report it to AccountsIQ's support.",
            words=str(error),
        ) from error


def _check_message(reply: Reply) -> None:
    """See whether a reply can be a good SOAP answer at all.

    Raises:
        AccountsIQError: By its HTTP status, or by how the body begins and ends.
    """
    head = reply.body.read(HEAD)
    reply.body.seek(0)
    start = head[_match_end(_PROLOG, head) :]
    html = bool(_HTML.match(start))
    if reply.status != HTTP_OK:
        raise _http_error(reply, start, html=html)
    if not head:
        raise errors.EmptyAnswer(
            "The answer is empty.", "Check region or api_url; if they are right, try again later."
        )
    if html:
        raise errors.HtmlAnswer(
            "The answer is a web page, not a SOAP message.",
            "Check region or api_url; a proxy or a maintenance page may be in the way.",
            words=_title(start),
        )
    if start[:9].upper() == b"<!DOCTYPE":
        raise errors.DoctypeRefused(
            "The answer carries a DOCTYPE, which a SOAP message must not have.",
            "Check region or api_url: this is not the service, or somebody stands between you and it.",
        )
    if not start.startswith(b"<"):
        raise errors.BrokenXml(
            "The answer is not XML.",
            "Check region or api_url; if they are right, report it to AccountsIQ's support.",
        )
    if not _ENVELOPE.match(start):  # nothing but the prolog stands before it, so a DOCTYPE cannot hide
        raise errors.UnexpectedAnswer("The answer is XML, but no SOAP envelope.", "Check region or api_url.")
    if reply.whole and not _ENVELOPE_END.search(tail(reply.body)):
        raise errors.TruncatedAnswer("The end of the answer is missing.", "Try again later.")


def _match_end(pattern: re.Pattern[bytes], text: bytes) -> int:
    found = pattern.match(text)
    return found.end() if found else 0


def _http_error(reply: Reply, start: bytes, *, html: bool) -> errors.AccountsIQError:
    """Return the error for an HTTP status other than 200, with the SOAP Fault in its body if there is one."""
    if _ENVELOPE.match(start):
        try:
            for element in _elements(reply.body, [_FAULT]):
                return _fault(element)
        except errors.BrokenXml:
            pass  # the status says enough
    words = _title(start) if html else None
    if reply.status == HTTP_TOO_MANY_REQUESTS:
        return errors.Throttled(
            "The service is limiting the number of calls (HTTP 429).",
            "Try again later, and see whether another program uses the same application at the same time.",
            words=words,
        )
    if reply.status >= HTTP_SERVER_ERROR:
        return errors.ServerFailure(
            f"The service or a gateway before it is out of order (HTTP {reply.status}).",
            "Try again later.",
            words=words,
        )
    return errors.HttpFailure(
        f"The server refuses the request (HTTP {reply.status}).",
        "Check region or api_url, and whether a proxy or firewall is in the way.",
        words=words,
    )


def _fault(element: etree._Element) -> errors.AccountsIQError:
    """Return the error for a SOAP Fault: by a known code anywhere in it, else by whom it blames."""
    text = " ".join("".join(map(str, element.itertext())).split())
    code = next((each for each in _CODE.findall(text) if each in errors.CODES), None)
    string = (element.findtext("faultstring") or text).strip()
    if code:
        return errors.from_code(code, string)
    if (element.findtext("faultcode") or "").rpartition(":")[2].startswith("Client"):
        return errors.RequestRefused(
            "The service does not accept the request (SOAP Fault).", _REPORT, words=string
        )
    return errors.ServiceFault("The service failed inside (SOAP Fault).", "Try again later.", words=string)


def _title(page: bytes) -> str | None:
    found = _TITLE.search(page)
    return found.group(1).decode("utf-8", "replace") if found else None


def _unexpected(operation: str) -> errors.UnexpectedAnswer:
    return errors.UnexpectedAnswer(
        f"The answer does not hold what the contract promises ({operation}Result with a Status).",
        f"Check region or api_url. {_REPORT}",
    )

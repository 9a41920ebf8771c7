"""From a spooled SOAP answer to values: first whether it is a good answer, then row by row.

Elements are matched by namespace, never by prefix. Memory stays flat: what has been read is dropped at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from lxml import etree

from tap_accountsiq import errors, message
from tap_accountsiq.document import BODY, Document
from tap_accountsiq.fields import TEXT, Field
from tap_accountsiq.soap import NAMESPACE, XSI_NAMESPACE, Reply
from tap_accountsiq.streams import ENTITY, StreamDeclaration

Columns: TypeAlias = "dict[str, Field | Columns]"
"""Element name (namespace included) → the field that it fills, or what is nested in it."""

Record = dict[str, Any]

IN_RESULT, IN_LIST = 3, 4
"""Depths below the envelope: of what stands in ``{Operation}Result``, and in the list ``Result`` within it."""

FEW = 20
"""Up to so many columns it is quicker to ask libxml2 for the wanted children than to look at each."""


def _name(local: str) -> str:
    return f"{{{NAMESPACE}}}{local}"


_STATUS, _ERROR_CODE, _ERROR_MESSAGE = _name("Status"), _name("ErrorCode"), _name("ErrorMessage")
_RESULT = _name("Result")
_NIL = f"{{{XSI_NAMESPACE}}}nil"
_TRUE = frozenset({"true", "1"})


def _path(operation: str) -> tuple[str, ...]:
    """Return the way through an operation's answer to its status and its result."""
    return (BODY, _name(f"{operation}Response"), _name(f"{operation}Result"))


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
    wanted = {_name(name): (IN_LIST, name) for name in names} | {
        _name(name): (IN_RESULT, name) for name in ("Status", "ErrorCode", "ErrorMessage")
    }
    values: dict[str, str] = {}
    with reply.body:
        message.check(reply)
        document = Document(reply.body, (*_path(operation), _RESULT), whole=reply.whole)
        for depth, element in document.walk():
            if element.tag == message.FAULT:
                raise message.fault(element)
            level, name = wanted.get(str(element.tag), (None, ""))
            if depth == level:
                values[name] = element.text or ""
    if not values:
        raise _unexpected(operation)
    return values


class RowReader:
    """The answer to a read of a list: good (``Status`` is ``Success``) once it exists, read once.

    A read is complete only when `records` came to its end without an exception: only then was the document
    well-formed to its end, with the list and the envelope closed, and nothing in it contradicted the ``Success``.

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
        self._row = _name(row)
        try:
            message.check(reply)
            # Nearly always the entries of the list ``Result``; what is no list is one entry, ``Result`` itself.
            below = () if self._row == _RESULT else (_RESULT,)
            self._document = Document(
                reply.body, (*_path(operation), *below), whole=reply.whole, row=row if below else None
            )
            self._level = IN_RESULT + len(below)
            self._elements = self._document.walk()
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
        for depth, element in self._elements:
            if element.tag == message.FAULT:
                raise message.fault(element)
            if depth == self._level and element.tag == self._row:
                break
            if depth == IN_RESULT:
                said[str(element.tag)] = element.text or ""
                if said.get(_STATUS) == "Success":
                    return
        if _STATUS not in said:
            raise _unexpected(self._operation)
        raise errors.from_code(said.get(_ERROR_CODE), said.get(_ERROR_MESSAGE), said[_STATUS])

    def _rows(self) -> Iterator[etree._Element]:
        """Yield the entries of the list, and refuse an answer that is more than one list.

        Raises:
            AccountsIQError: Something stands where it makes the list doubtful: a Fault, a second status, a row elsewhere.
        """
        objects = 0
        for depth, element in self._elements:
            if element.tag == self._row and depth == self._level:
                objects += depth == IN_RESULT
                if objects > 1:
                    raise _misplaced(element)
                for nested in element.iterchildren(self._row):
                    raise _misplaced(nested)
                yield element
            elif depth == IN_LIST:
                continue  # the service may know entries that this tap does not
            elif element.tag == message.FAULT:
                raise message.fault(element)
            elif element.tag == self._row or (depth == IN_RESULT and element.tag == _STATUS):
                raise _misplaced(element)

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
        for element in self._rows():
            if element.get(_NIL) in _TRUE:
                continue
            try:
                record = blank.copy()
                if declaration.number is not None and declaration.number.name in wanted:
                    record[declaration.number.name] = self._document.row
                _fill(record, element, columns)
                if declaration.repeat is None:
                    yield record
                    continue
                for part in element.iterfind(inner_path):
                    if part.get(_NIL) not in _TRUE:
                        repeated = record.copy()
                        _fill(repeated, part, inner)
                        yield repeated
            except ValueError as error:
                raise errors.UnreadableValue(
                    f"Row {self._document.row} of the answer holds a value that does not fit its type: {error}.",
                    "Correct the record in AccountsIQ, or deselect the field.",
                ) from error


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
            assert isinstance(nested, dict), f"{each.vendor} is declared both as a value and as nested"  # noqa: S101  # nosec B101
            level = nested
        level[_name(last)] = each
    return row, inner


def _fill(record: Record, element: etree._Element, columns: Columns) -> None:
    """Put the values of an element's children into a record.

    Raises:
        ValueError: A text does not fit its type; the message names the element.
    """
    for child in element.iterchildren(*columns) if len(columns) <= FEW else element:
        column = columns.get(child.tag)
        if column is None:
            continue
        if isinstance(column, dict):
            _fill(record, child, column)
            continue
        text = child.text
        if text is None:
            if child.get(_NIL) in _TRUE:
                continue
            text = ""
        if len(child):
            msg = f"{column.vendor} holds elements instead of a text"
            raise ValueError(msg)
        try:
            record[column.name] = text if column.type is TEXT else column.type.convert(text)
        except ValueError as error:
            msg = f"{column.vendor} is {text[:100]!r}, {error}"
            raise ValueError(msg) from error


def _misplaced(element: etree._Element) -> errors.UnexpectedAnswer:
    return errors.UnexpectedAnswer(
        f"The answer holds {etree.QName(element).localname} where the contract has none, "
        "so the list may not be what it seems.",
        message.REPORT,
    )


def _unexpected(operation: str) -> errors.UnexpectedAnswer:
    return errors.UnexpectedAnswer(
        f"The answer does not hold what the contract promises ({operation}Result with a Status).",
        f"Check region or api_url. {message.REPORT}",
    )

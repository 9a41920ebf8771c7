"""From the rows of a list to records with typed values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from lxml import etree

from tap_accountsiq import errors, message
from tap_accountsiq.fields import TEXT, Field
from tap_accountsiq.soap import NAMESPACE, XSI_NAMESPACE
from tap_accountsiq.streams import ENTITY, StreamDeclaration

Columns: TypeAlias = "dict[str, Field | Columns]"
"""Element name (namespace included) → the field that it fills, or what is nested in it."""

Record = dict[str, Any]

FEW = 20
"""Up to so many columns it is quicker to let libxml2 look for them than to look at every element."""

_NIL = f"{{{XSI_NAMESPACE}}}nil"
_TRUE = frozenset({"true", "1"})


def name_of(local: str) -> str:
    """Return the full name of one of the service's elements."""
    return f"{{{NAMESPACE}}}{local}"


class RecordBuilder:
    """Builds the records of one list.

    Absent and nil elements give ``None``, empty elements the empty text; a key field is never ``None``.
    Rows that are nil as a whole hold nothing and give no record.

    Args:
        declaration: The stream that the rows belong to.
        names: Names of the fields to build; the others are not even looked at.
        entity: Value of the field `entity` of every record.
        row: Name of the rows, namespace included.
    """

    def __init__(self, declaration: StreamDeclaration, names: Iterable[str], entity: str, row: str) -> None:
        """See the class."""
        wanted = set(names)
        fields = [each for each in declaration.fields if each.name in wanted]
        self._row = row
        self._blank: Record = {ENTITY: entity} | {
            each.name: "" if each.name in declaration.key else None for each in fields
        }
        number = declaration.number
        self._number = number.name if number is not None and number.name in wanted else None
        self._columns, self._inner = _columns(fields, declaration.repeat)
        self._repeat = (
            None if declaration.repeat is None else "/".join(map(name_of, declaration.repeat.split("/")))
        )
        # What makes one record of each row and looks at nothing but its children.
        self._flat: dict[str, Field] = {
            name: each for name, each in self._columns.items() if isinstance(each, Field) and name != row
        }
        is_flat = len(self._flat) == len(self._columns) and self._repeat is None and self._number is None
        self._in_one_walk = is_flat and len(self._flat) <= FEW

    def of_row(self, row: etree._Element, number: int) -> Iterator[Record]:
        """Yield the records of one row.

        Args:
            row: The row.
            number: Its place in the list, from 1 on.

        Yields:
            The records, fields in the order of the declaration.

        Raises:
            UnexpectedAnswer: It holds a row.
            UnreadableValue: A value does not fit its type.
        """
        for nested in row.iterchildren(self._row):
            raise misplaced(nested)
        if row.get(_NIL) in _TRUE:
            return
        try:
            record = self._blank.copy()
            if self._number is not None:
                record[self._number] = number
            _fill(record, row, self._columns)
            if self._repeat is None:
                yield record
                return
            for part in row.iterfind(self._repeat):
                if part.get(_NIL) not in _TRUE:
                    repeated = record.copy()
                    _fill(repeated, part, self._inner)
                    yield repeated
        except ValueError as error:
            raise _unreadable(number, error) from error

    def of_part(self, part: etree._Element, before: int) -> Iterator[Record]:
        """Yield the records of all rows that stand directly in a part of the list; the same as row by row.

        Args:
            part: An element with some entries of the list.
            before: How many entries of the list came before it.

        Yields:
            The records, fields in the order of the declaration.

        Raises:
            AccountsIQError: As for one row.
        """
        if self._in_one_walk:
            yield from self._of_flat_part(part, before)
            return
        for number, element in enumerate(part, before + 1):
            if element.tag == self._row:
                yield from self.of_row(element, number)

    def _of_flat_part(self, part: etree._Element, before: int) -> Iterator[Record]:
        """Yield the records of a part in one walk through it: libxml2 passes over all that is not wanted."""
        columns, blank = self._flat, self._blank
        row = record = None
        try:
            for element in part.iter(self._row, *columns):
                column, parent = columns.get(element.tag), element.getparent()
                if column is not None:
                    if parent is row and record is not None:
                        _put(record, element, column)
                elif parent is part:
                    if record is not None:
                        yield record
                    row = element
                    record = None if row.get(_NIL) in _TRUE else blank.copy()
                elif parent is row:
                    raise misplaced(element)
        except ValueError as error:
            assert row is not None  # noqa: S101  # nosec B101 - a value has one
            raise _unreadable(before + part.index(row) + 1, error) from error
        if record is not None:
            yield record


def _columns(fields: Iterable[Field], repeat: str | None) -> tuple[Columns, Columns]:
    """Arrange fields by element: those of the row, and those of the repeated element within it."""
    row: Columns = {}
    inner: Columns = {}
    for each in fields:
        repeated = repeat is not None and each.vendor.startswith(f"{repeat}/")
        level = inner if repeated else row
        *path, last = (each.vendor.removeprefix(f"{repeat}/") if repeated else each.vendor).split("/")
        for step in path:
            nested = level.setdefault(name_of(step), {})
            assert isinstance(nested, dict), f"{each.vendor} is declared both as a value and as nested"  # noqa: S101  # nosec B101
            level = nested
        level[name_of(last)] = each
    return row, inner


def _fill(record: Record, element: etree._Element, columns: Columns) -> None:
    """Put the values of an element's children into a record.

    Raises:
        ValueError: A text does not fit its type; the message names the element.
    """
    for child in element:
        column = columns.get(child.tag)
        if column is None:
            continue
        if isinstance(column, dict):
            _fill(record, child, column)
            continue
        text = child.text
        if text is None or column.type is not TEXT or len(child):
            _put(record, child, column)
        else:  # what most are, and without a call
            record[column.name] = text


def _put(record: Record, element: etree._Element, column: Field) -> None:
    """Put the value of an element into a record.

    Raises:
        ValueError: The text does not fit its type; the message names the element.
    """
    text = element.text
    if text is None:
        if element.get(_NIL) in _TRUE:
            return
        text = ""
    if len(element):
        msg = f"{column.vendor} holds elements instead of a text"
        raise ValueError(msg)
    try:
        record[column.name] = text if column.type is TEXT else column.type.convert(text)
    except ValueError as error:
        msg = f"{column.vendor} is {text[:100]!r}, {error}"
        raise ValueError(msg) from error


def misplaced(element: etree._Element) -> errors.UnexpectedAnswer:
    """Return the error for an element that makes the list doubtful."""
    return errors.UnexpectedAnswer(
        f"The answer holds {etree.QName(element).localname} where the contract has none, "
        "so the list may not be what it seems.",
        message.REPORT,
    )


def _unreadable(number: int, error: ValueError) -> errors.UnreadableValue:
    return errors.UnreadableValue(
        f"Row {number} of the answer holds a value that does not fit its type: {error}.",
        "Correct the record in AccountsIQ, or deselect the field.",
    )

"""From a spooled SOAP answer to values: first whether it is a good answer, then row by row.

Elements are matched by namespace, never by prefix. Memory stays flat: what has been read is dropped at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lxml import etree

from tap_accountsiq import errors, message
from tap_accountsiq.document import BODY, Document
from tap_accountsiq.records import Record, RecordBuilder, misplaced, name_of
from tap_accountsiq.soap import Reply
from tap_accountsiq.streams import StreamDeclaration

IN_RESULT, IN_LIST = 3, 4
"""Depths below the envelope: of what stands in ``{Operation}Result``, and in the list ``Result`` within it."""


_STATUS, _ERROR_CODE, _ERROR_MESSAGE = name_of("Status"), name_of("ErrorCode"), name_of("ErrorMessage")
_RESULT = name_of("Result")


def _path(operation: str) -> tuple[str, ...]:
    """Return the way through an operation's answer to its status and its result."""
    return (BODY, name_of(f"{operation}Response"), name_of(f"{operation}Result"))


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
    wanted = {name_of(name): (IN_LIST, name) for name in names} | {
        name_of(name): (IN_RESULT, name) for name in ("Status", "ErrorCode", "ErrorMessage")
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
        self._row = name_of(row)
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

    def _rows(self) -> Iterator[tuple[int, etree._Element]]:
        """Yield the entries of the list, and refuse an answer that is more than one list.

        Yields:
            The number of the entry in the list, and the entry: either a row or, with the number of the row before it, a part
            of the list, of which only the entries that are rows matter.

        Raises:
            AccountsIQError: Something stands where it makes the list doubtful: a Fault, a second status, a row elsewhere.
        """
        objects = 0
        for depth, element in self._elements:
            if element.tag == self._row and depth == self._level:
                objects += depth == IN_RESULT
                if objects > 1:
                    raise misplaced(element)
                yield self._document.row, element
            elif depth == IN_LIST:
                continue  # the service may know entries that this tap does not
            elif depth == IN_RESULT and element.tag == _RESULT:
                yield self._document.row, element
            elif element.tag == message.FAULT:
                raise message.fault(element)
            elif element.tag == self._row or (depth == IN_RESULT and element.tag == _STATUS):
                raise misplaced(element)

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
        build = RecordBuilder(declaration, names, entity, self._row)
        for number, element in self._rows():
            yield from (build.of_row if element.tag == self._row else build.of_part)(element, number)


def _unexpected(operation: str) -> errors.UnexpectedAnswer:
    return errors.UnexpectedAnswer(
        f"The answer does not hold what the contract promises ({operation}Result with a Status).",
        f"Check region or api_url. {message.REPORT}",
    )

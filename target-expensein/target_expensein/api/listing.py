"""Reads long lists of records: the fields that are compared, and nothing else, built in one step.

A list of a hundred thousand records is some thirty megabytes of JSON. Here it is cut into pieces of whole records, each
piece is decoded straight into :class:`~target_expensein.model.LiveRecord`, and its bytes are given back at once. What is
not plainly a record as the API profile describes it is left as the JSON that it is, for
:func:`target_expensein.api.wire.checked` to say what is wrong with it.

Of a list only what is compared is used, and that must not be there twice; a member that is not used may be. (A single
record is used whole, for it goes back as it came.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from target_expensein import exactjson
from target_expensein.api.answers import read_json
from target_expensein.api.profile import FIELDS
from target_expensein.api.wire import is_usable_id, meaningful
from target_expensein.model import LiveRecord

if TYPE_CHECKING:
    from target_expensein.api.profile import ItemProfile

PIECE: Final = 256 * 1024
"""In bytes: how much is decoded at a time."""

_BETWEEN: Final = b"},"
_START: Final = re.compile(rb"(\xef\xbb\xbf)?[ \t\r\n]*\[")
"""The beginning of an array, after what some programs put before UTF-8."""

_TYPES: Final[dict[str, Any]] = {
    "name": str | None,
    "reference": str | None,
    "rate": msgspec.Raw,
    "is_active": bool | None,
    "applies_to": list[str] | None,
}


class ListReader:
    """Reads the answers of one item's list.

    Args:
        profile: The item's part of the API profile.

    Attributes:
        length: Length of the answer that was read last, in bytes.
    """

    def __init__(self, profile: ItemProfile) -> None:
        """Work out what a plain record looks like on this server."""
        self._envelope = profile.listing.envelope
        wire_names = {field: wire for field in FIELDS if (wire := profile.fields[field]) is not None}
        members: list[Any] = [("id", str | int), *((field, _TYPES[field]) for field in wire_names)]
        names = (profile.id_field, *wire_names.values())
        self._names = tuple(f'"{name}"'.encode() for name in names)
        link = profile.listing.paging.link.member
        frame = self._envelope if link is None else (*self._envelope, link)
        self._frame = tuple(f'"{name}"'.encode() for name in frame)
        self._used = frozenset({*names, *frame})
        self.length = 0
        self._rows: msgspec.json.Decoder[list[Any]] | None = None
        countable = len(set(names)) == len(names) and all(map(exactjson.is_spelt_plainly, (*names, *frame)))
        if countable and not profile.listing.absent_is_null:
            row = msgspec.defstruct(
                "Row",
                members,
                rename={"id": profile.id_field, **wire_names},
                namespace={field: None for field in FIELDS if field not in wire_names},
                gc=False,
            )
            self._rows = msgspec.json.Decoder(list[row])  # type: ignore[valid-type]

    def read(self, body: bytearray) -> Any:  # noqa: ANN401 - any JSON
        """Read an answer.

        Args:
            body: The JSON. It is used up.

        Returns:
            The JSON value; in the array of records those that are plain are live records.

        Raises:
            ValueError: It is not JSON.
            ArithmeticError: It has a number that is beyond all reach.
            RecursionError: It is nested too deeply.
        """
        self.length = len(body)
        if self._rows is None:
            return self._to_the_letter(body)
        return self._within(body, self._envelope)

    def _within(self, body: bytearray, envelope: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON
        """Go through the envelope to the array."""
        if not envelope:
            return self._array(body)
        if not exactjson.names_at_most(body, dict.fromkeys(self._frame, 1)):
            return self._to_the_letter(body)
        try:
            members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return self._to_the_letter(body)
        return {
            name: self._within(bytearray(value), envelope[1:])
            if name == envelope[0]
            else self._to_the_letter(bytes(value))
            for name, value in members.items()
        }

    def _array(self, body: bytearray) -> Any:  # noqa: ANN401 - any JSON
        """Read an array of records piece by piece.

        A cut between two pieces is right if what is before it is an array for itself: then no text and no object is open
        there. A cut that is not (between two objects within a record, say) is tried further on.
        """
        start = _START.match(body)
        if start is None:
            return self._to_the_letter(body)
        rows: list[Any] = []
        pending, skip, enough = bytearray(), start.end(), PIECE
        for block in _blocks(body):
            pending += block
            if skip:
                if len(pending) < skip:
                    continue
                del pending[:skip]
                skip = 0
            cut = pending.rfind(_BETWEEN)
            if cut < 0 or len(pending) < enough:
                continue
            piece = self._piece(b"[%b]" % bytes(pending[: cut + 1]))
            if piece is None:
                enough = 2 * len(pending)
            else:
                rows += piece
                del pending[: cut + len(_BETWEEN)]
                enough = PIECE
        last = self._decode(b"[" + pending)
        if last is None:
            last = self._to_the_letter(b"[" + pending)
        if rows and not last:
            raise ValueError("a comma after the last record")
        rows += last
        return rows

    def _to_the_letter(self, text: bytes | bytearray) -> Any:  # noqa: ANN401 - any JSON
        """Read any JSON, as :meth:`read` does what is not plain."""
        return read_json(text, self._used)

    def _piece(self, text: bytes) -> list[Any] | None:
        """Read an array of any JSON; None when it is not one."""
        rows = self._decode(text)
        if rows is None:
            try:
                rows = self._to_the_letter(text)
            except (ValueError, ArithmeticError, RecursionError):
                return None
        return rows

    def _decode(self, text: bytes | bytearray) -> list[Any] | None:
        """Decode an array of plain records; None when it is not one."""
        assert self._rows is not None  # noqa: S101 - read() has looked  # nosec B101
        try:
            if not text.isascii():
                text.decode("utf-8")  # where a text is skipped over, msgspec does not look at its bytes
            rows = self._rows.decode(text)
            if not exactjson.names_at_most(text, dict.fromkeys(self._names, len(rows))):
                return None  # every record has each of these members, so that one has it twice (or it is not easy to tell)
            return [_live(row) for row in rows]
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None


def _blocks(body: bytearray) -> Iterator[bytes]:
    """Yield a long text in blocks, its memory given back block by block.

    It is taken apart from its end, which a ``bytearray`` can give back in place.
    """
    blocks = []
    while body:
        blocks.append(bytes(body[-PIECE:]))
        del body[-PIECE:]
    while blocks:
        yield blocks.pop()


def _live(row: Any) -> LiveRecord:  # noqa: ANN401 - of a class that depends on the profile
    """Turn a row into a live record.

    Raises:
        ValueError: If it is none.
    """
    if not is_usable_id(row.id):
        raise ValueError
    rate = None if row.rate is None else _rate(row.rate)
    return LiveRecord(row.id, meaningful(row.reference), row.name, row.is_active, rate)


def _rate(rate: msgspec.Raw) -> Decimal | None:
    text = bytes(rate)
    if text == b"null":
        return None
    if text[:1] not in b"-0123456789":
        raise ValueError
    return Decimal(exactjson.number(text.decode("ascii")))

"""Reads Singer messages: numbers exact, and a broken line named by its number instead of repeated.

Nearly all that a target gets are plain RECORD messages, one after the other. They are taken a block of lines at a time: only
the frames are decoded here, and the records are passed on as JSON texts (``msgspec.Raw``), for whoever needs a field of
them. A block that is not that plain is halved, and halved again, until it is one line, which is read to the letter: so what
is accepted, and what is said of what is not, does not depend on the short cut.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import UnionType
from typing import IO, Any, Final, Literal

import msgspec
from singer_sdk.exceptions import RecordsWithoutSchemaException
from singer_sdk.io_base import GenericSingerReader
from singer_sdk.singerlib.exceptions import InvalidInputLine

from target_expensein import exactjson

LONGEST_LINE: Final = 64 * 1024 * 1024
"""In bytes. A line is held in memory whole, so that there must be an end to it."""

MEMBERS: Final[Mapping[str, Mapping[str, tuple[type | UnionType, str]]]] = {
    "SCHEMA": {"stream": (str, "a text"), "schema": (dict, "an object")},
    "RECORD": {"stream": (str, "a text"), "record": (dict, "an object")},
    "STATE": {"value": (object, "anything")},
    "ACTIVATE_VERSION": {"stream": (str, "a text"), "version": (int, "a whole number")},
    "BATCH": {},
}
"""What each type of message must have, beside its type."""

OPTIONAL: Final[Mapping[str, Mapping[str, tuple[type | UnionType, str]]]] = {
    "RECORD": {"version": (int | None, "a whole number")}
}
"""What may be there, and is used then."""


BLOCK: Final = 256 * 1024
"""In bytes: how much is read at a time, and what is still pending of a line before it."""

TakePlain = Callable[[str, int | None, list[msgspec.Raw]], bool]
"""Takes records of a stream and a version of its list, and says whether it could: all of them, or none."""


class PlainRecord(msgspec.Struct, gc=False):
    """A RECORD message whose record was not looked into; neither was the time, of which nothing is used."""

    type: Literal["RECORD"]
    stream: str
    record: msgspec.Raw
    version: int | msgspec.UnsetType | None = msgspec.UNSET
    time_extracted: msgspec.Raw = msgspec.Raw()


_PLAIN = msgspec.json.Decoder(PlainRecord)


class MessageReader(GenericSingerReader[bytes]):
    """Reads messages from standard input.

    Attributes:
        line: Number of the line that was read last.
        take_plain: What takes plain records, many at a time; by default nothing does.
    """

    def __init__(self) -> None:
        """Start before the first line."""
        super().__init__()
        self.line = 0
        self.take_plain: TakePlain = lambda *_: False

    @property
    def default_input(self) -> IO[bytes]:
        """Standard input."""
        return sys.stdin.buffer

    def process_lines(
        self,
        file_input: IO[bytes] | IO[str] | None,
        callbacks: Mapping[str, Callable[[dict[str, Any]], None]],
    ) -> Counter[str]:
        """Hand plain records to :attr:`take_plain`, and every other message to the callback for its type.

        Args:
            file_input: Where the lines come from; standard input if None.
            callbacks: Type of message → what takes it.

        Returns:
            How many messages there were of each type.

        Raises:
            InvalidInputLine: If a line is not a Singer message, or a callback says so; with the number of the line.
            RecordsWithoutSchemaException: Likewise, if a callback says so.
        """
        counts: Counter[str] = Counter()
        for block in self._blocks(self.default_input if file_input is None else file_input):
            self._process(block, callbacks, counts)
        return counts

    def _process(
        self, block: bytes, callbacks: Mapping[str, Callable[[dict[str, Any]], None]], counts: Counter[str]
    ) -> None:
        rows = _plain(block)
        if rows and self._take(rows):
            self.line += len(rows)
            counts["RECORD"] += len(rows)
        elif middle := _middle(block):
            self._process(block[:middle], callbacks, counts)
            self._process(block[middle:], callbacks, counts)
        elif (message := self._message(block)) is not None:
            kind = message["type"]
            try:
                callbacks[kind](message)
            except (InvalidInputLine, RecordsWithoutSchemaException) as error:
                raise type(error)(f"line {self.line}: {error}") from None
            counts[kind] += 1

    def _take(self, rows: list[PlainRecord]) -> bool:
        version = rows[0].version
        version = None if version is msgspec.UNSET else version
        return self.take_plain(rows[0].stream, version, [row.record for row in rows])

    def messages(self, lines: IO[bytes] | IO[str]) -> Iterator[dict[str, Any]]:
        """Read lines to their end, each to the letter; empty ones are passed over.

        Args:
            lines: Where they come from. What is open as text is read as the bytes below it: Singer is UTF-8.

        Yields:
            The messages, see :meth:`deserialize_json`.

        Raises:
            InvalidInputLine: If a line is not a Singer message.
        """
        for block in self._blocks(lines):
            start = 0
            while start < len(block):
                end = block.find(b"\n", start) + 1 or len(block)
                if (message := self._message(block[start:end])) is not None:
                    yield message
                start = end

    def _blocks(self, lines: IO[bytes] | IO[str]) -> Iterator[bytes]:
        """Read whole lines, some at a time: as many as are there, up to a block's length or the end of a line."""
        binary = getattr(lines, "buffer", lines)
        read = getattr(binary, "read1", binary.read)
        pending: list[bytes] = []
        first = True
        while chunk := read(BLOCK):
            chunk = chunk.encode("utf-8", "surrogatepass") if isinstance(chunk, str) else chunk
            end = chunk.rfind(b"\n") + 1
            if end:
                block = b"".join([*pending, chunk[:end]])
                yield block.removeprefix(exactjson.BOM) if first else block
                first, pending = False, []
            pending.append(chunk[end:])
            if sum(map(len, pending)) > LONGEST_LINE:
                break  # the one line that is pending is too long, whatever is still to come of it
        if last := b"".join(pending):
            yield last.removeprefix(exactjson.BOM) if first else last

    def _message(self, line: bytes) -> dict[str, Any] | None:
        """Read the next line; None when it is empty."""
        self.line += 1
        return None if not line or line.isspace() else self.deserialize_json(line)

    def deserialize_json(self, line: bytes) -> dict[str, Any]:
        """Turn one line into a message.

        Args:
            line: The line.

        Returns:
            The message, numbers exact. It has a known type and what a message of its type must have.

        Raises:
            InvalidInputLine: If it is not a Singer message. The text does not repeat the line: it may hold what should
                not be in a log.
        """
        if len(line) > LONGEST_LINE:
            raise InvalidInputLine(f"line {self.line} is longer than {LONGEST_LINE:,} bytes")
        try:
            return self._exactly(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise InvalidInputLine(f"line {self.line} is not UTF-8 (byte {error.start + 1})") from None

    def _exactly(self, text: str) -> dict[str, Any]:
        try:
            message = exactjson.loads(text)
        except RecursionError:
            raise InvalidInputLine(f"line {self.line} is nested too deeply") from None
        except ValueError as error:
            if not text.endswith("\n"):
                raise InvalidInputLine(
                    f"line {self.line} is not JSON: the input ends in the middle of it"
                ) from None
            where = f" at character {error.pos + 1}" if hasattr(error, "pos") else ""
            what = getattr(error, "msg", "it holds what JSON does not know")
            raise InvalidInputLine(f"line {self.line} is not JSON: {what}{where}") from None
        if not isinstance(message, dict):
            raise InvalidInputLine(f"line {self.line} is not a JSON object")
        for problem in _problems(message):
            raise InvalidInputLine(f"line {self.line}: {problem}")
        return message


def _plain(block: bytes) -> list[PlainRecord]:
    """Decode plain records whose lines differ in nothing but record and time; nothing when there is more in some lines."""
    try:
        if not block.isascii():
            block.decode("utf-8")  # where a text is skipped over, msgspec does not look at its bytes
        rows = _PLAIN.decode_lines(block)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return []
    text = block if block.endswith(b"\n") else block + b"\n"
    if len(rows) != text.count(b"\n") or {bytes(row.record)[:1] for row in rows} != {b"{"}:
        return []
    frame = _frame(text[: text.index(b"\n") + 1], rows[0])
    if frame is None:
        return []
    # Put together again from the first line's frame: so the others have this frame, too, and it was looked at to the letter.
    head, middle, tail = frame
    again = b"".join(
        [piece for row in rows for piece in (head, row.record, middle, row.time_extracted, tail)]
    )
    return rows if again == text else []


def _frame(line: bytes, row: PlainRecord) -> tuple[bytes, bytes, bytes] | None:
    """Return what is before, between and after the record and the time of a line; None when it is not as plain as that."""
    head, _, rest = line.partition(row.record)
    middle, time, tail = rest.partition(row.time_extracted) if row.time_extracted else (rest, b"", b"")
    try:
        message = exactjson.loads((b'%b"record"%b%b%b' % (head, middle, time and b'"time"', tail)).decode())
    except (ValueError, RecursionError):
        return None
    found = (message.get("record"), message.get("time_extracted"))
    alone = not isinstance(message, exactjson.Ambiguous) and found == ("record", "time" if time else None)
    return (head, middle, tail) if alone else None


def _middle(block: bytes) -> int:
    """Return where the line begins that is nearest to the middle of a block; 0 when there is but one line."""
    half = len(block) // 2
    return block.rfind(b"\n", 0, half) + 1 or (block.find(b"\n", half, -1) + 1)


def _problems(message: Mapping[str, Any]) -> Iterator[str]:
    """Say what keeps an object from being a Singer message."""
    repeated = message.repeated if isinstance(message, exactjson.Ambiguous) else frozenset()
    kind = message.get("type")
    if "type" in repeated:
        yield "a message with more than one 'type'"
    if not isinstance(kind, str):
        yield "a message whose 'type' is not a text" if "type" in message else "a message without 'type'"
    elif kind not in MEMBERS:
        yield f"Unknown message type {kind[:40]!r}; known are {', '.join(MEMBERS)}"
    else:
        optional = OPTIONAL.get(kind, {})
        for name, (wanted, description) in (*MEMBERS[kind].items(), *optional.items()):
            if name not in message:
                if name not in optional:
                    yield f"a {kind} message without {name!r}"
            elif name in repeated:
                yield f"a {kind} message with more than one {name!r}"
            elif not isinstance(message[name], wanted):
                yield f"{name!r} of a {kind} message is not {description}"
            elif name == "schema" and not isinstance(message[name].get("properties"), dict):
                yield "the schema of a SCHEMA message has no object 'properties'"

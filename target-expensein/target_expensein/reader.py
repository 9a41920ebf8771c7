"""Reads Singer messages line by line: numbers exact, and a broken line named by its number instead of repeated.

A target gets most of its lines as plain RECORD messages. Of those only the frame is decoded here; the record itself is
passed on as JSON text (``msgspec.Raw``), for whoever needs a field of it. Every line that is not that plain is read again
to the letter, so that what is accepted, and what is said of what is not, does not depend on the short cut.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import UnionType
from typing import IO, Any, Final, TypedDict, cast

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


class PlainRecord(TypedDict, total=False):
    """The frame of a RECORD message."""

    type: str
    stream: str
    record: msgspec.Raw
    version: int | None


_PLAIN = msgspec.json.Decoder(PlainRecord)
_FRAME = tuple(f'"{name}"'.encode() for name in PlainRecord.__annotations__)


class MessageReader(GenericSingerReader[bytes]):
    """Reads messages from standard input.

    Attributes:
        line: Number of the line that was read last.
    """

    def __init__(self) -> None:
        """Start before the first line."""
        super().__init__()
        self.line = 0

    @property
    def default_input(self) -> IO[bytes]:
        """Standard input."""
        return sys.stdin.buffer

    def process_lines(
        self,
        file_input: IO[bytes] | IO[str] | None,
        callbacks: Mapping[str, Callable[[dict[str, Any]], None]],
    ) -> Counter[str]:
        """Hand each message to the callback for its type.

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
        for message in self.messages(self.default_input if file_input is None else file_input):
            kind = message["type"]
            try:
                callbacks[kind](message)
            except (InvalidInputLine, RecordsWithoutSchemaException) as error:
                raise type(error)(f"line {self.line}: {error}") from None
            counts[kind] += 1
        return counts

    def messages(self, lines: IO[bytes] | IO[str]) -> Iterator[dict[str, Any]]:
        """Read lines to their end; empty ones are passed over.

        Args:
            lines: Where they come from. What is open as text is read as the bytes below it: Singer is UTF-8.

        Yields:
            The messages, see :meth:`deserialize_json`.

        Raises:
            InvalidInputLine: If a line is not a Singer message.
        """
        binary = getattr(lines, "buffer", lines)
        while line := binary.readline(LONGEST_LINE + 1):
            self.line += 1
            if isinstance(line, str):
                line = line.encode("utf-8", "surrogatepass")
            if self.line == 1:
                line = line.removeprefix(exactjson.BOM)
            if line.isspace() or not line:
                continue
            yield self.deserialize_json(line)

    def deserialize_json(self, line: bytes) -> dict[str, Any]:
        """Turn one line into a message.

        Args:
            line: The line.

        Returns:
            The message. It has a known type and what a message of its type must have. A record is either JSON text that
            was not looked into (``msgspec.Raw``) or an object; all else is decoded, numbers exact.

        Raises:
            InvalidInputLine: If it is not a Singer message. The text does not repeat the line: it may hold what should
                not be in a log.
        """
        if len(line) > LONGEST_LINE:
            raise InvalidInputLine(f"line {self.line} is longer than {LONGEST_LINE:,} bytes")
        try:
            # Where a text is skipped over, msgspec does not look at its bytes.
            text = None if line.isascii() else line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInputLine(f"line {self.line} is not UTF-8 (byte {error.start + 1})") from None
        try:
            message = _PLAIN.decode(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass
        else:
            plain = message.get("type") == "RECORD" and "stream" in message and "record" in message
            if plain and exactjson.names_at_most(1, line, _FRAME):
                return cast("dict[str, Any]", message)
        return self._exactly(line.decode("ascii") if text is None else text)

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

"""Messages to stdout: JSON at the speed of the pipe, numbers with the digits that they came with."""

from __future__ import annotations

import datetime
import sys
from typing import Any

import msgspec
from singer_sdk.singerlib.encoding.base import GenericSingerWriter
from singer_sdk.singerlib.messages import Message, RecordMessage

_encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode
"""Decimals become JSON numbers, digit by digit; what JSON and msgspec do not know becomes text, as in the SDK."""


class MessageWriter(GenericSingerWriter[bytes, Message]):
    """Writes each message as one line of UTF-8.

    Records wait in the buffer of stdout for the next full block or the next message of another kind, so that a record
    does not cost a system call; whatever a target acts upon (STATE, ACTIVATE_VERSION) arrives at once, after all records
    before it.
    """

    def serialize_message(self, message: Message) -> bytes:
        """Return a message as JSON, without the end of the line."""
        return _encode(message.to_dict())

    def write_message(self, message: Message) -> None:
        """Write a message of any kind.

        Args:
            message: The message.

        Raises:
            BrokenPipeError: Nobody reads any more.
        """
        sys.stdout.buffer.write(self.serialize_message(message) + b"\n")
        if not isinstance(message, RecordMessage):
            sys.stdout.buffer.flush()

    def write_record(self, stream: str, record: dict[str, Any], version: int | None) -> None:
        """Write a RECORD message, extracted now: the same line as `write_message` writes, without the way there.

        Args:
            stream: Name of the stream.
            record: The record, complete and of the right types.
            version: Version of the stream, or None for none.

        Raises:
            BrokenPipeError: Nobody reads any more.
        """
        message: dict[str, Any] = {"type": "RECORD", "stream": stream, "record": record}
        if version is not None:
            message["version"] = version
        message["time_extracted"] = datetime.datetime.now(datetime.UTC)
        sys.stdout.buffer.write(_encode(message) + b"\n")

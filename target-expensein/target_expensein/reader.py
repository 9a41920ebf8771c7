"""Reads Singer messages line by line: numbers exact, and a broken line named by its number instead of repeated."""

from __future__ import annotations

import sys
from typing import Any

import simplejson
from singer_sdk.io_base import GenericSingerReader
from singer_sdk.singerlib.exceptions import InvalidInputLine


class MessageReader(GenericSingerReader[str]):
    """Reads messages from standard input."""

    default_input = sys.stdin

    def __init__(self) -> None:
        """Start before the first line."""
        super().__init__()
        self._line = 0

    def deserialize_json(self, line: str) -> dict[str, Any]:
        """Turn one line into a message.

        Args:
            line: The line.

        Returns:
            The message, every non-integer number as an exact decimal.

        Raises:
            InvalidInputLine: If the line is not a JSON object. The message does not repeat the line: it may hold
                what should not be in a log.
        """
        self._line += 1
        try:
            message = simplejson.loads(line, use_decimal=True)
        except ValueError as error:
            text = f"line {self._line} is not JSON ({error})"
            raise InvalidInputLine(text) from None
        if not isinstance(message, dict):
            text = f"line {self._line} is not a JSON object"
            raise InvalidInputLine(text)
        return message

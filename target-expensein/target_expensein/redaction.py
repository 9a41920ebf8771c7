"""Takes secrets out of texts, in whatever form a server or a library may have put them there."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import traceback
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

_SHORTEST: Final = 8
"""A shorter piece of base64 would be found where the secret is not."""


_ESCAPED: Final = re.compile(rb"\\u00([2-7][0-9A-Fa-f])")


class Redaction:
    """Knows a secret in its usual disguises: as it is, escaped for an address, for JSON, for HTML, and in base64.

    Args:
        secret: The secret.
        name: What stands in its place, in brackets.
    """

    def __init__(self, secret: str, name: str) -> None:
        """Work out the forms, the longest first: one may be within another."""
        forms = sorted({secret, *_disguises(secret)}, key=len, reverse=True)
        self._forms = [form.encode() for form in forms]
        self._pattern = re.compile("|".join(map(re.escape, forms)), re.IGNORECASE)
        self._mark = f"[{name}]"

    def __call__(self, text: str) -> str:
        """Return a text without the secret.

        Args:
            text: Any text.
        """
        return self._pattern.sub(self._mark, text)

    def finds(self, body: bytes | bytearray) -> bool:
        r"""Tell whether a body, of JSON perhaps, holds the secret; fast on long ones.

        Args:
            body: The bytes; what JSON has escaped as ``\u0041`` is found, too.
        """
        if b"\\" in body and b"\\u00" in body:  # the first is answered at once, and nearly always settles it
            body = _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), body)
        return any(form in body for form in self._forms)


class RedactedLog(logging.Filter):
    """Takes a secret out of everything that a handler writes: messages, their arguments, and exceptions nobody foresaw.

    Args:
        redact: Takes the secret out of a text.
    """

    def __init__(self, redact: Redaction) -> None:
        """Remember how."""
        super().__init__()
        self._redact = redact

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record where it holds the secret; it is always written.

        Args:
            record: The record.
        """
        message = record.getMessage()
        if (safe := self._redact(message)) != message:
            record.msg, record.args = safe, None
        if record.exc_info and (error := record.exc_info[1]):
            shown = "".join(traceback.format_exception(error))
            if self._redact(shown) != shown:  # also that of a cause, which is left out then
                stand_in = RuntimeError(self._redact(f"{type(error).__name__}: {error}"))
                record.exc_info = (RuntimeError, stand_in, record.exc_info[2])
        return True


def _disguises(secret: str) -> Iterator[str]:
    yield from (quote(secret, safe=""), quote(secret), quote_plus(secret))
    in_json = json.dumps(secret)[1:-1]
    yield from (in_json, in_json.replace("/", "\\/"), repr(secret)[1:-1])
    in_html = html.escape(secret)
    yield from (in_html, in_html.replace("&quot;", "&#34;").replace("&#x27;", "&#39;"))
    yield html.escape(secret, quote=False)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield from (form for form in _in_base64(secret.encode(), encode) if len(form) >= _SHORTEST)


def _in_base64(secret: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    """Yield what base64 makes of a secret wherever it stands among other bytes.

    Three bytes become four characters; those at the edges also depend on the neighbours, and are left out.
    """
    for before in range(3):
        text = encode(bytes(before) + secret).decode("ascii")
        yield text[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]

"""Takes secrets out of a service's words, in whatever form the service repeated them."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 8
"""A shorter piece of base64 would be found where the secret is not."""


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return a text without secrets.

    Args:
        text: Any text.
        secrets: What to take out: as it is, escaped for an address, XML, HTML or JSON, and in base64.

    Returns:
        The text, `***` in the place of each.
    """
    forms = {form for secret in secrets if secret for form in _forms(secret)}
    if not forms:
        return text
    longest_first = sorted(forms, key=len, reverse=True)  # one may be within another
    return re.sub("|".join(map(re.escape, longest_first)), "***", text, flags=re.IGNORECASE)


def _forms(secret: str) -> Iterator[str]:
    yield from (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1])
    yield from (quote(secret), quote(secret, safe=""), quote_plus(secret))
    escaped = html.escape(secret)
    yield from (escaped, escaped.replace("&quot;", "&#34;").replace("&#x27;", "&#39;"))
    yield html.escape(secret, quote=False)
    data = secret.encode()
    for before in range(
        3
    ):  # three bytes become four characters; those at the edges depend on the neighbours, too
        text = base64.b64encode(bytes(before) + data).decode("ascii")
        core = text[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        if len(core) >= SHORTEST:
            yield from (core, core.replace("+", "-").replace("/", "_"))

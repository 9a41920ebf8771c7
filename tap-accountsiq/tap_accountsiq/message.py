"""What a reply is, before anybody reads it: its HTTP status, how its body begins and how it ends."""

from __future__ import annotations

import re

from lxml import etree

from tap_accountsiq import errors
from tap_accountsiq.document import BODY, Document, doctype_refused, no_envelope
from tap_accountsiq.soap import HTTP_OK, SOAP_NAMESPACE, Reply
from tap_accountsiq.spool import tail

HEAD = 4096
"""Bytes in which the root element has to begin."""

HTTP_TOO_MANY_REQUESTS = 429
HTTP_SERVER_ERROR = 500

FAULT = f"{{{SOAP_NAMESPACE}}}Fault"

REPORT = "Report this to the tap's authors: the service's contract may have changed."
_PROLOG = re.compile(rb"(\xef\xbb\xbf)?\s*((<\?.*?\?>|<!--.*?-->)\s*)*", re.DOTALL)
_HTML = re.compile(rb"<(!doctype\s+)?html", re.IGNORECASE)
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_ENVELOPE = re.compile(rb"<([\w.-]+:)?Envelope[\s>]")
_ENVELOPE_END = re.compile(rb"</([\w.-]+:)?Envelope\s*>")
_OTHER_ENCODING = re.compile(rb"\xfe\xff|\xff\xfe|<\0|\0<")
_CODE = re.compile(r"[A-Z0-9_]{5,}")


def check(reply: Reply) -> None:
    """See whether a reply can be a good SOAP answer at all; its body then stands at the start.

    Args:
        reply: What came over the wire.

    Raises:
        AccountsIQError: By its HTTP status, or by how the body begins and ends.
    """
    head = reply.body.read(HEAD)
    reply.body.seek(0)
    start = head[_match_end(_PROLOG, head) :]
    html = bool(_HTML.match(start))
    if reply.status != HTTP_OK:
        raise _http_error(reply, start, html=html)
    if not head:
        raise errors.EmptyAnswer(
            "The answer is empty.", "Check region or api_url; if they are right, try again later."
        )
    if html:
        raise errors.HtmlAnswer(
            "The answer is a web page, not a SOAP message.",
            "Check region or api_url; a proxy or a maintenance page may be in the way.",
            words=_title(start),
        )
    if start[:9].upper() == b"<!DOCTYPE":
        raise doctype_refused()
    if _OTHER_ENCODING.match(head):
        raise errors.BrokenXml(
            "The answer is not written in UTF-8, as the service's answers are.",
            "Check region or api_url; if they are right, report it to AccountsIQ's support.",
        )
    if not start.startswith(b"<"):
        raise errors.BrokenXml(
            "The answer is not XML.",
            "Check region or api_url; if they are right, report it to AccountsIQ's support.",
        )
    if not _ENVELOPE.match(start):  # nothing but the prolog stands before it, so a DOCTYPE cannot hide
        raise no_envelope()
    if reply.whole and not _ENVELOPE_END.search(tail(reply.body)):
        raise errors.TruncatedAnswer("The end of the answer is missing.", "Try again later.")


def _match_end(pattern: re.Pattern[bytes], text: bytes) -> int:
    found = pattern.match(text)
    return found.end() if found else 0


def _http_error(reply: Reply, start: bytes, *, html: bool) -> errors.AccountsIQError:
    """Return the error for an HTTP status other than 200, with the SOAP Fault in its body if there is one."""
    if _ENVELOPE.match(start):
        try:
            for _, element in Document(reply.body, (BODY,), whole=reply.whole).walk():
                if element.tag == FAULT:
                    return fault(element)
        except errors.AccountsIQError:
            pass  # the status says enough
    words = _title(start) if html else None
    if reply.status == HTTP_TOO_MANY_REQUESTS:
        return errors.Throttled(
            "The service is limiting the number of calls (HTTP 429).",
            "Try again later, and see whether another program uses the same application at the same time.",
            words=words,
        )
    if reply.status >= HTTP_SERVER_ERROR:
        return errors.ServerFailure(
            f"The service or a gateway before it is out of order (HTTP {reply.status}).",
            "Try again later.",
            words=words,
        )
    return errors.HttpFailure(
        f"The server refuses the request (HTTP {reply.status}).",
        "Check region or api_url, and whether a proxy or firewall is in the way.",
        words=words,
    )


def fault(element: etree._Element) -> errors.AccountsIQError:
    """Return the error for a SOAP Fault: by a known code anywhere in it, else by whom it blames.

    Args:
        element: The whole ``soap:Fault``.

    Returns:
        The error, not raised.
    """
    text = " ".join("".join(map(str, element.itertext())).split())
    code = next((each for each in _CODE.findall(text) if each in errors.CODES), None)
    string = (element.findtext("faultstring") or text).strip()
    if code:
        return errors.from_code(code, string)
    if (element.findtext("faultcode") or "").rpartition(":")[2].startswith("Client"):
        return errors.RequestRefused(
            "The service does not accept the request (SOAP Fault).", REPORT, words=string
        )
    return errors.ServiceFault("The service failed inside (SOAP Fault).", "Try again later.", words=string)


def _title(page: bytes) -> str | None:
    found = _TITLE.search(page)
    return found.group(1).decode("utf-8", "replace") if found else None

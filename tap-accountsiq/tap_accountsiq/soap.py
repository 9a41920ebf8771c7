"""The wire: an envelope out, the answer spooled whole before anybody reads it.

Spooling means that a slow consumer never holds the service's connection open, that a broken download is repeated
before a single record has left, and that memory does not grow with the list.
"""

from __future__ import annotations

import datetime
import email.utils
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from lxml import etree

from tap_accountsiq import errors
from tap_accountsiq.deadline import DeadlineAdapter, OutOfTimeError
from tap_accountsiq.spool import Limits, spool

if TYPE_CHECKING:
    from tap_accountsiq.streams import Arguments

NAMESPACE = "http://www.visorsoftware.com/visor/accountsiq/dashboard/Integration/"
"""Namespace of every element of the service, and prefix of every SOAPAction."""

SOAP_NAMESPACE = "http://schemas.xmlsoap.org/soap/envelope/"
XSI_NAMESPACE = "http://www.w3.org/2001/XMLSchema-instance"

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
"""The hosts for which http is allowed, and which are never reached through a proxy."""

ERROR_BODY_LIMIT = 64 * 1024
"""Bytes that are read of an answer that is only looked at: an error, or the head of a list."""

MAX_RETRY_AFTER = 300.0
"""Seconds; a service that asks for a longer pause is asked again after this one."""

_SECONDS = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")

HTTP_OK = 200
REDIRECTS = range(300, 400)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the SOAP header of a call carries."""

    entity: str
    access_token: str


def envelope(operation: str, arguments: Arguments, credentials: Credentials | None) -> bytes:
    """Build a SOAP 1.1 request.

    Args:
        operation: Name of the operation, which is also the name of the body element.
        arguments: What goes into the body element.
        credentials: The header; ``None`` for the two operations that sign in.

    Returns:
        The XML document in UTF-8; values are escaped.
    """
    root = etree.Element(
        etree.QName(SOAP_NAMESPACE, "Envelope"),
        nsmap={"soap": SOAP_NAMESPACE, "xsi": XSI_NAMESPACE},
    )
    if credentials:
        header = etree.SubElement(root, etree.QName(SOAP_NAMESPACE, "Header"))
        _add(header, "AiqSoapHeader", {"Entity": credentials.entity, "AccessToken": credentials.access_token})
    _add(etree.SubElement(root, etree.QName(SOAP_NAMESPACE, "Body")), operation, arguments)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def _add(parent: etree._Element, name: str, value: str | Arguments | None) -> None:
    no_prefix: dict[str, str] = {None: NAMESPACE}  # type: ignore[dict-item]  # the stubs do not know lxml's None
    element = etree.SubElement(parent, etree.QName(NAMESPACE, name), nsmap=no_prefix)
    if value is None:
        element.set(etree.QName(XSI_NAMESPACE, "nil"), "true")
    elif isinstance(value, str):
        element.text = value
    else:
        for child, content in value.items():
            _add(element, child, content)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, spooled; the connection that brought it is free again.

    Attributes:
        status: HTTP status.
        body: The decoded bytes, to be read from the start and closed by whoever holds the reply.
        whole: Whether the body was read to its end.
        retry_after: Seconds that the service asked us to wait, if it did.
    """

    status: int
    body: IO[bytes]
    whole: bool
    retry_after: float | None


class Wire:
    """One HTTP session with the service, one request at a time.

    Args:
        url: Address of the service.
        limits: What an answer may cost.
        user_agent: How the tap introduces itself.
        ca_bundle: PEM file with the certificates to trust instead of the usual ones, or ``None``.
    """

    def __init__(self, url: str, *, limits: Limits, user_agent: str, ca_bundle: str | None) -> None:
        """See the class."""
        self._url = url
        self._limits = limits
        self._session = requests.Session()
        # Nothing from the environment but the proxies: neither REQUESTS_CA_BUNDLE (which could switch the
        # verification to other certificates) nor .netrc (which would add credentials).
        self._session.trust_env = False
        if urlsplit(url).hostname not in LOOPBACK_HOSTS:
            self._session.proxies.update(requests.utils.get_environ_proxies(url))
        self._session.verify = ca_bundle or True
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, DeadlineAdapter(limits.duration))
        self._session.headers.clear()
        self._session.headers.update(
            {
                "User-Agent": user_agent,
                "Accept": "text/xml",
                "Accept-Encoding": "gzip",
                # Until the next list is due, the consumer has this one to take in: nobody keeps a connection that long.
                "Connection": "close",
            }
        )

    def post(
        self,
        operation: str,
        arguments: Arguments,
        credentials: Credentials | None = None,
        *,
        limit: int | None = None,
    ) -> Reply:
        """Send one request and spool its answer.

        Args:
            operation: Name of the operation.
            arguments: Content of the body element.
            credentials: Entity and access token; ``None`` when signing in.
            limit: Read no more than about so many bytes and drop the rest, when only the head is of interest.

        Returns:
            The answer, whatever its HTTP status (except redirects).

        Raises:
            AccountsIQError: One of the errors of the way there; see `tap_accountsiq.errors`.
        """
        try:
            with self._session.post(
                self._url,
                data=envelope(operation, arguments, credentials),
                headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": NAMESPACE + operation},
                timeout=self._limits.silence,
                allow_redirects=False,
                stream=True,
            ) as response:
                if response.status_code in REDIRECTS:
                    raise errors.RedirectRefused(
                        f"The server redirects (HTTP {response.status_code}); the tap does not follow, "
                        "so that credentials only go to the configured address.",
                        "Correct region or api_url.",
                        words=response.headers.get("Location"),
                    )
                if response.status_code != HTTP_OK:
                    limit = ERROR_BODY_LIMIT
                body, whole = spool(response, self._limits, limit)
                return Reply(response.status_code, body, whole, retry_after(response.headers))
        except requests.RequestException as error:
            raise _named(error, urlsplit(self._url).hostname or "", self._limits) from error
        finally:
            self._session.close()  # else the next request may still find the connection that is to be closed, and be lost


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the pause that an answer asks for, as seconds or as a date.

    A date is compared with the answer's own ``Date``, so that a clock that is wrong, here or there, does not matter.

    Args:
        headers: The answer's headers, whatever the case of their names.

    Returns:
        Seconds, at most `MAX_RETRY_AFTER`; None when there is no such header or no sense in it, or when the date is past.
    """
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), MAX_RETRY_AFTER)
    until = _moment(value)
    if until is None:
        return None
    now = _moment(headers.get("Date", "")) or datetime.datetime.now(datetime.UTC)
    seconds = (until - now).total_seconds()
    return min(seconds, MAX_RETRY_AFTER) if seconds >= 0 else None


def _moment(value: str) -> datetime.datetime | None:
    """Read the date of a header; one without a zone is taken as UTC."""
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def _chain(error: BaseException) -> list[BaseException]:
    """Return the failure and what requests and urllib3 wrapped in it, outermost first."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        inner = [getattr(current, "reason", None), *current.args, current.__cause__]
        current = next((each for each in inner if isinstance(each, BaseException)), None)
    return chain


def _named(error: requests.RequestException, host: str, limits: Limits) -> errors.AccountsIQError:
    """Give one of requests' exceptions a name, a cause and a cure."""
    chain = _chain(error)
    detail = str(chain[-1])
    if isinstance(error, requests.exceptions.SSLError):
        return errors.TlsFailure(
            f"No trusted TLS connection to {host}.",
            "If the server's certificate is signed by your own CA, put the CA's certificate into a PEM file "
            "and name it in ca_bundle; otherwise do not connect.",
            words=detail,
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return errors.ProxyFailure(
            f"The proxy of the environment does not let the tap through to {host}.",
            "Check HTTPS_PROXY and NO_PROXY.",
            words=detail,
        )
    if any(isinstance(each, urllib3.exceptions.NameResolutionError) for each in chain):
        return errors.HostNotFound(
            f"The host {host} was not found.", "Check region or api_url, and the network's name service."
        )
    if any(isinstance(each, ConnectionRefusedError) for each in chain):
        return errors.ConnectionRefused(
            f"{host} refuses the connection.",
            "Check region or api_url, and whether a firewall is in the way.",
        )
    return _late(chain, host, limits) or errors.ConnectionLost(
        f"The connection to {host} broke before the answer was complete.", "Try again later.", words=detail
    )


def _late(chain: list[BaseException], host: str, limits: Limits) -> errors.AccountsIQError | None:
    """Return the error for an answer that took too long, or for a silence; None if it was neither."""
    if any(isinstance(each, OutOfTimeError) for each in chain):
        return errors.AnswerTooSlow(
            f"The answer was not complete within {limits.duration:g} seconds.",
            "If the list really takes that long, raise answer_timeout.",
        )
    if any(
        isinstance(each, requests.Timeout | TimeoutError | urllib3.exceptions.TimeoutError) for each in chain
    ):
        return errors.TimedOut(
            f"{host} did not answer within {limits.silence:g} seconds.",
            "Try again later, or raise request_timeout.",
        )
    return None

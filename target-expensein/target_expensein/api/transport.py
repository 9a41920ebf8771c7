"""One HTTP call: the session, the address, time limits, and what is known when a call did not come through."""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import requests
from requests import PreparedRequest
from requests.utils import default_headers, get_environ_proxies
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
)
from urllib3.exceptions import ProxyError as BrokenProxy

from target_expensein.api.answers import Answer, Target, check_status, dump
from target_expensein.api.deadline import DeadlineAdapter
from target_expensein.api.errors import BadAnswer, ConfigurationError, RedirectRefused, Unreachable
from target_expensein.api.retry import CallFailed, Trouble
from target_expensein.redaction import Redaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from requests import Response

    from target_expensein.api.errors import ApiError
    from target_expensein.api.limiter import SharedPause
    from target_expensein.api.profile import Profile

_CHUNK = 64 * 1024
_LONGEST_CONNECT = 10.0
MEGABYTE: Final = 1_000_000
_MOST_OF_AN_ERROR = 64 * 1024
"""Bytes that are read of an answer that is an error: enough for its words."""
_TELLING_HEADERS = ("Content-Type", "Link")
"""Headers of a good answer that may come to be shown, in a message or as an address."""

_UNTRUSTED = "the server's certificate is not trusted ({detail}). Set ca_bundle if the server has a CA of its own; behind a company proxy use the proxy's CA."
_CAUSES: tuple[tuple[type[BaseException], Trouble, str], ...] = (
    (ssl.SSLCertVerificationError, Trouble.UNTRUSTED, _UNTRUSTED),
    (
        BrokenProxy,
        Trouble.NOT_SENT,
        "the proxy of the environment (HTTPS_PROXY) cannot be used. Check it, or set NO_PROXY.",
    ),
    (
        NameResolutionError,
        Trouble.NOT_SENT,
        "the name of the server cannot be resolved. Check api_url and the network (DNS).",
    ),
    (
        NewConnectionError,
        Trouble.NOT_SENT,
        "no connection (refused, or no way to it). Check api_url, the network and the firewall.",
    ),
    (
        ConnectTimeoutError,
        Trouble.NOT_SENT,
        "no connection in time. Check api_url, the network and the firewall.",
    ),
    (
        ReadTimeoutError,
        Trouble.TIMED_OUT,
        "no whole answer in time. Raise request_timeout if this server is slow.",
    ),
    (ssl.SSLError, Trouble.LOST, "the TLS connection failed ({detail}). Check that api_url speaks https."),
)
"""What an exception in the chain of causes means, the first that fits; anything else is a lost connection."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: what the key may be sent to."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin | None:
        """Read the origin of an address; None when it has none, or carries a user name.

        Args:
            url: The address.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
        except ValueError:
            return None
        if "\\" in url or parts.username is not None or not parts.hostname or not port:
            return None
        return cls(parts.scheme, parts.hostname, port)

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine itself."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def api_base(api_url: str) -> str:
    """Check the API's address.

    Args:
        api_url: The setting.

    Returns:
        The address with a slash at the end.

    Raises:
        ConfigurationError: Not an https address (http for this machine only), or with parts that do not belong there.
    """
    if not re.fullmatch(r"[\x21-\x7e]+", api_url):
        raise ConfigurationError(
            "api_url is empty, or has a space or another odd character in it. Expected for example https://api.expensein.com/1.0/"
        )
    origin = Origin.of(api_url)
    parts = urlsplit(api_url) if origin else None
    if (
        origin is None
        or parts is None
        or parts.query
        or parts.fragment
        or origin.scheme not in {"http", "https"}
    ):
        raise ConfigurationError(
            "api_url is not a plain web address (no user name, no ? and no # in it). Expected for example https://api.expensein.com/1.0/"
        )
    if origin.scheme == "http" and not origin.is_loopback:
        raise ConfigurationError(
            f"api_url: plain http to {origin.host} would show the API key to the network. Use https (http is for this machine only)."
        )
    return api_url.rstrip("/") + "/"


class Transport:
    """Sends single requests to one origin; safe for several threads.

    It uses an adapter of requests without a ``Session``, which would work out for every request what is the same for all.
    So nothing of the environment interferes but the proxies (no ``.netrc``, no ``REQUESTS_CA_BUNDLE``), no cookie is kept
    and no redirect followed. Nothing is repeated here: not by urllib3 either.
    """

    def __init__(
        self,
        api_url: str,
        api_key: str,
        profile: Profile,
        pause: SharedPause,
        *,
        connections: int,
        timeout: float,
        longest: int,
        ca_bundle: str | None,
        user_agent: str,
    ) -> None:
        """Check the settings and make the session; nothing is sent.

        Args:
            api_url: The API's address.
            api_key: The key.
            profile: The API profile.
            pause: The pause that all workers share.
            connections: How many connections are kept open.
            timeout: The longest silence of the server, in seconds.
            longest: The longest answer that is read, in bytes after decompression.
            ca_bundle: File or folder with the CA certificates to trust instead of the usual ones.
            user_agent: How to introduce ourselves.

        Raises:
            ConfigurationError: A setting cannot be used.
        """
        self.base = api_base(api_url)
        if not re.fullmatch(r"[\x21-\x7e]+", api_key):
            raise ConfigurationError(
                "api_key is empty, or has a space, a line break or another odd character in it. Paste the key alone, as ExpenseIn shows it."
            )
        self._origin = Origin.of(self.base)
        self._redaction = Redaction(api_key, "api_key")
        self._profile = profile
        self._pause = pause
        self._timeout = timeout
        self._longest = longest
        self._verify = _usable_bundle(ca_bundle) or True
        # To this machine there is no proxy: plain http through one would show the key to the network.
        direct = self._origin is None or self._origin.is_loopback
        self._proxies = {} if direct else get_environ_proxies(self.base)
        self._adapter = DeadlineAdapter(pool_connections=1, pool_maxsize=connections, max_retries=0)
        authorization = profile.authorization
        self._headers = {
            **default_headers(),
            authorization.header: authorization.value(api_key),
            "Accept": "application/json",
            "User-Agent": user_agent,
        }

    def close(self) -> None:
        """Close all connections."""
        self._adapter.close()

    def send(
        self,
        target: Target,
        *,
        query: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request, once, when no pause is on.

        Args:
            target: What it is about.
            query: Query parameters.
            members: The JSON object to send.
            headers: Further headers.

        Returns:
            The answer, always 2xx, its body complete.

        Raises:
            CallFailed: The retry policy decides.
            ApiError: Final.
        """
        if Origin.of(target.url) != self._origin:
            raise target.error(
                RedirectRefused,
                f"The address {target.url} leads to another server than api_url; the key is not sent there.",
            )
        self._pause.wait()
        try:
            response = self._adapter.send(
                self._prepared(target, query or {}, members, headers or {}),
                timeout=(min(self._timeout, _LONGEST_CONNECT), self._timeout),
                stream=True,
                verify=self._verify,
                proxies=self._proxies,
            )
        except (requests.RequestException, HTTPError) as error:
            raise self._failed(target, error) from error
        with response:
            try:
                body = _body(response, self._longest if response.ok else _MOST_OF_AN_ERROR)
            except HTTPError as error:
                if response.ok:
                    raise self._failed(target, error) from error
                body = bytearray()  # the status says enough
        answer = Answer(response.status_code, response.headers, body)
        check_status(target, answer, self._profile.errors, self._redaction)
        self._check_body(target, answer)
        return answer

    def _prepared(
        self,
        target: Target,
        query: Mapping[str, str],
        members: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> PreparedRequest:
        """Return the request as it is sent.

        Raises:
            RequestException: It has something that no request may have.
        """
        request = PreparedRequest()
        request.method = target.method
        request.url = _address(target.url, tuple(query.items()))
        body = {}
        if members is not None:
            request.body = dump(members)
            body = {"Content-Type": "application/json", "Content-Length": str(len(request.body))}
        request.prepare_headers({**self._headers, **headers, **body})
        return request

    def _check_body(self, target: Target, answer: Answer) -> None:
        """Refuse a good answer that is too long, or that repeats the key: it would get into reports and the ledger.

        Raises:
            CallFailed: It does.
        """
        if len(answer.body) > self._longest:
            raise CallFailed(Trouble.TOO_LONG, too_long(target, self._longest))
        told: list[bytes | bytearray] = [
            answer.body,
            *(answer.headers.get(name, "").encode() for name in _TELLING_HEADERS),
        ]
        if any(map(self._redaction.finds, told)):
            message = (
                f"{target.place}: the answer repeats the API key itself, so it is not used. Look for it in the names and "
                "other texts of these records in ExpenseIn, take it out, and then make a new key: others can have read it."
            )
            raise CallFailed(Trouble.UNREADABLE, target.error(BadAnswer, message, status=answer.status))

    def _failed(self, target: Target, error: BaseException) -> CallFailed:
        causes = list(_causes(error))
        for kind, trouble, message in _CAUSES:
            for cause in causes:
                if isinstance(cause, kind):
                    detail = (
                        getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "no details"
                    )
                    return CallFailed(
                        trouble, target.error(Unreachable, f"{target.place}: {message.format(detail=detail)}")
                    )
        reason = "the connection was lost before the answer was complete, or its head makes no sense"
        return CallFailed(Trouble.LOST, target.error(Unreachable, f"{target.place}: {reason}."))


def too_long(target: Target, longest: int) -> ApiError:
    """Return the error of an answer, or of all pages of a list together, that is longer than it may be.

    Args:
        target: What was asked.
        longest: The longest, in bytes.
    """
    return target.error(
        BadAnswer,
        f"{target.place}: the answer is longer than {longest // MEGABYTE} MB, so it was not read to its end. If there really "
        "is that much, raise max_answer_megabytes.",
    )


@lru_cache(maxsize=64)
def _address(url: str, query: tuple[tuple[str, str], ...]) -> str:
    """Return an address as it is sent. Most requests of a run are to a few.

    Raises:
        RequestException: It is none.
    """
    request = PreparedRequest()
    request.prepare_url(url, dict(query))
    return request.url or url


def _body(response: Response, most: int) -> bytearray:
    """Read a body as it comes, and no more than a chunk beyond so many bytes; what is counted is decompressed.

    Raises:
        HTTPError: The body broke off, cannot be decompressed, or did not end in time.
    """
    body = bytearray()
    while len(body) <= most and (chunk := response.raw.read1(_CHUNK, decode_content=True)):
        body += chunk
    return body


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and everything it was made from, however requests and urllib3 wrapped it."""
    waiting, seen = [error], set()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        wrapped = (*current.args, getattr(current, "reason", None), current.__cause__, current.__context__)
        waiting += [inner for inner in wrapped if isinstance(inner, BaseException)]


def _usable_bundle(ca_bundle: str | None) -> str | None:
    if not ca_bundle:
        return None
    path = Path(ca_bundle)
    try:
        if path.is_dir():
            ssl.create_default_context(capath=path)
        else:
            ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"ca_bundle: {ca_bundle} cannot be read as a file (or folder) of CA certificates in PEM form."
        ) from error
    return ca_bundle

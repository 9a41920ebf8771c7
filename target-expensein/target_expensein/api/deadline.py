"""Connections whose whole answer has a deadline, from the first byte of its head to the last of its body.

A socket's own time-out counts anew for every few bytes: a server that sends one byte of a header in time, and then
another, holds a worker for days. Here every reading from the socket also has to come before the answer's end time.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any, Final

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HeaderParsingError
from urllib3.util.response import assert_header_parsing

SILENCES: Final = 10
"""A whole answer may take so many times the time-out for one silence."""


class _Timed(io.RawIOBase):
    """What comes from a socket, until the end time is over."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._silence = sock.gettimeout() or 0.0
        self._end = time.monotonic() + SILENCES * self._silence if self._silence else float("inf")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - any writable buffer
        left = self._end - time.monotonic()
        if left <= 0:
            message = "the answer took too long"
            raise TimeoutError(message)
        if left < self._silence:
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """An answer read through :class:`_Timed`; a proxy's answer to CONNECT is one, too."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - http.client's
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock))

    def begin(self) -> None:
        """Read the head; one that makes no sense is refused, for what comes after it cannot be trusted either.

        urllib3 refuses two lengths too, but so late that nobody would close the connection.
        """
        super().begin()
        try:
            assert_header_parsing(self.msg)
        except HeaderParsingError as error:
            message = "malformed headers"
            raise http.client.HTTPException(message) from error
        values = self.msg.get_all("Content-Length", [])
        if len({length.strip() for value in values for length in value.split(",")}) > 1:
            message = "more than one length"
            raise http.client.HTTPException(message)


class _Plain(HTTPConnection):
    response_class = _Answer


class _Tls(HTTPSConnection):
    response_class = _Answer


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


class DeadlineAdapter(HTTPAdapter):
    """An adapter of requests whose answers end in time: after ``SILENCES`` times the read time-out at the latest.

    What comes too late is a read time-out like any other.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - requests' own signature
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        _put_in_time(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> PoolManager:  # noqa: ANN401 - requests' own signature
        """Return the pools of connections through a proxy."""
        manager: PoolManager = super().proxy_manager_for(*args, **kwargs)
        _put_in_time(manager)
        return manager


def _put_in_time(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

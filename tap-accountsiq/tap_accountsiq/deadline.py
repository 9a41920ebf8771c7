"""Connections whose answers have an end time, for everything from the first byte of the head to the last of the body.

A socket's own time-out begins anew with every few bytes that come: one byte of a header now and then would hold the
tap for days. Here every reading from the socket also has to come before the end time.
"""

from __future__ import annotations

import functools
import http.client
import io
import socket
import time
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection


class OutOfTimeError(TimeoutError):
    """The end time of an answer is over; not to be confused with a silence."""

    def __init__(self) -> None:
        """See the class."""
        super().__init__("the answer took too long")


class _Timed(io.RawIOBase):
    """What comes from a socket, until the end time."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, seconds: float) -> None:
        self._raw = raw
        self._sock = sock
        self._silence = sock.gettimeout()
        self._end = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - any writable buffer
        left = self._end - time.monotonic()
        if left <= 0:
            raise OutOfTimeError
        if self._silence is not None and left >= self._silence:
            return self._raw.readinto(buffer)
        self._sock.settimeout(left)
        try:
            return self._raw.readinto(buffer)
        except TimeoutError as error:
            raise OutOfTimeError from error

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """An answer read through `_Timed`; a proxy's answer to CONNECT is one, too."""

    def __init__(self, seconds: float, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - http.client's
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock, seconds))


class DeadlineAdapter(HTTPAdapter):
    """An adapter of requests whose answers end in time.

    What comes too late is a failure with `OutOfTimeError` at the bottom of it.

    Args:
        seconds: For each whole answer.
    """

    def __init__(self, seconds: float) -> None:
        """See the class."""
        self._pools = _pools(seconds)  # before what follows, which makes a manager
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - requests' own signature
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> PoolManager:  # noqa: ANN401 - requests' own signature
        """Return the pools of connections through a proxy."""
        manager: PoolManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pools(seconds: float) -> dict[str, type[HTTPConnectionPool]]:
    """Return urllib3's pools, by scheme, with connections that read their answers in time."""
    answer = functools.partial(_Answer, seconds)
    plain = type("_Plain", (HTTPConnection,), {"response_class": answer})
    tls = type("_Tls", (HTTPSConnection,), {"response_class": answer})
    return {
        "http": type("_PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("_TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
    }

"""Around every request of both sides: take it down in the log, then play the faults that are due."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import suppress
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.payload import Payload

from sandbox.exactjson import dumps
from sandbox.requestlog import Entry, RequestLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from aiohttp.typedefs import Handler, Middleware

    from sandbox.faults import Faults
    from sandbox.store import Clock

_WORK_IS_DONE = frozenset(
    {"drop_after", "status_after", "slow_body", "slow_headers", "truncate", "malformed", "content_type"}
)
_PIECES_PER_SECOND = 20
_HTML = (
    "<!DOCTYPE html>\r\n<html><head><title>{status} {reason}</title></head>\r\n"
    "<body><center><h1>{status} {reason}</h1></center><hr><center>gateway</center></body></html>\r\n"
)


class Side:
    """What the middleware needs to know about a side; AccountsIQ answers all, ExpenseIn the first.

    Args:
        name: ``accountsiq`` or ``expensein``.
        operation_of: Names a request's operation for log, counters and fault rules.
        expire_tokens: Makes all access tokens expire (fault ``token_expired``).
        in_band_error: Builds an answer that reports an error (fault ``in_band``).
    """

    def __init__(
        self,
        name: str,
        operation_of: Callable[[web.Request], str | None],
        expire_tokens: Callable[[], None] | None = None,
        in_band_error: Callable[[str | None, str, str, str], web.Response] | None = None,
    ) -> None:
        """Keep the side's answers."""
        self.name = name
        self.operation_of = operation_of
        self.expire_tokens = expire_tokens
        self.in_band_error = in_band_error


def build(
    side: Side,
    faults: Faults,
    log: RequestLog,
    clock: Clock,
    *,
    latency: Callable[[], float],
    skew: Callable[[], float],
) -> Middleware:
    """The middleware of one side.

    Args:
        side: The side.
        faults: The rules.
        log: Takes every request down.
        clock: Stamps the log.
        latency: Seconds by which every answer is late, fault or no fault.
        skew: Seconds by which the server's clock, as its answers show it, is fast.

    Returns:
        An aiohttp middleware.
    """

    @web.middleware
    async def play(request: web.Request, handler: Handler) -> web.StreamResponse:
        operation = side.operation_of(request)
        entry = Entry(
            side=side.name,
            time=clock(),
            method=request.method,
            path=request.path,
            query=dict(request.query),
            operation=operation or f"{request.method} (no operation)",
            headers={name.lower(): value for name, value in request.headers.items()},
            raw_body=await request.read(),
        )
        log.record(entry)
        due = faults.due(side.name, entry.operation, request.method, request.path)
        pause = latency() + sum(fault["seconds"] for fault in due if fault["type"] == "latency")
        if pause:
            await asyncio.sleep(pause)
        fault = next((fault for fault in due if fault["type"] != "latency"), None)
        if due:
            entry.fault = due[-1]["type"]
        try:
            response = await _answer(request, handler, fault, side, operation)
        except Exception:
            entry.status = 500  # what aiohttp makes of it
            raise
        log.note_done(entry)
        if response is None:
            if request.transport:
                request.transport.abort()
            return web.Response()  # goes nowhere
        entry.status = response.status
        _tell_time(response, clock() + timedelta(seconds=skew()), fault)
        if fault and fault["type"] == "slow_headers":
            return await _trickle_raw(request, response, fault["bytes_per_second"])
        return response

    return play


async def _answer(
    request: web.Request, handler: Handler, fault: dict[str, Any] | None, side: Side, operation: str | None
) -> web.StreamResponse | None:
    """The answer, or None for closing the connection without one."""
    kind = fault["type"] if fault else None
    if kind == "token_expired" and side.expire_tokens:
        side.expire_tokens()
    if fault is None or kind == "token_expired":
        return await _work(request, handler)
    if kind in _WORK_IS_DONE:
        return await _spoil(request, await _work(request, handler), fault)
    if kind == "in_band" and side.in_band_error:
        return side.in_band_error(operation, fault["status"], fault["code"], fault["message"])
    return None if kind == "drop_before" else _instead(fault)


async def _work(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:  # no such path or verb
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return web.Response(status=error.status, text=error.text, headers=allow)


async def _spoil(
    request: web.Request, response: web.StreamResponse, fault: dict[str, Any]
) -> web.StreamResponse | None:
    """What becomes of the true answer after the work was done."""
    match fault["type"]:
        case "status_after":
            return _instead(fault)
        case "content_type":
            response.headers["Content-Type"] = fault["value"]
        case "malformed":
            return _malformed(response, await _body_of(response))
        case "truncate":
            return await _truncate(request, response, fault["after_bytes"])
        case "slow_body":
            return await _trickle(request, response, fault["bytes_per_second"])
        case "drop_after":
            return None
    return response  # slow_headers: see _trickle_raw


async def _truncate(
    request: web.Request, response: web.StreamResponse, after_bytes: float | None
) -> web.StreamResponse:
    body = await _body_of(response)
    stream = await _start(request, response, len(body))
    after = len(body) // 2 if after_bytes is None else int(after_bytes)
    with suppress(ConnectionResetError):
        await stream.write(body[: max(0, min(after, len(body) - 1))])
    if request.transport:
        request.transport.close()  # what was written still goes out
    return stream


async def _trickle(
    request: web.Request, response: web.StreamResponse, bytes_per_second: float
) -> web.StreamResponse:
    body = await _body_of(response)
    stream = await _start(request, response, len(body))
    piece = max(1, int(bytes_per_second / _PIECES_PER_SECOND))
    with suppress(ConnectionResetError):  # the client has lost patience
        for start in range(0, len(body), piece):
            await stream.write(body[start : start + piece])
            await asyncio.sleep(piece / bytes_per_second)
    return stream


async def _trickle_raw(
    request: web.Request, response: web.StreamResponse, bytes_per_second: float
) -> web.StreamResponse:
    """Send status line and headers bit by bit, past aiohttp, which sends them in one piece; then the body."""
    body = await _body_of(response)
    headers = response.headers.copy()
    headers["Content-Length"], headers["Connection"] = str(len(body)), "close"
    lines = [f"HTTP/1.1 {response.status} {response.reason}", *(f"{k}: {v}" for k, v in headers.items())]
    head = "".join(f"{line}\r\n" for line in [*lines, ""]).encode()
    piece = max(1, int(bytes_per_second / _PIECES_PER_SECOND))
    for start in range(0, len(head), piece):
        if request.transport is None:
            break
        request.transport.write(head[start : start + piece])
        await asyncio.sleep(piece / bytes_per_second)
    if request.transport is not None:
        request.transport.write(body)
        request.transport.close()  # what was written still goes out
    return response


def _tell_time(response: web.StreamResponse, now: datetime, fault: dict[str, Any] | None) -> None:
    """Put the server's clock into the answer, and into a Retry-After that is given as a date."""
    if response.prepared:
        return
    response.headers["Date"] = format_datetime(now, usegmt=True)
    wait = (fault or {}).get("retry_after_in")
    if wait is not None:
        response.headers["Retry-After"] = format_datetime(now + timedelta(seconds=wait), usegmt=True)


def _instead(fault: dict[str, Any]) -> web.Response:
    status = fault["status"]
    if fault["type"] == "html":
        text = _HTML.format(status=status, reason=_reason(status))
        return web.Response(status=status, text=text, content_type="text/html")
    if fault["type"] == "redirect":
        return web.Response(status=status, headers={"Location": fault["location"]})
    headers = {} if fault["retry_after"] is None else {"Retry-After": str(fault["retry_after"])}
    body = fault["body"]
    if body is None or isinstance(body, str):
        return web.Response(status=status, text=body or f"{status} {_reason(status)}", headers=headers)
    return web.Response(status=status, text=dumps(body), content_type="application/json", headers=headers)


def _reason(status: int) -> str:
    return web.Response(status=status).reason or "Error"


def _malformed(response: web.StreamResponse, body: bytes) -> web.Response:
    if response.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    middle = len(body) // 2
    # A NUL is allowed nowhere in XML, nor raw in JSON.
    broken = body[:middle] + b"\x00<" + body[middle:]
    return web.Response(body=broken, headers={"Content-Type": response.headers["Content-Type"]})


async def _body_of(response: web.StreamResponse) -> bytes:
    body = response.body if isinstance(response, web.Response) else None
    if isinstance(body, Payload):  # a long list that would be streamed
        return await body.as_bytes()
    return bytes(body or b"")


async def _start(request: web.Request, response: web.StreamResponse, length: int) -> web.StreamResponse:
    stream = web.StreamResponse(status=response.status, headers=response.headers)
    stream.content_length = length
    await stream.prepare(request)
    return stream

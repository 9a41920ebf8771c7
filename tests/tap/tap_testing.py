"""What the tests of the tap share: how a run went, and a service that says exactly what a test tells it to."""

from __future__ import annotations

import json
import re
import ssl
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sandbox.testing import Sandbox  # for the type only; every test talks HTTP to it

TAP = Path(sys.executable).with_name("tap-accountsiq")
NAMESPACE = "http://www.visorsoftware.com/visor/accountsiq/dashboard/Integration/"


@dataclass
class Run:
    """What one run of the tap left behind."""

    code: int
    out: str
    err: str

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The Singer messages; numbers keep their digits."""
        return [json.loads(line, parse_float=Decimal) for line in self.out.splitlines()]

    def of(self, kind: str, stream: str | None = None) -> list[dict[str, Any]]:
        """The messages of one type, and of one stream if it is named."""
        return [m for m in self.messages if m["type"] == kind and stream in (None, m.get("stream"))]

    def records(self, stream: str) -> list[dict[str, Any]]:
        """The records of a stream."""
        return [m["record"] for m in self.of("RECORD", stream)]

    @property
    def complete(self) -> list[str]:
        """The streams that were declared complete."""
        return [m["stream"] for m in self.of("ACTIVATE_VERSION")]

    @property
    def errors(self) -> list[str]:
        """The lines of the log that report an error."""
        return [line.partition("tap-accountsiq")[2] for line in self.err.splitlines() if "| ERROR" in line]


Tap = Callable[..., Run]


def only(catalog: Mapping[str, Any], *streams: str) -> dict[str, Any]:
    """Return a copy of a catalog with these streams selected and the others not."""
    copy: dict[str, Any] = json.loads(json.dumps(catalog))
    for stream in copy["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] in streams
    return copy


def settings(box: Sandbox, **changes: object) -> dict[str, Any]:
    """Return the tap's settings for a sandbox."""
    return {
        "api_url": box.accountsiq_url,
        "client_id": box.client_id,
        "client_secret": box.client_secret,
        "entities": box.entities,
        **changes,
    }


# --- a server that says what it is told -----------------------------------------------------------------------------


@dataclass
class Reply:
    """One HTTP answer, as bytes."""

    body: bytes | str = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: bool = True
    """Whether Content-Length says how long the body is."""


class Service:
    """Answers each operation with the next of its replies; the last one stays."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        """Sign-in works, everything else is an empty list; over TLS if there is a certificate to show."""
        self.replies: dict[str | tuple[str, str | None], list[Reply]] = {
            "TokenGet": [Reply(token("access-1", "refresh-1"))]
        }
        self.calls: list[tuple[str, str]] = []
        self.connections = 0
        self.keeps_connections = False
        self.sending = False
        self.cut_off: list[str] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                service.connections += 1
                super().setup()

            def do_POST(self) -> None:
                request = self.rfile.read(int(self.headers["Content-Length"])).decode()
                operation = self.headers["SOAPAction"].removeprefix(NAMESPACE)
                service.calls.append((operation, request))
                service.headers = dict(self.headers)
                replies = service.replies
                waiting = replies.get((operation, sent(request, "Entity"))) or replies.get(operation, [])
                reply = (
                    (waiting.pop(0) if len(waiting) > 1 else waiting[0])
                    if waiting
                    else Reply(rows(operation))
                )
                body = reply.body.encode() if isinstance(reply.body, str) else reply.body
                if service.keeps_connections:
                    self.close_connection = False
                self.send_response(reply.status)
                headers = {"Content-Type": "text/xml; charset=utf-8", **reply.headers}
                if reply.length:
                    headers.setdefault("Content-Length", str(len(body)))
                else:
                    headers["Connection"] = "close"
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                service.sending = True
                try:
                    self.wfile.write(body)
                except ConnectionError:
                    service.cut_off.append(operation)
                    self.close_connection = True
                service.sending = False
                if headers.get("Connection") == "close" or int(headers.get("Content-Length", 0)) > len(body):
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.headers: dict[str, str] = {}
        self.url = f"http://127.0.0.1:{self._server.server_port}/integration_2_0.asmx"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            self.url = self.url.replace("http://127.0.0.1", "https://localhost")

    def __enter__(self) -> Service:
        """Begin to answer."""
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def settings(self, **changes: object) -> dict[str, Any]:
        """Return the tap's settings for this service."""
        return {
            "api_url": self.url,
            "client_id": "the-client",
            "client_secret": "the-s3cret",
            "entities": ["ACME"],
            **changes,
        }

    def count(self, operation: str, entity: str | None = None) -> int:
        """How often an operation was called, for an entity if it is named."""
        return sum(
            name == operation and entity in (None, sent(request, "Entity")) for name, request in self.calls
        )


def envelope(body: str, prolog: str = '<?xml version="1.0" encoding="utf-8"?>') -> str:
    """Wrap a body as .NET does."""
    return (
        f'{prolog}<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">'
        f"<soap:Body>{body}</soap:Body></soap:Envelope>"
    )


def answer(operation: str, content: str) -> str:
    """Make the answer to an operation."""
    return envelope(
        f'<{operation}Response xmlns="{NAMESPACE}"><{operation}Result>{content}</{operation}Result></{operation}Response>'
    )


def rows(operation: str, *entries: str) -> str:
    """Make a good answer with these entries."""
    return answer(
        operation,
        "<Status>Success</Status><ErrorCode>NO_ERROR</ErrorCode><HasExpired>false</HasExpired>"
        f"<Result>{''.join(entries)}</Result>",
    )


def refusal(operation: str, code: str, status: str = "Failure", message: str = "No.") -> str:
    """Make an answer that refuses in-band."""
    return answer(
        operation,
        f"<Status>{status}</Status><ErrorCode>{code}</ErrorCode><ErrorMessage>{message}</ErrorMessage>"
        "<HasExpired>true</HasExpired>",
    )


def fault(text: str, code: str = "soap:Server") -> str:
    """Make a SOAP Fault."""
    return envelope(
        f"<soap:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring></soap:Fault>"
    )


def token(access: str, refresh: str, operation: str = "TokenGet") -> str:
    """Make the answer to a sign-in."""
    return answer(
        operation,
        f"<Result><AccessToken>{access}</AccessToken><RefreshToken>{refresh}</RefreshToken></Result>"
        "<Status>Success</Status><ErrorCode>NO_ERROR</ErrorCode>",
    )


def sent(request: str, element: str) -> str | None:
    """Return the text of an element of a request."""
    found = re.search(rf"<(?:\w+:)?{element}>([^<]*)</", request)
    return found.group(1) if found else None

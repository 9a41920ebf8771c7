"""AccountsIQ as a file server: answers written beforehand, sent as fast as the reader takes them.

    python -m benchmarks.replay FOLDER

serves FOLDER/NAME.xml to every list of suppliers that is asked for at /NAME/, an empty list to every other read, and
the WSDL. The first line of its output is the address. GET /log tells what was sent, and when it was gone.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.bodies import SUPPLIER_OPERATION, description, empty_answer, token_given


class Replay(ThreadingHTTPServer):
    """The server.

    Args:
        folder: Where the answers are.

    Attributes:
        log: One entry for each answer, in order.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        """Take any free port of this machine."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.log: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Its address, with a slash at the end."""
        return f"http://127.0.0.1:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: Replay
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        """Serve a connection until the client closes it, and note when that was."""
        self.entries: list[dict[str, Any]] = []
        try:
            super().handle()
        finally:
            with self.server.lock:
                for entry in self.entries:
                    entry["closed"] = time.time()

    def do_GET(self) -> None:
        """Answer with the log, or with the WSDL."""
        if self.path == "/log":
            with self.server.lock:
                self._answer(json.dumps(self.server.log).encode(), "application/json")
        else:
            self._answer(description(self.server.url.rstrip("/") + self.path.partition("?")[0]))

    def do_POST(self) -> None:
        """Answer a SOAP call."""
        self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["SOAPAction"].strip('"').rpartition("/")[2]
        entry = {"operation": operation, "asked": time.time(), "sent": None, "closed": None, "bytes": 0}
        self.entries.append(entry)
        with self.server.lock:
            self.server.log.append(entry)
        if operation == SUPPLIER_OPERATION:
            with (self.server.folder / f"{self.path.split('/')[1]}.xml").open("rb") as body:
                size = body.seek(0, 2)
                body.seek(0)
                self._head(size)
                self.wfile.flush()
                self.connection.sendfile(body)
        else:
            answer = token_given() if operation == "TokenGet" else empty_answer(operation)
            size = len(answer)
            self._answer(answer)
        with self.server.lock:
            entry |= {"sent": time.time(), "bytes": size}

    def _answer(self, body: bytes, kind: str = "text/xml; charset=utf-8") -> None:
        self._head(len(body), kind)
        self.wfile.write(body)

    def _head(self, size: int, kind: str = "text/xml; charset=utf-8") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name of the method that it replaces
        """Say nothing."""


if __name__ == "__main__":
    server = Replay(Path(sys.argv[1]))
    print(server.url, flush=True)
    server.serve_forever()

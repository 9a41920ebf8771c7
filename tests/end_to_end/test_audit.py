"""``scripts/audit``: a known vulnerability fails, none passes, and no answer is said and does not fail."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from .conftest import ROOT

HASH = "0" * 64
FOUND = {
    "id": "OSV-2026-1",
    "summary": "a hole",
    "affected": [{"package": {"name": "holed", "ecosystem": "PyPI"}, "ranges": []}],
}


class Osv(BaseHTTPRequestHandler):
    """A database that knows of a hole in one package, and breaks on another."""

    def do_POST(self) -> None:
        name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
        text = {"holed": json.dumps({"vulns": [FOUND]}), "broken": "<html>"}.get(name, "{}")
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Osv)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    thread.join()
    server.server_close()


def audit(folder: Path, service: str, *packages: str) -> subprocess.CompletedProcess[str]:
    path = folder / "requirements.txt"
    path.write_text("".join(f"{name}==1.0 --hash=sha256:{HASH}\n" for name in packages))
    return subprocess.run(
        [ROOT / "scripts/audit", path],
        env=os.environ | {"AUDIT_SERVICE": service},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        (["sound"], 0, "no known vulnerability"),
        (["sound", "holed"], 1, "OSV-2026-1"),
        (["broken"], 0, "NOT CHECKED"),
    ],
)
def test_what_the_database_says_decides(
    tmp_path: Path, service: str, packages: list[str], code: int, said: str
) -> None:
    done = audit(tmp_path, service, *packages)
    assert done.returncode == code, done.stderr
    assert said in done.stdout


def test_no_connection_is_said_and_does_not_fail(tmp_path: Path) -> None:
    done = audit(tmp_path, "http://127.0.0.1:9/", "sound")
    assert done.returncode == 0
    assert "NOT CHECKED: no connection to http://127.0.0.1:9/" in done.stdout


def test_requirements_without_hashes_fail(tmp_path: Path, service: str) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("sound==1.0\n")
    done = subprocess.run(
        [ROOT / "scripts/audit", path],
        env=os.environ | {"AUDIT_SERVICE": service},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1

"""The services that are talked to, each in a process of its own, so that its processor time is not counted."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
VENV = ROOT / ".venv/bin"
PEERS_PYTHON = ROOT / ".tools/bench/bin/python"
PEERS = ROOT / "benchmarks/peers"
ENDPOINT = "integration_2_0.asmx"


@dataclass(frozen=True, slots=True)
class Emulator:
    """The sandbox: both services.

    Attributes:
        accountsiq: Address and credentials of the SOAP side.
        expensein: Address and key of the REST side.
        control: Address of the control API.
    """

    accountsiq: Mapping[str, Any]
    expensein: Mapping[str, Any]
    control: str

    def counters(self) -> dict[str, int]:
        """How often each operation of the REST side was asked for."""
        counted: dict[str, dict[str, int]] = _asked(f"{self.control}counters")
        return counted["expensein"]

    def clear(self) -> None:
        """Forget requests and counters."""
        _asked(f"{self.control}requests", "DELETE")

    def reset(self, seed: Path | str) -> None:
        """Begin anew with a seed, without faults."""
        _asked(f"{self.control}reset", "POST", {"seed": str(seed)})

    def fault(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Replace the fault rules."""
        _asked(f"{self.control}faults", "PUT", rules)

    def suppliers(self) -> list[dict[str, Any]]:
        """All suppliers of ExpenseIn."""
        found: list[dict[str, Any]] = _asked(f"{self.control}expensein/suppliers")
        return found

    def arrivals(self, method: str) -> list[datetime]:
        """When the requests with a method arrived at the REST side, in order."""
        entries = _asked(f"{self.control}requests?side=expensein")
        return [datetime.fromisoformat(entry["time"]) for entry in entries if entry["method"] == method]


@contextmanager
def sandbox(seed: Path | str = "empty", *, latency: float = 0) -> Iterator[Emulator]:
    """Start the sandbox.

    Args:
        seed: What it holds.
        latency: Seconds by which every answer is late.

    Yields:
        Where it is.
    """
    command: list[str | Path] = [VENV / "sandbox", "serve", "--seed", str(seed), "--latency", str(latency)]
    with _served(command) as line:
        info = json.loads(line)
        yield Emulator(info["accountsiq"], info["expensein"], info["control"]["url"])


@dataclass(frozen=True, slots=True)
class FileServer:
    """AccountsIQ with answers written beforehand."""

    url: str

    def address(self, name: str) -> str:
        """Where the list NAME.xml is served."""
        return f"{self.url}{name}/{ENDPOINT}"

    def log(self) -> list[dict[str, Any]]:
        """What was sent so far, see `benchmarks.replay`."""
        entries: list[dict[str, Any]] = _asked(f"{self.url}log")
        return entries


@contextmanager
def replay(folder: Path) -> Iterator[FileServer]:
    """Start the file server.

    Args:
        folder: Where the answers are.

    Yields:
        Where it is.
    """
    with _served([sys.executable, "-m", "benchmarks.replay", folder]) as line:
        yield FileServer(line.strip())


@contextmanager
def _served(command: Sequence[str | Path]) -> Iterator[str]:
    """Run a server; gives the first line of its output."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        try:
            assert server.stdout is not None  # noqa: S101 - it is a pipe
            line = server.stdout.readline()
            if not line:
                message = f"{command[0]} does not serve"
                raise RuntimeError(message)
            yield line
        finally:
            server.terminate()


def _asked(url: str, method: str = "GET", body: object = None) -> Any:  # noqa: ANN401 - JSON
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310 - own server
    with urllib.request.urlopen(request, timeout=600) as answer:  # noqa: S310
        return json.loads(answer.read() or "null")

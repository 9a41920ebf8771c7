"""The target as a command: Singer messages in, ExpenseIn's state and the run's files out."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sandbox.testing import Sandbox
from target_expensein.api.client import ExpenseInClient
from target_expensein.api.profile import load_profile

COMMAND = Path(__file__).parents[2] / ".venv/bin/target-expensein"

TEXT = {"type": ["string", "null"]}
FIELDS: dict[str, dict[str, Any]] = {
    "accounts": {"code": TEXT, "description": TEXT, "account_type": TEXT, "is_active": {"type": "boolean"}},
    "bi_codes": {"code": TEXT, "description": TEXT, "is_active": {"type": "boolean"}},
    "dimension_options": {"dimension_code": TEXT, "code": TEXT, "description": TEXT},
    "tax_rates": {"code": TEXT, "description": TEXT, "rate": {"type": ["number", "null"]}},
    "suppliers": {"code": TEXT, "name": TEXT, "is_active": {"type": "boolean"}},
}


def schema(stream: str, **more: Any) -> dict[str, Any]:
    """A SCHEMA message as the tap sends it."""
    return {
        "type": "SCHEMA",
        "stream": stream,
        "schema": {"type": "object", "properties": {"entity": TEXT} | FIELDS[stream] | more},
        "key_properties": ["entity", "code"],
    }


def record(stream: str, **fields: Any) -> dict[str, Any]:
    """A RECORD message; active unless said otherwise."""
    active = {"is_active": True} if "is_active" in FIELDS[stream] else {}
    return {"type": "RECORD", "stream": stream, "record": {"entity": "ONE"} | active | fields, "version": 1}


def whole(stream: str) -> dict[str, Any]:
    """The message that says that a stream has arrived whole."""
    return {"type": "ACTIVATE_VERSION", "stream": stream, "version": 1}


def state(value: Any) -> dict[str, Any]:
    """A STATE message."""
    return {"type": "STATE", "value": value}


def stream(name: str, *records: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A whole stream."""
    return [schema(name), *(record(name, **fields) for fields in records), whole(name)]


@dataclass(frozen=True)
class Result:
    """What one run of the command left behind."""

    exit_code: int
    states: list[Any]
    log: str
    output: Path

    @property
    def summary(self) -> dict[str, Any]:
        """The run's summary."""
        summary: dict[str, Any] = json.loads((self.output / "latest/summary.json").read_text())
        return summary

    @property
    def rejects(self) -> list[dict[str, Any]]:
        """The lines of the reject file."""
        path = self.output / "latest/rejects.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def counts(self, item: str) -> dict[str, int]:
        """What became of an item's records, without the zeros."""
        return {column: n for column, n in self.summary["items"][item]["counts"].items() if n}


@dataclass
class TargetCommand:
    """The command with a configuration that points to a sandbox."""

    box: Sandbox
    folder: Path
    config: dict[str, Any] = field(default_factory=dict)

    def configure(self, **config: Any) -> Path:
        """Write the configuration; ``...`` leaves a setting out."""
        path = self.folder / "config.json"
        settings = {
            "api_url": self.box.expensein_url,
            "api_key": self.box.api_key,
            "output_dir": str(self.folder / "output"),
            "ledger": str(self.folder / "ledger.db"),
            "settle_seconds": 0,
        }
        path.write_text(json.dumps({k: v for k, v in (settings | config).items() if v is not ...}))
        return path

    def start(self, **config: Any) -> subprocess.Popen[str]:
        """Start the command and leave its input open."""
        path = self.configure(**config)
        return subprocess.Popen(
            [COMMAND, "--config", path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={name: value for name, value in os.environ.items() if not name.startswith("TARGET_")},
        )

    def run(self, messages: Sequence[Any], **config: Any) -> Result:
        """Feed the command with messages (or lines) and wait for its end.

        Args:
            messages: Singer messages; a text is sent as it is.
            config: Settings beside the address, the key and the output directory; ``...`` leaves one of those out.

        Returns:
            What came of it.
        """
        lines = [message if isinstance(message, str) else json.dumps(message) for message in messages]
        process = self.start(**config)
        out, log = process.communicate("".join(f"{line}\n" for line in lines), timeout=120)
        print(log)  # shown by pytest when the test fails  # noqa: T201
        assert "Traceback" not in log
        assert self.box.api_key not in log
        states = [json.loads(line) for line in out.splitlines()]
        return Result(process.returncode, states, log, self.folder / "output")

    def feed(self, messages: Sequence[Any], *, close: bool = True, **config: Any) -> subprocess.Popen[str]:
        """Start the command, give it messages, and leave it at work; see ``finish``."""
        process = self.start(**config)
        assert process.stdin is not None
        process.stdin.writelines(json.dumps(message) + "\n" for message in messages)
        process.stdin.flush()
        if close:
            process.stdin.close()
            process.stdin = None
        return process

    def finish(self, process: subprocess.Popen[str]) -> str:
        """Wait for the end of a command that was fed; return its log."""
        _, log = process.communicate(timeout=60)
        print(log)  # noqa: T201
        return log


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """Two empty services."""
    with Sandbox(seed="empty") as sandbox:
        yield sandbox


@pytest.fixture
def target(box: Sandbox, tmp_path: Path) -> TargetCommand:
    """The command against empty services."""
    return TargetCommand(box, tmp_path)


OpenClient = Callable[..., ExpenseInClient]


@pytest.fixture
def open_client() -> Iterator[OpenClient]:
    """Make clients of ExpenseIn, address and key first; all are closed in the end."""
    opened: list[ExpenseInClient] = []

    def make(url: str, key: str, overlay: dict[str, Any] | None, **arguments: Any) -> ExpenseInClient:
        opened.append(ExpenseInClient(url, key, load_profile(overlay), **arguments))
        return opened[-1]

    yield make
    for client in opened:
        client.close()

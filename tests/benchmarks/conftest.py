"""Two services and the commands of both plugins, for what can be counted instead of timed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sandbox.testing import Sandbox

from benchmarks.measure import Usage, run
from benchmarks.services import VENV

ITEMS: dict[str, dict[str, Any]] = {
    "categories": {},
    "projects": {"source": "bi_codes"},
    "departments": {"source": "dimension_options", "dimension": "DEPARTMENT"},
    "tax_rates": {},
    "suppliers": {},
}


@dataclass(frozen=True)
class Commands:
    """Both commands, pointed at a sandbox; what the tap emits lies in a file between them."""

    box: Sandbox
    folder: Path

    def tap(self) -> Usage:
        """Read everything."""
        config = self._written(
            "tap.json",
            api_url=self.box.accountsiq_url,
            client_id=self.box.client_id,
            client_secret=self.box.client_secret,
            entities=self.box.entities,
        )
        command = [VENV / "tap-accountsiq", "--config", config]
        return run(command, folder=self.folder, stdout=self.folder / "messages.jsonl")

    def target(self) -> Usage:
        """Write everything that the tap emitted and that is not there."""
        config = self._written(
            "target.json",
            api_url=self.box.expensein_url,
            api_key=self.box.api_key,
            items={name: {"enabled": True, **settings} for name, settings in ITEMS.items()},
            limits={"creates_count": -1, "creates_percent": -1},
            output_dir=str(self.folder / "output"),
            ledger=str(self.folder / "ledger.db"),
            settle_seconds=0,
        )
        command = [VENV / "target-expensein", "--config", config]
        return run(command, folder=self.folder, stdin=self.folder / "messages.jsonl")

    def requests(self, side: str) -> dict[str, int]:
        """Return what was asked of a side since the last call."""
        counted = self.box.counters()[side]
        self.box.clear_requests()
        return counted

    def _written(self, name: str, **settings: Any) -> Path:
        path = self.folder / name
        path.write_text(json.dumps(settings))
        return path


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    """Both commands against a generated company of two entities, the second of them empty, and an empty ExpenseIn."""
    with Sandbox(seed="generated:accounts=30,suppliers=50,bi_codes=20,options=4,tax_codes=4") as box:
        seed = box.state()
        seed["accountsiq"]["entities"]["EMPTY"] = {"name": "Empty Ltd"}
        box.reset(seed)
        yield Commands(box, tmp_path)

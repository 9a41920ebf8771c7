"""The whole job as a user runs it: Meltano with this repository's meltano.yml, against the emulated services.

Each test has a sandbox of its own. All tests of a worker share one Meltano project, a folder that holds a copy of
meltano.yml: Meltano's own start is what takes the time, and a checkout's .env must not get in.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sandbox.testing import Sandbox

ROOT = Path(__file__).parents[2]
ENTITY = "ONE"
UV = shutil.which("uv") or ROOT / ".tools/bin/uv"
OURS = ("MELTANO_", "TAP_ACCOUNTSIQ_", "TARGET_EXPENSEIN_")
"""What the tester's own environment may hold and must not bring in."""
ITEMS = ("categories", "projects", "departments", "tax_rates", "suppliers")


def offline() -> dict[str, str]:
    """Environment in which packages come from what `make install` has downloaded, so that a test needs no network."""
    cache = ROOT / ".cache/uv"
    return {**os.environ, "UV_CACHE_DIR": str(cache), "UV_NO_CONFIG": "1"} | (
        {"UV_OFFLINE": "1"} if cache.exists() else {}
    )


@dataclass(frozen=True)
class Run:
    """What one ``meltano run`` left behind."""

    exit_code: int
    log: str
    output: Path

    @property
    def summary(self) -> dict[str, Any]:
        """The target's summary of the run."""
        summary: dict[str, Any] = json.loads((self.output / "summary.json").read_text())
        return summary

    @property
    def report(self) -> str:
        """The target's page for people."""
        return (self.output / "report.txt").read_text()

    @property
    def preview(self) -> dict[str, Any]:
        """What the filters said of each record, by item."""
        preview: dict[str, Any] = json.loads((self.output / "preview.json").read_text())
        return preview

    @property
    def rejects(self) -> list[dict[str, Any]]:
        """The lines of the reject file; none if there is no such file."""
        path = self.output / "rejects.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def counts(self, item: str) -> dict[str, int]:
        """The columns of an item's line in the table that are not zero."""
        return {column: n for column, n in self.summary["items"][item]["counts"].items() if n}

    def rows(self, item: str, reason: str | None = None) -> list[dict[str, Any]]:
        """The rows of an item, all of them or those of one reason."""
        rows = self.summary["items"][item]["rows"]
        return [row for row in rows if reason is None or row["reason"] == reason]


@dataclass(frozen=True)
class Pair:
    """Both plugins, wired together by Meltano, and the two services they talk to."""

    box: Sandbox
    project: Path
    output: Path

    def run(
        self,
        items: Mapping[str, Mapping[str, Any]],
        *,
        task: str = "tap-accountsiq target-expensein",
        environment: Mapping[str, str] | None = None,
    ) -> Run:
        """Run a task, with exactly these items switched on.

        Args:
            items: The settings of each item to switch on.
            task: What ``meltano run`` is told to run.
            environment: Further environment variables.

        Returns:
            What came of it.
        """
        # Tests that share the project must not share a state, nor wait for each other's.
        suffix = f"--state-id-suffix={self.output.parent.name}"
        return self.meltano(
            "--environment=live", "run", suffix, *task.split(), items=items, environment=environment
        )

    def meltano(
        self,
        *arguments: str,
        items: Mapping[str, Mapping[str, Any]],
        environment: Mapping[str, str] | None = None,
    ) -> Run:
        """Run any Meltano command, with exactly these items switched on."""
        settings = {f"items.{name}.enabled": name in items for name in ITEMS} | {
            f"items.{name}.{setting}": value
            for name, item in items.items()
            for setting, value in item.items()
        }
        variables = {
            "TARGET_EXPENSEIN_" + name.upper().replace(".", "_"): value
            if isinstance(value, str)
            else json.dumps(value)
            for name, value in settings.items()
        }
        done = subprocess.run(
            [ROOT / ".venv/bin/meltano", *arguments],
            cwd=self.project,
            env={name: value for name, value in os.environ.items() if not name.startswith(OURS)}
            | self.box.environment()
            | {
                "NO_COLOR": "1",
                # Meltano keeps logs and caches in the home directory unless told otherwise.
                "XDG_CACHE_HOME": str(self.project / "home"),
                "XDG_STATE_HOME": str(self.project / "home"),
                "MELTANO_CLI_LOG_FORMAT": "uncolored",
                "TARGET_EXPENSEIN_OUTPUT_DIR": str(self.output),
                "TARGET_EXPENSEIN_LEDGER": str(self.output.with_name("ledger.db")),
                "TARGET_EXPENSEIN_SETTLE_SECONDS": "0",
            }
            | variables
            | (environment or {}),
            capture_output=True,
            text=True,
            check=False,
        )
        run = Run(done.returncode, done.stdout + done.stderr, (self.output / "latest").resolve())
        print(run.log)  # shown by pytest when the test fails  # noqa: T201
        return run

    def sync(self, *names: str, **settings: Mapping[str, Any]) -> Run:
        """Run the sync with these items, by name or with settings."""
        return self.run({name: {} for name in names} | settings)

    def writes(self) -> Counter[str]:
        """Count the requests that ExpenseIn got since the last call and that were not mere reading."""
        counters = Counter(
            {
                request: n
                for request, n in self.box.counters()["expensein"].items()
                if not request.startswith("GET ")
            }
        )
        self.box.clear_requests()
        return counters

    def live(self, collection: str) -> dict[str, dict[str, Any]]:
        """What ExpenseIn holds, by reference; fails if a reference is there twice."""
        records = [record for record in self.box.live(collection) if record["reference"] is not None]
        by_reference = {record["reference"]: record for record in records}
        assert len(by_reference) == len(records), "a reference is in ExpenseIn twice"
        return by_reference


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Meltano project with this repository's meltano.yml."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "meltano.yml", folder)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


OpenPair = Callable[..., AbstractContextManager[Pair]]


@pytest.fixture(scope="session")
def open_pair(project: Path, tmp_path_factory: pytest.TempPathFactory) -> OpenPair:
    """Start a pair against two empty services; the source has the entities named."""

    @contextmanager
    def opened(*entities: str) -> Iterator[Pair]:
        seed = {"accountsiq": {"entities": {name: {"name": f"{name} Ltd"} for name in entities or [ENTITY]}}}
        with Sandbox(seed=seed) as box:
            yield Pair(box, project, tmp_path_factory.mktemp("pair") / "output")

    return opened


@pytest.fixture
def pair(open_pair: OpenPair) -> Iterator[Pair]:
    """The pair against two empty services; the source has one entity."""
    with open_pair() as pair:
        yield pair

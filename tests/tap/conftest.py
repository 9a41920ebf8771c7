"""The fixtures of the tap's tests: the command, the sandbox, and a scripted service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sandbox.testing import Sandbox

sys.path.insert(0, str(Path(__file__).parent))  # for tap_testing

from tap_testing import TAP, Run, Service, Tap


@pytest.fixture(scope="session")
def tap(tmp_path_factory: pytest.TempPathFactory) -> Tap:
    """Run the command as a user does: a configuration file, perhaps a catalog and a state, nothing else."""

    def run(
        config: Mapping[str, Any] | None,
        *arguments: str,
        catalog: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Run:
        folder = tmp_path_factory.mktemp("run")
        command = [str(TAP)]
        for name, content in (("config", config), ("catalog", catalog), ("state", state)):
            if content is not None:
                path = folder / f"{name}.json"
                path.write_text(json.dumps(content))
                command += [f"--{name}", str(path)]
        done = subprocess.run(
            [*command, *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **(environment or {})},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Run(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def catalog(tap: Tap) -> dict[str, Any]:
    """Return the catalog as discovered, without any configuration."""
    found: dict[str, Any] = json.loads(tap(None, "--discover").out)
    return found


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """Run an empty company with one entity, to be filled by the test."""
    with Sandbox(seed={"accountsiq": {"entities": {"ACME": {}}}}) as sandbox:
        yield sandbox


@pytest.fixture
def service() -> Iterator[Service]:
    """A service under the test's control, byte by byte."""
    with Service() as running:
        yield running

"""The outcome of a benchmark as data: runs, what they are held against, and where and when they were made."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.measure import Runs
from benchmarks.services import PEERS_PYTHON, ROOT

OURS = ("meltano", "singer-sdk", "msgspec", "lxml", "requests", "sqlalchemy")
PEERS = ("singer-sdk", "zeep", "drt-core")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that there is something to say about.

    Attributes:
        what: What was measured, in words.
        value: The figure.
        unit: Its unit; ``times`` for a ratio.
        at_least: What it has to reach.
        at_most: What it must not exceed.
    """

    what: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the figure is as it has to be; None if nothing was promised."""
        if self.at_least is None and self.at_most is None:
            return None
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case came to.

    Attributes:
        title: The case in words.
        records: How many records were moved, for rates; 0 if there is no rate to give.
        runs: The runs of all contenders.
        figures: What follows from them.
        growth: Contender → how its cost grows, one point for each size: ``records``, ``wall``, ``cpu``, ``peak``.
    """

    title: str
    records: int = 0
    runs: Runs = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    growth: Mapping[str, list[dict[str, float]]] = field(default_factory=dict)


def document(outcomes: Mapping[str, Outcome], scale: str, before: Path) -> dict[str, Any]:
    """Return everything as JSON values.

    Args:
        outcomes: Name of a case → its outcome.
        scale: At which scale it was measured.
        before: What was measured before, if there is such a file; its other cases stay, each with the commit that it was measured at.
    """
    commit = _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain") else "")
    return {
        "scale": scale,
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "commit": commit,
        "machine": _machine(),
        "versions": {name: metadata.version(name) for name in OURS},
        "peers": _peers(PEERS),
        "cases": kept(before)
        | {name: {"commit": commit, **_case(outcome)} for name, outcome in outcomes.items()},
    }


def kept(before: Path) -> dict[str, Any]:
    """Return the cases that were measured before; those that a file of an older form has are left out.

    Args:
        before: The file, which need not be there.
    """
    cases = read(before)["cases"] if before.exists() else {}
    return {name: case for name, case in cases.items() if "commit" in case}


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a document as a file that a diff can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """Read a document."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _case(outcome: Outcome) -> dict[str, Any]:
    return {
        "title": outcome.title,
        "records": outcome.records,
        "runs": {
            name: [
                {"wall": round(run.wall, 3), "cpu": round(run.cpu, 3), "peak": run.peak, **run.facts}
                for run in runs
            ]
            for name, runs in outcome.runs.items()
        },
        "figures": [
            asdict(figure) | {"value": _rounded(figure.value), "met": figure.met}
            for figure in outcome.figures
        ],
        "growth": dict(outcome.growth),
    }


def _rounded(value: float) -> float:
    """Keep four significant digits; whole numbers as they are."""
    return value if float(value).is_integer() else float(f"{value:.4g}")


def _machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    model = [
        line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")
    ]
    return {
        "processors": os.cpu_count(),
        "model": next(iter(model), platform.machine()),
        "memory_gb": round(memory / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _lines(path: str) -> Iterable[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _peers(names: Iterable[str]) -> dict[str, str]:
    code = "import json, sys; from importlib.metadata import version; print(json.dumps({n: version(n) for n in sys.argv[1:]}))"
    done = subprocess.run([PEERS_PYTHON, "-c", code, *names], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    return done.stdout.strip()

"""The command: ``python -m benchmarks [--scale SCALE] [CASE ...]``."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import results
from benchmarks.cases import Bench, creates, faults, growth, pair, spool, tap, target
from benchmarks.document import text
from benchmarks.results import Outcome
from benchmarks.scales import SCALES
from benchmarks.services import ROOT

OUTPUT = ROOT / ".bench"

CASES: dict[str, Callable[[Bench], Outcome]] = {
    "tap": tap.measure,
    "spool": spool.measure,
    "target": target.measure,
    "creates": creates.measure,
    "faults": faults.measure,
    "pair": pair.measure,
    "growth": growth.measure,
}


def main() -> None:
    """Measure, write the results as JSON, and show them."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("cases", nargs="*", choices=[*CASES, []], help="which cases; all of them by default")
    options.add_argument("--scale", choices=SCALES, default="bench", help="how much to measure")
    chosen = options.parse_args()
    scale = SCALES[chosen.scale]
    outcomes = {}
    path = OUTPUT / f"{scale.name}.json"
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # or the services would outlive it

    def say(line: str) -> None:
        print(f"{time.monotonic() - begun:7.1f}  {line}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="benchmarks-") as scratch:
        bodies = Path(scratch, "bodies")
        bodies.mkdir()
        for name in chosen.cases or [name for name in CASES if name != "growth" or scale.growth]:
            say(f"-- {name}")
            folder = Path(scratch, name)
            folder.mkdir()
            outcomes[name] = CASES[name](Bench(scale, folder, bodies, say))
            content = results.document(outcomes, scale.name, before=path)
            results.write(path, content)  # what is measured is not lost by what comes after it
    print(text(content))
    say(f"written to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

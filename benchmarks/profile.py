"""Where the time goes: py-spy on each hot path; flame graphs and a text with the top lines, into ``.bench/profile``.

python -m benchmarks.profile
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bodies import SYNC_FIELDS, write_messages, write_seed, write_suppliers
from benchmarks.cases.tap import ALL_FIELDS, write_catalog, write_config
from benchmarks.cases.target import NO_LIMITS, write_settings
from benchmarks.measure import Command, clean_environment
from benchmarks.services import PEERS_PYTHON, ROOT, VENV, replay, sandbox

OUTPUT = ROOT / ".bench/profile"
PY_SPY = PEERS_PYTHON.with_name("py-spy")
RECORDS, CREATES = 100_000, 2_000
RATE = 200  # samples a second
TOP = 15


@dataclass(frozen=True, slots=True)
class HotPath:
    """A command whose time is looked into.

    Attributes:
        name: Name of its files.
        command: The command.
        stdin: What it reads.
    """

    name: str
    command: Command
    stdin: Path = Path(os.devnull)


def sample(path: HotPath, folder: Path, form: str, output: Path) -> None:
    """Run a command under py-spy."""
    spy: Command = [
        PY_SPY,
        "record",
        "--rate",
        str(RATE),
        "--function",
        "--format",
        form,
        "--output",
        output,
        "--",
    ]
    with path.stdin.open("rb") as messages:
        subprocess.run(
            [*spy, *path.command],
            cwd=folder,
            env=clean_environment(),
            stdin=messages,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,  # py-spy's exit code is not the command's
        )


def summary(raw: Path) -> str:
    """Return the functions in which most samples were taken, alone and with what they call."""
    alone, whole, total = Counter[str](), Counter[str](), 0
    for line in raw.read_text(encoding="utf-8").splitlines():
        stack, _, number = line.rpartition(" ")
        frames, count = stack.split(";"), int(number)
        total += count
        alone[frames[-1]] += count
        for frame in set(frames):
            whole[frame] += count
    lines = [f"{total} samples, {RATE} a second"]
    for title, counts in (("in the function itself", alone), ("with what it calls", whole)):
        lines += ["", f"  %  {title}"]
        lines += [f"{100 * count / total:5.1f}  {name}" for name, count in counts.most_common(TOP)]
    return "\n".join(lines) + "\n"


@contextmanager
def hot_paths(folder: Path) -> Iterator[Iterator[HotPath]]:
    """Start the services and give the hot paths, one after the other."""
    write_suppliers(folder / f"{RECORDS}.xml", RECORDS)
    messages = write_messages(folder / "messages.jsonl", RECORDS)
    new = write_messages(folder / "new.jsonl", CREATES, active=True)
    seed = write_seed(folder / "seed.json", RECORDS)
    tap, target = VENV / "tap-accountsiq", VENV / "target-expensein"
    with replay(folder) as source, sandbox(seed) as box, sandbox(latency=0.05) as slow:

        def paths() -> Iterator[HotPath]:
            config = write_config(folder / "tap.json", source.address(str(RECORDS)))
            for name, fields in (
                ("tap-sync-fields", {"entity", *SYNC_FIELDS}),
                ("tap-all-fields", ALL_FIELDS),
            ):
                catalog = write_catalog(folder / f"{name}.json", fields)
                yield HotPath(name, [tap, "--config", config, "--catalog", catalog])
            settings = write_settings(folder / "plan.json", box, mode="plan")
            yield HotPath("target-unchanged", [target, "--config", settings], messages)
            settings = write_settings(folder / "first.json", box)
            yield HotPath("target-first-night", [target, "--config", settings], messages)
            settings = write_settings(folder / "creates.json", slow, concurrency=16, limits=NO_LIMITS)
            yield HotPath("target-creates", [target, "--config", settings], new)

        yield paths()


def main() -> None:
    """Look into every hot path."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="profile-") as scratch, hot_paths(Path(scratch)) as paths:
        for path in paths:
            raw = OUTPUT / f"{path.name}.raw"
            sample(path, Path(scratch), "raw", raw)
            if path.name != "target-creates":  # a second run would find everything created
                sample(path, Path(scratch), "flamegraph", OUTPUT / f"{path.name}.svg")
            text = summary(raw)
            (OUTPUT / f"{path.name}.txt").write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path.name}: {text}\n")


if __name__ == "__main__":
    main()

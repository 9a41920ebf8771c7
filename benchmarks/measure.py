"""A measurement: one command, one child process, seen from outside; and the median of several."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

SPAWN = Path(__file__).with_name("spawn.py")
OURS = ("MELTANO_", "TAP_ACCOUNTSIQ_", "TARGET_EXPENSEIN_")
"""What the caller's environment may hold and must not bring in."""
LAST_WORDS = 2000

Command = list[str | Path]
"""A command with its arguments; the first is a full path."""


class BenchmarkError(Exception):
    """A measurement that says nothing: the command failed, or did something else than it was to do."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one run of a command took.

    Attributes:
        wall: Seconds from its start to its end.
        cpu: Seconds of processor time, user and system, with the children that it waited for.
        peak: Bytes of resident memory at most (of the largest process, if there are several).
        exit_code: How it ended.
        facts: What else was counted, by name.
    """

    wall: float
    cpu: float
    peak: int
    exit_code: int = 0
    facts: Mapping[str, float] = field(default_factory=dict)

    def with_facts(self, **facts: float) -> Self:
        """Return the same with further facts."""
        return type(self)(self.wall, self.cpu, self.peak, self.exit_code, {**self.facts, **facts})


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the caller's environment without settings of the plugins, and with these variables.

    What Python compiles, it keeps: a program that is installed starts that way.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(OURS) and name != "PYTHONDONTWRITEBYTECODE"
    }
    return kept | dict(more or {})


def run(
    command: Command,
    *,
    folder: Path,
    stdin: Path | None = None,
    stdout: Path | None = None,
    environment: Mapping[str, str] | None = None,
    good: Collection[int] = (0,),
) -> Usage:
    """Run a command and measure it.

    Args:
        command: The command.
        folder: Its working directory.
        stdin: What it reads; nothing if None.
        stdout: Where its output goes; to ``/dev/null`` if None.
        environment: Further variables.
        good: The exit codes that are as they should be.

    Returns:
        What it took.

    Raises:
        BenchmarkError: It ended with another exit code.
    """
    with tempfile.NamedTemporaryFile() as messages:
        done = subprocess.run(
            [
                sys.executable,
                "-I",
                "-S",
                SPAWN,
                stdin or os.devnull,
                stdout or os.devnull,
                messages.name,
                *command,
            ],
            cwd=folder,
            env=clean_environment(environment),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        usage = Usage(**json.loads(done.stdout))
        if usage.exit_code not in good:
            words = messages.read().decode(errors="replace")[-LAST_WORDS:]
            message = f"{' '.join(map(str, command))} ended with exit code {usage.exit_code}:\n{words}"
            raise BenchmarkError(message)
        return usage


@dataclass(frozen=True, slots=True)
class Contender:
    """One of those that are compared.

    Attributes:
        name: What the tables call it.
        run: Runs it once.
        repeats: How often it runs at most; None for as often as the others.
    """

    name: str
    run: Callable[[], Usage]
    repeats: int | None = None


Runs = dict[str, list[Usage]]
"""Name of a contender → its runs, in order."""


def interleaved(contenders: Sequence[Contender], repeats: int, say: Callable[[str], None]) -> Runs:
    """Run all contenders in turn, A B C A B C …, so that what else the machine does meets each of them.

    Args:
        contenders: Who runs.
        repeats: How many rounds.
        say: Takes a line for each run.

    Returns:
        All runs.
    """
    runs: Runs = {contender.name: [] for contender in contenders}
    for number in range(repeats):
        for contender in contenders:
            if contender.repeats is None or number < contender.repeats:
                usage = contender.run()
                runs[contender.name].append(usage)
                say(f"{contender.name}: {usage.wall:.2f} s, {usage.cpu:.2f} s CPU, {usage.peak / 1e6:.0f} MB")
    return runs


def median(runs: Sequence[Usage], what: str) -> float:
    """Return the median of a measure (``wall``, ``cpu``, ``peak``) or of a fact over runs."""
    values: list[Any] = [run.facts[what] if what in run.facts else getattr(run, what) for run in runs]
    return float(statistics.median(values))

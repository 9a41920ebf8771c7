"""The cases, one module for each question that the table answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scales import Scale


@dataclass(frozen=True, slots=True)
class Bench:
    """What a case has to work with.

    Attributes:
        scale: How much to measure.
        folder: An empty folder of its own.
        bodies: The folder with the answers of AccountsIQ, shared by all cases.
        say: Takes a line for whoever waits.
    """

    scale: Scale
    folder: Path
    bodies: Path
    say: Callable[[str], None]

"""Spooling: what it costs to keep the whole answer before its first record leaves, and what it gains."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from benchmarks.bodies import SUPPLIER_OPERATION, SYNC_FIELDS, write_suppliers
from benchmarks.cases import Bench
from benchmarks.cases.tap import write_catalog, write_config
from benchmarks.measure import BenchmarkError, Command, Contender, clean_environment, interleaved, median, run
from benchmarks.results import Figure, Outcome
from benchmarks.services import ROOT, VENV, FileServer, replay

TIMES = 1.1
PATIENCE = 120  # seconds
SPOOL, PARSE = "download, spool and parse", "parse alone, from a file"


def released_by_a_deaf_consumer(folder: Path, server: FileServer, records: int) -> float:
    """Run the tap while nobody takes its output, until it has closed the connection of the list.

    Returns:
        Seconds from the service's being asked to its connection's being closed.

    Raises:
        BenchmarkError: The connection is still open although the tap has had time enough.
    """
    catalog = write_catalog(folder / "catalog.json", {"entity", *SYNC_FIELDS})
    config = write_config(folder / "config.json", server.address(str(records)))
    command: Command = [VENV / "tap-accountsiq", "--config", config, "--catalog", catalog]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=clean_environment(),
    ) as tap:
        try:
            for _ in range(PATIENCE * 10):
                for entry in server.log():
                    if entry["operation"] == SUPPLIER_OPERATION and entry["closed"] is not None:
                        if entry["sent"] is None or tap.poll() is not None:
                            message = "the tap did not read the list to its end"
                            raise BenchmarkError(message)
                        return float(entry["closed"] - entry["asked"])
                time.sleep(0.1)
        finally:
            tap.kill()
    message = "the connection is still open: the tap holds it as long as its consumer takes nothing"
    raise BenchmarkError(message)


def measure(bench: Bench) -> Outcome:
    """Compare downloading, spooling and parsing with parsing alone; see that a deaf consumer holds nobody up."""
    records = bench.scale.records
    body = write_suppliers(bench.bodies / f"{records}.xml", records)
    with replay(bench.bodies) as server:
        seconds = released_by_a_deaf_consumer(bench.folder, server, records)
        command: Command = [VENV / "python", "-m", "benchmarks.parse_probe"]
        contenders = [
            Contender(PARSE, lambda: run([*command, body], folder=ROOT)),
            Contender(SPOOL, lambda: run([*command, server.address(str(records))], folder=ROOT)),
        ]
        runs = interleaved(contenders, bench.scale.repeats, bench.say)
    figures = [
        Figure(
            "download, spool and parse against parse alone",
            median(runs[SPOOL], "wall") / median(runs[PARSE], "wall"),
            "times",
            at_most=TIMES,
        ),
        Figure("the connection is closed, although the tap's consumer takes nothing, after", seconds, "s"),
    ]
    return Outcome(f"Spooling the answer with {records:,} suppliers", records, runs, figures)

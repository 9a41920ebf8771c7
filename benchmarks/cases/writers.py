"""Those that write suppliers, one function each: a command that creates so many in an empty ExpenseIn."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bodies import supplier_rows, write_messages
from benchmarks.cases.target import NO_LIMITS, write_settings
from benchmarks.measure import Command, Usage, run
from benchmarks.peers import drt_project
from benchmarks.services import PEERS, PEERS_PYTHON, VENV, Emulator

CONCURRENCY = 16
DRT = PEERS_PYTHON.with_name("drt")
ANY_CODE = range(-64, 256)


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be written, and where.

    Attributes:
        folder: A folder that nobody has used.
        box: The sandbox.
        count: How many suppliers.
    """

    folder: Path
    box: Emulator
    count: int


Writer = Callable[[Task], Usage]


def ours(task: Task) -> Usage:
    """Run the target, 16 writes at a time, with a ledger of its own."""
    messages = write_messages(task.folder / "messages.jsonl", task.count, active=True)
    settings = write_settings(
        task.folder / "config.json", task.box, concurrency=CONCURRENCY, limits=NO_LIMITS, settle_seconds=5
    )
    return run(
        [VENV / "target-expensein", "--config", settings], folder=task.folder, stdin=messages, good=ANY_CODE
    )


def plain(retries: int) -> Writer:
    """Return the plain singer-sdk target, which repeats what fails so many times."""

    def write(task: Task) -> Usage:
        messages = write_messages(task.folder / "messages.jsonl", task.count, active=True)
        settings = task.folder / "config.json"
        settings.write_text(
            json.dumps(
                {
                    "api_url": task.box.expensein["url"],
                    "api_key": task.box.expensein["api_key"],
                    "retries": retries,
                }
            )
        )
        command: Command = [PEERS_PYTHON, PEERS / "sdk_target.py", "--config", settings]
        return run(command, folder=task.folder, stdin=messages, good=ANY_CODE)

    return write


def drt(workers: int, attempts: int) -> Writer:
    """Return drt-core with so many workers, which makes each request so many times at most."""

    def write(task: Task) -> Usage:
        drt_project.write(
            task.folder,
            ((row["Code"], row["Name"]) for row in supplier_rows(task.count, full=False, active=True)),
            url=task.box.expensein["url"] + "suppliers",
            api_key=task.box.expensein["api_key"],
            workers=workers,
            attempts=attempts,
        )
        command: Command = [DRT, "run", "--threads", str(workers)]
        environment = {"HOME": str(task.folder), "DRT_TELEMETRY": "0", "DO_NOT_TRACK": "1"}
        return run(command, folder=task.folder, environment=environment, good=ANY_CODE)

    return write

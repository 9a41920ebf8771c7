"""A guard for speed that no slow machine can set off: requests, writes, memory and calls are counted, time is not.

What the figures are for is measured by ``make bench``; here it is only held that they do not get out of hand.
"""

from __future__ import annotations

import pstats
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from benchmarks.bodies import SYNC_FIELDS, write_messages, write_seed, write_suppliers
from benchmarks.cases.spool import released_by_a_deaf_consumer
from benchmarks.cases.tap import write_catalog, write_config
from benchmarks.cases.target import write_settings
from benchmarks.measure import Usage, run
from benchmarks.services import VENV, replay, sandbox

from .conftest import Commands

MEGABYTE = 1_000_000

TAP_GROWTH = 6 * MEGABYTE
"""Bytes by which the tap's peak may differ between 2,000 and 20,000 suppliers: what the allocator and the spool's first
4 MB in memory explain. The list itself has 45 MB."""

TARGET_BYTES_EACH = 1_400
"""Bytes of the target's peak for each further record, both sides together. ``make bench`` asks for 1,000 on 100,000
records; on the few thousand of a test, the allocator's steps alone can come to some hundreds more."""

PLANNED_BYTES_EACH = 4_000
"""Bytes of the target's peak for each further creation that it plans: the rows, and the document that they are written to."""

TAP_CALLS_EACH, TARGET_CALLS_EACH = 75, 115
"""Function calls, Python's and C's, for each further record of the sync's fields. One more call for each field would
show; a faster processor does not."""

T = TypeVar("T")
Runner = Callable[[list[str | Path], Path, Path | None], T]

COLLECTIONS = ("categories", "departments", "projects", "suppliers", "taxrates")
READS = (
    "GetAnalysisDimensionSetup",
    "GetChartOfAccounts",
    "GetDepartmentList",
    "GetSupplierList",
    "GetTaxCodeList",
)


@pytest.mark.parametrize("package", ["tap_accountsiq", "target_expensein"])
def test_a_start_looks_for_no_garbage_in_what_it_imports(package: str, tmp_path: Path):
    """Nor does anything later: what is imported stays."""
    program = f"""
import gc, sys
from {package}.__main__ import main
looked = []
gc.callbacks.append(lambda phase, _: looked.append(phase))
sys.argv = ["{package}", "--version"]
try:
    main()
except SystemExit:
    print(len(looked) // 2, gc.get_freeze_count(), gc.isenabled())
"""
    done = subprocess.run(
        [VENV / "python", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    looked, frozen, enabled = done.stdout.splitlines()[-1].split()
    assert int(looked) < 5
    assert int(frozen) > 50_000
    assert enabled == "True"


def test_a_night_costs_one_request_for_each_list_and_one_for_each_record_that_is_new(commands: Commands):
    commands.tap()
    reads = dict.fromkeys(READS, 2)  # two entities
    reads["GetAnalysisDimensionSetup"] *= 2  # once more for the resolved options of the BI codes
    assert commands.requests("accountsiq") == {"TokenGet": 1} | reads

    commands.target()
    first = commands.requests("expensein")
    posts = {request: number for request, number in first.items() if not request.startswith("GET ")}
    assert posts == {f"POST {name}": len(commands.box.live(name)) for name in COLLECTIONS}
    assert min(posts.values()) > 3
    # One list to plan with, one to prove what was written; no record is asked for by itself.
    assert first == posts | {f"GET {name}": 2 for name in COLLECTIONS}

    commands.target()
    assert commands.requests("expensein") == {f"GET {name}": 1 for name in COLLECTIONS}


def test_the_taps_memory_does_not_grow_with_the_list(tmp_path: Path):
    peaks = [run_tap(tmp_path, count, measured).peak for count in (2_000, 20_000)]

    assert peaks[1] - peaks[0] < TAP_GROWTH


def test_the_service_is_let_go_although_nobody_takes_the_records(tmp_path: Path):
    count = 10_000
    body = write_suppliers(tmp_path / f"{count}.xml", count)
    assert body.stat().st_size > 20 * MEGABYTE  # more than pipes and sockets take in

    with replay(tmp_path) as source:
        assert released_by_a_deaf_consumer(tmp_path, source, count) > 0


def test_the_target_keeps_little_of_each_record(tmp_path: Path):
    few, many = 2_000, 12_000
    peaks = [run_target(tmp_path, count, measured).peak for count in (few, many)]

    assert (peaks[1] - peaks[0]) / (many - few) < TARGET_BYTES_EACH


def test_the_target_keeps_little_of_each_creation_that_it_plans(tmp_path: Path):
    """Though each is in the plan, the page, the report and the summary."""
    few, many = 2_000, 8_000
    peaks = [run_target(tmp_path, count, measured, seed="empty", mode="plan").peak for count in (few, many)]

    assert (peaks[1] - peaks[0]) / (many - few) < PLANNED_BYTES_EACH


@pytest.mark.parametrize(("which", "most"), [("tap", TAP_CALLS_EACH), ("target", TARGET_CALLS_EACH)])
def test_a_record_costs_few_calls(tmp_path: Path, which: str, most: int):
    few, many = 200, 1_200
    run_it = run_tap if which == "tap" else run_target
    calls = [run_it(tmp_path, count, profiled) for count in (few, many)]

    assert (calls[1] - calls[0]) / (many - few) < most


def measured(command: list[str | Path], folder: Path, stdin: Path | None) -> Usage:
    """Run a command and return what it took."""
    return run(command, folder=folder, stdin=stdin)


def profiled(command: list[str | Path], folder: Path, stdin: Path | None) -> int:
    """Run a command and return how many functions it called."""
    counts = folder / "calls"
    run([VENV / "python", "-m", "cProfile", "-o", counts, *command], folder=folder, stdin=stdin)
    return int(pstats.Stats(str(counts)).total_calls)


def run_tap(folder: Path, count: int, runner: Runner[T]) -> T:
    """Read so many suppliers, the fields that the sync selects."""
    write_suppliers(folder / f"{count}.xml", count)
    catalog = folder / "catalog.json"
    if not catalog.exists():
        write_catalog(catalog, {"entity", *SYNC_FIELDS})
    with replay(folder) as source:
        config = write_config(folder / "config.json", source.address(str(count)))
        return runner([VENV / "tap-accountsiq", "--config", config, "--catalog", catalog], folder, None)


def run_target(
    folder: Path, count: int, runner: Runner[T], *, seed: str | None = None, mode: str = "apply"
) -> T:
    """Compare so many suppliers with as many of the same in ExpenseIn, or with another seed."""
    messages = write_messages(folder / "messages.jsonl", count)
    with sandbox(seed or write_seed(folder / "seed.json", count)) as box:
        config = write_settings(folder / f"{count}.json", box, mode=mode)
        return runner([VENV / "target-expensein", "--config", config], folder, messages)

"""What happens when the ledger or a file of the run cannot be written any more, while the run is at work."""

from __future__ import annotations

import json
import resource
import subprocess
from collections.abc import Callable

import pytest
from sandbox.requestlog import Entry, Moment
from target_expensein.ledger import Ledger

from .conftest import TargetCommand, stream

CATEGORIES = {"categories": {"enabled": True}}
RECORDS = [{"code": f"{n}", "description": f"Account {n}"} for n in range(8)]


def run_with(
    target: TargetCommand, strike: Callable[[subprocess.Popen[str], Moment, Entry], None]
) -> tuple[int, str]:
    """Run the command, and do something to it at each request; return its exit code and log."""
    process = target.start(items=CATEGORIES, concurrency=1)
    target.box.observe(lambda moment, entry: strike(process, moment, entry))
    _, log = process.communicate(
        "".join(json.dumps(message) + "\n" for message in stream("accounts", *RECORDS)), timeout=120
    )
    target.box.observe(None)
    assert "Traceback" not in log
    return process.returncode, log


def fill_the_disk(process: subprocess.Popen[str]) -> None:
    """Let no file of a process grow; this holds for root, too."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, 0))


def posts(target: TargetCommand) -> int:
    return target.box.counters()["expensein"].get("POST categories", 0)


def then_all_is_well(target: TargetCommand) -> None:
    """A run with room on the disk finishes the work, without a twin, and the history is whole."""
    result = target.run(
        stream("accounts", *RECORDS), items=CATEGORIES, api_profile={"create": {"shows_within": 0}}
    )
    assert result.exit_code == 0
    assert sorted(one["reference"] for one in target.box.live("categories")) == [
        one["code"] for one in RECORDS
    ]
    with Ledger.open(str(target.folder / "ledger.db"), "default") as ledger:
        assert ledger.unsettled() == ()
        assert ledger.verify() == []


@pytest.mark.parametrize("moment", list(Moment))
def test_nothing_further_is_sent_when_the_ledger_cannot_be_written(target: TargetCommand, moment):
    def strike(process: subprocess.Popen[str], when: Moment, entry: Entry) -> None:
        if when is moment and entry.method == "POST" and posts(target) == 3:
            fill_the_disk(process)

    code, log = run_with(target, strike)
    assert code == 1
    assert "ledger" in log
    assert posts(target) == 3
    then_all_is_well(target)


def test_nothing_is_sent_when_the_plan_cannot_be_written(target: TargetCommand):
    code, log = run_with(target, lambda process, _, __: fill_the_disk(process))
    assert code == 1
    assert "plan.json: " in log
    assert posts(target) == 0
    then_all_is_well(target)


def test_a_report_that_cannot_be_written_is_said_and_the_ledger_has_the_run(target: TargetCommand):
    def strike(_: subprocess.Popen[str], when: Moment, entry: Entry) -> None:
        if when is Moment.ARRIVED and entry.method == "POST" and posts(target) == 1:
            (folder,) = (target.folder / "output").iterdir()
            (folder / "report.txt").mkdir()

    code, log = run_with(target, strike)
    assert code == 1
    assert "report.txt: " in log
    assert "The run was carried out all the same" in log
    assert len(target.box.live("categories")) == len(RECORDS)
    with Ledger.open(str(target.folder / "ledger.db"), "default") as ledger:
        (run,) = ledger.history(9)
        assert (run.outcome, run.exit_code) == ("failed", 1)
    then_all_is_well(target)

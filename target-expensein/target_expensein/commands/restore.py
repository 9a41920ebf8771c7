"""``expensein restore``: take back what a run wrote."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

import click

from target_expensein.commands.configuration import config_option, open_ledger, read_config
from target_expensein.commands.output import PROGRESS, echo, echo_json, json_option, time_text
from target_expensein.commands.plan import approval_of, approve_option
from target_expensein.ledger import Entry, Ledger, Run
from target_expensein.report import RunDirectory
from target_expensein.restore import restore_tasks, written
from target_expensein.run import Surroundings, carry_out
from target_expensein.settings import load

MODE: Final = "restore"

LATEST: Final = "latest"

NOT_LATEST: Final = frozenset({"plan", MODE})
"""Modes of runs that ``latest`` does not mean: those write nothing of their own."""

LOOKED_THROUGH: Final = 1000
"""How many runs ``latest`` looks back."""


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--plan", "only_plan", is_flag=True, help="Show what would be put back, and write nothing.")
@approve_option
@config_option
@json_option
@click.pass_context
def restore(
    ctx: click.Context,
    run_id: str,
    approve: str | None,
    config: Path | None,
    *,
    only_plan: bool,
    as_json: bool,
) -> None:
    """Put the fields that a run wrote back to their values from before.

    RUN is a run's id (see: expensein history), or latest: the last one that brought over what the source says.

    A field is put back only if it still is as the run wrote it; what was changed since is held, and both values are shown.
    Nothing is deleted or made inactive: what the run created, or made active, is listed for you to see to by hand. A restore
    is a run like any other: the same limits hold it, a digest approves it, and it can be restored itself.

    The next sync writes what the source says, so put that, or the settings, right first.

    \b
    expensein restore latest --plan
    expensein restore 20261122T040000Z-1f3a9c

    Exit codes: 0 put back, or nothing to put back; 1 failed; 3 something was held, rejected or left unsettled.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    if only_plan and approve:
        raise click.UsageError(
            "--plan writes nothing, so there is nothing to approve: leave out one of the two."
        )
    mode = "plan" if only_plan else MODE
    settings = load(
        read_config(config) | {"mode": "plan" if only_plan else "apply", "approve": approve or None}
    )
    with open_ledger(settings) as ledger:
        run = _find(ledger, run_id)
        entries = _written(ledger, run)
    if not entries:
        if as_json:
            echo_json({"restored": run.run_id, "run_id": None, "items": {}})
        else:
            echo(f"Run {run.run_id} (mode {run.mode}) wrote nothing, so there is nothing to put back.")
        return
    around = Surroundings(settings, RunDirectory(settings.output_dir), PROGRESS, threading.Event())
    tasks = restore_tasks(settings, entries)
    report = carry_out(around, mode, tasks, approval=approval_of("restore", run.run_id, config))
    if as_json:
        echo_json(report.summary() | {"restored": run.run_id})
    else:
        echo(
            f"Restore of run {run.run_id}, mode {run.mode}, begun {time_text(run.began_at)} UTC\n"
            f"{report.text()}\nDigest: {report.digest}\nFiles: {report.directory}"
        )
    ctx.exit(int(report.exit_code))


def _find(ledger: Ledger, run_id: str) -> Run:
    if run_id != LATEST:
        return ledger.run(run_id)
    for run in ledger.history(LOOKED_THROUGH):
        if run.mode not in NOT_LATEST:
            return run
    raise click.ClickException("There is no run yet that wrote to ExpenseIn.")


def _written(ledger: Ledger, run: Run) -> tuple[Entry, ...]:
    if run.pruned:
        raise click.ClickException(
            f"What run {run.run_id} wrote is not in the ledger any more (setting keep_days), so it cannot be put back."
        )
    return written(ledger.entries(run.run_id))

"""``expensein history``: the last runs, and whether their record is as it was written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from target_expensein.commands.configuration import config_option, ledger_settings, open_ledger, read_config
from target_expensein.commands.output import echo, echo_json, json_option, table, time_text
from target_expensein.ledger import Run
from target_expensein.visible import visible

WRITTEN: Final = ("created", "updated")
COLUMNS: Final = (*WRITTEN, "held", "rejected", "unsettled")
PLAN: Final = "plan"


@click.command()
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many runs at most."
)
@click.option("--verify", is_flag=True, help="Check that nobody changed the history since it was written.")
@config_option
@json_option
@click.pass_context
def history(ctx: click.Context, limit: int, config: Path | None, *, verify: bool, as_json: bool) -> None:
    """List the last runs, newest first: when, what, how it ended, how many records. Needs no API key.

    Every run's record is chained to the one before it by a hash that covers all its changes. --verify goes through the whole
    chain and names each break; then the exit code is 1.

    \b
    expensein history --limit 5
    expensein history --verify
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    settings = ledger_settings(read_config(config))
    with open_ledger(settings) as ledger:
        runs = ledger.history(limit)
        breaks = ledger.verify() if verify else None
    if as_json:
        echo_json({"runs": [dataclasses.asdict(run) for run in runs], "breaks": breaks})
    else:
        echo(_table(runs) if runs else f"No run of account {settings.account!r} yet.")
        if breaks is not None:
            echo(_verdict(runs, breaks))
    ctx.exit(1 if breaks else 0)


def _table(runs: Sequence[Run]) -> str:
    rows = [(time_text(run.began_at), run.run_id, run.mode, outcome_of(run), *_totals(run)) for run in runs]
    planned = "\n(n): only planned" if any(cell.startswith("(") for row in rows for cell in row) else ""
    return table(("began (UTC)", "run", "mode", "outcome", *COLUMNS), rows, texts=4) + planned


def outcome_of(run: Run) -> str:
    """Say how a run ended."""
    return run.outcome or "at work, or cut off"


def _totals(run: Run) -> list[str]:
    """Add up the items' counts; in mode plan, nothing was written."""
    totals = {column: sum(counts.get(column, 0) for counts in run.counts.values()) for column in COLUMNS}
    return [
        f"({total})" if run.mode == PLAN and column in WRITTEN and total else str(total)
        for column, total in totals.items()
    ]


def _verdict(runs: Sequence[Run], breaks: Sequence[str]) -> str:
    if breaks:
        return "\n".join(
            ("\nThe history was changed after it was written:", *(f"  {visible(one)}" for one in breaks))
        )
    head = next((run.hash for run in runs if run.hash is not None), None)
    noted = f" The latest run's hash is {head}: kept elsewhere, it proves all of this later." if head else ""
    return f"\nThe history is whole.{noted}"

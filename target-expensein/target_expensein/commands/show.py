"""``expensein show``: one run, field by field."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import click

from target_expensein.apply import Status
from target_expensein.commands.configuration import config_option, ledger_settings, open_ledger, read_config
from target_expensein.commands.history import PLAN, WRITTEN, outcome_of
from target_expensein.commands.output import (
    change_line,
    echo_json,
    echo_lines,
    in_json,
    json_option,
    table,
    time_text,
)
from target_expensein.ledger import Entry, ItemHold, Ledger, Run
from target_expensein.model import WRITES, Kind
from target_expensein.reasons import REASONS
from target_expensein.report import COLUMNS, directory_of

LATEST: Final = "latest"

TITLES: Final = {
    Kind.CREATE: "to create",
    Kind.UPDATE: "to update",
    Kind.HELD: "held",
    Kind.REJECTED: "rejected",
}


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--html", is_flag=True, help="Print the path of the run's page for a browser instead.")
@config_option
@json_option
def show(run_id: str, config: Path | None, *, html: bool, as_json: bool) -> None:
    """Show one run: each write with before → after and what became of it, and what was held or rejected.

    RUN is a run's id (see: expensein history), or latest. Needs no API key. The origin behind a change says where the
    difference came from: source, edited (in ExpenseIn), both, new, or unknown.

    \b
    expensein show latest
    xdg-open "$(expensein show latest --html)"
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    settings = ledger_settings(read_config(config))
    with open_ledger(settings) as ledger:
        run = _find(ledger, run_id)
        entries, holds = ledger.entries(run.run_id), ledger.holds(run.run_id)
    if html:
        directory = directory_of(settings.output_dir, run.run_id)
        if directory is None:
            raise click.ClickException(f"The ledger's run id {run.run_id!r} is none that a run gives itself.")
        page = (directory / "plan.html").absolute()
        if not page.is_file():
            raise click.ClickException(f"The page of run {run.run_id} is not there (any more): {page}")
        if as_json:
            echo_json({"html": str(page)})
        else:
            click.echo(page)
    elif as_json:
        echo_json(
            {
                "run": dataclasses.asdict(run),
                "entries": [_entry_json(entry) for entry in entries],
                "holds": [dataclasses.asdict(hold) for hold in holds],
            }
        )
    else:
        echo_lines([*_heading(run), *_holds(holds), *_sections(entries)])
        if not (entries or holds):
            echo_lines(["", "Its details were removed (keep_days)." if run.pruned else "It wrote nothing."])


def _find(ledger: Ledger, run_id: str) -> Run:
    if run_id != LATEST:
        return ledger.run(run_id)
    for run in ledger.history(1):
        return run
    raise click.ClickException("There is no run yet.")


def _heading(run: Run) -> Iterator[str]:
    code = "" if run.exit_code is None else f" (exit code {run.exit_code})"
    yield f"Run {run.run_id}, mode {run.mode}: {outcome_of(run)}{code}"
    yield f"Began {time_text(run.began_at)} UTC, finished {time_text(run.finished_at)} UTC, on {run.host}"
    yield f"With {', '.join(f'{name} {version}' for name, version in run.versions.items())}"
    if run.approval is not None:
        yield f"Used the approval of plan {run.approval}"
    if run.counts:
        rows = [(item, *(counts.get(column, 0) for column in COLUMNS)) for item, counts in run.counts.items()]
        headings = ("", *(_heading_of(column, run.mode) for column in COLUMNS))
        yield from ("", *table(headings, rows, texts=1).split("\n"))


def _heading_of(column: str, mode: str) -> str:
    """Say what a number is: in mode plan, nothing was written."""
    return f"to {column.removesuffix('d')}" if mode == PLAN and column in WRITTEN else column


def _holds(holds: Sequence[ItemHold]) -> Iterator[str]:
    for hold in holds:
        yield from ("", *f"{hold.item} HELD: {hold.message} [{hold.reason}]".split("\n"))


def _sections(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield a heading for each item and kind, and its entries below it."""

    def section(entry: Entry) -> tuple[str, Kind]:
        return entry.row.item, entry.row.kind

    for (item, kind), group in groupby(sorted(entries, key=section), key=section):
        members = list(group)
        yield from ("", f"{item}, {TITLES[kind]} ({len(members)}):")
        yield from (f"  {_line(entry)}" for entry in members)


def _line(entry: Entry) -> str:
    row = entry.row
    changes = "; ".join(map(change_line, row.changes))
    parts = (in_json(row.reference), in_json(row.name), changes, _became(entry))
    return "  ".join(part for part in parts if part)


def _became(entry: Entry) -> str:
    """Say what became of a row."""
    row = entry.row
    if row.kind not in WRITES:
        known = REASONS.get(row.reason)  # a later version may have noted reasons that this one does not know
        meaning = "" if known is None else known.meaning
        return f"[{row.reason}] " + "; ".join(part for part in (meaning, row.detail) if part)
    if entry.status in {None, Status.SENT}:
        return "NOT KNOWN: the run was cut off; the next one finds out"
    found = f", as run {entry.found_by} found out" if entry.found_by else ""
    why = "" if entry.status is Status.DONE else f" [{entry.reason}] {entry.detail}"
    return f"{entry.status}{found}{why}"


def _entry_json(entry: Entry) -> dict[str, Any]:
    row = entry.row
    return {
        "item": row.item,
        "kind": row.kind,
        "reason": row.reason,
        "reference": row.reference,
        "name": row.name,
        "record_id": row.record_id,
        "fields": {
            change.field: {"before": change.before, "after": change.after, "origin": change.origin}
            for change in row.changes
        },
        "detail": row.detail,
        "status": entry.status,
        "outcome": {"reason": entry.reason, "detail": entry.detail, "answer": entry.answer},
        "noted_at": entry.noted_at,
        "settled_at": entry.settled_at,
        "found_by": entry.found_by,
    }

"""``expensein rejects``: what was held or rejected, once more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import simplejson

from target_expensein.apply import Status
from target_expensein.commands.configuration import config_option, read_config
from target_expensein.commands.output import PROGRESS, echo, echo_json, echo_lines, in_json, json_option
from target_expensein.commands.plan import approval_of, approve_option
from target_expensein.engine import Task
from target_expensein.filters import Filter
from target_expensein.intake import Intake
from target_expensein.items import ITEMS, Source
from target_expensein.ledger import Ledger
from target_expensein.live import LiveIndex
from target_expensein.model import Applied
from target_expensein.plan import ItemPlan
from target_expensein.reasons import REASONS
from target_expensein.report import ExitCode, RunDirectory
from target_expensein.run import Surroundings, carry_out, sync_tasks
from target_expensein.settings import ItemSettings, Settings, load

MODE: Final = "retry"

MEMBERS: Final[Mapping[str, tuple[type, ...]]] = {
    "run_id": (str,),
    "item": (str,),
    "stream": (str,),
    "reference": (str, type(None)),
    "reason": (str,),
    "record": (dict, type(None)),
}
"""What a line of a reject file has, and of which type."""

WHOLE_LIST_NEEDED: Final = {
    "duplicate_at_source": "the file has only one of the records that share the code",
    "probable_recode": "only the whole source list shows whether the old code is gone",
}
"""Reasons that cannot be judged again from the record alone."""

TRAIL: Final = 20
"""How far back a reference's history is looked at."""


@click.group()
def rejects() -> None:
    """Replay what was held or rejected."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a reject file.

    Attributes:
        number: Its number, from 1.
        run_id: The run that left it.
        item: Name of the item.
        stream: The stream that fed it.
        reference: The reference; None when the record has none that could be read.
        reason: Why it was rejected or held.
        record: The source record; None when there was none, as after a restore.
    """

    number: int
    run_id: str
    item: str
    stream: str
    reference: str | None
    reason: str
    record: Mapping[str, Any] | None


@dataclass
class Retry:
    """What is tried again of a reject file.

    Attributes:
        settings: The settings.
        lines: The file's lines.
        left_out: What is not tried again, and why; known once the tasks are.
    """

    settings: Settings
    lines: Sequence[Line]
    left_out: list[tuple[Line, str]] = field(default_factory=list)

    def tasks(self, ledger: Ledger) -> list[Task]:
        """Return a task for each item that has something to be tried again.

        Args:
            ledger: What earlier runs did.

        Raises:
            LedgerError: If the file comes from a run that this ledger does not know, and so from another account.
        """
        numbers = {run_id: ledger.run(run_id).number for run_id in {line.run_id for line in self.lines}}
        by_item: dict[str, list[Mapping[str, Any]]] = {}
        for line in self.lines:
            why = next(self._obstacles(line), None) or _written_since(line, numbers[line.run_id], ledger)
            if why is not None:
                self.left_out.append((line, why))
            elif line.record is not None:
                by_item.setdefault(line.item, []).append(line.record)
        intakes = {item: _intake(self.settings.items[item], records) for item, records in by_item.items()}
        return [_partial(task, len(by_item[task.item])) for task in sync_tasks(self.settings.items, intakes)]

    def _obstacles(self, line: Line) -> Iterator[str]:
        """Say why a line cannot be tried again with these settings."""
        item = self.settings.items.get(line.item)
        if item is None:
            yield f"the item is switched off (items.{line.item}.enabled)"
            return
        if line.record is None:
            yield "the file has no source record for it; run again what rejected it"
            return
        if line.stream != item.source.stream:
            yield f"it came from the stream {line.stream!r}, and the item is fed by {item.source.stream!r} now"
        if item.source.dimension is not None and line.record.get(item.source.dimension) != item.dimension:
            yield f"it is not of the dimension {item.dimension!r}, which feeds the item now"
        failed = _kept(item.filter, line.record).failed(line.record)
        if failed is not None:
            yield f"the item's filter keeps it out now: it is not so that {failed}"
        if line.reason in WHOLE_LIST_NEEDED and line.reason not in item.limits.allow:
            yield f"{WHOLE_LIST_NEEDED[line.reason]}; {REASONS[line.reason].advice}"


@rejects.command()
@click.argument("file", type=click.Path(allow_dash=True))
@approve_option
@config_option
@json_option
@click.pass_context
def retry(ctx: click.Context, file: str, approve: str | None, config: Path | None, *, as_json: bool) -> None:
    """Try again what a run held or rejected, and nothing else.

    FILE is the rejects.jsonl that the run left; - is standard input. Correct the cause first: a permission, a record in
    ExpenseIn, a setting, or the record in the file itself. Every rule is applied anew, but only to these records: all else
    stays out of it. Left out are lines that a later run has written already, and those that only the whole source list can
    judge. The next sync brings the source's own values again.

    \b
    expensein rejects retry output/expensein/latest/rejects.jsonl

    Exit codes: 0 all of them are as they should be; 1 failed; 3 some are still held, rejected, unsettled or left out.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    settings = load(read_config(config) | {"mode": "apply"} | ({"approve": approve} if approve else {}))
    with click.open_file(file, encoding="utf-8") as text:
        attempt = Retry(settings, list(read_lines(text)))
    around = Surroundings(settings, RunDirectory(settings.output_dir), PROGRESS, threading.Event())
    report = carry_out(around, MODE, attempt.tasks, approval=approval_of("rejects retry", file, config))
    if as_json:
        left_out = [
            {"line": line.number, "item": line.item, "reference": line.reference, "why": why}
            for line, why in attempt.left_out
        ]
        echo_json(report.summary() | {"left_out": left_out})
    else:
        echo(report.text(brief=True))
        for line, why in attempt.left_out:
            echo_lines([f"Left out: line {line.number}, {line.item} {in_json(line.reference)}: {why}."])
        echo(f"Files: {report.directory}")
    left = attempt.left_out and report.exit_code is ExitCode.DONE
    ctx.exit(int(ExitCode.LEFTOVERS if left else report.exit_code))


def read_lines(text: Iterable[str]) -> Iterator[Line]:
    """Read a reject file.

    Args:
        text: Its lines; empty ones do not count.

    Yields:
        Its lines, read.

    Raises:
        click.ClickException: If a line is not one of a reject file; its content is not repeated.
    """
    for number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        try:
            content = simplejson.loads(line, use_decimal=True)
        except ValueError as error:
            raise click.ClickException(f"The reject file's line {number} is not JSON ({error}).") from None
        wrong = _wrong(content)
        if wrong is not None:
            raise click.ClickException(
                f"The reject file's line {number} {wrong}. Give the rejects.jsonl of a run."
            )
        yield Line(number, **{name: content[name] for name in MEMBERS})


def _wrong(content: object) -> str | None:
    """Say what keeps a line's content from being one of a reject file; None when nothing does."""
    if not isinstance(content, dict):
        return "is not a JSON object"
    for name, types in MEMBERS.items():
        if name not in content or not isinstance(content[name], types):
            return f"has no usable {name!r}"
    return None if content["item"] in ITEMS else "names an item that does not exist"


def _kept(filter_: Filter, record: Mapping[str, Any]) -> Filter:
    """Return what of a filter can be asked of a record of the file.

    The file keeps only the fields that the sync uses. The record has passed the filter's other conditions, or it would
    not be in the file.
    """
    return Filter(tuple(condition for condition in filter_.conditions if condition.field in record))


def _written_since(line: Line, number: int, ledger: Ledger) -> str | None:
    """Say which run has written a line's reference after the run that left the line; None when none has."""
    if line.reference is None:
        return None
    for entry in ledger.trail(line.item, line.reference, TRAIL):
        if entry.run > number and entry.status is Status.DONE:
            return f"run {entry.run_id} has written it since"
    return None


def _intake(settings: ItemSettings, records: Iterable[Mapping[str, Any]]) -> Intake:
    """Make a whole stream of some records, for one item: another that the stream feeds has nothing to do with them."""
    intake = Intake(replace(settings, filter=Filter()))
    intake.open(_schema(settings.source))
    for record in records:
        intake.offer(record)
    intake.close()
    return intake


def _schema(source: Source) -> dict[str, Any]:
    """Return a schema of the fields that the sync uses of a stream."""
    types = {
        source.reference: ["string", "null"],
        source.name: ["string", "null"],
        source.dimension: ["string"],
        source.active: ["boolean"],
        source.rate: ["number", "null"],
    }
    return {"properties": {name: {"type": kinds} for name, kinds in types.items() if name is not None}}


def _partial(task: Task, number: int) -> Task:
    """Turn the task of a sync into one of a list that is known to be a part of the source.

    What is not in the list is neither gone (R7) nor a sign of a source cut short, and the ledger keeps what it knows of the
    last whole list.
    """
    return replace(
        task,
        plan=partial(_without_orphans, task.plan),
        source_count=number,
        applied=None,
        compare_length=False,
    )


def _without_orphans(
    plan: Callable[[LiveIndex, Applied], ItemPlan], live: LiveIndex, applied: Applied
) -> ItemPlan:
    whole = plan(live, applied)
    return replace(whole, rows=tuple(row for row in whole.rows if row.reason != "orphan"))

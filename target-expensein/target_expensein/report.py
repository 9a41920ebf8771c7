"""What a run leaves behind: a page for people, a summary for machines, and the reject file.

Each run gets a directory of its own below the output directory, named by its run id; ``latest`` points to the last::

    output/expensein/20261122T040000Z-1f3a9c/report.txt     the page
                                             plan.json      what was planned, with its digest
                                             plan.html      the same for a browser
                                             summary.json   counts, rows and outcomes
                                             rejects.jsonl  one line for each record that was rejected or held
"""

from __future__ import annotations

import io
import json
import os
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from errno import EEXIST
from itertools import chain
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from target_expensein import exactjson
from target_expensein.apply import Outcome, Status
from target_expensein.engine import ItemResult
from target_expensein.intake import Verdict
from target_expensein.model import WRITES, Field, Kind, Row, SourceRecord, Value
from target_expensein.reasons import REASONS
from target_expensein.settings import ItemSettings
from target_expensein.visible import visible

WIDTH: Final = 100
EXAMPLES: Final = 20
NOTICE_EXAMPLES: Final = 5

PRIVATE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
"""What is left behind is for the user who runs the target: it holds names of suppliers."""

_RUN_ID: Final = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")


class ExitCode(IntEnum):
    """How a run ends."""

    DONE = 0
    """Everything is as the source says."""
    FAILED = 1
    """The run, or an item of it, could not be carried out."""
    LEFTOVERS = 3
    """Carried out, but records were held, rejected or left unsettled."""


COLUMNS: Final = ("created", "updated", "unchanged", "held", "rejected", "skipped", "notices", "unsettled")


@dataclass(frozen=True)
class Report:
    """The result of a run, ready to be shown.

    Attributes:
        run_id: The run's id: its start in UTC and a random part.
        mode: ``plan``, ``apply`` or ``restore``.
        items: The settings of each enabled item.
        results: What became of each enabled item.
        digest: The plan's digest.
        directory: Where the run's files are.
        approval: The line of command that applies this plan and no other.
        refusal: Why nothing was written at all; None when that was not so.
    """

    run_id: str
    mode: str
    items: Mapping[str, ItemSettings]
    results: Sequence[ItemResult]
    digest: str
    directory: Path
    approval: str
    refusal: str | None = None

    @property
    def exit_code(self) -> ExitCode:
        """How the run ends."""
        if self.refusal or any(result.problem or _with(result, Status.FAILED) for result in self.results):
            return ExitCode.FAILED
        left = ("held", "rejected", "unsettled")
        if any(
            (result.gated and result.gated.holds and (result.held or self.mode == "plan"))
            or any(counts(result, self.mode)[column] for column in left)
            for result in self.results
        ):
            return ExitCode.LEFTOVERS
        return ExitCode.DONE

    def text(self, *, brief: bool = False) -> str:
        """Return the page for people: a table of counts, then the records, those that need a person first.

        Args:
            brief: Leave out what needs nobody: what was updated, and what was skipped.

        Returns:
            Lines of text.
        """
        console = Console(
            file=io.StringIO(), width=WIDTH, no_color=True, highlight=False, markup=False, emoji=False
        )
        console.print(f"Run {self.run_id}, mode {self.mode}: {self._verdict()}")
        if self.refusal:
            for line in ("", *self.refusal.split("\n"), ""):
                console.print(visible(line), soft_wrap=True)
        console.print(self._table())
        for line in self._details(brief=brief):
            console.print(visible(line), soft_wrap=True)
        text: str = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO above
        return "\n".join(line.rstrip() for line in text.split("\n"))

    def summary(self) -> dict[str, Any]:
        """Return the summary for machines; its rows are made as they are written (:func:`exactjson.pieces`), once."""
        return {
            "run_id": self.run_id,
            "mode": self.mode,
            "exit_code": int(self.exit_code),
            "plan": self.digest,
            "refusal": self.refusal,
            "items": {
                result.item: {
                    "problem": result.problem,
                    "holds": [
                        {"reason": hold.reason, "message": hold.message}
                        for hold in (result.gated.holds if result.gated else ())
                    ],
                    "counts": counts(result, self.mode),
                    "rows": chain(
                        map(_row_json, _rows_without_outcome(result)), map(_outcome_json, result.outcomes)
                    ),
                }
                for result in self.results
            },
        }

    def rejects(self) -> Iterator[dict[str, Any]]:
        """Yield a line of the reject file for each record that was not written because of itself."""
        for result in self.results:
            for row in _rows(result, Kind.REJECTED, Kind.HELD):
                yield self._reject(row, row.reason, row.detail)
            for outcome in _with(result, Status.REJECTED, Status.HELD, Status.UNSETTLED):
                yield self._reject(outcome.row, outcome.reason, outcome.detail)

    def _reject(self, row: Row, reason: str, detail: str) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "item": row.item,
            "stream": self.items[row.item].source.stream,
            "reference": row.reference,
            "reason": reason,
            "detail": detail,
            "record": row.raw if row.source is None else _source_json(self.items[row.item], row.source),
        }

    def write(self, directory: RunDirectory) -> None:
        """Leave the report, the summary and, if there is something in it, the reject file."""
        if any(self.rejects()):
            directory.write_lines("rejects.jsonl", self.rejects())
        directory.write_json("summary.json", self.summary())
        directory.write("report.txt", self.text())
        directory.publish()

    def _verdict(self) -> str:
        match self.exit_code:
            case ExitCode.FAILED:
                return "FAILED, see below"
            case ExitCode.LEFTOVERS:
                return "finished, but some records need attention, see below"
            case ExitCode.DONE:
                return "finished"

    def _table(self) -> Table:
        planned = {"created": "to create", "updated": "to update"} if self.mode == "plan" else {}
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("")
        for column in COLUMNS:
            table.add_column(planned.get(column, column), justify="right", no_wrap=True)
        for result in self.results:
            if result.gated is None:
                table.add_row(result.item, *("-" for _ in COLUMNS))
            else:
                table.add_row(result.item, *(str(counts(result, self.mode)[column]) for column in COLUMNS))
        return table

    def _hold_section(self, result: ItemResult) -> Iterator[str]:
        """Say why an item is held whole, and how to let it through once somebody has looked."""
        holds = result.gated.holds if result.gated is not None else ()
        if not holds or not (result.held or self.mode == "plan"):
            return
        yield from (
            "",
            f"{result.item} HELD, nothing of it {'is' if self.mode == 'plan' else 'was'} written:",
        )
        for hold in holds:
            reason = REASONS[hold.reason]
            yield f"  {reason.meaning} [{hold.reason}, {reason.rules}]: {hold.summary}"
            yield from (f"    {example}" for example in hold.examples)
            yield f"  What to do: {reason.advice}."
        yield f"  The plan: {self.directory / 'plan.html'}"
        yield f"  To approve this plan, once: {self.approval}"

    def _details(self, *, brief: bool) -> Iterator[str]:
        for result in self.results:
            if result.problem:
                yield from ("", f"{result.item} FAILED: {result.problem}")
            yield from self._hold_section(result)
            yield from _outcome_section(result, "not written", Status.FAILED)
            yield from _outcome_section(result, "unsettled", Status.UNSETTLED)
            yield from _outcome_section(result, "rejected by ExpenseIn", Status.REJECTED)
            yield from _outcome_section(result, "held", Status.HELD)
            yield from _row_section(result, Kind.HELD, EXAMPLES)
            yield from _row_section(result, Kind.REJECTED, EXAMPLES)
            yield from _row_section(result, Kind.NOTICE, NOTICE_EXAMPLES)
            if not brief:
                yield from _row_section(result, Kind.UPDATE, EXAMPLES)
                yield from _row_section(result, Kind.CREATE, EXAMPLES)
                yield from _row_section(result, Kind.SKIPPED, NOTICE_EXAMPLES)


def counts(result: ItemResult, mode: str) -> dict[str, int]:
    """Count an item's records by what became of them.

    Args:
        result: The item's result.
        mode: The run's mode.

    Returns:
        Column of the table → number. In mode plan, *created* and *updated* are what would be.
    """
    if result.gated is None:
        return dict.fromkeys(COLUMNS, 0)
    planned = result.gated.plan.counts
    became = Counter((outcome.row.kind, outcome.status) for outcome in result.outcomes)
    by_status = Counter(outcome.status for outcome in result.outcomes)
    only_planned = mode == "plan"
    held_whole = sum(planned[kind] for kind in WRITES) if result.held else 0
    return {
        "created": planned[Kind.CREATE] if only_planned else became[Kind.CREATE, Status.DONE],
        "updated": planned[Kind.UPDATE] if only_planned else became[Kind.UPDATE, Status.DONE],
        "unchanged": planned[Kind.UNCHANGED],
        "held": planned[Kind.HELD] + by_status[Status.HELD] + held_whole,
        "rejected": planned[Kind.REJECTED] + by_status[Status.REJECTED],
        "skipped": planned[Kind.SKIPPED],
        "notices": planned[Kind.NOTICE],
        "unsettled": by_status[Status.UNSETTLED] + by_status[Status.UNKNOWN] + by_status[Status.FAILED],
    }


def preview_text(item: str, verdicts: Sequence[Verdict]) -> str:
    """Return the filter preview of one item: which records pass, which do not and why.

    Args:
        item: Name of the item.
        verdicts: The filter's verdict on each record.

    Returns:
        Lines of text; all records are in ``preview.json``, here at most a handful of each kind.
    """
    passing = [verdict for verdict in verdicts if verdict.failed is None]
    kept_out = Counter(verdict.failed for verdict in verdicts if verdict.failed is not None)
    lines = [f"{item}: {len(passing)} of {len(verdicts)} records pass"]
    lines += _examples([f"  + {verdict.reference}  {verdict.name}" for verdict in passing], EXAMPLES)
    for failed, number in kept_out.items():
        lines.append(f"  kept out because not: {failed} ({number})")
        lines += _examples(
            [f"  - {verdict.reference}  {verdict.name}" for verdict in verdicts if verdict.failed == failed],
            NOTICE_EXAMPLES,
        )
    return "".join(f"{visible(line)}\n" for line in lines)


class RunDirectory:
    """The directory of one run's files, readable by their owner only.

    Args:
        output_dir: The directory below which it is made.
        now: The run's start.

    Raises:
        OSError: If it cannot be made.
    """

    def __init__(self, output_dir: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Make the directory, so that a run that could not report does not begin to write."""
        self.run_id = f"{now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        self.path = output_dir / self.run_id
        self._latest = output_dir / "latest"
        _make_private(output_dir)
        if self._latest.exists() and not self._latest.is_symlink():
            raise FileExistsError(EEXIST, "latest is in the way: it should be a link", str(self._latest))
        self.path.mkdir(mode=PRIVATE_FOLDER)

    def write(self, name: str, text: Iterable[str]) -> Path:
        """Write one file.

        Args:
            name: The file's name.
            text: Its content, or the pieces of it.

        Returns:
            Its path.

        Raises:
            OSError: It cannot be written; the error names the file.
        """
        path = self.path / name
        try:
            with os.fdopen(
                # A new file always: neither one that is there already nor a link to elsewhere is written to.
                os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE),
                "w",
                encoding="utf-8",
                errors="backslashreplace",
            ) as file:
                file.writelines([text] if isinstance(text, str) else text)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error  # a full disk names no file
        return path

    def write_json(self, name: str, content: object) -> Path:
        """Write one JSON file, decimals exact."""
        return self.write(name, (visible(piece, lines=True) for piece in exactjson.pieces(content)))

    def write_lines(self, name: str, lines: Iterable[object]) -> Path:
        """Write one file of JSON lines."""
        return self.write(name, (f"{visible(exactjson.one_line(line))}\n" for line in lines))

    def publish(self) -> None:
        """Point ``latest`` to this run."""
        fresh = self._latest.with_name(f".latest-{self.run_id}")
        fresh.symlink_to(self.run_id)
        fresh.replace(self._latest)


def directory_of(output_dir: Path, run_id: str) -> Path | None:
    """Return the directory of an earlier run.

    Args:
        output_dir: The setting.
        run_id: The run's id, as the ledger has it.

    Returns:
        The path, whether or not it is still there; None when the id is none that :class:`RunDirectory` gives: no path is
        made of somebody's text.
    """
    return output_dir / run_id if _RUN_ID.fullmatch(run_id) else None


def _make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner only; what is there stays as it is."""
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def _rows(result: ItemResult, *kinds: Kind) -> list[Row]:
    return [] if result.gated is None else [row for row in result.gated.plan.rows if row.kind in kinds]


def _rows_without_outcome(result: ItemResult) -> list[Row]:
    """A write that was carried out is shown with its outcome."""
    rows = () if result.gated is None else result.gated.plan.rows
    return [row for row in rows if row.kind not in WRITES or not result.outcomes]


def _with(result: ItemResult, *statuses: Status) -> list[Outcome]:
    return [outcome for outcome in result.outcomes if outcome.status in statuses]


def _row_section(result: ItemResult, kind: Kind, limit: int) -> Iterator[str]:
    """Yield one heading for each reason and some rows below it."""
    by_reason: dict[str, list[Row]] = {}
    for row in _rows(result, kind):
        by_reason.setdefault(row.reason, []).append(row)
    for code, rows in by_reason.items():
        reason = REASONS[code]
        yield from ("", f"{result.item}, {kind} ({len(rows)}): {reason.meaning} [{code}, {reason.rules}]")
        yield from _examples([f"  {_row_line(row)}" for row in rows], limit)
        if reason.advice:
            yield f"  What to do: {reason.advice}."


def _outcome_section(result: ItemResult, title: str, *statuses: Status) -> Iterator[str]:
    outcomes = _with(result, *statuses)
    if outcomes:
        yield from ("", f"{result.item}, {title} ({len(outcomes)}):")
        yield from _examples(
            [f"  {outcome.row.reference!r} [{outcome.reason}] {outcome.detail}" for outcome in outcomes],
            EXAMPLES,
        )


def _examples(lines: Sequence[str], limit: int) -> list[str]:
    rest = len(lines) - limit
    return [
        *lines[:limit],
        *([f"  … and {rest} more, all of them in the run's JSON file"] if rest > 0 else []),
    ]


def _row_line(row: Row) -> str:
    if row.kind is Kind.CREATE:
        changes = ", ".join(
            f"{change.field}: {_shown(change.after)}"
            for change in row.changes
            if change.field not in {Field.REFERENCE, Field.NAME}
        )
    else:
        changes = ", ".join(
            f"{change.field}: {_shown(change.before)} → {_shown(change.after)}" for change in row.changes
        )
    return "  ".join(part for part in (repr(row.reference), row.name or "", changes, row.detail) if part)


def _shown(value: Value) -> str:
    """Return a value as a person reads it."""
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "reason": row.reason,
        "reference": row.reference,
        "name": row.name,
        "record_id": row.record_id,
        "changes": {change.field: {"before": change.before, "after": change.after} for change in row.changes},
        "detail": row.detail,
    }


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return _row_json(outcome.row) | {
        "status": outcome.status,
        "reason": outcome.reason,
        "detail": outcome.detail or outcome.row.detail,
    }


def _source_json(settings: ItemSettings, record: SourceRecord) -> dict[str, Any]:
    """Return a source record under the names that its stream has for the fields."""
    source = settings.source
    fields = {
        "entity": record.entity,
        source.dimension: settings.dimension,
        source.reference: record.reference,
        source.name: record.name,
        source.active: record.active,
        source.rate: record.rate,
    }
    return {name: value for name, value in fields.items() if name is not None and value is not None}

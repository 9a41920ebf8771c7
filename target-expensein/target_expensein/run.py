"""One run from plan to report: the order of things around the engine, the same for a sync and for a restore.

plan → plan.json, plan.html → approval → apply → report, with the ledger open and locked from the first to the last.
"""

from __future__ import annotations

import logging
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from target_expensein import page, planfile
from target_expensein.api.client import ExpenseInClient
from target_expensein.api.retry import RetryPolicy
from target_expensein.engine import Engine, ItemResult, Task
from target_expensein.intake import Intake
from target_expensein.ledger import Ledger, RunLog
from target_expensein.live import LiveIndex
from target_expensein.model import WRITES, Applied
from target_expensein.plan import AppliedValues, ItemPlan, plan_item
from target_expensein.report import ExitCode, Report, RunDirectory, counts
from target_expensein.settings import ItemSettings, Settings
from target_expensein.source import SourceList

DIFFERENCES_SHOWN = 5


ClientT = TypeVar("ClientT", bound=ExpenseInClient)


def connect(
    kind: type[ClientT],
    settings: Settings,
    *,
    wait: Callable[[float], object] = time.sleep,
    retries: RetryPolicy | None = None,
) -> ClientT:
    """Return a connection to ExpenseIn; nothing is sent yet.

    Args:
        kind: Which client.
        settings: Where to, and how.
        wait: Waits for a number of seconds.
        retries: How often and how patiently calls are repeated; None for the usual numbers.
    """
    return kind(
        settings.api_url,
        settings.api_key,
        settings.profile,
        concurrency=settings.concurrency,
        timeout=settings.request_timeout,
        megabytes=settings.max_answer_megabytes,
        ca_bundle=settings.ca_bundle,
        sleep=wait,
        retries=retries,
    )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run has around it.

    Attributes:
        settings: The settings.
        directory: Where its files go.
        logger: Where it says what it does.
        stop: Set from outside to end it early.
    """

    settings: Settings
    directory: RunDirectory
    logger: logging.Logger
    stop: threading.Event

    def client(self) -> ExpenseInClient:
        """Return a connection to ExpenseIn; being told to stop ends its every wait."""
        return connect(ExpenseInClient, self.settings, wait=self.stop.wait)

    @contextmanager
    def ledger(self, mode: str) -> Iterator[tuple[Ledger, RunLog]]:
        """Open the ledger for one run, and keep other runs of the account out.

        Args:
            mode: What the run is: ``plan``, ``apply`` or ``restore``.

        Raises:
            LedgerError: If it cannot be opened, or another run is at work.
        """
        versions = {name: metadata.version(name) for name in ("target-expensein", "singer-sdk")}
        versions["python"] = platform.python_version()
        with Ledger.open(self.settings.ledger, self.settings.account) as ledger, ledger.lock():
            log = ledger.begin(mode, versions, self.settings.digest, self.directory.run_id)
            yield ledger, log


def sync_tasks(items: Mapping[str, ItemSettings], intakes: Mapping[str, Intake]) -> list[Task]:
    """Return the tasks of a sync.

    Args:
        items: The settings of each enabled item.
        intakes: Its source side.

    Returns:
        One task for each enabled item.
    """
    return [_sync_task(items[name], intake) for name, intake in intakes.items()]


def _sync_task(settings: ItemSettings, intake: Intake) -> Task:
    source = intake.source
    return Task(
        item=settings.item.name,
        plan=partial(_plan_sync, settings, source),
        source_count=len(source.records),
        limits=settings.limits,
        applied=partial(AppliedValues, settings.item, source),
        problem=intake.problem(),
    )


def _plan_sync(settings: ItemSettings, source: SourceList, live: LiveIndex, applied: Applied) -> ItemPlan:
    return plan_item(settings.item, settings.decisions, source, live, applied)


def carry_out(
    around: Surroundings,
    mode: str,
    tasks: Sequence[Task] | Callable[[Ledger], Sequence[Task]],
    on_settled: Callable[[ItemResult], None] = lambda _: None,
    approval: Callable[[str], str] = planfile.approval_line,
) -> Report:
    """Plan, gate, and unless the mode is ``plan`` write; leave the run's files.

    Args:
        around: The run's surroundings.
        mode: ``plan``, ``apply`` or ``restore``.
        tasks: What is to be done, or how to find it in the ledger.
        on_settled: Called as soon as an item is through, when something was to be written at all.
        approval: Gives the line of command that applies a plan of some digest.

    Returns:
        The report.

    Raises:
        LedgerError: If the ledger cannot be used: nothing is written to ExpenseIn any more.
        OSError: If a file of the run cannot be written: the plan's, then nothing was written to ExpenseIn; or the
            report's, then all is done and noted.
    """
    settings, directory = around.settings, around.directory
    with around.client() as client, around.ledger(mode) as (ledger, log):
        todo = tasks(ledger) if callable(tasks) else tasks
        engine = Engine(
            settings=settings, client=client, ledger=ledger, log=log, logger=around.logger, stop=around.stop
        )
        results = engine.plan(todo)
        laid_open = _lay_open(around, ledger, mode, results, approval)
        if mode != "plan" and laid_open.refusal is None:
            if laid_open.approved is not None:
                log.use_approval(laid_open.approved)
            engine.apply(todo, results, on_settled, approved=laid_open.approved is not None)
        report = Report(
            directory.run_id,
            mode,
            settings.items,
            results,
            laid_open.digest,
            directory.path,
            laid_open.approval,
            laid_open.refusal,
        )
        unreported = _leave(report, directory)
        exit_code = report.exit_code if unreported is None else ExitCode.FAILED
        if settings.keep_days is not None:
            log.prune(settings.keep_days)
        log.finish(
            exit_code.name.lower(), int(exit_code), {result.item: counts(result, mode) for result in results}
        )
    if unreported is not None:
        raise unreported
    return report


@dataclass(frozen=True, slots=True)
class _LaidOpen:
    """A plan that anybody can read now.

    Attributes:
        digest: Its digest.
        approval: The line of command that applies this plan and no other.
        approved: The digest that the settings approve, where that is for anything.
        refusal: Why that does not cover this plan; None when it does, or was not needed.
    """

    digest: str
    approval: str
    approved: str | None
    refusal: str | None


def _lay_open(
    around: Surroundings,
    ledger: Ledger,
    mode: str,
    results: Sequence[ItemResult],
    approval: Callable[[str], str],
) -> _LaidOpen:
    """Leave the plan's files, and hold it against the approval. The document, which may be large, ends here."""
    settings, directory = around.settings, around.directory
    document = planfile.plan_document(
        {result.item: result.gated for result in results if result.gated is not None},
        configuration=settings.digest,
        problems={result.item: result.problem for result in results if result.problem is not None},
    )
    digest = document["digest"]
    directory.write("plan.json", planfile.dump(document))
    facts = {"Run": directory.run_id, "Account": settings.account, "Mode": mode}
    line = approval(digest)
    directory.write("plan.html", page.render(document, title="Plan for ExpenseIn", run=facts, approval=line))
    approved = settings.approve if mode != "plan" and _needs_approval(document) else None
    refusal = None if approved is None else _refusal(settings, ledger, document, approved)
    return _LaidOpen(digest, line, approved, refusal)


def _leave(report: Report, directory: RunDirectory) -> OSError | None:
    """Leave the run's files; return why that failed. What was written to ExpenseIn is written, and in the ledger."""
    try:
        report.write(directory)
    except OSError as error:
        words = (
            f"{error.strerror}. The run was carried out all the same, and the ledger has it (expensein show "
            f"{report.run_id}), but its report is not whole. Make room, or the folder writable"
        )
        return OSError(error.errno, words, error.filename or str(directory.path))
    return None


def _needs_approval(document: Mapping[str, Any]) -> bool:
    """Tell whether there is anything that an approval could be for: something to write, or an item that is held."""
    return any(item["holds"] or any(item["counts"][kind] for kind in WRITES) for item in document["items"])


def _refusal(settings: Settings, ledger: Ledger, document: Mapping[str, Any], digest: str) -> str | None:
    """Say why an approval does not cover the fresh plan, or return None when it does.

    It covers the plan that was approved, once. If the run that used it was cut off, it still covers what that run left.
    """
    used, interrupted = ledger.approval_used(digest), ledger.approval_interrupted(digest)
    if digest == document["digest"] and (interrupted or not used):
        return None
    approved = _find_plan(settings.output_dir, digest)
    differing = () if approved is None else planfile.differences(approved, document)
    if interrupted and approved is not None and all(one.fresh is None for one in differing):
        return None
    if used and not interrupted:
        return (
            "The approval was used by an earlier run, and an approval is for one run. Look at the plan again."
        )
    lines = ["The plan is not the one that was approved, so nothing was written."]
    if approved is None:
        lines.append(
            f"The approved plan is not below {str(settings.output_dir)!r} any more, so what differs cannot be shown."
        )
    lines += [f"  {difference}" for difference in differing[:DIFFERENCES_SHOWN]]
    if len(differing) > DIFFERENCES_SHOWN:
        lines.append(f"  … and {len(differing) - DIFFERENCES_SHOWN} more")
    return "\n".join(lines)


def _find_plan(output_dir: Path, digest: str) -> dict[str, Any] | None:
    """Return the plan document with a digest among those that earlier runs left."""
    for path in sorted(output_dir.glob("*/plan.json"), reverse=True):
        text = path.read_text(encoding="utf-8")
        if digest in text:
            try:
                document = planfile.load(text)
            except planfile.PlanFileError:
                continue  # somebody changed it, so it is not what was approved
            if document["digest"] == digest:
                return document
    return None

"""``expensein plan`` and ``expensein apply``: a sync without Meltano, from a file of Singer messages."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import click

from target_expensein.commands.configuration import config_option, read_config
from target_expensein.commands.output import PROGRESS, echo, echo_json, json_option
from target_expensein.report import ExitCode, Report
from target_expensein.run import Surroundings, carry_out, sync_tasks
from target_expensein.target import TargetExpenseIn

CHANGES = 2
"""Exit code of ``plan --detailed-exitcode`` when there is something to write, as Terraform has it."""

approve_option = click.option(
    "--approve",
    metavar="DIGEST",
    help="Write only if the fresh plan is the one with this digest; then all of it, what is held included.",
)

# Not click.File: a file that is not there is a failure (1) and not wrong use (2), which means something else here.
singer_argument = click.argument("singer", metavar="FILE.singer", type=click.Path(allow_dash=True))


class _FileTarget(TargetExpenseIn):
    """The target, fed by hand: it returns its report, and passes no state on, for there is no tap to give it to."""

    def sync(self, lines: IO[str], approval: Callable[[str], str]) -> Report:
        """Take in Singer messages and carry them out.

        Args:
            lines: The messages.
            approval: Gives the line of command that applies a plan of some digest.

        Raises:
            click.ClickException: If they are not Singer messages; then nothing was read or written.
        """
        self.receive(lines)
        around = Surroundings(self.settings, self._directory, PROGRESS, self._stop)
        tasks = sync_tasks(self.settings.items, self._intakes)
        return carry_out(around, self.settings.mode, tasks, approval=approval)


@click.command()
@singer_argument
@click.option(
    "--detailed-exitcode",
    "detailed",
    is_flag=True,
    help="Exit with 2 when there are changes, 0 only when there are none.",
)
@config_option
@json_option
@click.pass_context
def plan(ctx: click.Context, singer: str, config: Path | None, *, detailed: bool, as_json: bool) -> None:
    """Show what a file of Singer messages would change in ExpenseIn, and why. Nothing is written.

    FILE.singer is what the tap puts out; - is standard input. The plan is also left as a page for a browser (plan.html) and
    for machines (plan.json, which --json prints); the last lines say where. The digest in it approves exactly this plan.

    \b
    meltano invoke tap-accountsiq > tonight.singer
    expensein plan tonight.singer

    Exit codes: 0 planned; 1 failed; 3 something is held or rejected. With --detailed-exitcode 0 means that there is nothing
    to write, and 2 that there is; 1 and 3 as before.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    report = _sync(singer, read_config(config) | {"mode": "plan"}, config)
    if as_json:
        echo((report.directory / "plan.json").read_text(encoding="utf-8").removesuffix("\n"))
    else:
        _show(report, brief=False)
    code = int(report.exit_code)
    if detailed and report.exit_code is ExitCode.DONE and _has_writes(report):
        code = CHANGES
    ctx.exit(code)


@click.command()
@singer_argument
@approve_option
@config_option
@json_option
@click.pass_context
def apply(
    ctx: click.Context, singer: str, approve: str | None, config: Path | None, *, as_json: bool
) -> None:
    """Bring ExpenseIn into line with a file of Singer messages.

    FILE.singer is what the tap puts out; - is standard input. What goes beyond the limits is held and not written, unless
    the plan was looked at and is approved by its digest. --json prints the run's summary.

    \b
    expensein apply tonight.singer
    expensein apply tonight.singer --approve sha256:…

    Exit codes: 0 everything is as the source says; 1 failed; 3 something was held, rejected or left unsettled.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    settings = read_config(config) | {"mode": "apply"} | ({"approve": approve} if approve else {})
    report = _sync(singer, settings, config)
    if as_json:
        echo_json(report.summary())
    else:
        _show(report, brief=True)
    ctx.exit(int(report.exit_code))


def approval_of(command: str, path: str, config: Path | None) -> Callable[[str], str]:
    """Return what gives the line of command that approves a plan.

    Args:
        command: The command, for example ``apply``.
        path: The file that it was called with.
        config: The configuration that it was called with.
    """
    given = "" if config is None else f" --config {shlex.quote(str(config))}"
    return lambda digest: f"expensein {command} {shlex.quote(path)} --approve {digest}{given}"


def _sync(singer: str, settings: dict[str, Any], config: Path | None) -> Report:
    target = _FileTarget(config=settings)
    with click.open_file(singer, encoding="utf-8") as lines:
        return target.sync(lines, approval_of("apply", singer, config))


def _show(report: Report, *, brief: bool) -> None:
    echo(report.text(brief=brief))
    echo(f"Digest: {report.digest}\nFiles: {report.directory}")


def _has_writes(report: Report) -> bool:
    return any(result.gated is not None and result.gated.plan.writes for result in report.results)

"""The command ``expensein``: look, apply, look back, explain, take back, check.

Each command is a module of its own, and short: the work is done by the modules that do it in a run, so that a command
cannot disagree with a run. Foreseen errors end here, as one clear message and an exit code.
"""

from __future__ import annotations

import io
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click
from singer_sdk.exceptions import ConfigValidationError

from target_expensein.api.errors import ApiError
from target_expensein.commands.doctor import doctor
from target_expensein.commands.explain import explain
from target_expensein.commands.history import history
from target_expensein.commands.output import progress_shown
from target_expensein.commands.plan import apply, plan
from target_expensein.commands.rejects import rejects
from target_expensein.commands.restore import restore
from target_expensein.commands.show import show
from target_expensein.ledger import LedgerError
from target_expensein.planfile import PlanFileError


class _Main(click.Group):
    """The group; it turns every foreseen error into its message."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - whatever a command returns
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except ConfigValidationError as error:
            raise click.ClickException("\n  ".join((str(error), *error.errors))) from None
        except BrokenPipeError:
            raise  # the reader has seen enough; click ends quietly
        except OSError as error:
            raise click.ClickException(
                f"{error.filename}: {error.strerror}" if error.filename else str(error)
            ) from None
        except (ApiError, LedgerError, PlanFileError) as error:
            raise click.ClickException(str(error)) from None


@contextmanager
def _ended_cleanly() -> Iterator[None]:
    """Take SIGTERM like Ctrl-C: writes in flight end, no further one begins, and the ledger is closed."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are not for other threads
        return

    def end(number: int, _: object) -> NoReturn:
        sys.exit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


EPILOG = """\
Exit codes: 0 done, or nothing to do; 1 failed; 2 wrong use; 3 done, but something was held, rejected or left unsettled.

Shell completion: put  eval "$(_EXPENSEIN_COMPLETE=bash_source expensein)"  into ~/.bashrc (zsh: zsh_source; fish:
_EXPENSEIN_COMPLETE=fish_source expensein | source).
"""


@click.group(cls=_Main, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="target-expensein", prog_name="expensein")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Keep ExpenseIn's reference data aligned, and see what was done to it.

    The settings are those of the Singer target target-expensein: from a file (--config), or from the environment, where
    Meltano puts them.

    \b
    expensein doctor                  is the account fit for a sync?
    expensein plan accounts.singer    what would be written, and why
    expensein history                 what the last runs did
    expensein show latest             the last run, field by field
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name may have what the terminal does not
    ctx.with_resource(_ended_cleanly())
    ctx.with_resource(progress_shown())


for command in (plan, apply, history, show, explain, restore, rejects, doctor):
    main.add_command(command)

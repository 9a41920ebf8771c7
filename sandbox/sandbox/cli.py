"""The command line: ``sandbox serve``, ``run``, ``show``, ``generate``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

import click

from sandbox import seeds
from sandbox.exactjson import dumps, loads
from sandbox.faults import FaultError
from sandbox.seeds import SeedError
from sandbox.server import Options, Server, environment
from sandbox.settings import SettingError
from sandbox.show import report
from sandbox.store import META_COUNTERS, Store, StoreError
from sandbox.world import World

_Command = TypeVar("_Command", bound=Callable[..., object])
_NOT_FOUND = 127  # what a shell says of a command that does not exist
_NOT_EXECUTABLE = 126
_KILLED = 128  # plus the signal's number


@click.group()
def main() -> None:
    """Emulate AccountsIQ and ExpenseIn."""


def _read_faults(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> list[Any]:
    rules: list[Any] = []
    for value in values:
        text = value
        if value.lstrip()[:1] not in ("[", "{"):
            try:
                text = Path(value).read_text(encoding="utf-8")
            except OSError as error:
                message = f"{value} is neither JSON nor a file that can be read: {error.strerror}."
                raise click.BadParameter(message) from error
        try:
            found = loads(text)
        except ValueError as error:
            message = f"{value} is not valid JSON: {error}."
            raise click.BadParameter(message) from error
        rules += found if isinstance(found, list) else [found]
    return rules


def _server_options(command: _Command) -> _Command:
    options = [
        click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
        *(
            click.option(
                f"--{side}-port",
                type=click.IntRange(0, 65535),
                default=0,
                help=f"Port of {words}; 0: any free one.",
            )
            for side, words in (
                ("accountsiq", "the AccountsIQ side"),
                ("expensein", "the ExpenseIn side"),
                ("control", "the control API"),
            )
        ),
        click.option("--db", type=click.Path(dir_okay=False), help="Keep everything in this SQLite file."),
        click.option(
            "--seed",
            default="company",
            show_default=True,
            help="What a new sandbox holds: company, empty, generated:accounts=…,suppliers=…,seed=…, or a JSON file.",
        ),
        click.option(
            "--tls", is_flag=True, help="Speak https, with a certificate authority made for the occasion."
        ),
        click.option(
            "--latency",
            type=click.FloatRange(min=0),
            default=0,
            help="Seconds by which every answer is late.",
        ),
        click.option(
            "--fault",
            "faults",
            multiple=True,
            callback=_read_faults,
            help="Fault rules: JSON, or a file of it. Can be repeated.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@_server_options
def serve(**options: Any) -> None:  # noqa: ANN401 - as declared above
    """Serve both sides until SIGINT or SIGTERM; the first line says where, in JSON."""

    async def until_stopped(server: Server, stopped: asyncio.Event) -> int:
        click.echo(dumps(server.info()))
        sys.stdout.flush()
        await stopped.wait()
        return 0

    _serve(Options(**options), until_stopped)


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_server_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401 - as declared above
    """Serve both sides, run COMMAND with the variables that lead to them, and exit as it does."""

    async def command_ends(server: Server, stopped: asyncio.Event) -> int:
        try:
            process = await asyncio.create_subprocess_exec(
                *command, env=os.environ | environment(server.info())
            )
        except OSError as error:
            click.echo(f"Error: {command[0]} cannot be run: {error.strerror}", err=True)
            return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
        ended = asyncio.create_task(process.wait())
        interrupted = asyncio.create_task(stopped.wait())
        await asyncio.wait({ended, interrupted}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            process.terminate()
        interrupted.cancel()
        status = await ended
        return status if status >= 0 else _KILLED - status

    sys.exit(_serve(Options(**options), command_ends))


@main.command()
@click.option("--db", type=click.Path(exists=True, dir_okay=False), help="Look into this SQLite file.")
@click.option("--control", metavar="URL", help="Ask the running sandbox with this control address.")
def show(db: str | None, control: str | None) -> None:
    """Show both sides as tables. Without options: the sandbox that SANDBOX_CONTROL_URL names."""
    control = control or (None if db else os.environ.get("SANDBOX_CONTROL_URL"))
    if (db is None) == (control is None):
        message = "Say where to look: --db FILE or --control URL (or set SANDBOX_CONTROL_URL)."
        raise click.UsageError(message)
    state, counters = _look_into(db) if db else _ask(str(control))
    click.echo(report(state, counters), nl=False)


def _size_options(command: _Command) -> _Command:
    for name, size in reversed(list(signature(seeds.generate).parameters.items())):
        command = click.option(
            f"--{name.replace('_', '-')}", type=int, default=size.default, show_default=True
        )(command)
    return command


@main.command()
@_size_options
def generate(**sizes: int) -> None:
    """Write a seed of any size to standard output; the same numbers give the same data."""
    try:
        click.echo(dumps(seeds.generate(**sizes)))
    except SeedError as error:
        raise click.ClickException(str(error)) from error


def _serve(options: Options, body: Callable[[Server, asyncio.Event], Awaitable[int]]) -> int:
    """Run the sandbox around a body; every expected failure becomes a message."""

    async def serve_around() -> int:
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        server = Server(options)
        await server.start()
        try:
            return await body(server, stopped)
        finally:
            await server.stop()

    try:
        return asyncio.run(serve_around())
    except (StoreError, SeedError, FaultError, SettingError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        message = f"The sandbox cannot listen on {options.host}: {error.strerror or error}"
        raise click.ClickException(message) from error


def _look_into(db: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    try:
        store = Store(db)
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    try:
        if store.is_new:
            message = f"{db} holds no sandbox yet."
            raise click.ClickException(message)
        return World(store, "empty").state(), store.meta(META_COUNTERS, {})
    finally:
        store.close()


def _ask(control: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if not control.startswith(("http://", "https://")):
        message = f"{control} is not an http address."
        raise click.UsageError(message)
    base = control.rstrip("/")
    try:
        answers = []
        for path in ("state", "counters"):
            with urllib.request.urlopen(f"{base}/{path}", timeout=60) as answer:  # noqa: S310 - http, checked  # nosec B310
                answers.append(loads(answer.read()))
    except (urllib.error.URLError, ValueError) as error:
        message = f"No sandbox answers at {control}: {error}"
        raise click.ClickException(message) from error
    return answers[0], answers[1]

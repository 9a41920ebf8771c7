"""What the commands have in common on their way out: tables, JSON, and progress."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from target_expensein import exactjson
from target_expensein.model import FieldChange
from target_expensein.visible import visible

WIDTH: Final = 250
"""Wider than any table here: a terminal wraps its lines better than a table does."""

PROGRESS: Final = logging.getLogger("expensein")
"""Where a command says what it does while it does it: standard error, standard output is for the result."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")


def echo(text: str) -> None:
    """Print lines of text; what a terminal would obey instead of showing it is escaped.

    Args:
        text: Our own lines; a line break that is somebody else's is escaped by ``in_json`` or ``visible`` before.
    """
    click.echo(visible(text, lines=True))


def echo_lines(lines: Iterable[str]) -> None:
    """Print lines, each of which stays one whatever it holds.

    Args:
        lines: The lines, without a line break at their end.
    """
    click.echo("\n".join(map(visible, lines)))


def echo_json(content: object) -> None:
    """Print JSON as :func:`exactjson.pieces` writes it."""
    click.echo("".join(visible(piece, lines=True) for piece in exactjson.pieces(content)), nl=False)


def in_json(value: object) -> str:
    """Return a value as it is shown in a line of text: JSON, so that no character can play tricks."""
    return exactjson.one_line(value)


def change_line(change: FieldChange) -> str:
    """Return a field's change in words."""
    return f"{change.field}: {in_json(change.before)} → {in_json(change.after)} ({change.origin})"


def time_text(time: datetime | None) -> str:
    """Return a time (UTC) for people."""
    return "-" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"


def table(headings: Sequence[str], rows: Sequence[Sequence[object]], texts: int) -> str:
    """Return a table.

    Args:
        headings: The columns.
        rows: Their cells.
        texts: How many columns, from the left, are text; the others are set to the right.

    Returns:
        Lines of text without a line break at the end.
    """
    console = Console(
        file=io.StringIO(), width=WIDTH, no_color=True, highlight=False, markup=False, emoji=False
    )
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for position, heading in enumerate(headings):
        drawn.add_column(heading, justify="left" if position < texts else "right", no_wrap=True)
    for row in rows:
        drawn.add_row(*(visible(str(cell)) for cell in row))
    console.print(drawn)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO above
    return "\n".join(line.rstrip() for line in text.rstrip("\n").split("\n"))


@contextmanager
def progress_shown() -> Iterator[None]:
    """Show progress, and warnings from everywhere, on standard error."""
    root, handler = logging.getLogger(), _ErrorStream()
    level = PROGRESS.level
    root.addHandler(handler)
    PROGRESS.setLevel(logging.INFO)
    try:
        yield
    finally:
        PROGRESS.setLevel(level)
        root.removeHandler(handler)


class _ErrorStream(logging.Handler):
    """Writes each message as it is to what is standard error at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(visible(record.getMessage(), lines=True), err=True)

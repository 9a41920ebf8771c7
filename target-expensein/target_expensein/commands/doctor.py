"""``expensein doctor``: is the ExpenseIn account fit for a sync? Reads, and never writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import click

from target_expensein.api.answers import Answer, Target
from target_expensein.api.client import ExpenseInClient
from target_expensein.api.errors import (
    ApiError,
    NotOffered,
    RedirectRefused,
    Scope,
    Unauthorized,
    Unreachable,
)
from target_expensein.api.retry import RetryPolicy, http_date
from target_expensein.commands.configuration import config_option, connection_settings, read_config
from target_expensein.commands.output import echo_json, echo_lines, in_json, json_option
from target_expensein.items import ITEMS
from target_expensein.live import fold_reference
from target_expensein.model import LiveRecord
from target_expensein.run import connect
from target_expensein.settings import Settings, load

RETRIES: Final = RetryPolicy(attempts=2, throttled_attempts=3)
"""A doctor answers soon."""

CLOCK_TOLERANCE: Final = 60
"""Seconds by which the two clocks may differ; the server's is read to the second, and answers take a while."""

EXAMPLES: Final = 3

Records = Sequence[LiveRecord]


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    """A sync works, but somebody should look."""
    FAIL = "FAIL"
    """A sync does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor.

    Attributes:
        level: How bad it is.
        subject: What was looked at.
        text: What was found, and what to do.
    """

    level: Level
    subject: str
    text: str


class _ClockedClient(ExpenseInClient):
    """A client that takes note of the server's clock.

    Attributes:
        skew: Seconds by which the server's clock is ahead of this machine's; None when it has not said.
    """

    skew: float | None = None

    def _get(self, target: Target, *args: Any, **kwargs: Any) -> tuple[Answer, Any]:  # noqa: ANN401 - as they come
        answer, payload = super()._get(target, *args, **kwargs)
        self.skew = _skew(answer.headers.get("Date"), datetime.now(UTC))
        return answer, payload


@click.command()
@click.option("--all", "everything", is_flag=True, help="Look at all five items, as if all were enabled.")
@config_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, config: Path | None, *, everything: bool, as_json: bool) -> None:
    """Check the ExpenseIn account before a sync, or when one fails. Only reads; nothing is written.

    Looks at the address and its certificate, the key and its permissions, each enabled item's collection and the shape of its
    records, references that are double, missing or look alike, and the clock. Each line says ok, warn (a sync works, but
    somebody should look) or FAIL (it does not), and what to do.

    \b
    expensein doctor
    expensein doctor --all

    Exit codes: 0 fit for a sync; 1 at least one FAIL.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    given = read_config(config)
    if everything:
        settings = connection_settings(given)
        names: Sequence[str] = tuple(ITEMS)
    else:
        settings = load(given | {"mode": "plan"})
        names = tuple(settings.items)
    findings = list(examine(settings, names))
    if as_json:
        echo_json([asdict(finding) for finding in findings])
    else:
        width = max(len(finding.subject) for finding in findings)
        for finding in findings:
            echo_lines([f"{finding.level:4}  {finding.subject:{width}}  {finding.text}"])
    ctx.exit(1 if any(finding.level is Level.FAIL for finding in findings) else 0)


def examine(settings: Settings, names: Sequence[str]) -> list[Finding]:
    """Read the items' collections and say what there is to say.

    Args:
        settings: The settings of the connection.
        names: The items to look at.

    Returns:
        The findings, the account as a whole first.
    """
    answers: dict[str, Records | ApiError] = {}
    with connect(_ClockedClient, settings, retries=RETRIES) as client:
        for name in names:
            try:
                answers[name] = list(client.list(name))
            except ApiError as error:
                answers[name] = error
                if error.scope is Scope.RUN or isinstance(error, Unreachable):
                    break  # all further questions would be answered the same
    return [
        *_account(settings, list(answers.values())),
        *clock(client.skew),
        *(finding for name, answer in answers.items() for finding in _collection(name, answer)),
    ]


def _account(settings: Settings, answers: Sequence[Records | ApiError]) -> Iterator[Finding]:
    """Say what the answers tell of the address and of the key."""
    for answer in answers:
        if isinstance(answer, Unreachable | RedirectRefused):
            yield Finding(Level.FAIL, "address", answer.message)
            return
        if isinstance(answer, Unauthorized):
            yield _address(settings)
            yield Finding(Level.FAIL, "key", answer.message)
            return
    if all(isinstance(answer, NotOffered) for answer in answers):
        return  # then nothing was asked
    yield _address(settings)
    permissions = " and ".join(dict.fromkeys(item.permission for item in settings.profile.items.values()))
    yield Finding(
        Level.OK,
        "key",
        f"accepted. Whether it may write ({permissions}) only a write shows: see its ticks in ExpenseIn, Admin, API keys",
    )


def _address(settings: Settings) -> Finding:
    secured = "its certificate is trusted" if settings.api_url.startswith("https") else "this machine, no TLS"
    return Finding(Level.OK, "address", f"{settings.api_url} answers, {secured}")


def clock(skew: float | None) -> Iterator[Finding]:
    """Judge the clock.

    Args:
        skew: Seconds by which the server's clock is ahead of this machine's; None when it has not said.

    Yields:
        One finding, or none when the server has not said.
    """
    if skew is None:
        return
    if abs(skew) <= CLOCK_TOLERANCE:
        yield Finding(Level.OK, "clock", f"within {CLOCK_TOLERANCE} seconds of ExpenseIn's")
    else:
        direction = "behind" if skew > 0 else "ahead of"
        yield Finding(
            Level.WARN,
            "clock",
            f"this machine is {abs(skew):.0f} seconds {direction} ExpenseIn, so the times in the history are wrong. Let the"
            " system keep its time (NTP)",
        )


def _collection(name: str, answer: Records | ApiError) -> Iterator[Finding]:
    """Say what there is to say of one collection."""
    if isinstance(answer, Unreachable | RedirectRefused | Unauthorized):
        return  # it has been said of the whole account
    if isinstance(answer, ApiError):
        yield Finding(Level.FAIL, name, answer.message)
        return
    shape = "each of the shape that the API profile says" if answer else "so their shape could not be checked"
    yield Finding(Level.OK, name, f"{len(answer)} records, {shape}")
    by_reference: dict[str, list[LiveRecord]] = {}
    by_fold: dict[str, set[str]] = {}
    for record in answer:
        if record.reference is not None:
            by_reference.setdefault(record.reference, []).append(record)
            by_fold.setdefault(fold_reference(record.reference), set()).add(record.reference)
    yield from _warning(
        name,
        "the same reference more than once, so held [R27]",
        [
            f"{in_json(reference)} {_listed(same)}"
            for reference, same in by_reference.items()
            if len(same) > 1
        ],
        "Clear the reference of the records that should not have it",
    )
    yield from _warning(
        name,
        "references that differ only in case, spaces, leading zeros or Unicode form [R28]",
        [" and ".join(map(in_json, sorted(alike))) for alike in by_fold.values() if len(alike) > 1],
        "See that each is a code of its own at the source, character for character",
    )
    yield from _warning(
        name,
        "no reference, so the sync leaves them alone",
        [_listed([record]) for record in answer if record.reference is None],
        "Give those that the source has, too, its code as reference; else they are created a second time",
    )


def _warning(name: str, what: str, examples: Sequence[str], advice: str) -> Iterator[Finding]:
    if examples:
        more = f" and {len(examples) - EXAMPLES} more" if len(examples) > EXAMPLES else ""
        shown = ", ".join(examples[:EXAMPLES])
        yield Finding(Level.WARN, name, f"{what} ({len(examples)}): {shown}{more}. {advice}")


def _listed(records: Sequence[LiveRecord]) -> str:
    return ", ".join(f"{in_json(record.name)} (id {record.id})" for record in records)


def _skew(date: str | None, now: datetime) -> float | None:
    """Return the seconds by which a Date header is ahead of a time; None when there is none that can be read."""
    server = http_date(date or "")
    return None if server is None else (server - now).total_seconds()

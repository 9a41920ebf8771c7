"""What happens in a case, drawn from the campaign's seed and the case's number: data only.

What an edit meets (which record, which new name) is drawn when it happens, from a number that is drawn here: it depends on
what is there by then.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DISKS = ("ledger", "report", "rejects", "latest", "output_read_only", "ledger_read_only")
"""What cannot be written in a step: the ledger or a file of the run directory while the run is at work, or a directory."""

ABSURD_WAITS = ("0", "1", "-5", "soon", "999999999", "1e9", "9" * 400, "Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT")  # fmt: skip
MARGIN = 3.0
"""Seconds that a process may be kept waiting by the machine between noting a creation and sending it."""

LAG = 3.0
"""Seconds by which a list lags: longer than it takes to begin the next run."""

PUTS = 20
"""Among how many of a run's PUTs those are drawn at whose arrival an admin edits."""

MELTANO_EVERY = 40
SYSTEMATIC_EVERY = 8


@dataclass(frozen=True)
class Kill:
    """When a process is killed, and how.

    Attributes:
        victims: ``target``, ``tap``; under Meltano ``meltano`` (alone) or ``all``.
        signal: The signal's number.
        side: The side whose requests are counted; None to go by time.
        moment: ``arrived`` or ``done``.
        method: Verb of the requests that count; ``*`` for all.
        number: At which of them, from 1.
        after: Seconds after the start, when it goes by time.
    """

    victims: tuple[str, ...]
    signal: int
    side: str | None = None
    moment: str = "arrived"
    method: str = "*"
    number: int = 1
    after: float = 0.0


@dataclass(frozen=True)
class Step:
    """One execution of the pair, and what happens before and during it.

    Attributes:
        source_edits: Numbers to draw the edits in AccountsIQ from, made before it.
        hand_edits: Numbers to draw the edits in ExpenseIn from, made before it.
        edit_at: Hand edits during the run: the number of the request to ExpenseIn → number to draw from.
        edit_at_put: Hand edits of the very record that a PUT is about to change, after the target has read it: the number of
            the PUT, when it arrives → number to draw from.
        faults: Fault rules of the sandbox.
        kill: Who is killed.
        disk: What cannot be written.
        full_at: The number of the write to ExpenseIn at whose arrival the disk gets full.
        all_names: Whether every record of ExpenseIn gets another name by hand before it.
        tap: Whether the tap takes part; otherwise its recorded output is fed to the target.
    """

    source_edits: tuple[int, ...] = ()
    hand_edits: tuple[int, ...] = ()
    edit_at: Mapping[int, int] = field(default_factory=dict)
    edit_at_put: Mapping[int, int] = field(default_factory=dict)
    faults: tuple[Mapping[str, Any], ...] = ()
    kill: Kill | None = None
    disk: str | None = None
    full_at: int | None = None
    all_names: bool = False
    tap: bool = False


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        name: Seed and number.
        rows: How many rows each source list begins with.
        already: Share of them that ExpenseIn has already, under another name.
        expensein: Settings of the sandbox's ExpenseIn side.
        accountsiq: Settings of its AccountsIQ side.
        shows_within: The profile's figure: later than anything this case's server does late.
        concurrency: The target's setting.
        settle_seconds: The target's setting.
        meltano: Whether it goes through ``meltano run``.
        steps: What happens; after them the pair runs undisturbed until it is quiet.
    """

    name: str
    rows: int
    already: float
    expensein: Mapping[str, Any]
    accountsiq: Mapping[str, Any]
    shows_within: float
    concurrency: int
    settle_seconds: int
    meltano: bool
    steps: Sequence[Step]


WRITES_OF_SYSTEMATIC = 8
"""How many creations, or changes, the small case of :func:`systematic` makes at least."""

SYSTEMATIC = tuple(
    Kill(("target",), number_of_signal, "expensein", moment, method, number)
    for number in range(1, WRITES_OF_SYSTEMATIC + 1)
    for method in ("POST", "PUT")
    for moment in ("arrived", "done")
    for number_of_signal in (signal.SIGKILL, signal.SIGTERM)
)
"""A kill before and after every write of a small case: before it is done, and when it is done and not yet answered."""


def case(seed: int, number: int) -> Case:
    """Draw a case.

    Args:
        seed: The campaign's seed.
        number: The case's number, from 0.
    """
    rng = random.Random(f"{seed}/{number}")  # noqa: S311 - reproducible on purpose
    if number % SYSTEMATIC_EVERY == 0:
        return systematic(f"{seed}/{number}", SYSTEMATIC[number // SYSTEMATIC_EVERY % len(SYSTEMATIC)])
    if number % SYSTEMATIC_EVERY == SYSTEMATIC_EVERY // 2:
        return full_disk(f"{seed}/{number}", number // SYSTEMATIC_EVERY)
    meltano = number % MELTANO_EVERY == MELTANO_EVERY // 2 + 1
    late = rng.random() < 0.15
    list_delay = rng.choice([0.5, LAG, LAG]) if rng.random() < 0.2 else 0
    etag = rng.random() < 0.5
    paging = rng.choice(["none", "none", "page", "offset", "link"])
    return Case(
        name=f"{seed}/{number}",
        rows=rng.choice([1, 2, 4, 8, 12]),
        already=rng.choice([0, 0.3, 0.6]),
        expensein={
            "etag": etag,
            "paging": paging,
            "page_size": rng.choice([2, 5, 100]),
            "envelope": rng.choice([None, None, "data"]),
            "unique_references": rng.random() < 0.2,
            "id_type": rng.choice(["string", "number"]),
            "list_delay": list_delay,
            "clock_skew": rng.choice([0, 0, 86400 * 400, -7200]),
        },
        accountsiq={
            "token_lifetime": rng.choice([1200, 1200, 0.2]),
            "errors_as_fault": rng.random() < 0.3,
            "clock_skew": rng.choice([0, 3600]),
        },
        shows_within=MARGIN + list_delay + (1.3 if late else 0),
        concurrency=rng.choice([1, 2, 4, 8]),
        settle_seconds=rng.choice([0, 0, 0, 1]),
        meltano=meltano,
        steps=[
            _step(rng, etag=etag, late=late, settled_refusals=not list_delay, meltano=meltano)
            for _ in range(1 if meltano else rng.choice([2, 2, 3, 4]))
        ],
    )


def systematic(name: str, kill: Kill) -> Case:
    """Return the small case with a kill at a certain write: two creations of each item, or two changes.

    After a kill when a creation is done, the list does not show it yet when the next run comes.
    """
    lag = LAG if (kill.method, kill.moment) == ("POST", "done") else 0
    steps = [Step(kill=kill), Step()] if kill.method == "POST" else [Step(), Step(all_names=True, kill=kill)]
    return _small(name, steps, lag)


def full_disk(name: str, number: int) -> Case:
    """Return the small case with a disk that gets full at a certain write: nothing further may be sent.

    Args:
        name: Its name.
        number: The writes are taken in turn: creations at even numbers, changes at odd ones.
    """
    at = number // 2 % WRITES_OF_SYSTEMATIC + 1
    changes = [Step(), Step(all_names=True, full_at=at)]
    return _small(name, changes if number % 2 else [Step(full_at=at)])


def edits_at_puts(name: str) -> Case:
    """Return the small case with an edit at the arrival of every other change, which is sent anew after it."""
    edits = {number: number for number in range(1, 4 * WRITES_OF_SYSTEMATIC, 2)}
    return _small(name, [Step(), Step(all_names=True, edit_at_put=edits)])


def _small(name: str, steps: Sequence[Step], lag: float = 0) -> Case:
    """Return a case with two records of each item and one write at a time."""
    return Case(
        name=name,
        rows=2,
        already=0,
        expensein={"etag": True, "list_delay": lag},
        accountsiq={},
        shows_within=MARGIN + lag,
        concurrency=1,
        settle_seconds=0,
        meltano=False,
        steps=steps,
    )


def _step(rng: random.Random, *, etag: bool, late: bool, settled_refusals: bool, meltano: bool) -> Step:
    trouble = rng.random()
    tap = meltano or rng.random() < 0.35
    kill = _kill(rng, tap=tap, meltano=meltano) if trouble < 0.55 else None
    disk = rng.choice(DISKS) if 0.5 < trouble < 0.7 and not meltano else None
    # Without ETag nothing can protect an edit that comes between our reading of a record and our writing of it.
    edits = {rng.randint(1, 20): rng.getrandbits(32)} if etag and rng.random() < 0.3 else {}
    edits_at_put = (
        {put: rng.getrandbits(32) for put in range(1, PUTS + 1) if rng.random() < 0.5}
        if etag and rng.random() < 0.7
        else {}
    )
    return Step(
        source_edits=_numbers(rng, 4),
        hand_edits=_numbers(rng, 4),
        edit_at=edits,
        edit_at_put=edits_at_put,
        all_names=bool(edits_at_put) and rng.random() < 0.5,  # so that there are PUTs
        faults=tuple(
            _fault(rng, tap=tap, late=late, settled_refusals=settled_refusals)
            for _ in range(rng.choice([0, 1, 1, 2, 3]))
        ),
        kill=kill,
        disk=disk,
        tap=tap,
    )


def _numbers(rng: random.Random, most: int) -> tuple[int, ...]:
    return tuple(rng.getrandbits(32) for _ in range(rng.randint(0, most)))


def _kill(rng: random.Random, *, tap: bool, meltano: bool) -> Kill:
    number = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
    victims = rng.choice([("target",), ("tap",), ("target", "tap")]) if tap else ("target",)
    if meltano:
        return Kill((rng.choice(["meltano", "all"]),), number, after=rng.uniform(0.5, 5))
    if rng.random() < 0.3:
        return Kill(victims, number, after=rng.uniform(0.0, 0.8))
    side = "accountsiq" if victims == ("tap",) and rng.random() < 0.8 else "expensein"
    method = "*" if side == "accountsiq" else rng.choice(["*", "POST", "PUT", "GET"])
    return Kill(victims, number, side, rng.choice(["arrived", "done"]), method, rng.randint(1, 12))


def _fault(rng: random.Random, *, tap: bool, late: bool, settled_refusals: bool) -> dict[str, Any]:
    side = "accountsiq" if tap and rng.random() < 0.35 else "expensein"
    often = rng.random() < 0.3
    rule: dict[str, Any] = {
        "side": side,
        "match": {} if side == "accountsiq" else {"method": rng.choice(["POST", "POST", "PUT", "GET", "*"])},
        "skip": rng.randint(0, 6),
        "times": None if often else rng.randint(1, 3),
        "rate": rng.choice([0.1, 0.3, 0.6]) if often else None,
        "seed": rng.getrandbits(16),
    }
    kinds = [*_ANYWHERE, *(_ACCOUNTSIQ if side == "accountsiq" else _EXPENSEIN)]
    rule["fault"] = dict(rng.choice(kinds))
    kind = rule["fault"]["type"]
    if kind == "status" and rule["fault"].get("status") in {429, 503} and rng.random() < 0.7:
        key, value = rng.choice([("retry_after", rng.choice(ABSURD_WAITS)), ("retry_after_in", 1)])
        rule["fault"][key] = value
    if kind == "late":
        rule["fault"] = {"type": "latency", "seconds": 1.3 if late else 0.05}
        rule |= {"times": 1, "rate": None}
    if kind == "refused_after" and settled_refusals:
        rule["fault"] = {"type": "status_after", "status": rng.choice([400, 409, 422])}
    elif kind == "refused_after":
        rule["fault"] = {"type": "status_after", "status": 500}
    return rule


_ANYWHERE: Sequence[Mapping[str, Any]] = (
    {"type": "late"},
    {"type": "slow_body", "bytes_per_second": 4000},
    {"type": "slow_headers", "bytes_per_second": 1000},
    {"type": "truncate"},
    {"type": "truncate", "after_bytes": 0},
    {"type": "drop_before"},
    {"type": "drop_after"},
    {"type": "drop_after"},
    *({"type": "status", "status": status} for status in (429, 500, 502, 503, 504, 408, 401, 403, 404)),
    *({"type": "status_after", "status": status} for status in (500, 502, 503, 504)),
    {"type": "html"},
    {"type": "html", "status": 200},
    {"type": "malformed"},
    {"type": "content_type"},
    {"type": "redirect", "location": "http://127.0.0.1:9/elsewhere"},
)
_EXPENSEIN: Sequence[Mapping[str, Any]] = (
    *({"type": "status", "status": status} for status in (400, 409, 412, 422)),
    {"type": "refused_after"},
)
_ACCOUNTSIQ: Sequence[Mapping[str, Any]] = (
    {"type": "token_expired"},
    {"type": "token_expired"},
    {"type": "in_band", "code": "GeneralError", "message": "it went wrong"},
    {"type": "in_band", "code": "InvalidToken", "message": "who are you"},
)

"""The table of the README: the pair beside what one would use otherwise and beside the limit, a line for each question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.cases import creates, faults, pair, tap, target, writers
from benchmarks.document import MILLION, Content, median_of, table

Case = Mapping[str, Any]


def summary(content: Content) -> str:
    """Return the table, of the cases that were measured."""
    measured = content["cases"]
    rows = [line(measured[name]) for name, line in LINES.items() if name in measured]
    return table(("", "This pair", "Instead", "The limit"), rows, "llll")


def _tap(case: Case) -> tuple[str, ...]:
    return (
        f"Read {case['records']:,} suppliers over SOAP, the fields that the sync needs",
        _time(case, tap.SYNC, memory=True),
        f"{tap.ZEEP}: {_time(case, tap.ZEEP, memory=True)}",
        f"{tap.EXPAT}: {_time(case, tap.EXPAT)}",
    )


def _target(case: Case) -> tuple[str, ...]:
    return (
        f"Find {case['records']:,} suppliers unchanged: one request, no write",
        _time(case, target.SECOND, memory=True),
        f"{target.PEER}: {_time(case, target.PEER, memory=True)}",
        "",
    )


def _creates(case: Case) -> tuple[str, ...]:
    # The size at which the peers took part.
    count = next(
        int(name.rpartition(": ")[2].replace(",", "")) for name in case["runs"] if name.startswith("drt")
    )
    writing = {
        name.rpartition(": ")[0]: median_of(runs, "writing")
        for name, runs in case["runs"].items()
        if name.endswith(f": {count:,}")
    }
    limit = count * creates.LATENCY / writers.CONCURRENCY
    return (
        f"Create {count:,} suppliers in a service that answers after {creates.LATENCY * 1000:.0f} ms",
        f"{writing[creates.OURS]:.1f} s, {writers.CONCURRENCY} at a time",
        "; ".join(f"{name}: {writing[name]:.1f} s" for name in creates.PEERS),
        f"{limit:.1f} s",
    )


def _faults(case: Case) -> tuple[str, ...]:
    def outcome(name: str) -> str:
        run = case["runs"][name][0]
        return f"{run['twins']:,} twins, {run['missing']:,} missing, exit code {run['exit_code']}"

    others = [name for name in faults.WRITERS if name != faults.OURS]
    return (
        case["title"],
        outcome(faults.OURS),
        "; ".join(f"{name}: {outcome(name)}" for name in others),
        "0 and 0",
    )


def _pair(case: Case) -> tuple[str, ...]:
    return (
        f"`meltano run` of the pair, {case['records']:,} suppliers unchanged",
        _time(case, pair.PAIR),
        "",
        f"{pair.TRIVIAL}: {_time(case, pair.TRIVIAL)}",
    )


LINES = {"tap": _tap, "target": _target, "creates": _creates, "faults": _faults, "pair": _pair}


def _time(case: Case, name: str, *, memory: bool = False) -> str:
    runs = case["runs"][name]
    seconds = f"{median_of(runs, 'wall'):.1f} s"
    return f"{seconds}, {median_of(runs, 'peak') / MILLION:,.0f} MB" if memory else seconds

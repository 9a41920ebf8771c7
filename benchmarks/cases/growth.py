"""How the cost of each part grows with the number of records."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.bodies import SYNC_FIELDS, write_messages, write_seed, write_suppliers
from benchmarks.cases import Bench, pair
from benchmarks.cases.creates import create
from benchmarks.cases.tap import reader, write_catalog, write_config
from benchmarks.cases.target import unchanged, write_settings
from benchmarks.cases.writers import ours
from benchmarks.measure import Usage
from benchmarks.results import Figure, Outcome
from benchmarks.services import VENV, replay, sandbox

LINEAR_TIMES = 1.25
"""A record at the top of the curve may cost so many times what one costs in its middle."""

Point = dict[str, float]


def measure(bench: Bench) -> Outcome:
    """Measure every part at every size."""
    sizes = bench.scale.growth
    parts: dict[str, tuple[Sequence[int], Callable[[Bench, int], Usage]]] = {
        "tap-accountsiq": (sizes, _tap),
        "target-expensein, nothing changed": (sizes, _unchanged),
        "target-expensein, creating": (bench.scale.growth_creates, _creating),
        "meltano run, nothing changed": (sizes, _pair),
    }
    growth: dict[str, list[Point]] = {}
    for name, (counts, part) in parts.items():
        growth[name] = []
        for count in counts:
            usage = part(bench, count)
            bench.say(f"{name}, {count:,}: {usage.wall:.1f} s, {usage.peak / 1e6:.0f} MB")
            growth[name].append(
                {
                    "records": count,
                    "wall": round(usage.wall, 3),
                    "cpu": round(usage.cpu, 3),
                    "peak": usage.peak,
                }
            )
    figures = [
        Figure(
            f"{name}: CPU time of a record between {points[-2]['records']:,} and {points[-1]['records']:,} against one below",
            _each(points[-2], points[-1]) / _each(points[0], points[-2]),
            "times",
            at_most=LINEAR_TIMES,
        )
        for name, points in growth.items()
    ]
    return Outcome("Growth with the number of records", figures=figures, growth=growth)


def _each(one: Point, other: Point) -> float:
    """Return the processor time that each further record takes."""
    return (other["cpu"] - one["cpu"]) / (other["records"] - one["records"])


def _tap(bench: Bench, count: int) -> Usage:
    write_suppliers(bench.bodies / f"{count}.xml", count)
    catalog = write_catalog(bench.folder / "catalog.json", {"entity", *SYNC_FIELDS})
    with replay(bench.bodies) as server:
        config = write_config(bench.folder / "config.json", server.address(str(count)))
        return reader(bench, server, [VENV / "tap-accountsiq", "--config", config, "--catalog", catalog])


def _unchanged(bench: Bench, count: int) -> Usage:
    messages = write_messages(bench.folder / "messages.jsonl", count)
    with sandbox(write_seed(bench.folder / "seed.json", count)) as box:
        settings = write_settings(bench.folder / f"unchanged{count}.json", box)
        unchanged(bench, box, [VENV / "target-expensein", "--config", settings], messages)  # fills the ledger
        return unchanged(bench, box, [VENV / "target-expensein", "--config", settings], messages)


def _creating(bench: Bench, count: int) -> Usage:
    with sandbox() as box:
        return create(bench, box, ours, count, count)


def _pair(bench: Bench, count: int) -> Usage:
    folder = bench.folder / f"pair{count}"
    folder.mkdir()
    project = pair.ours(folder / "project")
    with replay(bench.bodies) as source, sandbox(write_seed(bench.folder / "seed.json", count)) as box:
        environment = pair.variables(source, count, box, folder)
        pair.night(project, box, environment)  # makes Meltano's own database, fills the ledger
        return pair.night(project, box, environment)

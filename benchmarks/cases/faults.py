"""Creating suppliers in a service that fails now and then: what is lost, what is there twice. No times."""

from __future__ import annotations

from collections import Counter

from benchmarks.cases import Bench
from benchmarks.cases.writers import Task, Writer, drt, ours, plain
from benchmarks.measure import Contender, Usage, interleaved
from benchmarks.results import Figure, Outcome
from benchmarks.services import Emulator, sandbox

RETRIES = 5
OURS = "target-expensein"
WRITERS: dict[str, Writer] = {
    OURS: ours,
    "singer-sdk RecordSink": plain(retries=0),
    f"singer-sdk RecordSink, {RETRIES} retries": plain(retries=RETRIES),
    "drt-core, no retries": drt(workers=1, attempts=1),
    f"drt-core, {RETRIES} retries": drt(workers=1, attempts=RETRIES + 1),
}
FAULTS = (
    ({"type": "status", "status": 429}, 0.05),
    ({"type": "status", "status": 500}, 0.02),
    ({"type": "drop_after"}, 0.02),
)
RULES = [
    {
        "side": "expensein",
        "match": {"method": "POST"},
        "rate": rate,
        "times": None,
        "seed": seed,
        "fault": fault,
    }
    for seed, (fault, rate) in enumerate(FAULTS, 1)
]


def write(bench: Bench, box: Emulator, writer: Writer, number: int) -> Usage:
    """Let one create everything under faults, and count what came of it."""
    box.reset("empty")
    box.fault(RULES)
    folder = bench.folder / str(number)
    folder.mkdir()
    count = bench.scale.faulty_creates
    usage = writer(Task(folder, box, count))
    box.fault([])
    there = Counter(one["reference"] for one in box.suppliers())
    twins = sum(number - 1 for number in there.values())
    bench.say(f"twins {twins}, missing {count - len(there)}, exit code {usage.exit_code}")
    posts = box.counters()["POST suppliers"]
    return usage.with_facts(posts=posts, twins=twins, missing=count - len(there), exit_code=usage.exit_code)


def measure(bench: Bench) -> Outcome:
    """Let each of them create the same suppliers under the same faults."""
    numbers = iter(range(100))
    with sandbox() as box:

        def contender(name: str, writer: Writer) -> Contender:
            return Contender(name, lambda: write(bench, box, writer, next(numbers)))

        runs = interleaved([contender(*one) for one in WRITERS.items()], 1, bench.say)
    facts = runs[OURS][0].facts
    figures = [
        Figure(f"target-expensein, {name}", facts[name], "", at_most=0) for name in ("twins", "missing")
    ]
    title = f"Creating {bench.scale.faulty_creates:,} suppliers with 5 % answers 429, 2 % answers 500, 2 % answers lost"
    return Outcome(title, 0, runs, figures)

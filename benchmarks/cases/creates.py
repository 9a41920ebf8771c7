"""Creating suppliers in a service that answers after 50 ms: how near to the limit of so many at a time."""

from __future__ import annotations

from benchmarks.cases import Bench
from benchmarks.cases.writers import CONCURRENCY, Task, Writer, drt, ours, plain
from benchmarks.measure import BenchmarkError, Contender, Usage, interleaved, median
from benchmarks.results import Figure, Outcome
from benchmarks.services import Emulator, sandbox

LATENCY = 0.05  # seconds
LIMIT_TIMES = 1.15
FIXED_COUNT, FIXED_SECONDS = 2_000, 7.2

OURS = f"target-expensein, {CONCURRENCY} at a time"
PEERS: dict[str, Writer] = {
    "singer-sdk RecordSink": plain(retries=0),
    "drt-core": drt(workers=1, attempts=1),
    "drt-core, 8 workers": drt(workers=8, attempts=1),
}


def create(bench: Bench, box: Emulator, writer: Writer, count: int, number: int) -> Usage:
    """Create so many suppliers in an empty ExpenseIn; see that they are there, each once.

    Args:
        bench: The bench.
        box: The sandbox, which is emptied first.
        writer: Who writes.
        count: How many.
        number: A number that no other run has.

    Returns:
        The usage, and from the service's own log: ``writing``, the seconds from the first POST to the answer to the
        last, and ``until_last_read_back``, the seconds from the last POST to the last list that was read to prove it.
    """
    box.reset("empty")
    folder = bench.folder / str(number)
    folder.mkdir()
    usage = writer(Task(folder, box, count))
    posts = box.counters()["POST suppliers"]
    there = {one["reference"] for one in box.suppliers()}
    if usage.exit_code != 0 or len(there) != count or posts != count:
        message = f"exit code {usage.exit_code}, {len(there)} suppliers of {count} after {posts} POSTs"
        raise BenchmarkError(message)
    arrivals = box.arrivals("POST")
    writing = (arrivals[-1] - arrivals[0]).total_seconds() + LATENCY
    later = [arrival for arrival in box.arrivals("GET") if arrival > arrivals[-1]]
    after = (later[-1] - arrivals[-1]).total_seconds() if later else 0.0
    return usage.with_facts(posts=posts, writing=round(writing, 3), until_last_read_back=round(after, 3))


def measure(bench: Bench) -> Outcome:
    """Measure the target at its own sizes, and beside the peers at a size that they can do in the time."""
    scale, figures = bench.scale, []
    numbers = iter(range(1000))
    with sandbox(latency=LATENCY) as box:

        def contender(name: str, writer: Writer, count: int) -> Contender:
            def once() -> Usage:
                return create(bench, box, writer, count, next(numbers))

            return Contender(f"{name}: {count:,}", once)

        sizes = sorted({*scale.creates, scale.peer_creates})
        rows = [contender(OURS, ours, count) for count in sizes]
        rows += [contender(name, writer, scale.peer_creates) for name, writer in PEERS.items()]
        runs = interleaved(rows, scale.slow_repeats, bench.say)

    def writing(name: str, count: int) -> float:
        return median(runs[f"{name}: {count:,}"], "writing")

    for count in scale.creates:
        limit = count * LATENCY / CONCURRENCY
        figures.append(
            Figure(
                f"{count:,}, first POST to last answer, against the limit of {limit:.3g} s",
                writing(OURS, count) / limit,
                "times",
                at_most=LIMIT_TIMES,
            )
        )
        if count == FIXED_COUNT:
            figures.append(
                Figure(
                    f"{count:,}, first POST to last answer", writing(OURS, count), "s", at_most=FIXED_SECONDS
                )
            )
    count = scale.peer_creates
    figures += [
        Figure(f"{count:,}, faster than {name}", writing(name, count) / writing(OURS, count), "times")
        for name in PEERS
    ]
    title = f"Creating suppliers in a service that answers after {LATENCY * 1000:.0f} ms"
    return Outcome(title, 0, runs, figures)

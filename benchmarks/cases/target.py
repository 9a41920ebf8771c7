"""The target on an unchanged night: every record compared, nothing written."""

from __future__ import annotations

import json
import statistics
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.bodies import write_messages, write_seed
from benchmarks.cases import Bench
from benchmarks.measure import BenchmarkError, Command, Contender, Usage, interleaved, median, run
from benchmarks.results import Figure, Outcome
from benchmarks.services import PEERS, PEERS_PYTHON, VENV, Emulator, sandbox

RATE = 50_000  # records a second
BYTES_EACH = 1_000  # of peak memory, both sides together
LONGEST = 10_000  # megabytes of an answer: a million records are more than the settings allow by default

FIRST, SECOND = "target-expensein, first run", "target-expensein, second run (filled ledger)"
PLAN, BASE, PEER = "target-expensein, mode plan", "target-expensein, empty stream", "singer-sdk RecordSink"
NO_LIMITS = {"creates_count": -1, "creates_percent": -1}


def write_settings(path: Path, box: Emulator, **more: Any) -> Path:  # noqa: ANN401 - JSON values
    """Write the target's settings: suppliers alone, against the sandbox."""
    settings = {
        "api_url": box.expensein["url"],
        "api_key": box.expensein["api_key"],
        "items": {"suppliers": {"enabled": True}},
        "output_dir": str(path.parent / "output"),
        "ledger": str(path.with_suffix(".db")),
        "settle_seconds": 0,
        "max_answer_megabytes": LONGEST,
    }
    path.write_text(json.dumps(settings | more))
    return path


def unchanged(bench: Bench, box: Emulator, command: Command, messages: Path) -> Usage:
    """Run a target, and see that it asked for the list once and wrote nothing."""
    box.clear()
    usage = run(command, folder=bench.folder, stdin=messages)
    if box.counters() != {"GET suppliers": 1}:
        message = f"{command[0]} was to read one list and write nothing; it made {box.counters()}"
        raise BenchmarkError(message)
    return usage.with_facts(requests=1, writes=0)


def making(box: Emulator) -> float:
    """Return the seconds that the service takes to make its list: from the request to the first byte of the answer."""
    address = urlsplit(box.expensein["url"])
    connection = HTTPConnection(str(address.hostname), address.port)
    begun = time.monotonic()
    connection.request(
        "GET", f"{address.path}suppliers", headers={"Authorization": f"ApiKey {box.expensein['api_key']}"}
    )
    answer = connection.getresponse()
    taken = time.monotonic() - begun
    answer.read()
    connection.close()
    return taken


def measure(bench: Bench) -> Outcome:
    """Measure the first and the second run over the same list, and what each record costs above an empty stream."""
    scale, records = bench.scale, bench.scale.records
    messages = write_messages(bench.folder / "messages.jsonl", records)
    nothing = write_messages(bench.folder / "nothing.jsonl", 0)
    seed = write_seed(bench.folder / "seed.json", records)
    target = VENV / "target-expensein"
    with sandbox(seed) as box, sandbox() as empty_box:
        box_settings = write_settings(bench.folder / "second.json", box)
        base_settings = write_settings(
            bench.folder / "base.json", empty_box, limits={"empty_source": "allow"}
        )
        plan_settings = write_settings(bench.folder / "plan.json", box, mode="plan")
        peer_settings = bench.folder / "peer.json"
        peer_settings.write_text(
            json.dumps({"api_url": box.expensein["url"], "api_key": box.expensein["api_key"]})
        )
        numbers = iter(range(1000))

        def first() -> Usage:
            settings = write_settings(bench.folder / f"first{next(numbers)}.json", box)
            return unchanged(bench, box, [target, "--config", settings], messages)

        def second() -> Usage:
            return unchanged(bench, box, [target, "--config", box_settings], messages)

        makings: list[float] = []

        def plan() -> Usage:
            makings.append(making(box))
            return unchanged(bench, box, [target, "--config", plan_settings], messages)

        def base() -> Usage:
            return unchanged(bench, empty_box, [target, "--config", base_settings], nothing)

        def peer() -> Usage:
            command: Command = [PEERS_PYTHON, PEERS / "sdk_target.py", "--config", peer_settings]
            return unchanged(bench, box, command, messages)

        second()  # fills the ledger
        contenders = [
            Contender(FIRST, first),
            Contender(SECOND, second),
            Contender(PLAN, plan),
            Contender(BASE, base),
            Contender(PEER, peer),
        ]
        runs = interleaved(contenders, scale.repeats, bench.say)
    wall = {name: median(runs[name], "wall") for name in runs}
    peak = {name: median(runs[name], "peak") for name in runs}
    made_in = statistics.median(makings)
    figures = [
        Figure(
            "mode plan: rate above the base and above the service's time to make its list",
            records / (wall[PLAN] - wall[BASE] - made_in),
            "records/s",
            at_least=RATE,
        ),
        Figure("the service's time to make its list", made_in, "s"),
    ]
    figures += [
        figure
        for name in (FIRST, SECOND, PLAN)
        for figure in (
            Figure(
                f"{name.split(', ')[1]}: rate above the base",
                records / (wall[name] - wall[BASE]),
                "records/s",
            ),
            Figure(
                f"{name.split(', ')[1]}: peak memory above the base",
                (peak[name] - peak[BASE]) / records,
                "bytes/record",
                at_most=BYTES_EACH,
            ),
        )
    ]
    figures += [
        Figure("the base: the same command, both lists empty", peak[BASE] / 1e6, "MB"),
        Figure("list requests for the enabled item", 1, "", at_most=1),
        Figure("writes", 0, "", at_most=0),
    ]
    title = f"{records:,} suppliers, nothing changed"
    return Outcome(title, records, runs, figures)

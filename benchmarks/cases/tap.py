"""Reading suppliers over SOAP: ours, a tap made with zeep, and the limits."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.bodies import SUPPLIER_OPERATION, SYNC_FIELDS, write_suppliers
from benchmarks.cases import Bench
from benchmarks.measure import BenchmarkError, Command, Contender, Usage, interleaved, median, run
from benchmarks.results import Figure, Outcome
from benchmarks.services import PEERS, PEERS_PYTHON, VENV, FileServer, replay

ZEEP_TIMES, ZEEP_TIMES_ALL = 12, 7
LIMIT_SHARE = 40  # percent of what bare expat does
PEAK = 80  # MB
PEAK_SPREAD = 5  # percent; what counts as the same
ALL_FIELDS = None

SYNC, EVERYTHING = "tap-accountsiq, the sync's fields", "tap-accountsiq, all 69 fields"
ZEEP, EXPAT, DOWNLOAD = "zeep and singer-sdk, all fields", "expat without handlers", "download alone"


def write_catalog(path: Path, fields: set[str] | None) -> Path:
    """Write the tap's catalog with the suppliers alone selected.

    Args:
        path: Where to.
        fields: Names of the selected fields; None for all.

    Returns:
        The path.
    """
    found = path.with_suffix(".discovered")
    run([VENV / "tap-accountsiq", "--discover"], folder=path.parent, stdout=found)
    catalog = json.loads(found.read_text())
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            field = entry["breadcrumb"][-1] if entry["breadcrumb"] else None
            wanted = stream["tap_stream_id"] == "suppliers" and (
                field is None or fields is None or field in fields
            )
            entry["metadata"]["selected"] = wanted
    path.write_text(json.dumps(catalog))
    return path


def write_config(path: Path, address: str) -> Path:
    """Write the settings that lead any of the taps to an address."""
    settings = {"api_url": address, "client_id": "client", "client_secret": "secret", "entities": ["ONE"]}
    path.write_text(json.dumps(settings))
    return path


def reader(bench: Bench, server: FileServer, command: Command, output: Path | None = None) -> Usage:
    """Run a tap, and see that it asked for the list once."""
    before = len(server.log())
    usage = run(command, folder=bench.folder, stdout=output)
    asked = [entry["operation"] for entry in server.log()[before:]]
    if asked != ["TokenGet", SUPPLIER_OPERATION]:
        message = f"{command[0]} made these requests: {asked}"
        raise BenchmarkError(message)
    return usage.with_facts(requests=len(asked))


def counted(output: Path, records: int) -> None:
    """See that every record was emitted."""
    with output.open("rb") as lines:
        emitted = sum(1 for line in lines if b'"RECORD"' in line[:60])
    if emitted != records:
        message = f"{emitted} records of {records}"
        raise BenchmarkError(message)


def measure(bench: Bench) -> Outcome:
    """Compare the tap with zeep and with the limits, and look at its memory."""
    scale, records = bench.scale, bench.scale.records
    catalogs = {
        SYNC: write_catalog(bench.folder / "sync.json", {"entity", *SYNC_FIELDS}),
        EVERYTHING: write_catalog(bench.folder / "all.json", ALL_FIELDS),
    }
    body = write_suppliers(bench.bodies / f"{records}.xml", records)
    with replay(bench.bodies) as server:
        config = write_config(bench.folder / "config.json", server.address(str(records)))
        tap = VENV / "tap-accountsiq"

        def ours(fields: str, settings: Path = config, output: Path | None = None) -> Usage:
            command: Command = [tap, "--config", settings, "--catalog", catalogs[fields]]
            return reader(bench, server, command, output)

        peer: Command = [PEERS_PYTHON, PEERS / "zeep_tap.py", "--config", config]
        python = VENV / "python"
        contenders = [
            Contender(SYNC, lambda: ours(SYNC)),
            Contender(EVERYTHING, lambda: ours(EVERYTHING)),
            Contender(EXPAT, lambda: run([python, PEERS / "expat_alone.py", body], folder=bench.folder)),
            Contender(
                DOWNLOAD,
                lambda: run(
                    [python, PEERS / "download_alone.py", server.address(str(records))], folder=bench.folder
                ),
            ),
            Contender(ZEEP, lambda: reader(bench, server, peer), scale.slow_repeats),
        ]
        runs = interleaved(contenders, scale.repeats, bench.say)
        peaks = {}
        for count in scale.memory_records:
            write_suppliers(bench.bodies / f"{count}.xml", count)
            settings = write_config(bench.folder / f"{count}.json", server.address(str(count)))
            output = bench.folder / "output.jsonl"
            usage = ours(SYNC, settings, output)
            counted(output, count)
            peaks[count] = usage.peak
            bench.say(f"{count:,} suppliers: {usage.peak / 1e6:.1f} MB, {usage.wall:.1f} s")
    wall = {name: median(runs[name], "wall") for name in runs}
    largest, smallest = max(peaks), min(peaks)
    figures = [
        Figure("the sync's fields, faster than zeep", wall[ZEEP] / wall[SYNC], "times", at_least=ZEEP_TIMES),
        Figure(
            "all 69 fields, faster than zeep", wall[ZEEP] / wall[EVERYTHING], "times", at_least=ZEEP_TIMES_ALL
        ),
        Figure(
            "the sync's fields, share of bare expat's rate",
            100 * wall[EXPAT] / wall[SYNC],
            "%",
            at_least=LIMIT_SHARE,
        ),
        *(
            Figure(
                f"peak memory, {name.split(', ')[1]}", median(runs[name], "peak") / 1e6, "MB", at_most=PEAK
            )
            for name in (SYNC, EVERYTHING)
        ),
        *(
            Figure(f"peak memory at {count:,} suppliers", peak / 1e6, "MB", at_most=PEAK)
            for count, peak in peaks.items()
        ),
        Figure(
            f"peak memory, {largest:,} suppliers against {smallest:,}",
            100 * (peaks[largest] / peaks[smallest] - 1),
            "% more",
            at_most=PEAK_SPREAD,
        ),
    ]
    title = f"Reading {records:,} suppliers of 69 fields, {body.stat().st_size / 1e6:.0f} MB in one body"
    return Outcome(title, records, runs, figures)

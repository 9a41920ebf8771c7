"""A whole ``meltano run`` of the pair on an unchanged night, beside Meltano's own cost for a pair that does nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from benchmarks.bodies import write_seed, write_suppliers
from benchmarks.cases import Bench
from benchmarks.cases.target import LONGEST
from benchmarks.measure import BenchmarkError, Contender, Usage, interleaved, median, run
from benchmarks.results import Figure, Outcome
from benchmarks.services import PEERS, ROOT, VENV, Emulator, FileServer, replay, sandbox

MORE_SECONDS = 2
PAIR, TRIVIAL = "tap-accountsiq target-expensein", "a trivial pair"


def ours(folder: Path) -> Path:
    """Make a Meltano project of this repository's meltano.yml."""
    folder.mkdir()
    shutil.copy(ROOT / "meltano.yml", folder)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def trivial(folder: Path) -> Path:
    """Make a Meltano project of two plugins that import nothing and move one record."""
    folder.mkdir()
    plugins: dict[str, list[dict[str, object]]] = {}
    for kind, name in (("extractors", "tap-trivial"), ("loaders", "target-trivial")):
        script = folder / name
        source = (PEERS / f"{name.replace('-', '_')}.py").read_text()
        script.write_text(f"#!{VENV / 'python'} -IS\n{source}")
        script.chmod(0o700)
        capabilities = ["catalog", "discover", "state"] if kind == "extractors" else []
        plugins[kind] = [
            {
                "name": name,
                "namespace": name.replace("-", "_"),
                "executable": f"./{name}",
                "capabilities": capabilities,
            }
        ]
    project = {
        "project_id": "trivial",
        "send_anonymous_usage_stats": False,
        "cli": {"disable_version_check": True},
        "default_environment": "live",
        "environments": [{"name": "live"}],
        "plugins": plugins,
    }
    (folder / "meltano.yml").write_text(json.dumps(project))  # JSON is YAML
    return folder


def meltano(project: Path, pair: str, environment: Mapping[str, str]) -> Usage:
    """Run a pair."""
    home = {f"XDG_{kind}_HOME": str(project / "home") for kind in ("CACHE", "STATE", "CONFIG")}
    return run([VENV / "meltano", "run", *pair.split()], folder=project, environment={**home, **environment})


def variables(source: FileServer, records: int, box: Emulator, folder: Path) -> dict[str, str]:
    """Return the environment that leads the pair to its services, suppliers switched on and nothing else."""
    items = ("categories", "projects", "departments", "tax_rates", "suppliers")
    return {
        "TAP_ACCOUNTSIQ_API_URL": source.address(str(records)),
        "TAP_ACCOUNTSIQ_CLIENT_ID": "client",
        "TAP_ACCOUNTSIQ_CLIENT_SECRET": "secret",
        "TAP_ACCOUNTSIQ_ENTITIES": '["ONE"]',
        "TAP_ACCOUNTSIQ_EXCLUDE_EXPENSE_SUPPLIERS": "false",  # the operation that all cases read
        "TARGET_EXPENSEIN_API_URL": box.expensein["url"],
        "TARGET_EXPENSEIN_API_KEY": box.expensein["api_key"],
        "TARGET_EXPENSEIN_OUTPUT_DIR": str(folder / "output"),
        "TARGET_EXPENSEIN_LEDGER": str(folder / "ledger.db"),
        "TARGET_EXPENSEIN_MAX_ANSWER_MEGABYTES": str(LONGEST),
        "TAP_ACCOUNTSIQ_MAX_ANSWER_MEGABYTES": str(LONGEST),
        **{
            f"TARGET_EXPENSEIN_ITEMS_{item.upper()}_ENABLED": json.dumps(item == "suppliers")
            for item in items
        },
    }


def night(project: Path, box: Emulator, environment: Mapping[str, str]) -> Usage:
    """Run the pair, and see that the list was read once and nothing written."""
    box.clear()
    usage = meltano(project, PAIR, environment)
    if box.counters() != {"GET suppliers": 1}:
        message = f"the pair was to read one list and write nothing; it made {box.counters()}"
        raise BenchmarkError(message)
    return usage.with_facts(requests=1, writes=0)


def measure(bench: Bench) -> Outcome:
    """Compare a whole run of the pair with one of the trivial pair."""
    records = bench.scale.pair_records
    write_suppliers(bench.bodies / f"{records}.xml", records)
    seed = write_seed(bench.folder / "seed.json", records)
    projects = {PAIR: ours(bench.folder / "ours"), TRIVIAL: trivial(bench.folder / "trivial")}
    with replay(bench.bodies) as source, sandbox(seed) as box:
        environment = variables(source, records, box, bench.folder)

        def whole() -> Usage:
            return night(projects[PAIR], box, environment)

        def nothing() -> Usage:
            return meltano(projects[TRIVIAL], "tap-trivial target-trivial", {})

        whole()  # the first run of a project makes Meltano's own database
        nothing()
        contenders = [Contender(PAIR, whole), Contender(TRIVIAL, nothing)]
        runs = interleaved(contenders, max(bench.scale.repeats, 3), bench.say)
    more = median(runs[PAIR], "wall") - median(runs[TRIVIAL], "wall")
    figures = [Figure("beyond Meltano's own cost for a trivial pair", more, "s", at_most=MORE_SECONDS)]
    return Outcome(f"meltano run, {records:,} suppliers, nothing changed", records, runs, figures)

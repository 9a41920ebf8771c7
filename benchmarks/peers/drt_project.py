"""A project for drt-core ("reverse ETL as code"): a table of suppliers, a REST destination, one request for each row.

drt's REST destination has no match by key: it creates. Its threads run whole syncs, not rows; so with eight workers the
table is dealt out to eight syncs. Its own limit of ten requests a second is lifted.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

UNLIMITED = 1_000_000


def write(
    folder: Path,
    records: Iterable[tuple[str, str]],
    *,
    url: str,
    api_key: str,
    workers: int,
    attempts: int,
) -> None:
    """Write the project; it is run with ``drt run --threads WORKERS`` and ``HOME`` set to the folder.

    Args:
        folder: Where to.
        records: Reference and name of each supplier.
        url: Address of the collection.
        api_key: Key of the API.
        workers: How many syncs the table is dealt out to.
        attempts: How often a request is made at most.
    """
    for name in (".drt", "syncs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(folder / "source.db") as table:
        table.execute("CREATE TABLE suppliers (number INTEGER PRIMARY KEY, reference TEXT, name TEXT)")
        table.executemany("INSERT INTO suppliers (reference, name) VALUES (?, ?)", records)
    table.close()
    # JSON is YAML.
    _write(
        folder / ".drt/profiles.yml", {"default": {"type": "sqlite", "database": str(folder / "source.db")}}
    )
    _write(folder / "drt_project.yml", {"name": "suppliers", "profile": "default"})
    for number in range(workers):
        share = f"WHERE number % {workers} = {number}"
        sync = {
            "name": f"suppliers_{number}",
            "model": f"SELECT reference, name FROM suppliers {share} ORDER BY number",  # noqa: S608 - numbers of our own
            "destination": {
                "type": "rest_api",
                "url": url,
                "method": "POST",
                "auth": {"type": "api_key", "header": "Authorization", "value": f"ApiKey {api_key}"},
            },
            "sync": {
                "rate_limit": {"requests_per_second": UNLIMITED},
                "retry": {"max_attempts": attempts, "initial_backoff": 0.01},
                "on_error": "skip",
            },
        }
        _write(folder / f"syncs/suppliers_{number}.yml", sync)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")

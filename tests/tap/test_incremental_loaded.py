"""Changes loaded into a real PostgreSQL by a loader that removes what is gone: nothing too much, nothing too little."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sandbox.testing import Sandbox
from tap_testing import Run, Tap, only, settings

from ..conftest import PostgresServer

LOADER = Path(__file__).parents[2] / ".tools" / "loaders" / "bin" / "target-postgres"


def test_changes_remove_nothing_and_the_next_full_read_removes_what_is_gone(
    box: Sandbox, tap: Tap, catalog: dict[str, Any], postgres: PostgresServer, tmp_path: Path
) -> None:
    postgres.execute("CREATE SCHEMA incremental")
    config = tmp_path / "loader.json"
    connection = {"host": "127.0.0.1", "port": postgres.port, "user": "postgres", "password": "not asked for"}
    config.write_text(
        json.dumps(
            connection | {"database": "postgres", "default_target_schema": "incremental", "hard_delete": True}
        )
    )
    chosen = only(catalog, "suppliers")
    for stream in chosen["streams"]:
        if stream["tap_stream_id"] == "suppliers":
            stream["replication_method"] = "INCREMENTAL"
    box.set_source(
        "ACME", "suppliers", [{"Code": code, "Name": "Old"} for code in ("STAYS", "EDITED", "GONE")]
    )

    def load(state: dict[str, Any] | None = None) -> tuple[Run, dict[str, str]]:
        """Read and load; return the run and the table."""
        run = tap(settings(box, incremental_overlap_minutes=0), catalog=chosen, state=state)
        assert run.code == 0, run.err
        done = subprocess.run(
            [LOADER, "--config", config],
            input=run.out,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        with psycopg.connect(postgres.address()) as warehouse:
            return run, dict(warehouse.execute("SELECT code, name FROM incremental.suppliers").fetchall())

    first, table = load()
    assert table == dict.fromkeys(("STAYS", "EDITED", "GONE"), "Old")
    state: dict[str, Any] = first.of("STATE")[-1]["value"]

    box.edit_source("ACME", "suppliers", "EDITED", Name="New")
    box.add_source("ACME", "suppliers", Code="ADDED", Name="New")
    box.remove_source("ACME", "suppliers", "GONE")
    changes, table = load(state)
    assert changes.complete == []
    assert table == {"STAYS": "Old", "EDITED": "New", "ADDED": "New", "GONE": "Old"}

    state = changes.of("STATE")[-1]["value"]
    week_ago = f"{datetime.now(UTC) - timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}"
    state["bookmarks"]["suppliers"]["entities"]["ACME"]["full_read_at"] = week_ago
    full, table = load(state)
    assert full.complete == ["suppliers"]
    assert table == {"STAYS": "Old", "EDITED": "New", "ADDED": "New"}

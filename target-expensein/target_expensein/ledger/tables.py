"""The ledger's tables as the code uses them. How a database comes to have them is in ``migrations.py``.

Every table begins with the account, and no statement leaves it out: accounts never mix. Times are UTC in ISO 8601 with
microseconds, so that their order is that of their texts. What may hold any character a source can think of (reference,
name, details, values) is kept as JSON in ASCII, numbers digit for digit.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Integer, MetaData, Table, Text

METADATA: Final = MetaData()

VERSIONS: Final = Table("expensein_ledger", METADATA, Column("version", Integer), Column("migrated_at", Text))
"""The migrations that this database has been through."""

ACCOUNTS: Final = Table(
    "expensein_accounts",
    METADATA,
    Column("account", Text),
    Column("last_run", Integer),  # number of the latest run
    Column("head", Text),  # hash of the latest closed run
    Column("holder", Text),  # who took the lock last: host, pid, since
)

RUNS: Final = Table(
    "expensein_runs",
    METADATA,
    Column("account", Text),
    Column("number", Integer),  # 1, 2, 3 … in each account
    Column("run_id", Text),
    Column("mode", Text),
    Column("versions", Text),
    Column("config_digest", Text),
    Column("host", Text),
    Column("pid", Integer),
    Column("began_at", Text),
    Column("finished_at", Text),
    Column("outcome", Text),
    Column("exit_code", Integer),
    Column("counts", Text),
    Column("approval", Text),  # digest of the approved plan that this run used up
    Column("pruned_through", Integer),  # this run removed the entries of all runs up to this number
    Column("previous", Text),  # the chain: hash of the run before …
    Column("content", Text),  # … and of this run's entries, holds and findings …
    Column("hash", Text),  # … and of all of the above
)

ENTRIES: Final = Table(
    "expensein_entries",
    METADATA,
    Column("account", Text),
    Column("run", Integer),
    Column("position", Integer),
    Column("item", Text),
    Column("kind", Text),
    Column("reason", Text),
    Column("reference", Text),
    Column("name", Text),
    Column("record_id", Text),
    Column("changes", Text),
    Column("detail", Text),
    Column("noted_at", Text),
    Column("status", Text),
    Column("settled_reason", Text),
    Column("settled_detail", Text),
    Column("answer", Text),
    Column("settled_at", Text),
)
"""Each write that was intended, and each row that was held or rejected."""

HOLDS: Final = Table(
    "expensein_holds",
    METADATA,
    Column("account", Text),
    Column("run", Integer),
    Column("position", Integer),
    Column("item", Text),
    Column("reason", Text),
    Column("message", Text),
    Column("facts", Text),
    Column("noted_at", Text),
)
"""Each item that was held whole."""

FINDINGS: Final = Table(
    "expensein_findings",
    METADATA,
    Column("account", Text),
    Column("run", Integer),
    Column("position", Integer),
    Column("of_run", Integer),
    Column("of_position", Integer),
    Column("status", Text),
    Column("detail", Text),
    Column("noted_at", Text),
)
"""What a later run found out about an entry that was not settled. Closed runs are never written to again."""

JOURNAL: Final = (ENTRIES, HOLDS, FINDINGS)
"""The tables that a run writes its history to; they share one count of positions."""

ITEMS: Final = Table(
    "expensein_items",
    METADATA,
    Column("account", Text),
    Column("item", Text),
    Column("source_count", Integer),
    Column("run", Integer),
    Column(
        "values_digest", Text
    ),  # of the values that were applied last; what is the same again need not be written
)
"""The items that were ever applied."""

APPLIED: Final = Table(
    "expensein_applied",
    METADATA,
    Column("account", Text),
    Column("item", Text),
    Column("reference", Text),
    Column("fields", Text),
)
"""The values that were applied last."""

"""How a database gets the ledger's tables: migrations, each done once, in order, whole or not at all.

To change the tables, append a migration and bring ``tables.py`` in line; never change one that was released. The SQL is
what SQLite and PostgreSQL both understand. A new column of a journal table must allow nothing (NULL) and mean the same
by it: the hash chain leaves out what is NULL, so that runs from before the migration still verify.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, insert, inspect, select

from target_expensein.ledger.database import Database
from target_expensein.ledger.errors import LedgerError
from target_expensein.ledger.records import time_text
from target_expensein.ledger.tables import VERSIONS

MIGRATION_LOCK: Final = 6_213_740_925_718
"""Key of the PostgreSQL advisory lock under which migrations run; any number that nobody else uses."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step.

    Attributes:
        version: The schema's version after it.
        statements: What to execute.
    """

    version: int
    statements: Sequence[str]


MIGRATIONS: Sequence[Migration] = (
    Migration(
        1,
        (
            "CREATE TABLE expensein_ledger (version INTEGER NOT NULL PRIMARY KEY, migrated_at TEXT NOT NULL)",
            """CREATE TABLE expensein_accounts (
                account TEXT NOT NULL PRIMARY KEY,
                last_run INTEGER NOT NULL,
                head TEXT NOT NULL,
                holder TEXT
            )""",
            """CREATE TABLE expensein_runs (
                account TEXT NOT NULL,
                number INTEGER NOT NULL,
                run_id TEXT NOT NULL,
                mode TEXT NOT NULL,
                versions TEXT NOT NULL,
                config_digest TEXT NOT NULL,
                host TEXT NOT NULL,
                pid INTEGER NOT NULL,
                began_at TEXT NOT NULL,
                finished_at TEXT,
                outcome TEXT,
                exit_code INTEGER,
                counts TEXT,
                approval TEXT,
                pruned_through INTEGER,
                previous TEXT,
                content TEXT,
                hash TEXT,
                PRIMARY KEY (account, number),
                UNIQUE (account, run_id)
            )""",
            """CREATE TABLE expensein_entries (
                account TEXT NOT NULL,
                run INTEGER NOT NULL,
                position INTEGER NOT NULL,
                item TEXT NOT NULL,
                kind TEXT NOT NULL,
                reason TEXT NOT NULL,
                reference TEXT NOT NULL,
                name TEXT NOT NULL,
                record_id TEXT NOT NULL,
                changes TEXT NOT NULL,
                detail TEXT NOT NULL,
                noted_at TEXT NOT NULL,
                status TEXT,
                settled_reason TEXT,
                settled_detail TEXT,
                answer TEXT,
                settled_at TEXT,
                PRIMARY KEY (account, run, position)
            )""",
            """CREATE TABLE expensein_holds (
                account TEXT NOT NULL,
                run INTEGER NOT NULL,
                position INTEGER NOT NULL,
                item TEXT NOT NULL,
                reason TEXT NOT NULL,
                message TEXT NOT NULL,
                facts TEXT NOT NULL,
                noted_at TEXT NOT NULL,
                PRIMARY KEY (account, run, position)
            )""",
            """CREATE TABLE expensein_findings (
                account TEXT NOT NULL,
                run INTEGER NOT NULL,
                position INTEGER NOT NULL,
                of_run INTEGER NOT NULL,
                of_position INTEGER NOT NULL,
                status TEXT NOT NULL,
                detail TEXT NOT NULL,
                noted_at TEXT NOT NULL,
                PRIMARY KEY (account, run, position)
            )""",
            "CREATE INDEX expensein_findings_of ON expensein_findings (account, of_run, of_position)",
            """CREATE TABLE expensein_items (
                account TEXT NOT NULL,
                item TEXT NOT NULL,
                source_count INTEGER NOT NULL,
                run INTEGER NOT NULL,
                PRIMARY KEY (account, item)
            )""",
            """CREATE TABLE expensein_applied (
                account TEXT NOT NULL,
                item TEXT NOT NULL,
                reference TEXT NOT NULL,
                fields TEXT NOT NULL,
                PRIMARY KEY (account, item, reference)
            )""",
        ),
    ),
    Migration(2, ("ALTER TABLE expensein_items ADD COLUMN values_digest TEXT",)),
)


def migrate(database: Database, now: datetime) -> None:
    """Bring a database to the version that this code knows; nothing is written if it is there already.

    Args:
        database: The database.
        now: The time to note.

    Raises:
        LedgerError: If the database is ahead of this code, or cannot be changed.
    """
    latest = MIGRATIONS[-1].version
    with database.reading() as connection:
        version = _version(connection)
    if version > latest:
        problem = (
            f"ledger {database.location}: it is of version {version}, written by a newer target-expensein; this one"
            f" knows version {latest}. Upgrade target-expensein."
        )
        raise LedgerError(problem)
    if version == latest:
        return
    if version == 0:
        database.initialise()
    with database.writing() as connection:
        if database.path is None:
            connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        version = _version(connection)  # another run may have been quicker
        for migration in MIGRATIONS:
            if migration.version > version:
                for statement in migration.statements:
                    connection.exec_driver_sql(statement)
                connection.execute(
                    insert(VERSIONS).values(version=migration.version, migrated_at=time_text(now))
                )


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(VERSIONS.name):
        return 0
    return connection.execute(select(func.max(VERSIONS.c.version))).scalar() or 0

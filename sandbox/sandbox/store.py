"""All state of the sandbox: one SQLite database, in memory or in a file.

Both sides keep JSON documents here: the *source* rows of AccountsIQ (per entity and dataset, in order) and
the *live* objects of ExpenseIn (per collection, in order of creation). Single facts (credentials, names of
entities, settings) are ``meta`` values. What the meta keys are is declared below, once.

The store belongs to the thread of the server's event loop; it does no locking of its own.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sandbox.exactjson import dumps, loads

Row = dict[str, Any]
Clock = Callable[[], datetime]

#: Datasets of each AccountsIQ entity, and the field that identifies a row ("" = there is only one row).
DATASETS: dict[str, str] = {
    "accounts": "Code",
    "dimensions": "Code",
    "bi_codes": "DepartmentID",
    "tax_codes": "Code",
    "suppliers": "Code",
    "company": "",
}

#: Collections of ExpenseIn.
LIVE_COLLECTIONS: tuple[str, ...] = (
    "categories",
    "projects",
    "departments",
    "taxrates",
    "suppliers",
    "users",
)

# The meta keys that both sides share.
META_APPLICATION = "accountsiq.application"  # {"client_id", "client_secret", "scope": […]}
META_ENTITIES = "accountsiq.entities"  # {entity id: {"name", "base_currency"}}, in order
META_API_KEY = "expensein.api_key"
META_SETTINGS = "settings"  # {"accountsiq": {…}, "expensein": {…}}, only what differs from the default
META_COUNTERS = "counters"  # as they stood when the server stopped
_META_FORMAT = "sandbox.format"
_FORMAT = 1

_ID_NAMESPACE = uuid.UUID("5f0c4b0e-6b0e-4f3c-9d55-0c5a3f1f2b77")
_BATCH = 1000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS source (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    entity TEXT NOT NULL, dataset TEXT NOT NULL, key TEXT NOT NULL,
    doc TEXT NOT NULL, modified INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS source_order ON source (entity, dataset, position);
CREATE INDEX IF NOT EXISTS source_key ON source (entity, dataset, key);
CREATE TABLE IF NOT EXISTS live (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    collection TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, reference TEXT,
    doc TEXT NOT NULL, version INTEGER NOT NULL, created INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS live_id ON live (collection, id);
CREATE INDEX IF NOT EXISTS live_order ON live (collection, number);
CREATE INDEX IF NOT EXISTS live_name ON live (collection, name);
CREATE INDEX IF NOT EXISTS live_reference ON live (collection, reference);
"""
_LIVE_COLUMNS = "number, id, doc, version"


class StoreError(Exception):
    """The database file cannot be used, or a row that was asked for does not exist."""


class LiveRow(NamedTuple):
    """One object of an ExpenseIn collection as the store keeps it.

    Attributes:
        number: Running number, unique over all collections and never used twice.
        id: The id as text: given by the seed, or made from the number.
        doc: The other fields as JSON text, without the id.
        version: 1 at creation, one more for every replacement.
    """

    number: int
    id: str
    doc: str
    version: int

    def fields(self) -> Row:
        """All fields but the id."""
        fields: Row = loads(self.doc)
        return fields


def utc_now() -> datetime:
    """The present moment, with time zone."""
    return datetime.now(UTC)


class Store:
    """Documents of both sides in one SQLite database.

    Args:
        path: Database file (made when it does not exist), or None for a database in memory.
        clock: Gives the present moment in UTC; stamps every change.

    Attributes:
        source_version: Another number after every change of a source row.

    Raises:
        StoreError: The file is no database of the sandbox.
    """

    def __init__(self, path: str | None = None, clock: Clock = utc_now) -> None:
        """Open the database, or make it."""
        self._clock = clock
        self._nesting = 0
        self._facts: dict[
            str, str | None
        ] = {}  # meta values as read or written last; each request asks for some
        self.source_version = 0
        try:
            # One thread uses it, but not always the one that made it.
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            message = f"{path} cannot be opened: {error}"
            raise StoreError(message) from error
        try:
            self._refuse_foreign(path)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")  # survives a killed process; no fsync per write
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self.close()
            message = f"{path} cannot be used as the sandbox's database: {error}"
            raise StoreError(message) from error
        known = self.meta(_META_FORMAT)
        if known not in (None, _FORMAT):
            self.close()
            message = f"{path} was written by another version of the sandbox (format {known}); use a new file"
            raise StoreError(message)
        if known is None:
            self.set_meta(_META_FORMAT, _FORMAT)
        self._last_number = self._read_last_number()

    @property
    def is_new(self) -> bool:
        """True while the database holds no seed; a seed broken off half-way does not count."""
        return self.meta(META_API_KEY) is None

    def close(self) -> None:
        """Close the database; everything is already written."""
        self._db.close()

    def clear(self) -> None:
        """Forget everything, credentials and settings included."""
        with self.transaction():
            self._db.execute("DELETE FROM source")
            self._db.execute("DELETE FROM live")
            self._db.execute("DELETE FROM meta WHERE key <> ?", (_META_FORMAT,))
            self._db.execute("DELETE FROM sqlite_sequence")
            self._facts.clear()
            self.source_version += 1
        self._last_number = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several changes one: all of them or, after an exception, none. An inner one joins the outer."""
        if self._nesting:
            yield
            return
        self._db.execute("BEGIN")
        self._nesting += 1
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            self._facts.clear()
            self.source_version += 1
            self._last_number = self._read_last_number()
            raise
        else:
            self._db.execute("COMMIT")
        finally:
            self._nesting -= 1

    # Single facts

    def meta(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - JSON is any type
        """The JSON value kept under a key, or the default."""
        if key not in self._facts:
            found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            self._facts[key] = None if found is None else str(found[0])
        text = self._facts[key]
        return default if text is None else loads(text)

    def set_meta(self, key: str, value: object) -> None:
        """Keep a JSON value under a key."""
        text = dumps(value)
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, text))
        self._facts[key] = text

    # AccountsIQ: source rows

    def entities(self) -> list[str]:
        """Ids of the entities, in the order of the seed."""
        return list(self.meta(META_ENTITIES, {}))

    def source(self, entity: str, dataset: str) -> list[Row]:
        """All rows of a dataset, in order. An unknown entity or dataset has none."""
        return list(self.iter_source(entity, dataset))

    def iter_source(self, entity: str, dataset: str) -> Iterator[Row]:
        """The rows of a dataset one by one, in order; rows may be changed meanwhile."""
        last = 0
        while batch := self._db.execute(
            "SELECT position, doc FROM source WHERE entity = ? AND dataset = ? AND position > ?"
            " ORDER BY position LIMIT ?",
            (entity, dataset, last, _BATCH),
        ).fetchall():
            for _, doc in batch:
                yield loads(doc)
            last = batch[-1][0]

    def count_source(self, entity: str, dataset: str) -> int:
        """How many rows a dataset has."""
        where = "SELECT count(*) FROM source WHERE entity = ? AND dataset = ?"
        return int(self._db.execute(where, (entity, dataset)).fetchone()[0])

    def modified_since(self, entity: str, dataset: str, moment: datetime | None) -> list[Row]:
        """The rows whose last change is at or after a moment.

        Args:
            entity: Id of the entity.
            dataset: One of `DATASETS`.
            moment: Any moment with a time zone; None for all rows.

        Returns:
            The rows in the dataset's order. Removed rows do not show, as in the real service.
        """
        found = self._db.execute(
            "SELECT doc FROM source WHERE entity = ? AND dataset = ? AND modified >= ? ORDER BY position",
            (entity, dataset, 0 if moment is None else _stamp(moment)),
        )
        return [loads(doc) for (doc,) in found]

    def set_source(self, entity: str, dataset: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Replace a dataset. Rows that were there before, equal in every field, keep the moment of their change."""
        self.source_version += 1
        now = _stamp(self._clock())
        before = dict(
            self._db.execute(
                "SELECT doc, modified FROM source WHERE entity = ? AND dataset = ?", (entity, dataset)
            )
        )
        with self.transaction():
            self._db.execute("DELETE FROM source WHERE entity = ? AND dataset = ?", (entity, dataset))
            self._db.executemany(
                "INSERT INTO source (entity, dataset, key, doc, modified) VALUES (?, ?, ?, ?, ?)",
                (
                    (entity, dataset, _key_of(dataset, row), doc := dumps(row), before.get(doc, now))
                    for row in rows
                ),
            )

    def add_source(self, entity: str, dataset: str, fields: Mapping[str, Any]) -> Row:
        """Append a row, stamped with the present moment. Returns the row."""
        self.source_version += 1
        self._db.execute(
            "INSERT INTO source (entity, dataset, key, doc, modified) VALUES (?, ?, ?, ?, ?)",
            (entity, dataset, _key_of(dataset, fields), dumps(fields), _stamp(self._clock())),
        )
        return dict(fields)

    def edit_source(self, entity: str, dataset: str, key: str, fields: Mapping[str, Any]) -> list[Row]:
        """Change fields of the row (or, with twins, of each row) that has this key.

        Args:
            entity: Id of the entity.
            dataset: One of `DATASETS`.
            key: Value of the dataset's key field; "" for ``company``.
            fields: The fields to set; the others stay.

        Returns:
            The rows as they are now.

        Raises:
            StoreError: No row has this key.
        """
        found = self._positions(entity, dataset, key)
        rows: list[Row] = [loads(doc) | dict(fields) for _, doc in found]
        self.source_version += 1
        now = _stamp(self._clock())
        self._db.executemany(
            "UPDATE source SET key = ?, doc = ?, modified = ? WHERE position = ?",
            [
                (_key_of(dataset, row), dumps(row), now, position)
                for row, (position, _) in zip(rows, found, strict=True)
            ],
        )
        return rows

    def remove_source(self, entity: str, dataset: str, key: str) -> None:
        """Remove the row (or the twins) with this key.

        Raises:
            StoreError: No row has this key.
        """
        found = self._positions(entity, dataset, key)
        self.source_version += 1
        self._db.executemany("DELETE FROM source WHERE position = ?", [(position,) for position, _ in found])

    def _positions(self, entity: str, dataset: str, key: str) -> list[tuple[int, str]]:
        found = self._db.execute(
            "SELECT position, doc FROM source WHERE entity = ? AND dataset = ? AND key = ? ORDER BY position",
            (entity, dataset, key),
        ).fetchall()
        if not found:
            message = f"{entity} has no row {key!r} in {dataset}"
            raise StoreError(message)
        return found

    # ExpenseIn: live objects

    def list_live(self, collection: str) -> list[LiveRow]:
        """All objects of a collection in order of creation."""
        return self.page_live(collection)

    def page_live(
        self,
        collection: str,
        *,
        after: int = 0,
        offset: int = 0,
        limit: int = -1,
        created_by: datetime | None = None,
    ) -> list[LiveRow]:
        """A part of a collection in order of creation.

        Args:
            collection: One of `LIVE_COLLECTIONS`.
            after: Only objects with a greater running number.
            offset: How many of these to leave out at the start.
            limit: How many at most; -1 for all.
            created_by: Only objects created at or before this moment.

        Returns:
            The objects.
        """
        found = self._db.execute(
            f"SELECT {_LIVE_COLUMNS} FROM live WHERE collection = ? AND number > ? AND created <= ? ORDER BY number LIMIT ? OFFSET ?",  # noqa: S608 - constant  # nosec B608
            (collection, after, _END_OF_TIME if created_by is None else _stamp(created_by), limit, offset),
        )
        return [LiveRow._make(row) for row in found]

    def count_live(self, collection: str) -> int:
        """How many objects a collection has."""
        return int(
            self._db.execute("SELECT count(*) FROM live WHERE collection = ?", (collection,)).fetchone()[0]
        )

    def get_live(self, collection: str, key: str | int) -> LiveRow | None:
        """One object by its id (text) or running number (int)."""
        column = "number" if isinstance(key, int) else "id"
        found = self._db.execute(
            f"SELECT {_LIVE_COLUMNS} FROM live WHERE collection = ? AND {column} = ?",  # noqa: S608 - constants  # nosec B608
            (collection, key),
        ).fetchone()
        return None if found is None else LiveRow._make(found)

    def find_live(
        self, collection: str, *, name: str | None = None, reference: str | None = None
    ) -> list[int]:
        """Running numbers of the objects with this name (case ignored) or this exact reference."""
        column, value = ("name", name_key(name)) if name is not None else ("reference", reference)
        found = self._db.execute(
            f"SELECT number FROM live WHERE collection = ? AND {column} = ?",  # noqa: S608 - constants  # nosec B608
            (collection, value),
        )
        return [number for (number,) in found]

    def insert_live(self, collection: str, fields: Mapping[str, Any]) -> LiveRow:
        """Add an object.

        Args:
            collection: One of `LIVE_COLLECTIONS`.
            fields: Its fields; an ``id`` among them is kept, else one is made.

        Returns:
            The new object.

        Raises:
            StoreError: The id is taken.
        """
        number = self._last_number + 1
        rest = dict(fields)
        identifier = str(rest.pop("id", None) or uuid.uuid5(_ID_NAMESPACE, str(number)))
        row = LiveRow(number, identifier, dumps(rest), 1)
        try:
            self._db.execute(
                "INSERT INTO live (number, collection, id, name, reference, doc, version, created)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    collection,
                    identifier,
                    *_lookup_columns(rest),
                    row.doc,
                    row.version,
                    _stamp(self._clock()),
                ),
            )
        except sqlite3.IntegrityError as error:
            message = f"{collection} already has an object with the id {identifier!r}"
            raise StoreError(message) from error
        self._last_number = number
        return row

    def replace_live(self, collection: str, number: int, fields: Mapping[str, Any]) -> LiveRow:
        """Replace all fields of an object; its version goes up by one.

        Args:
            collection: One of `LIVE_COLLECTIONS`.
            number: The object's running number.
            fields: All fields that it has from now on; an ``id`` among them is ignored.

        Returns:
            The object as it is now.

        Raises:
            StoreError: There is no such object.
        """
        rest = {name: value for name, value in fields.items() if name != "id"}
        found = self._db.execute(
            f"UPDATE live SET name = ?, reference = ?, doc = ?, version = version + 1 WHERE collection = ? AND number = ? RETURNING {_LIVE_COLUMNS}",  # noqa: S608 - constant  # nosec B608
            (*_lookup_columns(rest), dumps(rest), collection, number),
        ).fetchone()
        if found is None:
            message = f"{collection} has no object with the number {number}"
            raise StoreError(message)
        return LiveRow._make(found)

    def delete_live(self, collection: str, number: int) -> None:
        """Remove an object, if it is there. Its number and id are never used again."""
        self._db.execute("DELETE FROM live WHERE collection = ? AND number = ?", (collection, number))

    def _refuse_foreign(self, path: str | None) -> None:
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables and not {"meta", "source", "live"} <= tables:
            self.close()
            message = f"{path} is a database of something else; name a new file"
            raise StoreError(message)

    def _read_last_number(self) -> int:
        found = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'live'").fetchone()
        return 0 if found is None else int(found[0])


def name_key(name: str) -> str:
    """What a name is compared by where names must be unique: case is ignored."""
    return name.casefold()


def _lookup_columns(fields: Mapping[str, Any]) -> tuple[str, str | None]:
    reference = fields.get("reference")
    return name_key(str(fields.get("name", ""))), None if reference is None else str(reference)


def _key_of(dataset: str, row: Mapping[str, Any]) -> str:
    return str(row.get(DATASETS[dataset], "")) if DATASETS[dataset] else ""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_OF_TIME = 2**62


def _stamp(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)

"""The world behind both listeners: data, settings, faults and log, and everything that can be done to them.

The control API (`sandbox.control`) and the in-process `sandbox.testing.Sandbox` are two ways to call the same
methods. All of them run in the server's event loop and wait for nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox import seeds
from sandbox.accountsiq.service import AccountsIQ
from sandbox.exactjson import loads
from sandbox.expensein.fields import COLLECTIONS
from sandbox.expensein.service import ExpenseIn
from sandbox.faults import Faults
from sandbox.requestlog import RequestLog
from sandbox.settings import Settings
from sandbox.store import (
    DATASETS,
    LIVE_COLLECTIONS,
    META_API_KEY,
    META_APPLICATION,
    META_COUNTERS,
    META_ENTITIES,
    META_SETTINGS,
    LiveRow,
    Row,
    Store,
    utc_now,
)

Seed = str | Mapping[str, Any]
SIDES = ("accountsiq", "expensein")


class ControlError(Exception):
    """Something was asked of the sandbox that it does not have; the message says what there is."""


class World:
    """Both services and what they know.

    Args:
        store: The database. A new one is filled from the seed, any other is taken as it is.
        seed: Name, file or content of a seed.
        settings: Settings per side that stand above the seed's.
        faults: Fault rules to begin with.
        latency: Seconds by which every answer is late.

    Attributes:
        accountsiq: The AccountsIQ service.
        expensein: The ExpenseIn service.
        faults: The fault rules.
        log: Requests and counters.
        latency: Seconds by which every answer is late.
    """

    def __init__(
        self,
        store: Store,
        seed: Seed,
        *,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        faults: Sequence[Mapping[str, Any]] = (),
        latency: float = 0,
    ) -> None:
        """Fill the store if it is new, and build both services on it."""
        self._store = store
        self._overrides = settings or {}
        self._settings = {side: Settings(side) for side in SIDES}
        self.latency = latency
        self.log = RequestLog()
        self.faults = Faults()
        self.faults.replace(faults)
        if store.is_new:
            self._sow(seeds.load(seed))
        else:
            self._change_settings(store.meta(META_SETTINGS, {}))
        self._change_settings(self._overrides)
        self.accountsiq = AccountsIQ(store, self._settings["accountsiq"], utc_now)
        self.expensein = ExpenseIn(store, self._settings["expensein"], utc_now)

    def close(self) -> None:
        """Keep the counters for `sandbox show`, and close the database."""
        self._store.set_meta(META_COUNTERS, self.log.count())
        self._store.close()

    # The whole

    def credentials(self) -> dict[str, dict[str, Any]]:
        """What a client needs to know besides the addresses."""
        application = self._store.meta(META_APPLICATION)
        return {
            "accountsiq": {
                "entities": self._store.entities(),
                "client_id": application["client_id"],
                "client_secret": application["client_secret"],
            },
            "expensein": {"api_key": self._store.meta(META_API_KEY)},
        }

    def state(self) -> dict[str, Any]:
        """Everything, in the shape of a seed."""
        return {
            "accountsiq": {
                "application": self._store.meta(META_APPLICATION),
                "settings": self._settings["accountsiq"].changed(),
                "entities": {
                    entity: {
                        **facts,
                        **{
                            dataset: self._store.source(entity, dataset)
                            for dataset in DATASETS
                            if dataset != "company"
                        },
                        "company": next(iter(self._store.source(entity, "company")), {}),
                    }
                    for entity, facts in self._store.meta(META_ENTITIES, {}).items()
                },
            },
            "expensein": {
                "api_key": self._store.meta(META_API_KEY),
                "settings": self._settings["expensein"].changed(),
                **{name: self.live(name) for name in LIVE_COLLECTIONS},
            },
        }

    def reset(self, seed: Seed) -> None:
        """Begin anew with a seed: data, credentials, settings, tokens; no faults, empty log."""
        content = seeds.load(seed)  # a wrong seed must not leave an empty sandbox
        with self._store.transaction():
            self._store.clear()
            self._sow(content)
        self._change_settings(self._overrides)
        self.accountsiq.expire_tokens()
        self.clear_faults()
        self.clear_requests()

    # AccountsIQ's data

    def source(self, entity: str, dataset: str) -> list[Row]:
        """All rows of a dataset."""
        self._check_dataset(entity, dataset)
        return self._store.source(entity, dataset)

    def set_source(self, entity: str, dataset: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace a dataset."""
        self._check_dataset(entity, dataset)
        _check_rows(entity, dataset, rows)
        self._store.set_source(entity, dataset, rows)

    def add_source(self, entity: str, dataset: str, fields: Mapping[str, Any]) -> Row:
        """Append a row."""
        self._check_dataset(entity, dataset)
        _check_rows(entity, dataset, [fields])
        return self._store.add_source(entity, dataset, fields)

    def edit_source(self, entity: str, dataset: str, key: str, fields: Mapping[str, Any]) -> list[Row]:
        """Change fields of the row with this key (of all of them, with twins)."""
        self._check_dataset(entity, dataset)
        _check_rows(entity, dataset, [fields])
        return self._store.edit_source(entity, dataset, key, fields)

    def remove_source(self, entity: str, dataset: str, key: str) -> None:
        """Remove the row with this key (all of them, with twins)."""
        self._check_dataset(entity, dataset)
        self._store.remove_source(entity, dataset, key)

    # ExpenseIn's data, as an admin sees and edits it

    def live(self, collection: str) -> list[Row]:
        """All objects of a collection."""
        self._check_collection(collection)
        return [self._public(row) for row in self._store.list_live(collection)]

    def live_one(self, collection: str, identifier: str | int) -> Row:
        """One object."""
        return self._public(self._find(collection, identifier))

    def add_live(self, collection: str, fields: Mapping[str, Any]) -> Row:
        """Make an object, defaults filled in; not validated, and fields beyond the API's are kept."""
        self._check_collection(collection)
        return self._public(self._store.insert_live(collection, COLLECTIONS[collection].complete(fields)))

    def edit_live(self, collection: str, identifier: str | int, fields: Mapping[str, Any]) -> Row:
        """Change fields of an object; not validated."""
        row = self._find(collection, identifier)
        return self._public(self._store.replace_live(collection, row.number, row.fields() | dict(fields)))

    def remove_live(self, collection: str, identifier: str | int) -> None:
        """Delete an object."""
        self._store.delete_live(collection, self._find(collection, identifier).number)

    # Settings, faults, log

    def settings(self) -> dict[str, dict[str, Any]]:
        """The settings of both sides."""
        return {side: dict(settings) for side, settings in self._settings.items()}

    def configure(self, changes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Change settings of one side or both: all of them or, when one is wrong, none.

        ``refresh_key`` on the ExpenseIn side is an action: the API key is replaced by a new one.

        Raises:
            ControlError: There is no such side.
            SettingError: A name is unknown or a value is wrong.
        """
        plain = {side: dict(values) for side, values in changes.items()}
        refresh = plain.get("expensein", {}).pop("refresh_key", False)
        self._change_settings(plain)
        if refresh:
            self._store.set_meta(META_API_KEY, secrets.token_hex(20))
        return self.settings()

    def skew(self, side: str) -> float:
        """Seconds by which a side's clock is fast."""
        return float(self._settings[side]["clock_skew"])

    def clear_faults(self) -> None:
        """Remove all fault rules."""
        self.faults.clear()

    def clear_requests(self) -> None:
        """Forget requests and counters."""
        self.log.clear()

    def _sow(self, content: Mapping[str, Any]) -> None:
        accountsiq, expensein = content["accountsiq"], content["expensein"]
        for side, settings in self._settings.items():
            settings.check(content[side].get("settings", {}))
        for settings in self._settings.values():
            settings.restore_defaults()
        with self._store.transaction():
            self._store.set_meta(META_APPLICATION, accountsiq["application"])
            facts = {
                entity: {
                    "name": parts.get("name", entity),
                    "base_currency": parts.get("base_currency", "GBP"),
                }
                for entity, parts in accountsiq["entities"].items()
            }
            self._store.set_meta(META_ENTITIES, facts)
            for entity, parts in accountsiq["entities"].items():
                for dataset in DATASETS:
                    rows = parts.get(dataset) or []
                    self._store.set_source(entity, dataset, [rows] if isinstance(rows, Mapping) else rows)
            for name in LIVE_COLLECTIONS:
                for fields in expensein.get(name, ()):
                    self._store.insert_live(name, COLLECTIONS[name].complete(fields))
            self._change_settings({side: content[side].get("settings", {}) for side in SIDES})
            self._store.set_meta(META_API_KEY, expensein["api_key"])

    def _change_settings(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        for side in changes:
            if side not in self._settings:
                message = f"there is no side {side!r}; there are: {', '.join(SIDES)}"
                raise ControlError(message)
        for side, values in changes.items():
            self._settings[side].check(values)
        for side, values in changes.items():
            self._settings[side].update(values)
        changed = {side: settings.changed() for side, settings in self._settings.items()}
        if changed != self._store.meta(META_SETTINGS):  # who only looks does not write
            self._store.set_meta(META_SETTINGS, changed)

    def _public(self, row: LiveRow) -> Row:
        shown: Row = loads(self.expensein.present(row))
        return shown

    def _find(self, collection: str, identifier: str | int) -> LiveRow:
        self._check_collection(collection)
        row = self.expensein.find(collection, str(identifier))
        if row is None:
            message = f"{collection} has no object with the id {identifier!r}"
            raise ControlError(message)
        return row

    def _check_dataset(self, entity: str, dataset: str) -> None:
        if entity not in self._store.entities():
            message = f"there is no entity {entity!r}; there are: {', '.join(self._store.entities())}"
            raise ControlError(message)
        if dataset not in DATASETS:
            message = f"there is no dataset {dataset!r}; there are: {', '.join(DATASETS)}"
            raise ControlError(message)

    def _check_collection(self, collection: str) -> None:
        if collection not in LIVE_COLLECTIONS:
            message = f"there is no collection {collection!r}; there are: {', '.join(LIVE_COLLECTIONS)}"
            raise ControlError(message)


def _check_rows(entity: str, dataset: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuse fields that the vendor does not have, as for a seed: a typing error must not pass as an absent field."""
    seeds.load({"accountsiq": {"entities": {entity: {dataset: rows}}}})

"""The shape of a seed: what it may hold, and what it gets where it says nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from sandbox.accountsiq.operations import OPERATIONS
from sandbox.accountsiq.types import TYPES, fields_of, item_of
from sandbox.store import DATASETS, LIVE_COLLECTIONS

State = dict[str, Any]
Row = dict[str, Any]

CLIENT_ID: Final = "acc01751-9000-4000-8000-5a4db0c50001"
CLIENT_SECRET: Final = "sandbox-accountsiq-client-secret"  # noqa: S105 - of the sandbox
API_KEY: Final = "sandbox-expensein-api-key"
MAIN_ENTITY: Final = "ACME_UK"

_APPLICATION: Final = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "scope": ["*"]}
_ENTITY_FACTS: Final = {"name": "", "base_currency": "GBP"}
_ROW_TYPES: Final = {
    operation.dataset: item_of(operation.result) or operation.result
    for operation in OPERATIONS.values()
    if operation.dataset
}


class SeedError(ValueError):
    """A seed cannot be used; the message says where it is wrong and what to do."""


def complete(given: Mapping[str, Any]) -> State:
    """Check a seed and add what it leaves out.

    Args:
        given: A state, whole or in part: `{"accountsiq": {"application": {"client_id", "client_secret", "scope"
            (patterns of operation names), "entities" (ids that it may read; all when left out)}, "entities": {id:
            {"name", "base_currency", and the datasets}}, "settings"}, "expensein": {"api_key", the collections,
            "settings"}}`.

    Returns:
        The state with every part there: missing lists are empty, missing credentials the sandbox's own, without
        "entities" there is one without rows. `company` may be given as one object; it becomes a list of one.

    Raises:
        SeedError: It holds an unknown key or a value of the wrong type.
    """
    _object(given, "the seed", ("accountsiq", "expensein"))
    source = _object(given.get("accountsiq", {}), "accountsiq", ("application", "entities", "settings"))
    target = _object(given.get("expensein", {}), "expensein", ("api_key", *LIVE_COLLECTIONS, "settings"))
    application = _object(
        source.get("application", {}), "accountsiq.application", (*_APPLICATION, "entities")
    )
    entities = _object(
        source.get("entities", {MAIN_ENTITY: {"name": "Acme (UK) Ltd"}}), "accountsiq.entities"
    )
    return {
        "accountsiq": {
            "application": {**_APPLICATION, **application},
            "entities": {
                name: _entity(entity, f"accountsiq.entities.{name}") for name, entity in entities.items()
            },
            "settings": dict(_object(source.get("settings", {}), "accountsiq.settings")),
        },
        "expensein": {
            "api_key": target.get("api_key", API_KEY),
            **{
                collection: _rows(target.get(collection, []), f"expensein.{collection}")
                for collection in LIVE_COLLECTIONS
            },
            "settings": dict(_object(target.get("settings", {}), "expensein.settings")),
        },
    }


def _entity(given: object, where: str) -> State:
    entity = _object(given, where, (*_ENTITY_FACTS, *DATASETS))
    datasets = {}
    for dataset in DATASETS:
        rows = entity.get(dataset, [])
        if dataset == "company" and isinstance(rows, Mapping):
            rows = [rows] if rows else []
        datasets[dataset] = _rows(rows, f"{where}.{dataset}")
        for number, row in enumerate(datasets[dataset]):
            _check_row(row, _ROW_TYPES[dataset], f"{where}.{dataset}[{number}]")
    return {key: entity.get(key, default) for key, default in _ENTITY_FACTS.items()} | datasets


def _check_row(row: Row, type_name: str, where: str) -> None:
    """Refuse fields that the service does not have; keys that start with `_` are the sandbox's own."""
    kinds = _kinds(type_name)
    for name in sorted(row.keys() - kinds.keys()):
        if not name.startswith("_"):
            message = f"{where}: {type_name} has no field {name!r}; it has {', '.join(kinds)}"
            raise SeedError(message)
    for name in _nested(type_name):
        value, record = row.get(name), _record_of(kinds[name]) or ""
        if value is None:
            continue
        if item_of(kinds[name]) is None:
            _check_row(_object(value, f"{where}.{name}"), record, f"{where}.{name}")
            continue
        for number, entry in enumerate(_list(value, f"{where}.{name}")):
            if entry is not None:
                _check_row(_object(entry, f"{where}.{name}[{number}]"), record, f"{where}.{name}[{number}]")


@cache
def _kinds(type_name: str) -> dict[str, str]:
    return {field.name: field.kind for field in fields_of(type_name)}


@cache
def _nested(type_name: str) -> list[str]:
    """List the fields that hold records themselves."""
    return [name for name, kind in _kinds(type_name).items() if _record_of(kind)]


def _record_of(kind: str) -> str | None:
    """Name the type of the records that a field holds, one or a list of them."""
    name = item_of(kind) or kind
    return name if name in TYPES else None


def _object(given: object, where: str, known: Sequence[str] | None = None) -> Row:
    if not isinstance(given, Mapping):
        message = f"{where}: expected an object, found {type(given).__name__}"
        raise SeedError(message)
    unknown = [] if known is None else [key for key in given if key not in known]
    if unknown:
        message = f"{where}: unknown key {unknown[0]!r}; known are {', '.join(known or ())}"
        raise SeedError(message)
    return dict(given)


def _rows(given: object, where: str) -> list[Row]:
    return [_object(row, f"{where}[{number}]") for number, row in enumerate(_list(given, where))]


def _list(given: object, where: str) -> list[object] | tuple[object, ...]:
    if not isinstance(given, list | tuple):
        message = f"{where}: expected a list, found {type(given).__name__}"
        raise SeedError(message)
    return given

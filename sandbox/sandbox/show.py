"""Both sides as tables for people: how much there is, what it looks like, and where the sides differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.store import LIVE_COLLECTIONS, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

FIRST_ROWS = 5
_MAX_WIDTH = 42

#: Columns of the first rows of each dataset and collection.
_SOURCE_COLUMNS = {
    "accounts": ("Code", "Description", "AccountType", "IsActive"),
    "dimensions": ("Code", "Description"),
    "bi_codes": ("DepartmentID", "Description", "IsActive"),
    "tax_codes": ("Code", "Description", "Rate"),
    "suppliers": ("Code", "Name", "IsActive"),
}
_LIVE_COLUMNS = {
    "categories": ("reference", "name", "appliesTo", "visibility"),
    "projects": ("reference", "name", "isActive", "appliesTo"),
    "departments": ("reference", "name", "visibility"),
    "taxrates": ("reference", "name", "rate"),
    "suppliers": ("reference", "name", "isActive", "paymentTerms"),
    "users": ("id", "email"),
}


def report(state: Mapping[str, Any], counters: Mapping[str, Mapping[str, int]]) -> str:
    """Describe a sandbox.

    Args:
        state: Everything, as `sandbox.world.World.state` gives it.
        counters: Requests by side and operation.

    Returns:
        Text of several tables, lines ended by line feeds.
    """
    entities, live = state["accountsiq"]["entities"], state["expensein"]
    parts = [
        ("AccountsIQ: rows per entity", _entity_table(entities)),
        ("ExpenseIn: objects", _collection_table(live)),
        *_first_rows(
            (f"AccountsIQ {entity} {dataset}", columns, parts[dataset])
            for entity, parts in entities.items()
            for dataset, columns in _SOURCE_COLUMNS.items()
        ),
        *_first_rows((f"ExpenseIn {name}", columns, live[name]) for name, columns in _LIVE_COLUMNS.items()),
        ("By reference: AccountsIQ against ExpenseIn", _difference_table(entities, live)),
        ("Requests", _request_table(counters)),
    ]
    return "\n".join(f"{title}\n{table}" for title, table in parts)


def _entity_table(entities: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        (entity, parts["name"], *(len(parts[dataset]) for dataset in _SOURCE_COLUMNS))
        for entity, parts in entities.items()
    ]
    return _table(("entity", "name", *_SOURCE_COLUMNS), rows)


def _collection_table(live: Mapping[str, Any]) -> str:
    rows = []
    for name in LIVE_COLLECTIONS:
        objects: list[Row] = live[name]
        referenced = sum(1 for one in objects if one.get("reference"))
        inactive = sum(1 for one in objects if one.get("isActive") is False)
        rows.append((name, len(objects), referenced, inactive))
    return _table(("collection", "objects", "with reference", "inactive"), rows)


def _first_rows(lists: Iterable[tuple[str, Sequence[str], Sequence[Row]]]) -> Iterator[tuple[str, str]]:
    for title, columns, rows in lists:
        first = rows[:FIRST_ROWS]
        if first:
            table = _table(columns, ([row.get(column) for column in columns] for row in first))
            yield f"{title}: first {len(first)} of {len(rows)}", table


def _difference_table(entities: Mapping[str, Mapping[str, Any]], live: Mapping[str, Any]) -> str:
    sources = dict(_sources(entities.values()))
    rows = []
    for collection in ("categories", "projects", "departments", "taxrates", "suppliers"):
        names = {one["reference"]: one["name"] for one in live[collection] if one.get("reference")}
        candidates = _CANDIDATES.get(collection) or [source for source in sources if source not in _FIXED]
        # What feeds projects and departments is configured in the target; the source that fits best is shown.
        source = max(
            candidates, key=lambda one: len(names.keys() & sources.get(one, {}).keys()), default=None
        )
        if source is None:
            continue
        found = sources.get(source, {})
        both = names.keys() & found.keys()
        renamed = sum(1 for reference in both if names[reference] != found[reference])
        rows.append(
            (collection, source, len(both), renamed, len(found.keys() - both), len(names.keys() - both))
        )
    header = ("collection", "source", "in both", "name differs", "AccountsIQ only", "ExpenseIn only")
    return _table(header, rows)


_CANDIDATES = {"categories": ["accounts"], "taxrates": ["tax_codes"], "suppliers": ["suppliers"]}
_FIXED = {source for sources in _CANDIDATES.values() for source in sources}


def _sources(entities: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, str]]]:
    """Code → name of each possible source, over all entities."""
    found: dict[str, dict[str, str]] = {}
    for parts in entities:
        for dataset, key, name in (
            ("accounts", "Code", "Description"),
            ("bi_codes", "DepartmentID", "Description"),
            ("tax_codes", "Code", "Description"),
            ("suppliers", "Code", "Name"),
        ):
            found.setdefault(dataset, {}).update(_names(parts[dataset], key, name))
        for dimension in parts["dimensions"]:
            options = found.setdefault(f"dimension {dimension.get('Code')}", {})
            options.update(_names(dimension.get("DimensionCodes") or (), "Code", "Description"))
    yield from found.items()


def _names(rows: Iterable[Row | None], key: str, name: str) -> Iterator[tuple[str, str]]:
    return ((str(row[key]), str(row.get(name) or "")) for row in rows if row and row.get(key))


def _request_table(counters: Mapping[str, Mapping[str, int]]) -> str:
    rows = [
        (side, operation, count)
        for side, counts in counters.items()
        for operation, count in sorted(counts.items())
    ]
    return _table(("side", "operation", "requests"), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [tuple(header), *(tuple(map(_cell, row)) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    lines.insert(1, tuple("-" * width for width in widths))
    if len(lines) == 2:  # noqa: PLR2004 - header and rule
        return "  (none)\n"
    return "".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _MAX_WIDTH else text[: _MAX_WIDTH - 1] + "…"

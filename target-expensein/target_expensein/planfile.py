"""The plan as a document: what people read, machines check, and an approval names.

A plan document is plain JSON data, described key by key in ``plan.schema.json``. The same plan always gives the same
bytes: nothing in it depends on the clock, the run or the order in which records arrived. Its *digest* covers exactly
the changes and what holds an item, so an approval of the digest lifts these holds for these changes and for no others::

    document = plan_document(plans, configuration=settings_digest)
    write("plan.json", dump(document))
    ...
    if document["digest"] != approved_digest:
        say(differences(load(read("plan.json")), document))
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import cache
from importlib.resources import files
from itertools import chain
from types import MappingProxyType
from typing import Any, Final

import simplejson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from target_expensein import exactjson
from target_expensein.guard import Gated
from target_expensein.items import ITEMS
from target_expensein.model import WRITES, Field, Kind, Row
from target_expensein.plan import ItemPlan

FORMAT: Final = "target-expensein/plan"
VERSION: Final = 1

ROW_ORDER: Final = (Kind.HELD, Kind.REJECTED, Kind.UPDATE, Kind.CREATE, Kind.NOTICE, Kind.SKIPPED)
"""What needs a person comes first, then what is overwritten, then what is new. Unchanged records have no row."""

COUNTED: Final = (Kind.CREATE, Kind.UPDATE, Kind.UNCHANGED, *(k for k in ROW_ORDER if k not in WRITES))

NO_PROBLEMS: Final[Mapping[str, str]] = MappingProxyType({})

_EXACT: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)

_FIELD_ORDER: Final = {field: position for position, field in enumerate(Field)}


class PlanFileError(ValueError):
    """A plan file cannot be used; the message says what is wrong with it and what to do."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One reference for which two plans do not write the same, or one hold that only one of them has.

    Attributes:
        item: Name of the item.
        reference: The reference, verbatim; None for a hold on the whole item.
        approved: The row, or the hold, of the approved plan; None when that plan leaves the reference alone or the item
            free.
        fresh: The same of the fresh plan.
    """

    item: str
    reference: str | None
    approved: Mapping[str, Any] | None
    fresh: Mapping[str, Any] | None

    def __str__(self) -> str:
        """Return the difference in one line of words."""
        if self.fresh is not None and self.reference is None:
            return f"{self.item}: the hold {self.fresh['reason']} is new"
        if self.approved is not None and self.reference is None:
            return f"{self.item}: the hold {self.approved['reason']} is gone"
        return (
            f"{self.item} {json.dumps(self.reference, ensure_ascii=False)}: "
            f"approved is {_in_words(self.approved)}; now it would be {_in_words(self.fresh)}"
        )


def plan_document(
    plans: Mapping[str, Gated], *, configuration: str, problems: Mapping[str, str] = NO_PROBLEMS
) -> dict[str, Any]:
    """Put a run's plan into a document.

    Args:
        plans: The plan of each enabled item after the gate, by name of the item.
        configuration: Digest of the configuration, without secrets, that the plan was made with.
        problems: Why an item could not be planned, by name of the item.

    Returns:
        The document as ``plan.schema.json`` describes it, numbers as ``Decimal``. It does not depend on the order of
        the plans or of their rows.
    """
    items = [
        _item_document(name, plans.get(name), problems.get(name))
        for name in ITEMS
        if name in plans or name in problems
    ]
    return {
        "format": FORMAT,
        "version": VERSION,
        "digest": _digest(items),
        "configuration": configuration,
        "items": items,
    }


def approval_line(digest: str) -> str:
    """Return the one line that applies a plan of this digest, items that are held included, and no other plan.

    Args:
        digest: The plan's digest.

    Returns:
        A command line for a POSIX shell.
    """
    return f"TARGET_EXPENSEIN_APPROVE={digest} meltano run sync"


def dump(document: Mapping[str, Any]) -> Iterator[str]:
    """Write a plan file: the same document gives the same text, decimals digit for digit.

    Args:
        document: The document.

    Yields:
        The pieces of the JSON text. Half of a surrogate pair, which a text from a web service may contain, is escaped:
        UTF-8 has no bytes for it.
    """
    items = [item | {"rows": iter(item["rows"])} for item in document["items"]]
    for piece in exactjson.pieces({**document, "items": items}):
        yield piece.encode("utf-8", "backslashreplace").decode("utf-8")


def load(text: str) -> dict[str, Any]:
    """Read a plan file back.

    Args:
        text: Its content.

    Returns:
        The document.

    Raises:
        PlanFileError: If it is not JSON, does not follow the schema, or its digest is not that of its changes.
    """
    try:
        document: Any = simplejson.loads(text, use_decimal=True)
    except (ValueError, RecursionError) as error:
        raise PlanFileError(f"The plan file is not JSON ({error}). Make a new plan.") from None
    violation = best_match(_validator().iter_errors(document))
    if violation is not None:
        expected = isinstance(violation.schema, Mapping) and violation.schema.get("description")
        raise PlanFileError(
            f"The plan file does not follow its schema at {violation.json_path}: {violation.message[:200]}."
            + (f" Expected: {expected}" if expected else "")
            + " Make a new plan."
        )
    digest = _digest(document["items"])
    if document["digest"] != digest:
        raise PlanFileError(
            f"The plan file was changed: it says {document['digest']}, but its content gives {digest}. Make a new plan."
        )
    return dict(document)


def differences(approved: Mapping[str, Any], fresh: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Say what two plans would write differently.

    Args:
        approved: The document of the plan that was approved.
        fresh: The document of the plan as it is now.

    Returns:
        One difference for each hold, then one for each reference, in the order of the documents, those of the fresh
        plan first; none exactly when the digests are equal.
    """
    held_before, held_after = _by_hold(approved), _by_hold(fresh)
    holds = (
        Difference(key[0], None, held_before.get(key), held_after.get(key))
        for key in dict.fromkeys([*held_after, *held_before])
        if (key in held_before) != (key in held_after)
    )
    before, after = _by_reference(approved), _by_reference(fresh)
    changes = (
        Difference(item, reference, before.get((item, reference)), after.get((item, reference)))
        for item, reference in dict.fromkeys([*after, *before])
        if _change_of(before.get((item, reference))) != _change_of(after.get((item, reference)))
    )
    return (*holds, *changes)


def _item_document(name: str, gated: Gated | None, problem: str | None) -> dict[str, Any]:
    plan = ItemPlan(name, rows=(), unchanged=0, filtered=0) if gated is None else gated.plan
    holds = () if gated is None else gated.holds
    return {
        "item": name,
        "problem": problem,
        "holds": [{"reason": hold.reason, "message": hold.message} for hold in holds],
        "counts": {kind.value: plan.counts[kind] for kind in COUNTED},
        "filtered": plan.filtered,
        "rows": sorted(map(_row_document, plan.rows), key=_position),
    }


def _row_document(row: Row) -> dict[str, Any]:
    changes = sorted(row.changes, key=lambda change: _FIELD_ORDER[change.field])
    return {
        "item": row.item,
        "kind": row.kind.value,
        "reason": row.reason,
        "reference": row.reference,
        "name": row.name,
        "record_id": row.record_id,
        "fields": {
            change.field.value: {
                "before": change.before,
                "after": change.after,
                "origin": change.origin.value,
            }
            for change in changes
        },
        "detail": row.detail,
    }


def _position(row: Mapping[str, Any]) -> tuple[int, bool, str, str]:
    """Order rows by kind, then by reference; the whole row decides between twins, so that the order is total."""
    reference = row["reference"]
    return ROW_ORDER.index(row["kind"]), reference is None, reference or "", exactjson.canonical(row)


def _digest(items: Iterable[Mapping[str, Any]]) -> str:
    """Return the digest of the changes of some items, whatever their order, and of what holds an item.

    Neither the name of a row's reason nor the origin counts: they say why, not what is written. A hold counts, since an
    approval lifts it: who approves changes has not approved an empty list.
    """
    items = tuple(items)
    changes = (_change_of(row) for item in items for row in item["rows"])
    holds = ({"item": item["item"], "hold": hold["reason"]} for item in items for hold in item["holds"])
    parts = sorted(exactjson.canonical(part) for part in chain(changes, holds) if part is not None)
    return "sha256:" + hashlib.sha256(f"[{','.join(parts)}]".encode("ascii")).hexdigest()


def _change_of(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what of a row would be written, and where; None when nothing would be."""
    if row is None or row["kind"] not in WRITES:
        return None
    return {
        "item": row["item"],
        "reference": row["reference"],
        "record_id": row["record_id"],
        "fields": {
            name: {side: _exact(field[side]) for side in ("before", "after")}
            for name, field in row["fields"].items()
        },
    }


def _by_hold(document: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {(item["item"], hold["reason"]): hold for item in document["items"] for hold in item["holds"]}


def _by_reference(document: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {
        (row["item"], row["reference"]): row
        for item in document["items"]
        for row in item["rows"]
        if row["kind"] in WRITES
    }


def _exact(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a number in its one spelling without trailing zeros; anything else as it is.

    20, 20.0 and 2E+1 are one rate. The context is one that rounds nothing.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value
    return Decimal(value).normalize(_EXACT) or Decimal(0)


def _in_words(row: Mapping[str, Any] | None) -> str:
    """Say what a row writes."""
    if row is None:
        return "nothing"
    parts = [
        f"{name} {exactjson.one_line(field['before'])} → {exactjson.one_line(field['after'])}"
        for name, field in row["fields"].items()
    ]
    what = "a new record" if row["record_id"] is None else f"an update of record {row['record_id']}"
    return f"{what}: {', '.join(parts)}"


@cache
def _validator() -> Draft202012Validator:
    schema = json.loads(files(__package__).joinpath("plan.schema.json").read_text(encoding="utf-8"))
    return Draft202012Validator(schema)

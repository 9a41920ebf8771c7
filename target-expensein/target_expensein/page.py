"""The plan as one HTML page: to read, to filter, to print, and to pass on.

The page stands alone: it asks for nothing over the network and works from a file, without a connection and without
JavaScript. Whatever comes from a record is text, never markup; and should markup ever get in, the page's own content
security policy lets nothing run or load but the one style and the one script whose hashes it names.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template

from target_expensein.model import WRITES, Field, Kind, Origin
from target_expensein.planfile import COUNTED, ROW_ORDER
from target_expensein.reasons import REASONS, Reason

FIELD_TITLES: Final = {
    Field.REFERENCE: "Reference",
    Field.NAME: "Name",
    Field.RATE: "Rate",
    Field.IS_ACTIVE: "Status",
    Field.APPLIES_TO: "Applies to",
}

ORIGINS: Final = {
    Origin.NEW: "new",
    Origin.SOURCE: "changed at the source",
    Origin.EDITED: "edited in ExpenseIn",
    Origin.BOTH: "changed at the source and edited in ExpenseIn",
    Origin.UNKNOWN: "not on record who changed it",
}

OVERWRITING: Final = {Origin.EDITED, Origin.BOTH}
"""The origins that mean that somebody's edit is lost."""

_MORSELS: Final = 1000
"""How many of the template's morsels make a piece."""

COLUMN_TITLES: Final = {
    Kind.CREATE: "Create",
    Kind.UPDATE: "Update",
    Kind.UNCHANGED: "Unchanged",
    Kind.HELD: "Held",
    Kind.REJECTED: "Rejected",
    Kind.NOTICE: "Notice",
    Kind.SKIPPED: "Skipped",
}


def render(
    document: Mapping[str, Any], *, title: str, run: Mapping[str, str], approval: str
) -> Iterator[str]:
    """Write the page of a plan.

    Args:
        document: The plan, as ``planfile.plan_document`` makes it or ``planfile.load`` reads it.
        title: The page's heading.
        run: Facts about the run to show below the heading, such as when it was and for which account: title → value.
        approval: The line of command that applies this plan and no other, such as ``planfile.approval_line`` gives.

    Yields:
        The pieces of the HTML. The same arguments give the same text.
    """
    items = document["items"]
    rows = [row for item in items for row in item["rows"]]
    page = _template().stream(
        title=title,
        run=run,
        document=document,
        verdict=_verdict(items),
        held=any(item["holds"] for item in items),
        changes=sum(row["kind"] in WRITES for row in rows),
        approval=approval,
        columns={kind: COLUMN_TITLES[kind] for kind in COUNTED},
        totals={kind: sum(item["counts"][kind] for item in items) for kind in COUNTED},
        kinds=Counter(row["kind"] for row in rows),
    )
    page.enable_buffering(_MORSELS)
    for piece in page:
        yield piece.encode("utf-8", "replace").decode("utf-8")  # half of a surrogate pair has no place there


def _verdict(items: Sequence[Mapping[str, Any]]) -> str:
    """Say in a few sentences what a plan comes to."""

    def total(kinds: Iterable[Kind], *, held: bool) -> int:
        return sum(item["counts"][kind] for item in items if bool(item["holds"]) is held for kind in kinds)

    creates, updates = (total([kind], held=False) for kind in (Kind.CREATE, Kind.UPDATE))
    held, failed = ([item for item in items if item[why]] for why in ("holds", "problem"))
    attention = sum(total((Kind.HELD, Kind.REJECTED), held=held) for held in (False, True))
    sentences = [
        f"{_number(creates, 'record')} to create and {_number(updates, 'record')} to update."
        if creates or updates
        else "Nothing to write.",
        f"{_listed(held)} held, {_number(total(WRITES, held=True), 'change')} in all." if held else "",
        f"{_listed(failed)} not planned." if failed else "",
        f"{_number(attention, 'record')} in need of attention." if attention else "",
    ]
    return " ".join(filter(None, sentences))


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _listed(items: Sequence[Mapping[str, Any]]) -> str:
    titles = [_item_title(item["item"]) for item in items]
    return " and ".join(filter(None, (", ".join(titles[:-1]), titles[-1])))


def _item_title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _value(value: object) -> str:
    """Return a field's value as a person reads it. The only flag is the active one, the only number a percentage."""
    match value:
        case None:
            return "none"
        case bool():
            return "active" if value else "inactive"
        case list():
            return ", ".join(value) or "nothing"
        case int() | Decimal():
            return f"{value} %"
        case _:
            return str(value)


def _look_the_same(before: object, after: object) -> bool:
    """Tell whether two texts that differ cannot be told apart by eye."""
    return isinstance(before, str) and isinstance(after, str) and _visible(before) == _visible(after)


def _visible(text: str) -> str:
    """Return what of a text can be seen: no invisible characters, one Unicode form, plain single spaces."""
    seen = "".join(" " if char.isspace() else char for char in unicodedata.normalize("NFKC", text))
    return " ".join("".join(char for char in seen if unicodedata.category(char)[0] != "C").split())


def _reason(code: str) -> Reason:
    """Return what a reason code means; a code from elsewhere stands for itself."""
    return REASONS.get(code) or Reason(Kind.NOTICE, "", code.replace("_", " "))


def _advice_on(item: Mapping[str, Any]) -> Iterator[tuple[str, int, str]]:
    """Yield each reason in an item's rows that there is something to do about: code, number of rows, advice."""
    for code, number in Counter(row["reason"] for row in item["rows"]).items():
        if advice := _reason(code).advice:
            yield code, number, advice


def _csp_hash(text: str) -> str:
    """Return the source expression that lets exactly this inline text through a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "csp_hash": _csp_hash,
        "item_title": _item_title,
        "number": "{:,}".format,
        "reason": _reason,
        "shown": _value,
    }
    environment.globals |= {
        "advice_on": _advice_on,
        "column_titles": COLUMN_TITLES,
        "field_titles": FIELD_TITLES,
        "kind_order": ROW_ORDER,
        "look_the_same": _look_the_same,
        "origins": ORIGINS,
        "overwriting": OVERWRITING,
    }
    return environment.from_string(files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8"))

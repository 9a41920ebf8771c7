"""The API profile: everything this target assumes about ExpenseIn's REST API, as one value.

The public reference of the API could not be read, so paths, field names, paging and the rest are assumptions. They
stand in ``expensein-1.0.json`` and nowhere else; the setting ``api_profile`` is laid over it, and the result is
checked against ``profile.schema.json``, which describes every key.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from jsonschema import Draft202012Validator

from target_expensein.api.errors import ProfileError
from target_expensein.model import Field

if TYPE_CHECKING:
    from jsonschema import ValidationError

FIELDS: tuple[str, ...] = tuple(field.value for field in Field)
"""Logical names of the only fields that can ever be written (R9)."""

SETTING = "api_profile"
"""The setting that holds the overlay; messages give paths from here."""

BANK_WORDS = (
    *("iban", "bank", "swift", "sortcode", "sortingcode", "routing", "accountn", "acctn", "accountholder"),
    *("beneficiary", "payee", "payment", "creditor", "kontonummer"),
)
"""What the name of a field with bank or payment details contains, without case and anything but letters and digits."""

SHORT_BANK_WORDS = frozenset({"bic", "aba", "bsb", "ifsc", "clabe", "giro", "rib", "konto", "acct"})
"""The same, but whole words only: each of them is a part of harmless words."""

_ALL_EXPENSE_TYPES = "all_expense_types"
_INVOICING = "invoicing"
_SHOWN = 60
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")


@dataclass(frozen=True, slots=True)
class Authorization:
    """The header that carries the API key."""

    header: str
    scheme: str | None

    def value(self, api_key: str) -> str:
        """Return the header's value for a key."""
        return f"{self.scheme} {api_key}" if self.scheme else api_key


@dataclass(frozen=True, slots=True)
class ErrorWords:
    """Members of an error's body that hold the server's words; None: not there."""

    code: str | None
    message: str | None
    details: str | None


@dataclass(frozen=True, slots=True)
class PageNumbers:
    """Paging by the number of the page."""

    number_parameter: str
    first: int
    size_parameter: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Offsets:
    """Paging by the number of records to pass over."""

    offset_parameter: str
    size_parameter: str
    size: int


@dataclass(frozen=True, slots=True)
class NextLinks:
    """Paging by the address of the next page; ``member`` stands beside the array, besides the Link header."""

    member: str | None


@dataclass(frozen=True, slots=True)
class Paging:
    """How a long list is cut into pages; ``style`` says which of the three descriptions counts."""

    style: Literal["none", "page", "offset", "link"]
    page: PageNumbers
    offset: Offsets
    link: NextLinks


@dataclass(frozen=True, slots=True)
class Listing:
    """How a collection is listed.

    Attributes:
        envelope: Members to go through to the array; empty when the answer is the array.
        query: Query parameters sent with every list.
        absent_is_null: Whether a missing member of a record means "no value".
        paging: How the list is cut into pages.
    """

    envelope: tuple[str, ...]
    query: Mapping[str, str]
    absent_is_null: bool
    paging: Paging


@dataclass(frozen=True, slots=True)
class Updating:
    """How a record is changed.

    Attributes:
        method: PUT sends the whole object back, PATCH only the changed fields; None: not offered.
        use_if_match: Whether an ETag goes back as If-Match.
        leave_out: Members that a PUT must not send back.
    """

    method: Literal["PUT", "PATCH"] | None
    use_if_match: bool
    leave_out: frozenset[str]


@dataclass(frozen=True, slots=True)
class Sign:
    """An answer that means something: a status, and a code in the body (None: any)."""

    status: int
    code: str | None


@dataclass(frozen=True, slots=True)
class Module:
    """A module of ExpenseIn that an item belongs to, and the answers that mean it is not switched on (R24)."""

    name: str
    missing_when: tuple[Sign, ...]


@dataclass(frozen=True, slots=True)
class ItemProfile:
    """What the profile says about one item.

    Attributes:
        item: The item's name in this project (``tax_rates`` …).
        path: Path of the collection below the API's address.
        available: Whether this server has the collection.
        permission: The permission the key needs, for messages.
        id_field: The server's name for the record's ID.
        fields: The server's name per logical field; None: this server does not have the field.
        new_applies_to: The server's values for what a new record applies to (R13, R16).
        max_length: The longest name and reference in characters; None: unknown.
        module: The module that the item belongs to.
        listing: How the collection is listed.
        record_envelope: Members to go through to a single record; empty when the answer is the record.
        create_method: POST, or None: this server cannot create.
        shows_within: Seconds after which a creation that was sent is in the list, if it happened at all.
        updating: How a record is changed.
    """

    item: str
    path: str
    available: bool
    permission: str
    id_field: str
    fields: Mapping[str, str | None]
    new_applies_to: tuple[str, ...]
    max_length: Mapping[Literal["name", "reference"], int | None]
    module: Module | None
    listing: Listing
    record_envelope: tuple[str, ...]
    create_method: Literal["POST"] | None
    shows_within: float
    updating: Updating

    @property
    def unusable(self) -> str | None:
        """Why the item cannot be synchronised with this server at all, naming the keys of the profile; None: it can.

        Matching needs the name and the reference (R8), creating a tax rate needs its rate (R21).
        """
        here = f"{SETTING}.items.{self.item}"
        needed: tuple[str, ...] = ("name", "reference")
        if self.item == "tax_rates":
            needed = (*needed, "rate")
        missing = [
            f"this server has no {field} ({here}.fields.{field} is null)"
            for field in needed
            if not self.fields[field]
        ]
        if not self.available:
            missing.insert(0, f"this server does not have the collection ({here}.available is false)")
        if self.create_method is None:
            missing.append(
                f"this server cannot create records by its API ({here}.create.method or {SETTING}.create.method is null)"
            )
        if self.updating.method is None:
            missing.append(
                f"this server cannot change records by its API ({here}.update.method or {SETTING}.update.method is null)"
            )
        if not missing:
            return None
        return f"{'; '.join(missing)}. Switch the item off, or correct the profile if the server does have it"


@dataclass(frozen=True, slots=True)
class Profile:
    """The whole profile, built-in and overlay together."""

    name: str
    authorization: Authorization
    errors: ErrorWords
    items: Mapping[str, ItemProfile]


def load_profile(overlay: Mapping[str, Any] | None = None) -> Profile:
    """Lay an overlay over the built-in profile and check the result.

    Objects are merged member by member; lists, texts, numbers and null replace what was there.

    Args:
        overlay: The setting ``api_profile``, or None for the built-in profile as it is.

    Returns:
        The checked profile.

    Raises:
        ProfileError: Something in it is wrong; each problem names the path, what is wrong, and what would be right.
    """
    if overlay is not None and not isinstance(overlay, Mapping):
        raise ProfileError(
            [
                f"{SETTING}: {_shown(overlay)} is not an object; give only the members that differ from the built-in profile"
            ]
        )
    document = _merged(_resource("expensein-1.0.json"), overlay or {})
    errors = sorted(
        Draft202012Validator(_resource("profile.schema.json")).iter_errors(document),
        key=lambda error: error.json_path,
    )
    problems = [problem for error in errors for problem in _problems(error)] or _contradictions(document)
    if problems:
        raise ProfileError(problems)
    return _built(document)


@cache
def _resource(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(files(__package__).joinpath(name).read_text(encoding="utf-8"))
    return loaded


def _merged(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in overlay.items():
        below = base.get(key)
        if isinstance(value, Mapping):
            merged[key] = _merged(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[key] = list(value) if isinstance(value, tuple) else value
    return merged


def _shown(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _path(*steps: str | int) -> str:
    return SETTING + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _problems(error: ValidationError) -> list[str]:
    """Put one finding of the schema into words: the path, what is wrong, what would be right."""
    path = tuple(error.absolute_path)
    schema: Mapping[str, Any] = error.schema if isinstance(error.schema, Mapping) else {}
    expected = schema.get("description", "")
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = list(schema["properties"])
        return [
            f"{_path(*path, key)}: unknown key{_meant(key, known)}; known here: {', '.join(known)}"
            for key in error.instance
            if key not in known
        ]
    if error.validator == "required" and isinstance(error.instance, Mapping):
        return [
            f"{_path(*path, key)}: is missing. Expected: {schema['properties'][key].get('description', '')}"
            for key in schema["required"]
            if key not in error.instance and f"'{key}'" in error.message
        ]
    if "propertyNames" in error.absolute_schema_path:
        return [
            f"{_path(*path, str(error.instance))}: a name here has lower-case letters, digits and _ only, for example fuel_card"
        ]
    return [f"{_path(*path)}: {_shown(error.instance)} is not allowed. Expected: {expected}"]


def _meant(key: str, known: list[str]) -> str:
    close = get_close_matches(key, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def is_bank_field(name: str) -> bool:
    """Tell whether a name looks like that of bank or payment details.

    Args:
        name: A member, or a path of several, in any spelling: ``sortCode``, ``SORT_CODE``, ``bank-details/iban``.
    """
    words = [word.lower() for word in _WORD.findall(unicodedata.normalize("NFKC", name))]
    squashed = "".join(words)
    return not SHORT_BANK_WORDS.isdisjoint(words) or any(word in squashed for word in BANK_WORDS)


def _bank_details(document: Mapping[str, Any], name: str) -> Iterator[str]:
    """Find what would let the sync write, empty or address bank details; nothing may, in any item.

    All items, since an overlay could point another item's path to the suppliers. Leaving a member out of a PUT empties it.
    """
    own = document["items"][name]
    places: list[tuple[tuple[str | int, ...], str | None]] = [(("items", name, "path"), own["path"])]
    places += [(("items", name, "fields", field), wire) for field, wire in own["fields"].items()]
    for above, holder in (((), document), (("items", name), own)):
        for part in ("list", "record"):
            places.append(((*above, part, "envelope"), holder.get(part, {}).get("envelope")))
        left_out = holder.get("update", {}).get("leave_out", [])
        places += [((*above, "update", "leave_out", at), member) for at, member in enumerate(left_out)]
    for path, found in places:
        if found is not None and is_bank_field(found):
            yield (
                f"{_path(*path)}: {_shown(found)} looks like bank or payment details. The sync never writes, empties or "
                "addresses these, whatever is configured. Expected: another name"
            )


def _contradictions(document: Mapping[str, Any]) -> list[str]:
    """Find what the schema cannot say: names that lead nowhere, and two meanings for one member."""
    problems = list(dict.fromkeys(one for name in document["items"] for one in _bank_details(document, name)))
    references = {*document["values"]["expense_types"], _ALL_EXPENSE_TYPES, _INVOICING}
    for name, item in document["items"].items():
        for position, reference in enumerate(item["new_applies_to"]):
            if reference not in references:
                problems.append(
                    f"{_path('items', name, 'new_applies_to', position)}: {_shown(reference)} is not a name in "
                    f"{_path('values', 'expense_types')}{_meant(reference, sorted(references))}. "
                    f"Expected one of: {', '.join(sorted(references))}"
                )
        if item["new_applies_to"] and not problems and not _applies_to(document, item):
            problems.append(
                f"{_path('items', name, 'new_applies_to')}: none of these values exists on this server (they are null in {_path('values')})"
            )
        owners: dict[str, str] = {}
        for field, wire in item["fields"].items():
            if wire is not None and wire in owners:
                problems.append(
                    f"{_path('items', name, 'fields', field)}: {_shown(wire)} is already the name of {owners[wire]}. Expected: a member of its own, or null"
                )
            owners.setdefault(wire, field)
        left_out = _merged(document["update"], item.get("update", {}))["leave_out"]
        problems += [
            f"{_path('items', name, 'fields', owners[wire])}: {_shown(wire)} is also in update.leave_out, but the sync has to send it. Take it out there"
            for wire in left_out
            if wire in owners and owners[wire] != "id"
        ]
    return problems


def _applies_to(document: Mapping[str, Any], item: Mapping[str, Any]) -> tuple[str, ...]:
    """Resolve names to the server's values, each once; a value that this server does not have falls away."""
    types: Mapping[str, str | None] = document["values"]["expense_types"]
    found: dict[str, None] = {}
    for reference in item["new_applies_to"]:
        if reference == _ALL_EXPENSE_TYPES:
            values = list(types.values())
        elif reference == _INVOICING:
            values = [document["values"]["invoicing"]]
        else:
            values = [types[reference]]
        found.update(dict.fromkeys(value for value in values if value is not None))
    return tuple(found)


def _steps(envelope: str | None) -> tuple[str, ...]:
    return tuple(envelope.split(".")) if envelope else ()


def _built(document: Mapping[str, Any]) -> Profile:
    return Profile(
        name=document["profile"],
        authorization=Authorization(**document["authorization"]),
        errors=ErrorWords(**document["errors"]),
        items={name: _item(document, name) for name in document["items"]},
    )


def _item(document: Mapping[str, Any], name: str) -> ItemProfile:
    own = document["items"][name]
    common = {
        part: _merged(document[part], own.get(part, {})) for part in ("list", "record", "create", "update")
    }
    listing, paging, updating, module = (
        common["list"],
        common["list"]["paging"],
        common["update"],
        own["module"],
    )
    return ItemProfile(
        item=name,
        path=own["path"],
        available=own["available"],
        permission=own["permission"],
        id_field=own["fields"]["id"],
        fields={field: own["fields"][field] for field in FIELDS},
        new_applies_to=_applies_to(document, own),
        max_length=own["max_length"],
        module=module and Module(module["name"], tuple(Sign(**sign) for sign in module["missing_when"])),
        listing=Listing(
            envelope=_steps(listing["envelope"]),
            query=listing["query"],
            absent_is_null=listing["absent_is_null"],
            paging=Paging(
                style=paging["style"],
                page=PageNumbers(**paging["page"]),
                offset=Offsets(**paging["offset"]),
                link=NextLinks(**paging["link"]),
            ),
        ),
        record_envelope=_steps(common["record"]["envelope"]),
        create_method=common["create"]["method"],
        shows_within=float(common["create"]["shows_within"]),
        updating=Updating(
            updating["method"], updating["if_match"] == "when_offered", frozenset(updating["leave_out"])
        ),
    )

"""Between logical fields and the server's objects: pure functions, no I/O.

The server's objects are kept whole, as they were read; only the five logical fields are ever looked at or set (R9).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_expensein.api.errors import BadAnswer, NotOffered
from target_expensein.api.profile import FIELDS, SETTING
from target_expensein.model import Field, LiveRecord, Value

if TYPE_CHECKING:
    from target_expensein.api.profile import ItemProfile

_MEMBERS_SHOWN = 12


def record_id(profile: ItemProfile, body: Mapping[str, Any]) -> str | int:
    """Return the ID of a record whose shape was checked, as the server wrote it (text or number)."""
    identity: str | int = body[profile.id_field]
    return identity


def decode(profile: ItemProfile, body: Mapping[str, Any]) -> dict[str, Value]:
    """Read the logical fields of a record whose shape was checked.

    Args:
        profile: The item's part of the profile.
        body: The server's object.

    Returns:
        A value for every logical field that this server has: name and reference as text or None, rate as an exact
        decimal or None, is_active as true, false or None, applies_to as a list or None.
    """
    values: dict[str, Value] = {}
    for field in FIELDS:
        wire = profile.fields[field]
        if wire is not None:
            value = body.get(wire)
            values[field] = Decimal(value) if field == "rate" and value is not None else value
    return values


def live_record(profile: ItemProfile, body: Mapping[str, Any]) -> LiveRecord:
    """Keep of an object whose shape was checked what is compared.

    Args:
        profile: The item's part of the profile.
        body: The server's object.

    Returns:
        The live record.
    """
    values: dict[str, Any] = decode(profile, body)
    return LiveRecord(
        id=record_id(profile, body),
        reference=meaningful(values.get(Field.REFERENCE)),
        name=values.get(Field.NAME),
        is_active=values.get(Field.IS_ACTIVE),
        rate=values.get(Field.RATE),
    )


def meaningful(reference: str | None) -> str | None:
    """Return a reference, or None when it is nothing but white space: then the record has none."""
    return reference if reference and not reference.isspace() else None


def encode(profile: ItemProfile, fields: Mapping[str, Value]) -> dict[str, Value]:
    """Give logical fields the server's names.

    Args:
        profile: The item's part of the profile.
        fields: Values by logical field.

    Returns:
        Values by the server's names.

    Raises:
        ValueError: A field that the sync does not own, or a value of the wrong type: a programming error.
        NotOffered: The profile says that this server does not have the field.
    """
    members: dict[str, Value] = {}
    for field, value in fields.items():
        if field not in FIELDS:
            raise ValueError(
                f"{field!r} is not a field that the sync may write; it owns {', '.join(FIELDS)} (R9)"
            )
        if not _fits(field, value):
            raise ValueError(
                f"{value!r} ({type(value).__name__}) is not a value for {field}: {_EXPECTED[field]} is"
            )
        wire = profile.fields[field]
        if wire is None:
            raise NotOffered(
                f"this server has no {field}, says the API profile ({SETTING}.items.{profile.item}.fields.{field} is null).",
                item=profile.item,
            )
        members[wire] = value
    return members


def differing(body: Mapping[str, Any], members: Mapping[str, Value]) -> dict[str, Value]:
    """Return those of the wanted members that a record does not have yet: text character for character, 20 is 20.0.

    Args:
        body: The server's object.
        members: Wanted values by the server's names.
    """
    return {wire: value for wire, value in members.items() if body.get(wire) != value}


def identified(profile: ItemProfile, body: object, place: str) -> dict[str, Any]:
    """Check that a value is an object with a usable ID.

    Args:
        profile: The item's part of the profile.
        body: What was found.
        place: What was asked, for the message.

    Returns:
        The same object.

    Raises:
        BadAnswer: It is not; the message says what was found and which key of the profile to look at.
    """
    if not isinstance(body, dict):
        raise BadAnswer(f"{place}: expected a record (an object), found {describe(body)}.", item=profile.item)
    identity = body.get(profile.id_field)
    if not is_usable_id(identity):
        raise BadAnswer(
            f"{place}: a record without a usable ID: its member {profile.id_field!r} is {describe(identity)}; the record has "
            f"the members {_members(body)}. Look at {SETTING}.items.{profile.item}.fields.id.",
            item=profile.item,
        )
    return body


def checked(profile: ItemProfile, body: object, place: str) -> dict[str, Any]:
    """Check that a value is a record as the profile describes it: every field there, and of the right type.

    A misspelt field name must not pass for "no reference": that would create everything a second time.

    Args:
        profile: The item's part of the profile.
        body: What was found.
        place: What was asked, for the message.

    Returns:
        The same object.

    Raises:
        BadAnswer: It is not; the message says what was found and which key of the profile to look at.
    """
    record = identified(profile, body, place)
    here, identity = f"{SETTING}.items.{profile.item}.fields", record_id(profile, record)
    for field in FIELDS:
        wire = profile.fields[field]
        if wire is None:
            continue
        if wire not in record and not profile.listing.absent_is_null:
            raise BadAnswer(
                f"{place}: the record with ID {identity} has no member {wire!r}; it has {_members(record)}. Look at "
                f"{here}.{field}; if this server leaves empty members out, set {SETTING}.list.absent_is_null to true.",
                item=profile.item,
            )
        if not _fits_answer(field, record.get(wire)):
            raise BadAnswer(
                f"{place}: in the record with ID {identity} the member {wire!r} is {describe(record.get(wire))}, expected "
                f"{_EXPECTED[field]}. Look at {here}.{field}.",
                item=profile.item,
            )
    return record


def unwrapped(payload: object, envelope: tuple[str, ...], key: str, place: str, item: str) -> Any:  # noqa: ANN401 - any JSON
    """Go through an envelope to what is inside.

    Args:
        payload: The whole answer.
        envelope: The members to go through.
        key: The key of the profile that says so, for the message.
        place: What was asked, for the message.
        item: The item concerned.

    Raises:
        BadAnswer: A member of the envelope is not there.
    """
    for step in envelope:
        if not isinstance(payload, dict) or step not in payload:
            raise BadAnswer(
                f"{place}: no member {step!r} in {describe(payload)}. Look at {SETTING}.{key}.", item=item
            )
        payload = payload[step]
    return payload


def describe(value: object) -> str:
    """Say what a JSON value is, without showing its content."""
    if isinstance(value, dict):
        return f"an object with the members {_members(value)}" if value else "an empty object"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    names: tuple[tuple[type, str], ...] = (
        (bool, "true or false"),
        (int, "a number"),
        (Decimal, "a number"),
        (str, "a text"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "nothing (null or missing)")


def _members(body: Mapping[str, Any]) -> str:
    names = list(body)
    more = f" and {len(names) - _MEMBERS_SHOWN} more" if len(names) > _MEMBERS_SHOWN else ""
    return ", ".join(names[:_MEMBERS_SHOWN]) + more


def is_usable_id(identity: object) -> bool:
    """Tell whether a value can be the ID of a record, and a part of its address."""
    if isinstance(identity, str):  # what cannot be printed has no place in an address, nor in a message
        return identity.strip() not in {"", ".", ".."} and identity.isprintable()
    return isinstance(identity, int) and not isinstance(identity, bool)


_EXPECTED: Mapping[str, str] = {
    "name": "a text",
    "reference": "a text or null",
    "rate": "a number in percent",
    "is_active": "true or false",
    "applies_to": "an array of texts",
}
_TYPES: Mapping[str, type] = {
    "name": str,
    "reference": str,
    "rate": Decimal,
    "is_active": bool,
    "applies_to": list,
}


def _fits(field: str, value: Value) -> bool:
    """Tell whether a value may be sent or expected: nothing, or the right type, and a finite number."""
    return value is None or (
        isinstance(value, _TYPES[field]) and (not isinstance(value, Decimal) or value.is_finite())
    )


def _fits_answer(field: str, value: object) -> bool:
    """Tell whether a value may be found: like :func:`_fits`, but a rate can be a whole number and lists hold texts."""
    if field == "rate" and isinstance(value, int):
        return not isinstance(value, bool)
    if isinstance(value, list):
        return field == "applies_to" and all(isinstance(entry, str) for entry in value)
    return value is None or isinstance(value, _TYPES[field])

"""Judges what a client sends: a pure function from a body and the object before to the object after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.expensein.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.expensein.fields import Collection, Field
    from sandbox.store import Row


def created(collection: Collection, body: object, max_name: int) -> Row:
    """The object that a POST makes.

    Args:
        collection: Where it is made.
        body: What the client sent, parsed.
        max_name: Longest name, in characters.

    Returns:
        All fields of the new object but the id.

    Raises:
        ApiError: 400 for a body that is no object or has unknown fields, 422 for wrong values.
    """
    given = _known_fields(collection, body, {})
    fields = collection.complete(given)
    _refuse(_wrong(collection, fields, given, max_name))
    return fields


def replaced(collection: Collection, body: object, before: Row, max_name: int) -> Row:
    """The object after a PUT: what the client left out is empty afterwards.

    Args:
        collection: Where the object is.
        body: What the client sent, parsed.
        before: All fields of the object as it is, the id as the API shows it included.
        max_name: Longest name, in characters.

    Returns:
        All fields of the object as it will be, without the id.

    Raises:
        ApiError: As for `created`; 422 too for a changed id or immutable field.
    """
    given = _known_fields(collection, body, before)
    fields = {field.name: given.get(field.name, field.kind.empty) for field in collection.fields} | given
    return _changed(collection, fields, given, before, max_name)


def merged(collection: Collection, body: object, before: Row, max_name: int) -> Row:
    """The object after a PATCH: what the client left out stays. Arguments and result as for `replaced`."""
    given = _known_fields(collection, body, before)
    return _changed(collection, before | given, before | given, before, max_name)


def _changed(collection: Collection, fields: Row, given: Row, before: Row, max_name: int) -> Row:
    wrong = _wrong(collection, fields, given, max_name)
    if "id" in given and given["id"] != before["id"]:
        wrong.setdefault("id", []).append("The id cannot be changed.")
    for field in collection.fields:
        if field.immutable and field.name not in wrong:
            if fields[field.name] != before[field.name]:
                wrong[field.name] = [f"The {field.name} cannot be changed after creation."]
            fields[field.name] = before[field.name]  # 20 and 20.00 are the same rate: keep the first spelling
    _refuse(wrong)
    return {name: value for name, value in fields.items() if name != "id"}


def _known_fields(collection: Collection, body: object, before: Mapping[str, Any]) -> Row:
    if not isinstance(body, dict):
        message = "The body must be a JSON object."
        raise ApiError(400, "malformed_request", message)
    # Fields beyond the table that the object already has may be sent back.
    known = {field.name for field in collection.fields} | before.keys()
    unknown = {
        name: ["The id is given by the server." if name == "id" else "There is no such field."]
        for name in body
        if name not in known
    }
    if unknown:
        message = f"{collection.singular} has no field {', '.join(unknown)} that could be set here."
        raise ApiError(400, "unknown_field", message, unknown)
    return dict(body)


def _wrong(collection: Collection, fields: Row, given: Row, max_name: int) -> dict[str, list[str]]:
    found = {
        field.name: _complaint(field, fields[field.name], given, max_name) for field in collection.fields
    }
    return {name: [complaint] for name, complaint in found.items() if complaint}


def _complaint(field: Field, value: object, given: Row, max_name: int) -> str | None:
    if field.required and field.name not in given:
        return f"The {field.name} is required."
    if not field.kind.accepts(value):
        return f"The {field.name} must be {field.kind.words}."
    if field.name == "name" and isinstance(value, str) and len(value) > max_name:
        return f"The name must have at most {max_name} characters; this one has {len(value)}."
    return None


def _refuse(wrong: dict[str, list[str]]) -> None:
    if wrong:
        message = "Validation failed: " + " ".join(
            complaint for found in wrong.values() for complaint in found
        )
        raise ApiError(422, "validation_failed", message, wrong)

"""The OpenAPI document, built from the same declarations that the service runs on, so that it stays true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.expensein.fields import COLLECTIONS, Collection
from sandbox.expensein.paging import PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID_SCHEMAS = {"string": {"type": "string"}, "number": {"type": "integer"}}
_ERRORS = {
    "400": "The body is malformed or has an unknown field.",
    "401": "The API key is missing or unknown.",
    "403": "The key lacks a permission, the address is not allowed, or a module is not enabled.",
    "404": "There is no such object or collection.",
    "409": "The name or reference is taken.",
    "412": "If-Match does not fit the object's ETag.",
    "415": "The body is not application/json.",
    "422": "A value is missing or wrong.",
    "429": "Too many requests; see Retry-After.",
}
_READ_ERRORS = ("401", "403", "404", "429")


def document(url: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the API as it is configured at this moment.

    Args:
        url: Address of the API, with a slash at the end.
        settings: Settings of the ExpenseIn side.

    Returns:
        An OpenAPI 3.1 document as JSON values.
    """
    served = [c for c in COLLECTIONS.values() if c.name not in settings["missing_collections"]]
    schemas: dict[str, Any] = {"Error": _ERROR_SCHEMA}
    paths: dict[str, Any] = {}
    for collection in served:
        schemas |= _schemas(collection, settings)
        paths[f"/{collection.name}"] = _collection_path(collection, settings)
        paths[f"/{collection.name}/{{id}}"] = _object_path(collection, settings)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ExpenseIn (emulated)",
            "version": "1.0",
            "description": "The REST contract that the sandbox assumes for ExpenseIn. It is not the vendor's document.",
        },
        "servers": [{"url": url.rstrip("/")}],
        "security": [{"apiKey": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "apiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "ApiKey <key>",
                }
            },
        },
    }


_ERROR_SCHEMA = {
    "type": "object",
    "required": ["code", "message", "errors"],
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string"},
        "errors": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}


def _schemas(collection: Collection, settings: Mapping[str, Any]) -> dict[str, Any]:
    identifier = {"id": _ID_SCHEMAS[settings["id_type"]]}
    fields = {field.name: _field_schema(field.name, field, settings) for field in collection.fields}
    required = [field.name for field in collection.fields if field.required]
    read = {
        "type": "object",
        "required": ["id", *fields],
        "properties": identifier | fields,
    }
    if not collection.write_permission:
        return {collection.singular: read}
    defaults = {field.name: {**fields[field.name], "default": field.initial()} for field in collection.fields}
    empties = {field.name: {**fields[field.name], "default": field.kind.empty} for field in collection.fields}
    for name in required:
        del defaults[name]["default"], empties[name]["default"]
    return {
        collection.singular: read,
        f"{collection.singular}Create": {
            "type": "object",
            "required": required,
            "properties": defaults,
            "additionalProperties": False,
        },
        f"{collection.singular}Replace": {
            "type": "object",
            "description": "Replaces the object: a field that is left out becomes its default, which is empty. "
            "Fields beyond these are accepted when the object already has them.",
            "required": required,
            "properties": identifier | empties,
        },
    } | (
        {
            f"{collection.singular}Merge": {
                "type": "object",
                "description": "Changes the given fields only.",
                "properties": identifier | fields,
            }
        }
        if settings["patch"]
        else {}
    )


def _field_schema(name: str, field: Any, settings: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    longest = {"maxLength": settings["max_name_length"]} if name == "name" else {}
    return {**field.kind.schema, **longest, "description": field.description}


def _reference(schema: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _json_content(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _responses(good: Mapping[str, Any], *errors: str) -> dict[str, Any]:
    bad = {
        status: {"description": _ERRORS[status], "content": _json_content(_reference("Error"))}
        for status in errors
    }
    return {**good, **bad}


def _collection_path(collection: Collection, settings: Mapping[str, Any]) -> dict[str, Any]:
    listed: dict[str, Any] = {"type": "array", "items": _reference(collection.singular)}
    if settings["envelope"] is not None:
        members = {settings["envelope"]: listed}
        if settings["paging"] == "link":
            members["next"] = {"type": ["string", "null"]}
        listed = {"type": "object", "required": list(members), "properties": members}
    path = {
        "get": {
            "summary": f"List {collection.name}",
            "parameters": [
                {"name": name, "in": "query", "schema": {"type": "integer", "minimum": least}}
                for name, _, least in PARAMETERS[settings["paging"]]
            ],
            "responses": _responses(
                {"200": {"description": "The list.", "content": _json_content(listed)}}, "400", *_READ_ERRORS
            ),
        }
    }
    if collection.write_permission:
        made = {"201": {"description": "Made.", "content": _json_content(_reference(collection.singular))}}
        path["post"] = {
            "summary": f"Make one of {collection.name}",
            "requestBody": {
                "required": True,
                "content": _json_content(_reference(f"{collection.singular}Create")),
            },
            "responses": _responses(made, "400", *_READ_ERRORS, "409", "415", "422"),
        }
    return path


def _object_path(collection: Collection, settings: Mapping[str, Any]) -> dict[str, Any]:
    found = {"200": {"description": "The object.", "content": _json_content(_reference(collection.singular))}}
    path: dict[str, Any] = {
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": _ID_SCHEMAS[settings["id_type"]]}
        ],
        "get": {"summary": f"Read one of {collection.name}", "responses": _responses(found, *_READ_ERRORS)},
    }
    verbs = {"put": "Replace"} | ({"patch": "Merge"} if settings["patch"] else {})
    for verb, schema in verbs.items() if collection.write_permission else ():
        path[verb] = {
            "summary": f"{schema} one of {collection.name}",
            "requestBody": {
                "required": True,
                "content": _json_content(_reference(f"{collection.singular}{schema}")),
            },
            "responses": _responses(found, "400", *_READ_ERRORS, "409", "412", "415", "422"),
        }
        if settings["etag"]:
            path[verb]["parameters"] = [{"name": "If-Match", "in": "header", "schema": {"type": "string"}}]
    return path

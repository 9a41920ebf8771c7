"""The OpenAPI document, built from the same declarations that the service runs on, so that it stays true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.expensein.fields import COLLECTIONS, Collection
from sandbox.expensein.paging import MOST, PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
_HEADERS = {
    "ETag": {
        "description": "The object's version, for If-Match.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Link": {"description": "The next page, if there is one.", "schema": {"type": "string"}},
    "Location": {"description": "Path of the object.", "required": True, "schema": {"type": "string"}},
    "Retry-After": {
        "description": "Seconds to wait.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
}
_ERROR_HEADERS = {"412": ("ETag",), "429": ("Retry-After",)}


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
            "The id cannot change. A field beyond these is accepted only where the object has it already.",
            "required": required,
            "properties": identifier | empties,
            "additionalProperties": False,
        },
    } | (
        {
            f"{collection.singular}Merge": {
                "type": "object",
                "description": "Changes the given fields only. The id cannot change. "
                "A field beyond these is accepted only where the object has it already.",
                "properties": identifier | fields,
                "additionalProperties": False,
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


def _answer(description: str, schema: Mapping[str, Any], headers: Iterable[str] = ()) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": description, "content": _json_content(schema)}
    declared = {name: _HEADERS[name] for name in headers}
    return answer | ({"headers": declared} if declared else {})


def _refusals(*statuses: str) -> dict[str, Any]:
    return {
        status: _answer(_ERRORS[status], _reference("Error"), _ERROR_HEADERS.get(status, ()))
        for status in statuses
    }


def _collection_path(collection: Collection, settings: Mapping[str, Any]) -> dict[str, Any]:
    listed: dict[str, Any] = {"type": "array", "items": _reference(collection.singular)}
    linked = settings["paging"] == "link"
    if settings["envelope"] is not None:
        members = {settings["envelope"]: listed}
        if linked:
            members["next"] = {"type": ["string", "null"]}
        listed = {"type": "object", "required": list(members), "properties": members}
    links = ("Link",) if linked and settings["envelope"] is None else ()
    path = {
        "get": {
            "summary": f"List {collection.name}",
            "parameters": [
                {
                    "name": name,
                    "in": "query",
                    "schema": {"type": "integer", "minimum": least, "maximum": MOST},
                }
                for name, _, least in PARAMETERS[settings["paging"]]
            ],
            "responses": {"200": _answer("The list.", listed, links)} | _refusals("400", *_READ_ERRORS),
        }
    }
    if collection.write_permission:
        headers = ("Location", *_version_headers(settings))
        path["post"] = {
            "summary": f"Make one of {collection.name}",
            "requestBody": _body(f"{collection.singular}Create"),
            "responses": {"201": _answer("Made.", _reference(collection.singular), headers)}
            | _refusals("400", *_READ_ERRORS, "409", "415", "422"),
        }
    return path


def _object_path(collection: Collection, settings: Mapping[str, Any]) -> dict[str, Any]:
    versions = _version_headers(settings)
    found = {"200": _answer("The object.", _reference(collection.singular), versions)}
    path: dict[str, Any] = {
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": _ID_SCHEMAS[settings["id_type"]]}
        ],
        "get": {
            "summary": f"Read one of {collection.name}",
            "responses": found | _refusals(*_READ_ERRORS),
        },
    }
    verbs = {"put": "Replace"} | ({"patch": "Merge"} if settings["patch"] else {})
    for verb, schema in verbs.items() if collection.write_permission else ():
        path[verb] = {
            "summary": f"{schema} one of {collection.name}",
            "requestBody": _body(f"{collection.singular}{schema}"),
            "responses": found | _refusals("400", *_READ_ERRORS, "409", "415", "422"),
        }
        if versions:
            path[verb]["parameters"] = [{"name": "If-Match", "in": "header", "schema": {"type": "string"}}]
            path[verb]["responses"] |= _refusals("412")
    return path


def _version_headers(settings: Mapping[str, Any]) -> tuple[str, ...]:
    return ("ETag",) if settings["etag"] else ()


def _body(schema: str) -> dict[str, Any]:
    return {"required": True, "content": _json_content(_reference(schema))}

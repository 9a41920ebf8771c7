"""The ExpenseIn API over HTTP: who may, what is asked, what is answered."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.exactjson import dumps, loads
from sandbox.expensein import openapi, validation
from sandbox.expensein.errors import ApiError
from sandbox.expensein.fields import COLLECTIONS, Collection
from sandbox.expensein.paging import page_of
from sandbox.store import META_API_KEY, Clock, LiveRow, Row, Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp.typedefs import Handler

BASE = "/1.0/"
_PERMISSION_NAMES = {"account_administrator": "Account administrator", "finance_user": "Finance user"}


class ExpenseIn:
    """The API of one ExpenseIn account.

    Args:
        store: Holds the live objects and the API key.
        settings: Settings of this side, read at every request.
        clock: The present moment; decides what ``list_delay`` hides.
    """

    def __init__(self, store: Store, settings: Mapping[str, Any], clock: Clock) -> None:
        """Keep the parts; nothing is read yet."""
        self._store = store
        self._settings = settings
        self._clock = clock
        self._allowance = math.inf  # requests that may still come at once
        self._last_request = 0.0

    def routes(self) -> list[web.RouteDef]:
        """The routes of the listener."""
        return [
            web.get(BASE + "openapi.json", self._openapi),
            web.route("*", BASE + "{collection}", self._on_collection),
            web.route("*", BASE + "{collection}/{id}", self._on_object),
            web.route("*", "/{tail:.*}", self._nowhere),
        ]

    @staticmethod
    def operation_of(request: web.Request) -> str | None:
        """What the request asks for, such as ``GET categories`` (a list), ``GET categories/{id}``, ``PUT categories``."""
        collection = request.match_info.get("collection")
        if collection not in COLLECTIONS:
            return None
        one = request.method == "GET" and "id" in request.match_info
        return f"{request.method} {collection}" + ("/{id}" if one else "")

    @staticmethod
    @web.middleware
    async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Middleware that turns a refusal into its answer."""
        try:
            return await handler(request)
        except ApiError as error:
            return _json(error.body, status=error.status, headers=error.headers)

    def present(self, row: LiveRow) -> str:
        """An object as JSON text, its id in the configured type."""
        return '{"id":' + dumps(self._identifier(row)) + ("," if row.doc != "{}" else "") + row.doc[1:]

    def _identifier(self, row: LiveRow) -> str | int:
        return row.number if self._settings["id_type"] == "number" else row.id

    def find(self, collection: str, identifier: str) -> LiveRow | None:
        """The object that has this id, given as in a path."""
        if self._settings["id_type"] == "string":
            return self._store.get_live(collection, identifier)
        is_number = identifier.isascii() and identifier.isdigit() and int(identifier) < 2**63
        return self._store.get_live(collection, int(identifier)) if is_number else None

    async def _openapi(self, request: web.Request) -> web.Response:
        url = f"{request.scheme}://{request.host}{BASE}"
        return _json(openapi.document(url, self._settings))

    async def _nowhere(self, request: web.Request) -> web.Response:
        self._admit(request)
        message = f"There is nothing at {request.path}."
        raise ApiError(404, "not_found", message)

    async def _on_collection(self, request: web.Request) -> web.Response:
        verbs = {"GET": self._list, "POST": self._create}
        return await self._dispatch(request, verbs)

    async def _on_object(self, request: web.Request) -> web.Response:
        verbs = {"GET": self._read, "PUT": self._replace, "PATCH": self._merge}
        return await self._dispatch(request, verbs)

    async def _dispatch(
        self,
        request: web.Request,
        verbs: Mapping[str, Callable[[web.Request, Collection], Awaitable[web.Response]]],
    ) -> web.Response:
        self._admit(request)
        name = request.match_info["collection"]
        collection = COLLECTIONS.get(name)
        if collection is None or name in self._settings["missing_collections"]:
            message = f"There is nothing at {request.path}."
            raise ApiError(404, "not_found", message)
        self._permit(collection, writes=request.method != "GET")
        offered = [verb for verb in verbs if verb == "GET" or collection.write_permission]
        if not self._settings["patch"]:
            offered = [verb for verb in offered if verb != "PATCH"]
        if request.method not in offered:
            message = f"{request.method} is not offered at {request.path}."
            raise ApiError(405, "method_not_allowed", message, headers={"Allow": ", ".join(offered)})
        return await verbs[request.method](request, collection)

    # Who may

    def _admit(self, request: web.Request) -> None:
        """Rate limit, key and address."""
        self._throttle()
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        known = self._store.meta(META_API_KEY)
        if scheme != "ApiKey" or not compare_digest(key.strip().encode(), str(known).encode()):
            message = "The API key is missing or unknown. Send it as: Authorization: ApiKey <key>."
            raise ApiError(401, "unauthorized", message)
        if not self._settings["allowed"]:
            message = f"The API key may not be used from the IP address {request.remote}."
            raise ApiError(403, "ip_not_allowed", message)

    def _throttle(self) -> None:
        limit = self._settings["rate_limit"]
        if limit is None:
            return
        now = time.monotonic()
        self._allowance = min(max(1, limit), self._allowance + (now - self._last_request) * limit)
        self._last_request = now
        if self._allowance < 1:
            wait = math.ceil((1 - self._allowance) / limit)
            message = f"Too many requests: at most {limit} per second."
            raise ApiError(429, "too_many_requests", message, headers={"Retry-After": str(wait)})
        self._allowance -= 1

    def _permit(self, collection: Collection, *, writes: bool) -> None:
        if collection.module and not self._settings["invoicing"]:
            message = f"The {collection.module} module is not enabled for this account."
            raise ApiError(403, "module_not_enabled", message)
        needed = collection.write_permission if writes else collection.read_permission
        if needed and needed not in self._settings["permissions"]:
            verb = "change" if writes else "read"
            message = f"The API key lacks the permission {_PERMISSION_NAMES[needed]} ({needed}) needed to {verb} {collection.name}."
            raise ApiError(403, "permission_denied", message)

    # What is asked

    async def _list(self, request: web.Request, collection: Collection) -> web.Response:
        page = page_of(self._settings, request.query)
        delay = self._settings["list_delay"]
        # One more than asked for tells whether there is a next page.
        rows = self._store.page_live(
            collection.name,
            after=page.after,
            offset=page.offset,
            limit=page.limit + 1 if page.limit > 0 else page.limit,
            created_by=self._clock() - timedelta(seconds=delay) if delay else None,
        )
        has_more = 0 < page.limit < len(rows)
        shown = rows[: page.limit] if has_more else rows
        text = "[" + ",".join(map(self.present, shown)) + "]"
        headers, envelope = {}, self._settings["envelope"]
        following = None
        if has_more and self._settings["paging"] == "link":
            following = f"{request.scheme}://{request.host}{request.path}?cursor={shown[-1].number}"
        if envelope is not None:
            text = f"{{{dumps(envelope)}:{text}"
            text += f',"next":{dumps(following)}}}' if self._settings["paging"] == "link" else "}"
        elif following:
            headers["Link"] = f'<{following}>; rel="next"'
        return web.Response(text=text, content_type="application/json", headers=headers)

    async def _create(self, request: web.Request, collection: Collection) -> web.Response:
        fields = validation.created(collection, await _body(request), self._settings["max_name_length"])
        self._keep_unique(collection, fields, own=None)
        row = self._store.insert_live(collection.name, fields)
        location = f"{BASE}{collection.name}/{self._identifier(row)}"
        return self._object(row, status=201, headers={"Location": location})

    async def _read(self, request: web.Request, collection: Collection) -> web.Response:
        return self._object(self._get(request, collection))

    async def _replace(self, request: web.Request, collection: Collection) -> web.Response:
        return await self._change(request, collection, validation.replaced)

    async def _merge(self, request: web.Request, collection: Collection) -> web.Response:
        return await self._change(request, collection, validation.merged)

    async def _change(
        self,
        request: web.Request,
        collection: Collection,
        judge: Callable[[Collection, object, Row, int], Row],
    ) -> web.Response:
        body = await _body(request)
        # From here on nothing waits, so no other request comes between the look and the write.
        row = self._get(request, collection)
        fields = judge(collection, body, loads(self.present(row)), self._settings["max_name_length"])
        self._keep_unique(collection, fields, own=row.number)
        self._match(
            request, row
        )  # last: a precondition does not count where the answer is no anyway (RFC 9110)
        return self._object(self._store.replace_live(collection.name, row.number, fields))

    def _get(self, request: web.Request, collection: Collection) -> LiveRow:
        identifier = request.match_info["id"]
        row = self.find(collection.name, identifier)
        if row is None:
            message = f"{collection.singular} {identifier} does not exist."
            raise ApiError(404, "not_found", message)
        return row

    def _match(self, request: web.Request, row: LiveRow) -> None:
        wanted = request.headers.get("If-Match")
        if not self._settings["etag"] or wanted is None or wanted.strip() == "*":
            return
        if _etag(row) not in [tag.strip() for tag in wanted.split(",")]:
            message = "The object was changed since it was read; If-Match does not fit its present ETag."
            raise ApiError(412, "precondition_failed", message, headers={"ETag": _etag(row)})

    def _keep_unique(self, collection: Collection, fields: Row, own: int | None) -> None:
        if self._settings["unique_names"]:
            taken = self._store.find_live(collection.name, name=fields["name"])
            _refuse_duplicate(collection, "name", fields["name"], [one for one in taken if one != own])
        if self._settings["unique_references"] and fields["reference"]:
            taken = self._store.find_live(collection.name, reference=fields["reference"])
            _refuse_duplicate(
                collection, "reference", fields["reference"], [one for one in taken if one != own]
            )

    # What is answered

    def _object(
        self, row: LiveRow, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> web.Response:
        all_headers = dict(headers or {})
        if self._settings["etag"]:
            all_headers["ETag"] = _etag(row)
        text = self.present(row)
        return web.Response(text=text, status=status, content_type="application/json", headers=all_headers)


def _etag(row: LiveRow) -> str:
    return f'"{row.number}-{row.version}"'


def _refuse_duplicate(collection: Collection, field: str, value: str, taken: list[int]) -> None:
    if taken:
        message = f"{collection.singular} with the {field} {value!r} already exists."
        raise ApiError(409, f"duplicate_{field}", message, {field: [message]})


async def _body(request: web.Request) -> object:
    if request.content_type != "application/json":
        message = (
            f"Send the body as application/json, not as {request.headers.get('Content-Type', 'nothing')}."
        )
        raise ApiError(415, "unsupported_media_type", message)
    try:
        return loads(await request.read())
    except ValueError as error:
        message = f"The body is not valid JSON: {error}."
        raise ApiError(400, "malformed_request", message) from error


def _json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(text=dumps(body), status=status, content_type="application/json", headers=headers)

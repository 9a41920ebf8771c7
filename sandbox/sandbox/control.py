"""The control API: what a test or a person does to the sandbox from outside, over HTTP and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.exactjson import dumps, loads
from sandbox.faults import FaultError
from sandbox.seeds import SeedError
from sandbox.settings import SettingError
from sandbox.store import DATASETS, StoreError
from sandbox.world import ControlError, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp.typedefs import Handler

#: What GET / answers.
CONTENTS = {
    "GET /": "this list",
    "GET /info": "addresses and credentials",
    "GET /state": "everything, in the shape of a seed",
    "POST /reset": '{"seed": name, file or content}: begin anew',
    "GET, PUT, POST /accountsiq/{entity}/{dataset}": "rows: all, replace all, append one",
    "GET, PATCH, DELETE /accountsiq/{entity}/{dataset}/{key}": "the row (or twins) with this key",
    "GET, POST /expensein/{collection}": "objects: all, make one",
    "GET, PATCH, DELETE /expensein/{collection}/{id}": "one object",
    "GET, PATCH /settings": "settings of both sides",
    "GET, PUT, DELETE /faults": "fault rules: all, replace all, remove all",
    "GET, DELETE /requests[?side=…]": "the last requests, oldest first; forget them and the counters",
    "GET /counters": "requests by side and operation",
}


class ControlApi:
    """The routes of the control listener.

    Args:
        world: What is controlled.
        info: Gives the addresses and credentials.
    """

    def __init__(self, world: World, info: Callable[[], Mapping[str, Any]]) -> None:
        """Keep what is controlled."""
        self._world = world
        self._info = info

    def routes(self) -> list[web.RouteDef]:
        """All routes."""
        dataset, collection = "/accountsiq/{entity}/{dataset}", "/expensein/{collection}"
        row, one = dataset + "/{key:.*}", collection + "/{id}"
        world = self._world
        return [
            web.get("/", _answering(lambda _: CONTENTS)),
            web.get("/info", _answering(lambda _: self._info())),
            web.get("/state", _answering(lambda _: world.state())),
            web.post("/reset", self._reset),
            web.get(dataset, _answering(lambda request: world.source(*_dataset(request)))),
            web.put(dataset, self._set_source),
            web.post(dataset, self._add_source),
            web.get(row, self._get_source),
            web.patch(row, self._edit_source),
            web.delete(row, _answering(lambda request: world.remove_source(*_row(request)))),
            web.get(collection, _answering(lambda request: world.live(request.match_info["collection"]))),
            web.post(collection, self._add_live),
            web.get(one, _answering(lambda request: world.live_one(*_object(request)))),
            web.patch(one, self._edit_live),
            web.delete(one, _answering(lambda request: world.remove_live(*_object(request)))),
            web.get("/settings", _answering(lambda _: world.settings())),
            web.patch("/settings", self._configure),
            web.get("/faults", _answering(lambda _: world.faults.public())),
            web.put("/faults", self._set_faults),
            web.delete("/faults", _answering(lambda _: world.clear_faults())),
            web.get("/requests", _answering(lambda request: world.log.entries(request.query.get("side")))),
            web.delete("/requests", _answering(lambda _: world.clear_requests())),
            web.get("/counters", _answering(lambda _: world.log.count())),
        ]

    @staticmethod
    @web.middleware
    async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Middleware that answers wrong requests with 400 and a message."""
        try:
            return await handler(request)
        except (ControlError, FaultError, SeedError, SettingError, StoreError) as error:
            return _json({"message": str(error)}, status=400)
        except web.HTTPException as error:
            return _json({"message": f"{request.method} {request.path}: {error.reason}"}, status=error.status)

    async def _reset(self, request: web.Request) -> web.Response:
        body = await _object_body(request)
        if "seed" not in body:
            message = 'the body must be {"seed": name, file or content}'
            raise ControlError(message)
        self._world.reset(body["seed"])
        return _json(self._info())

    async def _set_source(self, request: web.Request) -> web.Response:
        entity, dataset = _dataset(request)
        rows = await _body(request)
        if isinstance(rows, dict) and not DATASETS.get(dataset, "no"):
            rows = [rows]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            message = "the body must be a list of rows"
            raise ControlError(message)
        self._world.set_source(entity, dataset, rows)
        return _json(rows)

    async def _add_source(self, request: web.Request) -> web.Response:
        return _json(self._world.add_source(*_dataset(request), await _object_body(request)), status=201)

    async def _get_source(self, request: web.Request) -> web.Response:
        entity, dataset, key = _row(request)
        rows = [
            row for row in self._world.source(entity, dataset) if str(row.get(DATASETS[dataset], "")) == key
        ]
        return _json(rows, status=200 if rows else 404)

    async def _edit_source(self, request: web.Request) -> web.Response:
        return _json(self._world.edit_source(*_row(request), await _object_body(request)))

    async def _add_live(self, request: web.Request) -> web.Response:
        body = await _object_body(request)
        return _json(self._world.add_live(request.match_info["collection"], body), status=201)

    async def _edit_live(self, request: web.Request) -> web.Response:
        return _json(self._world.edit_live(*_object(request), await _object_body(request)))

    async def _configure(self, request: web.Request) -> web.Response:
        body = await _object_body(request)
        if not all(isinstance(values, dict) for values in body.values()):
            message = 'the body must be {"accountsiq": {…}, "expensein": {…}}'
            raise ControlError(message)
        return _json(self._world.configure(body))

    async def _set_faults(self, request: web.Request) -> web.Response:
        rules: Any = await _body(request)
        self._world.faults.replace(rules)
        return _json(self._world.faults.public())


def _answering(act: Callable[[web.Request], object]) -> Handler:
    """A handler that needs nothing from the body: 200 with the result, 204 when there is none."""

    async def handle(request: web.Request) -> web.Response:
        result = act(request)
        return web.Response(status=204) if result is None else _json(result)

    return handle


def _dataset(request: web.Request) -> tuple[str, str]:
    return request.match_info["entity"], request.match_info["dataset"]


def _row(request: web.Request) -> tuple[str, str, str]:
    return *_dataset(request), request.match_info["key"]


def _object(request: web.Request) -> tuple[str, str]:
    return request.match_info["collection"], request.match_info["id"]


async def _body(request: web.Request) -> object:
    try:
        return loads(await request.read())
    except ValueError as error:
        message = f"the body is not JSON: {error}"
        raise ControlError(message) from error


async def _object_body(request: web.Request) -> dict[str, Any]:
    body = await _body(request)
    if not isinstance(body, dict):
        message = "the body must be a JSON object"
        raise ControlError(message)
    return body


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(text=dumps(value), status=status, content_type="application/json")

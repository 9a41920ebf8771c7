"""The sandbox inside a test process: three real servers on a thread, and methods to look into them and to change them.

with Sandbox(seed="empty") as box:
    box.add_source(box.entities[0], "accounts", Code="0100", Description="Travel")
    run_the_thing(box.environment())
    assert box.live("categories")[0]["reference"] == "0100"
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sandbox.server import Options, Server, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sandbox.requestlog import Observer
    from sandbox.store import Row
    from sandbox.world import Seed, World

_Result = TypeVar("_Result")


class Sandbox:
    """Both services on ports of their own, until the ``with`` block ends.

    Every method may be called from any thread; it runs between two requests, never in the middle of one.

    Args:
        seed: ``company``, ``empty``, ``generated:…``, a file, or the content of a seed.
        tls: Both sides speak https; `ca_bundle` names the file to verify them with.
        accountsiq: Settings of the AccountsIQ side.
        expensein: Settings of the ExpenseIn side.
        db: Database file; None for memory.
        latency: Seconds by which every answer is late.
        faults: Fault rules to begin with.
    """

    def __init__(
        self,
        seed: Seed = "company",
        *,
        tls: bool = False,
        accountsiq: Mapping[str, Any] | None = None,
        expensein: Mapping[str, Any] | None = None,
        db: str | None = None,
        latency: float = 0,
        faults: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Keep how to start; nothing runs yet."""
        settings = {"accountsiq": accountsiq or {}, "expensein": expensein or {}}
        self._options = Options(seed=seed, tls=tls, db=db, latency=latency, faults=faults, settings=settings)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), name="sandbox", daemon=True
        )
        self._started: Future[None] = Future()
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self._server: Server | None = None

    def __enter__(self) -> Self:
        """Start the servers."""
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            self._thread.join()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the servers; requests that still wait are broken off."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._server = None

    # Addresses and credentials

    def info(self) -> dict[str, Any]:
        """Addresses and credentials, as in the first line of `sandbox serve`."""
        return self._call(self._running().info)

    @property
    def accountsiq_url(self) -> str:
        """Address of the SOAP service."""
        return str(self.info()["accountsiq"]["url"])

    @property
    def expensein_url(self) -> str:
        """Address of the REST API, with a slash at the end."""
        return str(self.info()["expensein"]["url"])

    @property
    def control_url(self) -> str:
        """Address of the control API, with a slash at the end."""
        return str(self.info()["control"]["url"])

    @property
    def client_id(self) -> str:
        """Client id of the AccountsIQ application."""
        return str(self.info()["accountsiq"]["client_id"])

    @property
    def client_secret(self) -> str:
        """Client secret of the AccountsIQ application."""
        return str(self.info()["accountsiq"]["client_secret"])

    @property
    def entities(self) -> list[str]:
        """Ids of the AccountsIQ entities."""
        return list(self.info()["accountsiq"]["entities"])

    @property
    def api_key(self) -> str:
        """The ExpenseIn API key as it is now."""
        return str(self.info()["expensein"]["api_key"])

    @property
    def ca_bundle(self) -> str | None:
        """File with the certificate authority, or None without TLS."""
        found: str | None = self.info()["ca_bundle"]
        return found

    def environment(self) -> dict[str, str]:
        """The variables that `sandbox run` gives to its command."""
        return environment(self.info())

    # Data

    def reset(self, seed: Seed) -> None:
        """Begin anew with a seed."""
        self._call(self._world.reset, seed)

    def state(self) -> dict[str, Any]:
        """Everything, in the shape of a seed."""
        return self._call(self._world.state)

    def source(self, entity: str, dataset: str) -> list[Row]:
        """All rows of an AccountsIQ dataset."""
        return self._call(self._world.source, entity, dataset)

    def set_source(self, entity: str, dataset: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace a dataset."""
        self._call(self._world.set_source, entity, dataset, rows)

    def add_source(self, entity: str, dataset: str, **fields: Any) -> Row:  # noqa: ANN401 - JSON values
        """Append a row."""
        return self._call(self._world.add_source, entity, dataset, fields)

    def edit_source(self, entity: str, dataset: str, key: str, **fields: Any) -> list[Row]:  # noqa: ANN401 - JSON values
        """Change fields of the row with this key (of all of them, with twins); ``company`` has the key ""."""
        return self._call(self._world.edit_source, entity, dataset, key, fields)

    def remove_source(self, entity: str, dataset: str, key: str) -> None:
        """Remove the row with this key (all of them, with twins)."""
        self._call(self._world.remove_source, entity, dataset, key)

    def live(self, collection: str) -> list[Row]:
        """All objects of an ExpenseIn collection, as an admin sees them."""
        return self._call(self._world.live, collection)

    def add_live(self, collection: str, **fields: Any) -> Row:  # noqa: ANN401 - JSON values
        """Make an object by hand, defaults filled in. Fields beyond the API's are kept."""
        return self._call(self._world.add_live, collection, fields)

    def edit_live(self, collection: str, id: str | int, **fields: Any) -> Row:  # noqa: A002, ANN401 - the field's name; JSON values
        """Change fields of an object by hand."""
        return self._call(self._world.edit_live, collection, id, fields)

    def remove_live(self, collection: str, id: str | int) -> None:  # noqa: A002 - the field's name
        """Delete an object by hand."""
        self._call(self._world.remove_live, collection, id)

    # Settings, faults, log

    def configure(self, **sides: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Change settings: ``configure(expensein={"etag": True})``. Returns all settings."""
        return self._call(self._world.configure, sides)

    def faults(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Replace the fault rules."""
        self._call(self._world.faults.replace, rules)

    def clear_faults(self) -> None:
        """Remove all fault rules."""
        self._call(self._world.clear_faults)

    def requests(self, side: str | None = None) -> list[dict[str, Any]]:
        """The last requests, oldest first, of one side or of both."""
        return self._call(self._world.log.entries, side)

    def clear_requests(self) -> None:
        """Forget requests and counters."""
        self._call(self._world.clear_requests)

    def counters(self) -> dict[str, dict[str, int]]:
        """How often each operation was asked for, per side."""
        return self._call(self._world.log.count)

    def observe(self, observer: Observer | None) -> None:
        """Have every request told to a function, in the place of an earlier one; None for nobody.

        It is called when a request arrives and when the work is done, before the answer is sent; until it returns, nothing
        else happens in the sandbox. It may call the methods of this class.
        """
        self._call(self._replace_observer, observer)

    def _replace_observer(self, observer: Observer | None) -> None:
        self._world.log.observers[:] = [] if observer is None else [observer]

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        try:
            server = Server(self._options)
            await server.start()
        except Exception as error:
            self._started.set_exception(error)
            return
        self._server = server
        self._started.set_result(None)
        await self._stopping.wait()
        await server.stop()

    def _running(self) -> Server:
        if self._server is None:
            message = "the sandbox runs only inside its with block"
            raise RuntimeError(message)
        return self._server

    @property
    def _world(self) -> World:
        return self._running().world

    def _call(self, function: Callable[..., _Result], *arguments: object) -> _Result:
        if threading.current_thread() is self._thread:  # from an observer
            return function(*arguments)

        async def run() -> _Result:
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

"""Three listeners in one event loop: AccountsIQ, ExpenseIn, and control."""

from __future__ import annotations

import os
import shutil
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trustme
from aiohttp import web

from sandbox import middleware
from sandbox.control import ControlApi
from sandbox.exactjson import dumps
from sandbox.expensein.service import BASE, ExpenseIn
from sandbox.store import Store, utc_now
from sandbox.world import Seed, World

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aiohttp.typedefs import Middleware

ACCOUNTSIQ_PATH = "/system/dashboard/integration/integration_2_0.asmx"
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - names for it, not a binding  # nosec B104
_MAX_REQUEST = 64 * 2**20  # bytes; a seed of a big company goes through the control API
_SHUTDOWN_SECONDS = 0.1  # how long running requests may go on when the server stops


@dataclass(frozen=True)
class Options:
    """How the sandbox is started.

    Attributes:
        host: Address to listen on.
        accountsiq_port: Port of the AccountsIQ side; 0 for any free one.
        expensein_port: Port of the ExpenseIn side; 0 for any free one.
        control_port: Port of the control API; 0 for any free one.
        db: Database file; None for memory.
        seed: Name, file or content of the seed for a new database.
        tls: Both sides speak https, with a certificate authority made for the occasion.
        latency: Seconds by which every answer of both sides is late.
        faults: Fault rules to begin with.
        settings: Settings per side to begin with.
    """

    host: str = "127.0.0.1"
    accountsiq_port: int = 0
    expensein_port: int = 0
    control_port: int = 0
    db: str | None = None
    seed: Seed = "company"
    tls: bool = False
    latency: float = 0
    faults: Sequence[Mapping[str, Any]] = ()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Server:
    """The sandbox, started and stopped inside a running event loop.

    Args:
        options: How it is started.

    Attributes:
        world: Everything behind the listeners.

    Raises:
        StoreError: The database file cannot be used.
        SeedError: The seed is unknown or wrong.
        FaultError: A fault rule is wrong.
        SettingError: A setting is wrong.
    """

    def __init__(self, options: Options) -> None:
        """Build the world; nothing listens yet."""
        self._options = options
        self._store = Store(options.db)
        try:
            self.world = World(
                self._store,
                options.seed,
                settings=options.settings,
                faults=options.faults,
                latency=options.latency,
            )
        except BaseException:
            self._store.close()
            raise
        self._runners: list[web.AppRunner] = []
        self._ports: dict[str, int] = {}
        self._scratch: Path | None = None
        self._ca_bundle: str | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: A port is taken or the address is not this machine's.
        """
        world, options = self.world, self._options
        tls = self._make_certificate() if options.tls else None
        accountsiq = middleware.Side(
            "accountsiq",
            world.accountsiq.operation_of,
            world.accountsiq.expire_tokens,
            world.accountsiq.in_band_error,
        )
        expensein = middleware.Side("expensein", ExpenseIn.operation_of)
        try:
            await self._listen(
                "accountsiq",
                options.accountsiq_port,
                world.accountsiq.routes(),
                [self._around(accountsiq)],
                tls,
            )
            await self._listen(
                "expensein",
                options.expensein_port,
                world.expensein.routes(),
                [self._around(expensein), ExpenseIn.refusals],
                tls,
            )
            control = ControlApi(world, self.info)
            await self._listen("control", options.control_port, control.routes(), [ControlApi.refusals], None)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop listening at once, and close the database."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)
        self.world.close()

    def info(self) -> dict[str, Any]:
        """Addresses and credentials: the first line of `sandbox serve`."""
        credentials = self.world.credentials()
        scheme = "https" if self._options.tls else "http"
        return {
            "accountsiq": {
                "url": self._url(scheme, "accountsiq", ACCOUNTSIQ_PATH),
                **credentials["accountsiq"],
            },
            "expensein": {"url": self._url(scheme, "expensein", BASE), **credentials["expensein"]},
            "control": {"url": self._url("http", "control", "/")},
            "ca_bundle": self._ca_bundle,
        }

    def _url(self, scheme: str, listener: str, path: str) -> str:
        host = _ANY_ADDRESS.get(self._options.host, self._options.host)
        return f"{scheme}://{host}:{self._ports[listener]}{path}"

    def _around(self, side: middleware.Side) -> Middleware:
        world = self.world
        return middleware.build(
            side,
            world.faults,
            world.log,
            utc_now,
            latency=lambda: world.latency,
            skew=lambda: world.skew(side.name),
        )

    async def _listen(
        self,
        name: str,
        port: int,
        routes: Iterable[web.RouteDef],
        middlewares: Sequence[Middleware],
        tls: ssl.SSLContext | None,
    ) -> None:
        application = web.Application(middlewares=middlewares, client_max_size=_MAX_REQUEST)
        application.add_routes(routes)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, self._options.host, port, ssl_context=tls, backlog=1024).start()
        self._ports[name] = runner.addresses[0][1]

    def _make_certificate(self) -> ssl.SSLContext:
        authority = trustme.CA()
        names = {"127.0.0.1", "localhost", _ANY_ADDRESS.get(self._options.host, self._options.host)}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*sorted(names)).configure_cert(context)
        self._scratch = Path(tempfile.mkdtemp(prefix="sandbox-"))
        bundle = self._scratch / "ca.pem"
        authority.cert_pem.write_to_path(str(bundle))
        self._ca_bundle = str(bundle)
        return context


def environment(info: Mapping[str, Any]) -> dict[str, str]:
    """The environment in which tap and target find the sandbox.

    Args:
        info: What `Server.info` gives.

    Returns:
        Names and values of the variables. The entities stay as they are when the caller's environment names them.
    """
    accountsiq, expensein = info["accountsiq"], info["expensein"]
    variables = {
        "TAP_ACCOUNTSIQ_API_URL": accountsiq["url"],
        "TAP_ACCOUNTSIQ_CLIENT_ID": accountsiq["client_id"],
        "TAP_ACCOUNTSIQ_CLIENT_SECRET": accountsiq["client_secret"],
        "TAP_ACCOUNTSIQ_ENTITIES": os.environ.get("TAP_ACCOUNTSIQ_ENTITIES") or dumps(accountsiq["entities"]),
        "TARGET_EXPENSEIN_API_URL": expensein["url"],
        "TARGET_EXPENSEIN_API_KEY": expensein["api_key"],
        "SANDBOX_CONTROL_URL": info["control"]["url"],
    }
    if info["ca_bundle"]:
        variables["TAP_ACCOUNTSIQ_CA_BUNDLE"] = info["ca_bundle"]
        variables["TARGET_EXPENSEIN_CA_BUNDLE"] = info["ca_bundle"]
    return variables

"""The command: settings, streams offered, ``--discover``, ``--test``, and how a run ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from functools import cached_property
from importlib import metadata
from types import FrameType
from typing import IO, Any, ClassVar, NoReturn

import click
from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError, MappingError
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities, TapCapabilities
from singer_sdk.tap_base import CliTestOptionValue

from tap_accountsiq import check, errors, settings
from tap_accountsiq.client import AccountsIQ
from tap_accountsiq.entity_stream import EntityStream
from tap_accountsiq.soap import Wire
from tap_accountsiq.spool import MEGABYTE, Limits
from tap_accountsiq.streams import STREAMS, StreamDeclaration
from tap_accountsiq.writer import MessageWriter


class TapAccountsIQ(Tap):
    """Singer tap for AccountsIQ (SOAP Integration 2.0): accounts, dimension options, BI codes, tax rates, suppliers."""

    name = "tap-accountsiq"
    message_writer: MessageWriter  # the SDK makes one of the class below
    message_writer_class = MessageWriter
    config_jsonschema: ClassVar[dict[str, Any]] = settings.SETTINGS
    declarations: ClassVar[tuple[StreamDeclaration, ...]] = STREAMS
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        TapCapabilities.ACTIVATE_VERSION,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    @cached_property
    def failures(self) -> list[tuple[str, errors.AccountsIQError]]:
        """Stream name and error of each read that did not work."""
        return []

    @cached_property
    def service(self) -> AccountsIQ:
        """The service, under the settings; made, and signed in to, when it is first needed."""
        wire = Wire(
            settings.address(self.config),
            limits=Limits(
                silence=self.config["request_timeout"],
                duration=self.config["answer_timeout"],
                size=self.config["max_answer_megabytes"] * MEGABYTE,
            ),
            user_agent=self.config.get("user_agent") or f"{self.name}/{metadata.version(self.name)}",
            ca_bundle=self.config.get("ca_bundle"),
        )
        return AccountsIQ(wire, self.config["client_id"], self.config["client_secret"])

    def discover_streams(self) -> list[EntityStream]:
        """Return the declared streams; this needs neither network nor credentials."""
        return [EntityStream(self, declaration) for declaration in self.declarations]

    def setup_mapper(self) -> None:
        """Prepare the mapper, after the streams have completed the selection in the catalog."""
        for stream in self.streams.values():
            _ = stream.metadata
        for unknown in sorted(set(self.input_catalog or ()) - set(self.streams)):
            self.logger.warning("The catalog names the stream %s, which this tap does not have.", unknown)
        super().setup_mapper()

    def _handle_termination(self, signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG002
        """Stop with a code that says so: the SDK's own handler would end a cut-short read with success."""
        self.logger.error(
            "Stopped by %s: what was not read to its end is not whole.", signal.Signals(signum).name
        )
        sys.exit(128 + signum)

    def failed(self, stream: str, error: errors.AccountsIQError) -> None:
        """Note that a stream could not be read for an entity; the run ends with exit code 1."""
        self.failures.append((stream, error))
        self.logger.info("%s: could not be read for %s.", stream, error.entity)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings in the tap's own words, in place of the SDK's.

        Raises:
            ConfigValidationError: Something is wrong, and `raise_errors` is set.
        """
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        found = settings.problems(self._config, schema)
        if found and raise_errors:
            msg = "Config validation failed"
            raise ConfigValidationError(msg, errors=found, schema=schema)
        return found

    # --- the command line ---------------------------------------------------------------------------------------------

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:  # noqa: ANN401
        """Read the configuration files; a file that cannot be read is a usage error, not a traceback."""
        try:
            return super().cb_config(ctx, param, value)
        except (OSError, TypeError, ValueError) as error:
            raise click.BadParameter(
                f"{' '.join(value)} cannot be read as a JSON object ({error}).", ctx=ctx, param=param
            ) from error

    @classmethod
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:  # noqa: ARG003, FBT001 - the SDK's
        """Print the catalog; needs no network, no credentials and no configuration."""
        if not value:
            return
        with cls._plain_ending():
            cls._made(ctx.params.get("config"), validate_config=False, setup_mapper=False).run_discovery()
        ctx.exit()

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:  # noqa: ARG003 - the SDK's
        """Say in plain words whether signing in and every read work; exit code 1 if not.

        With ``--test=schema``: print the schemas, without asking the service.
        """
        if value == CliTestOptionValue.Disabled.value:
            return
        good = True
        with cls._plain_ending():
            tap = cls._made(ctx.params.get("config"))
            if value == CliTestOptionValue.Schema.value:
                tap.write_schemas()
                ctx.exit()
            streams = [stream for stream in tap.streams.values() if isinstance(stream, EntityStream)]
            for line in check.report(tap.service, streams, tap.config["entities"]):
                click.echo(line.text)
                good = good and line.good
        ctx.exit(0 if good else 1)

    @classmethod
    def invoke(  # type: ignore[override]  # the SDK narrows its base class in the same way
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: Any = None,  # noqa: ANN401 - a private type of the SDK
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
    ) -> None:
        """Run the tap. Exit code 1 when anything could not be read, with one line for each.

        Args:
            about: Print what the tap is, instead of running it.
            about_format: ``json`` or ``markdown``.
            config: What `cb_config` made of ``--config``.
            state: File with the last state.
            catalog: File with the catalog.
        """
        if about:
            cls.print_about(about_format)
            return
        cls.print_version(print_fn=cls.logger.info)
        with cls._plain_ending():
            tap = cls._made(
                config,
                state=_state(state),
                catalog=_catalog(catalog),
            )
            with contextlib.suppress(errors.AccountsIQError):  # noted as a failure by the stream that met it
                tap.sync_all()
            for stream, error in tap.failures:
                cls.logger.error("%s, %s: %s", error.entity or "sign-in", stream, error.explanation)
            if tap.failures:
                sys.exit(1)

    @classmethod
    def _made(cls, config: Any, **kwargs: Any) -> TapAccountsIQ:  # noqa: ANN401
        """Make a tap from what the command line says; environment variables of the wrong kind get a name."""
        try:
            return cls(
                config=config.config if config else {},
                parse_env_config=bool(config and config.parse_env),
                **kwargs,
            )
        except ValueError as error:
            problem = (
                f"an environment variable TAP_ACCOUNTSIQ_… does not hold what its setting needs: {error}"
            )
            raise ConfigValidationError(problem, errors=[problem]) from error

    @classmethod
    @contextlib.contextmanager
    def _plain_ending(cls) -> Iterator[None]:
        """End foreseen troubles with a line for people and exit code 1, never with a traceback."""
        try:
            yield
        except ConfigValidationError as error:
            for line in error.errors:
                cls.logger.error("Configuration: %s", line)
            sys.exit(1)
        except MappingError as error:
            cls.logger.error("Configuration: stream_maps: %s", error)
            sys.exit(1)
        except BrokenPipeError:
            # Nobody reads any more: what Python still holds for them must not cause a second error at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            cls.logger.error("The target stopped reading; the run is not complete.")
            sys.exit(1)


def _state(file: IO[str] | None) -> dict[str, Any] | None:
    """Read a state file.

    Raises:
        ConfigValidationError: It holds no bookmarks by stream.
    """
    state = _json_object(file, "state")
    bookmarks = (state or {}).get("bookmarks", {})
    if not isinstance(bookmarks, dict) or not all(isinstance(each, dict) for each in bookmarks.values()):
        problem = (
            f'{file and file.name}: the state must have the form {{"bookmarks": {{"a stream": {{…}}}}}}.'
        )
        raise ConfigValidationError(problem, errors=[problem])
    return state


def _catalog(file: IO[str] | None) -> dict[str, Any] | None:
    """Read a catalog file. The metadata's replication method goes before the one that discovery wrote.

    Raises:
        ConfigValidationError: It is no JSON object.
    """
    catalog = _json_object(file, "catalog")
    for stream in (catalog or {}).get("streams", []):
        for entry in stream.get("metadata", []):
            if not entry["breadcrumb"] and (method := entry["metadata"].get("replication-method")):
                stream["replication_method"] = method
    return catalog


def _json_object(file: IO[str] | None, what: str) -> dict[str, Any] | None:
    """Read a catalog or state file.

    Raises:
        ConfigValidationError: It is no JSON object.
    """
    if file is None:
        return None
    try:
        content = json.load(file)
    except ValueError as error:
        problem = f"{file.name}: the {what} is not valid JSON ({error})."
        raise ConfigValidationError(problem, errors=[problem]) from error
    if not isinstance(content, dict):
        problem = f"{file.name}: the {what} must be a JSON object."
        raise ConfigValidationError(problem, errors=[problem])
    return content

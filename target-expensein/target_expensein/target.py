"""The Singer target: settings and messages in, state out. The work is done by :mod:`target_expensein.engine`."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from typing import IO, TYPE_CHECKING, Any, ClassVar, NoReturn, cast

import click
import msgspec
import simplejson
from singer_sdk.exceptions import ConfigValidationError, RecordsWithoutSchemaException
from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.singerlib.exceptions import InvalidInputLine
from singer_sdk.target_base import Target

from target_expensein import report
from target_expensein.api.errors import ApiError
from target_expensein.engine import ItemResult
from target_expensein.intake import Intake, NotARecordError
from target_expensein.ledger import LedgerError
from target_expensein.reader import MessageReader
from target_expensein.redaction import RedactedLog, Redaction
from target_expensein.run import Surroundings, carry_out, sync_tasks
from target_expensein.settings import SCHEMA, Settings, load
from target_expensein.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import PurePath
    from types import FrameType

    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.plugin_base import _ConfigInput
    from singer_sdk.singerlib.encoding.base import GenericSingerReader

CONFIG_TEST_STREAM = "meltano_test_stream"
"""What ``meltano config test`` sends instead of data: then the connection is tested and nothing is written."""


class TargetExpenseIn(Target):
    """Singer target for ExpenseIn.

    Keeps categories, projects, departments, tax rates and suppliers aligned with the source: matched on the
    reference, compared with the live state, never deleted.
    """

    name = "target-expensein"
    settings: Settings
    config_jsonschema: ClassVar[dict[str, Any]] = SCHEMA
    message_reader_class = MessageReader
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Leave the settings as they are: the SDK's own concern tables, which there are none of here."""

    def __init__(
        self,
        *,
        config: dict[str, Any] | PurePath | str | list[PurePath | str] | None = None,
        parse_env_config: bool = False,
        validate_config: bool = True,
        setup_mapper: bool = True,
        message_reader: GenericSingerReader[str] | None = None,
    ) -> None:
        """Check the configuration and get ready to receive.

        Args:
            config: The configuration.
            parse_env_config: Whether to look for settings in the environment, too.
            validate_config: Not used: a wrong configuration is always an error.
            setup_mapper: Whether to set up the SDK's stream maps.
            message_reader: Reads the messages.

        Raises:
            ConfigValidationError: If a setting is wrong; its ``errors`` say which, what is wrong and what to do.
        """
        # First: from its own constructor on the SDK has signals handled.
        self._stop = threading.Event()
        super().__init__(
            config=config,
            parse_env_config=parse_env_config,
            validate_config=validate_config,
            setup_mapper=setup_mapper,
            message_reader=message_reader,
        )
        self.exit_code = report.ExitCode.DONE
        preview = self.settings.mode == "preview"
        cast("MessageReader", self.message_reader).take_plain = self._take_plain_records
        self._intakes = {
            name: Intake(item, keep_verdicts=preview) for name, item in self.settings.items.items()
        }
        self._streams: dict[str, Sequence[Intake]] = {}
        self._states: list[tuple[str, frozenset[str]]] = []
        try:
            self._directory = report.RunDirectory(self.settings.output_dir)
        except OSError as error:
            raise ConfigValidationError(
                "The configuration is wrong.",
                errors=[
                    f"output_dir: cannot write below {str(self.settings.output_dir)!r}: {error.strerror}."
                ],
            ) from error

    @property
    def _around(self) -> Surroundings:
        return Surroundings(self.settings, self._directory, self.logger, self._stop)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:  # noqa: ARG002
        """Check the configuration in our own words: they name the setting and repeat no secret.

        The SDK's check would also write the defaults into the configuration, and stumble over a null.
        """
        self.settings = load(self._config)
        return []

    # The SDK's contract for readers: one method for each type of message. There are no sinks: the lists are
    # compared when all input has arrived, and what is written is the difference.

    def _process_schema_message(self, message_dict: dict[str, Any]) -> None:
        """Open the intakes of all items that a stream feeds: possibly none (R4, R31), possibly two (R5)."""
        stream = message_dict["stream"]
        if stream not in self._streams:
            self._streams[stream] = [
                intake for intake in self._intakes.values() if intake.settings.source.stream == stream
            ]
            if not self._streams[stream] and stream != CONFIG_TEST_STREAM:
                self.logger.warning("No enabled item uses the stream %r; it is ignored.", stream)
        for intake in self._streams[stream]:
            try:
                intake.open(message_dict["schema"])
            except NotARecordError as error:
                raise InvalidInputLine(
                    f"the schema of the stream {stream!r} cannot be used: {error}"
                ) from None

    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        """Offer a record to all items that its stream feeds."""
        for intake in self._intakes_of(message_dict):
            intake.offer(message_dict["record"], message_dict.get("version"))

    def _take_plain_records(self, stream: str, version: int | None, records: list[msgspec.Raw]) -> bool:
        """Have all items that a stream feeds take its plain records, many at a time; or none of them any."""
        if stream not in self._streams:
            return False
        decoded = [(intake, intake.plain(records)) for intake in self._streams[stream]]
        if any(rows is None for _, rows in decoded):
            return False
        for intake, rows in decoded:
            intake.take_plain(rows or (), version)
        return True

    def _process_activate_version_message(self, message_dict: dict[str, Any]) -> None:
        """Note that a stream is whole (R32). It does not say that rows are to be deleted (R7)."""
        for intake in self._intakes_of(message_dict):
            intake.close(message_dict["version"])

    def _process_state_message(self, message_dict: dict[str, Any]) -> None:
        """Keep a state together with the streams that came before it: it goes out when they are settled."""
        try:
            state = simplejson.dumps(message_dict["value"], use_decimal=True)
        except RecursionError:
            raise InvalidInputLine("a STATE message that is nested too deeply") from None
        self._states.append((state, frozenset(self._streams)))

    def _process_batch_message(self, message_dict: dict[str, Any]) -> None:  # noqa: ARG002
        """Refuse: records come in messages, not in files."""
        raise InvalidInputLine("BATCH messages are not taken. Remove batch_config from the tap's settings")

    def _intakes_of(self, message_dict: dict[str, Any]) -> Sequence[Intake]:
        """Return the intakes of the items that the stream of a message feeds.

        Raises:
            RecordsWithoutSchemaException: If the stream has no schema yet.
        """
        stream = message_dict["stream"]
        try:
            return self._streams[stream]
        except KeyError:
            raise RecordsWithoutSchemaException(
                f"a {message_dict['type']} message of the stream {stream!r} before a corresponding schema"
            ) from None

    def redact_logs(self) -> None:
        """Keep the API key out of whatever this process logs, an exception that nobody foresaw included."""
        if self.settings.api_key:
            redacted = RedactedLog(Redaction(self.settings.api_key, "api_key"))
            for handler in logging.getLogger().handlers:
                handler.addFilter(redacted)

    def receive(self, messages: IO[str] | None) -> None:
        """Take in Singer messages to their end; nothing is read from ExpenseIn or written yet.

        Args:
            messages: Where they come from; standard input if None.

        Raises:
            click.ClickException: If they are not Singer messages, or cannot be read.
        """
        try:
            self.process_lines(messages)
        except (InvalidInputLine, RecordsWithoutSchemaException) as error:
            message = f"The input is not a Singer stream, so nothing was written: {error}."
            raise click.ClickException(message) from None
        except OSError as error:
            message = f"The input cannot be read, so nothing was written: {error.strerror}."
            raise click.ClickException(message) from None

    def process_endofpipe(self) -> None:
        """Do the work: all input has arrived."""
        if self._streams.keys() == {CONFIG_TEST_STREAM}:
            self._test_connection()
        elif self.settings.mode == "preview":
            self._preview()
        else:
            self._sync()

    def _sync(self) -> None:
        """Compare, write, report; pass each state on as soon as all before it is settled."""
        streams = {name: intake.settings.source.stream for name, intake in self._intakes.items()}

        def on_settled(result: ItemResult) -> None:
            if result.settled:
                del streams[result.item]
                self._emit_states(set(streams.values()))

        tasks = sync_tasks(self.settings.items, self._intakes)
        outcome = carry_out(self._around, self.settings.mode, tasks, on_settled)
        for line in outcome.text(brief=self.settings.mode == "apply").splitlines():
            self.logger.info("%s", line)
        self.logger.info("Report: %s", self._directory.path / "report.txt")
        self.exit_code = outcome.exit_code

    def _emit_states(self, open_streams: set[str]) -> None:
        """Pass on the last state before which nothing is open any more; it holds all that is in those before it."""
        last = None
        while self._states and not self._states[0][1] & open_streams:
            last, _ = self._states.pop(0)
        if last is not None:
            sys.stdout.write(f"{last}\n")
            sys.stdout.flush()

    def _preview(self) -> None:
        """Show which records pass the filters; nothing is read from ExpenseIn and nothing written (R6)."""
        texts = []
        content: dict[str, Any] = {}
        for name, intake in self._intakes.items():
            problem = intake.problem()
            if problem is not None:
                self.exit_code = report.ExitCode.FAILED
                texts.append(f"{name} FAILED: {visible(problem)}\n")
                content[name] = {"problem": problem}
                continue
            verdicts = intake.verdicts or []
            texts.append(report.preview_text(name, verdicts))
            content[name] = [
                {"reference": verdict.reference, "name": verdict.name, "kept_out_because_not": verdict.failed}
                for verdict in verdicts
            ]
        self._directory.write_json("preview.json", content)
        path = self._directory.write("preview.txt", "\n".join(texts))
        self._directory.publish()
        for line in "\n".join(texts).splitlines():
            self.logger.info("%s", line)
        self.logger.info("Preview: %s", path)

    def _test_connection(self) -> None:
        """Read each enabled item from ExpenseIn, for ``meltano config test``; a failure ends with its message."""
        with self._around.client() as client:
            for name in self._intakes:
                number = sum(1 for _ in client.list(name))
                self.logger.info("%s: %d in ExpenseIn", name, number)
        self.logger.info("The connection works; nothing was written.")

    def _handle_termination(self, signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG002
        """Stop: writes in flight end, no further one begins, and nothing that did not arrive whole is applied."""
        self._stop.set()
        self.logger.error("Stopped by %s; nothing further is written.", signal.Signals(signum).name)
        sys.exit(128 + signum)

    @classmethod
    def invoke(  # type: ignore[override]  # as the SDK does it
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        file_input: Any = None,  # noqa: ANN401 - whatever click opened
    ) -> None:
        """Run the target; see ``--help``.

        Args:
            about: Show metadata and settings instead.
            about_format: How to show them.
            config: The configuration.
            file_input: Where to read messages from; standard input if not given.
        """
        if about:
            cls.print_about(about_format)
            return
        target = cls(
            config=config.config if config else {},
            parse_env_config=config.parse_env if config else False,
        )
        target.redact_logs()
        target.receive(file_input)
        try:
            target.process_endofpipe()
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{where}{error.strerror or error}.") from None
        except (ApiError, LedgerError) as error:
            raise click.ClickException(str(error)) from None
        sys.exit(target.exit_code)

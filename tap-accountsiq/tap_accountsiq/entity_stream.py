"""What makes a declaration a Singer stream: schema, selection, one partition for each entity, the version."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform

from tap_accountsiq import errors
from tap_accountsiq.fields import TEXT, Field, JsonSchema, property_schema
from tap_accountsiq.streams import ENTITY, Read, StreamDeclaration

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import MetadataMapping

    from tap_accountsiq.tap import TapAccountsIQ

ENTITY_FIELD = Field(
    ENTITY, ENTITY, TEXT, "The entity that the record belongs to, as in the setting entities."
)


def schema_of(declaration: StreamDeclaration) -> JsonSchema:
    """Return the JSON Schema of a declared stream."""
    keys = declaration.key_properties
    fields = (ENTITY_FIELD, *declaration.fields)
    return {
        "type": "object",
        "properties": {each.name: property_schema(each, key=each.name in keys) for each in fields},
        "required": list(keys),
    }


class EntityStream(Stream):
    """A declared stream, read whole for one entity after the other.

    Args:
        tap: The tap.
        declaration: The stream.
    """

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # the parser already yields values of the right types
    STATE_MSG_FREQUENCY = sys.maxsize  # a list that is always read whole has no bookmark to report on the way

    def __init__(self, tap: TapAccountsIQ, declaration: StreamDeclaration) -> None:
        """See the class."""
        super().__init__(tap, schema=schema_of(declaration), name=declaration.name)
        self.declaration = declaration
        self.primary_keys = declaration.key_properties
        self.state_partitioning_keys = ()  # one empty bookmark for the stream, none for each entity
        self._accountsiq_tap = tap
        self._all_read = True

    @property
    def read(self) -> Read:
        """The operation to call, under the settings as they are."""
        settings = (read for name, read in self.declaration.read_when.items() if self.config.get(name))
        return next(settings, self.declaration.read)

    @property
    def partitions(self) -> list[dict[str, Any]]:
        """One partition for each entity."""
        return [{ENTITY: entity} for entity in self.config["entities"]]

    @property
    def emit_activate_version_messages(self) -> bool:
        """Always false: the SDK would write the message before the records, when nobody knows how it will end."""
        return False

    @property
    def metadata(self) -> MetadataMapping:
        """Singer metadata; private fields are not selected unless the catalog says so."""
        metadata = super().metadata
        for each in self.declaration.fields:
            entry = metadata[("properties", each.name)]
            if each.private and entry.selected_by_default is None:
                entry.selected_by_default = False
        return metadata

    @property
    def selected_fields(self) -> list[str]:
        """Names of the fields to build: selected, and part of the schema that the target was told."""
        offered = self.effective_schema["properties"]
        return [
            each.name
            for each in self.declaration.fields
            if each.name in offered and self.mask[("properties", each.name)]
        ]

    @cached_property
    def _records_stay_as_they_are(self) -> bool:
        """Whether neither stream maps nor flattening have a say in this stream's records."""
        first, *more = self.stream_maps
        return type(first) is SameRecordTransform and not first.flattening_enabled and not more

    def _write_record_message(self, record: Record) -> None:
        """Write a record, on the shortest way when the SDK has nothing left to do: see `writer`."""
        if self._records_stay_as_they_are:
            self._accountsiq_tap.message_writer.write_record(self.name, record, self._stream_version)
            self.state_manager.is_flushed = False
        else:
            super()._write_record_message(record)

    def get_records(self, context: Context | None) -> Iterable[Record]:
        """Read one entity; after the last one, say that the stream is complete if it is (R32).

        An entity that fails is noted with the tap; the others go on.

        Args:
            context: The partition, with the entity.

        Yields:
            Records with typed values.

        Raises:
            AccountsIQError: Nothing else can work either (signing in failed).
        """
        entity: str = (context or {})[ENTITY]
        entities = [each[ENTITY] for each in self.partitions]
        if entity == entities[0]:
            self._all_read = True
            if self.config["emit_activate_version_messages"]:
                # Milliseconds, so that two runs within a second differ. Every record carries it.
                self._stream_version = self._accountsiq_tap.initialized_at
        count = 0
        started = time.monotonic()
        try:
            for record in self._accountsiq_tap.service.records(
                self.declaration, self.read, self.selected_fields, entity
            ):
                count += 1
                yield record
        except errors.AccountsIQError as error:
            self._all_read = False
            self._accountsiq_tap.failed(self.name, error)
            if error.stops_run:
                raise
        else:
            self.logger.info("%s: %d records in %.1f s.", entity, count, time.monotonic() - started)
        # The consumer asks for more only after it has written the last record: this message comes after it.
        if entity == entities[-1] and self._all_read and self._stream_version is not None:
            self._write_activate_version_message(self._stream_version)

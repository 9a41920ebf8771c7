"""What makes a declaration a Singer stream: schema, selection, one partition for each entity, version and bookmarks."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL

from tap_accountsiq import bookmarks, errors
from tap_accountsiq.bookmarks import Bookmark
from tap_accountsiq.fields import TEXT, Field, JsonSchema, property_schema
from tap_accountsiq.streams import BY_NAME, ENTITY, Read, StreamDeclaration

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import Catalog, MetadataMapping

    from tap_accountsiq.tap import TapAccountsIQ

ENTITY_FIELD = Field(
    ENTITY, ENTITY, TEXT, "The entity that the record belongs to, as in the setting entities."
)

BOOKMARKS = "entities"
"""The key in a stream's state below which each entity has its bookmark."""


def fields_of(declaration: StreamDeclaration) -> tuple[Field, ...]:
    """Return all fields of a record, in their order: the entity, the vendor's own, the derived one."""
    own = tuple(each for each in declaration.built if each.name != ENTITY)
    entity = next((each for each in declaration.fields if each.name == ENTITY), ENTITY_FIELD)
    return (entity, *own, *([declaration.derived.field] if declaration.derived else []))


def schema_of(declaration: StreamDeclaration) -> JsonSchema:
    """Return the JSON Schema of a declared stream."""
    keys = declaration.key_properties
    return {
        "type": "object",
        "properties": {
            each.name: property_schema(each, key=each.name in keys) for each in fields_of(declaration)
        },
        "required": list(keys),
    }


class EntityStream(Stream):
    """A declared stream, read for one entity after the other: whole, or only what changed since the last time.

    Args:
        tap: The tap.
        declaration: The stream.
    """

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # the parser already yields values of the right types
    STATE_MSG_FREQUENCY = (
        sys.maxsize
    )  # a bookmark moves at the end of an entity's list, there is none on the way

    def __init__(self, tap: TapAccountsIQ, declaration: StreamDeclaration) -> None:
        """See the class."""
        super().__init__(tap, schema=schema_of(declaration), name=declaration.name)
        self.declaration = declaration
        self.primary_keys = declaration.key_properties
        self.selected_by_default = declaration.selected
        if not declaration.incremental:
            self.forced_replication_method = REPLICATION_FULL_TABLE
        self.state_partitioning_keys = ()  # bookmarks are kept here, see BOOKMARKS, not by the SDK
        self._accountsiq_tap = tap
        self._all_read = True
        self._full = True
        self._start_date: datetime | None = None
        self._scope = ""
        self._bookmarks: dict[str, Bookmark | None] = {}

    @property
    def entities(self) -> list[str]:
        """The entities to read one after the other; one of them when the list does not depend on the entity."""
        configured: list[str] = self.config["entities"]
        return configured if self.declaration.per_entity else configured[:1]

    @property
    def partitions(self) -> list[dict[str, Any]]:
        """One partition for each entity."""
        return [{ENTITY: entity} for entity in self.entities]

    @property
    def emit_activate_version_messages(self) -> bool:
        """Always false: the SDK would write the message before the records, when nobody knows how it will end."""
        return False

    def apply_catalog(self, catalog: Catalog) -> None:
        """Take selection and replication method from a catalog; what the service cannot do is read whole instead."""
        super().apply_catalog(catalog)
        if self.replication_key:
            self.logger.warning(
                "The catalog names the replication key %s. The service gives no record a stamp of its last change; "
                "set the replication method alone.",
                self.replication_key,
            )
            self.replication_key = None
        possible = [
            REPLICATION_FULL_TABLE,
            *([REPLICATION_INCREMENTAL] if self.declaration.incremental else []),
        ]
        if self.replication_method not in possible:
            self.logger.warning(
                "The catalog asks for the replication method %s; this stream offers %s and is read whole.",
                self.replication_method,
                " and ".join(possible),
            )
            self.forced_replication_method = REPLICATION_FULL_TABLE

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
        return [each.name for each in self.declaration.built if self._is_selected(each)]

    def _is_selected(self, field: Field) -> bool:
        return field.name in self.effective_schema["properties"] and self.mask[("properties", field.name)]

    # The SDK's own bookmarks are the greatest value of a field of the records; these records have no such field.

    def _write_starting_replication_value(self, context: Context | None) -> None:
        """Do nothing; see `_begin`."""

    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        """Do nothing; see `_advance`."""

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

        An entity that fails is noted with the tap and keeps its bookmark; the others go on.

        Args:
            context: The partition, with the entity.

        Yields:
            Records with typed values.

        Raises:
            AccountsIQError: Nothing else can work either (signing in failed).
        """
        entity: str = (context or {})[ENTITY]
        if entity == self.entities[0]:
            self._begin()
        count = 0
        started = time.monotonic()
        asked_at = datetime.now(UTC)
        try:
            for record in self._records(self._request(entity), entity):
                count += 1
                yield record
        except errors.AccountsIQError as error:
            self._all_read = False
            self._accountsiq_tap.failed(self.name, error)
            if error.stops_run:
                raise
        else:
            # The consumer asks for more only after it has written the last record: what follows comes after it.
            self._advance(entity, asked_at)
            self.logger.info("%s: %d records in %.1f s.", entity, count, time.monotonic() - started)
        if entity == self.entities[-1] and self._all_read and self._stream_version is not None:
            self._write_activate_version_message(self._stream_version)

    def _records(self, read: Read, entity: str) -> Iterator[Record]:
        """Read one list, and the one that the derived field is made of when that field is selected."""
        service, derived, names = self._accountsiq_tap.service, self.declaration.derived, self.selected_fields
        if derived is None or not self._is_selected(derived.field):
            yield from service.records(self.declaration, read, names, entity)
            return
        other = BY_NAME[derived.stream]
        try:
            resolve = derived.resolver(
                service.records(other, other.read, [each.name for each in other.built], entity)
            )
        except errors.AccountsIQError as error:
            error.cause = f"The field {derived.field.name} needs {other.read.operation}. {error.cause}"
            raise
        only_needed = set(derived.needs) - set(names)
        for record in service.records(self.declaration, read, {*names, *derived.needs}, entity):
            record[derived.field.name] = resolve(record)
            for name in only_needed:
                del record[name]
            yield record
        for notice in resolve.notices():
            self.logger.warning("%s: %s", entity, notice)

    # --- incremental ------------------------------------------------------------------------------------------------

    @property
    def _is_incremental(self) -> bool:
        return self.replication_method == REPLICATION_INCREMENTAL

    def _begin(self) -> None:
        """Decide, once for the stream, whether everything is read.

        When it is due for one entity, it is done for all: only a stream that was read whole for every entity can be
        declared complete, and only then can a loader remove what is gone.
        """
        self._all_read = self._full = True
        self._start_date = None
        if self._is_incremental:
            self._start_date = bookmarks.start_date(self.config)
            self._scope = bookmarks.scope(
                [each.name for each in fields_of(self.declaration) if self._is_selected(each)],
                {name: self.config.get(name) for name in (*self.declaration.settings, "start_date")},
            )
            self._bookmarks = {entity: self._bookmark(entity) for entity in self.entities}
            now, days = datetime.now(UTC), self.config["full_read_days"]
            reasons = [
                f"for {entity} {reason}"
                for entity, mark in self._bookmarks.items()
                if (reason := bookmarks.why_full(mark, now=now, scope=self._scope, full_read_days=days))
            ]
            self._full = bool(reasons)
            if reasons:
                self.logger.info("Everything is read: %s.", reasons[0])
        whole = self._full and self._start_date is None
        # Milliseconds, so that two runs within a second differ. Every record of a whole list carries it.
        self._stream_version = (
            self._accountsiq_tap.initialized_at
            if whole and self.config["emit_activate_version_messages"]
            else None
        )

    def _bookmark(self, entity: str) -> Bookmark | None:
        """Return an entity's bookmark in the state; one that cannot be read is as good as none."""
        kept = self.stream_state.get(BOOKMARKS)
        if not isinstance(kept, dict) or entity not in kept:
            return None
        try:
            return Bookmark.from_state(kept[entity])
        except ValueError as error:
            self.logger.warning("%s: the bookmark in the state cannot be used: %s.", entity, error)
            return None

    def _request(self, entity: str) -> Read:
        """Return what to ask for an entity."""
        mark = self._bookmarks[entity] if self._is_incremental else None
        if self._full or mark is None:
            return self.declaration.request(self.config, self._start_date)
        overlap = timedelta(minutes=self.config["incremental_overlap_minutes"])
        since = bookmarks.since(mark, overlap=overlap, start_date=self._start_date)
        self.logger.info("%s: only what was changed since %s.", entity, bookmarks.to_text(since))
        return self.declaration.request(self.config, since)

    def _advance(self, entity: str, asked_at: datetime) -> None:
        """Move an entity's bookmark: its list was read, and its last record written, to the end."""
        if not self._is_incremental:
            return
        mark = bookmarks.after(self._bookmarks[entity], asked_at=asked_at, full=self._full, scope=self._scope)
        kept = self.stream_state.get(BOOKMARKS)
        others = kept if isinstance(kept, dict) else {}
        before = others.get(entity)
        unknown = before if isinstance(before, dict) else {}  # keys of a later version of this tap stay
        self.stream_state[BOOKMARKS] = others | {entity: unknown | mark.to_state()}

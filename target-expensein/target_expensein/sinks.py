"""The Singer end of the target: a sink for each stream, which hands its records to the items that it feeds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from singer_sdk.sinks import RecordSink

if TYPE_CHECKING:
    from target_expensein.target import TargetExpenseIn


class _KeepingSink(RecordSink):
    """A sink that takes records as they come: what is wrong with one is for the intake to say, record by record.

    Args:
        target: The target.
        stream_name: Name of the stream.
        schema: JSON Schema of its records.
        key_properties: Names of its key properties.
    """

    def __init__(
        self,
        target: TargetExpenseIn,
        stream_name: str,
        schema: dict[str, Any],
        key_properties: Sequence[str] | None,  # noqa: ARG002 - see below
    ) -> None:
        """Register the stream's fields, but neither their formats nor the key.

        The SDK would end the run at the first date-time that it cannot read and at the first record without its key.
        """
        fields: dict[str, Any] = {name: {} for name in schema.get("properties", {})}
        super().__init__(target, stream_name, {"properties": fields}, key_properties=())
        self.original_schema = schema
        self._begin(target)

    @abstractmethod
    def _begin(self, target: TargetExpenseIn) -> None:
        """Do what the stream's SCHEMA message asks for."""

    @property
    def validate_schema(self) -> bool:
        """Whether the SDK validates records: it would end the run at the first bad one."""
        return False

    @property
    def include_sdc_metadata_properties(self) -> bool:
        """Whether the SDK adds its metadata to records: there is no table to put them in."""
        return False


class ItemSink(_KeepingSink):
    """The sink of a stream that feeds one or more enabled items."""

    def _begin(self, target: TargetExpenseIn) -> None:
        """Open the intakes of all items that the stream feeds (R5: one stream may feed two)."""
        self.intakes = target.intakes_of(self.stream_name)
        for intake in self.intakes:
            intake.open(self.original_schema)

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:  # noqa: ARG002
        """Hand a record to each item that the stream feeds."""
        for intake in self.intakes:
            intake.offer(record)

    def activate_version(self, new_version: int) -> None:  # noqa: ARG002
        """Take note that the stream arrived whole (R32)."""
        for intake in self.intakes:
            intake.close()


class IgnoredSink(_KeepingSink):
    """The sink of a stream that no enabled item uses (R4, R31): its records go nowhere."""

    def _begin(self, target: TargetExpenseIn) -> None:
        """Say once that the stream is ignored."""
        target.note_ignored(self.stream_name)

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Drop the record."""

    def activate_version(self, new_version: int) -> None:
        """Drop the message."""

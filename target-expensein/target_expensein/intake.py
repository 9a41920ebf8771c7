"""What arrives from the tap, item by item: filter, check, reduce, keep.

An intake also knows whether its list is *whole*. Only a whole list may be compared (R32): half a list would look
like a source from which the other half has gone. The tap says that a stream is whole with ACTIVATE_VERSION after
its last record; a tap that died or failed midway never says it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from jsonschema import Draft202012Validator

from target_expensein.model import Kind, Row, SourceRecord
from target_expensein.settings import ItemSettings
from target_expensein.source import SourceList


class Arrival(Enum):
    """How far a stream has come."""

    MISSING = "missing"
    OPEN = "open"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the filter said of one record; kept for the preview only.

    Attributes:
        reference: The record's code.
        name: The record's name.
        failed: The condition that kept the record out, in words; None when it passed.
    """

    reference: str
    name: str
    failed: str | None


class Intake:
    """The source side of one enabled item while it arrives.

    Args:
        settings: The item's settings.
        keep_verdicts: Whether to remember the filter's verdict on each record (mode preview).
    """

    def __init__(self, settings: ItemSettings, *, keep_verdicts: bool = False) -> None:
        """Start with nothing received."""
        self.settings = settings
        self.source = SourceList()
        self.arrival = Arrival.MISSING
        self.verdicts: list[Verdict] | None = [] if keep_verdicts else None
        self._dimensions: set[str] = set()
        self._schema_problem: str | None = None
        self._validator = Draft202012Validator({})

    def open(self, schema: Mapping[str, Any]) -> None:
        """Take note of the stream's schema and check that it offers every field that the item needs.

        A field may be missing because it is misspelt in a filter or because the tap was told not to select it;
        either way the item fails with a message (R6: an error, not an empty result).

        Args:
            schema: JSON Schema of the stream's records.
        """
        self.arrival = Arrival.OPEN
        properties = schema.get("properties", {})
        missing = [field for field in self.settings.needed_fields if field not in properties]
        self._schema_problem = (
            "; ".join(self._explain_missing(field, properties) for field in missing) or None
        )
        needed = {field: properties[field] for field in self.settings.needed_fields if field in properties}
        self._validator = Draft202012Validator(
            {"type": "object", "properties": needed, "required": [self.settings.source.reference]}
        )

    def offer(self, record: Mapping[str, Any]) -> None:
        """Take one record of the stream: it passes, is kept out by the filter, or is rejected.

        Args:
            record: The record as the tap sent it.
        """
        self.arrival = Arrival.OPEN
        if self._schema_problem is not None:
            return
        source = self.settings.source
        if source.dimension is not None:
            dimension = record.get(source.dimension)
            self._dimensions.add(str(dimension))
            if dimension != self.settings.dimension:
                return
        reference, name = record.get(source.reference), record.get(source.name)
        if isinstance(reference, str):
            self.source.references.add(reference)
        failed = self.settings.filter.failed(record)
        if self.verdicts is not None:
            self.verdicts.append(Verdict(str(reference), str(name), None if failed is None else str(failed)))
        if failed is not None:
            self.source.filtered[str(failed)] += 1
        elif violation := self._violation(record):
            self.source.rejected.append(
                Row(
                    self.settings.item.name,
                    Kind.REJECTED,
                    "invalid_record",
                    reference if isinstance(reference, str) else None,
                    detail=violation,
                    raw=record,
                )
            )
        else:
            self.source.records.append(self._reduce(record))

    def close(self) -> None:
        """Take note that the stream arrived whole."""
        if self.arrival is not Arrival.MISSING:
            self.arrival = Arrival.WHOLE

    def problem(self) -> str | None:
        """Say why the list cannot be used, or return None when it can."""
        stream = self.settings.source.stream
        match self.arrival:
            case Arrival.MISSING:  # R31
                return (
                    f"the stream {stream!r} never arrived. Select it in the tap, or switch the item off "
                    f"(items.{self.settings.item.name}.enabled: false)."
                )
            case Arrival.OPEN:  # R32
                return (
                    f"the stream {stream!r} did not arrive whole, so nothing was compared and nothing written: the tap "
                    "sent no ACTIVATE_VERSION after its last record. See the tap's own error; if there is none, set "
                    "its emit_activate_version_messages to true and its replication method to FULL_TABLE."
                )
            case Arrival.WHOLE:
                return self._schema_problem or self._dimension_problem()

    def _dimension_problem(self) -> str | None:
        wanted = self.settings.dimension
        if wanted is None or wanted in self._dimensions or not self._dimensions:
            return None
        return (
            f"items.{self.settings.item.name}.dimension: the source has no options of a dimension {wanted!r}; "
            f"it has {', '.join(map(repr, sorted(self._dimensions)))}."
        )

    def _explain_missing(self, field: str, properties: Mapping[str, Any]) -> str:
        where = (
            f"items.{self.settings.item.name}.filters.{field}"
            if field in self.settings.filter.fields
            else f"items.{self.settings.item.name}"
        )
        close = difflib.get_close_matches(field, properties, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"it offers {', '.join(sorted(properties))}."
        return f"{where}: the stream {self.settings.source.stream!r} offers no field {field!r} (misspelt, or not selected in the tap); {hint}"

    def _violation(self, record: Mapping[str, Any]) -> str | None:
        """Say how a record breaks the stream's schema or lacks what every item needs."""
        error = next(self._validator.iter_errors(record), None)
        if error is not None:
            where = ".".join(map(str, error.absolute_path))
            return f"{where}: {error.message}" if where else error.message
        source = self.settings.source
        for field in (source.reference, source.name):
            if not isinstance(record.get(field) or "", str):
                return f"{field}: {record[field]!r} is not a text"
        if source.active is not None and not isinstance(record.get(source.active), bool):
            return f"{source.active}: {record.get(source.active)!r} is neither true nor false"
        return None

    def _reduce(self, record: Mapping[str, Any]) -> SourceRecord:
        """Keep of a checked record what the plan needs."""
        source = self.settings.source
        rate = None if source.rate is None else record.get(source.rate)
        return SourceRecord(
            reference=record[source.reference] or "",
            name=record.get(source.name) or "",
            active=True if source.active is None else record[source.active],
            rate=None if rate is None else Decimal(str(rate)),
            entity=record.get("entity"),
        )

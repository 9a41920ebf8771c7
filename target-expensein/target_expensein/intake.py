"""What arrives from the tap, item by item: filter, check, reduce, keep.

An intake also knows whether its list is *whole*. Only a whole list may be compared (R32): half a list would look
like a source from which the other half has gone. The tap says that a stream is whole with ACTIVATE_VERSION after
its last record; a tap that died or failed midway never says it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import msgspec
from jsonschema import Draft202012Validator, SchemaError
from referencing import Registry

from target_expensein.decoding import LONGEST_TEXT, RecordDecoder
from target_expensein.exactjson import Ambiguous
from target_expensein.model import Kind, Row, SourceRecord
from target_expensein.settings import ItemSettings
from target_expensein.source import SourceList

ENTITY: Final = "entity"
"""Field of every stream of the tap that says which entity a record comes from."""


LONGEST_MESSAGE: Final = 500


class NotARecordError(ValueError):
    """What came as a schema is none, or a record came before it; the text says why."""


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
        self._entities: dict[str, str] = {}
        self._schema: Mapping[str, Any] | None = None
        self._schema_problem: str | None = None
        self._versions: set[object] = set()
        self._version_problem: str | None = None
        self._validator = Draft202012Validator({})
        self._decoder = RecordDecoder({}, {}, (), ENTITY)

    def open(self, schema: Mapping[str, Any]) -> None:
        """Take note of the stream's schema and check that it offers every field that the item needs.

        A field may be missing because it is misspelt in a filter or because the tap was told not to select it;
        either way the item fails with a message (R6: an error, not an empty result). A stream may send another schema
        later, as long as that offers every field, too; the same schema once more changes nothing.

        Args:
            schema: JSON Schema of the stream's records, which has ``properties``.

        Raises:
            NotARecordError: If it is not a JSON Schema.
        """
        if schema == self._schema:
            return
        properties = schema["properties"]
        needed = {field: properties[field] for field in self.settings.needed_fields if field in properties}
        source = self.settings.source
        rules = {"type": "object", "properties": needed, "required": [source.reference]}
        rules |= {name: schema[name] for name in ("$defs", "definitions") if name in schema}
        try:
            Draft202012Validator.check_schema(rules)
        except (SchemaError, RecursionError) as error:
            where = ".".join(map(str, getattr(error, "absolute_path", ())))
            raise NotARecordError(f"it is not a JSON Schema{where and f' at {where}'}") from None
        self._validator = Draft202012Validator(rules, registry=Registry())  # which fetches nothing
        missing = [field for field in self.settings.needed_fields if field not in properties]
        self._schema_problem = self._schema_problem or (
            "; ".join(self._explain_missing(field, properties) for field in missing) or None
        )
        self._decoder = RecordDecoder(needed, source.kinds, (source.reference, source.active), ENTITY)
        self._schema = schema
        self.arrival = Arrival.OPEN

    def plain(self, records: Sequence[msgspec.Raw]) -> list[dict[str, Any]] | None:
        """Decode records that are as plain as nearly all are; nothing is taken yet.

        Args:
            records: The records as JSON texts.

        Returns:
            What is needed of each, for :meth:`take_plain`; None when one of them must be read to the letter.
        """
        if self._schema_problem is not None:
            return []
        rows = self._decoder.decode(records)
        rate = self.settings.source.rate
        if rate is not None and any(isinstance(row.get(rate), str | bool) for row in rows or ()):
            return None
        return rows

    def take_plain(self, rows: Iterable[Mapping[str, Any]], version: object = None) -> None:
        """Take records of the stream that :meth:`plain` has decoded.

        Args:
            rows: The needed fields of each.
            version: The version of the list that they are part of, if the tap says so.
        """
        self.arrival = Arrival.OPEN
        self._versions.add(version)
        for row in rows:
            self._take(row, None)

    def offer(self, record: Mapping[str, Any], version: object = None) -> None:
        """Take one record of the stream, whatever it is like: it passes, is kept out by the filter, or is rejected.

        Args:
            record: The record as the tap sent it.
            version: The version of the list that it is part of, if the tap says so.
        """
        self.arrival = Arrival.OPEN
        self._versions.add(version)
        if self._schema_problem is None:
            self._take(record, self._violation(record))

    def _take(self, record: Mapping[str, Any], violation: str | None) -> None:
        """Sort a record in.

        Args:
            record: The record, or the needed fields of it.
            violation: How it breaks the stream's schema; None when it does not.
        """
        source = self.settings.source
        if source.dimension is not None:
            dimension = record.get(source.dimension)
            self._dimensions.add(str(dimension))
            if dimension != self.settings.dimension:
                return
        reference, name = record.get(source.reference), record.get(source.name)
        if isinstance(reference, str):
            self.source.references.add(reference)
        failed = None if self._repeated(record) else self.settings.filter.failed(record)
        if self.verdicts is not None:
            self.verdicts.append(Verdict(str(reference), str(name), None if failed is None else str(failed)))
        if failed is not None:
            self.source.filtered[str(failed)] += 1
        elif violation is not None:
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

    def close(self, version: object = None) -> None:
        """Take note that the stream arrived whole, unless records of another version of the list are among it.

        Args:
            version: The version of the list that is whole, if the tap says so.
        """
        if self.arrival is Arrival.MISSING:
            return
        others = self._versions - {version, None}
        if version is not None and others:
            self._version_problem = (
                f"the stream {self.settings.source.stream!r} mixes versions of its list: ACTIVATE_VERSION says "
                f"{version!r}, records say {', '.join(sorted(map(repr, others)))}. Run the tap again, from its start."
            )
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
                return self._schema_problem or self._version_problem or self._dimension_problem()

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
        return next(self._violations(record), None)

    def _repeated(self, record: Mapping[str, Any]) -> list[str]:
        """Return the needed fields that the record names more than once: nobody can say which value is meant."""
        if not isinstance(record, Ambiguous):
            return []
        return [field for field in self.settings.needed_fields if field in record.repeated]

    def _violations(self, record: Mapping[str, Any]) -> Iterator[str]:
        for field in self._repeated(record):
            yield f"{field}: there is more than one"
        try:
            for error in self._validator.iter_errors(record):
                where = ".".join(map(str, error.absolute_path))
                yield _shortened(f"{where}: {error.message}" if where else error.message)
        except Exception as error:
            yield f"the stream's schema cannot be applied ({type(error).__name__})"
        source = self.settings.source
        for field in (source.reference, source.name):
            if not isinstance(record.get(field) or "", str):
                yield _shortened(f"{field}: {record[field]!r} is not a text")
        if source.active is not None and not isinstance(record.get(source.active), bool):
            yield _shortened(f"{source.active}: {record.get(source.active)!r} is neither true nor false")
        if source.rate is not None and not _is_number(record.get(source.rate)):
            yield _shortened(f"{source.rate}: {record.get(source.rate)!r} is not a number")
        for field in self.settings.needed_fields:
            value = record.get(field)
            if isinstance(value, str):
                if len(value) > LONGEST_TEXT:
                    yield f"{field}: a text of {len(value):,} characters; more than {LONGEST_TEXT:,} are not taken"
                if not _is_unicode(value):
                    yield f"{field}: half a surrogate pair, which is no character"

    def _reduce(self, record: Mapping[str, Any]) -> SourceRecord:
        """Keep of a checked record what the plan needs."""
        source = self.settings.source
        rate = None if source.rate is None else record.get(source.rate)
        return SourceRecord(
            reference=record[source.reference] or "",
            name=record.get(source.name) or "",
            active=True if source.active is None else record[source.active],
            rate=None if rate is None else Decimal(str(rate)),
            entity=self._entity(record.get(ENTITY)),
        )

    def _entity(self, entity: object) -> str | None:
        """Return one and the same text for all records of an entity."""
        return self._entities.setdefault(entity, entity) if isinstance(entity, str) else None


def _is_number(value: object) -> bool:
    """Tell whether a value is none, a number, or the text of one, as taps write numbers that must stay exact."""
    if isinstance(value, str):
        try:
            Decimal(value)
        except ArithmeticError:
            return False
        return True
    return value is None or (isinstance(value, int | float | Decimal) and not isinstance(value, bool))


def _is_unicode(text: str) -> bool:
    """Tell whether a text can be written at all."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shortened(text: str) -> str:
    """Return a message that repeats foreign values at a length that can be read."""
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}…"

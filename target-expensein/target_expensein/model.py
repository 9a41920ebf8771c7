"""The values that travel through the sync: source record, live record, and the rows of a plan.

All of them are plain immutable data; none knows Singer or HTTP. Of the records there may be a hundred thousand on either
side: they are msgspec structures, which take a fraction of a dataclass's time to make, and which the garbage collector
need not visit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

Value = str | bool | Decimal | list[str] | None
"""A field's value: text, flag, exact number, list of texts, or nothing."""

RecordId = str | int
"""What ExpenseIn calls a record by; opaque."""


class Field(StrEnum):
    """The fields of an ExpenseIn record that this project may ever write. There are no others (R9)."""

    REFERENCE = "reference"
    NAME = "name"
    RATE = "rate"
    IS_ACTIVE = "is_active"
    APPLIES_TO = "applies_to"


class Kind(StrEnum):
    """What a row of a plan stands for."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    HELD = "held"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    NOTICE = "notice"


WRITES: Final = frozenset({Kind.CREATE, Kind.UPDATE})
"""The kinds that write."""


class SourceRecord(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One source record that passed the item's filter, reduced to what the sync uses.

    Two records are equal when they would lead to the same ExpenseIn record; the entity they come from does not
    count (R26: identical twins collapse into one).

    Attributes:
        reference: The code, character for character (R8).
        name: The name, character for character.
        active: Whether the record is active at the source.
        rate: The tax rate as the source has it, or None.
        entity: The AccountsIQ entity that the record came from, if it says so.
    """

    reference: str
    name: str
    active: bool = True
    rate: Decimal | None = None
    entity: str | None = None

    def __eq__(self, other: object) -> bool:
        """Compare everything but the entity."""
        return isinstance(other, SourceRecord) and self._compared == other._compared

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(self._compared)

    @property
    def _compared(self) -> tuple[str, str, bool, Decimal | None]:
        return self.reference, self.name, self.active, self.rate


class LiveRecord(msgspec.Struct, frozen=True, gc=False):
    """One record as ExpenseIn has it now, reduced to what is compared.

    Attributes:
        id: ExpenseIn's own identifier.
        reference: The reference, or None when it is missing or blank.
        name: The name.
        is_active: The active flag; None when this kind of record has none.
        rate: The tax rate in percent; None when this kind of record has none.
    """

    id: RecordId
    reference: str | None
    name: str | None
    is_active: bool | None = None
    rate: Decimal | None = None


class Origin(StrEnum):
    """Where the difference in a field comes from: source, last applied value and live value compared."""

    NEW = "new"
    """There was no value: the record or its reference is new."""
    SOURCE = "source"
    """The source changed; ExpenseIn still has what was applied last."""
    EDITED = "edited"
    """Somebody edited it in ExpenseIn; the source did not change. Their value is overwritten (R2)."""
    BOTH = "both"
    """The source changed, and somebody edited it in ExpenseIn, too."""
    UNKNOWN = "unknown"
    """The ledger does not know what was applied last, as on a first run."""


Applied = Mapping[str, Mapping[str, Value]]
"""What was applied last: reference → field → value."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field before and after, and where the difference comes from."""

    field: Field
    before: Value
    after: Value
    origin: Origin = Origin.UNKNOWN


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a plan: what is to happen to one reference, and why.

    Attributes:
        item: Name of the item.
        kind: What happens.
        reason: Stable code, a key of ``reasons.REASONS``.
        reference: The reference concerned, verbatim; None when the record has none.
        name: The name concerned.
        record_id: ExpenseIn's identifier of the record to update.
        changes: Field by field, what would be written (creates and updates) or differs (notices).
        detail: The particulars, in words.
        source: The source record behind the row, if there is one.
        raw: The source record as it arrived, when it could not be read.
    """

    item: str
    kind: Kind
    reason: str
    reference: str | None
    name: str | None = None
    record_id: RecordId | None = None
    changes: tuple[FieldChange, ...] = ()
    detail: str = ""
    source: SourceRecord | None = None
    raw: Mapping[str, Any] | None = None

    @property
    def values(self) -> dict[str, Value]:
        """The fields to write, by name."""
        return {change.field: change.after for change in self.changes}

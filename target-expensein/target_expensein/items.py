"""The five items and the streams that feed them: the rules R4, R5 and R11 to R25 as data.

Nothing here decides anything; ``plan.py`` reads these tables. To see what the sync does with a field of an item,
look it up here: *owned* fields are compared with the live value and overwritten (R2), fields *on creation* are sent
once with a new record and kept as an admin leaves them ever after (R9), *observed* fields are compared and a
difference is reported but never written (R19). A field that is in none of the three is never sent at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from target_expensein.model import Field


@dataclass(frozen=True, slots=True)
class Source:
    """A stream that can feed an item, and the names of the fields that are read from its records.

    Attributes:
        stream: Name of the Singer stream.
        reference: Field that holds the code.
        name: Field that holds the name.
        active: Field that tells whether the record is active at the source; None when the stream has none, then
            every record counts as active.
        rate: Field that holds the tax rate; None when the stream has none.
        dimension: Field that names the dimension of a record; None when the stream has none.
    """

    stream: str
    reference: str
    name: str
    active: str | None = None
    rate: str | None = None
    dimension: str | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of all fields that a record of this stream must offer."""
        optional = (self.active, self.rate, self.dimension)
        return (self.reference, self.name, *(field for field in optional if field))

    @property
    def kinds(self) -> dict[str, type[str | bool]]:
        """The Python type of the fields that hold texts and flags: name → type."""
        texts: dict[str, type[str | bool]] = {
            field: str for field in (self.reference, self.name, self.dimension) if field
        }
        return texts | ({self.active: bool} if self.active else {})


SOURCES: Final = {
    source.stream: source
    for source in (
        Source("accounts", reference="code", name="description", active="is_active"),  # R11
        Source("dimension_options", reference="code", name="description", dimension="dimension_code"),  # R14
        Source("bi_codes", reference="code", name="description", active="is_active"),  # R14
        Source("tax_rates", reference="code", name="description", rate="rate"),  # R18
        Source("suppliers", reference="code", name="name", active="is_active"),  # R22
    )
}


@dataclass(frozen=True, slots=True)
class Item:
    """One kind of record in ExpenseIn that the sync keeps aligned.

    Attributes:
        name: Key of the item in the configuration, the profile and all output.
        title: What an admin calls one such record.
        sources: Streams that may feed the item; the first is the default unless there are several (R5).
        owned: Fields that the sync overwrites whenever the live value differs (R2, R12, R15, R20).
        on_creation: Fields sent with a new record only (R13, R16, R21).
        observed: Fields that are compared and reported, never written on an existing record (R19).
        wakes: Whether a live record that is inactive becomes active when its source is active (R23).
        settings: The item's own decisions among the settings, beside those that all items share.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    owned: tuple[Field, ...] = (Field.NAME,)
    on_creation: tuple[Field, ...] = ()
    observed: tuple[Field, ...] = ()
    wakes: bool = False
    settings: tuple[str, ...] = ()


ITEMS: Final = {
    item.name: item
    for item in (
        Item("categories", "category", sources=("accounts",), on_creation=(Field.APPLIES_TO,)),  # R11-R13
        Item(  # R14-R17
            "projects",
            "project",
            sources=("bi_codes", "dimension_options"),
            on_creation=(Field.APPLIES_TO, Field.IS_ACTIVE),
        ),
        Item("departments", "department", sources=("bi_codes", "dimension_options")),  # R14, R15
        Item(  # R18-R21
            "tax_rates",
            "tax rate",
            sources=("tax_rates",),
            on_creation=(Field.RATE,),
            observed=(Field.RATE,),
            settings=("rate_unit",),
        ),
        Item(  # R22-R24
            "suppliers", "supplier", sources=("suppliers",), on_creation=(Field.IS_ACTIVE,), wakes=True
        ),
    )
}

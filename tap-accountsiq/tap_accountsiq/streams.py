"""The streams of this tap, as short declarations. A further stream costs one more, and its fields.

How to add one, in ten minutes: ``docs/adding-a-stream.md``. What a declaration means to Singer is in `entity_stream`,
what it means to the wire in `client` and `parser`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tap_accountsiq.bookmarks import to_text
from tap_accountsiq.dimensions import Dimensions
from tap_accountsiq.fields import Field
from tap_accountsiq.schemas import (
    ACCOUNTS,
    BI_CODES,
    COMPANY,
    DIMENSION_OPTIONS,
    DIMENSION_POSITION,
    ENTITIES,
    RESOLVED_OPTIONS,
    SUPPLIERS,
    TAX_RATES,
)

Arguments = Mapping[str, "str | Arguments | None"]
"""The body of a request: element name → text, ``None`` (``xsi:nil``) or nested elements, in the contract's order."""

ENTITY = "entity"
"""The field that every record carries beside the vendor's own."""


@dataclass(frozen=True, slots=True)
class Read:
    """One SOAP operation and what is sent with it."""

    operation: str
    arguments: Arguments = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Setting:
    """Stands in a query for ``true`` or ``false``, as a setting of the tap has it."""

    name: str


@dataclass(frozen=True, slots=True)
class ChangedSince:
    """Stands in a query for the moment of the last read, or ``xsi:nil`` when everything is wanted."""


Conditions = Mapping[str, "Setting | ChangedSince | Conditions"]


@dataclass(frozen=True, slots=True)
class Query:
    """An operation that gives a part of the list. It takes the place of the whole list when a part is wanted.

    Attributes:
        operation: Name of the operation.
        conditions: The body of the request, with placeholders, in the contract's order.
    """

    operation: str
    conditions: Conditions

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of the settings that ask for a part of the list."""
        return tuple(each.name for each in _leaves(self.conditions) if isinstance(each, Setting))

    @property
    def by_time(self) -> bool:
        """Whether the query can ask for what changed since a moment."""
        return any(isinstance(each, ChangedSince) for each in _leaves(self.conditions))

    def read(self, config: Mapping[str, Any], since: datetime | None) -> Read:
        """Fill in the placeholders."""
        return Read(self.operation, _filled(self.conditions, config, since))


def _leaves(conditions: Conditions) -> Iterator[Setting | ChangedSince]:
    for each in conditions.values():
        if isinstance(each, Mapping):
            yield from _leaves(each)
        else:
            yield each


def _filled(conditions: Conditions, config: Mapping[str, Any], since: datetime | None) -> Arguments:
    filled: dict[str, str | Arguments | None] = {}
    for name, each in conditions.items():
        if isinstance(each, Mapping):
            filled[name] = _filled(each, config, since)
        elif isinstance(each, Setting):
            filled[name] = "true" if config.get(each.name) else "false"
        else:
            filled[name] = None if since is None else to_text(since)
    return filled


class Resolver(Protocol):
    """Makes the value of a derived field, record by record."""

    def __call__(self, record: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever the field's schema says
        """Return the value for a record."""

    def notices(self) -> Iterable[str]:
        """Say what was remarkable about the records seen, one sentence for each kind of remark."""


@dataclass(frozen=True, slots=True)
class Derived:
    """A field that no element holds: made of other fields of its record and of another list of the same entity.

    Attributes:
        field: Name, schema and description; it has no element.
        needs: Names of the fields of the record that it is made of.
        stream: Name of the stream whose list is read for it, once for each entity and only when it is selected.
        resolver: Takes the records of that list.
    """

    field: Field
    needs: tuple[str, ...]
    stream: str
    resolver: Callable[[Iterable[Mapping[str, Any]]], Resolver]


@dataclass(frozen=True, slots=True)
class StreamDeclaration:
    """A stream.

    Attributes:
        name: Name of the stream.
        description: One sentence for the README.
        read: The operation that lists everything.
        row: Local name of the element that holds one entry of the list (``Result`` when there is no list).
        fields: All fields of an entry.
        key: Names of the fields that identify a record within an entity.
        repeat: Path below the row of an element that makes one record each; ``None``: the row is the record.
        number: The field that holds the number of the row in the answer, from 1, if there is one; it has no element.
        query: The operation that gives a part of the list, if there is one.
        derived: The field that is made of others, if there is one.
        per_entity: Whether the list belongs to an entity; else it is read once, and its records name their entity.
        selected: Whether the stream is read unless the catalog says otherwise.
    """

    name: str
    description: str
    read: Read
    row: str
    fields: tuple[Field, ...]
    key: tuple[str, ...] = ("code",)
    repeat: str | None = None
    number: Field | None = None
    query: Query | None = None
    derived: Derived | None = None
    per_entity: bool = True
    selected: bool = True

    @property
    def key_properties(self) -> tuple[str, ...]:
        """The Singer key: the entity and the `key` within it."""
        return (ENTITY, *self.key)

    @property
    def built(self) -> tuple[Field, ...]:
        """The fields that are built from an answer: all but the entity's own and the derived one."""
        return (*self.fields, *([self.number] if self.number else []))

    @property
    def incremental(self) -> bool:
        """Whether the service can list what changed since a moment."""
        return self.query is not None and self.query.by_time

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of the settings that decide which part of the list is read."""
        return self.query.settings if self.query else ()

    def request(self, config: Mapping[str, Any], since: datetime | None = None) -> Read:
        """Return what to ask the service.

        Args:
            config: The tap's settings.
            since: Only what was changed at or after this moment; ``None`` for everything.

        Returns:
            The operation, and what is sent with it.
        """
        if self.query and (since is not None or any(config.get(name) for name in self.settings)):
            return self.query.read(config, since)
        return self.read


STREAMS = (
    StreamDeclaration(
        name="accounts",
        description="The chart of accounts, active and inactive.",
        read=Read("GetChartOfAccounts"),
        row="WSChartOfAccountLine",
        fields=ACCOUNTS,
    ),
    StreamDeclaration(
        name="dimension_options",
        description="The options of every analysis dimension, one record for each dimension and option.",
        read=Read("GetAnalysisDimensionSetup"),
        row="WSAnalysisDimension",
        repeat="DimensionCodes/WSAnalysisDimensionCode",
        fields=DIMENSION_OPTIONS,
        number=DIMENSION_POSITION,
        key=("dimension_code", "code"),
    ),
    StreamDeclaration(
        name="bi_codes",
        description="The BI codes ('Departments' in the API), active and inactive.",
        read=Read("GetDepartmentList"),
        row="Department",
        fields=BI_CODES,
        query=Query("GetDepartmentsBy", {"query": {"FromLastModifiedDateInUTC": ChangedSince()}}),
        derived=Derived(
            RESOLVED_OPTIONS,
            needs=("code", *Dimensions.FIELDS),
            stream="dimension_options",
            resolver=Dimensions,
        ),
    ),
    StreamDeclaration(
        name="tax_rates",
        description="The tax codes and their rates.",
        read=Read("GetTaxCodeList"),
        row="Tax",
        fields=TAX_RATES,
    ),
    StreamDeclaration(
        name="suppliers",
        description="The suppliers, active and inactive. Personal and payment data are offered, not selected.",
        read=Read("GetSupplierList"),
        row="Supplier",
        fields=SUPPLIERS,
        query=Query(
            "GetSuppliersBy",
            {
                "query": {
                    "ExcludeExpenseSuppliers": Setting("exclude_expense_suppliers"),
                    "FromLastModifiedDateInUTC": ChangedSince(),
                }
            },
        ),
    ),
    StreamDeclaration(
        name="entities",
        description="The entities that the Integration Application can reach, whether the tap reads them or not.",
        read=Read("GetEntitiesByToken"),
        row="WSEntity",
        fields=ENTITIES,
        key=(),
        per_entity=False,
        selected=False,
    ),
    StreamDeclaration(
        name="company",
        description="The company behind an entity and its settings, one record for each entity.",
        read=Read("GetCompanyInformation"),
        row="Result",
        fields=COMPANY,
        key=(),
        selected=False,
    ),
)

BY_NAME = {declaration.name: declaration for declaration in STREAMS}

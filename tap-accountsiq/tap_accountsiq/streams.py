"""The streams of this tap, five short declarations. A further stream costs one more, and its fields.

What a declaration means to Singer is in `entity_stream`, what it means to the wire in `client` and `parser`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tap_accountsiq.fields import Field
from tap_accountsiq.schemas import ACCOUNTS, BI_CODES, DIMENSION_OPTIONS, SUPPLIERS, TAX_RATES

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
class StreamDeclaration:
    """A stream.

    Attributes:
        name: Name of the stream.
        description: One sentence for the README.
        read: The operation that lists everything.
        row: Local name of the element that holds one entry of the list.
        fields: All fields of an entry.
        key: Names of the fields that identify a record within an entity.
        repeat: Path below the row of an element that makes one record each; ``None``: the row is the record.
        read_when: Name of a boolean setting → the operation that takes the place of `read` when it is on.
    """

    name: str
    description: str
    read: Read
    row: str
    fields: tuple[Field, ...]
    key: tuple[str, ...] = ("code",)
    repeat: str | None = None
    read_when: Mapping[str, Read] = field(default_factory=dict)

    @property
    def key_properties(self) -> tuple[str, ...]:
        """The Singer key: the entity and the `key` within it."""
        return (ENTITY, *self.key)


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
        key=("dimension_code", "code"),
    ),
    StreamDeclaration(
        name="bi_codes",
        description="The BI codes ('Departments' in the API), active and inactive.",
        read=Read("GetDepartmentList"),
        row="Department",
        fields=BI_CODES,
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
        read_when={
            "exclude_expense_suppliers": Read(
                "GetSuppliersBy",
                {"query": {"ExcludeExpenseSuppliers": "true", "FromLastModifiedDateInUTC": None}},
            ),
        },
    ),
)

"""The collections and their fields, as data: validation, defaults and the OpenAPI document all read this table."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: What a category or project can apply to: the expense types, and invoices.
APPLIES_TO = (
    "purchase",
    "time",
    "personalMileage",
    "companyCarMileage",
    "companyCard",
    "fuelCard",
    "cashAdvance",
    "invoice",
)
MAX_TEXT = 4000  # assumed; far above anything a sync writes


@dataclass(frozen=True)
class Kind:
    """A kind of value.

    Attributes:
        accepts: The check.
        words: What is accepted, for messages.
        schema: The same as JSON Schema.
        empty: What a field of this kind becomes when a PUT leaves it out.
    """

    accepts: Callable[[Any], bool]
    words: str
    schema: Mapping[str, Any]
    empty: Any


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _is_applies_to(value: object) -> bool:
    return (
        isinstance(value, list)
        and all(item in APPLIES_TO for item in value)
        and len(set(value)) == len(value)
    )


TEXT = Kind(
    lambda value: value is None or (isinstance(value, str) and len(value) <= MAX_TEXT),
    f"a string of at most {MAX_TEXT} characters, or null",
    {"type": ["string", "null"], "maxLength": MAX_TEXT},
    None,
)
FLAG = Kind(lambda value: isinstance(value, bool), "true or false", {"type": "boolean"}, empty=False)
AMOUNT = Kind(
    lambda value: value is None or _is_number(value), "a number, or null", {"type": ["number", "null"]}, None
)
PERCENT = Kind(
    lambda value: _is_number(value) and 0 <= value <= 100,  # noqa: PLR2004 - percent
    "a number from 0 to 100 (percent)",
    {"type": "number", "minimum": 0, "maximum": 100},
    None,
)
ID = Kind(
    lambda value: (
        value is None or isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
    ),
    "an id (string or whole number), or null",
    {"type": ["string", "integer", "null"]},
    None,
)
TYPES = Kind(
    _is_applies_to,
    "a list without repetition of " + ", ".join(APPLIES_TO),
    {"type": "array", "items": {"enum": list(APPLIES_TO)}, "uniqueItems": True},
    [],
)
#: Non-blank; the longest length is a setting.
NAME = Kind(
    lambda value: isinstance(value, str) and value.strip() != "",
    "a string that is not blank",
    {"type": "string", "minLength": 1, "pattern": r"\S"},
    None,
)


@dataclass(frozen=True)
class Field:
    """A field of a collection.

    Attributes:
        name: Its key in JSON.
        kind: What it accepts.
        description: What an admin sees in it.
        default: Its value on creation when left out; None for the kind's empty value.
        required: A POST or PUT must bring it.
        immutable: It cannot be changed after creation.
    """

    name: str
    kind: Kind
    description: str
    default: Any = None
    required: bool = False
    immutable: bool = False

    def initial(self) -> Any:  # noqa: ANN401 - fields have different types
        """The value on creation when the client leaves it out."""
        return self.kind.empty if self.default is None else self.default


@dataclass(frozen=True)
class Collection:
    """A collection.

    Attributes:
        name: Its path segment.
        singular: The name of one object, for messages and the OpenAPI document.
        fields: Its fields, without the id, in the order of the answer.
        read_permission: What a key needs to read it; None for nothing.
        write_permission: What a key needs to write it; None when it cannot be written.
        module: The module without which it answers 403.
    """

    name: str
    singular: str
    fields: tuple[Field, ...] = ()
    read_permission: str | None = None
    write_permission: str | None = None
    module: str | None = None

    def complete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The given fields with defaults for the others, in order; fields beyond the table are kept at the end."""
        return {field.name: given.get(field.name, field.initial()) for field in self.fields} | dict(given)


_NAME = Field("name", NAME, "Name shown to users.", required=True)
_REFERENCE = Field("reference", TEXT, "Code in the ledger; what the sync matches on.")
_VISIBILITY = Field("visibility", TEXT, "Who can choose it.", default="everyone")
_APPROVAL = Field("approvalFlowId", ID, "Approval flow of its own.")
_ACTIVE = Field("isActive", FLAG, "Can be chosen.", default=True)
_ADMINISTRATOR = "account_administrator"
_FINANCE = "finance_user"

COLLECTIONS: dict[str, Collection] = {
    collection.name: collection
    for collection in (
        Collection(
            "categories",
            "Category",
            (
                _NAME,
                _REFERENCE,
                Field("description", TEXT, "Help for the user."),
                Field("appliesTo", TYPES, "Expense types it can be used for."),
                _VISIBILITY,
                Field("defaultTaxRateId", ID, "Tax rate proposed to the user."),
                Field("fixedAmount", AMOUNT, "Amount that the user cannot change."),
                Field("carbonCategory", TEXT, "Category for carbon reporting."),
                Field("isReportable", FLAG, "Appears in reports.", default=True),
                Field("requiresReceipt", FLAG, "A receipt must be attached."),
                Field("requiresAttendees", FLAG, "Attendees must be named."),
            ),
            write_permission=_ADMINISTRATOR,
        ),
        Collection(
            "projects",
            "Project",
            (
                _NAME,
                _REFERENCE,
                Field("description", TEXT, "Help for the user."),
                _ACTIVE,
                Field("isBillable", FLAG, "Billed to a customer."),
                Field("appliesTo", TYPES, "Expense types, and invoices, it can be used for."),
                _APPROVAL,
                _VISIBILITY,
            ),
            write_permission=_ADMINISTRATOR,
        ),
        Collection(
            "departments",
            "Department",
            (_NAME, _REFERENCE, _APPROVAL, _VISIBILITY),
            write_permission=_ADMINISTRATOR,
        ),
        Collection(
            "taxrates",
            "TaxRate",
            (
                _NAME,
                _REFERENCE,
                Field("rate", PERCENT, "Percent; fixed at creation.", required=True, immutable=True),
                _VISIBILITY,
            ),
            write_permission=_ADMINISTRATOR,
        ),
        Collection(
            "suppliers",
            "Supplier",
            (
                _NAME,
                _REFERENCE,
                _ACTIVE,
                Field("email", TEXT, "Address for remittance advice."),
                Field("paymentMethod", TEXT, "How it is paid."),
                Field("paymentTerms", TEXT, "When it is paid."),
                Field("vatNumber", TEXT, "VAT registration."),
                Field("invoicePolicy", TEXT, "Policy for its invoices."),
                _APPROVAL,
                Field("iban", TEXT, "Bank account, international."),
                Field("sortCode", TEXT, "Bank sort code."),
                Field("accountNumber", TEXT, "Bank account number."),
            ),
            read_permission=_FINANCE,
            write_permission=_FINANCE,
            module="Invoicing",
        ),
        Collection("users", "User"),
    )
}

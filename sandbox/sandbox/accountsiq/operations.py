"""The operations that the sandbox serves, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sandbox.accountsiq.types import Field


@dataclass(frozen=True)
class Operation:
    """One operation of the service.

    Attributes:
        name: Its name; SOAPAction = namespace + name.
        result: Kind of its Result: a type, or "ArrayOf" + a type.
        dataset: The store's dataset that it reads; empty for those that read none.
        parameters: The elements inside the request's body element.
        needs_token: It wants the AiqSoapHeader with an access token (all but the token operations).
        needs_entity: The header must name an entity as well.
        active_only: Records that are not active stay out.
    """

    name: str
    result: str
    dataset: str = ""
    parameters: tuple[Field, ...] = (Field("token"),)  # the legacy token: declared, never looked at
    needs_token: bool = True
    needs_entity: bool = True
    active_only: bool = False


_ALL: Final[tuple[Operation, ...]] = (
    Operation("GetChartOfAccounts", "ArrayOfWSChartOfAccountLine", "accounts"),
    Operation("GetAnalysisDimensionSetup", "ArrayOfWSAnalysisDimension", "dimensions"),
    Operation("GetDepartmentList", "ArrayOfDepartment", "bi_codes"),
    Operation(
        "GetDepartmentsBy",
        "ArrayOfDepartment",
        "bi_codes",
        parameters=(Field("token"), Field("query", "WSGetDepartmentsByQuery")),
    ),
    Operation("GetTaxCodeList", "ArrayOfTax", "tax_codes"),
    Operation("GetSupplierList", "ArrayOfSupplier", "suppliers"),
    Operation("GetActiveSupplierList", "ArrayOfSupplier", "suppliers", active_only=True),
    Operation(
        "GetSuppliersBy",
        "ArrayOfSupplier",
        "suppliers",
        parameters=(Field("token"), Field("query", "WSGetSuppliersByQuery")),
    ),
    Operation("GetEntitiesByToken", "ArrayOfWSEntity", parameters=(), needs_entity=False),
    Operation("GetCompanyInformation", "WSCompanyInformation", "company"),
    Operation(
        "TokenGet",
        "TokenGetResponse",
        parameters=(Field("clientId"), Field("clientSecret")),
        needs_token=False,
        needs_entity=False,
    ),
    Operation(
        "TokenRefresh",
        "TokenRefreshResponse",
        parameters=(Field("clientId"), Field("clientSecret"), Field("refreshToken")),
        needs_token=False,
        needs_entity=False,
    ),
)

OPERATIONS: Final[dict[str, Operation]] = {operation.name: operation for operation in _ALL}
"""Every operation, by name."""

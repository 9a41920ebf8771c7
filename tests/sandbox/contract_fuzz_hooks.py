"""Hooks of schemathesis for `test_contract_fuzz`: what the contract says beyond what JSON Schema can.

A PUT or PATCH may repeat the object's id and a tax rate's percentage but not change them, and an If-Match must name the
object's present ETag. Whether a value fits depends on the object, so the document can only say it in words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData

if TYPE_CHECKING:
    from schemathesis import Case, HookContext, Response
    from schemathesis.core.failures import Failure

_STALE = 412
_WRONG_VALUES = 422


@schemathesis.hook
def map_case(_context: HookContext, case: Case) -> Case:
    """Let a body that has an id of the right type have the one of the path, so that it gets further than that check."""
    wanted = (case.path_parameters or {}).get("id")
    if isinstance(case.body, dict) and wanted is not None and type(case.body.get("id")) is type(wanted):
        case.body["id"] = wanted
    return case


@schemathesis.hook
def filter_failure(_context: HookContext, failure: Failure, case: Case, response: Response) -> bool:
    """Keep every failure but the refusal of a value that would be good for another object."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    if response.status_code == _STALE:
        return "If-Match" not in case.headers
    if response.status_code != _WRONG_VALUES:
        return True
    complaints = [complaint for found in response.json()["errors"].values() for complaint in found]
    return not all("cannot be changed" in complaint for complaint in complaints)

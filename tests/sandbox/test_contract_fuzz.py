"""The ExpenseIn side fuzzed from its own OpenAPI document.

Whatever the document allows is served as it says, whatever it does not allow is refused as it says, and nothing is
answered in a way that it does not know. Here a short campaign, always the same; `make fuzz-contract EXAMPLES=500` makes a
long one that is another each time. A failure prints the requests that lead to it, and the seed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from sandbox.testing import Sandbox

HERE = Path(__file__).parent
WRITABLE = ("categories", "projects", "departments", "taxrates", "suppliers")
EXAMPLES = os.environ.get(
    "CONTRACT_FUZZ_EXAMPLES"
)  # for each operation and phase; unset: few, and always the same
_FEW = "8"

KINDS_OF_SERVER: dict[str, dict[str, Any]] = {
    "as-it-comes": {},
    "etag-patch-link-number": {
        "etag": True,
        "patch": True,
        "paging": "link",
        "id_type": "number",
        "page_size": 5,
        "missing_collections": ["categories", "departments"],
    },
    "page-envelope-unique-short-names": {
        "paging": "page",
        "page_size": 5,
        "envelope": "data",
        "unique_names": True,
        "unique_references": True,
        "max_name_length": 20,
        "missing_collections": ["categories", "taxrates"],
    },
    "offset": {
        "paging": "offset",
        "invoicing": False,
        "missing_collections": ["categories", "projects", "taxrates"],
    },
    "link-in-envelope": {
        "paging": "link",
        "envelope": "items",
        "page_size": 1,
        "missing_collections": ["categories", "projects", "departments", "suppliers"],
    },
}


def fuzz(box: Sandbox) -> subprocess.CompletedProcess[str]:
    """Let schemathesis loose on the box."""
    command = [
        Path(sys.executable).with_name("schemathesis"),
        f"--config-file={HERE / 'contract_fuzz.toml'}",
        "run",
        f"{box.expensein_url}openapi.json",
        f"--max-examples={EXAMPLES or _FEW}",
        *(() if EXAMPLES else ("--generation-deterministic",)),
    ]
    variables = {
        "CONTRACT_FUZZ_KEY": box.api_key,
        "SCHEMATHESIS_HOOKS": str(HERE / "contract_fuzz_hooks.py"),
        "COLUMNS": "200",
    }
    return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)


@pytest.mark.timeout(3600 if EXAMPLES else 300)
@pytest.mark.parametrize("settings", KINDS_OF_SERVER.values(), ids=KINDS_OF_SERVER)
def test_the_document_and_the_service_agree(settings: dict[str, Any]) -> None:
    with Sandbox(seed="empty", expensein=settings) as box:
        for collection in WRITABLE:
            box.add_live(
                collection, name="Old", reference="OLD", **({"rate": 20} if collection == "taxrates" else {})
            )
        box.add_live("users")
        done = fuzz(box)
        assert done.returncode == 0, done.stdout + done.stderr
        statuses = defaultdict(set)
        for request in box.requests("expensein"):
            statuses[request["operation"]].add(request["status"])
        offered = {*WRITABLE} - {*settings.get("missing_collections", ())}
        offered -= set() if settings.get("invoicing", True) else {"suppliers"}
        for collection in offered:  # none of it was in vain
            assert {200, 401} <= statuses[f"GET {collection}"]
            assert {200, 401} <= statuses[f"GET {collection}/{{id}}"]
            assert {201, 400, 401, 415, 422} <= statuses[f"POST {collection}"]
            for verb in ("PUT", "PATCH") if settings.get("patch") else ("PUT",):
                assert {200, 400, 401, 415, 422} <= statuses[f"{verb} {collection}"]
        assert not any(status is None or status >= 500 for found in statuses.values() for status in found)

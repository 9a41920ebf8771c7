"""``--test``: what a user reads before the first run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox.testing import Sandbox
from tap_accountsiq.streams import STREAMS
from tap_testing import Reply, Service, Tap, rows, settings


@pytest.fixture(scope="module")
def company() -> Iterator[Sandbox]:
    """Run the sandbox's company, with several entities."""
    with Sandbox() as box:
        yield box


def test_it_says_that_everything_works(company: Sandbox, tap: Tap) -> None:
    done = tap(settings(company), "--test")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[:2] == [
        "ok    sign-in (TokenGet)",
        f"ok    entities (GetEntitiesByToken): the application reaches {', '.join(company.entities)}.",
    ]
    per_entity = [stream for stream in STREAMS if stream.per_entity]
    changes = [stream for stream in STREAMS if stream.incremental]
    assert len(lines) == 2 + (len(per_entity) + len(changes)) * len(company.entities)
    assert all(line.startswith("ok ") for line in lines)
    first = company.entities[0]
    for read in (
        "suppliers (GetSupplierList)",
        "suppliers (GetSuppliersBy)",
        "company (GetCompanyInformation)",
    ):
        assert f"ok    {first}: {read}" in lines


def test_it_names_what_does_not_work_and_what_to_do(box: Sandbox, tap: Tap) -> None:
    box.configure(accountsiq={"scope_denied": ["GetSuppliersBy"]})
    done = tap(settings(box, entities=["ACME", "NOBODY"], exclude_expense_suppliers=True), "--test")
    assert done.code == 1
    lines = done.out.splitlines()
    bad = [line for line in lines if line.startswith("FAIL")]
    assert len(bad) == 2
    assert bad[0].startswith(
        "FAIL  ACME: suppliers (GetSuppliersBy): The application is not allowed to do this."
    )
    assert bad[1].startswith("FAIL  NOBODY: ")
    assert "setting entities" in bad[1]


def test_it_says_which_entities_the_application_reaches(company: Sandbox, tap: Tap) -> None:
    first, second, third = company.entities
    (line,) = (
        line
        for line in tap(settings(company, entities=[first, "NOBODY"]), "--test").out.splitlines()
        if "GetEntitiesByToken" in line
    )
    assert line == (
        f"note  entities (GetEntitiesByToken): the application reaches {first}, {second}, {third}; "
        f"not in the setting entities: {second}, {third}; in the setting entities, but out of reach: NOBODY."
    )


@pytest.mark.parametrize(
    ("operation", "only_when"),
    [
        ("GetEntitiesByToken", "it is selected"),
        ("GetCompanyInformation", "the stream is selected"),
        ("GetSuppliersBy", "the replication method is INCREMENTAL"),
        ("GetDepartmentsBy", "the replication method is INCREMENTAL"),
    ],
)
def test_what_only_some_need_is_a_note_and_no_failure(
    operation: str, only_when: str, box: Sandbox, tap: Tap
) -> None:
    box.configure(accountsiq={"scope_denied": [operation]})
    done = tap(settings(box), "--test")
    assert done.code == 0
    (line,) = (line for line in done.out.splitlines() if not line.startswith("ok "))
    assert line.startswith("note  ")
    assert f"({operation}): The application is not allowed to do this." in line
    assert line.endswith(f"Only needed when {only_when}.")


def test_it_names_a_wrong_secret(box: Sandbox, tap: Tap) -> None:
    done = tap(settings(box, client_secret="wrong-s3cret"), "--test")
    assert done.code == 1
    (line,) = done.out.splitlines()
    assert line.startswith("FAIL  sign-in (TokenGet): ")
    assert "client_secret" in line
    assert "wrong-s3cret" not in done.out + done.err


def test_it_does_not_read_a_long_list_to_its_end(service: Service, tap: Tap) -> None:
    service.replies["GetSupplierList"] = [
        Reply(rows("GetSupplierList", *["<Supplier><Code>S</Code></Supplier>"] * 500_000))
    ]
    assert tap(service.settings(), "--test").code == 0
    assert service.cut_off == ["GetSupplierList"]

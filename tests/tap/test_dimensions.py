"""BI codes with their dimension options resolved, by the option's code and not by its position."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox.testing import Sandbox
from tap_accountsiq.dimensions import Dimensions
from tap_testing import Reply, Service, Tap, only, refusal, settings

DIMENSIONS = [
    {
        "Code": "PLACE",
        "Description": "Location",
        "DimensionCodes": [
            {"Code": "LON", "Description": "London"},
            {"Code": "CRK", "Description": "Corcaigh & more"},
        ],
    },
    {"Code": "EMPTY"},
    {"Code": "TEAM", "DimensionCodes": [{"Code": "IT"}]},
]


def fill(box: Sandbox, *bi_codes: dict[str, Any]) -> None:
    box.set_source("ACME", "dimensions", DIMENSIONS)
    box.set_source("ACME", "bi_codes", list(bi_codes))


def selecting(catalog: dict[str, Any], **fields: bool) -> dict[str, Any]:
    """Return the catalog with BI codes alone, and fields of them selected or not."""
    chosen = only(catalog, "bi_codes")
    for stream in chosen["streams"]:
        for each in stream["metadata"]:
            if (
                stream["tap_stream_id"] == "bi_codes"
                and each["breadcrumb"][-1:]
                and each["breadcrumb"][1] in fields
            ):
                each["metadata"]["selected"] = fields[each["breadcrumb"][1]]
    return chosen


def option(position: int, code: str, *rest: str | None) -> dict[str, Any]:
    dimension, name, description = rest or (None, None, None)
    return {
        "position": position,
        "dimension_code": dimension,
        "dimension_description": name,
        "code": code,
        "description": description,
    }


LON = ("PLACE", "Location", "London")
IT = ("TEAM", None, None)


def test_each_option_code_is_resolved_and_absent_ones_leave_no_entry(
    box: Sandbox, tap: Tap, catalog: dict[str, Any]
) -> None:
    fill(
        box,
        {"DepartmentID": "B1", "AnalysisCode1": "LON", "AnalysisCode3": "IT", "AnalysisCode4": ""},
        {"DepartmentID": "B2", "AnalysisCode1": "CRK"},
        {"DepartmentID": "B3"},
    )
    done = tap(settings(box), catalog=only(catalog, "bi_codes"))
    assert [each["dimension_options"] for each in done.records("bi_codes")] == [
        [option(1, "LON", *LON), option(3, "IT", *IT)],
        [option(1, "CRK", "PLACE", "Location", "Corcaigh & more")],
        [],
    ]
    assert done.records("bi_codes")[0]["analysis_code_1"] == "LON", "the plain codes stay as they are"
    assert "WARNING" not in done.err
    assert box.counters()["accountsiq"]["GetAnalysisDimensionSetup"] == 1


def test_position_and_code_that_disagree_are_reported_once_for_each_kind(
    box: Sandbox, tap: Tap, catalog: dict[str, Any]
) -> None:
    fill(
        box,
        *({"DepartmentID": f"MOVED{n}", "AnalysisCode3": "LON"} for n in range(7)),
        {"DepartmentID": "STRANGE", "AnalysisCode1": "lon", "AnalysisCode2": "IT"},
    )
    done = tap(settings(box), catalog=only(catalog, "bi_codes"))
    assert done.code == 0
    assert done.records("bi_codes")[0]["dimension_options"] == [option(3, "LON", *LON)]
    assert done.records("bi_codes")[7]["dimension_options"] == [option(1, "lon"), option(2, "IT", *IT)]
    warnings = [line for line in done.err.splitlines() if "| WARNING" in line]
    assert len(warnings) == 2
    assert "ACME: 8 option codes of BI codes stand at the position of another dimension" in warnings[0]
    assert "MOVED0 (analysis_code_3 'LON' belongs to PLACE)" in warnings[0]
    assert "and 3 more." in warnings[0]
    assert (
        "ACME: 1 option codes of BI codes belong to no dimension: STRANGE (analysis_code_1 'lon')."
        in warnings[1]
    )


def test_the_dimensions_are_read_only_when_the_field_is_selected(
    box: Sandbox, tap: Tap, catalog: dict[str, Any]
) -> None:
    fill(box, {"DepartmentID": "B1", "AnalysisCode1": "LON"})
    done = tap(settings(box), catalog=selecting(catalog, dimension_options=False))
    assert "dimension_options" not in done.records("bi_codes")[0]
    assert "GetAnalysisDimensionSetup" not in box.counters()["accountsiq"]


def test_the_field_alone_needs_no_other_field(box: Sandbox, tap: Tap, catalog: dict[str, Any]) -> None:
    fill(box, {"DepartmentID": "B1", "AnalysisCode1": "LON"})
    codes = dict.fromkeys((*Dimensions.FIELDS, "description", "is_active"), False)
    done = tap(settings(box), catalog=selecting(catalog, **codes))
    assert done.records("bi_codes") == [
        {"entity": "ACME", "code": "B1", "dimension_options": [option(1, "LON", *LON)]}
    ]


def test_bi_codes_whose_dimensions_cannot_be_read_are_not_complete(
    service: Service, tap: Tap, catalog: dict[str, Any]
) -> None:
    service.replies["GetAnalysisDimensionSetup"] = [
        Reply(refusal("GetAnalysisDimensionSetup", "NOT_AUTHORIZED"))
    ]
    done = tap(service.settings(), catalog=only(catalog, "bi_codes"))
    assert done.code == 1
    assert done.complete == []
    assert (
        "ACME, bi_codes: The field dimension_options needs GetAnalysisDimensionSetup. "
        "The application is not allowed to do this."
    ) in done.errors[0]


@pytest.mark.parametrize("separator", [None, "_"])
def test_stream_maps_and_flattening_go_with_the_list(
    separator: str | None, box: Sandbox, tap: Tap, catalog: dict[str, Any]
) -> None:
    fill(box, {"DepartmentID": "B1", "AnalysisCode1": "LON"})
    maps = {"bi_codes": {"first": "dimension_options[0]['dimension_code']"}}
    flat = {"flattening_enabled": True, "flattening_max_depth": 3} if separator else {}
    done = tap(settings(box, stream_maps=maps, **flat), catalog=only(catalog, "bi_codes"))
    assert done.code == 0, done.err
    (record,) = done.records("bi_codes")
    (schema,) = done.of("SCHEMA", "bi_codes")
    assert record["first"] == "PLACE"
    assert set(record) == set(schema["schema"]["properties"])
    options = record["dimension_options"]
    assert (json.loads(options) if isinstance(options, str) else options) == [option(1, "LON", *LON)]
    kinds = schema["schema"]["properties"]["dimension_options"]["type"]
    assert ("string" if isinstance(options, str) else "array") in kinds


codes = st.text("AB0 ", max_size=2)
setups = st.lists(st.tuples(codes, st.lists(codes, max_size=4)), max_size=6, unique_by=lambda each: each[0])


@given(setup=setups, analysis=st.lists(st.none() | codes, min_size=6, max_size=6))
def test_every_code_that_is_there_is_answered_for(
    setup: list[tuple[str, list[str]]], analysis: list[str | None]
) -> None:
    """Nothing is lost, nothing is invented, and each disagreement is counted."""
    dimensions = Dimensions(
        {
            "dimension_position": position,
            "dimension_code": dimension,
            "dimension_description": None,
            "code": code,
            "description": None,
        }
        for position, (dimension, options) in enumerate(setup, 1)
        for code in options
    )
    positions = {dimension: position for position, (dimension, _) in enumerate(setup, 1)}
    record = {"code": "B"} | dict(zip(Dimensions.FIELDS, analysis, strict=True))
    entries = dimensions(record)
    assert [(each["position"], each["code"]) for each in entries] == [
        (n, code) for n, code in enumerate(analysis, 1) if code
    ]
    elsewhere = unknown = 0
    for each in entries:
        homes = {dimension for dimension, options in setup if each["code"] in options}
        if homes:
            assert each["dimension_code"] in homes
            elsewhere += each["position"] not in {positions[home] for home in homes}
        else:
            assert each["dimension_code"] is None
            unknown += 1
    said = " ".join(dimensions.notices())
    for count, what in ((elsewhere, "stand at the position"), (unknown, "belong to no dimension")):
        assert (f"{count} option codes of BI codes {what}" in said) == (count > 0)

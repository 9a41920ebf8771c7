"""The plan, decision by decision: for each the whole row that comes of it (R2, R7, R8, R13, R19 to R30)."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from target_expensein.items import ITEMS
from target_expensein.live import LiveIndex
from target_expensein.model import Field, FieldChange, Kind, LiveRecord, Origin, Row, SourceRecord
from target_expensein.plan import AppliedValues, Decisions, ItemPlan, plan_item
from target_expensein.source import SourceList

NOTHING: dict[str, dict[str, Any]] = {}
TRAVEL = SourceRecord("100", "Travel")


def plan(
    source: list[SourceRecord],
    live: list[LiveRecord] | None = None,
    *,
    item: str = "categories",
    applied: dict[str, dict[str, Any]] = NOTHING,
    filtered_out: tuple[str, ...] = (),
    **decided: Any,
) -> ItemPlan:
    references = {record.reference for record in source} | set(filtered_out)
    listed = SourceList(records=source, references=references, filtered=Counter(filtered_out))
    return plan_item(ITEMS[item], Decisions(**decided), listed, LiveIndex(live or []), applied)


def row(kind: Kind, reason: str, record: SourceRecord, item: str = "categories", **more: Any) -> Row:
    return Row(item, kind, reason, record.reference, record.name, source=record, **more)


def new(field: Field, value: Any) -> FieldChange:
    return FieldChange(field, None, value, Origin.NEW)


# One record


@pytest.mark.parametrize(
    ("item", "record", "changes"),
    [
        ("categories", TRAVEL, {Field.APPLIES_TO: ["purchase", "time"]}),  # R13
        ("projects", TRAVEL, {Field.APPLIES_TO: ["purchase", "time"], Field.IS_ACTIVE: True}),  # R16
        ("departments", TRAVEL, {}),
        (
            "tax_rates",
            SourceRecord("100", "Standard", rate=Decimal("0.135")),
            {Field.RATE: Decimal("13.5")},
        ),  # R21
        ("suppliers", TRAVEL, {Field.IS_ACTIVE: True}),
    ],
)
def test_what_expensein_does_not_have_is_created_with_reference_name_and_defaults(item, record, changes):
    planned = plan([record], item=item, applies_to=("purchase", "time"))
    fields = {Field.REFERENCE: "100", Field.NAME: record.name} | changes
    expected = row(Kind.CREATE, "new", record, item, changes=tuple(new(*one) for one in fields.items()))
    assert planned.rows == planned.writes == (expected,)
    assert (planned.item, planned.unchanged, planned.filtered) == (item, 0, 0)
    assert expected.values == fields


def test_a_field_that_the_server_does_not_have_is_left_out():
    planned = plan([TRAVEL], item="projects", absent=frozenset({Field.APPLIES_TO}))
    assert planned.rows[0].values == {Field.REFERENCE: "100", Field.NAME: "Travel", Field.IS_ACTIVE: True}


def test_what_is_equal_is_counted_and_has_no_row():
    trips = SourceRecord("200", "Trips")
    planned = plan([TRAVEL, trips], [LiveRecord(7, "100", "Travel"), LiveRecord(8, "200", "Trips")])
    assert (planned.rows, planned.writes, planned.unchanged) == ((), (), 2)


@pytest.mark.parametrize(
    ("applied", "origin"),
    [
        (NOTHING, Origin.UNKNOWN),
        ({"100": {}}, Origin.UNKNOWN),
        ({"200": {"name": "Trips"}}, Origin.UNKNOWN),
        ({"100": {"name": "Trips"}}, Origin.SOURCE),
        ({"100": {"name": "Travel"}}, Origin.EDITED),
        ({"100": {"name": "Journeys"}}, Origin.BOTH),
    ],
)
def test_another_name_is_an_update_that_says_where_the_difference_comes_from(applied, origin):
    """R2."""
    planned = plan([TRAVEL], [LiveRecord(7, "100", "Trips")], applied=applied)
    change = FieldChange(Field.NAME, "Trips", "Travel", origin)
    assert planned.rows == (row(Kind.UPDATE, "differs", TRAVEL, record_id=7, changes=(change,)),)
    assert planned.unchanged == 0


@pytest.mark.parametrize("name", ["travel", "Travel ", None])
def test_a_name_is_compared_character_for_character(name):
    (found,) = plan([TRAVEL], [LiveRecord(7, "100", name)]).rows
    assert found.changes == (FieldChange(Field.NAME, name, "Travel", Origin.UNKNOWN),)


# Tax rates


def test_a_rate_that_differs_is_reported_and_never_written():
    """R19."""
    record = SourceRecord("T1", "Standard", rate=Decimal("0.2"))
    planned = plan([record], [LiveRecord(7, "T1", "Standard", rate=Decimal("17.5"))], item="tax_rates")
    change = FieldChange(Field.RATE, Decimal("17.5"), Decimal(20), Origin.UNKNOWN)
    assert planned.rows == (
        row(Kind.NOTICE, "rate_differs", record, "tax_rates", record_id=7, changes=(change,)),
    )
    assert (planned.writes, planned.unchanged) == ((), 1)


def test_a_rate_that_differs_is_reported_beside_a_name_that_is_overwritten():
    """R19, R20."""
    record = SourceRecord("T1", "Standard", rate=Decimal("0.2"))
    planned = plan([record], [LiveRecord(7, "T1", "Old", rate=Decimal("17.5"))], item="tax_rates")
    assert [(found.kind, found.reason) for found in planned.rows] == [
        (Kind.UPDATE, "differs"),
        (Kind.NOTICE, "rate_differs"),
    ]


def test_where_another_rate_comes_from_is_told_by_what_was_last_applied_to_its_own_reference():
    """R19."""
    record = SourceRecord("T1", "Standard", rate=Decimal("0.2"))
    live = [LiveRecord(7, "T1", "Standard", rate=Decimal("17.5"))]
    applied = {"T1": {"rate": Decimal("17.5")}, "T2": {"rate": Decimal(20)}}
    (found,) = plan([record], live, item="tax_rates", applied=applied).rows
    assert found.changes == (FieldChange(Field.RATE, Decimal("17.5"), Decimal(20), Origin.SOURCE),)


@pytest.mark.parametrize(
    ("unit", "rate", "reason"),
    [
        ("fraction", None, "rate_invalid"),
        ("fraction", "NaN", "rate_invalid"),
        ("fraction", "Infinity", "rate_invalid"),
        ("fraction", "-0.01", "rate_invalid"),
        ("fraction", "-0", "new"),
        ("fraction", "0", "new"),
        ("fraction", "1", "new"),
        ("fraction", "1.01", "rate_above_one"),
        ("fraction", "1001", "rate_above_one"),
        ("percent", "1.01", "new"),
        ("percent", "1000", "new"),
        ("percent", "1000.01", "rate_invalid"),
        ("percent", "-1", "rate_invalid"),
    ],
)
def test_only_a_rate_that_can_be_one_is_taken(unit, rate, reason):
    """R21."""
    record = SourceRecord("T1", "Tax", rate=None if rate is None else Decimal(rate))
    (found,) = plan([record], item="tax_rates", rate_unit=unit).rows
    assert found.reason == reason
    if reason != "new":
        kind = Kind.HELD if reason == "rate_above_one" else Kind.REJECTED  # the former may be a wrong setting
        assert found == row(kind, reason, record, "tax_rates", detail=f"rate: {rate}")


def test_an_item_without_a_rate_does_not_look_at_it():
    assert plan([SourceRecord("1", "A", rate=Decimal(-1))]).rows[0].reason == "new"


# Inactive and woken


def test_an_inactive_supplier_wakes_when_its_source_is_active_and_for_no_other_reason():
    """R23, R7."""
    asleep = LiveRecord(7, "100", "Travel", is_active=False)
    change = FieldChange(Field.IS_ACTIVE, before=False, after=True, origin=Origin.UNKNOWN)
    woken = row(Kind.UPDATE, "woken", TRAVEL, "suppliers", record_id=7, changes=(change,))
    assert plan([TRAVEL], [asleep], item="suppliers").rows == (woken,)
    assert plan([TRAVEL], [asleep], item="projects").unchanged == 1
    inactive = SourceRecord("100", "Travel", active=False)
    assert plan([inactive], [asleep], item="suppliers", inactive_source="sync").unchanged == 1
    awake = LiveRecord(7, "100", "Travel", is_active=True)
    assert plan([inactive], [awake], item="suppliers", inactive_source="sync").unchanged == 1
    unknown = LiveRecord(7, "100", "Travel", is_active=None)
    assert plan([TRAVEL], [unknown], item="suppliers").unchanged == 1


def test_a_supplier_that_is_renamed_and_woken_differs_in_both_fields():
    asleep = LiveRecord(7, "100", "Trips", is_active=False)
    (found,) = plan([TRAVEL], [asleep], item="suppliers", applied={"100": {"is_active": True}}).rows
    assert found.reason == "differs"
    assert found.changes == (
        FieldChange(Field.NAME, "Trips", "Travel", Origin.UNKNOWN),
        FieldChange(Field.IS_ACTIVE, before=False, after=True, origin=Origin.EDITED),
    )


def test_what_is_inactive_at_the_source_is_skipped_unless_it_shall_take_part():
    """R25."""
    inactive = SourceRecord("100", "Travel", active=False)
    live = [LiveRecord(7, "100", "Trips")]
    assert plan([inactive], live).rows == (row(Kind.SKIPPED, "inactive_at_source", inactive),)
    assert plan([inactive], live, inactive_source="sync").rows[0].reason == "differs"
    twin = SourceRecord("100", "Trips", active=False)
    assert plan([inactive, twin], live).rows[0].reason == "inactive_at_source"
    assert plan([inactive, TRAVEL], live).rows[0].reason == "duplicate_at_source"


def test_what_is_inactive_at_the_source_and_what_the_filter_kept_out_count_together_as_skipped():
    """R25."""
    planned = plan([SourceRecord("100", "Travel", active=False)], filtered_out=("200", "300"))
    assert planned.counts[Kind.SKIPPED] == 3


# Blank, twice, alike


@pytest.mark.parametrize("reference", ["", " \t"])
def test_records_without_a_code_are_rejected_one_by_one(reference):
    """R30."""
    blank = [SourceRecord(reference, "A"), SourceRecord(reference, "A", active=False)]
    assert plan(blank).rows == tuple(row(Kind.REJECTED, "blank_reference", record) for record in blank)


def test_a_record_without_a_name_is_rejected():
    """R30."""
    nameless = SourceRecord("100", "  ")
    assert plan([nameless]).rows == (row(Kind.REJECTED, "blank_name", nameless),)


def test_a_code_that_the_source_has_twice_is_held_and_the_records_are_shown():
    """R26."""
    other = SourceRecord("100", "Trips", active=False, rate=Decimal("0.2"), entity="ACME_UK")
    planned = plan([TRAVEL, other], [LiveRecord(7, "100", "Journeys")])
    detail = "at the source: 'Travel', 'Trips' (inactive) (rate 0.2) (entity ACME_UK)"
    assert planned.rows == (row(Kind.HELD, "duplicate_at_source", TRAVEL, detail=detail),)


def test_identical_twins_count_once():
    """R26: whatever entity they come from."""
    planned = plan(
        [TRAVEL, SourceRecord("100", "Travel", entity="ACME_IE")], [LiveRecord(7, "100", "Travel")]
    )
    assert (planned.rows, planned.unchanged) == ((), 1)


def test_a_reference_that_expensein_has_twice_is_held():
    """R27."""
    live = [LiveRecord(7, "100", "Travel"), LiveRecord("x", "100", "Trips")]
    detail = "in ExpenseIn: '100' 'Travel' (id 7), '100' 'Trips' (id x)"
    assert plan([TRAVEL], live).rows == (row(Kind.HELD, "duplicate_in_expensein", TRAVEL, detail=detail),)


def test_a_lookalike_is_held_unless_it_belongs_to_another_code_of_the_source():
    """R28."""
    live = [LiveRecord(7, "0100", "Travel")]
    held, orphan = plan([TRAVEL], live).rows
    assert held == row(Kind.HELD, "lookalike", TRAVEL, detail="in ExpenseIn: '0100' 'Travel' (id 7)")
    assert orphan == Row("categories", Kind.NOTICE, "orphan", "0100", "Travel", 7)
    assert [found.reason for found in plan([TRAVEL], live, filtered_out=("0100",)).rows] == ["new"]


# Adoption


NAMELESS = LiveRecord(7, None, "Travel")


def test_a_record_of_the_same_name_without_a_reference_is_mentioned():
    """R29: without adoption it stays, and the new one is made."""
    created, notice = plan([TRAVEL], [NAMELESS]).rows
    assert created.reason == "new"
    detail = "in ExpenseIn: None 'Travel' (id 7)"
    assert notice == row(Kind.NOTICE, "adoption_candidate", TRAVEL, record_id=7, detail=detail)


def test_adoption_gives_it_the_reference():
    """R29."""
    (found,) = plan([TRAVEL], [NAMELESS], adopt_by_name=True).rows
    assert found == row(Kind.UPDATE, "adopted", TRAVEL, record_id=7, changes=(new(Field.REFERENCE, "100"),))


def test_an_adopted_supplier_is_woken_as_well():
    asleep = LiveRecord(7, None, "Travel", is_active=False)
    (found,) = plan([TRAVEL], [asleep], item="suppliers", adopt_by_name=True).rows
    assert found.values == {Field.REFERENCE: "100", Field.IS_ACTIVE: True}


def test_without_a_record_of_the_name_adoption_changes_nothing():
    assert plan([TRAVEL], [LiveRecord(7, None, "Trips")], adopt_by_name=True).rows[0].reason == "new"


def test_a_name_that_several_records_of_expensein_have_is_ambiguous():
    """R29."""
    (found,) = plan([TRAVEL], [NAMELESS, LiveRecord(8, None, "Travel")], adopt_by_name=True).rows
    detail = "in ExpenseIn: None 'Travel' (id 7), None 'Travel' (id 8); 1 source record(s) of this name"
    assert found == row(Kind.HELD, "ambiguous_name", TRAVEL, detail=detail)


def test_a_name_that_several_newcomers_have_is_ambiguous_for_each():
    """R29; a twin is no rival, nor is a record that ExpenseIn has already."""
    other = SourceRecord("200", "Travel")
    rows = plan([TRAVEL, TRAVEL, other], [NAMELESS], adopt_by_name=True).rows
    assert [found.reason for found in rows] == ["ambiguous_name", "ambiguous_name"]
    assert rows[0].detail == "in ExpenseIn: None 'Travel' (id 7); 2 source record(s) of this name"
    known = [NAMELESS, LiveRecord(8, "200", "Travel")]
    assert [found.reason for found in plan([TRAVEL, other], known, adopt_by_name=True).rows] == ["adopted"]


def test_a_tax_rate_of_the_same_name_and_another_percentage_is_not_adopted():
    """R29, R19."""
    record = SourceRecord("T1", "Standard", rate=Decimal("0.2"))

    def reasons(rate: str) -> list[Row]:
        live = [LiveRecord(7, None, "Standard", rate=Decimal(rate))]
        return list(plan([record], live, item="tax_rates", adopt_by_name=True).rows)

    assert [found.reason for found in reasons("20.0")] == ["adopted"]
    detail = "in ExpenseIn: None 'Standard' (id 7)"
    assert reasons("17.5") == [
        row(Kind.HELD, "adoption_rate_differs", record, "tax_rates", record_id=7, detail=detail)
    ]


# The whole


def test_rows_come_in_the_order_of_the_source_between_what_could_not_be_read_and_the_orphans():
    """R7."""
    unread = Row("categories", Kind.REJECTED, "no_reference", None)
    listed = SourceList(
        records=[SourceRecord("2", "B"), TRAVEL, SourceRecord("3", "C")],
        references={"2", "100", "3", "hidden"},
        rejected=[unread],
        filtered=Counter({"one": 2, "other": 3}),
    )
    live = [LiveRecord(1, "gone", "Old"), LiveRecord(2, "gone", "Old twin"), LiveRecord(3, "3", "C"),
            LiveRecord(4, "hidden", "H")]  # fmt: skip
    planned = plan_item(ITEMS["categories"], Decisions(), listed, LiveIndex(live))
    assert [(found.reason, found.reference, found.record_id) for found in planned.rows] == [
        ("no_reference", None, None),
        ("new", "2", None),
        ("new", "100", None),
        ("orphan", "gone", 1),
        ("orphan", "gone", 2),
    ]
    assert planned.counts == {
        Kind.REJECTED: 1, Kind.CREATE: 2, Kind.NOTICE: 2, Kind.UNCHANGED: 1, Kind.SKIPPED: 5,
    }  # fmt: skip
    assert [found.reference for found in planned.writes] == ["2", "100"]


def test_a_shared_reference_is_decided_once_where_it_first_appears():
    """R26."""
    records = [
        TRAVEL,
        SourceRecord("200", "B"),
        SourceRecord("100", "Trips"),
        SourceRecord("300", "C"),
        TRAVEL,
    ]
    rows = plan(records).rows
    assert [(found.reason, found.reference) for found in rows] == [
        ("duplicate_at_source", "100"),
        ("new", "200"),
        ("new", "300"),
    ]
    assert rows[0].detail == "at the source: 'Travel', 'Trips'"


def test_what_was_applied_is_remembered_but_for_what_was_left_open():
    """What the next comparison calls last applied: the name, and that a supplier was active."""
    listed = SourceList(
        records=[TRAVEL, SourceRecord("200", "Trips", active=False), SourceRecord("300", "X")]
    )
    assert dict(AppliedValues(ITEMS["categories"], listed, {"300", None}).items()) == {
        "100": {"name": "Travel"},
        "200": {"name": "Trips"},
    }
    assert dict(AppliedValues(ITEMS["suppliers"], listed, ()).items()) == {
        "100": {"name": "Travel", "is_active": True},
        "200": {"name": "Trips"},
        "300": {"name": "X", "is_active": True},
    }

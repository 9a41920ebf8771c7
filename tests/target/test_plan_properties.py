"""Properties of the plan that hold for any source and any live state (R2, R7, R8, R9, R19, R23, R26 to R28)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from target_expensein.items import ITEMS, Item
from target_expensein.live import LiveIndex, fold_reference
from target_expensein.model import Field, Kind, LiveRecord, Origin, SourceRecord
from target_expensein.plan import Decisions, ItemPlan, percent, plan_item
from target_expensein.source import SourceList

# Few values on purpose: what matters is that they meet. "Å" is there in both Unicode forms.
REFERENCES = ["100", "0100", "00100", "a1", "A1", " a1", "a1 ", "\u00c5", "A\u030a", "0", "x", "", " "]
NAMES = ["Travel", "travel", "T&E", "", "  "]
RATES = [None, Decimal(0), Decimal("0.135"), Decimal("0.2"), Decimal(1), Decimal("1.01"), Decimal(-1)]

source_records = st.builds(
    SourceRecord,
    reference=st.sampled_from(REFERENCES),
    name=st.sampled_from(NAMES),
    active=st.booleans(),
    rate=st.sampled_from(RATES),
)
live_records = st.builds(
    LiveRecord,
    id=st.uuids().map(str),
    reference=st.none() | st.sampled_from([reference for reference in REFERENCES if reference.strip()]),
    name=st.sampled_from(NAMES),
    is_active=st.booleans(),
    rate=st.sampled_from([Decimal(0), Decimal("13.5"), Decimal(20), Decimal("20.0")]),
)
decisions = st.builds(
    Decisions,
    inactive_source=st.sampled_from(["ignore", "sync"]),
    adopt_by_name=st.booleans(),
    rate_unit=st.sampled_from(["fraction", "percent"]),
    applies_to=st.just(("purchase",)),
)
items = st.sampled_from(list(ITEMS.values()))


@st.composite
def source_lists(draw: st.DrawFn) -> SourceList:
    records = draw(st.lists(source_records, max_size=12))
    filtered_out = draw(st.sets(st.sampled_from(REFERENCES), max_size=3))
    return SourceList(records=records, references={record.reference for record in records} | filtered_out)


lives = st.lists(live_records, max_size=10, unique_by=lambda record: record.id)


def plan_of(item: Item, how: Decisions, source: SourceList, live: list[LiveRecord]) -> ItemPlan:
    return plan_item(item, how, source, LiveIndex(live))


def carried_out(plan: ItemPlan, live: list[LiveRecord]) -> list[LiveRecord]:
    """What ExpenseIn holds after the plan: the simplest server there is."""
    after = {record.id: record for record in live}
    for number, row in enumerate(plan.writes):
        values = {name: value for name, value in row.values.items() if name != Field.APPLIES_TO}
        if row.kind is Kind.CREATE:
            after[f"new-{number}"] = LiveRecord(
                **{"id": f"new-{number}", "is_active": True, "rate": Decimal(0), "name": None} | values
            )
        else:
            after[row.record_id] = structs.replace(after[row.record_id], **values)
    return list(after.values())


@given(items, decisions, source_lists(), lives)
def test_a_plan_that_was_carried_out_leaves_nothing_to_write(item, how, source, live):
    """R2: after one run, owned fields equal the source; a second run writes nothing."""
    plan = plan_of(item, how, source, live)
    assert plan_of(item, how, source, carried_out(plan, live)).writes == ()


@given(items, decisions, source_lists(), lives)
def test_no_plan_ever_makes_a_second_record_of_a_reference_or_of_a_lookalike(item, how, source, live):
    """R8, R26, R27, R28."""
    plan = plan_of(item, how, source, live)
    before = Counter(record.reference for record in live if record.reference is not None)
    after = Counter(record.reference for record in carried_out(plan, live) if record.reference is not None)
    for reference, number in after.items():
        assert number == 1 or number == before[reference]
    for row in plan.writes:
        if Field.REFERENCE in row.values:
            twins = [
                record.reference
                for record in live
                if record.reference not in {None, row.reference}
                and fold_reference(record.reference) == fold_reference(row.reference)
            ]
            assert all(twin in source.references for twin in twins)


@given(items, decisions, source_lists(), lives)
def test_an_update_writes_owned_fields_only(item, how, source, live):
    """R9, R19, R21, R23: name; the active flag only to true and only where declared; a reference only if it had none."""
    by_id = {record.id: record for record in live}
    for row in plan_of(item, how, source, live).writes:
        if row.kind is not Kind.UPDATE:
            continue
        for change in row.changes:
            match change.field:
                case Field.NAME:
                    assert change.after != change.before
                case Field.IS_ACTIVE:
                    assert item.wakes
                    assert change.after is True
                case Field.REFERENCE:
                    assert how.adopt_by_name
                    assert by_id[row.record_id].reference is None
                case _:
                    pytest.fail(f"an update writes {change.field}")


@given(items, decisions, source_lists(), lives)
def test_no_reference_is_decided_twice_and_none_is_forgotten(item, how, source, live):
    """Every reference at the source ends in exactly one row that is not a notice, or is unchanged."""
    plan = plan_of(item, how, source, live)
    decided = Counter(
        row.reference for row in plan.rows if row.kind is not Kind.NOTICE and row.reference.strip()
    )
    assert all(number == 1 for number in decided.values())
    references = {record.reference for record in source.records if record.reference.strip()}
    assert len(decided) + plan.unchanged == len(references)


@given(items, decisions, source_lists(), lives)
def test_what_is_blank_at_the_source_is_never_written(item, how, source, live):
    """R30."""
    for row in plan_of(item, how, source, live).writes:
        assert row.reference.strip()
        assert row.name.strip()


@given(items, decisions, source_lists(), lives)
def test_the_same_arguments_give_the_same_plan(item, how, source, live):
    assert plan_of(item, how, source, live).rows == plan_of(item, how, source, live).rows


@given(items, decisions, source_lists(), lives)
def test_live_records_that_the_source_does_not_have_are_reported_and_left_alone(item, how, source, live):
    """R7."""
    plan = plan_of(item, how, source, live)
    gone = {
        record.id
        for record in live
        if record.reference is not None and record.reference not in source.references
    }
    assert {row.record_id for row in plan.rows if row.reason == "orphan"} == gone
    assert not gone & {row.record_id for row in plan.writes}


applied_before = st.dictionaries(
    st.sampled_from(REFERENCES), st.fixed_dictionaries({"name": st.sampled_from(NAMES)}), max_size=6
)


@given(items, decisions, source_lists(), lives, applied_before)
def test_what_was_applied_last_says_where_a_difference_comes_from_and_changes_nothing_else(
    item, how, source, live, applied
):
    """R2: the comparison is with the live state; the ledger explains it."""
    told = plan_item(item, how, source, LiveIndex(live), applied)
    plain = plan_of(item, how, source, live)
    for row, other in zip(told.rows, plain.rows, strict=True):
        for change, same in zip(row.changes, other.changes, strict=True):
            assert replace(change, origin=same.origin) == same
            last = applied.get(row.reference, {})
            if row.kind is not Kind.UPDATE or change.field is Field.REFERENCE:
                continue
            if change.field not in last:
                assert change.origin is Origin.UNKNOWN
            else:
                edited, changed = change.before != last[change.field], change.after != last[change.field]
                assert (change.origin in {Origin.EDITED, Origin.BOTH}) == edited
                assert (change.origin in {Origin.SOURCE, Origin.BOTH}) == changed


@given(st.decimals(min_value=0, max_value=1, places=6))
def test_a_fraction_becomes_percent_exactly(rate):
    """R21: no digit is lost and none is made up."""
    assert percent(rate, "fraction") == rate * 100
    assert percent(rate, "percent") == rate


@pytest.mark.parametrize(
    ("rate", "text"), [("0.135", "13.5"), ("0.20", "20"), ("0.2300", "23"), ("0", "0"), ("1", "100")]
)
def test_a_percentage_is_written_without_superfluous_digits(rate, text):
    """R21: 0.135 becomes 13.5, not 13.500 and not 1.35E+1."""
    assert str(percent(Decimal(rate), "fraction")) == text


@pytest.mark.parametrize(
    ("one", "other"),
    [("100", "0100"), ("a1", "A1"), (" a1", "a1 "), ("\u00c5", "A\u030a"), ("0", "000"), ("ß", "SS")],
)
def test_references_that_look_alike_fold_to_the_same(one, other):
    """R28."""
    assert fold_reference(one) == fold_reference(other)


@pytest.mark.parametrize(("one", "other"), [("100", "1000"), ("a1", "a 1"), ("a-1", "a1"), ("0", "1")])
def test_references_that_do_not_look_alike_fold_differently(one, other):
    """R28."""
    assert fold_reference(one) != fold_reference(other)

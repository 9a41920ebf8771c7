"""The plan document: the same bytes for the same plan, a digest of exactly the changes, a schema that lets nothing else in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from importlib.resources import files
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from target_expensein.guard import Gated, Hold, Past, gate
from target_expensein.items import ITEMS
from target_expensein.limits import limits_from
from target_expensein.live import LiveIndex
from target_expensein.model import WRITES, Field, FieldChange, Kind, LiveRecord, Origin, Row, SourceRecord
from target_expensein.plan import Decisions, ItemPlan, plan_item
from target_expensein.planfile import PlanFileError, approval_line, differences, dump, load, plan_document
from target_expensein.source import SourceList

SCHEMA = json.loads(files("target_expensein").joinpath("plan.schema.json").read_text(encoding="utf-8"))
CONFIGURATION = f"sha256:{'0' * 64}"

quickly = settings(max_examples=50, deadline=None)  # whole plans are drawn, and a machine may be slow

# Few values on purpose: what matters is that they meet. One name is half of a surrogate pair.
REFERENCES = ["100", "0100", "a1", "A1", "x", " ", "<b>", "\ud83d"]
NAMES = ["Travel", "travel", "Catering", "", "Ünïcode → \U0001f9fe", "\ud800"]
RATES = [None, Decimal(0), Decimal("0.135"), Decimal("0.20"), Decimal("1.01"), Decimal("-1")]


def document(plans: Mapping[str, Gated], **more: Any) -> dict[str, Any]:
    return plan_document(plans, configuration=CONFIGURATION, **more)


def text_of(made: Mapping[str, Any]) -> str:
    return "".join(dump(made))


def only(*rows: Row) -> dict[str, Any]:
    """The document of a plan of categories with these rows."""
    return document({"categories": Gated(ItemPlan("categories", rows, unchanged=7, filtered=2))})


def update(reference: str, before: str | None, after: str, record_id: str | int = 7) -> Row:
    change = FieldChange(Field.NAME, before, after, Origin.SOURCE)
    return Row("categories", Kind.UPDATE, "differs", reference, after, record_id, (change,))


def create(reference: str, name: str, **fields: Any) -> Row:
    values = {"reference": reference, "name": name} | fields
    changes = tuple(
        FieldChange(Field(field), None, value, Origin.NEW) for field, value in values.items() if value != ...
    )
    return Row("categories", Kind.CREATE, "new", reference, name, None, changes)


@st.composite
def planned(draw: st.DrawFn) -> dict[str, Gated]:
    """Plans as the planner makes them and the gate lets them through, for some of the items."""
    plans = {}
    for name in draw(st.lists(st.sampled_from(list(ITEMS)), unique=True, max_size=2)):
        records = draw(
            st.lists(
                st.builds(
                    SourceRecord,
                    reference=st.sampled_from(REFERENCES),
                    name=st.sampled_from(NAMES),
                    active=st.booleans(),
                    rate=st.sampled_from(RATES),
                ),
                max_size=6,
            )
        )
        live = LiveIndex(
            draw(
                st.lists(
                    st.builds(
                        LiveRecord,
                        id=st.integers(1, 99) | st.uuids().map(str),
                        reference=st.none() | st.sampled_from([text for text in REFERENCES if text.strip()]),
                        name=st.none() | st.sampled_from(NAMES),
                        is_active=st.booleans(),
                        rate=st.sampled_from([None, Decimal("13.5"), Decimal("20.0")]),
                    ),
                    max_size=6,
                )
            )
        )
        applied = draw(
            st.dictionaries(
                st.sampled_from(REFERENCES),
                st.fixed_dictionaries({"name": st.sampled_from(NAMES), "is_active": st.booleans()}),
            )
        )
        decisions = Decisions(adopt_by_name=draw(st.booleans()), applies_to=("purchase",))
        source = SourceList(records=records, references={record.reference for record in records})
        plan = plan_item(ITEMS[name], decisions, source, live, applied)
        past = Past(applied_before=draw(st.booleans()), source_count=draw(st.none() | st.integers(0, 30)))
        plans[name] = gate(plan, len(records), live, past, limits_from({"limits": {"floor": 1}}, name))
    return plans


def with_rows(gated: Gated, rows: tuple[Row, ...]) -> Gated:
    return replace(gated, plan=replace(gated.plan, rows=rows))


def writes(plans: Mapping[str, Gated]) -> list[tuple[str, int]]:
    """Where the rows that write are: item and position."""
    return [
        (name, number)
        for name, gated in plans.items()
        for number, row in enumerate(gated.plan.rows)
        if row.kind in WRITES
    ]


# The same plan, the same bytes


@quickly
@given(planned(), st.randoms(use_true_random=False))
def test_the_document_does_not_depend_on_the_order_of_anything(plans: dict[str, Gated], random: Random):
    def shuffled(things: Any) -> tuple[Any, ...]:
        return tuple(random.sample(list(things), len(things)))

    again = {
        name: with_rows(
            gated, shuffled([replace(row, changes=shuffled(row.changes)) for row in gated.plan.rows])
        )
        for name, gated in shuffled(plans.items())
    }
    assert text_of(document(again)).encode() == text_of(document(plans)).encode()


def test_items_come_in_their_order_and_what_needs_a_person_comes_first():
    rows = [create("b", "B"), create("a", "A"), update("c", "x", "y")]
    rows += [
        Row("categories", kind, reason, reference)
        for kind, reason, reference in [
            (Kind.SKIPPED, "inactive_at_source", "a"),
            (Kind.NOTICE, "orphan", "a"),
            (Kind.REJECTED, "invalid_record", None),
            (Kind.REJECTED, "blank_name", "z"),
            (Kind.HELD, "lookalike", "z"),
        ]
    ]
    plans = {name: Gated(ItemPlan(name, (), 0, 0)) for name in ("suppliers", "projects")}
    plans["categories"] = Gated(ItemPlan("categories", tuple(rows), 0, 0))
    made = document(plans)
    assert [item["item"] for item in made["items"]] == ["categories", "projects", "suppliers"]
    assert [(row["kind"], row["reference"]) for row in made["items"][0]["rows"]] == [
        ("held", "z"),
        ("rejected", "z"),
        ("rejected", None),
        ("update", "c"),
        ("create", "a"),
        ("create", "b"),
        ("notice", "a"),
        ("skipped", "a"),
    ]


def test_decimals_keep_every_digit():
    rate = Decimal("0.10000000000000000000000000000000000000001")
    text = text_of(only(create("S", "Standard", rate=rate)))
    assert f'"after": {rate}' in text
    assert load(text)["items"][0]["rows"][0]["fields"]["rate"]["after"] == rate


def test_an_item_that_could_not_be_planned_is_in_the_document_with_the_reason():
    made = document({}, problems={"suppliers": "The Invoicing module is not enabled."})
    assert load(text_of(made)) == made
    (item,) = made["items"]
    assert item["problem"] == "The Invoicing module is not enabled."
    assert set(item["counts"].values()) == {0}


def test_unchanged_and_filtered_records_are_counted_without_rows():
    (item,) = only(update("100", "A", "B"))["items"]
    assert {kind: number for kind, number in item["counts"].items() if number} == {
        "update": 1,
        "unchanged": 7,
        "skipped": 2,
    }
    assert item["filtered"] == 2
    assert len(item["rows"]) == 1


# The digest


def test_the_digest_is_what_the_schema_says_it_is():
    rows = (update("Ä", None, "Z"), create("20", "Twenty", rate=Decimal("20.00")))
    holds = (Hold("too_many_updates", 1, 0, "1 to change", ()),)
    made = document({"categories": Gated(ItemPlan("categories", rows, unchanged=0, filtered=0), holds)})
    text = (
        '[{"fields":{"name":{"after":"Twenty","before":null},"rate":{"after":2E+1,"before":null},'
        '"reference":{"after":"20","before":null}},"item":"categories","record_id":null,"reference":"20"},'
        '{"fields":{"name":{"after":"Z","before":null}},"item":"categories","record_id":7,"reference":"\\u00c4"},'
        '{"hold":"too_many_updates","item":"categories"}]'
    )
    assert made["digest"] == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@quickly
@given(planned())
def test_the_digest_does_not_depend_on_why_something_is_written_or_on_what_is_not_written(
    plans: dict[str, Gated],
):
    def told_differently(row: Row) -> Row:
        changes = tuple(replace(change, origin=Origin.BOTH) for change in row.changes)
        return replace(row, changes=changes, reason="told_differently", detail="otherwise", name="another")

    again = {
        name: Gated(
            ItemPlan(
                name,
                rows=(
                    *(told_differently(row) for row in gated.plan.writes),
                    Row(name, Kind.NOTICE, "orphan", "gone"),
                ),
                unchanged=99,
                filtered=99,
            ),
            gated.holds,
        )
        for name, gated in plans.items()
    }
    made = plan_document(again, configuration=f"sha256:{'1' * 64}")
    assert made["digest"] == document(plans)["digest"]
    assert differences(document(plans), made) == ()


def other_reference(row: Row) -> Row:
    return replace(row, reference=f"{row.reference}0")


def other_record(row: Row) -> Row:
    return replace(row, record_id="another record")


def other_item(row: Row) -> Row:
    return replace(row, item="projects" if row.item != "projects" else "departments")


def other_before(row: Row) -> Row:
    return replace(row, changes=(replace(row.changes[0], before="another"), *row.changes[1:]))


def other_after(row: Row) -> Row:
    return replace(row, changes=(*row.changes[:-1], replace(row.changes[-1], after="another")))


def one_field_less(row: Row) -> Row:
    return replace(row, changes=row.changes[1:])


def one_field_more(row: Row) -> Row:
    has = {change.field for change in row.changes}
    field = next(field for field in Field if field not in has)
    return replace(row, changes=(*row.changes, FieldChange(field, None, "more")))


def not_written(row: Row) -> Row:
    return replace(row, kind=Kind.HELD)


ALTERATIONS = [
    other_reference,
    other_record,
    other_item,
    other_before,
    other_after,
    one_field_less,
    one_field_more,
    not_written,
]


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(ALTERATIONS))
def test_the_digest_depends_on_everything_that_is_written(data: st.DataObject, alter: Callable[[Row], Row]):
    plans = data.draw(planned().filter(writes))
    name, number = data.draw(st.sampled_from(writes(plans)))
    rows = list(plans[name].plan.rows)
    assume(alter is not one_field_more or len(rows[number].changes) < len(Field))
    rows[number] = alter(rows[number])
    altered = plans | {name: with_rows(plans[name], tuple(rows))}
    assert document(altered)["digest"] != document(plans)["digest"]
    assert differences(document(plans), document(altered))


@quickly
@given(planned(), planned())
def test_two_plans_write_or_hold_differently_exactly_when_their_digests_differ(
    one: dict[str, Gated], other: dict[str, Gated]
):
    same = document(one)["digest"] == document(other)["digest"]
    assert same == (differences(document(one), document(other)) == ())


def test_a_rate_is_the_same_however_its_zeros_are_written_and_another_in_its_last_digit():
    digests = [
        only(create("S", "Standard", rate=Decimal(rate)))["digest"]
        for rate in ("20", "20.00", "2E+1", "20.0000000000000000000000000000000000000001")
    ]
    assert digests[0] == digests[1] == digests[2] != digests[3]


def test_a_text_is_never_taken_for_a_number_or_for_nothing():
    digests = {
        only(update("100", before, "B"))["digest"] for before in (None, "null", "", "2E+1", "20", "true")
    }
    assert len(digests) == 6


def test_what_a_limit_holds_is_part_of_the_digest_and_what_is_held_as_a_risk_is_not():
    rows = tuple(update(str(number), f"old {number}", f"new {number}") for number in range(9))
    plan = ItemPlan("categories", rows, 0, 0)
    held = gate(
        plan, 9, LiveIndex([]), Past(applied_before=True, source_count=9), limits_from({}, "categories")
    )
    assert held.holds
    assert document({"categories": held})["digest"] != only(*rows)["digest"]
    fewer = Gated(replace(plan, rows=rows[:8]), held.holds)
    assert document({"categories": fewer})["digest"] != document({"categories": held})["digest"]
    risk = replace(rows[8], kind=Kind.HELD, reason="code_reused")
    assert only(*rows[:8], risk)["digest"] == only(*rows[:8])["digest"]


def test_the_approval_line_names_the_digest():
    assert approval_line("sha256:abc") == "TARGET_EXPENSEIN_APPROVE=sha256:abc meltano run sync"


# What differs between two plans


def test_differences_say_for_each_reference_what_was_approved_and_what_it_would_be_now():
    approved = only(update("100", "Travel", "Rail"), update("200", "A", "B"), create("300", "C"))
    fresh = only(
        update("100", "Travel (Jane)", "Rail"), create("300", "C"), create("400", "D", rate=Decimal("13.5"))
    )
    edited, added, gone = map(str, differences(approved, fresh))
    assert edited == (
        'categories "100": approved is an update of record 7: name "Travel" → "Rail"; '
        'now it would be an update of record 7: name "Travel (Jane)" → "Rail"'
    )
    assert added == (
        'categories "400": approved is nothing; '
        'now it would be a new record: reference null → "400", name null → "D", rate null → 13.5'
    )
    assert gone == (
        'categories "200": approved is an update of record 7: name "A" → "B"; now it would be nothing'
    )


def test_a_hold_that_was_not_approved_is_a_difference_of_its_own():
    plan = ItemPlan("categories", (update("100", "A", "B"),), unchanged=0, filtered=0)
    hold = Hold("short_source", 9, 3, "9 missing", ("'200'  'Rail'",))
    free, held = (document({"categories": Gated(plan, holds)}) for holds in ((), (hold,)))
    (tripped,), (gone,) = differences(free, held), differences(held, free)
    assert str(tripped) == "categories: the hold short_source is new"
    assert str(gone) == "categories: the hold short_source is gone"
    assert (tripped.approved, gone.fresh) == (None, None)


def test_differences_work_on_a_plan_that_was_read_from_its_file():
    made = only(update("100", "A", "B"), create("S", "Standard", rate=Decimal("20.0"), applies_to=["time"]))
    assert differences(load(text_of(made)), made) == ()


# The schema, and files that were tampered with


@quickly
@given(planned(), st.booleans())
def test_every_plan_can_be_read_back_as_it_was(plans: dict[str, Gated], failed: bool):  # noqa: FBT001
    made = document(plans, problems={"suppliers": "no"} if failed and "suppliers" not in plans else {})
    assert load(text_of(made).encode().decode()) == made


def test_the_schema_is_one_and_says_what_every_key_means():
    Draft202012Validator.check_schema(SCHEMA)

    def undocumented(part: Any, path: str) -> list[str]:
        found = []
        if isinstance(part, Mapping):
            for key, value in part.get("properties", {}).items():
                target = SCHEMA["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else {}
                if "if" not in path and not ({**target, **value}).get("description"):
                    found.append(f"{path}.{key}")
            found += [name for key, value in part.items() for name in undocumented(value, f"{path}.{key}")]
        elif isinstance(part, list):
            found += [
                name for number, value in enumerate(part) for name in undocumented(value, f"{path}.{number}")
            ]
        return found

    assert undocumented(SCHEMA, "") == []


def test_the_schema_knows_the_same_items_kinds_fields_and_origins_as_the_code():
    row = SCHEMA["$defs"]["row"]["properties"]
    assert SCHEMA["$defs"]["item"]["enum"] == list(ITEMS)
    assert {*row["kind"]["enum"], "unchanged"} == set(Kind)
    assert set(row["fields"]["properties"]) == set(Field)
    assert set(SCHEMA["$defs"]["origin"]["enum"]) == set(Origin)


def row_of(plan: dict[str, Any], kind: str = "update") -> dict[str, Any]:
    row: dict[str, Any] = next(row for row in plan["items"][0]["rows"] if row["kind"] == kind)
    return row


TAMPERINGS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another format": lambda plan: plan.update(format="other"),
    "a later version": lambda plan: plan.update(version=2),
    "no digest": lambda plan: plan.pop("digest"),
    "another digest": lambda plan: plan.update(digest=CONFIGURATION),
    "a digest that is none": lambda plan: plan.update(digest="md5:1"),
    "a further key": lambda plan: plan.update(run_id="x"),
    "a further key in a row": lambda plan: row_of(plan).update(extra=1),
    "an unknown item": lambda plan: plan["items"][0].update(item="users"),
    "an unknown kind": lambda plan: row_of(plan).update(kind="delete"),
    "a kind turned around": lambda plan: row_of(plan).update(kind="create"),
    "a write hidden as a notice": lambda plan: row_of(plan).update(kind="notice"),
    "another value to write": lambda plan: row_of(plan)["fields"]["name"].update(after="Z"),
    "another value before": lambda plan: row_of(plan)["fields"]["name"].update(before="Z"),
    "another record to write to": lambda plan: row_of(plan).update(record_id=8),
    "a reference of another type": lambda plan: row_of(plan).update(reference=100),
    "an update of no record": lambda plan: row_of(plan).update(record_id=None),
    "an update of nothing": lambda plan: row_of(plan).update(fields={}),
    "a field that is never written": lambda plan: row_of(plan)["fields"].update(
        iban={"before": None, "after": "x", "origin": "new"}
    ),
    "a name that is a number": lambda plan: row_of(plan)["fields"]["name"].update(after=1),
    "a rate that is a text": lambda plan: row_of(plan, "create")["fields"]["rate"].update(after="20"),
    "an unknown origin": lambda plan: row_of(plan)["fields"]["name"].update(origin="me"),
    "a row that is gone": lambda plan: plan["items"][0]["rows"].pop(),
    "a row twice": lambda plan: plan["items"][0]["rows"].append(row_of(plan)),
    "a negative count": lambda plan: plan["items"][0]["counts"].update(create=-1),
    "a hold without a message": lambda plan: plan["items"][0]["holds"].append({"reason": "too_many"}),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_a_plan_file_that_was_tampered_with_is_refused(tampering: str):
    made = only(update("100", "A", "B"), create("S", "Standard", rate=Decimal(20)))
    tampered = json.loads(text_of(made))
    TAMPERINGS[tampering](tampered)
    with pytest.raises(PlanFileError, match="Make a new plan"):
        load(json.dumps(tampered))


@pytest.mark.parametrize("text", ["", "no plan", "[]", "null", "[" * 100_000, '{"a": 1'])
def test_a_file_that_is_no_plan_is_refused_in_words(text: str):
    with pytest.raises(PlanFileError, match=r"^The plan file .*\. Make a new plan\.$"):
        load(text)


def test_the_refusal_says_where_the_file_is_wrong_and_what_was_expected():
    tampered = json.loads(text_of(only(update("100", "A", "B"))))
    tampered["items"][0]["rows"][0]["fields"]["name"]["after"] = 5
    with pytest.raises(PlanFileError) as refusal:
        load(json.dumps(tampered))
    assert "at $.items[0].rows[0].fields.name.after: 5 is not of type" in str(refusal.value)
    assert "Expected: The value that the source asks for." in str(refusal.value)

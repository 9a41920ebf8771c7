"""The gate: what it lets pass, what it holds, at which number exactly, and what it never does.

Every test makes its plan with the planner itself: source list, ExpenseIn's records and last applied names in, as on a
night. Names are made of telling words, so that none is taken for another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from target_expensein.guard import RISKS, Gated, Past, gate
from target_expensein.items import ITEMS
from target_expensein.limits import (
    GUARD_SCHEMA,
    ITEM_GUARD_SCHEMAS,
    SETTINGS,
    Limit,
    Limits,
    limits_from,
)
from target_expensein.live import LiveIndex
from target_expensein.model import WRITES, Kind, LiveRecord, SourceRecord
from target_expensein.names import are_related
from target_expensein.plan import Decisions, plan_item
from target_expensein.reasons import REASONS
from target_expensein.source import SourceList

from .test_plan_properties import REFERENCES, decisions, items, lives, source_lists

Names = Mapping[str, str]

HOLD_RECODES = {"probable_recode": "hold"}
OFTEN = Past(applied_before=True, source_count=None)
NEVER = Past(applied_before=False, source_count=None)
OFF = {setting.name: -1 if setting.schema["type"] == "integer" else "allow" for setting in SETTINGS} | {
    "floor": 0
}


def since(source_count: int) -> Past:
    """Applied before, with so long a source list."""
    return Past(applied_before=True, source_count=source_count)


def letters(number: int) -> str:
    """A word of letters for a number: digits do not tell names apart."""
    return "".join(chr(ord("a") + int(digit)) * 2 for digit in f"{number:04d}")


def codes(number: int, first: int = 0, prefix: str = "C", name: str = "") -> dict[str, str]:
    """So many codes, each with a name of its own."""
    return {f"{prefix}{n:04d}": f"{name}{prefix.lower()}{letters(n)}" for n in range(first, first + number)}


def renamed(names: Names, number: int) -> dict[str, str]:
    """The same, the first few with another, related name."""
    first = list(names)[:number]
    return {code: f"{name} again" if code in first else name for code, name in names.items()}


def night(
    source: Names,
    live: Names,
    past: Past = OFTEN,
    *,
    item: str = "categories",
    limits: Mapping[str, Any] | None = None,
    applied: Names | None = None,
    inactive_live: tuple[str, ...] = (),
) -> Gated:
    """Plan and gate, with what ExpenseIn has as the last applied unless said otherwise."""
    records = [SourceRecord(code, name, rate=Decimal(0)) for code, name in source.items()]
    index = LiveIndex(
        LiveRecord(f"id-{code}", code, name, is_active=code not in inactive_live, rate=Decimal(0))
        for code, name in live.items()
    )
    plan = plan_item(
        ITEMS[item],
        Decisions(),
        SourceList(records=records, references=set(source)),
        index,
        {code: {"name": name} for code, name in (live if applied is None else applied).items()},
    )
    return gate(plan, len(records), index, past, limits_from({"limits": limits or {}}, item))


def reasons(gated: Gated) -> list[str]:
    return [hold.reason for hold in gated.holds]


def held(gated: Gated) -> dict[str | None, str]:
    return {row.reference: row.reason for row in gated.plan.rows if row.kind is Kind.HELD}


# Nights as they come


@pytest.mark.parametrize(
    ("item", "size", "new", "changed"),
    [
        ("categories", 150, 8, 3),
        ("projects", 25, 10, 2),
        ("departments", 12, 2, 3),
        ("tax_rates", 10, 2, 1),
        ("suppliers", 1500, 60, 12),
    ],
)
def test_a_normal_month_end_passes(item, size, new, changed):
    live = codes(size)
    gated = night(renamed(live, changed) | codes(new, 5000), live, since(size), item=item)
    assert gated.holds == ()
    assert Counter(row.kind for row in gated.writes) == {Kind.CREATE: new, Kind.UPDATE: changed}


def test_a_wrong_dimension_is_held_because_of_its_creates_and_because_it_is_another_list():
    gated = night(codes(300, prefix="X"), codes(300), since(300), item="projects")
    assert reasons(gated) == ["unrelated_source", "too_many_creates"]
    assert gated.writes == ()


@pytest.mark.parametrize("options", [1, 3, 8])
def test_a_wrong_dimension_is_held_also_when_it_has_but_a_few_options(options):
    gated = night(codes(options, prefix="X"), codes(8), since(8), item="projects")
    assert "unrelated_source" in reasons(gated)


def test_a_lost_filter_is_held():
    live = codes(150)
    assert reasons(night(live | codes(1850, 2000), live, since(150))) == ["too_many_creates"]


def test_a_list_of_expensein_that_ends_too_early_is_held():
    everything = codes(300)
    assert reasons(night(everything, codes(100), since(300))) == ["too_many_creates"]


def test_half_a_list_is_held():
    live = codes(200)
    assert reasons(night(codes(100), live, since(200))) == ["short_source"]


def test_a_mass_rename_is_held():
    live = codes(200)
    assert reasons(night(renamed(live, 200), live, since(200))) == ["too_many_updates"]


def test_names_that_an_import_shifted_by_a_row_are_held():
    live = codes(60)
    shifted = dict(zip(live, [*list(live.values())[1:], "last"], strict=True))
    assert reasons(night(shifted, live, since(60))) == ["too_many_updates"]


def test_rows_held_as_risks_count_in_the_limits_so_that_a_shifted_list_is_held_whole():
    live = codes(60)
    shifted = dict(zip(live, [*list(live.values())[1:], "last"], strict=True))
    gated = night(shifted, live, since(60), item="suppliers")
    assert set(held(gated).values()) == {"code_reused"}
    assert reasons(gated) == ["too_many_updates"]
    assert gated.holds[0].number == 60


def test_a_new_chart_with_the_old_names_is_held_whole_and_shows_each_pair():
    live = codes(200)
    recoded = {f"N{code}": name for code, name in live.items()}
    gated = night(recoded, live, since(200), limits=HOLD_RECODES)
    assert reasons(gated) == ["unrelated_source", "too_many_creates"]
    assert set(held(gated).values()) == {"probable_recode"}


def test_an_unchanged_night_passes():
    live = codes(50)
    assert night(live, live, since(50)).holds == ()


# Exactly at the limit


@pytest.mark.parametrize(
    ("item", "size", "limits", "most"),
    [
        ("categories", 5000, {}, 100),  # creates_count
        ("categories", 5000, {"creates_count": 7}, 7),
        ("categories", 200, {}, 40),  # creates_percent
        ("categories", 199, {}, 39),
        ("categories", 200, {"creates_percent": 150, "creates_count": -1}, 300),
        ("categories", 10, {}, 5),  # floor
        ("categories", 0, {}, 5),
        ("projects", 10, {}, 10),
        ("tax_rates", 10, {}, 3),
        ("categories", 10, {"floor": 0}, 2),
        ("categories", 10, {"floor": 0, "creates_percent": 0}, 0),
        ("categories", 10, {"floor": 0, "creates_count": 0}, 0),
        ("suppliers", 300, {"creates_count": -1}, 60),
        ("suppliers", 300, {"creates_percent": -1}, 100),
    ],
)
def test_creates_pass_up_to_the_limit_and_one_more_holds_the_item(item, size, limits, most):
    live = codes(size)
    for number, expected in ((most, []), (most + 1, ["too_many_creates"])):
        gated = night(live | codes(number, 5000), live, item=item, limits=limits)
        assert reasons(gated) == expected
        assert len(gated.plan.writes) == number
        assert len(gated.writes) == (0 if expected else number)


@pytest.mark.parametrize(
    ("item", "size", "limits", "most"),
    [
        ("suppliers", 1000, {}, 50),  # updates_count
        ("suppliers", 1000, {"updates_count": 7}, 7),
        ("categories", 100, {}, 20),  # updates_percent
        ("categories", 99, {}, 19),
        ("categories", 8, {}, 5),  # floor
        ("tax_rates", 10, {}, 3),
        ("departments", 10, {"floor": 0}, 2),
        ("departments", 10, {"floor": 0, "updates_percent": 0}, 0),
        ("suppliers", 400, {"updates_count": -1}, 80),
        ("suppliers", 400, {"updates_percent": -1}, 50),
    ],
)
@pytest.mark.parametrize("past", [OFTEN, NEVER], ids=["applied before", "first run"])
def test_updates_pass_up_to_the_limit_and_one_more_holds_the_item(item, size, limits, most, past):
    live = codes(size)
    for number, expected in ((most, []), (most + 1, ["too_many_updates"])):
        gated = night(renamed(live, number), live, past, item=item, limits=limits)
        assert reasons(gated) == expected
        assert len(gated.writes) == (0 if expected else number)


@pytest.mark.parametrize(
    ("last", "limits", "fewest"),
    [
        (100, {}, 70),  # missing_percent
        (99, {}, 70),
        (100, {"missing_percent": 50}, 50),
        (10, {}, 5),  # floor
        (10, {"floor": 0}, 7),
        (10, {"floor": 0, "missing_percent": 0}, 10),
        (10, {"floor": 0, "missing_percent": 80}, 2),  # a list of one is short, not empty
    ],
)
@pytest.mark.parametrize("applied_before", [True, False])
def test_a_source_list_may_be_so_short_and_one_less_holds_the_item(last, limits, fewest, applied_before):
    live = codes(last)
    past = Past(applied_before, last)
    assert reasons(night(codes(fewest), live, past, limits=limits)) == []
    assert reasons(night(codes(fewest - 1), live, past, limits=limits)) == ["short_source"]


def test_a_source_list_that_grows_is_never_short():
    live = codes(100)
    assert night(live, live, since(1), limits={"floor": 0, "missing_percent": 0}).holds == ()


@pytest.mark.parametrize(
    ("last", "size", "expected"),
    [
        (1, 0, True),  # the last one was not empty
        (0, 1, False),  # it was, too
        (None, 1, True),  # nothing is known of a last one: ExpenseIn has records
        (None, 0, False),  # and has not
    ],
)
def test_an_empty_source_list_is_held_when_it_should_not_be_empty(last, size, expected):
    live = codes(size)
    empty = night({}, live, Past(last is not None, last))
    assert reasons(empty) == (["empty_source"] if expected else [])
    one = night(codes(1), live, Past(last is not None, last))
    assert reasons(one) == []


def test_records_without_a_reference_do_not_make_an_empty_source_list_suspicious():
    live = LiveIndex([LiveRecord("1", None, "Made by hand")])
    plan = plan_item(ITEMS["categories"], Decisions(), SourceList(), live)
    assert gate(plan, 0, live, NEVER, limits_from({}, "categories")).holds == ()


def test_one_record_that_both_sides_have_makes_a_list_related():
    live = codes(4)
    new = codes(2, 5000)
    assert reasons(night(new, live)) == ["unrelated_source"]
    assert reasons(night(new | codes(1), live)) == []
    assert reasons(night(new, {})) == []


def test_a_list_that_is_unrelated_is_no_matter_while_nothing_would_be_created():
    gated = night({"C1": "  "}, {"X1": "Travel"})
    assert gated.holds == ()
    assert gated.plan.counts[Kind.REJECTED] == 1


# The first run


def test_an_item_that_was_never_applied_may_create_what_it_needs():
    live = codes(10, prefix="X")
    assert len(night(codes(2000), {}, NEVER).writes) == 2000
    assert len(night(codes(2000), live, NEVER).writes) == 2000


def test_an_item_that_was_never_applied_may_not_rename_what_is_there_en_masse():
    live = codes(30)
    gated = night(renamed(live, 30) | codes(500, 1000), live, NEVER)
    assert reasons(gated) == ["too_many_updates"]
    assert gated.writes == ()


# Risks of single rows


def test_a_code_given_to_an_unrelated_name_is_held_where_something_else_belongs_to_the_old_one():
    live = {"S1": "Acme Ltd", "S2": "Bolt Ltd"}
    source = {"S1": "Zenith Ltd", "S2": "Bolt Limited"}
    for item in ("suppliers", "tax_rates"):
        gated = night(source, live, item=item)
        assert held(gated) == {"S1": "code_reused"}
        assert [row.reference for row in gated.writes] == ["S2"]
        (row,) = (row for row in gated.plan.rows if row.kind is Kind.HELD)
        assert [(change.before, change.after) for change in row.changes] == [("Acme Ltd", "Zenith Ltd")]
        assert row.detail == ""
    for item in ("categories", "projects", "departments"):
        assert held(night(source, live, item=item)) == {}


def test_a_supplier_that_is_renamed_to_another_and_woken_is_held():
    gated = night({"S1": "Zenith"}, {"S1": "Acme"}, item="suppliers", inactive_live=("S1",))
    assert held(gated) == {"S1": "code_reused"}


@pytest.mark.parametrize(
    ("applied", "expected"),
    [
        ({"S1": "Acme"}, {"S1": "code_reused"}),  # the source changed
        ({"S1": "Acorn"}, {"S1": "code_reused"}),  # both sides changed
        ({"S1": "Zenith"}, {}),  # edited in ExpenseIn: R2
        ({}, {}),  # not known
    ],
)
def test_only_a_name_that_the_source_replaced_is_a_sign_of_a_code_used_again(applied, expected):
    assert held(night({"S1": "Zenith"}, {"S1": "Acme"}, item="suppliers", applied=applied)) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Travel", "Travel & subsistence abroad"),
        ("Acme Ltd", "ACME (UK) Limited"),
        ("J Smith", "John Smith"),
        ("Subsistence", "Subsistance"),
        ("Müller", "Muller GmbH"),
        ("VAT 20 %", "Standard rate"),  # digits and common words tell nothing
        ("abcdefgh", "abcdwxyz"),  # similarity 0.5
    ],
)
def test_names_that_may_mean_the_same_are_related(one, other):
    assert are_related(one, other)
    assert are_related(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Acme Ltd", "Zenith Ltd"),
        ("O'Brien Services", "O'Connell Services"),
        ("Standard rate VAT", "Zero rate VAT"),
        ("Travel", "Bank charges"),
        ("abcdefgh", "abcqwxyz"),  # similarity 0.375
    ],
)
def test_names_that_share_nothing_that_tells_are_unrelated(one, other):
    assert not are_related(one, other)
    assert not are_related(other, one)


@pytest.mark.parametrize("past", [OFTEN, NEVER], ids=["applied before", "first run"])
def test_a_new_code_with_the_name_of_a_record_whose_code_is_gone_is_held_with_the_pair(past):
    live = {"A": "Rent", "OLD": "Rail  Travel"}
    gated = night({"A": "Rent", "NEW": "rail travel", "B": "Fuel"}, live, past, limits=HOLD_RECODES)
    assert held(gated) == {"NEW": "probable_recode"}
    assert [row.reference for row in gated.writes] == ["B"]
    (row,) = (row for row in gated.plan.rows if row.kind is Kind.HELD)
    assert "'OLD' 'Rail  Travel' (id id-OLD)" in row.detail
    assert [row.reference for row in gated.plan.rows if row.reason == "orphan"] == ["OLD"]


def test_a_recode_that_may_come_from_several_records_shows_each():
    live = {"A": "Rent", "OLD": "Acme", "OLDER": "ACME"}
    gated = night({"A": "Rent", "NEW": "Acme"}, live, limits=HOLD_RECODES)
    (row,) = (row for row in gated.plan.rows if row.kind is Kind.HELD)
    assert row.detail == (
        "in ExpenseIn, its own code gone from the source: 'OLD' 'Acme' (id id-OLD), 'OLDER' 'ACME' (id id-OLDER)"
    )


def test_a_name_that_several_records_share_is_no_sign_of_a_recode():
    live = {"A": "Overheads", "OLD": "Overheads"}
    assert held(night({"A": "Overheads", "NEW": "Overheads"}, live, limits=HOLD_RECODES)) == {}


def test_a_name_of_a_record_that_still_is_at_the_source_is_no_sign_of_a_recode():
    assert held(night({"A": "Overheads", "NEW": "Overheads"}, {"A": "Overheads"}, limits=HOLD_RECODES)) == {}


def test_a_supplier_that_somebody_has_made_inactive_has_been_taken_care_of():
    live = {"A": "Bolt", "OLD": "Acme"}
    source = {"A": "Bolt", "NEW": "Acme"}
    assert held(night(source, live, item="suppliers", limits=HOLD_RECODES)) == {"NEW": "probable_recode"}
    assert held(night(source, live, item="suppliers", inactive_live=("OLD",), limits=HOLD_RECODES)) == {}


# Switched off


BAD_NIGHTS: Mapping[str, tuple[Names, Names, Past, dict[str, Any]]] = {
    "too_many_creates": (
        codes(600),
        codes(100),
        OFTEN,
        {"creates_count": -1, "creates_percent": -1},
    ),
    "too_many_updates": (
        renamed(codes(600), 600),
        codes(600),
        OFTEN,
        {"updates_count": -1, "updates_percent": -1},
    ),
    "short_source": (codes(10), codes(600), since(600), {"missing_percent": -1}),
    "empty_source": ({}, codes(600), since(600), {"empty_source": "allow"}),
    "unrelated_source": (codes(3, 1), codes(1), OFTEN, {"unrelated_source": "allow"}),
}


@pytest.mark.parametrize("reason", BAD_NIGHTS)
def test_a_guard_that_is_switched_off_lets_pass_what_it_would_hold(reason):
    source, live, past, off = BAD_NIGHTS[reason]
    assert reasons(night(source, live, past)) == [reason]
    assert reasons(night(source, live, past, limits=off)) == []


@pytest.mark.parametrize(
    ("setting", "source", "live"),
    [
        ("code_reused", {"A": "Zenith", "B": "Bolt"}, {"A": "Acme", "B": "Bolt"}),
        ("probable_recode", {"A": "Acme", "B": "Bolt"}, {"C": "Acme", "B": "Bolt"}),
    ],
)
def test_a_risk_that_is_allowed_is_written(setting, source, live):
    assert held(night(source, live, item="suppliers", limits={setting: "hold"})) == {"A": setting}
    allowed = night(source, live, item="suppliers", limits={setting: "allow"})
    assert held(allowed) == {}
    assert [row.reference for row in allowed.writes] == ["A"]


def test_with_everything_switched_off_nothing_is_ever_held():
    for source, live, past, _ in BAD_NIGHTS.values():
        assert night(source, live, past, limits=OFF).holds == ()


# What the message says


def test_the_message_names_each_limit_that_was_passed_with_its_numbers_and_five_examples():
    live = codes(40)
    (hold,) = night(live | codes(120, 5000), live).holds
    assert (hold.number, hold.allowed) == (120, 8)
    assert hold.message == (
        "120 to create, 40 in ExpenseIn; more than limits.creates_count: 100 and limits.creates_percent: 20 (that is 8); "
        "for example:"
    ) + "".join(f"\n  '{code}'  '{name}'" for code, name in codes(5, 5000).items())


def test_the_message_does_not_name_a_limit_that_was_kept():
    live = codes(1000)
    (hold,) = night(renamed(live, 51), live).holds
    assert hold.summary == "51 to change, 1000 in ExpenseIn; more than limits.updates_count: 50"


def test_the_message_does_not_name_a_limit_that_was_just_reached():
    live = codes(500)
    (share,) = night(renamed(live, 100), live).holds
    assert share.summary == "100 to change, 500 in ExpenseIn; more than limits.updates_count: 50"
    live = codes(40)
    (count,) = night(live | codes(100, 5000), live).holds
    assert count.summary == "100 to create, 40 in ExpenseIn; more than limits.creates_percent: 20 (that is 8)"


def test_the_message_names_the_floor_where_it_is_what_was_passed():
    live = codes(10)
    (hold,) = night(renamed(live, 4), live, item="tax_rates").holds
    assert hold.summary == (
        "4 to change, 10 in ExpenseIn; more than limits.updates_percent: 20 (that is 2) and limits.floor: 3"
    )
    assert hold.examples[0] == "'C0000'  name: 'caaaaaaaa' → 'caaaaaaaa again'"
    assert len(hold.examples) == 4


def test_the_message_of_a_source_list_shows_what_is_missing():
    (short,) = night(codes(10), codes(100), since(100)).holds
    assert short.summary == (
        "10 in the source list, 100 in the last complete one, 90 missing; more than limits.missing_percent: 30 (that is 30)"
    )
    assert short.examples[0] == "'C0010'  'caaaabbaa'  not in the source list"
    assert len(short.examples) == 5
    (empty,) = night({}, codes(2), since(7)).holds
    assert (
        empty.summary == "the source list is empty, the last complete one had 7 (limits.empty_source: hold)"
    )
    assert (empty.number, empty.allowed) == (7, 0)
    (first,) = night({}, codes(2), NEVER).holds
    assert first.summary == "the source list is empty, ExpenseIn has 2 (limits.empty_source: hold)"
    (nothing,) = night({}, {}, since(7)).holds
    assert nothing.message.endswith("(limits.empty_source: hold).")
    (other,) = night(codes(2, prefix="X"), codes(3)).holds
    assert other.summary == (
        "2 to create, and none of the 3 that ExpenseIn has is in the source list (limits.unrelated_source: hold)"
    )
    assert (other.number, other.allowed) == (2, 0)


def test_the_example_of_a_row_that_is_held_as_a_risk_shows_what_would_change():
    live = codes(30)
    (hold,) = night(dict.fromkeys(live, "Zenith"), live, item="suppliers").holds
    assert hold.examples[0] == "'C0000'  name: 'caaaaaaaa' → 'Zenith'"


def test_the_example_of_an_adopted_record_shows_the_reference_that_it_gets():
    names = codes(20)
    live = LiveIndex(LiveRecord(code, None, name) for code, name in names.items())
    source = SourceList([SourceRecord(code, name) for code, name in names.items()], set(names))
    plan = plan_item(ITEMS["categories"], Decisions(adopt_by_name=True), source, live)
    (hold,) = gate(plan, 20, live, NEVER, limits_from({}, "categories")).holds
    assert hold.examples[0] == "'C0000'  reference: nothing → 'C0000'"


def test_the_example_of_a_woken_supplier_shows_its_flag():
    live = codes(30)
    (hold,) = night(live, live, item="suppliers", inactive_live=tuple(live)).holds
    assert hold.examples[0] == "'C0000'  is_active: false → true"


def test_the_example_of_a_supplier_that_is_renamed_and_woken_shows_both_changes():
    live = codes(30)
    (hold,) = night(renamed(live, 30), live, item="suppliers", inactive_live=tuple(live)).holds
    assert hold.examples[0] == "'C0000'  name: 'caaaaaaaa' → 'caaaaaaaa again', is_active: false → true"


def test_every_reason_of_the_gate_is_explained():
    for code in {*BAD_NIGHTS, *RISKS.values()}:
        reason = REASONS[code]
        assert reason.kind is Kind.HELD
        assert reason.rules
        assert reason.meaning
        assert reason.advice


# Settings


def test_what_is_set_for_the_item_wins_over_what_is_set_for_all_and_both_over_what_is_built_in():
    config = {
        "limits": {"creates_count": 7, "floor": 1},
        "items": {
            "tax_rates": {"limits": {"floor": 2, "updates_percent": -1}},
            "suppliers": {"limits": None},
        },
    }
    assert limits_from(config, "tax_rates") == Limits(
        creates=Limit("creates", 7, 20, 2),
        updates=Limit("updates", 50, None, 2),
        missing=Limit("missing", None, 30, 2),
        allow=frozenset({"probable_recode"}),
    )
    assert limits_from(config, "suppliers").creates == Limit("creates", 7, 20, 1)
    assert limits_from({}, "categories").allow == {"code_reused", "probable_recode"}
    assert limits_from({"limits": None, "items": None}, "tax_rates").updates.floor == 3


def test_the_schemas_describe_every_setting_and_accept_every_default():
    Draft202012Validator.check_schema(GUARD_SCHEMA)
    for setting in GUARD_SCHEMA["properties"].values():
        assert setting["title"]
        assert setting["description"].endswith(".")
        Draft202012Validator(setting).validate(setting["default"])
    Draft202012Validator(GUARD_SCHEMA).validate(OFF)
    for schema in ITEM_GUARD_SCHEMAS.values():
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema).validate(OFF)
    assert set(ITEM_GUARD_SCHEMAS) == set(ITEMS)
    assert "code_reused hold (bank details stay" in ITEM_GUARD_SCHEMAS["suppliers"]["description"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"creates_count": -2},
        {"creates_count": "50"},
        {"updates_percent": 12.5},
        {"floor": -1},
        {"code_reused": True},
        {"empty_source": "off"},
        {"createscount": 5},
    ],
)
def test_the_schemas_refuse_what_is_wrong_and_know_what_would_be_right(wrong):
    for schema in (GUARD_SCHEMA, ITEM_GUARD_SCHEMAS["projects"]):
        error = next(Draft202012Validator(schema).iter_errors(wrong))
        assert error.validator in {"minimum", "type", "enum", "additionalProperties"}
        assert list(error.absolute_path) == [name for name in wrong if name != "createscount"]


# Whatever the plan


applied_names = st.dictionaries(
    st.sampled_from(REFERENCES), st.fixed_dictionaries({"name": st.sampled_from(["Travel", "T&E", "Fuel"])})
)
pasts = st.builds(Past, st.booleans(), st.none() | st.integers(0, 12))
configs = st.fixed_dictionaries(
    {},
    optional={
        setting.name: st.integers(-1 if setting.name != "floor" else 0, 120)
        if setting.schema["type"] == "integer"
        else st.sampled_from(["hold", "allow"])
        for setting in SETTINGS
    },
)


@st.composite
def nights(draw: st.DrawFn) -> dict[str, Any]:
    """All arguments of the gate."""
    item, source, live = draw(items), draw(source_lists()), LiveIndex(draw(lives))
    return {
        "plan": plan_item(item, draw(decisions), source, live, draw(applied_names)),
        "source_count": len(source.records),
        "live": live,
        "past": draw(pasts),
        "limits": limits_from({"limits": draw(configs)}, item.name),
    }


@given(nights())
def test_nothing_of_a_held_item_is_written_and_all_of_another_is(everything):
    gated = gate(**everything)
    assert gated.writes == (() if gated.holds else gated.plan.writes)


@given(nights())
def test_the_gate_adds_no_write_and_changes_none(everything):
    before = everything["plan"]
    after = gate(**everything).plan
    assert all(row in before.writes for row in after.writes)
    assert (after.item, after.unchanged, after.filtered) == (before.item, before.unchanged, before.filtered)
    for old, new in zip(before.rows, after.rows, strict=True):
        if new != old:
            assert old.kind in WRITES
            assert (new.kind, new.reason) == (Kind.HELD, RISKS[old.kind])
            assert replace(new, kind=old.kind, reason=old.reason, detail=old.detail) == old


@given(nights())
def test_a_plan_that_has_been_through_the_gate_passes_it_unchanged(everything):
    once = gate(**everything)
    assert gate(**everything | {"plan": once.plan}) == once


@given(nights())
def test_every_hold_has_a_known_reason_a_number_above_what_is_allowed_and_at_most_five_examples(everything):
    holds = gate(**everything).holds
    assert len({hold.reason for hold in holds}) == len(holds)
    for hold in holds:
        assert hold.reason in REASONS
        assert hold.number > hold.allowed >= 0
        assert hold.summary in hold.message
        assert len(hold.examples) <= 5
        assert hold.message.count("\n") == len(hold.examples)


@given(nights())
def test_a_gate_that_is_switched_off_lets_everything_pass(everything):
    plan = everything["plan"]
    assert gate(**everything | {"limits": limits_from({"limits": OFF}, plan.item)}) == Gated(plan)


@given(st.integers(0, 300), st.integers(0, 200), st.integers(0, 20), st.integers(0, 500))
def test_what_a_limit_allows_is_the_largest_number_that_breaks_no_part_of_it(count, percent, floor, base):
    allowed = Limit("creates", count, percent, floor).allowed(base)

    def passes(number: int) -> bool:
        return number <= floor or (number <= count and number * 100 <= base * percent)

    assert passes(allowed)
    assert not passes(allowed + 1)

"""Filters (R6): which records pass each comparison, character for character and number by value."""

from __future__ import annotations

from decimal import Decimal

import pytest
from target_expensein.filters import COMPARISONS, Condition, Filter


@pytest.mark.parametrize(
    ("comparison", "wanted", "passing", "failing"),
    [
        ("contains", "Exp", ["Expenses", "Other Exp", "Exp"], ["expenses", "Ex p", "", None]),
        ("contains", "", ["", "x", 0, False], [None]),
        ("contains", "0.2", [Decimal("0.20"), "10.25"], [Decimal("0.02"), 2]),
        ("starts_with", "10", ["10", "1000", 100], ["010", "1", "", None]),
        ("starts_with", "t", ["tea", True], [False, "True"]),
        ("ends_with", "10", ["10", "110", 210], ["100", "0", None]),
        ("ends_with", "e", ["e", True, False], ["E", "ex"]),
        ("is_one_of", ["Posting", "Control"], ["Posting", "Control"], ["posting", "Post", "", None]),
        ("is_one_of", [], [], ["", None, "x"]),
        (
            "is_one_of",
            [0.2],
            [Decimal("0.2"), Decimal("0.20"), 0.2, "0.2"],
            [Decimal("0.21"), 2, "0.20", None],
        ),
        ("is_one_of", [Decimal("1E+2")], [100, 100.0, Decimal(100), "100"], [Decimal("100.1"), "1E+2"]),
        ("is_one_of", ["0.2"], ["0.2", Decimal("0.2"), 0.2], [Decimal("0.20"), "0.20"]),
        ("is_one_of", [5], [5, "5", Decimal("5.0")], [6, "5.0", "05"]),
        ("is_one_of", [True], [True, "true"], [False, 1, Decimal(1), "True", "1", None]),
        ("is_one_of", [1], [1, "1"], [True, False]),
        ("is_one_of", [False], [False, "false"], [True, 0, None, ""]),
        ("is_one_of", [0], [0, Decimal("0.0")], [False, None, ""]),
        ("is_not_one_of", ["Header"], ["Posting", "header", "", None], ["Header"]),
        ("is_not_one_of", [], ["", None, "x"], []),
        ("is_not_one_of", [20, "A"], [21, "a"], [20, Decimal("20.0"), "A"]),
    ],
)
def test_what_passes_a_comparison_and_what_does_not(comparison, wanted, passing, failing):
    condition = Condition("field", comparison, wanted)
    assert [value for value in passing if not condition.passes({"field": value})] == []
    assert [value for value in failing if condition.passes({"field": value})] == []


def test_there_are_the_five_comparisons_of_the_data_sync():
    assert list(COMPARISONS) == ["contains", "starts_with", "ends_with", "is_one_of", "is_not_one_of"]


def test_a_record_without_the_field_passes_only_what_excludes():
    assert not Condition("field", "is_one_of", ["x"]).passes({"other": "x"})
    assert not Condition("field", "contains", "").passes({"other": "x"})
    assert Condition("field", "is_not_one_of", ["x"]).passes({"other": "x"})


@pytest.mark.parametrize(
    ("comparison", "wanted", "words"),
    [
        ("contains", "Exp", "description contains 'Exp'"),
        ("starts_with", "5", "description starts with '5'"),
        ("is_not_one_of", ["a", 5, True], "description is not one of 'a', 5, True"),
    ],
)
def test_a_condition_reads_as_an_admin_would_say_it(comparison, wanted, words):
    assert str(Condition("description", comparison, wanted)) == words


def test_a_filter_names_the_first_condition_that_fails():
    chosen = Filter.from_config({"name": {"contains": "Ltd"}, "group": {"is_one_of": ["TRADE", "STAFF"]}})
    name, group = Condition("name", "contains", "Ltd"), Condition("group", "is_one_of", ["TRADE", "STAFF"])
    assert chosen == Filter((name, group))
    assert chosen.fields == ("name", "group")
    assert chosen.failed({"name": "Brown Ltd", "group": "TRADE"}) is None
    assert chosen.failed({"name": "Brown", "group": "TRADE"}) == name
    assert chosen.failed({"name": "Brown Ltd", "group": "OTHER"}) == group
    assert chosen.failed({"name": "Brown", "group": "OTHER"}) == name


def test_without_a_filter_everything_passes():
    assert Filter.from_config({}) == Filter()
    assert Filter().failed({}) is None
    assert Filter().fields == ()

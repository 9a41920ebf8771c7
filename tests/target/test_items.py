"""The tables of the items: what each rule says about an item, against what is declared (R4, R5, R9, R11 to R25)."""

from __future__ import annotations

import pytest
from target_expensein.items import ITEMS, SOURCES
from target_expensein.model import Field

NAME, RATE, ACTIVE, APPLIES = Field.NAME, Field.RATE, Field.IS_ACTIVE, Field.APPLIES_TO


def test_there_are_the_five_items_of_the_data_sync_in_its_order():
    """R4; settings and reports rely on the names, people on the titles."""
    assert {name: (item.name, item.title) for name, item in ITEMS.items()} == {
        "categories": ("categories", "category"),
        "projects": ("projects", "project"),
        "departments": ("departments", "department"),
        "tax_rates": ("tax_rates", "tax rate"),
        "suppliers": ("suppliers", "supplier"),
    }
    assert list(ITEMS) == ["categories", "projects", "departments", "tax_rates", "suppliers"]


@pytest.mark.parametrize(
    ("item", "sources", "on_creation", "observed", "wakes", "settings"),
    [
        ("categories", ("accounts",), (APPLIES,), (), False, ()),  # R11 to R13
        ("projects", ("bi_codes", "dimension_options"), (APPLIES, ACTIVE), (), False, ()),  # R14, R16, R17
        ("departments", ("bi_codes", "dimension_options"), (), (), False, ()),  # R14, R15
        ("tax_rates", ("tax_rates",), (RATE,), (RATE,), False, ("rate_unit",)),  # R18 to R21
        ("suppliers", ("suppliers",), (ACTIVE,), (), True, ()),  # R22, R23
    ],
)
def test_an_item_owns_its_name_and_sends_the_rest_once(
    item, sources, on_creation, *, observed, wakes, settings
):
    """R2, R9: nothing but the name is compared and overwritten, and only a supplier is ever woken (R23)."""
    declared = ITEMS[item]
    assert declared.sources == sources
    assert declared.owned == (NAME,)
    assert declared.on_creation == on_creation
    assert declared.observed == observed
    assert declared.wakes is wakes
    assert declared.settings == settings


@pytest.mark.parametrize(
    ("stream", "fields", "active", "rate", "dimension"),
    [
        ("accounts", ("code", "description", "is_active"), "is_active", None, None),  # R11
        ("dimension_options", ("code", "description", "dimension_code"), None, None, "dimension_code"),  # R14
        ("bi_codes", ("code", "description", "is_active"), "is_active", None, None),  # R14
        ("tax_rates", ("code", "description", "rate"), None, "rate", None),  # R18
        ("suppliers", ("code", "name", "is_active"), "is_active", None, None),  # R22
    ],
)
def test_a_stream_is_read_by_these_fields(stream, fields, active, rate, dimension):
    source = SOURCES[stream]
    assert source.stream == stream
    assert source.fields == fields
    assert (source.reference, source.name) == fields[:2]
    assert (source.active, source.rate, source.dimension) == (active, rate, dimension)
    texts = {field: str for field in fields if field not in (active, rate)}
    assert source.kinds == texts | ({active: bool} if active else {})


def test_every_stream_feeds_an_item_and_every_item_is_fed_by_a_stream():
    assert {stream for item in ITEMS.values() for stream in item.sources} == set(SOURCES)

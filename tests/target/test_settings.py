"""A wrong configuration: the message names the setting, what is wrong and what to do; nothing is read or written."""

from __future__ import annotations

import pytest

from .conftest import TargetCommand, stream

CATEGORIES = {"categories": {"enabled": True}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"items": {}}, "items: nothing is enabled"),
        ({"items": {"categories": {"enabled": False}}}, "items: nothing is enabled"),
        ({"items": {"categorys": {"enabled": True}}}, "items: unknown setting 'categorys'; did you mean 'categories'?"),
        ({"items": {"categories": {"enabled": "yes"}}}, "items.categories.enabled: 'yes' has the wrong type: wanted is boolean."),
        ({"items": {"categories": {"enabled": True, "source": "suppliers"}}}, "items.categories.source: 'suppliers' is not possible. Choose one of accounts."),
        ({"items": {"projects": {"enabled": True}}}, "items.projects.source: missing. Choose bi_codes or dimension_options."),
        ({"items": {"projects": {"enabled": True, "source": "dimension_options"}}}, "items.projects.dimension: missing."),
        ({"items": {"projects": {"enabled": True, "source": "bi_codes", "dimension": "X"}}}, "items.projects.dimension: has no meaning with source bi_codes."),
        ({"items": {"categories": {"enabled": True, "filters": {"code": {"like": "5%"}}}}}, "items.categories.filters.code: unknown setting 'like'; known are contains"),
        ({"items": {"categories": {"enabled": True, "filters": {"code": {"contains": "5", "ends_with": "0"}}}}}, "items.categories.filters.code: exactly one comparison is wanted"),
        ({"items": {"categories": {"enabled": True, "filters": {"code": {"is_one_of": "5000"}}}}}, "items.categories.filters.code.is_one_of: '5000' has the wrong type: wanted is array."),
        ({"items": {"suppliers": {"enabled": True, "rate_unit": "percent"}}}, "items.suppliers: unknown setting 'rate_unit'"),
        ({"items": CATEGORIES, "concurency": 3}, "unknown setting 'concurency'; did you mean 'concurrency'?"),
        ({"items": CATEGORIES, "concurrency": 0}, "concurrency: 0 is less than the minimum of 1."),
        ({"items": CATEGORIES, "api_key": ...}, "api_key: missing."),
        ({"items": CATEGORIES, "api_key": 4711}, "api_key: must be a text that is not empty."),
        ({"items": CATEGORIES, "api_url": "ftp://x"}, "api_url: 'ftp://x' is not a web address."),
        ({"items": CATEGORIES, "api_url": "http://api.expensein.com/1.0/"}, "would send the API key in the clear"),
        ({"items": CATEGORIES, "ca_bundle": "/no/such.pem"}, "ca_bundle: there is no file '/no/such.pem'."),
        ({"items": CATEGORIES, "output_dir": "/proc/nowhere"}, "output_dir: cannot write below '/proc/nowhere'"),
        ({"items": CATEGORIES, "api_profile": {"itemz": {}}}, "itemz"),
        ({"items": CATEGORIES, "api_profile": {"update": {"method": "POKE"}}}, "update.method"),
    ],
)  # fmt: skip
def test_r03_a_wrong_setting_ends_the_run_before_it_begins(target: TargetCommand, config, message):
    result = target.run(stream("accounts"), **config)
    assert result.exit_code == 1
    assert message in result.log
    assert "4711" not in result.log
    assert target.box.counters()["expensein"] == {}


def test_all_wrong_settings_are_named_at_once(target: TargetCommand):
    log = target.run([], items=CATEGORIES, mode="dry", concurrency=99).log
    assert "mode: 'dry' is not possible. Choose one of apply, plan, preview." in log
    assert "concurrency: 99 is greater than the maximum of 64." in log


def test_a_setting_that_is_null_counts_as_not_set(target: TargetCommand):
    result = target.run(
        stream("accounts"),
        items={"categories": {"enabled": True, "filters": None}, "projects": None},
        mode=None,
    )
    assert result.exit_code == 0

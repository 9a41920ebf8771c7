"""A tap that reads what changed, and ExpenseIn, whose sync needs whole lists (R2, R32)."""

from __future__ import annotations

import json

from .conftest import ENTITY, Pair

INCREMENTAL = {"TAP_ACCOUNTSIQ__METADATA": json.dumps({"suppliers": {"replication-method": "INCREMENTAL"}})}


def test_r32_a_list_of_changes_is_refused_and_nothing_is_written(pair: Pair):
    pair.box.set_source(ENTITY, "suppliers", [{"Code": "S", "Name": "Old Mill Ltd", "IsActive": True}])

    first = pair.run({"suppliers": {}}, environment=INCREMENTAL)
    assert first.exit_code == 0, "the first read is whole, whatever the replication method"
    assert pair.live("suppliers")["S"]["name"] == "Old Mill Ltd"
    pair.writes()

    pair.box.edit_source(ENTITY, "suppliers", "S", Name="Old Mill Limited")
    second = pair.run({"suppliers": {}}, environment=INCREMENTAL)
    assert second.exit_code != 0
    assert pair.writes() == {}
    problem = second.summary["items"]["suppliers"]["problem"]
    assert "did not arrive whole" in problem
    assert "its replication method to FULL_TABLE" in problem
    assert "only what was changed since" in second.log

    third = pair.sync("suppliers")
    assert third.exit_code == 0
    assert pair.live("suppliers")["S"]["name"] == "Old Mill Limited"


def test_the_pair_reads_what_it_needs_and_nothing_more(pair: Pair):
    done = pair.sync(
        "categories",
        "projects",
        "departments",
        "tax_rates",
        "suppliers",
        departments={"source": "dimension_options", "dimension": "PLACE"},
    )
    assert "has no item for" not in done.log
    reads = pair.box.counters()["accountsiq"]
    assert reads["GetAnalysisDimensionSetup"] == 1, "resolved options of BI codes would read it once more"
    assert {"GetEntitiesByToken", "GetCompanyInformation"}.isdisjoint(reads)

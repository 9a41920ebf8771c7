"""A bad week, through Meltano: what goes wrong at the source is seen, held, approved, explained and taken back."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from .conftest import ENTITY, ROOT, OpenPair, Pair

PROJECTS = {f"P{n:02}": f"Project {word}" for n, word in enumerate("ABCDEFGHIJKLMNOPQRST")}
REGIONS = {f"R{n:02}": f"Region {n}" for n in range(40)}
ACCOUNTS = {f"{5000 + n}": f"Account {n}" for n in range(80)}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "categories": {"filters": {"code": {"starts_with": "500"}}},
    "projects": {"source": "dimension_options", "dimension": "PROJECT"},
}


@pytest.fixture(scope="module")
def first_night(open_pair: OpenPair) -> Iterator[tuple[Pair, dict[str, Any]]]:
    """The pair after its first sync, and the state of both services: twenty projects, and the ten accounts that pass the filter."""
    with open_pair() as pair:
        pair.box.set_source(
            ENTITY, "dimensions", [dimension("PROJECT", PROJECTS), dimension("REGION", REGIONS)]
        )
        pair.box.set_source(
            ENTITY,
            "accounts",
            [{"Code": code, "Description": name, "IsActive": True} for code, name in ACCOUNTS.items()],
        )
        assert pair.run(SETTINGS).exit_code == 0
        yield pair, pair.box.state()


@pytest.fixture
def applied(first_night: tuple[Pair, dict[str, Any]], tmp_path: Path) -> Pair:
    """The same for each test anew, with a ledger and reports of its own."""
    pair, state = first_night
    pair.box.reset(state)
    pair.box.clear_requests()
    folder = tmp_path / pair.output.parent.name
    shutil.copytree(pair.output.parent, folder, symlinks=True)
    return replace(pair, output=folder / pair.output.name)


def dimension(code: str, options: Mapping[str, str]) -> dict[str, Any]:
    entries = [{"Code": option, "Description": name} for option, name in options.items()]
    return {"Code": code, "Description": code.title(), "DimensionCodes": entries}


def with_(item: str, **settings: Any) -> dict[str, Mapping[str, Any]]:
    """The settings with something else for one item."""
    return {**SETTINGS, item: {**SETTINGS[item], **settings}}


def names(pair: Pair, collection: str) -> dict[str, str]:
    return {reference: record["name"] for reference, record in pair.live(collection).items()}


def expensein(pair: Pair, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command with the configuration that the sync has."""
    config = {
        "api_url": pair.box.expensein_url,
        "api_key": pair.box.api_key,
        "output_dir": str(pair.output),
        "ledger": str(pair.output.with_name("ledger.db")),
        "settle_seconds": 0,
        "items": {name: {"enabled": True, **item} for name, item in SETTINGS.items()},
    }
    path = pair.output.with_name("config.json")
    path.write_text(json.dumps(config))
    command = [ROOT / ".venv/bin/expensein", arguments[0], "--config", path, *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr)  # noqa: T201
    assert "Traceback" not in done.stderr
    return done


def test_a_wrong_dimension_is_held_whole_while_the_other_items_go_on(applied: Pair):
    applied.box.edit_source(ENTITY, "accounts", "5001", Description="Account renamed")
    run = applied.run(with_("projects", dimension="REGION"))
    assert run.exit_code != 0
    assert applied.writes() == {"PUT categories": 1}
    assert names(applied, "projects") == PROJECTS
    holds = {hold["reason"]: hold["message"] for hold in run.summary["items"]["projects"]["holds"]}
    assert {"unrelated_source", "too_many_creates"} <= set(holds)
    assert "40 to create, 20 in ExpenseIn" in holds["too_many_creates"]
    assert "'R00'  'Region 0'" in holds["too_many_creates"]
    assert "projects HELD" in run.log
    assert f"TARGET_EXPENSEIN_APPROVE={run.summary['plan']}" in run.log
    assert str(run.output / "plan.html") in run.log


def test_a_lost_filter_is_held_and_an_approved_plan_is_applied_once(applied: Pair):
    wide = with_("categories", filters={})
    planned = applied.run(wide, task="tap-accountsiq target-expensein-plan")
    assert applied.writes() == {}
    assert planned.summary["items"]["categories"]["counts"]["created"] == 70
    digest = planned.summary["plan"]

    held = applied.run(wide)
    assert held.exit_code != 0
    assert applied.writes() == {}
    assert held.summary["plan"] == digest

    applied.box.edit_source(ENTITY, "accounts", "5079", Description="Changed after approval")
    refused = applied.run(wide, environment={"TARGET_EXPENSEIN_APPROVE": digest})
    assert refused.exit_code != 0
    assert applied.writes() == {}
    assert "not the one that was approved" in refused.log
    assert '"5079"' in refused.log

    applied.box.edit_source(ENTITY, "accounts", "5079", Description=ACCOUNTS["5079"])
    approved = applied.run(wide, environment={"TARGET_EXPENSEIN_APPROVE": digest})
    assert approved.exit_code == 0
    assert applied.writes() == {"POST categories": 70}
    assert names(applied, "categories") == ACCOUNTS
    # The approval stays in the environment: it does no harm where there is nothing to do, and is not used twice.
    assert applied.run(wide, environment={"TARGET_EXPENSEIN_APPROVE": digest}).exit_code == 0
    assert applied.writes() == {}


def test_a_hand_edit_is_shown_before_it_is_overwritten_and_a_restore_brings_it_back(applied: Pair):
    edited = applied.live("projects")["P03"]
    applied.box.edit_live("projects", edited["id"], name="What the admin called it")
    applied.box.edit_source(
        ENTITY, "dimensions", "PROJECT", **dimension("PROJECT", {**PROJECTS, "P04": "Project renamed"})
    )
    plan = applied.run(SETTINGS, task="tap-accountsiq target-expensein-plan")
    assert applied.writes() == {}
    document = json.loads((plan.output / "plan.json").read_text())
    (projects,) = (item for item in document["items"] if item["item"] == "projects")
    fields = {row["reference"]: row["fields"]["name"] for row in projects["rows"] if row["kind"] == "update"}
    assert fields == {
        "P03": {"before": "What the admin called it", "after": "Project D", "origin": "edited"},
        "P04": {"before": "Project E", "after": "Project renamed", "origin": "source"},
    }
    page = (plan.output / "plan.html").read_text()
    assert "What the admin called it" in page

    assert applied.run(SETTINGS).exit_code == 0
    assert names(applied, "projects") == {**PROJECTS, "P04": "Project renamed"}
    applied.writes()

    restored = expensein(applied, "restore", "latest")
    assert restored.returncode == 0
    assert applied.writes() == {"PUT projects": 2}
    assert names(applied, "projects") == {**PROJECTS, "P03": "What the admin called it"}


def test_a_mass_rename_is_held_explained_and_approved(applied: Pair):
    renamed = {code: f"{name} (old)" for code, name in PROJECTS.items()}
    applied.box.edit_source(ENTITY, "dimensions", "PROJECT", **dimension("PROJECT", renamed))
    held = applied.run(SETTINGS)
    assert held.exit_code != 0
    assert applied.writes() == {}
    (hold,) = held.summary["items"]["projects"]["holds"]
    assert hold["reason"] == "too_many_updates"
    assert "20 to change, 20 in ExpenseIn" in hold["message"]

    explained = expensein(applied, "explain", "P05", "--item", "projects")
    assert explained.returncode == 0
    assert "Project F (old)" in explained.stdout
    assert "too_many_updates" in explained.stdout

    approved = applied.run(SETTINGS, environment={"TARGET_EXPENSEIN_APPROVE": held.summary["plan"]})
    assert approved.exit_code == 0
    assert names(applied, "projects") == renamed

    history = expensein(applied, "history", "--verify")
    assert history.returncode == 0
    runs = json.loads(expensein(applied, "history", "--json").stdout)
    outcomes = [run["outcome"] for run in (runs if isinstance(runs, list) else runs["runs"])]
    assert outcomes[:3] == ["done", "leftovers", "done"]


def test_half_a_list_is_held(applied: Pair):
    half = dict(list(PROJECTS.items())[:9])
    applied.box.edit_source(ENTITY, "dimensions", "PROJECT", **dimension("PROJECT", half))
    run = applied.run(SETTINGS)
    assert run.exit_code != 0
    (hold,) = run.summary["items"]["projects"]["holds"]
    assert hold["reason"] == "short_source"
    assert "9 in the source list, 20 in the last complete one, 11 missing" in hold["message"]


def test_the_commands_work_as_meltano_commands_with_the_plugins_own_configuration(applied: Pair):
    history = applied.meltano("invoke", "target-expensein:history", items=SETTINGS)
    assert history.exit_code == 0
    assert applied.output.joinpath("latest").resolve().name in history.log
    explained = applied.meltano(
        "invoke", "target-expensein:explain", "P05", "--item", "projects", items=SETTINGS
    )
    assert explained.exit_code == 0
    assert "Project F" in explained.log
    doctor = applied.meltano("invoke", "target-expensein:doctor", items=SETTINGS)
    assert doctor.exit_code == 0
    assert applied.writes() == {}


def test_meltano_has_the_taps_state_after_a_run(applied: Pair):
    state = applied.meltano(
        "state",
        "get",
        f"live:tap-accountsiq-to-target-expensein:{applied.output.parent.name}",
        items=SETTINGS,
    )
    assert state.exit_code == 0
    assert '"accounts"' in state.log

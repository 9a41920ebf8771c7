"""The benchmarks themselves: what the documents say is what was measured, and it was the sync that was measured."""

from __future__ import annotations

import json

import pytest
import yaml

from benchmarks.bodies import SYNC_FIELDS
from benchmarks.measure import BenchmarkError, Usage, run
from benchmarks.publish import DOCUMENTS, rendered
from benchmarks.results import Figure, kept
from benchmarks.services import ROOT, VENV


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_documents_show_the_results_that_are_kept(path):
    document = path.read_text(encoding="utf-8")

    assert "<!-- bench-full " in document
    assert document == rendered(document), "run: .venv/bin/python -m benchmarks.publish"


def test_what_is_measured_is_what_meltano_selects():
    project = yaml.safe_load((ROOT / "meltano.yml").read_text())
    selected = {
        rule for rule in project["plugins"]["extractors"][0]["select"] if rule.startswith("suppliers.")
    }

    assert selected == {f"suppliers.{name}" for name in ("entity", *SYNC_FIELDS)}


def test_a_command_that_fails_is_no_measurement(tmp_path):
    with pytest.raises(BenchmarkError, match=r"(?s)exit code 3.*no such thing"):
        run(
            [VENV / "python", "-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"],
            folder=tmp_path,
        )


def test_memory_and_processor_time_are_those_of_the_command(tmp_path):
    held = 200_000_000
    idle = run([VENV / "python", "-c", "import time; time.sleep(0.2)"], folder=tmp_path)
    busy = run([VENV / "python", "-c", f"b'x' * {held}; sum(range(10**7))"], folder=tmp_path)

    assert idle.peak < held / 4
    assert held <= busy.peak < 1.5 * held
    assert idle.cpu < idle.wall
    assert busy.cpu > idle.cpu


@pytest.mark.parametrize(
    ("value", "bounds", "met"),
    [
        (12, {"at_least": 12}, True),
        (11.9, {"at_least": 12}, False),
        (1.1, {"at_most": 1.1}, True),
        (1.2, {"at_most": 1.1}, False),
        (5, {}, None),
    ],
)
def test_a_figure_is_reached_or_not(value, bounds, met):
    assert Figure("a figure", value, "times", **bounds).met is met


def test_usage_keeps_its_facts():
    assert Usage(1, 1, 1).with_facts(posts=1).with_facts(lists=2).facts == {"posts": 1, "lists": 2}


def test_what_was_measured_before_stays_unless_it_has_an_older_form(tmp_path):
    before = tmp_path / "bench.json"
    assert kept(before) == {}
    case = {"commit": "abc1234", "title": "A pair"}
    before.write_text(json.dumps({"cases": {"pair": case, "old": {"title": "of an older form"}}}))
    assert kept(before) == {"pair": case}

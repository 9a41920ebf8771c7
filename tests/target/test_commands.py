"""The command ``expensein``: each command at its front door, in this process."""

from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sandbox.testing import Sandbox
from target_expensein.commands import main
from target_expensein.commands.doctor import clock

from .conftest import schema, state, stream

CATEGORIES = {"categories": {"enabled": True}}
TRAVEL = {"code": "5000", "description": "Travel"}
MEALS = {"code": "5100", "description": "Meals"}
TOO_LONG = {"code": "6000", "description": "x" * 300}
REJECTS = "output/expensein/latest/rejects.jsonl"


@dataclass
class Expensein:
    """The command in a folder of its own, against a sandbox."""

    box: Sandbox

    def run(
        self, *arguments: str, singer: Sequence[Any] = (), env: Mapping[str, str] | None = None, **config: Any
    ) -> Result:  # fmt: skip
        """Run a command.

        Args:
            arguments: Its arguments.
            singer: Singer messages (or lines) for standard input.
            env: Environment variables instead of a configuration file.
            config: Settings beside the address and the key; ``...`` leaves one out.

        Returns:
            What click's runner saw.
        """
        given = list(arguments)
        if env is None:
            settings = {
                "api_url": self.box.expensein_url,
                "api_key": self.box.api_key,
                "settle_seconds": 0,
                "items": CATEGORIES,
            }
            text = json.dumps({k: v for k, v in (settings | config).items() if v is not ...})
            Path("config.json").write_text(text)
            given += ["--config", "config.json"]
        result = CliRunner().invoke(main, given, input=_lines(singer), env=env, prog_name="expensein")
        print(result.output)  # shown by pytest when the test fails  # noqa: T201
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert self.box.api_key not in result.output
        return result

    def sync(self, command: str, *records: Mapping[str, Any], options: Sequence[str] = (), **config: Any) -> Result:  # fmt: skip
        """Run ``plan`` or ``apply`` with accounts."""
        Path("tonight.singer").write_text(_lines(stream("accounts", *records)))
        return self.run(command, "tonight.singer", *options, **config)

    def names(self, collection: str = "categories") -> dict[str, str]:
        """Reference → name, as ExpenseIn has them."""
        return {live["reference"]: live["name"] for live in self.box.live(collection)}

    def writes(self) -> list[str]:
        """The methods and paths of all requests that were not only looking."""
        return [
            f"{one['method']} {one['path']}"
            for one in self.box.requests("expensein")
            if one["method"] != "GET"
        ]


@pytest.fixture
def expensein(box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Expensein:
    """The command against empty services."""
    monkeypatch.chdir(tmp_path)
    return Expensein(box)


class TestPlanAndApply:
    """The engine without Meltano."""

    def test_plan_shows_what_apply_then_writes(self, expensein: Expensein):
        expensein.box.add_live("categories", name="Trvel", reference="5000")
        planned = expensein.sync("plan", TRAVEL, MEALS)
        assert planned.exit_code == 0
        assert 'name: "Trvel" → "Travel"' in planned.stdout
        assert expensein.writes() == []
        assert expensein.sync("apply", TRAVEL, MEALS).exit_code == 0
        assert expensein.names() == {"5000": "Travel", "5100": "Meals"}

    @pytest.mark.parametrize(
        ("records", "code"),
        [([], 0), ([MEALS], 2), ([MEALS, {"code": "", "description": "x"}], 3)],
        ids=["nothing to do", "changes", "something rejected"],
    )
    def test_the_detailed_exit_code_tells_nothing_from_changes_from_leftovers(
        self, expensein: Expensein, records, code
    ):
        expensein.box.add_live("categories", name="Travel", reference="5000")
        result = expensein.sync("plan", TRAVEL, *records, options=["--detailed-exitcode"])
        assert result.exit_code == code

    def test_a_file_that_is_not_there_is_no_detailed_exit_code_of_its_own(self, expensein: Expensein):
        result = expensein.run("plan", "nowhere.singer", "--detailed-exitcode")
        assert (result.exit_code, result.stderr) == (1, "Error: nowhere.singer: No such file or directory\n")

    def test_plan_as_json_is_the_plan_file(self, expensein: Expensein):
        result = expensein.run("plan", "-", "--json", singer=stream("accounts", TRAVEL))
        document = json.loads(result.stdout)
        assert document["items"][0]["rows"][0]["fields"]["name"]["after"] == "Travel"
        assert document == json.loads(Path("output/expensein/latest/plan.json").read_text())

    def test_apply_as_json_is_the_summary_without_the_states_of_the_tap(self, expensein: Expensein):
        messages = [*stream("accounts", TRAVEL), state({"bookmarks": {}})]
        result = expensein.run("apply", "-", "--json", singer=messages)
        assert json.loads(result.stdout)["items"]["categories"]["counts"]["created"] == 1

    def test_the_line_that_a_held_plan_gives_applies_it(self, expensein: Expensein):
        for number in range(30):
            expensein.box.add_live("categories", name=f"Old {number}", reference=f"{5000 + number}")
        records = [{"code": f"{5000 + number}", "description": f"New {number}"} for number in range(30)]
        held = expensein.sync("apply", *records)
        assert held.exit_code == 3
        assert expensein.writes() == []
        (line,) = [one for one in held.stdout.splitlines() if "To approve this plan" in one]
        command = shlex.split(line.partition("once: ")[2])
        assert command[:3] == ["expensein", "apply", "tonight.singer"]
        assert command[-2:] == ["--config", "config.json"]
        assert expensein.run(*command[1:-2]).exit_code == 0
        assert expensein.names()["5007"] == "New 7"

    @pytest.mark.parametrize(
        ("messages", "message"),
        [(["{"], "line 1 is not JSON"), ([{"type": "PARTY"}], "Unknown message type 'PARTY'")],
    )
    def test_input_that_is_not_singer_ends_with_a_message(self, expensein: Expensein, messages, message):
        result = expensein.run("apply", "-", singer=[*messages, *stream("accounts", TRAVEL)])
        assert result.exit_code == 1
        assert message in result.stderr
        assert expensein.box.counters()["expensein"] == {}

    def test_a_list_that_is_not_whole_fails(self, expensein: Expensein):
        result = expensein.run("apply", "-", singer=stream("accounts", TRAVEL)[:-1])
        assert result.exit_code == 1
        assert "did not arrive whole" in result.stdout

    def test_a_key_that_is_wrong_fails_with_what_to_do(self, expensein: Expensein):
        result = expensein.sync("apply", TRAVEL, api_key="wrong-key")
        assert result.exit_code == 1
        assert "Set api_key to a key that is valid now" in result.stdout


class TestConfiguration:
    """Where the settings come from, and what is said when they are wrong."""

    def test_the_settings_come_from_the_environment_as_meltano_sets_them(self, expensein: Expensein):
        expensein.box.configure(expensein={"envelope": "data"})
        environment = {
            "TARGET_EXPENSEIN_API_URL": expensein.box.expensein_url,
            "TARGET_EXPENSEIN_API_KEY": expensein.box.api_key,
            "TARGET_EXPENSEIN_SETTLE_SECONDS": "0",
            "TARGET_EXPENSEIN_APPROVE": "",
            "TARGET_EXPENSEIN_ITEMS": '{"categories": {"enabled": false, "filters": {"description.contains": "e"}}}',
            "TARGET_EXPENSEIN_ITEMS_CATEGORIES_ENABLED": "True",
            "TARGET_EXPENSEIN_ITEMS_CATEGORIES_FILTERS": '{"code.starts_with": "51"}',
            "TARGET_EXPENSEIN_API_PROFILE": '{"list.envelope": "data"}',
        }
        accounts = stream("accounts", TRAVEL, MEALS, {"code": "5101", "description": "Fun"})
        result = expensein.run("apply", "-", singer=accounts, env=environment)
        assert result.exit_code == 0
        assert expensein.names() == {"5100": "Meals"}

    def test_a_wrong_setting_is_named(self, expensein: Expensein):
        result = expensein.run("doctor", items={"categorys": {"enabled": True}})
        assert result.exit_code == 1
        assert "items: unknown setting 'categorys'; did you mean 'categories'?" in result.stderr

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "No such file or directory"),
            ('{"api_key": "secret"', "this is not JSON (line 1: "),
            ('["secret"]', "not an object with settings"),
        ],
    )
    def test_a_configuration_file_that_cannot_be_read_is_explained(
        self, expensein: Expensein, content, message
    ):
        if content is not None:
            Path("own.json").write_text(content)
        result = expensein.run("history", "--config", "own.json", env={})
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: --config own.json: ")
        assert message in result.stderr
        assert "secret" not in result.output

    @pytest.mark.parametrize("command", sorted(main.commands))
    def test_each_command_says_what_it_is_for_and_gives_an_example(self, expensein: Expensein, command):
        arguments = ["rejects", "retry"] if command == "rejects" else [command]
        result = expensein.run(*arguments, "--help", env={})
        assert result.exit_code == 0
        assert f"\n  expensein {' '.join(arguments)}" in result.stdout


class TestHistory:
    """The list of runs, and the chain."""

    def test_runs_are_listed_newest_first_without_key_or_items(self, expensein: Expensein):
        expensein.sync("plan", TRAVEL)
        expensein.sync("apply", TRAVEL)
        result = expensein.run("history", env={})
        assert result.exit_code == 0
        lines = result.stdout.splitlines()
        assert [line.split()[3:] for line in lines[1:3]] == [
            ["apply", "done", "1", "0", "0", "0", "0"],
            ["plan", "done", "(1)", "0", "0", "0", "0"],
        ]
        newest = json.loads(expensein.run("history", "--limit", "1", "--json", env={}).stdout)
        assert [run["mode"] for run in newest["runs"]] == ["apply"]

    def test_a_history_that_was_changed_is_found_out(self, expensein: Expensein):
        expensein.sync("apply", TRAVEL)
        whole = expensein.run("history", "--verify", env={})
        assert whole.exit_code == 0
        assert "The history is whole." in whole.stdout
        with sqlite3.connect("output/expensein/ledger.db") as ledger:
            ledger.execute("UPDATE expensein_entries SET name = '\"Nobody\"'")
        ledger.close()
        changed = expensein.run("history", "--verify", env={})
        assert changed.exit_code == 1
        assert "its entries were changed, removed or added" in changed.stdout
        assert json.loads(expensein.run("history", "--verify", "--json", env={}).stdout)["breaks"]

    def test_a_look_makes_no_ledger(self, expensein: Expensein):
        for command in (["history"], ["show", "latest"]):
            result = expensein.run(*command, env={})
            assert result.exit_code == 1
            assert "There is no ledger at 'output/expensein/ledger.db'" in result.stderr
        assert not Path("output").exists()


class TestShow:
    """One run."""

    @pytest.fixture
    def shown(self, expensein: Expensein) -> Expensein:
        """A run that updated, created, held and had a record refused."""
        for name, reference in (("Trvel", "5000"), ("A", "7000"), ("B", "7000")):
            expensein.box.add_live("categories", name=name, reference=reference)
        expensein.sync("apply", TRAVEL, MEALS, TOO_LONG, {"code": "7000", "description": "C"})
        return expensein

    def test_a_run_is_shown_field_by_field_with_what_became_of_it(self, shown: Expensein):
        result = shown.run("show", "latest", env={})
        assert result.exit_code == 0
        assert '"5000"  "Travel"  name: "Trvel" → "Travel" (unknown)  done\n' in result.stdout
        assert "rejected [refused]" in result.stdout
        assert '"7000"  "C"  [duplicate_in_expensein]' in result.stdout

    def test_a_run_as_json_has_the_same(self, shown: Expensein):
        run = json.loads(shown.run("show", "latest", "--json", env={}).stdout)
        outcomes = {entry["reference"]: entry["status"] for entry in run["entries"]}
        assert outcomes == {"5000": "done", "5100": "done", "6000": "rejected", "7000": "held"}
        (update,) = [entry for entry in run["entries"] if entry["kind"] == "update"]
        assert update["fields"] == {"name": {"before": "Trvel", "after": "Travel", "origin": "unknown"}}

    def test_the_page_of_a_run_is_found_as_long_as_it_is_there(self, shown: Expensein):
        page = Path(shown.run("show", "latest", "--html", env={}).stdout.strip())
        assert page.name == "plan.html"
        page.unlink()
        result = shown.run("show", page.parent.name, "--html", env={})
        assert result.exit_code == 1
        assert str(page) in result.stderr

    def test_a_run_that_is_not_there_is_an_error(self, shown: Expensein):
        result = shown.run("show", "20200101T000000Z-000000", env={})
        assert result.exit_code == 1
        assert "there is no run '20200101T000000Z-000000'" in result.stderr

    def test_an_item_that_was_held_whole_is_shown_with_its_reason(self, expensein: Expensein):
        expensein.box.add_live("categories", name="Travel", reference="5000")
        expensein.sync("apply")
        assert "categories HELD: the source list is empty" in expensein.run("show", "latest", env={}).stdout


class TestRejectsRetry:
    """Once more, and nothing but."""

    def test_a_record_that_was_corrected_in_the_file_is_written_and_nothing_else_is_touched(
        self, expensein: Expensein
    ):
        many = [{"code": f"{number}", "description": f"Account {number}"} for number in range(40)]
        expensein.sync("apply", *many, TOO_LONG)
        path = Path(REJECTS).resolve()
        path.write_text(path.read_text().replace("x" * 300, "Short enough"))
        expensein.box.clear_requests()
        result = expensein.run("rejects", "retry", str(path))
        assert result.exit_code == 0
        assert "orphan" not in result.stdout
        assert expensein.writes() == ["POST /1.0/categories"]
        assert expensein.names()["6000"] == "Short enough"
        half = expensein.sync("apply", *many[:10])
        assert "short_source" in half.stdout  # the last whole list still is the measure

    def test_what_is_rejected_again_is_no_empty_source(self, expensein: Expensein):
        expensein.sync("apply", TRAVEL, {"code": "6000", "description": "Odd", "is_active": "maybe"})
        result = expensein.run("rejects", "retry", REJECTS, "--json")
        assert result.exit_code == 3
        categories = json.loads(result.stdout)["items"]["categories"]
        assert (categories["holds"], categories["counts"]["rejected"]) == ([], 1)

    def test_what_cannot_be_judged_again_is_left_out_with_its_reason(self, expensein: Expensein):
        twice = [{"code": "8000", "description": name} for name in ("One", "Two")]
        expensein.sync("apply", TRAVEL, *twice, TOO_LONG)
        path = Path(REJECTS).resolve()
        expensein.sync("apply", TRAVEL, *twice, TOO_LONG | {"description": "Short"})
        expensein.box.clear_requests()
        result = expensein.run("rejects", "retry", str(path))
        assert result.exit_code == 3
        assert 'categories "8000": the file has only one of the records' in result.stdout
        assert 'categories "6000": run ' in result.stdout
        assert expensein.writes() == []
        assert expensein.names() == {"5000": "Travel", "6000": "Short"}

    def test_a_record_goes_to_its_own_item_only_and_its_filter_counts_as_far_as_it_can_be_asked(
        self, expensein: Expensein
    ):
        departments = {"enabled": True, "source": "bi_codes"}
        projects = departments | {"filters": {"code": {"starts_with": "B"}, "area": {"is_one_of": ["UK"]}}}
        message = schema("bi_codes", area={"type": "string"})
        blank = [{"code": code, "description": "", "area": "UK"} for code in ("B1", "C1")]
        messages = [message, *stream("bi_codes", *blank)[1:]]
        expensein.run("apply", "-", singer=messages, items={"projects": projects})
        path = Path(REJECTS).resolve()
        path.write_text(path.read_text().replace('"description": ""', '"description": "Bridge"'))
        both = {"projects": projects, "departments": departments}
        assert expensein.run("rejects", "retry", str(path), items=both).exit_code == 0
        assert expensein.names("projects") == {"B1": "Bridge"}
        assert expensein.names("departments") == {}
        projects["filters"]["code"] = {"starts_with": "Z"}
        narrowed = expensein.run("rejects", "retry", str(path), items=both)
        assert "the item's filter keeps it out now: it is not so that code starts with 'Z'" in narrowed.stdout

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("{", "line 1 is not JSON"),
            ('{"item": "categories"}', "line 1 has no usable 'run_id'"),
            (
                '{"run_id": "r", "item": "x", "stream": "s", "reference": null, "reason": "r", "record": null}',
                "names an item that does not exist",
            ),
        ],
    )
    def test_a_file_that_is_no_reject_file_is_refused(self, expensein: Expensein, line, message):
        Path("file.jsonl").write_text(line)
        result = expensein.run("rejects", "retry", "file.jsonl")
        assert result.exit_code == 1
        assert message in result.stderr

    def test_a_file_of_another_account_is_refused(self, expensein: Expensein):
        expensein.sync("apply", TOO_LONG)
        result = expensein.run("rejects", "retry", REJECTS, account="other")
        assert result.exit_code == 1
        assert "there is no run" in result.stderr
        assert "of account 'other'" in result.stderr


class TestDoctor:
    """Fit for a sync or not."""

    def test_a_healthy_account_is_fit_and_is_only_read(self, expensein: Expensein):
        expensein.box.add_live("categories", name="Travel", reference="5000")
        result = expensein.run("doctor")
        assert result.exit_code == 0
        assert [line.split()[:2] for line in result.stdout.splitlines()] == [
            ["ok", "address"],
            ["ok", "key"],
            ["ok", "clock"],
            ["ok", "categories"],
        ]
        assert expensein.box.counters()["expensein"] == {"GET categories": 1}
        assert not Path("output").exists()

    def test_all_looks_at_every_item_even_if_none_is_enabled(self, expensein: Expensein):
        profile = {"items": {"categories": {"available": False}}}
        result = expensein.run("doctor", "--all", "--json", items={}, api_profile=profile)
        subjects = [finding["subject"] for finding in json.loads(result.stdout)]
        items = ["categories", "projects", "departments", "tax_rates", "suppliers"]
        assert subjects == ["address", "key", "clock", *items]

    @pytest.mark.parametrize(
        ("server", "config", "subject", "advice"),
        [
            ({}, {"api_url": "http://127.0.0.1:9/"}, "address", "Check api_url"),
            ({}, {"api_key": "wrong-key"}, "key", "Set api_key to a key that is valid now"),
            ({"allowed": False}, {}, "categories", "list of allowed IP addresses"),
            ({"permissions": []}, {"items": {"suppliers": {"enabled": True}}}, "suppliers", 'Tick the permission "Finance user"'),
            ({"invoicing": False}, {"items": {"suppliers": {"enabled": True}}}, "suppliers", "switch the item suppliers off"),
            ({"missing_collections": ["categories"]}, {}, "categories", "api_profile.items.categories.path"),
            ({}, {"api_profile": {"items": {"categories": {"fields": {"reference": "ref"}}}}}, "categories", "api_profile.items.categories.fields.reference"),
            ({}, {"api_profile": {"items": {"categories": {"available": False}}}}, "categories", "Switch the item off"),
        ],
    )  # fmt: skip
    def test_what_stops_a_sync_fails_and_says_what_to_do(
        self, expensein: Expensein, server, config, subject, advice
    ):
        expensein.box.add_live("categories", name="Travel", reference="5000")
        expensein.box.configure(expensein=server)
        result = expensein.run("doctor", "--json", **config)
        assert result.exit_code == 1
        (failure,) = [one for one in json.loads(result.stdout) if one["level"] == "FAIL"]
        assert failure["subject"] == subject
        assert advice in failure["text"]

    def test_records_that_the_sync_cannot_settle_are_pointed_out(self, expensein: Expensein):
        for name, reference in (("A", "1"), ("B", "1"), ("C", "01"), ("D", None), ("E", " ")):
            expensein.box.add_live("categories", name=name, reference=reference)
        result = expensein.run("doctor")
        assert result.exit_code == 0
        twice, alike, bare = [line for line in result.stdout.splitlines() if line.startswith("warn")]
        assert '(1): "1" "A" (id ' in twice
        assert '(1): "01" and "1".' in alike
        assert '(2): "D" (id ' in bare

    def test_a_certificate_that_is_not_trusted_fails_and_one_that_is_does_not(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.chdir(tmp_path)
        with Sandbox(seed="empty", tls=True) as box:
            expensein = Expensein(box)
            distrusted = expensein.run("doctor")
            assert distrusted.exit_code == 1
            assert "Set ca_bundle" in distrusted.stdout
            assert "its certificate is trusted" in expensein.run("doctor", ca_bundle=box.ca_bundle).stdout

    @pytest.mark.parametrize(("skew", "level"), [(60, "ok"), (-60, "ok"), (61, "warn"), (-61, "warn")])
    def test_a_clock_that_is_off_by_more_than_a_minute_is_a_warning(self, skew, level):
        (finding,) = clock(skew)
        assert finding.level == level


def _lines(messages: Sequence[Any]) -> str:
    return "".join(
        f"{message if isinstance(message, str) else json.dumps(message)}\n" for message in messages
    )

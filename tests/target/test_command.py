"""The target as a command: what it does with its input, and what it leaves behind."""

from __future__ import annotations

import json
import signal
import stat
from decimal import Decimal

import pytest
from target_expensein.ledger import Ledger
from target_expensein.target import TargetExpenseIn

from .conftest import TargetCommand, record, schema, state, stream, whole

CATEGORIES = {"categories": {"enabled": True}}
TRAVEL = {"code": "5000", "description": "Travel"}
MEALS = {"code": "5100", "description": "Meals"}


def references(target: TargetCommand, collection: str = "categories") -> list[str]:
    """The references that ExpenseIn holds, sorted."""
    return sorted(live["reference"] for live in target.box.live(collection))


class TestStates:
    """STATE goes out when everything before it is settled, and only then."""

    def test_a_state_is_passed_on_once_all_before_it_is_settled(self, target: TargetCommand):
        messages = [*stream("accounts", TRAVEL), state({"n": 1}), *stream("suppliers"), state({"n": 2})]
        result = target.run(messages, items=CATEGORIES | {"suppliers": {"enabled": True}})
        assert result.states == [{"n": 1}, {"n": 2}]

    def test_of_states_that_are_settled_together_the_last_is_passed_on(self, target: TargetCommand):
        """Each makes Meltano write to its database, and a later one holds all that is in an earlier one."""
        messages = [state({"n": 0}), *stream("accounts", TRAVEL), state({"n": 1}), state({"n": 2})]
        messages += [*stream("suppliers"), state({"n": 3})]
        assert target.run(messages, items=CATEGORIES).states == [{"n": 3}]

    def test_no_state_passes_an_item_that_failed(self, target: TargetCommand):
        target.box.configure(expensein={"invoicing": False})
        messages = [*stream("accounts", TRAVEL), state({"n": 1}), *stream("suppliers"), state({"n": 2})]
        result = target.run(messages, items=CATEGORIES | {"suppliers": {"enabled": True}})
        assert result.exit_code == 1
        assert result.states == [{"n": 1}]

    def test_a_rejected_record_is_settled(self, target: TargetCommand):
        messages = [*stream("accounts", {"code": "", "description": "x"}), state({"n": 1})]
        assert target.run(messages, items=CATEGORIES).states == [{"n": 1}]

    @pytest.mark.parametrize("mode", ["plan", "preview"])
    def test_a_run_that_writes_nothing_passes_no_state_on(self, target: TargetCommand, mode):
        result = target.run([*stream("accounts", TRAVEL), state({"n": 1})], items=CATEGORIES, mode=mode)
        assert (result.exit_code, result.states) == (0, [])
        assert target.box.live("categories") == []


class TestBadRecords:
    """A record that cannot be written is rejected with a reason; the others go on."""

    @pytest.mark.parametrize(
        ("fields", "reason", "detail"),
        [
            ({"code": None, "description": "x"}, "blank_reference", ""),
            ({"code": " \t", "description": "x"}, "blank_reference", ""),
            ({"code": "1", "description": "\u00a0"}, "blank_name", ""),
            ({"code": "1", "description": None}, "blank_name", ""),
            ({"code": 1, "description": "x"}, "invalid_record", "code: 1 is not of type 'string', 'null'"),
            ({"code": "1", "description": ["x"]}, "invalid_record", "description: ['x'] is not of type"),
            (
                {"code": "1", "description": "x", "is_active": "yes"},
                "invalid_record",
                "is_active: 'yes' is not",
            ),
            ({"description": "x"}, "invalid_record", "'code' is a required property"),
        ],
    )
    def test_r30_a_bad_record_goes_to_the_reject_file_and_the_rest_is_written(
        self, target: TargetCommand, fields, reason, detail
    ):
        result = target.run(stream("accounts", TRAVEL, fields), items=CATEGORIES)
        assert result.exit_code == 3
        assert references(target) == ["5000"]
        (line,) = result.rejects
        assert (line["item"], line["stream"], line["reason"]) == ("categories", "accounts", reason)
        assert detail in line["detail"]
        assert line["run_id"] == result.summary["run_id"]
        assert line["record"]["entity"] == "ONE"

    @pytest.mark.parametrize(
        ("rate", "reason"), [(None, "rate_invalid"), (-0.2, "rate_invalid"), (20, "rate_above_one")]
    )
    def test_r21_a_tax_rate_that_makes_no_sense_is_not_created(self, target: TargetCommand, rate, reason):
        good = {"code": "S", "description": "Standard", "rate": 0.2}
        result = target.run(
            stream("tax_rates", good, {"code": "X", "description": "Odd", "rate": rate}),
            items={"tax_rates": {"enabled": True}},
        )
        assert references(target, "taxrates") == ["S"]
        assert [line["reason"] for line in result.rejects] == [reason]

    def test_r21_an_absurd_percentage_is_rejected(self, target: TargetCommand):
        records = [{"code": str(rate), "description": "Odd", "rate": rate} for rate in (1000, 1000.5)]
        message = json.dumps(record("tax_rates", code="huge", description="Odd", rate=0)).replace(
            '"rate": 0', '"rate": 1e999'
        )
        messages = [*stream("tax_rates", *records)[:-1], message, whole("tax_rates")]
        items = {"tax_rates": {"enabled": True, "rate_unit": "percent"}}
        result = target.run(messages, items=items)
        assert {line["reference"]: line["reason"] for line in result.rejects} == {
            "1000": "refused",
            "1000.5": "rate_invalid",
            "huge": "rate_invalid",
        }

    def test_what_expensein_refuses_is_rejected_in_its_own_words(self, target: TargetCommand):
        too_long = {"code": "6000", "description": "x" * 300}
        result = target.run(stream("accounts", TRAVEL, too_long), items=CATEGORIES)
        assert result.exit_code == 3
        assert references(target) == ["5000"]
        (line,) = result.rejects
        assert (line["reference"], line["reason"]) == ("6000", "refused")
        assert "255" in line["detail"]


class TestFilters:
    """R6."""

    RECORDS = (
        {"code": "5000", "description": "Travel Expenses", "account_type": "Posting"},
        {"code": "0500", "description": "travel expenses", "account_type": "Posting"},
        {"code": "9000", "description": "Bank", "account_type": "Bank"},
        {"code": "9100", "description": "Nothing", "account_type": None},
    )

    @pytest.mark.parametrize(
        ("filters", "passing"),
        [
            ({}, ["0500", "5000", "9000", "9100"]),
            ({"description": {"contains": "Expenses"}}, ["5000"]),
            ({"code": {"starts_with": "5"}}, ["5000"]),
            ({"code": {"ends_with": "500"}}, ["0500"]),
            ({"code": {"is_one_of": ["5000", "9000", "500"]}}, ["5000", "9000"]),
            ({"code": {"is_not_one_of": ["5000"]}}, ["0500", "9000", "9100"]),
            ({"account_type": {"is_not_one_of": ["Bank"]}}, ["0500", "5000", "9100"]),
            ({"account_type": {"contains": "o"}}, ["0500", "5000"]),
            ({"is_active": {"is_one_of": [True]}}, ["0500", "5000", "9000", "9100"]),
            ({"is_active": {"is_one_of": ["false"]}}, []),
            ({"account_type": {"is_one_of": ["Posting"]}, "code": {"starts_with": "0"}}, ["0500"]),
        ],
    )
    def test_r06_only_passing_records_take_part(self, target: TargetCommand, filters, passing):
        items = {"categories": {"enabled": True, "filters": filters}}
        result = target.run(stream("accounts", *self.RECORDS), items=items)
        assert references(target) == passing
        assert result.counts("categories").get("skipped", 0) == len(self.RECORDS) - len(passing)

    def test_r06_a_number_is_compared_by_value(self, target: TargetCommand):
        rates = [
            {"code": code, "description": code, "rate": rate} for code, rate in (("A", 0.2), ("B", 0.23))
        ]
        items = {"tax_rates": {"enabled": True, "filters": {"rate": {"is_one_of": [0.20]}}}}
        target.run(stream("tax_rates", *rates), items=items)
        assert references(target, "taxrates") == ["A"]

    def test_r06_a_filter_on_a_field_that_the_source_does_not_have_is_an_error(self, target: TargetCommand):
        items = {"categories": {"enabled": True, "filters": {"acount_type": {"is_one_of": ["Bank"]}}}}
        result = target.run(stream("accounts", *self.RECORDS), items=items)
        assert result.exit_code == 1
        assert "items.categories.filters.acount_type" in result.log
        assert "did you mean 'account_type'?" in result.log
        assert target.box.live("categories") == []

    def test_r06_the_preview_shows_who_passes_and_who_does_not_without_a_single_request(
        self, target: TargetCommand
    ):
        items = {"categories": {"enabled": True, "filters": {"description": {"contains": "Expenses"}}}}
        result = target.run(stream("accounts", *self.RECORDS), items=items, mode="preview", api_key=...)
        assert result.exit_code == 0
        assert target.box.counters()["expensein"] == {}
        assert "categories: 1 of 4 records pass" in result.log
        assert "kept out because not: description contains 'Expenses' (3)" in result.log
        preview = json.loads((result.output / "latest/preview.json").read_text())
        verdicts = {one["reference"]: one["kept_out_because_not"] for one in preview["categories"]}
        assert verdicts["5000"] is None
        assert verdicts["0500"] == "description contains 'Expenses'"


class TestInput:
    """What is not a whole, proper Singer stream never leads to a write."""

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            (["{"], "line 1 is not JSON"),
            (["[]"], "line 1 is not a JSON object"),
            ([schema("accounts"), '{"type": "RECORD", "stream": "accounts", "record": {"code": NaN}}'], "line 2 is not JSON"),
            ([{"type": "PARTY"}], "Unknown message type 'PARTY'"),
            ([{"stream": "accounts"}], "line 1: a message without 'type'"),
            ([record("accounts", **TRAVEL)], "before a corresponding schema"),
        ],
    )  # fmt: skip
    def test_input_that_is_not_singer_ends_the_run_with_a_message(
        self, target: TargetCommand, lines, message
    ):
        result = target.run([*lines, *stream("accounts", MEALS)], items=CATEGORIES)
        assert result.exit_code == 1
        assert message in result.log
        assert target.box.counters()["expensein"] == {}

    def test_r32_a_list_that_is_not_whole_is_neither_compared_nor_written(self, target: TargetCommand):
        result = target.run(stream("accounts", TRAVEL)[:-1], items=CATEGORIES)
        assert result.exit_code == 1
        assert "did not arrive whole" in result.log
        assert target.box.counters()["expensein"] == {}

    def test_r32_a_record_after_the_end_of_its_stream_makes_the_list_not_whole_again(
        self, target: TargetCommand
    ):
        result = target.run([*stream("accounts", TRAVEL), record("accounts", **MEALS)], items=CATEGORIES)
        assert result.exit_code == 1
        assert "did not arrive whole" in result.log

    def test_r31_no_input_at_all_is_a_failure(self, target: TargetCommand):
        result = target.run([], items=CATEGORIES)
        assert result.exit_code == 1
        assert "the stream 'accounts' never arrived" in result.log

    def test_r31_a_stream_that_no_item_uses_is_ignored_with_one_warning(self, target: TargetCommand):
        messages = [*stream("accounts", TRAVEL), *stream("suppliers", {"code": "S", "name": "x"})]
        result = target.run(messages, items=CATEGORIES)
        assert result.exit_code == 0
        assert result.log.count("No enabled item uses the stream 'suppliers'") == 1
        assert target.box.live("suppliers") == []

    def test_a_schema_that_lacks_a_field_that_the_item_needs_is_an_error(self, target: TargetCommand):
        message = schema("accounts")
        del message["schema"]["properties"]["is_active"]
        result = target.run([message, record("accounts", **TRAVEL), whole("accounts")], items=CATEGORIES)
        assert result.exit_code == 1
        assert "offers no field 'is_active'" in result.log

    def test_the_loader_test_of_meltano_reads_and_never_writes(self, target: TargetCommand):
        messages = [
            {"type": "SCHEMA", "stream": "meltano_test_stream", "schema": {"properties": {"id": {}}}, "key_properties": []},
            {"type": "RECORD", "stream": "meltano_test_stream", "record": {"id": "1"}},
        ]  # fmt: skip
        result = target.run(messages, items=CATEGORIES)
        assert result.exit_code == 0
        assert target.box.counters()["expensein"] == {"GET categories": 1}
        target.box.configure(expensein={"allowed": False})
        assert target.run(messages, items=CATEGORIES).exit_code == 1


class TestWrites:
    """Several writes in flight; what became of each is known at the end."""

    def test_a_creation_whose_answer_was_lost_is_found_by_reading_back_and_not_repeated(
        self, target: TargetCommand
    ):
        target.box.faults([fault("drop_after", "POST", times=3)])
        result = target.run(stream("accounts", *many(20)), items=CATEGORIES)
        assert result.exit_code == 0
        assert result.counts("categories") == {"created": 20}
        assert len(references(target)) == 20
        assert target.box.counters()["expensein"]["POST categories"] == 20

    def test_a_creation_that_never_happened_is_repeated_once(self, target: TargetCommand):
        target.box.faults([fault("drop_before", "POST", times=3)])
        result = target.run(stream("accounts", *many(20)), items=CATEGORIES)
        assert result.exit_code == 0
        assert references(target) == sorted(one["code"] for one in many(20))
        assert target.box.counters()["expensein"]["POST categories"] == 23

    def test_a_creation_is_not_repeated_while_expensein_does_not_list_what_it_confirmed(
        self, target: TargetCommand
    ):
        target.box.configure(expensein={"list_delay": 30})
        target.box.faults([fault("drop_after", "POST", times=1)])
        result = target.run(stream("accounts", *many(3)), items=CATEGORIES)
        assert result.exit_code == 3
        assert result.counts("categories") == {"unsettled": 3}
        assert target.box.counters()["expensein"]["POST categories"] == 3

    def test_a_failure_that_is_not_the_records_own_stops_the_item(self, target: TargetCommand):
        target.box.configure(expensein={"permissions": ["finance_user"]})
        result = target.run(stream("accounts", *many(40)), items=CATEGORIES, concurrency=2)
        assert result.exit_code == 1
        assert "Account administrator" in result.log
        assert target.box.counters()["expensein"].get("POST categories", 0) <= 4

    def test_a_record_that_the_server_always_stumbles_over_does_not_keep_the_others_from_being_written(
        self, target: TargetCommand
    ):
        for one in many(5):
            target.box.add_live("categories", name="Old", reference=one["code"])
        victim = target.box.live("categories")[2]
        path = f"/1.0/categories/{victim['id']}"
        target.box.faults([fault("status", "PUT", path=path, times=None, status=500)])
        result = target.run(stream("accounts", *many(5)), items=CATEGORIES)
        assert result.exit_code == 3
        assert result.counts("categories") == {"updated": 4, "unsettled": 1}
        names = {live["reference"]: live["name"] for live in target.box.live("categories")}
        assert [name for name in names.values() if name == "Old"] == [names[victim["reference"]]]

    def test_a_record_whose_reference_was_changed_between_reading_and_writing_is_held(
        self, target: TargetCommand
    ):
        live = target.box.add_live("categories", name="Old name", reference="5000")
        target.box.faults([fault("latency", "GET", path=f"/1.0/categories/{live['id']}", seconds=1.0)])
        process = target.feed(stream("accounts", TRAVEL), items=CATEGORIES)
        while "GET categories" not in target.box.counters()["expensein"]:
            assert process.poll() is None
        target.box.edit_live("categories", live["id"], reference="OTHER")
        target.finish(process)
        assert process.returncode == 3
        (after,) = target.box.live("categories")
        assert (after["reference"], after["name"]) == ("OTHER", "Old name")

    def test_adoption_gives_the_reference_to_a_record_whose_reference_is_an_empty_text(
        self, target: TargetCommand
    ):
        """R29."""
        target.box.add_live("categories", name="Travel", reference="", description="by hand")
        items = {"categories": {"enabled": True, "adopt_by_name": True}}
        result = target.run(stream("accounts", TRAVEL), items=items)
        assert result.exit_code == 0
        (after,) = target.box.live("categories")
        assert (after["reference"], after["description"]) == ("5000", "by hand")

    def test_r21_the_rate_is_sent_with_exactly_its_digits(self, target: TargetCommand):
        message = json.dumps(record("tax_rates", code="R", description="Reduced", rate=0.135)).replace(
            "0.135", "0.1350"
        )
        target.run([schema("tax_rates"), message, whole("tax_rates")], items={"tax_rates": {"enabled": True}})
        (request,) = [one for one in target.box.requests("expensein") if one["method"] == "POST"]
        assert str(request["body"]["rate"]) == str(Decimal("13.5"))


class TestEnd:
    """How a run ends."""

    def test_sigterm_before_the_input_ends_writes_nothing(self, target: TargetCommand):
        process = target.feed(stream("accounts", TRAVEL), close=False, items=CATEGORIES)
        while not list((target.folder / "output").glob("*")):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        log = target.finish(process)
        assert process.returncode == 143
        assert "Stopped by SIGTERM" in log
        assert "Traceback" not in log
        assert target.box.counters()["expensein"] == {}

    def test_sigterm_while_the_target_gets_ready_ends_it_with_the_same_code(
        self, target: TargetCommand, monkeypatch
    ):
        """The SDK's constructor installs the handler and goes on."""
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        monkeypatch.setattr(TargetExpenseIn, "setup_mapper", lambda _: signal.raise_signal(signal.SIGTERM))
        try:
            with pytest.raises(SystemExit) as end:
                TargetExpenseIn(config=json.loads(target.configure(items=CATEGORIES).read_text()))
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        assert end.value.code == 143

    def test_the_files_of_a_run_are_for_their_owner_only(self, target: TargetCommand):
        output = target.run(stream("accounts", TRAVEL), items=CATEGORIES).output
        assert stat.S_IMODE((output / "latest").resolve().stat().st_mode) == 0o700
        for path in (output / "latest/").iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_no_connection_is_a_failure_with_a_message(self, target: TargetCommand):
        result = target.run(stream("accounts", TRAVEL), items=CATEGORIES, api_url="http://127.0.0.1:9/")
        assert result.exit_code == 1
        assert "127.0.0.1:9" in result.log

    def test_an_unchanged_run_costs_one_request_for_each_enabled_item(self, target: TargetCommand):
        messages = [*stream("accounts", TRAVEL), *stream("suppliers", {"code": "S", "name": "x"})]
        items = CATEGORIES | {"suppliers": {"enabled": True}}
        target.run(messages, items=items)
        target.box.clear_requests()
        result = target.run(messages, items=items)
        assert result.exit_code == 0
        assert target.box.counters()["expensein"] == {"GET categories": 1, "GET suppliers": 1}


class TestLedger:
    """What is kept of a run, and who may run."""

    def test_a_second_run_is_refused_while_the_first_is_at_work(self, target: TargetCommand):
        with Ledger.open(str(target.folder / "ledger.db"), "default") as ledger, ledger.lock():
            result = target.run(stream("accounts", TRAVEL), items=CATEGORIES)
        assert result.exit_code == 1
        assert "another run of account 'default' is at work" in result.log
        assert target.box.counters()["expensein"] == {}

    def test_a_run_that_was_killed_is_finished_by_the_next_one_without_a_twin(self, target: TargetCommand):
        target.box.faults([fault("latency", "POST", times=None, seconds=0.05)])
        process = target.feed(stream("accounts", *many(200)), items=CATEGORIES)
        while target.box.counters()["expensein"].get("POST categories", 0) < 20:
            assert process.poll() is None
        process.kill()
        target.finish(process)
        assert 0 < len(references(target)) < 200

        target.box.clear_faults()
        result = target.run(stream("accounts", *many(200)), items=CATEGORIES)
        assert result.exit_code == 0
        assert references(target) == sorted(one["code"] for one in many(200))
        with Ledger.open(str(target.folder / "ledger.db"), "default") as ledger:
            assert [run.outcome for run in ledger.history(9)] == ["done", "interrupted"]
            assert ledger.unsettled() == ()
            assert ledger.verify() == []


def fault(
    kind: str, method: str, path: str = "/1.0/categories*", times: int | None = 1, **more: object
) -> dict:
    """A fault rule of the sandbox for ExpenseIn's side."""
    return {
        "side": "expensein",
        "match": {"method": method, "path": path},
        "times": times,
        "fault": {"type": kind} | more,
    }


def many(number: int) -> list[dict[str, str]]:
    """That many accounts."""
    return [{"code": f"{5000 + n}", "description": f"Account {n}"} for n in range(number)]

"""INCREMENTAL: what is asked for, what the bookmark says afterwards, and what never moves it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sandbox.testing import Sandbox
from tap_testing import TAP, Reply, Run, Service, Tap, only, refusal, rows, sent, settings

ONE = "<Supplier><Code>S</Code></Supplier>"
BOTH = ("suppliers", "bi_codes")


def days_ago(days: float) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


def incremental(catalog: Mapping[str, Any], *streams: str) -> dict[str, Any]:
    """Return a copy of a catalog with these streams selected, to be read incrementally."""
    copy = only(catalog, *streams)
    for stream in copy["streams"]:
        if stream["tap_stream_id"] in streams:
            stream["replication_method"] = "INCREMENTAL"
    return copy


def state_of(run: Run) -> dict[str, Any]:
    """Return the last state."""
    state: dict[str, Any] = run.of("STATE")[-1]["value"]
    return state


def bookmarks(run: Run, stream: str = "suppliers") -> dict[str, Any]:
    """Return the bookmarks of a stream by entity."""
    found: dict[str, Any] = state_of(run)["bookmarks"][stream].get("entities", {})
    return found


def aged(run: Run, **entities: Mapping[str, str]) -> dict[str, Any]:
    """Return a run's state with other moments in the bookmarks of suppliers."""
    state: dict[str, Any] = json.loads(json.dumps(state_of(run)))
    for entity, changes in entities.items():
        state["bookmarks"]["suppliers"]["entities"][entity] |= changes
    return state


def asked(service: Service, operation: str = "GetSuppliersBy") -> list[str | None]:
    """Return the moments since which an operation was asked for."""
    return [
        sent(request, "FromLastModifiedDateInUTC") for name, request in service.calls if name == operation
    ]


@pytest.fixture
def supplied(service: Service) -> Service:
    """A service with one supplier, which is always new."""
    for operation in ("GetSupplierList", "GetSuppliersBy"):
        service.replies[operation] = [Reply(rows(operation, ONE))]
    return service


@pytest.fixture
def chosen(catalog: dict[str, Any]) -> dict[str, Any]:
    """Return the catalog with the suppliers to be read incrementally."""
    return incremental(catalog, "suppliers")


# --- the two kinds of read --------------------------------------------------------------------------------------------


def test_the_first_read_is_whole_and_the_next_asks_for_changes_only(
    supplied: Service, tap: Tap, chosen: dict[str, Any]
) -> None:
    config = supplied.settings(entities=["A", "B"])
    before = datetime.now(UTC).replace(microsecond=0)
    first = tap(config, catalog=chosen)
    assert first.code == 0
    assert [name for name, _ in supplied.calls] == ["TokenGet", "GetSupplierList", "GetSupplierList"]
    assert first.complete == ["suppliers"]
    version = first.of("ACTIVATE_VERSION")[0]["version"]
    assert {each["version"] for each in first.of("RECORD")} == {version}
    marks = bookmarks(first)
    assert set(marks) == {"A", "B"}
    for mark in marks.values():
        assert mark["read_at"] == mark["full_read_at"]
        assert before <= datetime.fromisoformat(mark["read_at"]) <= datetime.now(UTC)

    supplied.calls.clear()
    second = tap(config, catalog=chosen, state=state_of(first))
    assert [name for name, _ in supplied.calls] == ["TokenGet", "GetSuppliersBy", "GetSuppliersBy"]
    assert len(second.records("suppliers")) == 2
    assert second.complete == [], "a loader would remove every row that did not change"
    assert not any("version" in each for each in second.of("RECORD"))
    for entity, moment in zip("AB", asked(supplied), strict=True):
        assert moment is not None
        began = datetime.fromisoformat(marks[entity]["read_at"])
        assert datetime.fromisoformat(moment) == began - timedelta(minutes=120)
        assert bookmarks(second)[entity]["full_read_at"] == marks[entity]["full_read_at"]
        assert bookmarks(second)[entity]["read_at"] >= marks[entity]["read_at"]


@pytest.mark.parametrize("stream", BOTH)
def test_only_what_was_changed_arrives(stream: str, tap: Tap, catalog: dict[str, Any]) -> None:
    key = {"suppliers": "Code", "bi_codes": "DepartmentID"}[stream]
    with Sandbox(seed={"accountsiq": {"entities": {"ACME": {stream: [{key: "OLD"}, {key: "EDIT"}]}}}}) as box:
        time.sleep(1.1)  # bookmarks are cut to the second
        config = settings(box, incremental_overlap_minutes=0)
        first = tap(config, catalog=incremental(catalog, stream))
        assert [each["code"] for each in first.records(stream)] == ["OLD", "EDIT"]
        box.edit_source("ACME", stream, "EDIT", IsActive=True)
        box.add_source("ACME", stream, **{key: "NEW"})
        box.remove_source("ACME", stream, "OLD")
        second = tap(config, catalog=incremental(catalog, stream), state=state_of(first))
        assert [each["code"] for each in second.records(stream)] == ["EDIT", "NEW"]
        overlapping = tap(settings(box), catalog=incremental(catalog, stream), state=state_of(second))
        assert [each["code"] for each in overlapping.records(stream)] == ["EDIT", "NEW"]
        nothing = tap(config, catalog=incremental(catalog, stream), state=aged_now(second, stream))
        assert nothing.records(stream) == []
        assert nothing.code == 0


def aged_now(run: Run, stream: str) -> dict[str, Any]:
    """Return a run's state once the second in which it began has passed."""
    time.sleep(1.1)
    state: dict[str, Any] = json.loads(json.dumps(state_of(run)))
    state["bookmarks"][stream]["entities"]["ACME"]["read_at"] = days_ago(0)
    return state


def test_expense_suppliers_stay_out_of_changes_too_but_only_when_told(
    tap: Tap, chosen: dict[str, Any]
) -> None:
    suppliers = [{"Code": "EMPLOYEE", "_expense_supplier": True}, {"Code": "COMPANY"}]
    with Sandbox(seed={"accountsiq": {"entities": {"ACME": {"suppliers": suppliers}}}}) as box:
        config = settings(box, exclude_expense_suppliers=True)
        first = tap(config, catalog=chosen)
        second = tap(config, catalog=chosen, state=state_of(first))
        for run in (first, second):
            assert [each["code"] for each in run.records("suppliers")] == ["COMPANY"]
        assert (first.complete, second.complete) == (["suppliers"], [])
        without = tap(settings(box), catalog=chosen, state=state_of(second))
        assert [each["code"] for each in without.records("suppliers")] == ["EMPLOYEE", "COMPANY"]
        assert without.complete == ["suppliers"], "another setting: everything is read"
        changes = tap(settings(box), catalog=chosen, state=state_of(without))
        assert [each["code"] for each in changes.records("suppliers")] == ["EMPLOYEE", "COMPANY"]
        assert changes.complete == [], "and after that, only what was changed"


# --- what never moves a bookmark --------------------------------------------------------------------------------------


def test_an_entity_that_fails_keeps_its_bookmark_and_the_others_advance(
    supplied: Service, tap: Tap, chosen: dict[str, Any]
) -> None:
    config = supplied.settings(entities=["A", "B", "C"])
    first = tap(config, catalog=chosen)
    yesterday = {"read_at": days_ago(1)}
    state = aged(first, A=yesterday, B=yesterday, C=yesterday)
    supplied.replies["GetSuppliersBy", "B"] = [Reply(refusal("GetSuppliersBy", "NOT_AUTHORIZED"))]
    second = tap(config, catalog=chosen, state=state)
    assert second.code == 1
    marks = bookmarks(second)
    assert marks["B"] == state["bookmarks"]["suppliers"]["entities"]["B"]
    assert marks["A"]["read_at"] > yesterday["read_at"] < marks["C"]["read_at"]


def test_a_first_read_that_fails_leaves_no_bookmark_and_the_stream_incomplete(
    supplied: Service, tap: Tap, chosen: dict[str, Any]
) -> None:
    supplied.replies["GetSupplierList", "A"] = [Reply(refusal("GetSupplierList", "NOT_AUTHORIZED"))]
    config = supplied.settings(entities=["A", "B"])
    first = tap(config, catalog=chosen)
    assert first.code == 1
    assert set(bookmarks(first)) == {"B"}
    assert first.complete == []
    del supplied.replies["GetSupplierList", "A"]
    second = tap(config, catalog=chosen, state=state_of(first))
    assert second.complete == ["suppliers"], (
        "everything is read for B too, so that the stream can be declared whole"
    )
    assert supplied.count("GetSuppliersBy") == 0


def test_a_list_that_breaks_in_the_middle_does_not_move_the_bookmark(
    supplied: Service, tap: Tap, chosen: dict[str, Any]
) -> None:
    first = tap(supplied.settings(), catalog=chosen)
    state = aged(first, ACME={"read_at": days_ago(1)})
    long = rows("GetSuppliersBy", *(f"<Supplier><Code>{n}</Code></Supplier>" for n in range(30_000)))
    supplied.replies["GetSuppliersBy"] = [Reply(long.replace("<Code>29999</Code>", "<Code>29999</Kode>"))]
    second = tap(supplied.settings(), catalog=chosen, state=state)
    assert second.code == 1
    assert 0 < len(second.records("suppliers")) < 30_000
    assert state_of(second) == state


def test_a_stream_that_fails_does_not_keep_the_others_state_back(
    supplied: Service, tap: Tap, catalog: dict[str, Any]
) -> None:
    supplied.replies["GetDepartmentList"] = [Reply(refusal("GetDepartmentList", "NOT_AUTHORIZED"))]
    done = tap(supplied.settings(), catalog=incremental(catalog, *BOTH))
    assert done.code == 1
    assert set(bookmarks(done)) == {"ACME"}
    assert bookmarks(done, "bi_codes") == {}


def test_no_state_is_ahead_of_the_records_that_were_written(
    supplied: Service, tap: Tap, catalog: dict[str, Any]
) -> None:
    config = supplied.settings(entities=["A", "B"])
    messages = tap(config, catalog=incremental(catalog, *BOTH)).messages
    for index, message in enumerate(messages):
        if message["type"] == "STATE":
            for stream in message["value"]["bookmarks"]:
                later = [m for m in messages[index:] if m.get("stream") == stream]
                assert later == [], f"{stream} goes on after a state that has its bookmark"


def test_a_tap_that_is_told_to_stop_does_not_move_the_bookmark(
    tmp_path: Path, chosen: dict[str, Any]
) -> None:
    """SIGTERM while the second of two entities is read: neither its bookmark nor a version is written."""
    entities = {name: {"suppliers": [{"Code": f"{name}{n}"} for n in range(50)]} for name in ("A", "B")}
    slow = {"type": "latency", "seconds": 30}
    rule = {"side": "accountsiq", "match": {"operation": "GetSupplierList"}, "skip": 1, "fault": slow}
    with Sandbox(seed={"accountsiq": {"entities": entities}}, faults=[rule]) as box:
        (tmp_path / "config.json").write_text(json.dumps(settings(box)))
        (tmp_path / "catalog.json").write_text(json.dumps(chosen))
        command = [TAP, "--config", tmp_path / "config.json", "--catalog", tmp_path / "catalog.json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            log = ""
            for line in process.stderr:
                log += line
                if "A: 50 records in" in line:
                    break
            process.terminate()
            out, _ = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "ACTIVATE_VERSION" not in out
    assert "read_at" not in out


# --- the full read ----------------------------------------------------------------------------------------------------


def test_everything_is_read_again_after_the_interval_for_all_entities_together(
    supplied: Service, tap: Tap, chosen: dict[str, Any]
) -> None:
    config = supplied.settings(entities=["A", "B"], full_read_days=3)
    first = tap(config, catalog=chosen)
    supplied.calls.clear()
    fresh = aged(first, B={"full_read_at": days_ago(2)})
    assert tap(config, catalog=chosen, state=fresh).complete == []
    assert supplied.count("GetSupplierList") == 0
    due = aged(first, B={"full_read_at": days_ago(3)})
    third = tap(config, catalog=chosen, state=due)
    assert third.complete == ["suppliers"]
    assert supplied.count("GetSupplierList") == 2
    for mark in bookmarks(third).values():
        assert mark["full_read_at"] == mark["read_at"] > days_ago(1)
    assert "Everything is read: for B the last full read was on " in third.err


@pytest.mark.parametrize("change", ["a field is added", "an entity is added", "the clock was wrong"])
def test_everything_is_read_when_the_bookmarks_tell_nothing(
    change: str, supplied: Service, tap: Tap, chosen: dict[str, Any]
) -> None:
    first = tap(supplied.settings(entities=["A"]), catalog=chosen)
    entities, state = ["A"], state_of(first)
    if change == "a field is added":
        (entry,) = (each for each in chosen["streams"] if each["tap_stream_id"] == "suppliers")
        (field,) = (each for each in entry["metadata"] if each["breadcrumb"][-1:] == ["email"])
        field["metadata"]["selected"] = True
    elif change == "an entity is added":
        entities = ["A", "B"]
    else:
        state = aged(first, A={"read_at": days_ago(-2)})
    second = tap(supplied.settings(entities=entities), catalog=chosen, state=state)
    assert second.complete == ["suppliers"]
    assert supplied.count("GetSuppliersBy") == 0


# --- start_date -------------------------------------------------------------------------------------------------------


def test_a_start_date_bounds_every_read_and_no_read_is_called_whole(
    supplied: Service, tap: Tap, chosen: dict[str, Any]
) -> None:
    config = supplied.settings(start_date="2024-03-01")
    first = tap(config, catalog=chosen)
    due = tap(config, catalog=chosen, state=aged(first, ACME={"full_read_at": days_ago(30)}))
    assert asked(supplied) == ["2024-03-01T00:00:00Z"] * 2
    changes = tap(config, catalog=chosen, state=state_of(due))
    assert asked(supplied)[2] == (
        f"{datetime.fromisoformat(bookmarks(due)['ACME']['read_at']) - timedelta(minutes=120):%Y-%m-%dT%H:%M:%SZ}"
    )
    recent = supplied.settings(start_date=days_ago(0.01))
    assert tap(recent, catalog=chosen, state=state_of(changes)).code == 0
    assert asked(supplied)[3] == recent["start_date"]
    for run in (first, due, changes):
        assert run.complete == []
        assert not any("version" in each for each in run.of("RECORD"))


def test_a_stream_that_is_read_whole_does_not_mind_a_start_date(
    supplied: Service, tap: Tap, catalog: dict[str, Any]
) -> None:
    done = tap(supplied.settings(start_date="2024-03-01"), catalog=only(catalog, "suppliers"))
    assert done.complete == ["suppliers"]
    assert asked(supplied) == []


# --- catalogs and states of all kinds ---------------------------------------------------------------------------------


def test_the_metadata_may_name_the_method_as_singer_has_it(
    supplied: Service, tap: Tap, catalog: dict[str, Any]
) -> None:
    chosen = only(catalog, "suppliers")
    for stream in chosen["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"] and stream["tap_stream_id"] == "suppliers":
                entry["metadata"]["replication-method"] = "INCREMENTAL"
    assert bookmarks(tap(supplied.settings(), catalog=chosen))


@pytest.mark.parametrize(("stream", "method"), [("tax_rates", "INCREMENTAL"), ("suppliers", "LOG_BASED")])
def test_what_the_service_does_not_offer_is_said_and_read_whole(
    stream: str, method: str, supplied: Service, tap: Tap, catalog: dict[str, Any]
) -> None:
    chosen = only(catalog, stream)
    for each in chosen["streams"]:
        if each["tap_stream_id"] == stream:
            each["replication_method"] = method
    done = tap(supplied.settings(), catalog=chosen)
    assert done.code == 0
    assert done.complete == [stream]
    assert f"The catalog asks for the replication method {method}; this stream offers FULL_TABLE" in done.err


def test_a_replication_key_is_said_to_be_none(supplied: Service, tap: Tap, chosen: dict[str, Any]) -> None:
    for each in chosen["streams"]:
        each["replication_key"] = "creation_date"
    done = tap(supplied.settings(), catalog=chosen)
    assert done.code == 0
    assert "The catalog names the replication key creation_date." in done.err
    assert "bookmark_properties" not in done.of("SCHEMA", "suppliers")[0]


@pytest.mark.parametrize(
    "before",
    [
        {},
        {"entities": {}},
        {"entities": []},
        {"entities": {"ACME": None}},
        {"entities": {"ACME": {"read_at": "soon", "full_read_at": "soon"}}},
        {"partitions": [{"context": {"entity": "ACME"}, "replication_key_value": "2024-01-01"}]},
    ],
    ids=json.dumps,
)
def test_an_old_or_broken_bookmark_means_a_full_read(
    before: dict[str, Any], supplied: Service, tap: Tap, chosen: dict[str, Any]
) -> None:
    done = tap(
        supplied.settings(), catalog=chosen, state={"bookmarks": {"suppliers": before, "gone": {"x": 1}}}
    )
    assert done.code == 0
    assert done.complete == ["suppliers"]
    assert state_of(done)["bookmarks"]["gone"] == {"x": 1}
    assert set(bookmarks(done)) == {"ACME"}
    said = "the bookmark in the state cannot be used" in done.err
    assert said == bool(isinstance(before.get("entities"), dict) and before["entities"])


def test_keys_of_a_later_version_stay_in_the_state(
    supplied: Service, tap: Tap, chosen: dict[str, Any]
) -> None:
    state = state_of(tap(supplied.settings(), catalog=chosen))
    suppliers = state["bookmarks"]["suppliers"]
    suppliers["of_the_stream"] = suppliers["entities"]["ACME"]["of_the_entity"] = {"later": True}
    suppliers["entities"]["ELSEWHERE"] = {"of_the_entity": 1}
    after = state_of(tap(supplied.settings(), catalog=chosen, state=state))["bookmarks"]["suppliers"]
    assert after["of_the_stream"] == after["entities"]["ACME"]["of_the_entity"] == {"later": True}
    assert after["entities"]["ELSEWHERE"] == {"of_the_entity": 1}
    assert supplied.count("GetSuppliersBy") == 1, "and the bookmark is understood in spite of them"


def test_a_whole_read_in_between_keeps_the_bookmarks(
    supplied: Service, tap: Tap, catalog: dict[str, Any], chosen: dict[str, Any]
) -> None:
    state = state_of(tap(supplied.settings(), catalog=chosen))
    assert state_of(tap(supplied.settings(), catalog=only(catalog, "suppliers"), state=state)) == state


@pytest.mark.parametrize("state", [{"bookmarks": []}, {"bookmarks": {"suppliers": 7}}])
def test_a_state_of_another_form_is_an_error(state: dict[str, Any], supplied: Service, tap: Tap) -> None:
    done = tap(supplied.settings(), state=state)
    assert done.code == 1
    assert "state.json: the state must have the form" in done.errors[0]

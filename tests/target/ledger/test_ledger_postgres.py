"""The ledger on PostgreSQL: addresses, rights, and connections that are lost on the way."""

from __future__ import annotations

import pytest
from target_expensein.apply import Status
from target_expensein.ledger import Ledger, LedgerError
from target_expensein.model import Kind, Origin, Row

from ..conftest import stream

ROW = Row("suppliers", Kind.UPDATE, "differs", "S1", "name")


@pytest.fixture
def address(postgres):
    """A ledger that is not there yet."""
    return postgres.new_schema()


CUT_THE_LOCK = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE application_name = 'target-expensein' AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')
"""
CUT_ALL = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'target-expensein'
"""
"""What a restart of the server does to the connections."""


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_usual_scheme_is_understood(address, scheme):
    with Ledger.open(address.replace("postgresql", scheme), "acme") as ledger:
        assert ledger.history(1) == ()


def test_a_server_that_is_not_there_is_said_without_the_password(tmp_path):
    with pytest.raises(LedgerError, match=r"connection is bad.*Check the address") as error:
        Ledger.open(f"postgresql://user:s3cret@/ledger?host={tmp_path}", "acme")
    assert "s3cret" not in str(error.value)


def test_a_database_that_is_not_there_is_said(postgres):
    with pytest.raises(LedgerError, match=r'"nowhere" does not exist.*has been created') as error:
        Ledger.open(postgres.address("nowhere"), "acme")
    assert "s3cret" not in str(error.value)


def test_a_user_without_rights_is_told_which(postgres, address):
    schema = address.rpartition("%3D")[2]
    postgres.execute(
        f"CREATE ROLE reader_{schema} LOGIN", f"GRANT USAGE ON SCHEMA {schema} TO reader_{schema}"
    )
    as_reader = postgres.address(user=f"reader_{schema}", schema=schema)
    with pytest.raises(LedgerError, match=r"permission denied for schema.*Give this user the right"):
        Ledger.open(as_reader, "acme")
    Ledger.open(address, "acme").close()
    postgres.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader_{schema}")
    with Ledger.open(as_reader, "acme") as ledger:
        assert ledger.history(1) == ()
        with pytest.raises(LedgerError, match="permission denied for table"), ledger.lock():
            pytest.fail("a run without a ledger")


def test_ledgers_in_two_schemas_do_not_block_each_other(postgres, address):
    with (
        Ledger.open(address, "acme") as one,
        Ledger.open(postgres.new_schema(), "acme") as other,
        one.lock(),
        other.lock(),
    ):
        pass


def test_nothing_further_is_intended_when_the_lock_is_lost(postgres, address):
    with Ledger.open(address, "acme") as ledger, ledger.lock():
        log = ledger.begin("apply", {}, "sha256:config", "first")
        postgres.execute(CUT_THE_LOCK)
        with pytest.raises(LedgerError, match="The lock is lost with it"):
            log.intend([ROW])
    with Ledger.open(address, "acme") as ledger:
        assert ledger.entries("first") == ()


def test_a_run_that_another_has_closed_settles_nothing_further(postgres, address):
    with Ledger.open(address, "acme") as ledger, Ledger.open(address, "acme") as other, ledger.lock():
        log = ledger.begin("apply", {}, "sha256:config", "first")
        log.intend([ROW])
        postgres.execute(CUT_THE_LOCK)
        with other.lock():
            other.begin("apply", {}, "sha256:config", "second")
            with pytest.raises(LedgerError, match="closed already"):
                log.settle(ROW, Status.DONE, "differs", "", None)
            assert other.verify() == []


def test_a_connection_that_is_lost_while_settling_is_said(postgres, address):
    with Ledger.open(address, "acme") as ledger, ledger.lock():
        log = ledger.begin("apply", {}, "sha256:config", "first")
        log.intend([ROW])
        log.settle(ROW, Status.UNKNOWN, "outcome_unknown", "", None)
        postgres.execute(CUT_ALL)
        with pytest.raises(LedgerError, match="terminating connection"):
            log.settle(ROW, Status.DONE, "differs", "", None)
    with Ledger.open(address, "acme") as ledger:
        assert [entry.row for entry in ledger.unsettled()] == [ROW]


def test_a_connection_that_was_lost_in_between_is_made_again(postgres, address):
    with Ledger.open(address, "acme") as ledger:
        assert ledger.history(1) == ()
        postgres.execute(CUT_ALL)
        assert ledger.history(1) == ()


def test_the_target_keeps_its_history_in_postgresql_and_needs_no_file(address, target):
    """Front door: two runs, the second of which knows what the first applied."""
    items = {"categories": {"enabled": True}}
    first = target.run(
        stream("accounts", {"code": "1", "description": "Travel"}), items=items, ledger=address
    )
    assert first.exit_code == 0
    second = target.run(stream("accounts", {"code": "1", "description": "Rail"}), items=items, ledger=address)
    (row,) = second.summary["items"]["categories"]["rows"]
    assert row["changes"] == {"name": {"before": "Travel", "after": "Rail"}}
    assert "s3cret-word" not in first.log + second.log
    with Ledger.open(address, "default") as ledger:
        assert [run.outcome for run in ledger.history(9)] == ["done", "done"]
        (update,) = ledger.entries(second.summary["run_id"])
        assert update.row.changes[0].origin is Origin.SOURCE
        assert ledger.verify() == []

"""The ledger: what every run meant to do, what became of it, and what was applied last.

    with Ledger.open(url, account) as ledger, ledger.lock():
        log = ledger.begin(mode, versions, config_digest, run_id)
        log.intend(rows)                                     # before the first write of an item is sent
        log.settle(row, status, reason, detail, answer)      # after each write, from any thread
        log.finish(outcome, exit_code, counts)

A ledger is a SQLite file, created on first use, or a PostgreSQL database. It holds no secrets.
"""

from target_expensein.ledger.errors import LedgerError, LedgerLocked
from target_expensein.ledger.ledger import Ledger
from target_expensein.ledger.records import Entry, ItemHold, Run
from target_expensein.ledger.runlog import RunLog

__all__ = ["Entry", "ItemHold", "Ledger", "LedgerError", "LedgerLocked", "Run", "RunLog"]

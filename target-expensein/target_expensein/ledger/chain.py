"""The hash chain: every closed run's hash covers all that the ledger says of it, and the hash of the run before.

A value that is changed later, an entry or a run that is removed, added or moved: each leaves hashes that do not fit, and
:func:`verify` says where. Whoever can write to the database could also compute a whole new chain; against that, keep
the hash of a run elsewhere (it is in the run's report) and compare.

What is hashed: the texts as they are stored, under the names of their columns, without those that are NULL. What was
applied last is not history and not covered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Set
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, RowMapping, func, select, update

from target_expensein.ledger.tables import ACCOUNTS, JOURNAL, RUNS

BEGINNING: Final = "sha256:" + "0" * 64
"""What the first run follows."""

BATCH: Final = 1000
"""How many rows are read at a time."""


def close_run(connection: Connection, account: str, number: int, **closing: str | int | None) -> str:
    """Close a run: from here on, whatever is changed shows.

    Args:
        connection: A writing transaction.
        account: The account.
        number: The run.
        closing: The last columns to write.

    Returns:
        The run's hash, the chain's new head.
    """
    this_run = (RUNS.c.account == account, RUNS.c.number == number)
    of_account = ACCOUNTS.c.account == account
    previous = connection.execute(select(ACCOUNTS.c.head).where(of_account)).scalar_one()
    content = _content_hash(connection, account, number)
    connection.execute(update(RUNS).where(*this_run).values(**closing, previous=previous, content=content))
    columns = connection.execute(select(RUNS).where(*this_run)).mappings().one()
    head = _run_hash(columns)
    connection.execute(update(RUNS).where(*this_run).values(hash=head))
    connection.execute(update(ACCOUNTS).where(of_account).values(head=head))
    return head


def verify(connection: Connection, account: str) -> Iterator[str]:
    """Check an account's chain.

    Args:
        connection: A reading transaction.
        account: The account.

    Yields:
        One sentence for each break.
    """
    columns = select(ACCOUNTS.c.last_run, ACCOUNTS.c.head).where(ACCOUNTS.c.account == account)
    last_run, expected_head = connection.execute(columns).one_or_none() or (0, BEGINNING)
    runs = connection.execute(
        select(RUNS).where(RUNS.c.account == account).order_by(RUNS.c.number)
    ).mappings().all()  # fmt: skip
    yield from _strays(connection, account, {run["number"] for run in runs})
    pruned_through = max((run["pruned_through"] or 0 for run in runs), default=0)
    head, number = BEGINNING, 0
    for run in runs:
        name = f"run {run['run_id']} (number {run['number']})"
        if run["number"] != number + 1:
            yield f"{name}: the run before it is missing from the ledger."
        number = run["number"]
        if run["hash"] is None:
            if number != last_run:
                yield f"{name}: it was reopened after later runs had closed it."
            continue
        if run["hash"] != _run_hash(run):
            yield f"{name}: its record was changed after it was closed."
        if run["previous"] != head:
            yield f"{name}: it does not follow the run before it; a run was changed, removed, added or moved."
        head = run["hash"]
        empty = number <= pruned_through
        content = _content_hash(connection, account, number)
        if content != (_EMPTY if empty else run["content"]):
            yield (
                f"{name}: entries were added after they had been pruned."
                if empty
                else f"{name}: its entries were changed, removed or added after it was closed."
            )
    if number != last_run:
        yield f"the latest run (number {last_run}) is missing from the ledger."
    elif head != expected_head:
        yield "the end of the chain is not the latest run; a run was changed, removed, added or moved."


def _strays(connection: Connection, account: str, numbers: Set[int]) -> Iterator[str]:
    """Yield what belongs to no run."""
    for table in JOURNAL:
        found = connection.execute(
            select(table.c.run, func.count()).where(table.c.account == account).group_by(table.c.run)
        )
        for number, count in found:
            if number not in numbers:
                yield f"run number {number}: it is missing, but {count} of its entries are there."


def _content_hash(connection: Connection, account: str, number: int) -> str:
    digest = sha256()
    for table in JOURNAL:
        statement = (
            select(table).where(table.c.account == account, table.c.run == number).order_by(table.c.position)
        )
        rows = connection.execute(statement.execution_options(yield_per=BATCH))
        for columns in rows.mappings():
            digest.update(f"{table.name} {_canonical(columns)}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def _run_hash(columns: RowMapping) -> str:
    """Hash all columns of a run but the hash itself."""
    return f"sha256:{sha256(_canonical(columns, but=RUNS.c.hash.name).encode()).hexdigest()}"


def _canonical(columns: RowMapping, but: str = "") -> str:
    return json.dumps(
        {name: value for name, value in columns.items() if value is not None and name != but}, sort_keys=True
    )


_EMPTY: Final = f"sha256:{sha256().hexdigest()}"

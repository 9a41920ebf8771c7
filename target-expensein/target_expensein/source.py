"""The source side of one item: what arrived, what passed the filter, and everything the plan must know of the rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from target_expensein.model import Row, SourceRecord


@dataclass(slots=True)
class SourceList:
    """The complete source list of one item.

    Attributes:
        records: The records that passed the filter, in the order of arrival.
        references: Every reference at the source, whether or not it passed the filter: what is *not* in here is
            gone from the source (R7), and an ExpenseIn record with an exact match in here is healthy (R28).
        rejected: Rows for records that could not be read at all.
        filtered: How many records each condition of the filter kept out (R6).
    """

    records: list[SourceRecord] = field(default_factory=list)
    references: set[str] = field(default_factory=set)
    rejected: list[Row] = field(default_factory=list)
    filtered: Counter[str] = field(default_factory=Counter)

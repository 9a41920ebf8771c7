"""Why a row of a plan is what it is: every reason code, its rule and what to do about it, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from target_expensein.model import Kind


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason code.

    Attributes:
        kind: The kind of row that carries it.
        rules: Numbers of the sync rules behind it.
        meaning: What it says, for people.
        advice: What to do; empty when there is nothing to do.
    """

    kind: Kind
    rules: str
    meaning: str
    advice: str = ""


REASONS: Final = {
    # writes
    "new": Reason(Kind.CREATE, "R8", "not in ExpenseIn yet"),
    "differs": Reason(Kind.UPDATE, "R2 R12 R15 R20", "the name in ExpenseIn differs from the source"),
    "woken": Reason(Kind.UPDATE, "R23", "active at the source, inactive in ExpenseIn"),
    "adopted": Reason(Kind.UPDATE, "R29", "same name and no reference in ExpenseIn: gets the reference"),
    # left alone
    "equal": Reason(Kind.UNCHANGED, "R2", "already as at the source"),
    "filtered": Reason(Kind.SKIPPED, "R6", "does not pass the item's filter"),
    "inactive_at_source": Reason(
        Kind.SKIPPED, "R25", "inactive at the source", "set inactive_source: sync to let it take part"
    ),
    # held: needs a person
    "duplicate_at_source": Reason(
        Kind.HELD,
        "R26",
        "the source has this reference more than once, with different content",
        "correct the code at the source, or narrow the item's filter",
    ),
    "duplicate_in_expensein": Reason(
        Kind.HELD,
        "R27",
        "ExpenseIn has this reference more than once",
        "clear the reference of the records that should not have it",
    ),
    "lookalike": Reason(
        Kind.HELD,
        "R28",
        "ExpenseIn has a reference that differs only in case, spaces, leading zeros or Unicode form",
        "make the reference in ExpenseIn equal to the code, character for character, if they mean the same",
    ),
    "ambiguous_name": Reason(
        Kind.HELD,
        "R29",
        "adoption by name is not unique",
        "give the right ExpenseIn record its reference by hand",
    ),
    "adoption_rate_differs": Reason(
        Kind.HELD,
        "R29 R19",
        "the ExpenseIn record with this name and no reference has another rate",
        "give the right ExpenseIn record its reference by hand",
    ),
    "rate_above_one": Reason(
        Kind.HELD,
        "R21",
        "the rate at the source is above 1, so it cannot be a fraction",
        "if the source gives percent, set items.tax_rates.rate_unit: percent",
    ),
    "changed_meanwhile": Reason(
        Kind.HELD,
        "R8",
        "the record was changed in ExpenseIn between reading and writing",
        "the next run looks at it again",
    ),
    # rejected: cannot be written as it is
    "blank_reference": Reason(Kind.REJECTED, "R30", "the code is blank", "give it a code at the source"),
    "blank_name": Reason(Kind.REJECTED, "R30", "the name is blank", "give it a name at the source"),
    "invalid_record": Reason(
        Kind.REJECTED, "R30", "the record violates the stream's schema", "see the record in the reject file"
    ),
    "rate_invalid": Reason(
        Kind.REJECTED,
        "R21",
        "the rate is missing, negative, not a number, or absurd",
        "correct it at the source",
    ),
    "refused": Reason(Kind.REJECTED, "R9", "ExpenseIn refused the record", "see ExpenseIn's own words"),
    "not_found": Reason(
        Kind.REJECTED, "R7", "the record vanished from ExpenseIn", "the next run looks at it again"
    ),
    # notices: nothing is written, somebody may want to know
    "orphan": Reason(Kind.NOTICE, "R7", "in ExpenseIn, no longer at the source; left as it is"),
    "rate_differs": Reason(
        Kind.NOTICE,
        "R19",
        "the rate differs from the source; a tax rate's percentage is never changed",
        "if the law changed, use a new tax code",
    ),
    "adoption_candidate": Reason(
        Kind.NOTICE,
        "R29",
        "an ExpenseIn record without reference has the same name",
        "set adopt_by_name: true to use it, or give it the reference by hand",
    ),
    # the gate: the whole item is held, or one row of it
    "empty_source": Reason(
        Kind.HELD,
        "R32",
        "the source list is empty, which it was not before",
        "look at the item's filter and source; if the list really is empty now, approve the plan",
    ),
    "short_source": Reason(
        Kind.HELD,
        "R32",
        "the source list is far shorter than the last complete one",
        "look at the item's filter and source; if the list really is that short now, approve the plan",
    ),
    "unrelated_source": Reason(
        Kind.HELD,
        "R5",
        "nothing that ExpenseIn has is in the source list: it looks like another list",
        "look at the item's source, dimension and entities; if all codes really are new, approve the plan",
    ),
    "too_many_creates": Reason(
        Kind.HELD,
        "R7",
        "more records would be created than the limits let pass",
        "look at the item's source, dimension and filter: what is created is never deleted; if they are right, "
        "approve the plan",
    ),
    "too_many_updates": Reason(
        Kind.HELD,
        "R2",
        "more records would be changed than the limits let pass",
        "look at the names in the plan: have they been shifted or edited en masse? If they are right, approve the plan",
    ),
    "code_reused": Reason(
        Kind.HELD,
        "R8",
        "the source gave this code to an unrelated name: everything else about the ExpenseIn record belongs to the "
        "old one",
        "if it is the same thing under a new name, rename it in ExpenseIn, too; if it is another thing, give it a "
        "code of its own; to let all such rows pass, set limits.code_reused: allow",
    ),
    "probable_recode": Reason(
        Kind.HELD,
        "R8",
        "a new code with the name of an ExpenseIn record whose own code is gone from the source",
        "if they are the same thing, give the ExpenseIn record the new reference; if not, rename the old record or make it "
        "inactive; to let all such rows pass, set limits.probable_recode: allow",
    ),
    # a restore, see restore.py
    "restored": Reason(Kind.UPDATE, "R2", "still as the run wrote it: gets back the value from before"),
    "restore_changed_since": Reason(
        Kind.HELD,
        "R2",
        "no longer as the run wrote it; left as it is",
        "decide which value is right, and set it at the source or in ExpenseIn",
    ),
    "restore_created": Reason(
        Kind.NOTICE,
        "R7",
        "created by the run; nothing is ever deleted",
        "if it should not be there, retire it in ExpenseIn by hand",
    ),
    "restore_stays_active": Reason(
        Kind.NOTICE,
        "R7",
        "made active by the run; nothing is ever made inactive",
        "if it should be inactive, make it so in ExpenseIn by hand, and at the source, which would wake it again",
    ),
}

"""Tells whether two names may mean the same thing; for caution only, nothing is ever matched by it (R8)."""

from __future__ import annotations

import difflib
import re
import unicodedata
from typing import Final


def fold_name(name: str | None) -> str:
    """Return what is left of a name without case, spacing and Unicode form; for comparison only."""
    return " ".join(unicodedata.normalize("NFKC", name or "").casefold().split())


RELATED: Final = 0.5
"""From this similarity on (0 to 1, by difflib) two names are related."""

COMPANY_WORDS: Final = frozenset(
    {"ltd", "limited", "plc", "llp", "llc", "inc", "gmbh", "dac", "company", "co", "group", "holdings"}
)
OTHER_WORDS: Final = frozenset(
    {"services", "uk", "ireland", "vat", "tax", "rate", "rated", "the", "and", "of", "for"}
)
"""Words (these and the above, casefolded) that unrelated names share: they tell nothing, nor do single letters or digits."""

_WORD: Final = re.compile(r"[^\W\d_]{2,}")


def are_related(one: str, other: str) -> bool:
    """Tell whether two names may well mean the same: they share a telling word, or are spelt alike.

    Args:
        one: A name.
        other: Another.

    Returns:
        True also when one of them has no telling word.
    """
    words, other_words = (
        sorted(set(_WORD.findall(fold_name(name))) - COMPANY_WORDS - OTHER_WORDS) for name in (one, other)
    )
    if not words or not other_words or not set(words).isdisjoint(other_words):
        return True
    matcher = difflib.SequenceMatcher(None, " ".join(words), " ".join(other_words), autojunk=False)
    return matcher.ratio() >= RELATED

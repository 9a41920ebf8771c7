"""Renews the tables of docs/troubleshooting.md from the codes that the tap and the target know.

.venv/bin/python scripts/troubleshooting.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tap_accountsiq.errors import CODES
from target_expensein.model import Kind
from target_expensein.reasons import REASONS

PAGE = Path(__file__).parents[1] / "docs/troubleshooting.md"


def codes() -> Iterator[str]:
    """Yield a row for each meaning of the service's codes."""
    yield "| Message | Codes | What to do |"
    yield "|:--------|:------|:-----------|"
    for meaning in dict.fromkeys(CODES.values()):
        names = ", ".join(f"`{code}`" for code, each in CODES.items() if each == meaning)
        yield f"| `{meaning.cause}` | {names} | {meaning.cure} |"


def reasons() -> Iterator[str]:
    """Yield a row for each reason that holds or rejects."""
    yield "| Reason | What it means | What to do | Rules |"
    yield "|:-------|:--------------|:-----------|:------|"
    for code, reason in REASONS.items():
        if reason.kind in {Kind.HELD, Kind.REJECTED}:
            yield f"| `{code}` | {reason.meaning} | {reason.advice} | {reason.rules.replace(' ', ', ')} |"


def render(page: str) -> str:
    """Return the page with its tables renewed."""
    for name, rows in (("codes", codes()), ("reasons", reasons())):
        table = "\n".join(rows)
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        page = pattern.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", page)  # type: ignore[misc]
    return page


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text("utf-8")), "utf-8")

"""The repository's Markdown, taken apart: fenced blocks and the commands in them, headings, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .conftest import ROOT

_FENCE = re.compile(r"^ *```(\S*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        document: Path of the document, seen from the repository.
        line: Number of the line with the opening fence.
        language: What stands behind the fence.
        text: What stands in the block.
    """

    document: str
    line: int
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block, without comments; a backslash at the end of a line continues it."""
        joined = self.text.replace("\\\n", " ")
        lines = (re.sub(r"(^|\s+)#.*", "", line).strip() for line in joined.splitlines())
        return [re.sub(r"\s+", " ", line) for line in lines if line]


def documents() -> list[str]:
    """Paths of all Markdown files that belong to the repository."""
    places = (".", "docs", "docs/hub", "tap-accountsiq", "target-expensein", "sandbox", "benchmarks")
    return sorted(
        path.relative_to(ROOT).as_posix() for place in places for path in (ROOT / place).glob("*.md")
    )


def read(document: str) -> str:
    """The text of a document."""
    return (ROOT / document).read_text("utf-8")


def blocks(document: str, *languages: str) -> list[Block]:
    """The fenced blocks of a document, all of them or those in these languages."""
    text = read(document)
    found = (
        Block(document, text.count("\n", 0, each.start()) + 1, each[1], each[2])
        for each in _FENCE.finditer(text)
    )
    return [block for block in found if not languages or block.language in languages]


def prose(document: str) -> str:
    """A document without its fenced blocks."""
    return _FENCE.sub("", read(document))


def anchors(document: str) -> set[str]:
    """What a link into a document can point at: its headings, as GitHub and others write them."""
    return set(_anchors(prose(document)))


def _anchors(text: str) -> Iterator[str]:
    seen: dict[str, int] = {}
    for heading in re.findall(r"^#+ +(.*)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        count = seen[anchor] = seen.get(anchor, -1) + 1
        yield f"{anchor}-{count}" if count else anchor


def links(document: str) -> list[str]:
    """The targets of all links in a document."""
    text = re.sub(r"`[^`\n]*`", "", prose(document))
    return re.findall(r"\]\(([^)\s]+)\)", text)


def missing_target(document: str, link: str) -> str | None:
    """Say what is wrong with a link inside the repository; ``None`` if nothing is."""
    place, _, anchor = link.partition("#")
    target = (ROOT / document).parent / place if place else ROOT / document
    if not target.exists():
        return f"{document}: {link}: there is no such file"
    inside = Path(target).resolve().relative_to(ROOT.resolve()).as_posix()
    if anchor and anchor not in anchors(inside):
        return f"{document}: {link}: there is no such heading"
    return None

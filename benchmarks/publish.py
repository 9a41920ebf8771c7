"""Puts measurements into the documents: the results as they are kept, the tables made of them, the plots.

    python -m benchmarks.publish [.bench/bench-full.json]

copies the measurement named (if any) to ``benchmarks/results``, and writes every table between its markers anew.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import results
from benchmarks.document import Content, cases, figures, growth, where_and_when
from benchmarks.services import PEERS_PYTHON, ROOT
from benchmarks.summary import summary

RESULTS = ROOT / "benchmarks/results"
DOCUMENTS = (ROOT / "README.md", ROOT / "docs/benchmarks.md")
PLOTS = ROOT / "docs/benchmarks"
PARTS: dict[str, Callable[[Content], str]] = {
    "figures": lambda content: f"{where_and_when(content)}\n\n{figures(content)}",
    "runs": lambda content: "\n\n".join(cases(content)),
    "growth": growth,
    "summary": summary,
}
_MARKED = re.compile(
    r"(<!-- (?P<scale>[a-z-]+) (?P<part>figures|runs|growth|summary) -->\n).*?(<!-- / -->)", re.DOTALL
)


def rendered(document: str) -> str:
    """Return a document with its marked parts made of the results that are kept.

    ``<!-- bench-full figures -->`` begins the table of figures of that scale, ``<!-- bench-full runs -->`` the tables
    of its runs, ``<!-- bench-full growth -->`` that of its curves,
    ``<!-- bench-full summary -->`` the short table of the README, ``<!-- / -->`` ends each of them.
    """

    def part(found: re.Match[str]) -> str:
        path = RESULTS / f"{found['scale']}.json"
        if not path.exists():
            return f"{found[1]}Not measured yet.\n{found[4]}"
        content = results.read(path)
        text = PARTS[found["part"]](content)
        return f"{found[1]}{text}\n{found[4]}"

    return _MARKED.sub(part, document)


def main() -> None:
    """Keep a measurement, draw it, and write the document."""
    for name in sys.argv[1:]:
        content = results.read(Path(name))
        kept = RESULTS / f"{content['scale']}.json"
        shutil.copy(name, kept)
        if content["cases"].get("growth"):
            PLOTS.mkdir(exist_ok=True)
            subprocess.run([PEERS_PYTHON, ROOT / "benchmarks/plots.py", kept, PLOTS], check=True)
    for path in DOCUMENTS:
        path.write_text(rendered(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

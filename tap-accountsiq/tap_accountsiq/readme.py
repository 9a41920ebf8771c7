"""Writes the tables of the README from the declarations: ``python -m tap_accountsiq.readme README.md``."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tap_accountsiq.entity_stream import ENTITY_FIELD
from tap_accountsiq.streams import STREAMS, StreamDeclaration
from tap_accountsiq.tap import TapAccountsIQ


def settings_table() -> str:
    """Return the table of settings that ``tap-accountsiq --about --format markdown`` prints."""
    with contextlib.redirect_stdout(io.StringIO()) as about:
        TapAccountsIQ.print_about("markdown")
    return "\n".join(line for line in about.getvalue().splitlines() if line.startswith("|"))


def stream_section(stream: StreamDeclaration) -> str:
    """Return a stream's description and the table of its fields."""
    reads = [
        stream.read.operation,
        *(f"{read.operation} (with {name})" for name, read in stream.read_when.items()),
    ]
    rows = (
        f"| `{each.name}` | {f'`{each.vendor}`' if each is not ENTITY_FIELD else ''} | {each.type.name} "
        f"| {'on request' if each.private else 'yes'} | {each.description} |"
        for each in (ENTITY_FIELD, *stream.fields)
    )
    row = f"{stream.row}/{stream.repeat}" if stream.repeat else stream.row
    introduction = (
        f"{stream.description} Read by {' or '.join(reads)}, one record for each `{row}`. "
        f"Key: {', '.join(f'`{key}`' for key in stream.key_properties)}."
    )
    return "\n".join(
        [
            f"### {stream.name}",
            "",
            introduction,
            "",
            "| Field | Element | Type | Selected | Description |",
            "|:------|:--------|:-----|:---------|:------------|",
            *rows,
        ]
    )


def _sections() -> Iterator[tuple[str, str]]:
    yield "settings", settings_table()
    yield "streams", "\n\n".join(map(stream_section, STREAMS))


def render(readme: str) -> str:
    """Return a README with the text between each pair of markers ``<!-- name -->`` … ``<!-- /name -->`` renewed."""
    for name, text in _sections():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)", re.DOTALL)
        readme = pattern.sub(lambda found, text=text: f"{found[1]}{text}{found[2]}", readme)  # type: ignore[misc]
    return readme


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(render(file.read_text("utf-8")), "utf-8")

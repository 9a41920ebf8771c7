"""Writes the tables of the README from the declarations: ``python -m tap_accountsiq.readme README.md``."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tap_accountsiq.entity_stream import ENTITY_FIELD, fields_of
from tap_accountsiq.fields import Field
from tap_accountsiq.streams import STREAMS, StreamDeclaration
from tap_accountsiq.tap import TapAccountsIQ


def settings_table() -> str:
    """Return the table of settings that ``tap-accountsiq --about --format markdown`` prints."""
    with contextlib.redirect_stdout(io.StringIO()) as about:
        TapAccountsIQ.print_about("markdown")
    return "\n".join(line for line in about.getvalue().splitlines() if line.startswith("|"))


def stream_section(stream: StreamDeclaration) -> str:
    """Return a stream's description and the table of its fields."""
    selected = "yes" if stream.selected else "with the stream"
    rows = (
        f"| `{each.name}` | {_origin(each, stream)} | {each.type.name} "
        f"| {'on request' if each.private else selected} | {each.description} |"
        for each in fields_of(stream)
    )
    row = f"{stream.row}/{stream.repeat}" if stream.repeat else stream.row
    introduction = [
        stream.description,
        f"Read by {_operations(stream)}, one record for each `{row}`.",
        f"Key: {', '.join(f'`{key}`' for key in stream.key_properties)}.",
        f"Replication: {'`FULL_TABLE` or `INCREMENTAL`' if stream.incremental else '`FULL_TABLE`'}.",
    ]
    if not stream.selected:
        introduction.append("Not selected unless you ask for it.")
    return "\n".join(
        [
            f"### {stream.name}",
            "",
            " ".join(introduction),
            "",
            "| Field | Element | Type | Selected | Description |",
            "|:------|:--------|:-----|:---------|:------------|",
            *rows,
        ]
    )


def _operations(stream: StreamDeclaration) -> str:
    if stream.query is None:
        return stream.read.operation
    when = [*(f"with `{name}`" for name in stream.settings), *(["for changes"] if stream.incremental else [])]
    return f"{stream.read.operation}, or {stream.query.operation} ({' or '.join(when)})"


def _origin(field: Field, stream: StreamDeclaration) -> str:
    """Say which element of the answer a field comes from."""
    if field is stream.number:
        return "the number of the row"
    if stream.derived and field is stream.derived.field:
        return f"made with the stream {stream.derived.stream}"
    return f"`{field.vendor}`" if field is not ENTITY_FIELD else ""


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

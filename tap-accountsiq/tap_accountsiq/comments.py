"""Documents the tables of a PostgreSQL warehouse: ``python -m tap_accountsiq.comments SCHEMA | psql``.

A loader makes tables and columns and throws the descriptions of the catalog away. What this prints puts them where the
people who query the tables look: ``COMMENT ON TABLE`` and ``COMMENT ON COLUMN``, for those that are there.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from tap_accountsiq.entity_stream import fields_of
from tap_accountsiq.streams import STREAMS

SQL = """\
DO $comments$
DECLARE
  command text;
BEGIN
  FOR command IN
    WITH described (table_name, column_name, comment) AS (VALUES
{rows}
    )
    SELECT format('COMMENT ON TABLE %I.%I IS %L', table_schema, table_name, comment)
    FROM described JOIN information_schema.tables USING (table_name)
    WHERE column_name IS NULL AND table_schema = {schema}
    UNION ALL
    SELECT format('COMMENT ON COLUMN %I.%I.%I IS %L', table_schema, table_name, column_name, comment)
    FROM described JOIN information_schema.columns USING (table_name, column_name)
    WHERE table_schema = {schema}
  LOOP
    EXECUTE command;
  END LOOP;
END
$comments$;
"""


def _descriptions() -> Iterator[tuple[str, str | None, str]]:
    """Yield table, column (``None``: the table itself) and description of everything that the tap offers."""
    for stream in STREAMS:
        yield stream.name, None, stream.description
        for field in fields_of(stream):
            yield stream.name, field.name, field.description


def _literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def comments(schema: str) -> str:
    """Return the SQL that describes the tables of a schema, and their columns, as far as they exist.

    Args:
        schema: The PostgreSQL schema that the loader writes to.

    Returns:
        One statement. It may be run after every load: what a column had for a comment is replaced.
    """
    rows = ",\n".join(f"      ({', '.join(map(_literal, row))})" for row in _descriptions())
    return SQL.format(rows=rows, schema=_literal(schema))


@click.command()
@click.argument("schema")
def main(schema: str) -> None:
    """Print SQL that describes the tables of a PostgreSQL SCHEMA, and their columns."""
    click.echo(comments(schema), nl=False)


if __name__ == "__main__":
    main()

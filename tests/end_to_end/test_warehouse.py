"""docs/warehouse.md, followed by a data engineer to the letter: a new Meltano project, the real loaders, a real PostgreSQL.

Every block of the page is executed in its order, and the tables and files are compared with what AccountsIQ holds.
"""

from __future__ import annotations

import csv
import datetime
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from sandbox.testing import Sandbox

from ..conftest import PostgresServer
from .conftest import OURS, ROOT, offline
from .documents import Block, blocks

PAGE = "docs/warehouse.md"
FIELDS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "accounts": (
        "accounts",
        {
            "code": "Code",
            "description": "Description",
            "account_type": "AccountType",
            "is_active": "IsActive",
            "department_id": "DepartmentID",
        },
    ),
    "bi_codes": (
        "bi_codes",
        {"code": "DepartmentID", "description": "Description", "analysis_code_1": "AnalysisCode1"},
    ),
    "tax_rates": (
        "tax_codes",
        {
            "code": "Code",
            "description": "Description",
            "rate": "Rate",
            "partial_reclaim_rate": "PartialReclaimRate",
            "reverse_charge": "ReverseCharge",
        },
    ),
    "suppliers": (
        "suppliers",
        {
            "code": "Code",
            "name": "Name",
            "is_active": "IsActive",
            "area_id": "AreaID",
            "credit_limit": "CreditLimit",
            "discount_rate": "DiscountRate",
            "creation_date": "CreationDate",
        },
    ),
}
"""Stream → dataset of the sandbox, and column → the vendor's element."""
NUMBERS = {"rate", "partial_reclaim_rate", "credit_limit", "discount_rate"}
TYPES = {
    "string": "text",
    "number": "numeric",
    "integer": "bigint",
    "boolean": "boolean",
    "date-time": "timestamp without time zone",
    "array": "ARRAY",
}
"""Type in the catalog → type of the column, as the page has it."""
ABSENT = {"PartialReclaimRate": "0"}
"""What .NET sends for a number that nobody has set."""


def supplier(code: str, name: str, **fields: str | None) -> dict[str, Any]:
    """Make a supplier with a value in every field that is compared."""
    others = {"IsActive": True, "AreaID": None, "CreditLimit": "0.00", "DiscountRate": "0"}
    return {"Code": code, "Name": name, **others, "CreationDate": "2020-01-31T13:30:00", **fields}


ODD_SUPPLIERS = (
    supplier("0001", "Čapek & Søn <Ålesund> “quoted”, 'quoted', \"quoted\"\n2nd line", AreaID=""),
    supplier("1", "日本語 \U0001f9fe", CreditLimit="0.1000"),
    supplier("exact", "More digits than a float has", CreditLimit="12345678901234567890.123456789"),
    supplier(" spaced ", "", CreditLimit="-0.10", CreationDate="2024-07-01T00:30:00"),
)


@dataclass
class Walk:
    """A data engineer on the way through the page."""

    box: Sandbox
    folder: Path
    server: PostgresServer
    database: str

    @property
    def project(self) -> Path:
        """The project that the first block makes."""
        return self.folder / "warehouse"

    def sh(self, command: str, *, fails: bool = False) -> str:
        """Run a command of the page, in the project as soon as there is one; return what it printed."""
        environment = {name: value for name, value in offline().items() if not name.startswith((*OURS, "PG"))}
        done = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", command],
            cwd=self.project if self.project.exists() else self.folder,
            env=environment
            | {
                "PATH": f"{ROOT / '.venv/bin'}:{self.server.programs}:{environment['PATH']}",
                "PGPORT": str(self.server.port),
                "NO_COLOR": "1",
                "XDG_CACHE_HOME": str(self.folder / "home"),
                "XDG_STATE_HOME": str(self.folder / "home"),
                "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
                "MELTANO_CLI_LOG_FORMAT": "uncolored",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        print(f"$ {command}\n{done.stdout}{done.stderr}")  # noqa: T201 - shown when the test fails
        assert (done.returncode != 0) == fails, command
        return done.stdout + done.stderr

    def add(self, block: Block) -> None:
        """Put a block of plugins into the project's meltano.yml; what is there already gets the further keys."""
        path = self.project / "meltano.yml"
        content = yaml.safe_load(path.read_text())
        for kind, definitions in yaml.safe_load(block.text)["plugins"].items():
            plugins = {each["name"]: each for each in content.setdefault("plugins", {}).get(kind, [])}
            for definition in definitions:
                plugins.setdefault(definition["name"], {}).update(definition)
            content["plugins"][kind] = list(plugins.values())
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def fill_in(self, block: Block) -> None:
        """Write the project's .env: the page's variables, with the values of this test."""
        values = self.box.environment() | {
            "TARGET_POSTGRES_HOST": "localhost",
            "TARGET_POSTGRES_PORT": str(self.server.port),
            "TARGET_POSTGRES_USER": "loader",
            "TARGET_POSTGRES_PASSWORD": "not asked for",
            "TARGET_POSTGRES_DATABASE": self.database,
        }
        named = [line.partition("=")[0] for line in block.text.splitlines()]
        # The page names a region of the live service; the emulated one has an address instead.
        names = [name.replace("REGION", "API_URL") for name in named]
        (self.project / ".env").write_text("".join(f"{name}='{values[name]}'\n" for name in names))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the warehouse."""
        with psycopg.connect(self.server.address(self.database, "loader")) as connection:
            return connection.execute(query).fetchall()  # type: ignore[call-overload, no-any-return]

    def table(self, stream: str) -> set[tuple[Any, ...]]:
        """A table's rows: the entity and the columns of `FIELDS`; numbers as text, for the sake of their digits."""
        columns = ", ".join(f"{each}::text" if each in NUMBERS else each for each in FIELDS[stream][1])
        rows = self.rows(f"SELECT entity, {columns} FROM accountsiq.{stream}")  # noqa: S608 - our own names
        assert len(set(rows)) == len(rows)
        return set(rows)

    def source(self, stream: str) -> set[tuple[Any, ...]]:
        """What AccountsIQ holds, in the shape of `table`."""
        dataset, fields = FIELDS[stream]
        return {
            (entity, *(value_of(row, element) for element in fields.values()))
            for entity in self.box.entities
            for row in self.box.source(entity, dataset)
        }


def value_of(row: Mapping[str, Any], element: str) -> object:
    """A value as it must arrive: numbers digit for digit, date-times in UTC without a zone."""
    value = row.get(element, ABSENT.get(element))
    if element == "CreationDate" and value:
        return datetime.datetime.fromisoformat(value)
    return str(value) if isinstance(value, Decimal | int) and not isinstance(value, bool) else value


@pytest.fixture
def walk(postgres: PostgresServer, tmp_path: Path) -> Iterator[Walk]:
    """A database of its own in a server that does not keep UTC, and a company with odd suppliers."""
    postgres.execute(
        "CREATE ROLE loader LOGIN SUPERUSER",
        "CREATE DATABASE warehouse OWNER loader",
        "ALTER DATABASE warehouse SET timezone = 'America/New_York'",
    )
    (tmp_path / "accountsiq-to-expensein").symlink_to(ROOT)
    with Sandbox() as box:
        uk, ie, _ = box.entities
        box.set_source(uk, "suppliers", [*box.source(uk, "suppliers")[:40], *ODD_SUPPLIERS])
        box.set_source(ie, "suppliers", [supplier("0001", "The same code in another entity")])
        yield Walk(box, tmp_path, postgres, "warehouse")


@pytest.mark.timeout(900)
def test_the_page_leads_to_tables_that_hold_what_accountsiq_holds(walk: Walk, subtests: pytest.Subtests):
    start, definitions, variables, load, changes, jsonl, run_jsonl, csv_, run_csv = blocks(PAGE)
    for command in start.commands[:1]:
        walk.sh(command)
    walk.add(definitions)
    walk.fill_in(variables)
    for command in load.commands:
        walk.sh(command)

    for stream in FIELDS:
        with subtests.test("every row and digit", stream=stream):
            assert walk.table(stream) == walk.source(stream)
    with subtests.test("sums are exact"):
        with localcontext(prec=60):
            expected = sum(Decimal(row[5]) for row in walk.source("suppliers") if row[5] is not None)
        assert walk.rows("SELECT sum(credit_limit) FROM accountsiq.suppliers") == [(expected,)]
    with subtests.test("a record for each dimension and option"):
        options = {
            (entity, dimension["Code"], option["Code"], option["Description"])
            for entity in walk.box.entities
            for dimension in walk.box.source(entity, "dimensions")
            for option in dimension["DimensionCodes"]
        }
        found = walk.rows(
            "SELECT entity, dimension_code, code, description FROM accountsiq.dimension_options"
        )
        assert set(found) == options
        assert len(found) == len(options)
    with subtests.test("BI codes carry their options"):
        check_resolved_options(walk)
    with subtests.test("keys, types and descriptions"):
        check_columns(walk)

    walk.add(changes)
    further_loads(walk, subtests)

    walk.add(jsonl)
    walk.sh(*run_jsonl.commands)
    with subtests.test("JSON lines"):
        (file,) = (walk.project / "output/jsonl").glob("suppliers-*.jsonl")
        lines = [json.loads(line, parse_float=str, parse_int=str) for line in file.read_text().splitlines()]
        numbers = {(line["entity"], line["code"], line["name"], line["credit_limit"]) for line in lines}
        assert numbers == {(row[0], row[1], row[2], row[5]) for row in walk.source("suppliers")}

    walk.add(csv_)
    walk.sh(*run_csv.commands)
    with subtests.test("CSV"), (walk.project / "output/csv/suppliers.csv").open(newline="") as opened:
        lines = list(csv.DictReader(opened))
        numbers = {
            (line["entity"], line["code"], line["name"], line["credit_limit"] or None) for line in lines
        }
        assert numbers == {(row[0], row[1], row[2], row[5]) for row in walk.source("suppliers")}


def check_resolved_options(walk: Walk) -> None:
    """Each analysis code of a BI code has an element in the column, with the option's name."""
    expected = set()
    for entity in walk.box.entities:
        dimensions = walk.box.source(entity, "dimensions")
        names = {
            option["Code"]: option["Description"] for each in dimensions for option in each["DimensionCodes"]
        }
        for row in walk.box.source(entity, "bi_codes"):
            codes = (row.get(f"AnalysisCode{position}") for position in range(1, 7))
            expected |= {(entity, row["DepartmentID"], code, names.get(code)) for code in codes if code}
    found = walk.rows(
        "SELECT entity, b.code, o->>'code', o->>'description' FROM accountsiq.bi_codes b, unnest(dimension_options) o"
    )
    assert expected
    assert set(found) == expected


def check_columns(walk: Walk) -> None:
    """Every column has the type and the comment of the catalog, every table its key, and nothing private came along."""
    discovered = subprocess.run(
        [ROOT / ".venv/bin/tap-accountsiq", "--discover"], capture_output=True, check=True
    )
    catalog = {stream["stream"]: stream for stream in json.loads(discovered.stdout)["streams"]}
    columns: dict[str, dict[str, tuple[str, str]]] = {}
    for table, column, type_, comment in walk.rows(
        "SELECT table_name, column_name, data_type, "
        "col_description(format('%I.%I', table_schema, table_name)::regclass, ordinal_position) "
        "FROM information_schema.columns WHERE table_schema = 'accountsiq' AND column_name NOT LIKE '\\_sdc%'"
    ):
        columns.setdefault(table, {})[column] = (type_, comment)
    assert columns.keys() >= {*FIELDS, "dimension_options"}
    for table, found in columns.items():
        schema = catalog[table]["schema"]["properties"]
        assert found == {
            name: (TYPES[schema[name].get("format") or schema[name]["type"][0]], schema[name]["description"])
            for name in found
        }
        private = {
            entry["breadcrumb"][-1]
            for entry in catalog[table]["metadata"]
            if entry["breadcrumb"] and entry["metadata"].get("selected-by-default") is False
        }
        assert not private & found.keys()
    keys = walk.rows(
        "SELECT c.relname, array_agg(a.attname::text ORDER BY a.attname) FROM pg_index i "
        "JOIN pg_class c ON c.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey) "
        "WHERE i.indisprimary AND c.relnamespace = 'accountsiq'::regnamespace GROUP BY c.relname"
    )
    assert dict(keys) == {table: sorted(catalog[table]["key_properties"]) for table in columns}
    (undescribed,) = walk.rows(
        "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND obj_description(oid) IS NULL "
        "AND relnamespace = 'accountsiq'::regnamespace"
    )
    assert undescribed == (0,)


def further_loads(walk: Walk, subtests: pytest.Subtests) -> None:
    """Change the source between three loads: one that lacks an entity, the first whole one since, and one of changes."""
    uk, run = walk.box.entities[0], "meltano run tap-accountsiq target-postgres"
    before = walk.table("suppliers")
    walk.box.remove_source(uk, "suppliers", "1")
    walk.box.edit_source(uk, "suppliers", "0001", Name="Renamed")
    walk.box.add_source(uk, "suppliers", **supplier("NEW", "New"))
    fault = {"type": "in_band", "code": "NOT_AUTHORIZED"}
    match = {"operation": "GetSupplier*"}
    walk.box.faults([{"side": "accountsiq", "match": match, "skip": 1, "times": 1, "fault": fault}])
    log = walk.sh(run, fails=True)
    with subtests.test("half a list removes nothing"):
        assert "suppliers: The application is not allowed" in log
        gone = {row for row in before if row[1] == "1"}
        assert gone
        assert walk.table("suppliers") == walk.source("suppliers") | gone
    walk.sh(run)
    for stream in FIELDS:
        with subtests.test("a whole list removes and changes, and doubles nothing", stream=stream):
            assert walk.table(stream) == walk.source(stream)
    gone = {row for row in walk.table("suppliers") if row[1] == " spaced "}
    walk.box.remove_source(uk, "suppliers", " spaced ")
    walk.box.edit_source(uk, "suppliers", "0001", Name="Renamed again")
    log = walk.sh(run)
    assert "only what was changed since" in log
    with subtests.test("changes come, and a deletion waits for the next whole list"):
        assert gone
        assert walk.table("suppliers") == walk.source("suppliers") | gone

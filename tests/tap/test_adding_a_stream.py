"""A stream is a declaration: the program in docs/adding-a-stream.md is run as it stands there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sandbox.testing import Sandbox
from tap_testing import Run, only, settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "adding-a-stream.md"
SUPPLIERS = [
    {"Code": "0042", "Name": "Éire & Sons <Ltd>", "IsActive": True, "Email": "me@home.example"},
    {"Code": "GONE", "Name": "Gone", "IsActive": False},
]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Write the document's only program to a file."""
    (text,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    file = tmp_path / "my_tap.py"
    file.write_text(text, "utf-8")
    return file


def run(program: Path, *arguments: str | Path) -> Run:
    done = subprocess.run(
        [sys.executable, program, *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    return Run(done.returncode, done.stdout, done.stderr)


def test_a_declared_stream_is_discovered_checked_and_read(
    program: Path, box: Sandbox, tmp_path: Path
) -> None:
    box.set_source("ACME", "suppliers", SUPPLIERS)
    config, file = tmp_path / "config.json", tmp_path / "catalog.json"
    config.write_text(json.dumps(settings(box)))

    discovered: dict[str, Any] = json.loads(run(program, "--discover").out)
    (entry,) = (each for each in discovered["streams"] if each["tap_stream_id"] == "active_suppliers")
    assert entry["key_properties"] == ["entity", "code"]
    assert entry["schema"]["properties"]["name"]["description"] == "Name of the supplier."

    check = run(program, "--config", config, "--test")
    assert "ok    ACME: active_suppliers (GetActiveSupplierList)" in check.out

    file.write_text(json.dumps(only(discovered, "active_suppliers")))
    done = run(program, "--config", config, "--catalog", file)
    assert done.code == 0, done.err
    assert done.records("active_suppliers") == [
        {"entity": "ACME", "code": "0042", "name": "Éire & Sons <Ltd>", "use_head_office": False}
    ]
    assert done.complete == ["active_suppliers"]
    assert "me@home" not in done.out


def test_what_the_document_refers_to_is_there() -> None:
    text = DOCUMENT.read_text("utf-8")
    links = re.findall(r"\]\((\.\./[^)#]+)\)", text)
    assert links
    assert all((DOCUMENT.parent / link).exists() for link in links)

"""Names, references and a server's words that want to be more than text: forged lines, a steered terminal, formulas, SQL, paths."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from target_expensein.apply import Status
from target_expensein.ledger import Ledger
from target_expensein.model import Field, FieldChange, Kind, Row
from target_expensein.visible import visible

from .conftest import TargetCommand, stream
from .test_commands import CATEGORIES, Expensein, expensein

__all__ = ["expensein"]  # a fixture

FORGED = "Run 20261122T220428Z-80737d, mode apply: finished"
HOSTILE = {
    "esc": "a\x1b[2J\x1b]0;pwned\x07b",
    "csi": "a\x9b2Jb",
    "line": f"a\n\n{FORGED}\nb",
    "return": f"a\r{FORGED}",
    "separator": f"a\u2028{FORGED}\u2029{FORGED}\x85{FORGED}\x0b{FORGED}\x1c{FORGED}",
    "bidi": "a\u202eb\u2066c",
    "invisible": "a\u200bb\u00adc\ufeffd",
    "surrogate": "a\ud800b",
    "formula": "=cmd()|' /C calc'!A0",
    "plus": "+1+1",
    "at": "@SUM(1+1)",
    "tab": "\t=1+1",
    "html": "<script>alert(1)</script>",
    "sql": "'; DROP TABLE expensein_runs; --",
    "path": "../../../../tmp/pwned",
    "markup": "[bold red]x[/] :skull:",
    "json": '"}\n{"forged": true}',
}
OBEYED = re.compile("[^\x20-\x7e\n\u00a1-\u00ac\u00ae-\u1fff\u2010-\u2027\u2030-\u205e\u2190-\u2bff]")
"""What no text for people may hold: control characters, marks of direction, invisible and line-breaking ones, surrogates."""


def check(text: str) -> None:
    """No character that a terminal obeys, and no line that somebody else wrote."""
    assert not OBEYED.findall(text)
    assert not any(line.startswith((FORGED, '{"forged"')) for line in text.split("\n"))


@pytest.fixture
def hostile(expensein: Expensein) -> Expensein:
    """An account in which everything that came from outside is hostile: source names and codes, live ones, server's words."""
    box = expensein.box
    for number, (key, text) in enumerate(HOSTILE.items()):
        if key != "surrogate":  # SQLite, below the sandbox, does not take one
            box.add_live("categories", name=text, reference=f"edited {number}")
            box.add_live("categories", name=f"orphan {text}", reference=f"orphan {text}")
    return expensein


def records() -> list[dict[str, Any]]:
    return [
        {"code": code, "description": name}
        for number, (key, text) in enumerate(HOSTILE.items())
        for code, name in (
            (f"edited {number}", f"new {text}" if key != "surrogate" else "x"),
            (f"{text} code", text if key != "surrogate" else "x" * 300),
            (f"twin {text}", text),
            (f"twin {text}", f"{text} other"),
        )
    ]


LIMITS = {"creates_count": -1, "creates_percent": -1, "updates_count": -1, "updates_percent": -1, "unrelated_source": "allow"}  # fmt: skip


def test_no_output_can_be_forged_or_steer_a_terminal(hostile: Expensein, tmp_path: Path) -> None:
    words = {"message": f"no\x1b[2J\n{FORGED}\u202e", "errors": {f"\x9b{FORGED}": [f"\n{FORGED}"]}}
    rule = {"side": "expensein", "match": {"method": "POST"}, "times": 3, "fault": {"type": "status", "status": 422, "body": words}}  # fmt: skip
    hostile.box.faults([rule])
    outputs = [
        hostile.sync("plan", *records()).output,  # the limits hold it: the holds show examples
        hostile.sync("apply", *records(), limits=LIMITS).output,
        hostile.sync("plan", *records(), options=["--json"]).output,
        hostile.run("show", "latest").output,
        hostile.run("show", "latest", "--json").output,
        hostile.run("history").output,
        hostile.run("doctor").output,
        hostile.run("rejects", "retry", "output/expensein/latest/rejects.jsonl").output,
        hostile.run("restore", "latest", "--plan").output,
    ]
    outputs += [
        hostile.run("explain", text, singer=stream("accounts", *records())).output
        for text in HOSTILE.values()
    ]
    for output in outputs:
        check(output)
    runs = [path for path in Path("output/expensein").iterdir() if path.is_dir() and not path.is_symlink()]
    assert len(runs) >= 4
    for run in runs:
        for name in ("report.txt", "summary.json", "rejects.jsonl", "preview.txt"):
            if (run / name).exists():
                check((run / name).read_text(encoding="utf-8"))
    report = (runs[0] / "report.txt").read_text()
    assert "\\u001b[2J" in "".join(outputs)
    assert "a\\u202eb\\u2066c" in "".join(outputs)
    assert "[bold red]x[/] :skull:" in "".join(outputs), "no markup of the table's library either"
    assert report.startswith("Run ")
    assert not list(tmp_path.rglob("*.csv")), "a file that a spreadsheet opens would have to defuse formulas"
    assert not Path("/tmp/pwned").exists()  # noqa: S108


def test_the_log_of_a_run_cannot_be_forged(target: TargetCommand) -> None:
    target.box.add_live("categories", name=HOSTILE["line"], reference="1")
    rows = [
        {"code": "1", "description": HOSTILE["separator"]},
        {"code": HOSTILE["esc"], "description": "\x9bx"},
    ]
    rows += [{"code": text, "description": text} for text in HOSTILE.values() if "\ud800" not in text]
    log = target.run(stream("accounts", *rows), items=CATEGORIES, limits=LIMITS).log
    preview = target.run(stream("accounts", *rows), items=CATEGORIES, mode="preview").log
    for text in (log, preview, (target.folder / "output/latest/preview.txt").read_text()):
        check(text)


def test_what_is_escaped_is_the_same_json() -> None:
    text = json.dumps(HOSTILE, ensure_ascii=False)
    assert json.loads(visible(text)) == HOSTILE
    assert json.loads(visible(json.dumps("\U000e0001", ensure_ascii=False))) == "\U000e0001"


@given(st.text())
def test_what_is_visible_stays_and_everything_else_is_escaped(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert text.isprintable() is (shown == text)


# No statement and no path is made of data


@pytest.mark.parametrize("text", [*HOSTILE.values(), "%", "_", "' OR '1'='1", '"', "\\", "\x00"])
def test_the_ledger_takes_any_text_as_a_value(tmp_path: Path, text: str) -> None:
    path = str(tmp_path / "ledger.db")
    account = text.replace("\ud800", "?").replace("\x00", "?")
    row = Row("suppliers", Kind.UPDATE, "differs", text, text, text, (FieldChange(Field.NAME, text, text),))
    with Ledger.open(path, account) as ledger, ledger.lock():
        log = ledger.begin("apply", {}, "sha256:0", "20260101T000000Z-000000")
        log.intend([row])
        log.settle(row, Status.DONE, "differs", text, text)
        log.applied("suppliers", {text: {Field.NAME: text}}, 1)
        log.finish("done", 0, {})
    with Ledger.open(path, account) as ledger:
        (entry,) = ledger.trail("suppliers", text, 10)
        assert (entry.row.reference, entry.row.name, entry.detail) == (text, text, text)
        assert ledger.applied("suppliers") == {text: {Field.NAME: text}}
        assert ledger.trail("suppliers", "other", 10) == ()
        assert ledger.verify() == []
    with Ledger.open(path, "another") as ledger:
        assert ledger.trail("suppliers", text, 10) == ()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM expensein_runs").fetchone() == (1,)
    assert {one.name.split(".db")[0] for one in tmp_path.iterdir()} == {"ledger"}


@pytest.mark.parametrize("run", ["../../../etc/passwd", "' OR 1=1 --", "latest/../x", "%", ""])
def test_show_takes_a_run_id_for_nothing_but_a_run_id(expensein: Expensein, run: str) -> None:
    expensein.sync("plan", {"code": "1", "description": "x"})
    for options in ([], ["--html"], ["--json"]):
        result = expensein.run("show", run, *options)
        assert result.exit_code == 1
        assert "passwd" not in result.output.replace(run, "")


def test_a_run_id_that_somebody_wrote_into_the_ledger_becomes_no_path(expensein: Expensein) -> None:
    expensein.sync("plan", {"code": "1", "description": "x"})
    Path("elsewhere").mkdir()
    Path("elsewhere/plan.html").write_text("")
    path = "../../elsewhere"
    with closing(sqlite3.connect("output/expensein/ledger.db")) as database, database:
        database.execute("UPDATE expensein_runs SET run_id = ?", (path,))
    result = expensein.run("show", path, "--html")
    assert result.exit_code == 1
    assert "is none that a run gives itself" in result.output


def test_an_account_name_becomes_no_path(expensein: Expensein, tmp_path: Path) -> None:
    expensein.sync("plan", {"code": "1", "description": "x"}, account="../../../pwned/\x1b[2J")
    assert expensein.run("history", account="../../../pwned/\x1b[2J").exit_code == 0
    check(expensein.run("history", account="\x1b[2Jnobody").output)
    assert not [path for path in tmp_path.rglob("*") if "pwned" in path.name]

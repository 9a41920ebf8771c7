"""No secret in anything that a run leaves or shows, however much both services and the log level tempt it to.

The whole pair runs through Meltano at debug level, while the services repeat the secrets in errors, texts and addresses.
Then everything is searched: what was printed, every file, the ledger's bytes, Meltano's folder, and the command lines of all
processes while it ran.
"""

from __future__ import annotations

import base64
import html
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, quote_plus

import markupsafe
import pytest
from sandbox.accountsiq import tokens
from sandbox.testing import Sandbox

from .conftest import ENTITY, ROOT, Pair

KEY = 'key+of/the="account"&more\\1'
SECRET = "secret of the <client> & 100 % sure"
ITEMS = {"categories": {}, "suppliers": {}}
LOUD = {
    "MELTANO_CLI_LOG_LEVEL": "debug",
    **dict.fromkeys(("LOGLEVEL", "TAP_ACCOUNTSIQ_LOGLEVEL", "TARGET_EXPENSEIN_LOGLEVEL"), "DEBUG"),
}


def written(secret: str) -> list[str]:
    """A secret as somebody may have written it: as it is, escaped, encoded."""
    plain = [secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]]
    plain += [quote(secret), quote(secret, safe=""), quote_plus(secret)]
    plain += [html.escape(secret), html.escape(secret, quote=False), str(markupsafe.escape(secret))]
    plain += [
        base64.b64encode(f"{before}{secret}:x".encode()).decode() for before in ("", "1", "12", "user:")
    ]
    return plain


def forms(secret: str) -> set[str]:
    """What to look for: the same, once more in JSON, and of base64 what does not depend on the neighbours."""
    found = set(written(secret)[:9])
    found |= {json.dumps(form)[1:-1] for form in found} | {
        json.dumps(form, ensure_ascii=False)[1:-1] for form in found
    }
    for before in range(3):
        core = base64.b64encode(bytes(before) + secret.encode()).decode()
        found.add(core[4 if before else 0 : (before + len(secret)) // 3 * 4])
    return found


@pytest.fixture
def issued(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every access and refresh token that the emulated AccountsIQ gives out."""
    given: list[str] = []
    make = tokens.secrets.token_urlsafe  # type: ignore[attr-defined]

    def remember(length: int) -> str:
        given.append(make(length))
        return given[-1]

    monkeypatch.setattr(tokens.secrets, "token_urlsafe", remember)  # type: ignore[attr-defined]
    return given


@pytest.fixture
def private_umask() -> Iterator[None]:
    """What docs/threat-model.md advises: Meltano's own files, the plugins' configurations among them, follow the umask."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@contextmanager
def watched(seen: set[str], config_modes: set[int], project: Path) -> Iterator[None]:
    """Look at the command lines of all processes, and at the files that Meltano makes for a while."""
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    seen.add(process.read_bytes().decode(errors="replace"))
            for file in project.glob(".meltano/run/**/*"):
                with suppress(OSError):
                    if (
                        file.is_file() and SECRET.encode() in file.read_bytes()
                    ) or KEY.encode() in file.read_bytes():
                        config_modes.add(file.stat().st_mode & 0o777)
            time.sleep(0.05)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def told(secret: str) -> str:
    """A text that repeats a secret in several forms."""
    return " ".join(written(secret))


@pytest.mark.timeout(900)  # two runs through Meltano at debug level, on a machine that may be busy
@pytest.mark.usefixtures("private_umask")
def test_no_secret_is_anywhere(tmp_path: Path, issued: list[str]) -> None:
    seed = {
        "accountsiq": {
            "application": {"client_secret": SECRET},
            "entities": {ENTITY: {"name": "One Ltd"}},
        },
        "expensein": {"api_key": KEY},
    }
    project = tmp_path / "project"
    project.mkdir()
    (project / "meltano.yml").write_text((ROOT / "meltano.yml").read_text())
    (project / ".venv").symlink_to(ROOT / ".venv")
    seen: set[str] = set()
    config_modes: set[int] = set()
    printed = []
    with Sandbox(seed=seed) as box, Sandbox(seed="empty") as elsewhere:
        pair = Pair(box, project, tmp_path / "out" / "output")
        pair.output.parent.mkdir()
        for number in range(6):
            box.add_source(ENTITY, "accounts", Code=f"{number}", Description=f"Account {number}")
            box.add_source(ENTITY, "suppliers", Code=f"S{number}", Name=f"Supplier {number}", IsActive=True)
        for fields in ({"name": "Old 0", "reference": "0"}, {"name": f"the {KEY}", "reference": "1"}):
            box.add_live("categories", **fields)
        expensein = [
            ("GET", "/1.0/suppliers", {"type": "status", "status": 503, "body": f"<title>{told(KEY)}</title>"}),
            ("POST", "/1.0/suppliers", {"type": "status", "status": 422, "body": {"message": told(KEY), "errors": {KEY: [KEY]}}}),
            ("POST", "/1.0/suppliers", {"type": "status", "status": 422, "body": told(KEY)}),
            ("POST", "/1.0/suppliers", {"type": "status_after", "status": 500, "body": {"x": [{KEY: told(KEY)}]}}),
            ("POST", "/1.0/suppliers", {"type": "malformed"}),
            ("POST", "/1.0/suppliers", {"type": "content_type", "value": "text/key-of"}),
        ]  # fmt: skip
        redirect = {"type": "redirect", "location": f"{elsewhere.expensein_url}departments?key={quote(KEY)}"}
        soap = [
            ("TokenGet", {"type": "status", "status": 500, "body": told(SECRET)}),
            ("GetSupplierList", {"type": "token_expired"}),
            ("GetTaxCodeList", {"type": "in_band", "code": "E", "message": told(SECRET)}),
        ]
        rounds = [
            [
                *(
                    {"side": "expensein", "match": {"method": m, "path": p}, "fault": f}
                    for m, p, f in expensein
                ),
                *({"side": "accountsiq", "match": {"operation": o}, "fault": f} for o, f in soap),
            ],
            [
                {"side": "expensein", "match": {"path": "/1.0/categories"}, "times": None, "fault": redirect},
                {
                    "side": "accountsiq",
                    "match": {"operation": "GetSupplierList"},
                    "times": None,
                    "fault": redirect,
                },
            ],
        ]
        for rules in rounds:
            box.faults(rules)
            with watched(seen, config_modes, project):
                run = pair.run(ITEMS, environment=LOUD)
            printed.append(run.log)
            assert run.exit_code != 0
            assert "Traceback" not in run.log.split("Run invocation could not be completed")[0]
        assert elsewhere.counters() == {"accountsiq": {}, "expensein": {}}, "a redirect was followed"
    assert "repeats the API key itself" in "".join(printed)
    assert "[api_key]" in "".join(printed)
    assert "DEBUG" in "".join(printed).upper()
    secrets = {f"secret {n}": secret for n, secret in enumerate((KEY, SECRET, *issued))}
    assert len(secrets) >= 6, "the two, and at least two pairs of tokens"
    places = {"printed": "".join(printed), "process list": "\n".join(seen)}
    for file in [*project.rglob("*"), *pair.output.parent.rglob("*")]:
        if file.is_file() and ".venv" not in file.parts:
            places[str(file.relative_to(tmp_path))] = file.read_bytes().decode("utf-8", "replace")
    assert {Path(name).name for name in places} >= {
        "report.txt",
        "summary.json",
        "plan.json",
        "plan.html",
        "rejects.jsonl",
        "ledger.db",
    }
    assert "target-expensein" in places["process list"]
    found = [
        (place, name, form)
        for place, text in places.items()
        for name, secret in secrets.items()
        for form in forms(secret)
        if form in text
    ]
    assert not found
    assert config_modes == {0o600}, [oct(mode) for mode in config_modes]

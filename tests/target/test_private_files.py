"""What a run leaves behind is for the user who ran it, whatever the umask and whoever prepared the place."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from target_expensein import report
from target_expensein.ledger import Ledger
from target_expensein.report import RunDirectory

from .conftest import TargetCommand, stream

CATEGORIES = {"categories": {"enabled": True}}
RECORDS = [{"code": "1", "description": "Travel"}, {"code": "", "description": "rejected"}]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """The permissions of everything below a folder, links apart."""
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode)
        for path in folder.rglob("*")
        if not path.is_symlink()
    }


@pytest.mark.usefixtures("open_umask")
def test_every_file_and_folder_of_a_run_is_for_its_owner_only(target: TargetCommand) -> None:
    place = target.folder / "new" / "output"
    for mode in ("apply", "preview"):
        target.run(
            stream("accounts", *RECORDS),
            items=CATEGORIES,
            mode=mode,
            output_dir=str(place),
            ledger=str(place / "ledger.db"),
        )
    found = modes(target.folder / "new")
    names = {Path(name).name for name in found}
    assert names >= {"output", "report.txt", "summary.json", "plan.json", "plan.html", "rejects.jsonl"}
    assert names >= {"preview.txt", "preview.json", "ledger.db"}
    for name, mode in found.items():
        assert mode == (0o700 if (target.folder / "new" / name).is_dir() else 0o600), name
    assert stat.S_IMODE((target.folder / "new").stat().st_mode) == 0o700


@pytest.mark.usefixtures("open_umask")
def test_the_ledgers_side_files_are_for_its_owner_only_too(tmp_path: Path) -> None:
    with Ledger.open(str(tmp_path / "new/ledger.db"), "a") as ledger, ledger.lock():
        ledger.begin("apply", {}, "sha256:0", "20260101T000000Z-000000")
        found = modes(tmp_path)
    assert {"new/ledger.db", "new/ledger.db-wal", "new/ledger.db-shm"} < set(found)
    assert all(mode == (0o700 if name == "new" else 0o600) for name, mode in found.items()), found


def test_a_folder_that_is_there_keeps_its_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    RunDirectory(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


@pytest.mark.parametrize("planted", ["folder", "link", "file"])
def test_a_place_that_somebody_prepared_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    """The name of a run's folder cannot be guessed; should it be, the folder still has to be a new one."""
    monkeypatch.setattr(report.secrets, "token_hex", lambda _: "abcdef")  # type: ignore[attr-defined]
    place, elsewhere = tmp_path / "20260101T000000Z-abcdef", tmp_path / "elsewhere"
    elsewhere.mkdir()
    match planted:
        case "folder":
            place.mkdir()
        case "link":
            place.symlink_to(elsewhere)
        case _:
            place.touch()
    with pytest.raises(FileExistsError):
        RunDirectory(tmp_path, lambda: NOW)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["report.txt", "plan.html", "rejects.jsonl"])
def test_no_link_leads_a_file_elsewhere(tmp_path: Path, name: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    directory = RunDirectory(tmp_path / "output")
    (directory.path / name).symlink_to(precious)
    with pytest.raises(FileExistsError):
        directory.write(name, "text")
    assert precious.read_text() == "mine"


def test_the_link_to_the_latest_run_is_replaced_and_never_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "output").mkdir()
    (tmp_path / "output/latest").symlink_to(elsewhere)
    directory = RunDirectory(tmp_path / "output")
    directory.write("report.txt", "text")
    directory.publish()
    assert (tmp_path / "output/latest").resolve() == directory.path.resolve()
    assert list(elsewhere.iterdir()) == []


def test_something_else_called_latest_is_said_before_the_run_begins(target: TargetCommand) -> None:
    (target.folder / "output/latest").mkdir(parents=True)
    result = target.run(stream("accounts", *RECORDS), items=CATEGORIES)
    assert result.exit_code == 1
    assert "latest is in the way" in result.log
    assert target.box.counters()["expensein"] == {}

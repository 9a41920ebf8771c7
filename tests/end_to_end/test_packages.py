"""The two packages that are published: what is in them, and that they work in an environment that has nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from .conftest import ROOT, UV, offline

COMMANDS = {"tap-accountsiq": ("tap-accountsiq",), "target-expensein": ("target-expensein", "expensein")}
"""Package → its console scripts."""
BESIDE = {".gitignore", "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"}
"""What an sdist holds beside the code; hatchling adds the ignore file, so that a build from it ignores the same."""


def run(*command: str | Path, environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def code_of(package: str) -> set[str]:
    """Paths of the files that a package consists of."""
    folder = ROOT / package
    files = (path for path in folder.glob("*_*/**/*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in files}


@pytest.mark.parametrize("package", COMMANDS)
def test_the_distributions_hold_what_they_should_and_nothing_else(package, tmp_path):
    run(sys.executable, "-m", "build", "--no-isolation", "--quiet", "--outdir", tmp_path, ROOT / package)
    (wheel,) = tmp_path.glob("*.whl")
    (sdist,) = tmp_path.glob("*.tar.gz")
    name = package.replace("-", "_")
    project = tomllib.loads((ROOT / package / "pyproject.toml").read_text())["project"]
    stem = f"{name}-{project['version']}"
    info = f"{stem}.dist-info"

    with zipfile.ZipFile(wheel) as archive:
        around = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
        assert set(archive.namelist()) == code_of(package) | {f"{info}/{each}" for each in around}
        assert archive.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
    with tarfile.open(sdist) as archive:
        names = {member.name.removeprefix(f"{stem}/") for member in archive.getmembers() if member.isfile()}
    assert names == code_of(package) | BESIDE | {"PKG-INFO"}
    assert f"{name}/py.typed" in names
    check_metadata(metadata, package)


def check_metadata(metadata: Message, package: str) -> None:
    """What a package index shows."""
    assert metadata["Name"] == package
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert metadata["Summary"]


def test_both_work_in_an_empty_environment(tmp_path):
    run(UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    bin_ = tmp_path / "venv/bin"
    # As `pip install ./tap-accountsiq ./target-expensein`, with the versions that everything else is tested with.
    run(
        UV,
        *(
            "pip",
            "install",
            "--quiet",
            "--python",
            bin_ / "python",
            "--constraint",
            ROOT / "requirements.txt",
        ),
        *("./tap-accountsiq", "./target-expensein"),
        environment=offline(),
        cwd=ROOT,
    )
    installed = run(UV, "pip", "list", "--python", bin_ / "python")
    assert "sandbox" not in installed
    for package, commands in COMMANDS.items():
        version = tomllib.loads((ROOT / package / "pyproject.toml").read_text())["project"]["version"]
        for command in commands:
            assert version in run(bin_ / command, "--version", environment={}, cwd=tmp_path)
            assert (
                "--config" in run(bin_ / command, "--help", environment={}, cwd=tmp_path)
                or command == "expensein"
            )
        assert run(bin_ / package, "--about", environment={}, cwd=tmp_path)
    # None of the development tools is needed, and whoever types against the packages sees their types.
    (packages,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    assert {path.parent.name for path in packages.glob("t*/py.typed")} >= {
        "tap_accountsiq",
        "target_expensein",
    }


@pytest.mark.parametrize("package", COMMANDS)
def test_the_changelog_has_the_form_and_knows_the_version(package):
    lines = (ROOT / package / "CHANGELOG.md").read_text().splitlines()
    headings = [line for line in lines if line.startswith("#")]
    form = r"# Changelog|## \[Unreleased\]|## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d|### (Added|Changed|Deprecated|Removed|Fixed|Security)"
    assert [heading for heading in headings if not re.fullmatch(form, heading)] == []
    assert headings[1] == "## [Unreleased]"
    released = re.findall(r"## \[(\d\S*)\]", "\n".join(headings))
    version = tomllib.loads((ROOT / package / "pyproject.toml").read_text())["project"]["version"]
    assert released[:1] in ([], [version])


@pytest.mark.parametrize("package", COMMANDS)
def test_the_licence_is_the_repositorys(package):
    assert (ROOT / package / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()

"""The definitions in docs/hub: as the plugins declare themselves, in the hub's form, and good enough for Meltano."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import OURS, ROOT, offline
from .documents import blocks

HUB = ROOT / "docs/hub"
KEYS = {
    *("name", "variant", "namespace", "label", "description", "domain_url", "pip_url", "repo", "executable"),
    *("maintenance_status", "keywords", "capabilities", "settings_group_validation", "settings"),
    *("select", "commands"),
}
SETTING_KEYS = {"name", "label", "kind", "description", "options", "sensitive", "value"}
KINDS = {"string", "integer", "boolean", "object", "array", "options", "date_iso8601"}


def written(folder: Path, *options: str) -> dict[str, str]:
    """Run the script; return the files that it wrote."""
    script = ROOT / "scripts/hub_definitions.py"
    subprocess.run([sys.executable, script, "--output", folder, *options], check=True)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.yml")}


def test_the_definitions_are_as_the_plugins_declare_themselves(tmp_path):
    there = {path.relative_to(HUB).as_posix(): path.read_text() for path in HUB.rglob("*.yml")}
    assert there == written(tmp_path), "run: .venv/bin/python scripts/hub_definitions.py"


def test_what_is_submitted_names_the_publisher(tmp_path):
    command = blocks("docs/hub/README.md", "sh")[1].commands[0].split()
    options = command[command.index("--variant") : command.index("--output")]
    for path, text in written(tmp_path, *options).items():
        definition = yaml.safe_load(text)
        assert path.endswith(f"/{definition['name']}/acme.yml")
        assert definition["variant"] == "acme"
        assert definition["pip_url"] == f"git+{definition['repo']}#subdirectory={definition['name']}"
        assert ".." not in definition["pip_url"]


@pytest.mark.parametrize("path", sorted(HUB.rglob("*.yml")), ids=lambda path: path.parent.name)
def test_a_definition_has_the_hubs_form(path):
    definition: dict[str, Any] = yaml.safe_load(path.read_text())
    assert definition.keys() <= KEYS
    assert {"name", "variant", "namespace", "label", "settings", "capabilities"} <= definition.keys()
    names = [setting["name"] for setting in definition["settings"]]
    assert len(set(names)) == len(names)
    for setting in definition["settings"]:
        assert setting.keys() <= SETTING_KEYS
        assert setting["kind"] in KINDS
        assert setting["label"]
        assert setting["description"]
        assert ("options" in setting) == (setting["kind"] == "options")
    for valid in definition["settings_group_validation"]:
        assert set(valid) <= set(names)
    secrets = {setting["name"] for setting in definition["settings"] if setting.get("sensitive")}
    assert secrets & {"client_secret", "api_key"}
    assert not any(
        "value" in setting
        for setting in definition["settings"]
        if setting["name"] in {"client_secret", "api_key"}
    )


def test_meltano_takes_the_definitions_without_the_hub(tmp_path):
    (tmp_path / "accountsiq-to-expensein").symlink_to(ROOT)
    project = tmp_path / "project"
    project.mkdir()
    (project / "meltano.yml").write_text("default_environment: dev\nenvironments:\n- name: dev\n")
    environment = {name: value for name, value in offline().items() if not name.startswith(OURS)} | {
        "XDG_CACHE_HOME": str(tmp_path / "home"),
        "XDG_STATE_HOME": str(tmp_path / "home"),
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
        # The hub is not asked: an address at which nobody answers.
        "MELTANO_HUB_URL": "http://127.0.0.1:9",
    }
    for command in blocks("docs/hub/README.md", "sh")[0].commands:
        subprocess.run(
            [ROOT / ".venv/bin/meltano", *command.split()[1:]], cwd=project, env=environment, check=True
        )
    added = yaml.safe_load((project / "meltano.yml").read_text())["plugins"]
    assert [each["name"] for each in added["extractors"]] == ["tap-accountsiq"]
    assert [each["name"] for each in added["loaders"]] == ["target-expensein"]
    for plugin in ("extractors/tap-accountsiq", "loaders/target-expensein"):
        installed = project / ".meltano" / plugin / "venv/bin" / Path(plugin).name
        assert subprocess.run([installed, "--version"], env={}, check=True, capture_output=True)

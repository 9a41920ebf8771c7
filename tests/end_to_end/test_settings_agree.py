"""The settings in meltano.yml, in ``--about`` and in the READMEs are the same."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from .conftest import ROOT

PLUGINS = {"tap-accountsiq": "extractors", "target-expensein": "loaders"}
KINDS = {
    "boolean": "boolean",
    "integer": "integer",
    "string": "string",
    "array": "array",
    "object": "object",
}


def about(plugin: str, form: str) -> str:
    command = [ROOT / ".venv/bin" / plugin, "--about", "--format", form]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def flat(properties: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every setting that holds a value, by its dotted name."""
    for name, schema in properties.items():
        if "properties" in schema and not schema.get("additionalProperties"):
            yield from flat(schema["properties"], f"{prefix}{name}.")
        else:
            yield prefix + name, schema


def kind(schema: Mapping[str, Any]) -> str:
    """The kind that Meltano has for a setting."""
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    (type_,) = (each for each in types if each != "null")
    if schema.get("format") == "date-time":
        return "date_iso8601"
    return "options" if "enum" in schema else KINDS[type_]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "meltano.yml").read_text())
    return content


@pytest.mark.parametrize("plugin", PLUGINS)
def test_meltano_knows_every_setting_of_the_plugin_with_its_kind_and_whether_it_is_secret(plugin, project):
    expected = {
        name: (kind(schema), schema.get("secret", False), [one for one in schema.get("enum", []) if one])
        for name, schema in flat(json.loads(about(plugin, "json"))["settings"]["properties"])
    }
    (definition,) = (one for one in project["plugins"][PLUGINS[plugin]] if one["name"] == plugin)
    found = {
        setting["name"]: (
            setting["kind"],
            setting.get("sensitive", False),
            [option["value"] for option in setting.get("options", [])],
        )
        for setting in definition["settings"]
    }
    assert found == expected


@pytest.mark.parametrize("plugin", PLUGINS)
def test_meltano_advertises_the_plugins_capabilities(plugin, project):
    (definition,) = (one for one in project["plugins"][PLUGINS[plugin]] if one["name"] == plugin)
    expected = set(json.loads(about(plugin, "json"))["capabilities"])
    assert set(definition["capabilities"]) == expected


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_readme_has_the_settings_table_of_about(plugin):
    table = "\n".join(line for line in about(plugin, "markdown").splitlines() if line.startswith("|"))
    readme = (ROOT / plugin / "README.md").read_text()
    assert f"<!-- settings -->\n{table}\n<!-- /settings -->" in readme


def test_what_the_example_environment_sets_are_settings(project):
    """.env.example names variables that Meltano understands."""
    settings = {
        (plugin + "_" + setting["name"]).upper().replace("-", "_")
        for plugin, kind_ in PLUGINS.items()
        for definition in project["plugins"][kind_]
        if definition["name"] == plugin
        for setting in definition["settings"]
    }
    lines = (ROOT / ".env.example").read_text().splitlines()
    names = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    assert names
    assert names <= settings


def test_private_fields_of_suppliers_are_not_selected(project):
    """Bank details, tax numbers and contact details stay at the source, although Meltano's default selects all."""
    (tap,) = project["plugins"]["extractors"]
    selected = {rule.partition(".")[2] for rule in tap["select"] if rule.startswith("suppliers.")}
    assert {"entity", "code", "name", "is_active"} <= selected
    assert not any(
        part in field
        for field in selected
        for part in ("*", "bank", "vat", "phone", "email", "address", "contact", "notes", "swift", "tax_code")
    )

"""Writes the definitions of both plugins in the form of Meltano's hub, from what the plugins say of themselves.

.venv/bin/python scripts/hub_definitions.py

writes ``docs/hub/``, for use from a checkout. With ``--variant`` and ``--repo`` the definitions are ready to be submitted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tap_accountsiq.streams import STREAMS
from target_expensein.commands import main as expensein

ROOT = Path(__file__).parents[1]
CHECKOUT = "accountsiq-to-expensein"
"""Name of the folder of a checkout, as the documentation has it."""
HEADER = "# Written by scripts/hub_definitions.py from the plugin's own declarations; do not edit.\n"


@dataclass(frozen=True)
class Plugin:
    """What a plugin does not say of itself.

    Attributes:
        name: Name of the plugin and of its package.
        kind: Plural of its kind, as the hub has it.
        label: Name of the service.
        domain_url: Web site of the service.
        keywords: Words to be found by.
        valid_sets: The sets of settings of which one must be there.
        more: Further keys of the definition.
    """

    name: str
    kind: str
    label: str
    domain_url: str
    keywords: tuple[str, ...]
    valid_sets: tuple[tuple[str, ...], ...]
    more: Mapping[str, Any]

    @property
    def about(self) -> dict[str, Any]:
        """What the plugin says of itself."""
        command = [Path(sys.executable).with_name(self.name), "--about", "--format", "json"]
        about: dict[str, Any] = json.loads(
            subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603 - our own plugin
        )
        return about


KINDS = {"date-time": "date_iso8601"}
"""Format of a setting → its kind, where that is not its type."""
SIGN_IN = ("client_id", "client_secret", "entities")
PLUGINS = (
    Plugin(
        name="tap-accountsiq",
        kind="extractors",
        label="AccountsIQ",
        domain_url="https://www.accountsiq.com",
        keywords=("accounting", "finance", "meltano_sdk"),
        valid_sets=(("region", *SIGN_IN), ("api_url", *SIGN_IN)),
        more={
            # Meltano's own default selects everything, personal and payment data too.
            "select": [
                "*.*",
                *(
                    f"!{stream.name}.{each.name}"
                    for stream in STREAMS
                    for each in stream.fields
                    if each.private
                ),
                # Nor what an application's permissions may not cover.
                *(f"!{stream.name}.*" for stream in STREAMS if not stream.selected),
            ]
        },
    ),
    Plugin(
        name="target-expensein",
        kind="loaders",
        label="ExpenseIn",
        domain_url="https://www.expensein.com",
        keywords=("expenses", "finance", "reverse-etl", "meltano_sdk"),
        valid_sets=(("api_key",),),
        more={
            "commands": {
                name: {
                    "executable": "expensein",
                    "args": name,
                    "description": command.get_short_help_str(100),
                }
                for name, command in sorted(expensein.commands.items())
            }
        },
    ),
)


def settings(properties: Mapping[str, Any], prefix: str = "") -> Iterator[dict[str, Any]]:
    """Yield every setting that holds a value, by its dotted name, in the hub's words."""
    for name, schema in properties.items():
        if "properties" in schema and not schema.get("additionalProperties"):
            yield from settings(schema["properties"], f"{prefix}{name}.")
            continue
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        (type_,) = (each for each in types if each != "null")
        setting = {
            "name": prefix + name,
            "label": schema["title"],
            "kind": "options" if "enum" in schema else KINDS.get(schema.get("format"), type_),
            "description": schema["description"],
        }
        if "enum" in schema:
            setting["options"] = [{"label": each, "value": each} for each in schema["enum"] if each]
        if schema.get("secret"):
            setting["sensitive"] = True
        if schema.get("default") is not None:
            setting["value"] = schema["default"]
        yield setting


def definition(plugin: Plugin, variant: str, repo: str | None) -> str:
    """Return a plugin's definition as YAML.

    Args:
        plugin: The plugin.
        variant: Who publishes it.
        repo: Address of the Git repository; without it, the plugin is installed from a checkout beside the project.
    """
    about = plugin.about
    source = {"repo": repo, "pip_url": f"git+{repo}#subdirectory={plugin.name}"} if repo else None
    content = {
        "name": plugin.name,
        "variant": variant,
        "namespace": plugin.name.replace("-", "_"),
        "label": plugin.label,
        "description": about["description"],
        "domain_url": plugin.domain_url,
        **(source or {"pip_url": f"../{CHECKOUT}/{plugin.name}"}),
        "executable": plugin.name,
        "maintenance_status": "beta",
        "keywords": list(plugin.keywords),
        "capabilities": about["capabilities"],
        "settings_group_validation": [list(each) for each in plugin.valid_sets],
        "settings": list(settings(about["settings"]["properties"])),
        **plugin.more,
    }
    return HEADER + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)


def main() -> None:
    """Write the definitions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--variant", default="local", help="who publishes the plugins")
    parser.add_argument("--repo", help="address of the Git repository that they are published in")
    parser.add_argument("--output", type=Path, default=ROOT / "docs/hub", help="folder to write to")
    options = parser.parse_args()
    for plugin in PLUGINS:
        path: Path = options.output / plugin.kind / plugin.name / f"{options.variant}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(definition(plugin, options.variant, options.repo), "utf-8")


if __name__ == "__main__":
    main()

"""Where a command's configuration comes from: a file, or the environment as Meltano sets it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from target_expensein.ledger import Ledger
from target_expensein.settings import SCHEMA, Settings, load

PREFIX: Final = "TARGET_EXPENSEIN_"

LEDGER_SETTINGS: Final = ("ledger", "account", "output_dir")
"""What a look into the past needs."""

CONNECTION_SETTINGS: Final = (
    *("api_key", "api_url", "api_profile"),
    *("ca_bundle", "request_timeout", "max_answer_megabytes", "concurrency"),
)
"""What a look into ExpenseIn needs."""

ANY_ITEM: Final = {"items": {"categories": {"enabled": True}}}
"""What stands for the items in settings that have nothing to do with them."""

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="JSON file with the target's settings. Without it they are taken from the environment "
    f"({PREFIX}API_KEY, {PREFIX}ITEMS_CATEGORIES_ENABLED …).",
)


def read_config(path: Path | None, environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Read the target's configuration, unchecked.

    Args:
        path: A JSON file; None for the environment.
        environment: The environment.

    Returns:
        The configuration; ``settings.load`` checks it.

    Raises:
        click.ClickException: If the file is not there or not a JSON object. No content is repeated.
    """
    if path is None:
        return from_environment(environment)
    try:
        config: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.ClickException(f"--config {path}: {error.strerror}.") from None
    except ValueError as error:
        where = f" (line {error.lineno}: {error.msg})" if isinstance(error, json.JSONDecodeError) else ""
        raise click.ClickException(f"--config {path}: this is not JSON{where}.") from None
    if not isinstance(config, dict):
        raise click.ClickException(f"--config {path}: this is JSON, but not an object with settings.")
    return config


def from_environment(
    environment: Mapping[str, str], schema: Mapping[str, Any] = SCHEMA, prefix: str = PREFIX
) -> dict[str, Any]:
    """Collect settings from environment variables.

    Each setting has a variable, and so has each setting within a setting: ``TARGET_EXPENSEIN_ITEMS`` as JSON,
    ``TARGET_EXPENSEIN_ITEMS_CATEGORIES_ENABLED`` on its own; the more particular one counts. An empty variable is as good
    as none.

    Args:
        environment: The environment.
        schema: JSON Schema of the settings.
        prefix: What their variables begin with.

    Returns:
        The settings that are set, unchecked.
    """
    settings: dict[str, Any] = {}
    for name, spec in schema["properties"].items():
        variable = prefix + name.upper()
        if text := environment.get(variable):
            settings[name] = _value(text, spec)
        if "properties" in spec:
            within = from_environment(environment, spec, f"{variable}_")
            if within:
                settings[name] = _laid_over(settings.get(name), within)
    return settings


def ledger_settings(config: Mapping[str, Any]) -> Settings:
    """Return the settings of a command that only looks into the ledger: neither a key nor an item is needed.

    Args:
        config: The configuration.

    Raises:
        ConfigValidationError: If one of the settings that count here is wrong.
    """
    return load({**_only(config, LEDGER_SETTINGS), **ANY_ITEM, "mode": "preview"})


def connection_settings(config: Mapping[str, Any]) -> Settings:
    """Return the settings of a command that only looks into ExpenseIn, whichever items are enabled.

    Args:
        config: The configuration.

    Raises:
        ConfigValidationError: If one of the settings that count here is wrong.
    """
    return load({**_only(config, CONNECTION_SETTINGS), **ANY_ITEM, "mode": "plan"})


def open_ledger(settings: Settings) -> Ledger:
    """Open the ledger to look into it: it must be there.

    Args:
        settings: The settings.

    Returns:
        The ledger. Close it, or use it as a context.

    Raises:
        LedgerError: If it cannot be opened.
        click.ClickException: If there is none yet; a look does not make one.
    """
    path = settings.ledger.removeprefix("sqlite:///")
    if "://" not in path and not Path(path).expanduser().is_file():
        raise click.ClickException(
            f"There is no ledger at {path!r}: nothing has been run here yet, or the setting ledger names another place."
        )
    return Ledger.open(settings.ledger, settings.account)


def _only(config: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: config[name] for name in names if name in config}


def _value(text: str, spec: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """Read a variable as what the setting wants; a text that is not that is left for the check to complain about."""
    if spec.get("type") == "string":
        return text
    try:
        return _nested(json.loads(text.lower() if text.lower() in {"true", "false"} else text))
    except ValueError:
        return text


def _nested(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Undo what Meltano does to objects in variables: ``{"code.starts_with": "5"}`` is ``{"code": {"starts_with": "5"}}``."""
    if not isinstance(value, Mapping):
        return value
    nested: dict[str, Any] = {}
    for dotted, inner in value.items():
        within = _nested(inner)
        for name in reversed(dotted.split(".")):
            within = {name: within}
        nested = _laid_over(nested, within)
    return nested


def _laid_over(below: object, above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below) if isinstance(below, Mapping) else {}
    for name, value in above.items():
        merged[name] = _laid_over(merged.get(name), value) if isinstance(value, Mapping) else value
    return merged

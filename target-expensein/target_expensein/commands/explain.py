"""``expensein explain``: why a reference is what it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import click
from singer_sdk.singerlib.exceptions import InvalidInputLine

from target_expensein import explain as explanations
from target_expensein.commands.configuration import config_option, read_config
from target_expensein.commands.output import echo, echo_json, json_option
from target_expensein.items import ITEMS
from target_expensein.settings import load


@click.command()
@click.argument("reference")
@click.option(
    "--item",
    "items",
    multiple=True,
    type=click.Choice(list(ITEMS)),
    help="Look into this item only; may be repeated. Without it: every enabled item.",
)
@click.option(
    "--input",
    "singer",
    metavar="FILE.singer",
    type=click.File("r", encoding="utf-8", lazy=True),
    help="A saved tap output (- for standard input). Without it: what the last plan knew of the source.",
)
@config_option
@json_option
@click.pass_context
def explain(
    ctx: click.Context,
    reference: str,
    items: Sequence[str],
    singer: IO[str] | None,
    config: Path | None,
    *,
    as_json: bool,
) -> None:
    """Explain what the sync does with a reference, and why.

    REFERENCE is a code, character for character. Shown are the source record, the filter's verdict condition by condition,
    what becomes of its fields, the records in ExpenseIn that could be meant, the decision with its reason and rules, the
    gate's verdict, and what the last runs did. The decision is the plan's own. Nothing is written. Without an API key,
    ExpenseIn is not read and only the past is told.

    \b
    meltano invoke tap-accountsiq > tonight.singer
    expensein explain 5000 --input tonight.singer
    expensein explain 0100 --item categories

    Exit codes: 0 explained; 1 the source or ExpenseIn could not be read.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    given = read_config(config)
    settings = load(given | {"mode": "plan" if given.get("api_key") else "preview"})
    for item in items:
        if item not in settings.items:
            raise click.UsageError(f"The item {item} is switched off (items.{item}.enabled).")
    chosen = [item for item in settings.items if item in items or not items]
    try:
        if singer is None:
            explanation = explanations.explain(settings, chosen, reference, None)
        else:
            with singer as lines:
                explanation = explanations.explain(settings, chosen, reference, lines)
    except InvalidInputLine as error:
        message = f"The input is not a Singer stream: {error}"
        raise click.ClickException(message) from None
    if as_json:
        echo_json(explanation)
    else:
        echo(explanations.text(explanation).removesuffix("\n"))
    ctx.exit(1 if any(map(_unreadable, explanation["items"])) else 0)


def _unreadable(facts: Mapping[str, Any]) -> bool:
    source, live = facts["source"], facts["expensein"]
    return bool((source and source["problem"]) or live["problem"] not in {None, explanations.NO_KEY})

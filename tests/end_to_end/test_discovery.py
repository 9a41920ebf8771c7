"""Meltano asks the tap for its catalog before every run, so the short way must be the one that it takes."""

from __future__ import annotations

import ast

from tap_accountsiq.__main__ import asks_for_the_catalog_alone

from .conftest import Pair


def test_meltano_asks_for_the_catalog_in_a_way_that_the_tap_answers_from_a_file(pair: Pair):
    pair.sync("suppliers")  # leaves a state, which the next run hands to discovery as well
    run = pair.run({"suppliers": {}}, environment={"MELTANO_CLI_LOG_LEVEL": "debug"})
    commands = [
        ast.literal_eval(line.partition("Invoking: ")[2])
        for line in run.log.splitlines()
        if "Invoking: [" in line and "--discover" in line
    ]
    # The files were there then; Meltano takes them away again.
    asked = [[part if part.startswith("--") else __file__ for part in parts] for _, *parts in commands]
    assert [asks_for_the_catalog_alone(arguments) for arguments in asked] == [True]

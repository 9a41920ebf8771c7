"""The rules of docs/rules.md, the tests that prove them and the code that they name belong together."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from target_expensein.reasons import REASONS

from .conftest import ROOT

RULES = (ROOT / "docs/rules.md").read_text()
SECTIONS = {
    int(number): text
    for number, text in re.findall(r"^### R(\d+) (.*?)(?=^##|\Z)", RULES, re.MULTILINE | re.DOTALL)
}
"""Number of a rule → its section."""


def by_number(tests: Iterable[str]) -> dict[int, set[str]]:
    """Sort tests by the rule in their name."""
    sorted_tests: dict[int, set[str]] = {}
    for test in tests:
        sorted_tests.setdefault(int(test[6:8]), set()).add(test)
    return sorted_tests


def test_there_are_thirty_two_rules_each_once():
    assert re.findall(r"^### R(\d+) ", RULES, re.MULTILINE) == [str(number) for number in range(1, 33)]


def test_each_rule_names_its_tests_and_each_test_stands_with_its_rule():
    tree = ast.parse(Path(__file__).with_name("test_rules.py").read_text())
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    tests = [name for name in functions if name.startswith("test_")]
    assert [name for name in tests if not re.match(r"test_r\d\d_", name)] == []
    assert len(set(tests)) == len(tests), "of two tests with one name only the last runs"
    named = {number: set(re.findall(r"`(test_\w+)`", section)) for number, section in SECTIONS.items()}
    assert named == by_number(tests)


def test_each_rule_names_code_that_exists():
    for number, section in SECTIONS.items():
        places = re.findall(r"`([\w./-]+)::([\w-]+)`", section)
        assert places, f"R{number} does not say where it stands"
        for path, name in places:
            folder = Path(path).parts[0].replace("_", "-")
            file = ROOT / (path if len(Path(path).parts) == 1 else f"{folder}/{path}")
            assert re.search(rf"\b{re.escape(name)}\b", file.read_text()), f"R{number}: {path} has no {name}"


def test_each_reason_code_names_rules_that_exist():
    for code, reason in REASONS.items():
        numbers = re.findall(r"R(\d+)", reason.rules)
        assert numbers, code
        assert {int(number) for number in numbers} <= SECTIONS.keys(), code

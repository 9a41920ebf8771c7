"""Mutation testing of the modules that decide: change one thing, and see whether a test notices.

mutmut by itself leaves out what stands outside of functions (the tables of items, comparisons and retries) and decorated
functions, which here is much of what decides. So this takes mutmut's operators, adds three, applies them to the whole
module, and runs the module's tests against each mutant in a forked process. `scripts/mutation.toml` says which tests, and
holds the survivors that are known to be harmless, each with the reason.

    make mutation               # everything; Markdown on standard output, what happens on standard error
    make mutation PART=plan     # modules whose path contains "plan"
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import importlib.abc
import importlib.util
import itertools
import os
import signal
import sys
import time
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import libcst as cst
from libcst import matchers
from libcst.metadata import MetadataWrapper, ParentNodeProvider, WhitespaceInclusivePositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_string

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import ModuleType

ROOT = Path(__file__).parents[1]
SETUP = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
PACKAGE = "target_expensein"
PROCESSES = os.cpu_count() or 1
SLOWEST = 10  # times as long as without a mutant: then it counts as an endless loop, which is noticed
LEAST_SECONDS = 20.0
ALL_PASSED, SOME_FAILED, BROKEN_OFF = (
    0,
    1,
    2,
)  # exit codes of pytest; a mutant that cannot be imported breaks off

_NOT_CODE = (
    cst.Annotation,
    cst.Decorator,
    cst.Import,
    cst.ImportFrom,
)


@dataclass(frozen=True)
class Mutant:
    """A module with one thing changed.

    Attributes:
        module: Its path below the root.
        source: Its whole text.
        before: The line that was changed, or the first of them.
        after: What stands there now; empty when the line is gone.
    """

    module: str
    source: str
    before: str
    after: str


def mutants_of(module: str) -> list[Mutant]:
    """Make all mutants of a module, in the order of the text, none twice.

    Args:
        module: Path below the root.

    Returns:
        The mutants.
    """
    source = (ROOT / module).read_text("utf-8")
    wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
    parents = wrapper.resolve(ParentNodeProvider)
    places = wrapper.resolve(WhitespaceInclusivePositionProvider)
    lines = [0, *itertools.accumulate(map(len, source.splitlines(keepends=True)))]
    found: dict[str, Mutant] = {}
    for node in _code(wrapper.module, parents):
        for changed in _mutations(node, parents):
            try:
                if isinstance(node, cst.BaseCompoundStatement):
                    text: str = wrapper.module.deep_replace(node, changed).code  # type: ignore[attr-defined]
                else:  # the same, a hundred times as fast
                    start, end = (
                        lines[at.line - 1] + at.column for at in (places[node].start, places[node].end)
                    )
                    text = source[:start] + wrapper.module.code_for_node(changed) + source[end:]
                compile(text, module, "exec")
            except (cst.CSTValidationError, SyntaxError, TypeError):
                continue  # not a program, so not a mistake that anybody could make
            if text != source:
                found.setdefault(text, Mutant(module, text, *_difference(source, text)))
    return list(found.values())


def _code(node: cst.CSTNode, parents: Any) -> Iterator[cst.CSTNode]:  # noqa: ANN401 - libcst's mapping
    """Walk through what is executed: no annotations, imports, decorators, docstrings, names of types."""
    if isinstance(node, _NOT_CODE) or _is_docstring(node) or _is_for_types(node):
        return
    yield node
    for child in node.children:
        yield from _code(child, parents)


def _is_docstring(node: cst.CSTNode) -> bool:
    return matchers.matches(node, matchers.SimpleStatementLine(body=[matchers.Expr(matchers.SimpleString())]))


def _is_for_types(node: cst.CSTNode) -> bool:
    literal = matchers.Assign(value=matchers.Subscript(value=matchers.Name("Literal")))
    member = matchers.Assign(
        value=matchers.Call(func=matchers.Name("auto"))
    )  # of an enumeration: any value will do
    return matchers.matches(node, literal | member | matchers.If(test=matchers.Name("TYPE_CHECKING")))


def _mutations(node: cst.CSTNode, parents: Any) -> Iterable[cst.CSTNode]:  # noqa: ANN401
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            changes = operator(node)
            yield from itertools.islice(changes, 1) if operator is operator_string else changes
    yield from _negated(node)
    yield from _without_an_element(node)
    if isinstance(node, cst.Expr) and not isinstance(parents[node], cst.Module):
        yield cst.Pass()


def _negated(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if isinstance(node, cst.If | cst.While | cst.CompIf | cst.IfExp):
        inner = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        yield node.with_changes(test=cst.UnaryOperation(cst.Not(), inner))


def _without_an_element(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if isinstance(node, cst.Tuple | cst.List | cst.Set | cst.Dict) and len(node.elements) > 1:
        for place in range(len(node.elements)):
            rest = [*node.elements[:place], *node.elements[place + 1 :]]
            if len(rest) == 1 and isinstance(node, cst.Tuple):
                rest = [rest[0].with_changes(comma=cst.Comma())]
            yield node.with_changes(elements=rest)


def _difference(source: str, text: str) -> tuple[str, str]:
    old, new = source.splitlines(), text.splitlines()
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            return tuple(" ".join(map(str.strip, part)) for part in (old[i1:i2], new[j1:j2]))  # type: ignore[return-value]
    return "", ""


def _name_of(path: str) -> str:
    return ".".join(Path(path).with_suffix("").parts[1:])


class _Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports a mutant in the place of its module."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._name = _name_of(mutant.module)

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:  # noqa: ANN401, ARG002
        return importlib.util.spec_from_loader(name, self) if name == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(ROOT / self._mutant.module)
        exec(compile(self._mutant.source, module.__file__, "exec"), module.__dict__)  # noqa: S102 - that is the point


def _run(tests: Sequence[str], mutant: Mutant | None) -> int:
    """Fork, and in the child run the tests. Returns the child's process id."""
    child = os.fork()
    if child:
        return child
    quiet = os.open(os.devnull, os.O_WRONLY)
    if mutant:
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        sys.meta_path.insert(0, _Instead(mutant))
    code = BROKEN_OFF
    try:
        import pytest  # noqa: PLC0415 - see _warm_up

        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        options = [
            "-x",
            "-q",
            "-c",
            os.devnull,
            "--rootdir",
            str(ROOT),
            "--import-mode=importlib",
            "--noconftest",
        ]
        options += ["--assert=plain", "-p", "no:cacheprovider", "-p", "no:unraisableexception"]
        code = int(pytest.main([*options, *tests]))
    finally:
        os._exit(code)


def _warm_up() -> None:
    """Import what every child needs, but nothing of the mutated package, and make property tests short and repeatable."""
    for module in SETUP["module"]:
        importlib.import_module(_name_of(module["path"]))  # for what it imports from others
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]
    import hypothesis  # noqa: PLC0415
    import jsonschema  # noqa: F401, PLC0415
    import pytest  # noqa: F401, PLC0415

    hypothesis.settings.register_profile(
        "mutation",
        max_examples=40,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )
    hypothesis.settings.load_profile("mutation")


def _survivors(mutants: Sequence[Mutant], tests: Sequence[str], patience: float) -> list[Mutant]:
    """Run the tests against every mutant, as many at a time as there are processors."""
    waiting, running, survivors = list(reversed(mutants)), dict[int, tuple[Mutant, float]](), list[Mutant]()
    while waiting or running:
        while waiting and len(running) < PROCESSES:
            mutant = waiting.pop()
            running[_run(tests, mutant)] = mutant, time.monotonic() + patience
        ended, status = os.waitpid(-1, os.WNOHANG)
        if not ended:
            for child, (_, deadline) in running.items():
                if time.monotonic() > deadline:
                    os.kill(child, signal.SIGKILL)
            time.sleep(0.02)
            continue
        mutant, _ = running.pop(ended)
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGKILL:
            print(f"no end    {mutant.module}\n  - {mutant.before}\n  + {mutant.after}", file=sys.stderr)
        if code == ALL_PASSED:
            survivors.append(mutant)
            print(f"survived  {mutant.module}\n  - {mutant.before}\n  + {mutant.after}", file=sys.stderr)
    return survivors


def _patience(tests: Sequence[str]) -> float:
    begun = time.monotonic()
    _, status = os.waitpid(_run(tests, None), 0)
    if os.waitstatus_to_exitcode(status) != ALL_PASSED:
        sys.exit("The tests fail without any mutant.")
    return max(LEAST_SECONDS, SLOWEST * (time.monotonic() - begun))


def main() -> int:
    """Run, print the result as Markdown; exit code 1 when a mutant survived that is not known to be harmless."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", nargs="*", help="only modules whose path contains this")
    wanted = parser.parse_args().part
    os.chdir(ROOT)
    _warm_up()
    harmless = {(one["module"], one["before"], one["after"]): one["reason"] for one in SETUP["harmless"]}
    table, alive, unknown = Counter[tuple[str, str]](), list[Mutant](), 0
    modules = [one for one in SETUP["module"] if not wanted or any(part in one["path"] for part in wanted)]
    for module in modules:
        mutants = mutants_of(module["path"])
        print(f"{module['path']}: {len(mutants)} mutants", file=sys.stderr)
        survivors = _survivors(mutants, module["tests"], _patience(module["tests"]))
        alive += survivors
        table[module["path"], "mutants"] = len(mutants)
        table[module["path"], "survived"] = len(survivors)
        unknown += sum((one.module, one.before, one.after) not in harmless for one in survivors)
    print("| Module | Mutants | Noticed | Survived | Score |\n|:--|--:|--:|--:|--:|")
    for path in [module["path"] for module in modules]:
        made, left = table[path, "mutants"], table[path, "survived"]
        name = Path(path).relative_to("target-expensein/target_expensein")
        print(f"| `{name}` | {made} | {made - left} | {left} | {100 * (made - left) / made:.1f} % |")
    for one in alive:
        reason = harmless.get((one.module, one.before, one.after), "**not explained**")
        print(f"\n`{Path(one.module).name}`: {reason}\n\n```diff\n- {one.before}\n+ {one.after}\n```")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())

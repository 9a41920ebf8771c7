"""The results as Markdown: a table of the figures, and one of the runs for each case."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Content = Mapping[str, Any]

MILLION = 1e6
USUAL = ("wall", "cpu", "peak")


def text(content: Content) -> str:
    """Return the whole document of one measurement as Markdown."""
    return "\n\n".join([where_and_when(content), figures(content), *cases(content)]) + "\n"


def where_and_when(content: Content) -> str:
    """Return the sentence that says on what, when and with what the figures were made."""
    machine = content["machine"]
    others: dict[str, list[str]] = {}
    for name, case in content["cases"].items():
        if case["commit"] != content["commit"]:
            others.setdefault(case["commit"], []).append(name)
    earlier = "".join(f" ({', '.join(names)}: commit {commit})" for commit, names in others.items())
    versions = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    peers = ", ".join(f"{name} {version}" for name, version in content["peers"].items())
    return (
        f"`make {content['scale']}`, {content['date']}, commit {content['commit']}{earlier}; {machine['processors']} processors "
        f"{machine['model']}, {machine['memory_gb']} GB, {machine['system']}, Python {machine['python']}; "
        f"{versions}. The peers: {peers}."
    )


def figures(content: Content) -> str:
    """Return the table of all figures and what they were to reach."""
    rows = []
    for case in content["cases"].values():
        for number, figure in enumerate(case["figures"]):
            rows.append(
                (
                    case["title"] if number == 0 else "",
                    figure["what"],
                    f"{_number(figure['value'])} {figure['unit']}".strip(),
                    _goal(figure),
                    {True: "yes", False: "**no**", None: ""}[figure["met"]],
                )
            )
    return table(("Case", "What", "Measured", "To reach", "Reached"), rows, "llrrc")


def cases(content: Content) -> Iterable[str]:
    """Yield a table for each case: the medians of all contenders."""
    for case in content["cases"].values():
        if case["runs"]:
            yield f"**{case['title']}**\n\n{_runs(case)}"


def growth(content: Content) -> str:
    """Return the table of the growth curves, and the picture of them."""
    points = content["cases"]["growth"]["growth"]
    sizes = sorted({point["records"] for curve in points.values() for point in curve})
    rows = []
    for name, curve in points.items():
        at = {point["records"]: point for point in curve}
        cells = [
            f"{at[size]['wall']:,.1f} s, {at[size]['peak'] / MILLION:.0f} MB" if size in at else ""
            for size in sizes
        ]
        rows.append((name, *cells))
    curves = table(("Records", *(f"{size:,}" for size in sizes)), rows, "l" + "r" * len(sizes))
    return f"{curves}\n\n![Seconds and memory over the number of records](benchmarks/growth.svg)"


def _runs(case: Mapping[str, Any]) -> str:
    facts = list(
        dict.fromkeys(
            name for runs in case["runs"].values() for run in runs for name in run if name not in USUAL
        )
    )
    rates = ["Records/s"] if case["records"] else []
    rows = []
    for name, runs in case["runs"].items():
        wall = median_of(runs, "wall")
        rows.append(
            (
                name,
                str(len(runs)),
                f"{wall:.2f}",
                f"{median_of(runs, 'cpu'):.2f}",
                f"{median_of(runs, 'peak') / MILLION:.0f}",
                *(f"{case['records'] / wall:,.0f}" for _ in rates),
                *(_number(median_of(runs, fact)) if fact in runs[0] else "" for fact in facts),
            )
        )
    heads = (
        "",
        "Runs",
        "Seconds",
        "CPU seconds",
        "Peak MB",
        *rates,
        *(fact.replace("_", " ").capitalize() for fact in facts),
    )
    return table(heads, rows, "l" + "r" * (len(heads) - 1))


def median_of(runs: Sequence[Mapping[str, float]], what: str) -> float:
    """Return the median of a measure or a fact over runs."""
    return float(statistics.median(run[what] for run in runs))


def _goal(figure: Mapping[str, Any]) -> str:
    for bound, sign in (("at_least", "≥"), ("at_most", "≤")):
        if figure[bound] is not None:
            return f"{sign} {_number(figure[bound])} {figure['unit']}".strip()
    return ""


def _number(value: float) -> str:
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], sides: str) -> str:
    """Return a Markdown table; ``sides`` has a letter for each column: left, right or centre."""
    rules = {"l": ":--", "r": "--:", "c": ":-:"}
    lines = [heads, [rules[side] for side in sides], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

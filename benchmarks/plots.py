"""Draws the growth curves as SVG; run by the interpreter of ``.tools/bench``, which has matplotlib.

python plots.py RESULTS.json FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "the same figures give the same file"

MEASURES = {"wall": ("seconds", 1.0), "peak": ("peak memory, MB", 1e-6)}


def draw(growth: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Draw seconds and memory over the number of records, both axes logarithmic, with a line for what is linear."""
    figure, axes = plt.subplots(1, len(MEASURES), figsize=(11, 4.5), layout="constrained")
    for axis, (measure, (label, factor)) in zip(axes, MEASURES.items(), strict=True):
        for name, points in growth.items():
            records = [point["records"] for point in points]
            axis.plot(records, [point[measure] * factor for point in points], marker="o", label=name)
        axis.set(xscale="log", yscale="log", xlabel="records", ylabel=label)
        axis.grid(alpha=0.3, which="both")
    top = max(growth.values(), key=lambda points: points[-1]["wall"])[-1]
    line = [top["records"] / 100, top["records"]]
    axes[0].plot(line, [top["wall"] / 100, top["wall"]], "k:", linewidth=1, label="linear")
    axes[0].legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    content: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    draw(content["cases"]["growth"]["growth"], Path(sys.argv[2]) / "growth.svg")

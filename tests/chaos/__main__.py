"""``python -m chaos``: the campaign on the command line."""

from __future__ import annotations

import argparse
import sys

from .campaign import run
from .sabotage import SABOTAGES


def main() -> int:
    """Run what was asked for; return 1 if a case failed."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="how many cases (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="what they are drawn from (%(default)s)")
    parser.add_argument("--case", type=int, help="only this case, and show everything of it")
    parser.add_argument("--workers", type=int, default=2, help="how many at once (%(default)s)")
    parser.add_argument("--sabotage", choices=SABOTAGES, help="break the target on purpose: cases must fail")
    asked = parser.parse_args()
    numbers = range(asked.runs) if asked.case is None else range(asked.case, asked.case + 1)
    return run(asked.seed, numbers, asked.workers, verbose=asked.case is not None, sabotage=asked.sabotage)


if __name__ == "__main__":
    sys.exit(main())

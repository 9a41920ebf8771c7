"""The command ``target-expensein``, also as ``python -m target_expensein``."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the target."""
    gc.disable()  # importing makes no garbage, but to look for it, 200 times, is an eighth of a short run
    from target_expensein.target import TargetExpenseIn  # noqa: PLC0415 - see above

    gc.freeze()
    gc.enable()
    TargetExpenseIn.cli()


if __name__ == "__main__":
    main()

"""``python -m target_expensein``."""

from __future__ import annotations

from target_expensein.target import TargetExpenseIn

TargetExpenseIn.cli()

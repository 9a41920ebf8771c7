"""Singer target for ExpenseIn."""

"""Emulators of AccountsIQ and ExpenseIn."""

"""ExpenseIn's REST API as this project assumes it: the profile (data), and the client that follows it."""

from __future__ import annotations

from target_expensein.api.client import ExpenseInClient, Snapshot
from target_expensein.api.errors import ApiError
from target_expensein.api.profile import Profile, load_profile
from target_expensein.api.wire import Value, decode, record_id

__all__ = [
    "ApiError",
    "ExpenseInClient",
    "Profile",
    "Snapshot",
    "Value",
    "decode",
    "load_profile",
    "record_id",
]

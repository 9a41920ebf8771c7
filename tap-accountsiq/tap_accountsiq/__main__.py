"""Makes ``python -m tap_accountsiq`` the same as the command ``tap-accountsiq``."""

from __future__ import annotations

from tap_accountsiq.tap import TapAccountsIQ

TapAccountsIQ.cli()

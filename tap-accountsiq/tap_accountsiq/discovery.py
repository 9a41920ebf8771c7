"""Makes the catalog that ``--discover`` prints: ``python -m tap_accountsiq.discovery`` writes it anew."""

from __future__ import annotations

from tap_accountsiq.__main__ import CATALOG
from tap_accountsiq.tap import TapAccountsIQ


def discovered() -> str:
    """Return the catalog as the declared streams give it, as JSON with a line feed at the end."""
    return f"{TapAccountsIQ(validate_config=False, setup_mapper=False).catalog_json_text}\n"


if __name__ == "__main__":
    CATALOG.write_text(discovered(), encoding="utf-8")

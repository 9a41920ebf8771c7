"""The settings that tap and target get in a case."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.testing import Sandbox

from .cases import Case
from .sides import ENTITY

ITEMS: Mapping[str, Mapping[str, Any]] = {
    "categories": {},
    "projects": {"source": "bi_codes"},
    "departments": {"source": "dimension_options", "dimension": "DEPT"},
    "tax_rates": {},
    "suppliers": {},
}
NO_LIMITS = {
    **dict.fromkeys(
        ("creates_count", "creates_percent", "updates_count", "updates_percent", "missing_percent"), -1
    ),
    **dict.fromkeys(("empty_source", "unrelated_source", "code_reused", "probable_recode"), "allow"),
}
"""The gate is not what is tried here."""

DISTURBED_TIMEOUT, TIMEOUT = 1, 30
"""Seconds that a request may take: few in a disturbed run, so that there are time-outs; else many, since a busy machine is
no fault."""


class Configs:
    """Writes the configuration of tap and target.

    Args:
        box: The services.
        case: The case.
        folder: Where it is played.

    Attributes:
        output: The target's output directory.
        ledger: Its ledger.
    """

    def __init__(self, box: Sandbox, case: Case, folder: Path) -> None:
        """Put the settings together."""
        self.output = folder / "output"
        self.ledger = folder / "ledger.db"
        self._folder = folder
        self._services = box.environment()
        self._tap = {
            "api_url": box.accountsiq_url,
            "client_id": box.client_id,
            "client_secret": box.client_secret,
            "entities": [ENTITY],
        }
        paging = {"style": case.expensein.get("paging", "none")}
        self._target = {
            "api_url": box.expensein_url,
            "api_key": box.api_key,
            "items": {
                name: {"enabled": True, "limits": NO_LIMITS, **settings} for name, settings in ITEMS.items()
            },
            "ledger": str(self.ledger),
            "output_dir": str(self.output),
            "concurrency": case.concurrency,
            "settle_seconds": case.settle_seconds,
            "api_profile": {
                "list": {"paging": paging, "envelope": case.expensein.get("envelope")},
                "create": {"shows_within": case.shows_within},
            },
        }

    def write(self, timeout: int = TIMEOUT, **changes: str) -> None:
        """Write the files.

        Args:
            timeout: Seconds that a request may take.
            changes: Other settings of the target that are different now.
        """
        for program, config in {"tap": self._tap, "target": self._target | changes}.items():
            (self._folder / f"{program}.json").write_text(json.dumps(config | {"request_timeout": timeout}))

    def environment(self) -> dict[str, str]:
        """Return the environment that says the same to Meltano, for a disturbed run."""
        settings: dict[str, Any] = {
            name.upper(): value for name, value in self._target.items() if name != "items"
        } | {"REQUEST_TIMEOUT": DISTURBED_TIMEOUT}
        for item, values in self._target["items"].items():
            settings |= {f"ITEMS_{item}_{name}".upper(): value for name, value in values.items()}
        ours = ("MELTANO_", "TAP_ACCOUNTSIQ_", "TARGET_EXPENSEIN_")
        home = str(self._folder / "home")
        return (
            {name: value for name, value in os.environ.items() if not name.startswith(ours)}
            | self._services
            | {
                f"TARGET_EXPENSEIN_{name}": value if isinstance(value, str) else json.dumps(value)
                for name, value in settings.items()
            }
            | {"NO_COLOR": "1", "XDG_CACHE_HOME": home, "XDG_STATE_HOME": home}
        )

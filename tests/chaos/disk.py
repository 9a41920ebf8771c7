"""Files and directories that cannot be written, also for root."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from pathlib import Path

from .configs import DISTURBED_TIMEOUT, Configs

FILES = {"report": "report.txt", "rejects": "rejects.jsonl"}


class Disk:
    """Makes trouble of one of the kinds of ``cases.DISKS``, and mends it.

    Args:
        folder: Where the case is played.
        configs: The settings of tap and target.
        rng: What is drawn from.
    """

    def __init__(self, folder: Path, configs: Configs, rng: random.Random) -> None:
        """Remember where everything is."""
        self._folder = folder
        self._configs = configs
        self._rng = rng

    def before(self, disk: str | None) -> int | None:
        """Write the settings of a disturbed run, and make the trouble that is there before it.

        Args:
            disk: The kind of trouble.

        Returns:
            What no file may grow beyond, in bytes; None when that is not the trouble.
        """
        changes: dict[str, str] = {}
        largest_file = None
        match disk:
            case "ledger":
                sizes = [path.stat().st_size for path in self._folder.glob(f"{self._configs.ledger.name}*")]
                largest_file = max([*sizes, 4096]) + self._rng.choice([0, 100, 5000, 20_000])
            case "output_read_only":
                changes = {"output_dir": str(self._nowhere())}
            case "ledger_read_only":
                changes = {"ledger": str(self._nowhere() / "ledger.db")}
        self._configs.write(DISTURBED_TIMEOUT, **changes)
        return largest_file

    def during(self, disk: str | None) -> None:
        """Put a directory where the run will want to write a file.

        Args:
            disk: The kind of trouble.
        """
        latest = self._configs.output / "latest"
        runs = [path for path in self._configs.output.glob("*") if path.is_dir() and path.name != "latest"]
        if disk == "latest" and (latest.is_symlink() or not latest.exists()):
            latest.unlink(missing_ok=True)
            (latest / "in the way").mkdir(parents=True)
        elif disk in FILES and runs:
            with suppress(FileExistsError):
                (max(runs, key=lambda path: path.stat().st_mtime_ns) / FILES[disk]).mkdir()

    def mend(self) -> None:
        """Let everything be written again, with the settings of an undisturbed run."""
        self._configs.write()
        blocked = [self._configs.output.glob(f"*/{name}") for name in FILES.values()]
        for path in (self._configs.output / "latest", *(path for some in blocked for path in some)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)

    def _nowhere(self) -> Path:
        """Return a directory below which nothing can be written."""
        blocked = self._folder / "a file"
        blocked.touch()
        return blocked / "below"

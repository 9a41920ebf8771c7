"""Progress in the log while writes go out: how many, how fast, how much longer."""

from __future__ import annotations

import logging
import threading
import time

INTERVAL_SECONDS = 5.0


class Progress:
    """Counts the writes of one item and logs a line every few seconds.

    Args:
        logger: Where the lines go.
        item: Name of the item.
        total: How many writes there are.
    """

    def __init__(self, logger: logging.Logger, item: str, total: int) -> None:
        """Start the clock."""
        self._logger = logger
        self._item = item
        self._total = total
        self._done = 0
        self._started = self._said = time.monotonic()
        self._lock = threading.Lock()

    def step(self) -> None:
        """Count one write; safe to call from any thread."""
        with self._lock:
            self._done += 1
            now = time.monotonic()
            if now - self._said < INTERVAL_SECONDS:
                return
            self._said = now
            rate = self._done / (now - self._started)
            left = max(self._total - self._done, 0) / rate
            self._logger.info(
                "%s: %d of %d written, %.0f/s, %.0f s left", self._item, self._done, self._total, rate, left
            )

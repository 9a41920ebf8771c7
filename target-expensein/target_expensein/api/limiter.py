"""The pause that all workers keep when the server asks for one."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class SharedPause:
    """A moment before which no worker sends anything; a 429 that meets one worker holds all of them."""

    def __init__(self, sleep: Callable[[float], object], clock: Callable[[], float] = time.monotonic) -> None:
        """Start without a pause.

        Args:
            sleep: Waits for a number of seconds.
            clock: Seconds of a clock that never goes back.
        """
        self._sleep = sleep
        self._clock = clock
        self._lock = threading.Lock()
        self._until = clock()

    def hold(self, seconds: float) -> None:
        """Let nobody send for so many seconds from now; a longer pause that is under way stays.

        Args:
            seconds: The length of the pause.
        """
        with self._lock:
            self._until = max(self._until, self._clock() + seconds)

    @property
    def until(self) -> float:
        """The end of the last pause, on the clock."""
        with self._lock:
            return self._until

    def wait(self) -> None:
        """Return when the pause is over; a pause that was lengthened meanwhile is kept too."""
        slept_until = None
        while (until := self.until) != slept_until:
            remaining = until - self._clock()
            if remaining > 0:
                self._sleep(remaining)
            slept_until = until

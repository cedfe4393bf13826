"""Tells of what breaks below a caller's connection of HTTP/3, never more often than a log can bear: who has found one
way to break his own may do so a thousand times a second."""

import logging
import time
from collections.abc import Callable
from typing import Final

LINES_EVERY_S: Final = 10.0

_log = logging.getLogger("meshway.gateway.http3")


class Faults:
    """Of one endpoint. untold: faults since the last line, of which the next one says how many they were."""

    __slots__ = ("_now", "_silent_until", "untold")

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._silent_until = 0.0
        self.untold = 0

    def tell(self, what: str, error: Exception) -> None:
        """what: became of the connection."""
        now = self._now()
        if now < self._silent_until:
            self.untold += 1
            return
        self._silent_until = now + LINES_EVERY_S
        more, self.untold = self.untold, 0
        behind = f" (and {more} others since the last line)" if more else ""
        _log.warning("%s, %s%s", what, type(error).__name__, behind, exc_info=error)

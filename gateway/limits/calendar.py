"""Days and months as a time zone has them: which one it is, and how long it still lasts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Per = Literal["day", "month"]


class Calendar:
    """timezone: of the IANA database. wall: seconds since 1970. Raises ZoneInfoNotFoundError."""

    __slots__ = ("_per", "_wall", "_zone")

    def __init__(self, per: Per, timezone: str, wall: Callable[[], float]) -> None:
        self._per = per
        self._wall = wall
        self._zone = UTC if timezone == "UTC" else ZoneInfo(timezone)

    def now(self) -> tuple[int, float]:
        """Its number (20261127, or 202611), which grows, and the seconds until the next one begins."""
        wall = self._wall()
        today = datetime.fromtimestamp(wall, self._zone)
        begin = today.replace(hour=0, minute=0, second=0, microsecond=0)
        if self._per == "day":
            number, following = today.year * 10_000 + today.month * 100 + today.day, begin + timedelta(days=1)
        else:
            number, following = today.year * 100 + today.month, (begin.replace(day=1) + timedelta(days=32))
            following = following.replace(day=1)
        # Arithmetic on times of a zone is that of its clocks, so a day of 23 hours ends at midnight, too.
        return number, following.timestamp() - wall

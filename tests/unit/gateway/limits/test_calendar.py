from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from gateway.limits.calendar import Calendar, Per


def at(text: str, zone: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("per", "zone", "now", "number", "left_s"),
    [
        ("day", "UTC", "2026-11-27T00:00:00", 20261127, 86_400.0),
        ("day", "UTC", "2026-12-31T23:59:59", 20261231, 1.0),
        ("month", "UTC", "2026-12-31T23:59:59", 202612, 1.0),
        ("month", "UTC", "2028-02-01T00:00:00", 202802, 29 * 86_400.0),
        ("month", "UTC", "2026-01-31T00:00:00", 202601, 86_400.0),
        ("day", "Asia/Kathmandu", "2026-11-27T23:00:00", 20261127, 3600.0),
        ("day", "Europe/Paris", "2026-03-29T00:00:00", 20260329, 23 * 3600.0),
        ("day", "Europe/Paris", "2026-10-25T00:00:00", 20261025, 25 * 3600.0),
        ("month", "Europe/Paris", "2026-10-01T00:00:00", 202610, 31 * 86_400.0 + 3600.0),
    ],
)
def test_days_and_months_are_those_of_the_zone(per: Per, zone: str, now: str, number: int, left_s: float) -> None:
    assert Calendar(per, zone, lambda: at(now, zone)).now() == (number, left_s)


def test_a_zone_that_nobody_knows_is_said_when_it_is_made() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        Calendar("day", "Mars/Olympus", lambda: 0.0)

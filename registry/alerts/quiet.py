"""When an alert that fires is told to nobody: by silences that somebody made, and at times its rule says. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshway.model.alert import MuteTime
    from registry.alerts.records import AlertState, Silence

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def silences_of(alert: AlertState, silences: Iterable[Silence], now: float) -> tuple[str, ...]:
    """Ids of those that cover it."""
    return tuple(silence.id for silence in silences if silence.covers(alert, now))


def is_muted(times: Iterable[MuteTime], now: float) -> bool:
    """now: seconds since 1970."""
    return any(_holds(each, now) for each in times)


def _holds(mute: MuteTime, now: float) -> bool:
    local = datetime.fromtimestamp(now, UTC if mute.timezone == "UTC" else ZoneInfo(mute.timezone))
    clock = f"{local.hour:02}:{local.minute:02}"
    today = _DAYS[local.weekday()]
    yesterday = _DAYS[(local - timedelta(days=1)).weekday()]
    days = mute.days or _DAYS
    if mute.from_ < mute.to:
        return today in days and mute.from_ <= clock < mute.to
    return (today in days and clock >= mute.from_) or (yesterday in days and clock < mute.to)

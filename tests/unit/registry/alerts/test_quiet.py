from datetime import UTC, datetime

from meshway.model.alert import MuteTime
from registry.alerts.quiet import is_muted


def at(day: int, hour: int, minute: int = 0) -> float:
    """Of January 2027, whose 16th is a Saturday."""
    return datetime(2027, 1, day, hour, minute, tzinfo=UTC).timestamp()


def test_a_time_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    night = (MuteTime(days=("sat",), from_="22:00", to="06:00"),)
    assert [is_muted(night, moment) for moment in (at(16, 21, 59), at(16, 22), at(17, 5, 59), at(17, 6))] == [
        False,
        True,
        True,
        False,
    ]
    assert not is_muted(night, at(16, 3)), "the night before began on a Friday"


def test_without_times_it_is_the_whole_day_and_without_days_every_one() -> None:
    assert is_muted((MuteTime(days=("sun",)),), at(17, 12))
    assert not is_muted((MuteTime(days=("sun",)),), at(18, 12))
    assert is_muted((MuteTime(from_="09:00", to="17:00"),), at(18, 12))
    assert not is_muted((), at(18, 12))


def test_clocks_are_those_of_the_time_zone() -> None:
    assert is_muted((MuteTime(from_="09:00", to="10:00", timezone="Asia/Shanghai"),), at(18, 1, 30))
    assert not is_muted((MuteTime(from_="09:00", to="10:00", timezone="Asia/Shanghai"),), at(18, 9, 30))

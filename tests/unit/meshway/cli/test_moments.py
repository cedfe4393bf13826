"""Which moment `--at` means."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from meshway.cli.failure import USAGE, CliError
from meshway.cli.moments import moment_of

NOW = datetime(2026, 11, 27, 14, 0, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("-15m", datetime(2026, 11, 27, 12, 45, tzinfo=UTC)),
        ("-0s", datetime(2026, 11, 27, 13, 0, tzinfo=UTC)),
        ("13:30", datetime(2026, 11, 27, 12, 30, tzinfo=UTC)),
        ("14:02", datetime(2026, 11, 26, 13, 2, tzinfo=UTC)),  # of yesterday: it was not yet today
        ("2026-11-27T09:00:00Z", datetime(2026, 11, 27, 9, 0, tzinfo=UTC)),
        ("2026-11-27T09:00:00+02:00", datetime(2026, 11, 27, 7, 0, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_in_the_zone_of_whoever_asks(written: str, moment: datetime) -> None:
    assert moment_of(written, NOW) == moment


@pytest.mark.parametrize(
    "written",
    ["yesterday", "-15", "-99999999999999h", "25:00", "2026-11-27T09:00:00", "0001-01-01T00:00:00+23:00", "r", ""],
)
def test_what_says_no_moment_is_usage(written: str) -> None:
    with pytest.raises(CliError) as refused:
        moment_of(written, NOW)
    assert (refused.value.code, "r811, -15m" in (refused.value.mend or "")) == (USAGE, True)

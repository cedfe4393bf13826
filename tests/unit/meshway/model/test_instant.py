import pytest

from meshway.model.instant import parse_instant


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02T00:00:00Z", 86_400.0),
        ("1970-01-02t01:00:00.5+01:00", 86_400.5),
        ("1970-01-02", 86_400.0),
    ],
)
def test_a_point_in_time_is_read(text: str, seconds: float) -> None:
    assert parse_instant(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2026-13-01", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00", "2026-W01"]
)
def test_what_is_none_or_says_no_zone_is_refused_with_the_mend(text: str) -> None:
    with pytest.raises(ValueError, match="write 2026-12-24T18:00:00Z"):
        parse_instant(text)

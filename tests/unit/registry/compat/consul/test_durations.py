"""Durations as Go writes them."""

import pytest

from registry.compat.consul.durations import parse_go_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("10s", 10), ("1m30s", 90), ("1.5h", 5400), ("250ms", 0.25), ("0", 0), (30_000_000_000, 30), ("100us", 1e-4)],
)
def test_texts_have_units_and_numbers_are_nanoseconds(written: object, seconds: float) -> None:
    assert parse_go_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize("written", ["", "10", "s", "-5s", "1d", "10s ", True, None, -1, 2**63, 1.5, "1s" * 60])
def test_what_is_no_duration_is_said(written: object) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_go_duration(written)

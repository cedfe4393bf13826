"""What people write is read as they mean it, and written back the shortest way."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshway.units import format_duration, format_rate, format_size, parse_duration, parse_rate, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("5s", 5.0), ("1m30s", 90.0), ("2h", 7200.0), ("1.5s", 1.5), ("0s", 0.0)]
)
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


def test_a_bare_number_is_refused_with_both_readings() -> None:
    with pytest.raises(ValueError, match="write 5s or 5ms"):
        parse_duration(5)


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "5d", "1s2m", "-1s", None, True, [], "5sms"])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10_000_000).map(lambda millis: millis / 1000.0) | st.floats(1e-9, 1e6))
@example(123.456789)
@example(0.0000001)
def test_a_written_duration_reads_back_the_very_same(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize("text", ["9" * 400 + "h", "9" * 400 + "ms", "٥s"])
def test_a_duration_of_absurd_length_or_in_other_digits_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=1 << 50))
def test_a_written_size_reads_back_the_same(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(("text", "size"), [("64KiB", 65536), ("10MiB", 10 << 20), ("17", 17), (17, 17)])
def test_a_size_is_bytes(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(("text", "per_second"), [("100/s", 100.0), ("60/m", 1.0), ("3600/h", 1.0)])
def test_a_rate_is_events_a_second(text: str, per_second: float) -> None:
    assert parse_rate(text) == per_second


RATES = st.tuples(st.decimals("0.01", "1000000", places=4), st.sampled_from("smh"))


@given(RATES.map(lambda rate: float(parse_rate(f"{rate[0]}/{rate[1]}"))) | st.floats(1e-6, 1e9))
@example(0.00001)
@example(1 / 3600)
def test_a_written_rate_reads_back_the_very_same(per_second: float) -> None:
    assert parse_rate(format_rate(per_second)) == per_second


@pytest.mark.parametrize("text", ["100/s", "1000/m", "10/h", "0.5/s", "7/s", "0.01/h"])
def test_a_rate_is_written_as_people_write_it(text: str) -> None:
    assert format_rate(parse_rate(text)) == {"0.5/s": "30/m"}.get(text, text)


@pytest.mark.parametrize("text", ["9" * 400 + "/s", "1e5/s", "-1/s", "5", "5/d", ""])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="rate"):
        parse_rate(text)

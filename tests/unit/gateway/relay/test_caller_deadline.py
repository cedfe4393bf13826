import pytest

from gateway.exchange import NEVER
from gateway.relay.caller_deadline import left_s


@pytest.mark.parametrize(("value", "seconds"), [(b"1500", 1.5), (b"0", 0.0), (b"999999999", 999_999.999)])
def test_whole_milliseconds_are_read(value: bytes, seconds: float) -> None:
    assert left_s(value) == seconds


@pytest.mark.parametrize("value", [b"", b"-1", b"1.5", b"1s", b"1000000000"])
def test_nonsense_is_no_deadline(value: bytes) -> None:
    assert left_s(value) == NEVER

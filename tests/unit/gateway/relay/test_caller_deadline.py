import pytest

from gateway.exchange import NEVER
from gateway.relay.caller_deadline import grpc_left_s, left_s


@pytest.mark.parametrize(("value", "seconds"), [(b"1500", 1.5), (b"0", 0.0), (b"999999999", 999_999.999)])
def test_whole_milliseconds_are_read(value: bytes, seconds: float) -> None:
    assert left_s(value) == seconds


@pytest.mark.parametrize("value", [b"", b"-1", b"1.5", b"1s", b"1000000000"])
def test_nonsense_is_no_deadline(value: bytes) -> None:
    assert left_s(value) == NEVER


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *((b"1500m", 1.5), (b"2S", 2.0), (b"1M", 60.0), (b"1n", 0.001)),
        *((b"5", NEVER), (b"S", NEVER), (b"123456789m", NEVER), (b"5S, 5S", NEVER)),
    ],
)
def test_what_a_caller_of_grpc_says_is_read_or_no_deadline(value: bytes, seconds: float) -> None:
    assert grpc_left_s(value) == seconds

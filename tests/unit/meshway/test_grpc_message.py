"""How gRPC frames a message and tells how a call ended."""

import pytest

from meshway.grpc_message import GrpcFault, framed, message_field, status_of, timeout_field, timeout_ms, unframed


@pytest.mark.parametrize("message", [b"", b"a", b"x" * 70_000])
def test_a_message_comes_back_whole(message: bytes) -> None:
    assert framed(message)[:1] == b"\0"
    assert unframed(framed(message)) == message


@pytest.mark.parametrize("body", [b"", b"\0\0\0", b"\1\0\0\0\1a", b"\0\0\0\0\2a", b"\0\0\0\0\1ab", framed(b"a") * 2])
def test_what_is_not_one_plain_message_is_a_fault(body: bytes) -> None:
    with pytest.raises(GrpcFault):
        unframed(body)


def test_a_status_is_one_of_seventeen() -> None:
    assert [status_of(text) for text in (b"0", b"7", b"16")] == [0, 7, 16]
    for text in (None, b"", b"17", b"-1", b"x", b"007"):
        with pytest.raises(GrpcFault):
            status_of(text)


def test_a_time_that_is_nearly_over_is_still_one() -> None:
    assert [timeout_field(each) for each in (0.2, 1.0, -3.0, 0.0001)] == [b"200m", b"1000m", b"1m", b"1m"]


def test_a_long_time_has_eight_digits_at_most() -> None:
    times = (99_999.999, 100_000.0, 10.0**8)
    assert [timeout_field(each) for each in times] == [b"99999999m", b"100000S", b"99999999S"]


@pytest.mark.parametrize(
    ("field", "milliseconds"),
    [(b"1S", 1_000), (b"2H", 7_200_000), (b"3M", 180_000), (b"250m", 250), (b"1u", 1), (b"1n", 1), (b"0n", 0)],
)
def test_a_timeout_is_read_in_whole_milliseconds(field: bytes, milliseconds: int) -> None:
    assert timeout_ms(field) == milliseconds


@pytest.mark.parametrize("field", [b"", b"S", b"1", b"1s", b"-1S", b"1.5S", b"123456789S", b" 1S"])
def test_what_is_no_timeout_is_none(field: bytes) -> None:
    assert timeout_ms(field) is None


def test_words_of_a_status_are_printable() -> None:
    assert message_field("100% \u00fcber\n") == b"100%25 %C3%BCber%0A"

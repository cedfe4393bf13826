"""How gRPC frames a message and tells how a call ended."""

import pytest

from meshway.grpc_message import GrpcFault, framed, status_of, timeout_field, unframed


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

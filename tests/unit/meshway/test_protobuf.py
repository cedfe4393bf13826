"""The wire format of Protocol Buffers, held against the protobuf library."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import BytesValue, DoubleValue, Int64Value
from hypothesis import given
from hypothesis import strategies as st

from meshway.protobuf import ProtobufFault, as_block, as_double, as_number, as_text, double, number, octets, read


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_numbers_are_written_as_the_library_writes_them(value: int) -> None:
    written = number(1, value)
    assert written == Int64Value(value=value).SerializeToString()
    assert [as_number(found) for _, found in read(written)] == ([value & (1 << 64) - 1] if value else [])


@given(st.binary(max_size=300))
def test_bytes_are_written_as_the_library_writes_them(value: bytes) -> None:
    written = octets(1, value)
    assert written == BytesValue(value=value).SerializeToString()
    assert [as_block(found) for _, found in read(written)] == ([value] if value else [])


@given(st.floats(allow_nan=False).filter(bool))
def test_doubles_are_written_as_the_library_writes_them(value: float) -> None:
    assert double(1, value) == DoubleValue(value=value).SerializeToString()
    assert [as_double(found) for _, found in read(double(1, value))] == [value]


def test_fields_come_in_order_and_those_of_every_kind_are_passed_over() -> None:
    message = b"\x08\x07\x11abcdefgh\x1dwxyz\x22\x02hi" + Timestamp(seconds=5).SerializeToString()
    assert list(read(message)) == [(1, 7), (2, b"abcdefgh"), (3, b"wxyz"), (4, b"hi"), (1, 5)]


@pytest.mark.parametrize(
    "message",
    [
        b"\x08",  # a number that is missing
        b"\x08\x80",  # cut in a number
        b"\x08" + b"\xff" * 9 + b"\x7f",  # 70 bits
        b"\x08" + b"\xff" * 10 + b"\x01",
        b"\x0a\x05abc",  # cut in a text
        b"\x0a\xff\xff\xff\xff\x0f",  # a length of 4 GiB
        b"\x09abc",
        b"\x0dab",
        b"\x0b",  # groups are of proto2
        b"\x00\x01",  # field 0
    ],
)
def test_what_is_no_message_is_a_fault(message: bytes) -> None:
    with pytest.raises(ProtobufFault):
        list(read(message))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_fault(message: bytes) -> None:
    try:
        found = list(read(message))
    except ProtobufFault:
        return
    assert sum(1 for _ in found) <= len(message)


def test_a_value_of_another_kind_is_a_fault() -> None:
    for judge, value in ((as_block, 1), (as_text, b"\xff"), (as_number, b"1"), (as_double, b"1234567"), (as_text, 3)):
        with pytest.raises(ProtobufFault):
            judge(value)

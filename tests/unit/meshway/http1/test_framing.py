"""Bodies: where they end, what is in them, whatever the split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshway.http1.framing import LAST_CHUNK, ChunkedReader, LengthReader, chunk, last_chunk
from meshway.http1.head import HeadError
from tests.parts.raw_reader import in_pieces


@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(0, 300), max_size=8), st.binary(max_size=8))
def test_what_is_framed_is_read_back_whatever_the_split(datas: list[bytes], cuts: list[int], rest: bytes) -> None:
    trailers = b"x-sum: 1\r\n"
    wire = b"".join(map(chunk, datas)) + last_chunk(trailers) + rest
    reader = ChunkedReader()
    assert b"".join(reader.feed(piece) for piece in in_pieces(wire, cuts)) == b"".join(datas)
    assert reader.ended
    assert (reader.trailers, reader.rest) == (trailers, rest)


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=4), st.integers(0, 60))
def test_a_length_ends_where_it_says(data: bytes, cuts: list[int], length: int) -> None:
    reader = LengthReader(length)
    assert b"".join(reader.feed(piece) for piece in in_pieces(data, cuts)) == data[:length]
    assert reader.ended == (len(data) >= length)
    assert reader.rest == data[length:]


def test_a_length_of_nothing_has_ended_before_the_first_byte() -> None:
    assert LengthReader(0).ended


def test_an_empty_piece_is_no_last_chunk() -> None:
    assert chunk(b"") == b""
    assert last_chunk() == LAST_CHUNK == last_chunk(b"")


def test_payload_is_given_before_the_chunk_is_whole() -> None:
    reader = ChunkedReader()
    assert reader.feed(b"ffffffff\r\nhel") == b"hel"
    assert reader.feed(b"lo") == b"lo"
    assert not reader.ended


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (b"1" * 17, 400),
        (b"5 ", 400),
        (b"5\nhello", 400),
        (b"5;a\n", 400),
        (b"5;" + b"a" * 4200, 400),
        (b"5\r\nhelloX", 400),
        (b"0\r\nx: " + b"a" * 8300, 431),
        (b"0\r\nx: \x00", 400),
        (b"0\r\nx: a\n", 400),
    ],
)
def test_a_line_that_can_only_be_wrong_is_not_waited_for(wire: bytes, status: int) -> None:
    with pytest.raises(HeadError) as caught:
        ChunkedReader().feed(wire)
    assert caught.value.status == status


def test_small_extensions_are_counted_together() -> None:
    with pytest.raises(HeadError):
        ChunkedReader().feed(b"1;a\r\nx\r\n" * 10_000)  # each extension is small, all together are not


def test_a_name_with_an_underscore_is_a_services_own_and_no_callers() -> None:
    said = b"0\r\nx_sum: 1\r\nmeshway_principal: a\r\ncontent_length: 3\r\n\r\n"
    for is_answer, trailers in ((True, b"x_sum: 1\r\n"), (False, b"")):
        reader = ChunkedReader(is_answer=is_answer)
        reader.feed(said)
        assert reader.trailers == trailers

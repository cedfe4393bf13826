import pytest

from gateway.wire.multiplexed.answer_reader import AnswerReader
from meshway.http1.field_lines import response_lines
from meshway.http1.head import HeadError, HeadLimits
from meshway.http1.message import CHUNKED, NO_BODY

FIELDS = ((b":status", b"200"), (b"x-kind", b"plain"))


def test_the_same_answer_to_the_same_method_is_the_same_head_and_another_one_is_not() -> None:
    reader = AnswerReader(HeadLimits(), response_lines())
    head = reader.read(FIELDS, b"GET", ended=False)
    assert reader.read(tuple(FIELDS), b"GET", ended=False) is head
    assert (head.status, head.body, head.block) == (200, CHUNKED, b"x-kind: plain\r\n")
    assert reader.read(FIELDS, b"HEAD", ended=False).body == NO_BODY
    assert reader.read(FIELDS, b"GET", ended=True).content_length == 0
    assert reader.read((*FIELDS, (b"x-more", b"1")), b"GET", ended=False).block.endswith(b"x-more: 1\r\n")


def test_an_answer_that_is_none_is_refused_each_time_and_the_next_one_is_read() -> None:
    reader = AnswerReader(HeadLimits(), response_lines())
    head = reader.read(FIELDS, b"GET", ended=False)
    for _ in range(2):
        with pytest.raises(HeadError):
            reader.read((*FIELDS, (b"content-length", b"none")), b"GET", ended=False)
    assert reader.read(FIELDS, b"GET", ended=False).block == head.block


def test_trailers_are_read_as_each_answer_has_them() -> None:
    reader = AnswerReader(HeadLimits(), response_lines())
    for code in (b"0", b"0", b"14", b"0"):
        assert reader.read_trailers(((b"grpc-status", code), (b"x", b"y"))) == b"grpc-status: %b\r\nx: y\r\n" % code
        with pytest.raises(HeadError):
            reader.read_trailers(((b"x", b"a\r\nb: c"),))
    assert reader.read_trailers(()) == b""

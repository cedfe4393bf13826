import gzip
import zlib

import pytest

from gateway.filters.compress import compile_encode, compile_response_filter
from gateway.plan import EncodedBody
from meshway.http1.message import CHUNKED
from meshway.model.rule_actions import Compression
from meshway.units import Size
from tests.parts.calls import call
from tests.parts.playbook import read_answer

ALL = Compression(min_size=Size(10))


def answer(fields: str = "", status: int = 200, length: int | None = 100) -> str:
    framing = "Transfer-Encoding: chunked\r\n" if length is None else f"Content-Length: {length}\r\n"
    return f"HTTP/1.1 {status} Said\r\nContent-Type: text/plain\r\n{fields}{framing}\r\n"


@pytest.mark.parametrize(
    "text",
    [
        answer("Content-Encoding: br\r\n"),
        answer("Cache-Control: max-age=1, No-Transform\r\n"),
        answer("Cache-Control: no-transform\r\nCache-Control: max-age=1\r\n"),
        answer("Repr-Digest: sha-256=:x:\r\n"),
        answer(status=206),
        answer(status=204),
        answer(length=9),
        answer().replace("text/plain", "image/png"),
    ],
)
def test_what_would_gain_nothing_or_lose_its_meaning_is_left_alone(text: str) -> None:
    exchange = call(headers={"Accept-Encoding": "gzip"})
    assert compile_encode(ALL)(exchange, read_answer(text)) is None


def test_a_caller_may_forbid_it() -> None:
    fields = {"Accept-Encoding": "gzip", "Cache-Control": "no-transform"}
    assert compile_encode(ALL)(call(headers=fields), read_answer(answer())) is None


def test_who_has_it_encoded_is_told_by_the_tag_he_knows_that_it_is_unchanged() -> None:
    encode = compile_encode(ALL)
    head = read_answer('HTTP/1.1 304 Said\r\nETag: "a"\r\nVary: Accept-Encoding\r\n\r\n')
    told = encode(call(headers={"Accept-Encoding": "gzip", "If-None-Match": 'W/"b", W/"a"'}), head)
    assert told is not None
    assert told.head.block == b'Vary: Accept-Encoding\r\nETag: W/"a"\r\n'
    for fields in ({"Accept-Encoding": "gzip", "If-None-Match": '"a"'}, {"If-None-Match": 'W/"a"'}):
        assert encode(call(headers=fields), head) is None


def test_the_head_says_what_became_of_the_body() -> None:
    head = read_answer(answer('ETag: "a"\r\nAccept-Ranges: bytes\r\n'))
    encoding = compile_encode(ALL)(call(headers={"Accept-Encoding": "gzip"}), head)
    assert encoding is not None
    assert encoding.head.body == CHUNKED
    assert encoding.head.block == b'Content-Type: text/plain\r\nContent-Encoding: gzip\r\nETag: W/"a"\r\n'
    assert head.body == 100
    text = b"a" * 100
    whole, body = encoding.whole(text)
    assert (whole.body, whole.block) == (len(body), encoding.head.block)
    assert gzip.decompress(body) == text
    assert encoding.whole(text)[0] is whole, "its bytes need not be made anew"
    longer, body = encoding.whole(bytes(range(100)))
    assert (longer.body, encoding.head.body) == (len(body), CHUNKED)
    assert longer.body != whole.body


def test_each_caller_gets_the_coding_he_takes_of_the_same_answer() -> None:
    encode = compile_encode(Compression(min_size=Size(10), encodings=("br", "gzip")))
    head = read_answer(answer())
    blocks = []
    for accepted in ("gzip, br", "gzip", "br", "gzip", "deflate"):
        encoding = encode(call(headers={"Accept-Encoding": accepted}), head)
        blocks.append(encoding and encoding.head.block.partition(b"Encoding: ")[2])
    assert blocks == [b"br\r\n", b"gzip\r\n", b"br\r\n", b"gzip\r\n", None]


@pytest.mark.parametrize("padding", ["", "x" * 2_000])
def test_who_does_not_take_it_gets_the_answer_as_it_is(padding: str) -> None:
    encode, head = compile_encode(ALL), read_answer(answer())
    taken = [
        encode(call(headers={"X-Padding": padding, **fields}), head) is not None
        for fields in ({}, {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "br"}, {}, {"Accept-Encoding": "gzip"})
    ]
    assert taken == [False, True, False, False, True]


def begun(length: int | None) -> EncodedBody:
    encoding = compile_encode(ALL)(call(headers={"Accept-Encoding": "gzip"}), read_answer(answer(length=length)))
    assert encoding is not None
    return encoding.begin(-1 if length is None else length)


def test_pieces_of_a_stream_can_be_read_as_they_come() -> None:
    body, reader = begun(None), zlib.decompressobj(31)
    assert [reader.decompress(body.feed(piece)) for piece in (b"one", b"two", b"")] == [b"one", b"two", b""]
    assert reader.decompress(body.end()) == b""
    assert reader.eof


def test_pieces_of_a_known_length_are_put_together() -> None:
    body = begun(100)
    pieces = [body.feed(b"a" * 50), body.feed(b"b" * 50), body.end()]
    assert gzip.decompress(b"".join(pieces)) == b"a" * 50 + b"b" * 50


@pytest.mark.parametrize(
    ("fields", "varies"),
    [
        ("", b"Vary: Accept-Encoding\r\n"),
        ("Vary: Origin\r\n", b"Vary: Origin\r\nVary: Accept-Encoding\r\n"),
        ("Vary: origin, accept-encoding\r\n", b"Vary: origin, accept-encoding\r\n"),
        ("Vary: *\r\n", b"Vary: *\r\n"),
    ],
)
def test_caches_are_told_what_it_depends_on(fields: str, varies: bytes) -> None:
    head = read_answer(answer(fields))
    compile_response_filter(ALL)(head)
    assert head.block == b"Content-Type: text/plain\r\n" + varies


def test_what_is_never_compressed_does_not_vary() -> None:
    head = read_answer(answer(length=9))
    compile_response_filter(ALL)(head)
    assert head.block == b"Content-Type: text/plain\r\n"

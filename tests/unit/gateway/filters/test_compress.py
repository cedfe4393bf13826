import gzip
import random
import zlib

import pytest

from gateway.filters.compress import compile_encode, compile_response_filter, takes_gzip
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
    ("accepted", "verdict"),
    [
        (b"", False),
        (b"gzip", True),
        (b"br, gzip;q=0.5", True),
        (b"x-gzip", True),
        (b"*", True),
        (b"*;q=0", False),
        (b"gzip;q=0, *", False),
        (b"gzip; q=0.0", False),
        (b"gzip;q=0.5, identity", False),
        (b"identity;q=0, *;q=0.1", True),
        (b"GZIP;q=nonsense", False),
        (b"deflate, br", False),
    ],
)
def test_what_a_caller_says_he_takes(accepted: bytes, verdict: bool) -> None:
    assert takes_gzip(accepted) is verdict


@pytest.mark.parametrize(
    "text",
    [
        answer("Content-Encoding: br\r\n"),
        answer("Cache-Control: max-age=1, No-Transform\r\n"),
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


def test_the_head_says_what_became_of_the_body() -> None:
    head = read_answer(answer('ETag: "a"\r\nAccept-Ranges: bytes\r\n'))
    encoded = compile_encode(ALL)(call(headers={"Accept-Encoding": "gzip"}), head)
    assert encoded is not None
    assert encoded.head.body == CHUNKED
    assert encoded.head.block == b'Content-Type: text/plain\r\nContent-Encoding: gzip\r\nETag: W/"a"\r\n'
    assert head.body == 100
    whole = encoded.whole(60)
    assert (whole.body, whole.block) == (60, encoded.head.block)
    assert encoded.whole(60) is whole, "its bytes need not be made anew"
    assert (encoded.whole(61).body, whole.body, encoded.head.body) == (61, 60, CHUNKED)


@pytest.mark.parametrize("padding", ["", "x" * 2_000])
def test_who_does_not_take_it_gets_the_answer_as_it_is(padding: str) -> None:
    encode, head = compile_encode(ALL), read_answer(answer())
    taken = [
        encode(call(headers={"X-Padding": padding, **fields}), head) is not None
        for fields in ({}, {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "br"}, {}, {"Accept-Encoding": "gzip"})
    ]
    assert taken == [False, True, False, False, True]


def test_pieces_of_a_stream_can_be_read_as_they_come() -> None:
    encoded = compile_encode(ALL)(call(headers={"Accept-Encoding": "gzip"}), read_answer(answer(length=None)))
    assert encoded is not None
    reader = zlib.decompressobj(31)
    assert [reader.decompress(encoded.feed(piece)) for piece in (b"one", b"two", b"")] == [b"one", b"two", b""]
    assert reader.decompress(encoded.end()) == b""
    assert reader.eof


def test_pieces_of_a_known_length_are_put_together() -> None:
    encoded = compile_encode(ALL)(call(headers={"Accept-Encoding": "gzip"}), read_answer(answer()))
    assert encoded is not None
    pieces = [encoded.feed(b"a" * 50), encoded.feed(b"b" * 50), encoded.end()]
    assert gzip.decompress(b"".join(pieces)) == b"a" * 50 + b"b" * 50


@pytest.mark.parametrize("size", [100, 4 << 10, (4 << 10) + 1, 16 << 10, (16 << 10) + 1, 200_000])
def test_answers_of_every_size_come_out_as_they_went_in(size: int) -> None:
    body = random.Random(size).choices(b"abcdefgh", k=size)
    encoded = compile_encode(ALL)(call(headers={"Accept-Encoding": "gzip"}), read_answer(answer(length=size)))
    assert encoded is not None
    compressed = encoded.feed(bytes(body)) + encoded.end()
    assert gzip.decompress(compressed) == bytes(body)
    assert len(compressed) < 0.6 * size + 60


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

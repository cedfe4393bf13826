import base64
import random

import pytest

from gateway.grpc import web


@pytest.mark.parametrize(
    ("kind", "is_web", "is_text"),
    [
        (b"application/grpc-web", True, False),
        (b"application/grpc-web+proto", True, False),
        (b"application/grpc-web-text", True, True),
        (b"application/grpc-web-text+json", True, True),
        (b"application/grpc", False, False),
        (b"application/grpc-webby", False, False),
        (b"", False, False),
    ],
)
def test_media_types_are_told_apart(kind: bytes, is_web: bool, is_text: bool) -> None:
    assert web.is_web(web.media_type(kind.upper() + b" ; charset=utf-8")) is is_web
    assert web.is_text(kind) is is_text


def test_messages_keep_their_type_and_the_answer_is_as_it_is_wanted() -> None:
    assert web.service_type(b"application/grpc-web-text+json") == b"application/grpc+json"
    text, accepts = b"application/grpc-web-text+proto", b"Accept: application/grpc-web+proto\r\n"
    assert web.answer_type(b"application/grpc", text, b"") == b"application/grpc-web-text+proto"
    assert web.answer_type(b"application/grpc+json", text, accepts) == b"application/grpc-web+json"
    assert web.answer_type(b"application/grpc", text, b"Accept: */*\r\n") == b"application/grpc-web-text+proto"


def test_trailers_are_a_frame_with_names_in_lower_case() -> None:
    assert web.trailers_frame(b"Grpc-Status: 0\r\n") == b"\x80\0\0\0\x10grpc-status: 0\r\n"


def test_text_in_pieces_with_paddings_of_their_own_is_read_however_it_is_split() -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    for _ in range(300):
        pieces = [chance.randbytes(chance.randrange(20)) for _ in range(chance.randrange(6))]
        text = b"".join(map(base64.b64encode, pieces))
        reader, read, at = web.TextReader(), b"", 0
        while at < len(text):
            step = chance.randrange(1, 9)
            read += reader.feed(text[at : at + step])
            at += step
        assert (read, reader.is_whole) == (b"".join(pieces), True), f"seed {seed}"


@pytest.mark.parametrize("text", [b"****", b"YQ==YQ=a", b"Y===", b"=YQ="])
def test_what_is_no_base64_is_told(text: bytes) -> None:
    with pytest.raises(web.NotText):
        web.TextReader().feed(text)


def test_text_that_stops_within_four_letters_is_not_whole() -> None:
    reader = web.TextReader()
    assert reader.feed(b"YWJjZ") == b"abc"
    assert not reader.is_whole

"""What a field section may say; the attacks of tests/integration/wire go through a connection."""

import pytest

from gateway.wire.http3.sections import Malformed, check_fields, check_request, size_of

GET = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a"), (b":path", b"/")]


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        (GET, -1),
        (GET[:2] + GET[3:], -1),  # who names its host by Host
        ([*GET, (b"content-length", b"12")], 12),
        ([*GET, (b"te", b"Trailers")], -1),
        ([(b":method", b"CONNECT"), (b":authority", b"a:1")], -1),
        ([(b":method", b"CONNECT"), *GET[1:], (b":protocol", b"websocket")], -1),
    ],
)
def test_a_request_says_how_long_its_body_is(fields: list[tuple[bytes, bytes]], length: int) -> None:
    assert check_request(fields) == length


@pytest.mark.parametrize(
    "fields",
    [
        [],
        GET[:-1],
        [(b":method", b"CONNECT"), *GET[1:]],
        [(b":method", b"CONNECT")],
        [(b":method", b"CONNECT"), *GET[2:], (b":protocol", b"websocket")],
        [*GET, (b":protocol", b"websocket")],
        [*GET, (b"x-a", b"\x00")],
        [*GET, (b"x-a", b" ")],
        [*GET, (b"x-a", b"1\t")],
        [*GET, (b"content-length", b"")],
        [*GET, (b"content-length", b"1" * 20)],
        [*GET, (b"te", b"trailers, gzip")],
        [*GET, (b"keep-alive", b"1")],
        [*GET, (b"proxy-connection", b"close")],
    ],
)
def test_what_is_no_request_is_told(fields: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Malformed):
        check_request(fields)


def test_trailers_are_fields_as_any_but_no_pseudo_fields() -> None:
    assert check_fields([(b"x-sum", b"1")]) == -1
    with pytest.raises(Malformed):
        check_fields([(b":path", b"/")])
    with pytest.raises(Malformed):
        check_fields([(b"x-sum", b" 1")])


def test_each_field_counts_for_more_than_its_bytes() -> None:
    assert size_of([(b"ab", b"c"), (b"", b"")]) == 3 + 2 * 32

"""Where credentials are found, and that none is left behind."""

import pytest

from gateway.authentication.places import are_in_head, compile_places, compile_removal
from gateway.exchange import EDGE, Exchange
from meshway.http1.fields import pairs
from meshway.http1.head import HeadLimits, RequestReader
from meshway.model.authentication import CredentialPlace, Place

HEADER, COOKIE, QUERY = CredentialPlace(header="X-Token"), CredentialPlace(cookie="t"), CredentialPlace(query="t")


def asked(fields: str = "", query: str = "") -> Exchange:
    head = RequestReader(HeadLimits()).read(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
    assert head is not None
    exchange = Exchange(head, EDGE, "127.0.0.1", 0.0)
    exchange.query = query.encode()
    return exchange


@pytest.mark.parametrize(
    ("place", "fields", "query", "found"),
    [
        ("bearer", "Authorization: Bearer a\r\n", "", [b"a"]),
        ("bearer", "authorization: bEaReR   a \r\n", "", [b"a"]),
        ("bearer", "Authorization: Bearera\r\n", "", []),
        ("bearer", "Authorization: Basic a\r\n", "", []),
        ("bearer", "Authorization: Bearer\r\n", "", []),
        ("bearer", "", "?t=a", []),
        (HEADER, "x-token: a\r\nX-TOKEN: b\r\n", "", [b"a", b"b"]),
        (HEADER, "x-token2: a\r\n", "", []),
        (COOKIE, "Cookie: a=1; t=a\r\n", "", [b"a"]),
        (COOKIE, "Cookie: tt=a\r\n", "", []),
        (QUERY, "", "?a=1&t=a%2Bb&t=c", [b"a+b", b"c"]),
        (QUERY, "", "?%74=a", [b"a"]),
        (QUERY, "", "?tt=a&x=t=a", []),
    ],
)
def test_credentials_are_found_at_their_place_only(place: Place, fields: str, query: str, found: list[bytes]) -> None:
    assert list(compile_places([place])(asked(fields, query))) == found


def test_credentials_at_several_places_are_all_found() -> None:
    exchange = asked("Authorization: Bearer a\r\nX-Token: b\r\nCookie: t=c\r\n", "?t=d")
    assert list(compile_places(["bearer", HEADER, COOKIE, QUERY])(exchange)) == [b"a", b"b", b"c", b"d"]
    assert are_in_head(["bearer", HEADER, COOKIE])
    assert not are_in_head([HEADER, QUERY])


@pytest.mark.parametrize(
    ("query", "left"),
    [("?t=a", ""), ("?a=1&t=x&b=%74", "?a=1&b=%74"), ("?%74=x&t&b", "?b"), ("?tt=1", "?tt=1"), ("", "")],
)
def test_what_is_taken_out_leaves_the_rest_as_it_was(query: str, left: str) -> None:
    fields = ("Accept: */*", "AUTHORIZATION: Digest x", "Cookie: a=1; t=2;b=3; t=4", "x-token: 1", "X-Token: 2", "X: y")
    exchange = asked("".join(f"{line}\r\n" for line in fields), query)
    compile_removal(["bearer", HEADER, COOKIE, QUERY])(exchange)
    assert pairs(exchange.block) == [(b"accept", b"*/*"), (b"x", b"y"), (b"cookie", b"a=1; b=3")]
    assert exchange.query == left.encode()
    alone = asked("Cookie: t=1\r\n")
    compile_removal([COOKIE])(alone)
    assert alone.block == b""

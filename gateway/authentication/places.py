"""Where callers put their credentials: read from the head as it came, taken out of what is forwarded."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from gateway.exchange import Exchange
from meshway.http1.cookies import cookie_value
from meshway.http1.fields import add, find_all, remove
from meshway.http1.query import decoded
from meshway.model.authentication import CredentialPlace, Place

_BEARER: Final = b"bearer "
_BASIC: Final = b"basic "

Credentials = Callable[[Exchange], Sequence[bytes]]


def compile_places(places: Iterable[Place]) -> Credentials:
    """All credentials of a call at these places: of an honest caller one."""
    readers = [_reader(place) for place in places]
    if len(readers) == 1:
        return readers[0]
    return lambda exchange: [value for read in readers for value in read(exchange)]


def are_in_head(places: Iterable[Place]) -> bool:
    """Whether the block of fields alone says what credentials a call has."""
    return all(place == "bearer" or place.query is None for place in places)


def compile_removal(places: Collection[Place]) -> Callable[[Exchange], None]:
    """Takes out whatever stands at these places, and `Authorization` with any scheme."""
    blocks = [place for place in places if isinstance(place, CredentialPlace)]
    headers = {b"authorization", *(place.header.lower().encode() for place in blocks if place.header is not None)}
    cookies = {place.cookie.encode() for place in blocks if place.cookie is not None}
    queries = {place.query.encode() for place in blocks if place.query is not None}

    def take_out(exchange: Exchange) -> None:
        exchange.block = remove(exchange.block, headers)
        if cookies:
            exchange.block = _without_cookies(exchange.block, cookies)
        if queries and exchange.query:
            exchange.query = _without_parts(exchange.query, queries)

    return take_out


def _reader(place: Place) -> Credentials:
    if not isinstance(place, CredentialPlace):
        return _bearer
    if place.header is not None:
        header = place.header.lower().encode()
        return lambda exchange: find_all(exchange.head.block, header)
    if place.cookie is not None:
        cookie = place.cookie.encode()

        def of_cookie(exchange: Exchange) -> Sequence[bytes]:
            value = cookie_value(exchange.head.block, cookie)
            return () if value is None else (value,)

        return of_cookie
    assert place.query is not None
    name = place.query.encode()
    return lambda exchange: [
        decoded(value)
        for key, _, value in (pair.partition(b"=") for pair in exchange.query[1:].split(b"&"))
        if decoded(key) == name
    ]


def basic(exchange: Exchange) -> Sequence[bytes]:
    """Of `Authorization: Basic …` what is in base64."""
    return _of_scheme(exchange, _BASIC)


def _bearer(exchange: Exchange) -> Sequence[bytes]:
    return _of_scheme(exchange, _BEARER)


def _of_scheme(exchange: Exchange, scheme: bytes) -> Sequence[bytes]:
    value = exchange.head.named.get(b"authorization")
    if value is None or value[: len(scheme)].lower() != scheme:
        return ()
    return (value[len(scheme) :].strip(b" "),)


def _without_cookies(block: bytes, names: Collection[bytes]) -> bytes:
    lines = find_all(block, b"cookie")
    kept = [
        pair.strip(b" \t")
        for line in lines
        for pair in line.split(b";")
        if pair.strip(b" \t") and pair.partition(b"=")[0].strip(b" \t") not in names
    ]
    if not lines:
        return block
    block = remove(block, (b"cookie",))
    return add(block, b"Cookie", b"; ".join(kept)) if kept else block


def _without_parts(query: bytes, names: Collection[bytes]) -> bytes:
    kept = [pair for pair in query[1:].split(b"&") if decoded(pair.partition(b"=")[0]) not in names]
    return b"?" + b"&".join(kept) if kept else b""

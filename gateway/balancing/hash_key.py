"""What of a call is hashed, so that one caller's calls meet at one endpoint."""

from collections.abc import Callable

from gateway.balancing.pick import Random
from gateway.balancing.stable_hash import SPACE, stable_hash
from gateway.exchange import Exchange
from gateway.limits.key import part_reader
from meshway.http1.fields import find_all

HashOf = Callable[[Exchange], int]


def compile_hash(kind: str, name: str, random: Random) -> HashOf:
    """kind: `header cookie query source_ip path`; name: of the first three. A call without it goes anywhere."""
    if kind == "path":
        return lambda exchange: stable_hash(exchange.path)
    read = _cookie_reader(name.encode()) if kind == "cookie" else part_reader(f"{kind}.{name}" if name else kind)

    def hash_of(exchange: Exchange) -> int:
        value = read(exchange)
        return stable_hash(value.encode()) if value is not None else int(random() * SPACE)

    return hash_of


def _cookie_reader(wanted: bytes) -> Callable[[Exchange], str | None]:
    def read(exchange: Exchange) -> str | None:
        value = cookie(exchange.block, wanted)
        return None if value is None else value.decode("latin-1")

    return read


def cookie(block: bytes, wanted: bytes) -> bytes | None:
    """The first cookie of this name (RFC 6265 §5.4); names are case-sensitive."""
    for line in find_all(block, b"cookie"):
        for pair in line.split(b";"):
            name, equals, value = pair.strip(b" \t").partition(b"=")
            if equals and name == wanted:
                return value.strip(b'"')
    return None

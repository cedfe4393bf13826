"""What of a call is hashed, so that one caller's calls meet at one endpoint."""

from collections.abc import Callable

from gateway.balancing.pick import Random
from gateway.balancing.stable_hash import SPACE, stable_hash
from gateway.exchange import Exchange
from gateway.limits.key import part_reader
from meshway.http1.cookies import cookie_value

HashOf = Callable[[Exchange], int]


def compile_hash(kind: str, name: str, random: Random) -> HashOf:
    """kind: `header cookie query source_ip path`; name: of the first three. A call without it goes anywhere."""
    if kind == "path":
        return lambda exchange: stable_hash(exchange.path)
    read = part_of(kind, name)

    def hash_of(exchange: Exchange) -> int:
        value = read(exchange)
        return stable_hash(value.encode()) if value is not None else int(random() * SPACE)

    return hash_of


def part_of(kind: str, name: str) -> Callable[[Exchange], str | None]:
    """Reads a `header`, `cookie`, `query` field or the `source_ip`; None: the call has none."""
    if kind != "cookie":
        return part_reader(f"{kind}.{name}" if name else kind)
    wanted = name.encode()

    def cookie(exchange: Exchange) -> str | None:
        value = cookie_value(exchange.block, wanted)
        return None if value is None else value.decode("latin-1")

    return cookie

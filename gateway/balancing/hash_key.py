"""What of a call is hashed, so that one caller's calls meet at one endpoint."""

from collections.abc import Callable
from typing import Final

from gateway.balancing.pick import Random
from gateway.balancing.stable_hash import SPACE, stable_hash
from gateway.exchange import Exchange
from gateway.limits.key import part_reader
from meshway.http1.cookies import cookie_value

HashOf = Callable[[Exchange], int]
_REMEMBERED: Final = 512  # blocks of fields
_LONGEST: Final = 1024  # bytes of one


def compile_hash(kind: str, name: str, random: Random) -> HashOf:
    """kind: `header cookie query source_ip path`; name: of the first three. A call without it goes anywhere."""
    if kind == "path":
        return lambda exchange: stable_hash(exchange.path)
    found = known_hash(kind, name)

    def hash_of(exchange: Exchange) -> int:
        value = found(exchange)
        return int(random() * SPACE) if value is None else value

    return hash_of


def known_hash(kind: str, name: str) -> Callable[[Exchange], int | None]:
    """Of a `header`, `cookie`, `query` field or the `source_ip`; None: the call has none.

    Callers mostly send the same block of fields again, and one connection the same object, whose own hash is known: to
    look it up costs a tenth of reading the field and hashing it.
    """
    read = part_of(kind, name)
    if kind not in ("header", "cookie"):
        return lambda exchange: _hash(read(exchange))
    known: dict[bytes, int | None] = {}

    def hash_of(exchange: Exchange) -> int | None:
        block = exchange.block
        if block in known:
            return known[block]
        hashed = _hash(read(exchange))
        if len(block) <= _LONGEST:
            if len(known) >= _REMEMBERED:
                known.clear()
            known[block] = hashed
        return hashed

    return hash_of


def _hash(value: str | None) -> int | None:
    return None if value is None else stable_hash(value.encode())


def part_of(kind: str, name: str) -> Callable[[Exchange], str | None]:
    """Reads a `header`, `cookie`, `query` field or the `source_ip`; None: the call has none."""
    if kind != "cookie":
        return part_reader(f"{kind}.{name}" if name else kind)
    wanted = name.encode()

    def cookie(exchange: Exchange) -> str | None:
        value = cookie_value(exchange.block, wanted)
        return None if value is None else value.decode("latin-1")

    return cookie

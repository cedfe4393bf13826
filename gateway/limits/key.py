"""By what a limit counts: the parts of its key, read from the exchange and joined."""

import ipaddress
from collections.abc import Callable, Mapping, Sequence

from gateway.exchange import Exchange
from meshway.http1.fields import find_all
from meshway.http1.query import first_value
from meshway.identity import claim, claim_texts

PartOf = Callable[[Exchange], str | None]
Captured = Callable[[bytes], Mapping[str, bytes]]
_IPV6_PREFIX_BITS = 64  # one household or one host has a whole /64, so a single address is no caller


def compile_key(
    parts: Sequence[str],
    *,
    service: str,
    route: str,
    rule: str,
    shares_missing: bool,
    captured: Captured = lambda _: {},
) -> Callable[[Exchange], str | None]:
    """Parts: `source_ip principal consumer service route rule method constant path.NAME header.NAME query.NAME
    claim.NAME`; none: one bucket.

    service, route, rule: of the plan. shares_missing: callers without a part share one bucket, else the key is None.
    captured: what the names in the rule's paths stand for in a path.
    """
    readers = [part_reader(part, service, route, rule, captured) for part in parts if part != "constant"]
    if not readers:
        return lambda _: ""
    if len(readers) == 1:
        only = readers[0]
        if not shares_missing:
            return only
        return lambda exchange: only(exchange) or ""

    def key_of(exchange: Exchange) -> str | None:
        values = []
        for reader in readers:
            value = reader(exchange)
            if value is None:
                if not shares_missing:
                    return None
                value = ""
            # Lengths keep ("a", "bc") and ("ab", "c") apart whatever the values hold.
            values.append(f"{len(value)}:{value}")
        return "".join(values)

    return key_of


def part_reader(
    part: str, service: str = "", route: str = "", rule: str = "", captured: Captured = lambda _: {}
) -> PartOf:
    """Reads one part; None: the call has none."""
    kind, _, name = part.partition(".")
    if kind == "source_ip":
        return _source_ip
    if kind == "method":
        return lambda exchange: exchange.method.decode("latin-1")
    if kind == "header":
        return _header_reader(name.lower().encode())
    if kind == "principal":
        return _principal
    if kind == "consumer":
        return _consumer
    if kind == "claim":
        return _claim_reader(name)
    if kind == "path":
        return lambda exchange: _text(captured(exchange.path).get(name))
    if kind == "query":
        return _query_reader(name.encode())
    constant = {"service": service, "route": route, "rule": rule}[kind]
    return lambda _: constant


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _header_reader(wanted: bytes) -> PartOf:
    """A connection mostly sends the same block of fields again, as the same object (`meshway/http1/block_memo.py`):
    then it is not searched again."""
    last: bytes = b""
    found: str | None = None

    def read(exchange: Exchange) -> str | None:
        nonlocal last, found
        block = exchange.block
        if block is not last:
            values = find_all(block, wanted)
            last, found = block, b", ".join(values).decode("latin-1") if values else None
        return found

    return read


def _source_ip(exchange: Exchange) -> str | None:
    peer = exchange.peer
    if ":" not in peer:
        return peer or None
    try:
        address = ipaddress.IPv6Address(peer.partition("%")[0])
    except ValueError:
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(int(address) >> (128 - _IPV6_PREFIX_BITS))


def _principal(exchange: Exchange) -> str | None:
    """Who proved nothing is nobody, whatever he says."""
    principal = exchange.principal
    return principal.name if principal is not None and principal.method else None


def _consumer(exchange: Exchange) -> str | None:
    principal = exchange.principal
    return (principal.consumer or None) if principal is not None and principal.method else None


def _claim_reader(path: str) -> PartOf:
    """Of a claim that is a list all of its texts together, in their order."""

    def read(exchange: Exchange) -> str | None:
        principal = exchange.principal
        if principal is None or not principal.method:
            return None
        texts = claim_texts(claim(principal.claims, path))
        if len(texts) == 1:
            return texts[0]
        return "".join(f"{len(text)}:{text}" for text in texts) if texts else None

    return read


def _query_reader(wanted: bytes) -> PartOf:
    def read(exchange: Exchange) -> str | None:
        value = first_value(exchange.query, wanted)
        return None if value is None else value.decode("latin-1")

    return read

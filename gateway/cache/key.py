"""By what answers are told apart: what is asked for, and what else may make the answer another one.

Every field that the plan reads or writes on the way to the service is in it, or one caller could choose, by a field
that is not, what others get (Kettle 2018, "Practical Web Cache Poisoning"). The authority is in it as the service and
as `X-Forwarded-Host` tell it, port and all.
"""

import re
from collections.abc import Callable, Hashable, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from gateway.cache.selection import value_of
from gateway.exchange import Exchange
from gateway.plan import STRICT
from gateway.routing.path import PathError, canonical
from meshway.http1.cookies import cookie_value
from meshway.http1.fields import find
from meshway.http1.query import decoded

# What a trusted proxy has taken over of its caller's: mostly whatever that wrote.
_ORIGINS: Final = (b"x-forwarded-proto", b"x-forwarded-host")
_OF_FORWARDED: Final = re.compile(rb"(?:host|proto)[ \t]*=[ \t]*(?:\"[^\"]*\"|[^;,]*)", re.IGNORECASE)

Target = tuple[str, bytes, bytes, bytes, bytes]


class Key(NamedTuple):
    """target: listener, scheme, authority, path and query, as the caller wrote them, canonical. parts: what else."""

    target: Target
    parts: Hashable


def compile_key(
    *, query: Sequence[str] | None, headers: Sequence[str], cookies: Sequence[str], per_principal: bool
) -> Callable[[Exchange], Key]:
    """query: of these names alone, in the order in which they come; None: all of it. headers, cookies: by name; an
    absent one is another than an empty one."""
    fields = tuple(sorted({name.lower().encode() for name in headers}))
    named = tuple(sorted({name.encode() for name in cookies}))
    of_query = compile_query(query)

    def parts_of(exchange: Exchange) -> Hashable:
        block = exchange.block
        parts: list[bytes | str | None] = [value_of(block, name) for name in fields]
        parts += [cookie_value(exchange.head.block, name) for name in named]
        if per_principal:
            principal = exchange.principal
            parts.append(None if principal is None else f"{principal.method} {principal.name} {principal.consumer}")
        return (*parts, *_origins(exchange))

    if not fields and not named and not per_principal:
        return lambda exchange: Key(target_of(exchange, of_query), _origins(exchange))
    return lambda exchange: Key(target_of(exchange, of_query), parts_of(exchange))


def _origins(exchange: Exchange) -> tuple[bytes | None, ...]:
    """Scheme and host as a proxy before us tells the service, where they may be others than ours."""
    named = exchange.head.named
    if b"x-forwarded-host" not in named and b"x-forwarded-proto" not in named and b"forwarded" not in named:
        return ()
    told = exchange.forwarded
    return *(find(told, name) for name in _ORIGINS), *_OF_FORWARDED.findall(find(told, b"forwarded") or b"")


QueryOf = Callable[[bytes], bytes]


def compile_query(names: Sequence[str] | None) -> QueryOf:
    if names is None:
        return bytes  # as it is
    wanted = frozenset(name.encode() for name in names)
    # Some services read `;` as `&`: what stands behind it is another parameter to them (Kettle 2020, "Web Cache
    # Entanglement").

    def of_these(query: bytes) -> bytes:
        pairs = query[1:].split(b"&")
        return b"&".join(pair for pair in pairs if pair.find(b";") >= 0 or decoded(pair.partition(b"=")[0]) in wanted)

    return of_these


def target_of(exchange: Exchange, of_query: QueryOf) -> Target:
    head, plan = exchange.head, exchange.plan
    if head.path is not None and plan is not None and plan.slashes is STRICT:
        path, query = head.path
    else:  # what a Route lets pass is read otherwise; as it was written it is no less a name
        path, _, rest = head.target.partition(b"?")
        query = b"?" + rest
    return (exchange.listener_name, exchange.scheme, head.authority.lower(), path, of_query(query))


def target_beside(exchange: Exchange, location: bytes, of_query: QueryOf) -> Target | None:
    """Of what a Location or Content-Location names, where that is of the call's own origin; None: it is not, or
    nothing that can be asked for (RFC 9111 §4.4)."""
    head = exchange.head
    try:
        parts = urlsplit(location.decode("ascii"))
    except ValueError:
        return None
    if parts.netloc and (
        parts.netloc.lower().encode() != head.authority.lower() or parts.scheme not in ("", exchange.scheme.decode())
    ):
        return None
    if not parts.path.startswith("/"):
        return None
    try:
        path, query = canonical(f"{parts.path}?{parts.query}".encode() if parts.query else parts.path.encode())
    except PathError:
        return None
    return (exchange.listener_name, exchange.scheme, head.authority.lower(), path, of_query(query))

"""What must hold inside a TcpRoute and a TlsRoute."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from meshway.model.connection_route import ConnectionLimits, TcpRoute, TlsRoute
from meshway.model.listener import LISTENERS
from meshway.model.match_rules import networks
from meshway.model.names import bad_host
from meshway.model.rule_kit import BlockRule, Finding, bounded, unique

_DAY: Final = 86_400.0


def _listeners(part: Any) -> Iterator[Finding]:
    yield from unique(part.listeners, lambda at: f".listeners[{at}]", "listener")
    for at, name in enumerate(part.listeners):
        if name in LISTENERS:
            reason = f"{name} speaks HTTP: write a Listener of protocol tcp or tls"
            yield Finding(f".listeners[{at}]", "forbidden_combination", reason)


def _weights(part: Any) -> Iterator[Finding]:
    if sum(destination.weight for destination in part.destinations) == 0:
        yield Finding(".destinations", "out_of_bounds", "the weights add up to 0: nobody would get a connection")


def _hosts(part: Any) -> Iterator[Finding]:
    for at, host in enumerate(part.hosts):
        if (fault := bad_host(host, wildcard=True)) is not None:
            yield Finding(f".hosts[{at}]", "bad_name", fault)
    yield from unique(part.hosts, lambda at: f".hosts[{at}]", "host")


SHARED_RULES: Final = (
    BlockRule(("listeners",), _listeners),
    BlockRule(("destinations",), _weights),
)
_OF_BYTES: Final = (
    *SHARED_RULES,
    networks("source"),
    bounded("idle", 0.1, _DAY, zero=True),
    bounded("half_close", 0.1, _DAY, zero=True),
    bounded("max_duration", 0.1, 30 * _DAY, zero=True),
)
CONNECTION_ROUTE_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    ConnectionLimits: (bounded("bytes_per_second", 64, 1 << 40, zero=True),),
    TcpRoute: _OF_BYTES,
    TlsRoute: (*_OF_BYTES, BlockRule(("hosts",), _hosts)),
}

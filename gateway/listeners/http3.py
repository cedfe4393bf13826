"""The listener of HTTP/3 at the edge: imported only where a document wants one, since aioquic comes with it."""

import asyncio
from collections.abc import Callable

from gateway.exchange import EDGE
from gateway.relay.forwarding import Networks
from gateway.relay.relay import Relay
from gateway.settings import WorkerSettings
from gateway.wire.connection_limits import limits_of
from gateway.wire.http3.endpoint import Endpoint
from gateway.wire.http3.quic import ResetTokens
from gateway.wire.listener_context import ListenerContext
from gateway.wire.places import Places
from gateway.wire.tls import TlsFace


def http3_listener(
    relay: Relay,
    settings: WorkerSettings,
    trusted_proxies: Networks,
    places: Places,
    tls: TlsFace,
    name: str,
    count: Callable[[bool], None],
    reset_key: bytes,
    *,
    may_migrate: bool,
) -> ListenerContext:
    """As `Endpoint`, which has the datagrams."""
    tokens = ResetTokens(reset_key)
    return ListenerContext(
        EDGE,
        relay,
        b"meshway-" + settings.node.encode(),
        limits=limits_of(settings, body_rate=settings.body_min_rate, per_address=settings.max_connections_per_address),
        trusted_proxies=trusted_proxies,
        places=places,
        tls=tls,
        name=name,
        spoken="http3",
        receiving=lambda listener, accepting: Endpoint(
            asyncio.get_running_loop(), listener, accepting, tokens, count, may_migrate=may_migrate
        ),
    )

"""The edge listener: what outsiders reach. It exposes only what a Route exposes, and trusts nothing they say."""

from gateway.exchange import EDGE
from gateway.relay.forwarding import Networks
from gateway.relay.relay import Relay
from gateway.settings import WorkerSettings
from gateway.wire.connection_limits import limits_of
from gateway.wire.http1.server import ServerProtocol
from gateway.wire.http2.server import Http2Connection
from gateway.wire.listener_context import ListenerContext
from gateway.wire.places import Places
from gateway.wire.tls import TlsFace


def edge_listener(
    relay: Relay,
    settings: WorkerSettings,
    trusted_proxies: Networks,
    places: Places,
    tls: TlsFace | None = None,
    name: str = "",
) -> ListenerContext:
    """What all connections of an edge listener share in a worker. trusted_proxies: whose X-Forwarded-* is believed.
    name: of a Listener's own."""
    # A body below this rate holds a connection for nothing; inside the mesh slow senders are known ones.
    limits = limits_of(settings, body_rate=settings.body_min_rate, per_address=settings.max_connections_per_address)
    via_id = b"meshway-" + settings.node.encode()
    return ListenerContext(
        EDGE,
        relay,
        via_id,
        limits=limits,
        trusted_proxies=trusted_proxies,
        places=places,
        tls=tls,
        name=name,
        multiplexing=Http2Connection,
        caller=ServerProtocol,
    )

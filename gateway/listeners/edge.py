"""The edge listener: what outsiders reach. It exposes only what a Route exposes, and trusts nothing they say."""

from gateway.exchange import EDGE
from gateway.relay.forwarding import Networks
from gateway.relay.relay import Relay
from gateway.settings import WorkerSettings
from gateway.wire.http1.listener_context import ConnectionLimits, ListenerContext
from meshway.http1.head import HeadLimits

# A body below this rate holds a connection for nothing; inside the mesh slow senders are known ones.
BODY_RATE = 100
PER_ADDRESS = 1_000


def edge_listener(relay: Relay, settings: WorkerSettings, trusted_proxies: Networks) -> ListenerContext:
    """What all edge connections of a worker share. trusted_proxies: whose X-Forwarded-* is believed."""
    limits = ConnectionLimits(
        head=HeadLimits(settings.max_head, settings.max_fields, settings.max_target),
        body_rate=BODY_RATE,
        per_address=PER_ADDRESS,
    )
    return ListenerContext(
        EDGE, relay, b"meshway-" + settings.node.encode(), limits=limits, trusted_proxies=trusted_proxies
    )

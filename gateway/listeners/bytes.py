"""A Listener of protocol tcp or tls: its connections are carried as they are, by TcpRoutes and TlsRoutes."""

from functools import partial

from gateway.exchange import EDGE, MESH
from gateway.relay.forwarding import Networks
from gateway.relay.relay import Relay
from gateway.settings import WorkerSettings
from gateway.wire.connection_limits import limits_of
from gateway.wire.listener_context import ListenerContext
from gateway.wire.places import Places
from gateway.wire.proxy_protocol import Told
from gateway.wire.tcp.caller import Carriage, TcpCaller
from gateway.wire.tcp.named_caller import NamedCaller
from gateway.wire.tls import TlsFace
from meshway.model.listener import EDGE as EDGE_FACE
from meshway.model.listener import Spoken


def bytes_listener(
    relay: Relay,
    settings: WorkerSettings,
    trusted_proxies: Networks,
    places: Places,
    carriage: Carriage,
    name: str,
    face: str,
    spoken: Spoken,
    tls: TlsFace | None = None,
) -> ListenerContext:
    """What all its connections share in a worker. trusted_proxies: as on a listener of HTTP of its face."""
    is_edge = face == EDGE_FACE
    limits = limits_of(settings, per_address=settings.max_connections_per_address if is_edge else 0)
    caller = NamedCaller if spoken == "passthrough" else TcpCaller
    return ListenerContext(
        EDGE if is_edge else MESH,
        relay,
        b"",
        limits=limits,
        trusted_proxies=trusted_proxies if is_edge else (),
        places=places,
        tls=tls,
        name=name,
        caller=partial(_make, caller, carriage),
        spoken=spoken,
    )


def _make(kind: type[TcpCaller], carriage: Carriage, listener: ListenerContext, told: Told | None) -> TcpCaller:
    return kind(listener, told, carriage)

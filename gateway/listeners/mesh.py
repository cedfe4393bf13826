"""The mesh listener: services call each other here, by `Host: <service>.<namespace>.mesh` or as an HTTP proxy."""

from collections.abc import Callable
from functools import partial

from gateway.exchange import MESH, Exchange
from gateway.relay.explained import Tell
from gateway.relay.relay import Relay
from gateway.settings import WorkerSettings
from gateway.wire.connection_limits import limits_of
from gateway.wire.http1.server import ServerProtocol
from gateway.wire.http2.server import Http2Connection
from gateway.wire.listener_context import ListenerContext
from gateway.wire.places import Places
from gateway.wire.tcp.caller import Carriage
from gateway.wire.tcp.connect_caller import ConnectCaller
from gateway.wire.tls import TlsFace


def mesh_listener(
    relay: Relay,
    settings: WorkerSettings,
    places: Places,
    explain: Callable[[Exchange], Tell | None] | None = None,
    tls: TlsFace | None = None,
    name: str = "",
    carriage: Carriage | None = None,
) -> ListenerContext:
    """What all mesh connections of a worker share, those with TLS or those without.

    One host may hold many services, so no limit per address.
    """
    limits = limits_of(settings)
    via_id = b"meshway-" + settings.node.encode()
    return ListenerContext(
        MESH,
        relay,
        via_id,
        limits=limits,
        explain=explain,
        places=places,
        tls=tls,
        name=name,
        multiplexing=Http2Connection,
        caller=ServerProtocol,
        connecting=None if carriage is None else partial(ConnectCaller, carriage),
    )

"""Listeners of datagrams, of either face: who may send is said by the policies of the service that has them."""

from gateway.exchange import EDGE, FACES, MESH
from gateway.limits.source_counts import SourceCounts
from gateway.relay.relay import Relay
from gateway.routing.table import TablesHolder
from gateway.settings import WorkerSettings
from gateway.source_cells import SourceCells
from gateway.telemetry.counters import Counters
from gateway.wire.connection_limits import limits_of
from gateway.wire.listener_context import ListenerContext
from gateway.wire.places import Places
from gateway.wire.udp.receiver import UdpReceiver


def udp_listener(
    relay: Relay,
    holder: TablesHolder,
    counters: Counters | None,
    settings: WorkerSettings,
    places: Places,
    face: str,
    name: str,
    cells: SourceCells | None,
) -> ListenerContext:
    """cells: where workers tell each other what an address has, None: each counts alone."""
    sources = SourceCounts(f"sessions of {name}", cells)
    return ListenerContext(
        EDGE if face == FACES[EDGE] else MESH,
        relay,
        b"meshway-" + settings.node.encode(),
        limits=limits_of(settings),
        places=places,
        name=name,
        spoken="udp",
        receiving=lambda listener, accepting: UdpReceiver(listener, accepting, holder, counters, sources),
    )

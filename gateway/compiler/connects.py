"""What a CONNECT of the mesh leads to: ports of services that speak something else than HTTP.

Kept by service, and only made anew for those that a revision touches.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.compiler.cluster_key import ClusterKey, destination_key
from gateway.compiler.connection_routes import HALF_CLOSE_S, unasked_plan
from gateway.compiler.diff import Entry, ServiceKey
from gateway.compiler.mesh_names import mesh_names
from gateway.compiler.route_context import RouteContext
from gateway.limits.connection_counts import ConnectionCounts
from gateway.routing.connection_table import ConnectionPlan
from meshway.model.document import Destination
from meshway.model.listener import BYTES
from meshway.model.service import Service, ServicePort

Places = Mapping[tuple[bytes, int], ConnectionPlan]


@dataclass(slots=True, frozen=True)
class ServiceConnects:
    """Of one service. plans: by host and port. clusters: that they lead to."""

    entry: Entry[Service]
    hosts: tuple[bytes, ...]
    plans: Places
    clusters: tuple[ClusterKey, ...]


Connects = Mapping[ServiceKey, ServiceConnects]


def compile_connects(
    services: Iterable[Entry[Service]],
    aliases: Mapping[str, ServiceKey],
    context: RouteContext,
    before: Connects,
    is_touched: Callable[[ServiceKey], bool],
) -> Connects:
    """is_touched: whether a policy of the service has changed."""
    others: dict[ServiceKey, list[bytes]] = {}
    for alias, owner in aliases.items():
        others.setdefault(owner, []).append(alias.encode())
    found: dict[ServiceKey, ServiceConnects] = {}
    for entry in services:
        if entry.spec.external is not None or all(port.protocol not in BYTES for port in entry.spec.ports):
            continue
        key = (entry.namespace, entry.name)
        hosts = (*mesh_names(key), *others.get(key, ()))
        known = before.get(key)
        if known is None or known.entry is not entry or known.hosts != hosts or is_touched(key):
            known = _of_service(entry, hosts, context)
        found[key] = known
    return before if before == found else found


def connect_places(connects: Connects, before: Connects, places: Places) -> Places:
    """places: of the last ones, which stay where nothing has changed."""
    if connects is before:
        return places
    return {place: plan for one in connects.values() for place, plan in one.plans.items()}


def _of_service(entry: Entry[Service], hosts: Sequence[bytes], context: RouteContext) -> ServiceConnects:
    plans: dict[tuple[bytes, int], ConnectionPlan] = {}
    clusters = []
    for at, port in enumerate(entry.spec.ports):
        if port.protocol in BYTES:
            key, plan = _connect(entry, port, context, is_first=not at)
            clusters.append(key)
            plans |= dict.fromkeys(((host, port.port) for host in hosts), plan)
    return ServiceConnects(entry, tuple(hosts), plans, tuple(clusters))


def _connect(
    entry: Entry[Service], port: ServicePort, context: RouteContext, *, is_first: bool
) -> tuple[ClusterKey, ConnectionPlan]:
    destination = Destination(service=entry.name, port=None if is_first else port.name)
    key = destination_key(entry.namespace, destination)
    implicit = Entry(entry.kind, entry.namespace, f"implicit:{entry.name}", entry.spec)
    route = unasked_plan(implicit, (destination,), context, is_route=False)
    counts = ConnectionCounts(None, "")
    return key, ConnectionPlan(route, f"Service {entry.title}", counts, route.upgraded_idle_s, HALF_CLOSE_S)

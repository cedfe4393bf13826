"""From compiled routes to the tables of hosts, and from hosts to the table of a listener."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from gateway.compiler.diff import ServiceKey
from gateway.compiler.host_build import build_host
from gateway.compiler.mesh_names import mesh_names
from gateway.compiler.routes import CompiledRoute
from gateway.plan import RoutePlan
from gateway.routing.table import Candidate, HostRoutes, Hosts, PathNode

HostBuild = tuple[tuple[CompiledRoute, ...], HostRoutes]  # what a host's table was built from, and the table
K = TypeVar("K", str, ServiceKey)


def gather(placed: Iterable[tuple[K, CompiledRoute]], before: Mapping[K, HostBuild]) -> dict[K, HostBuild]:
    """The table of each host; one whose routes are the same objects as before is not built again."""
    routes: dict[K, list[CompiledRoute]] = {}
    for host, route in placed:
        routes.setdefault(host, []).append(route)
    built: dict[K, HostBuild] = {}
    for host, all_routes in routes.items():
        known = before.get(host)
        if known is not None and _are_same(known[0], all_routes):
            built[host] = known
        else:
            built[host] = (tuple(all_routes), build_host(one for route in all_routes for one in route.placed))
    return built


def _are_same(before: tuple[CompiledRoute, ...], after: list[CompiledRoute]) -> bool:
    return len(before) == len(after) and all(old is new for old, new in zip(before, after, strict=True))


def edge_table(built: Mapping[str, HostBuild]) -> Hosts:
    names = {host.encode(): routes for host, (_, routes) in built.items() if not host.startswith("*")}
    wildcards = {host[1:].encode(): routes for host, (_, routes) in built.items() if host.startswith("*.")}
    return Hosts(names, wildcards, built["*"][1] if "*" in built else None)


def mesh_table(
    built: Mapping[ServiceKey, HostBuild], implicit: Mapping[ServiceKey, HostRoutes], aliases: Mapping[str, ServiceKey]
) -> Hosts:
    """Names of services win over aliases, so that nobody takes over a service by calling himself by its name."""
    tables = dict(implicit) | {service: routes for service, (_, routes) in built.items()}
    names = {alias.encode(): tables[service] for alias, service in aliases.items() if service in tables}
    for service, routes in tables.items():
        names |= dict.fromkeys(mesh_names(service), routes)
    return Hosts(names, {}, None)


def single_plan(plan: RoutePlan) -> HostRoutes:
    """Everything to one plan."""
    return HostRoutes({}, PathNode((Candidate((), plan),)))

"""From compiled routes to the tables of hosts, and from hosts to the table of a listener."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from gateway.compiler.compiled_route import CompiledRoute
from gateway.compiler.diff import ServiceKey
from gateway.compiler.host_build import build_host
from gateway.compiler.listeners import Served
from gateway.compiler.mesh_names import mesh_names
from gateway.plan import RoutePlan
from gateway.routing.table import Candidate, HostRoutes, Hosts, PathNode
from meshway.model.listener import EDGE

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


def named_tables(
    routes: Iterable[CompiledRoute], served: Served, before: Mapping[str, Mapping[str, HostBuild]]
) -> dict[str, dict[str, HostBuild]]:
    """By Listener of the edge, of those that serve others than all Routes of their face, and no more."""
    routes, plans = tuple(routes), served.listeners
    wanted = {name for route in routes for name, _ in route.attached.named}
    wanted |= {name for name, plan in plans.items() if plan.is_named} | set(served.gone)
    built = {}
    for name in sorted(wanted):
        plan = plans.get(name)
        is_gone = name in served.gone
        if not is_gone and (plan is None or plan.face != EDGE):
            continue
        shares = plan is not None and not plan.is_named
        placed = (
            (host, route)
            for route in routes
            for host in dict.fromkeys(
                (
                    *(route.attached.edge if shares else ()),
                    *(host for listener, host in route.attached.named if listener == name),
                )
            )
        )
        built[name] = gather(placed, before.get(name, {}))
    return built


def mesh_table(
    built: Mapping[ServiceKey, HostBuild], implicit: Mapping[ServiceKey, HostRoutes], aliases: Mapping[str, ServiceKey]
) -> Hosts:
    """Names of services win over aliases, so that nobody takes over a service by calling himself by its name."""
    tables = dict(implicit) | {service: routes for service, (_, routes) in built.items()}
    names = {alias.encode(): tables[service] for alias, service in aliases.items() if service in tables}
    for service, routes in tables.items():
        names |= dict.fromkeys(mesh_names(service), routes)
    return Hosts(names, {}, None)


def kept(before: Hosts, after: Hosts) -> Hosts:
    """before, where nothing has changed: whoever stands on it is not judged anew."""
    if before.any is after.any and before.names == after.names and before.wildcards == after.wildcards:
        return before
    return after


def all_kept(before: Mapping[str, Hosts], after: Mapping[str, Hosts]) -> Mapping[str, Hosts]:
    """By Listener."""
    found = {name: kept(before[name], hosts) if name in before else hosts for name, hosts in after.items()}
    return before if before == found else found


def single_plan(plan: RoutePlan) -> HostRoutes:
    """Everything to one plan."""
    return HostRoutes({}, PathNode((Candidate((), plan),)))

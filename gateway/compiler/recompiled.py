"""Routes of every kind: those that nothing touches stay, the others are compiled again.

One that cannot be compiled is refused, and the version that ran goes on.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, TypeVar

from gateway.compiler import connection_routes
from gateway.compiler.accept import Accepted
from gateway.compiler.blame import Blamed
from gateway.compiler.compiled_route import CompiledRoute
from gateway.compiler.connection_routes import (
    CompiledConnections,
    compile_connections,
)
from gateway.compiler.diff import CompileError, DocumentKey, Entry, ServiceKey
from gateway.compiler.policies import MESH, Place, service_places
from gateway.compiler.route_context import RouteContext
from gateway.compiler.routes import attach, compile_route
from gateway.compiler.state import State
from gateway.compiler.udp_routes import KIND as UDP_ROUTE
from gateway.compiler.udp_routes import CompiledSessions, compile_sessions

C = TypeVar("C", CompiledConnections, CompiledSessions)


def compile_routes(
    base: State, accepted: Accepted, context: RouteContext, touched: set[Place], aliases: Mapping[str, ServiceKey]
) -> dict[DocumentKey, CompiledRoute]:
    routes: dict[DocumentKey, CompiledRoute] = {}
    entries = {entry.key: entry for entry in accepted.of_kind("Route")} | accepted.routes
    services_changed = bool(accepted.dirty(("Service",)))
    for key in sorted(entries):
        entry, known = entries[key], base.routes.get(key)
        try:
            route = known if known is not None and known.entry is entry and not is_touched(known, touched) else None
            if route is not None and services_changed and attach(entry, aliases) != route.attached:
                route = None
            routes[key] = route or compile_route(entry, context)
            accepted.hold(entry)
            continue
        except Blamed:
            raise
        except CompileError as error:
            accepted.refuse(entry, error)
        except Exception as error:
            accepted.refuse(entry, CompileError.of_defect(error))
        if known is not None:
            routes[key] = known
        elif (good := accepted.documents.get(key)) is not None and good is not entry:
            routes[key] = compile_route(good, context)  # what other workers run
    return routes


def compile_connection_routes(
    base: State, accepted: Accepted, context: RouteContext, touched: set[Place]
) -> dict[DocumentKey, CompiledConnections]:
    def compiled(entry: Entry[Any], known: CompiledConnections | None) -> CompiledConnections:
        return compile_connections(entry, context, None if known is None else known.plan.counts)

    entries = chain.from_iterable(accepted.of_kind(kind) for kind in connection_routes.KINDS)
    return _compile_each(entries, base.connections, accepted, touched, compiled)


def compile_udp_routes(
    base: State, accepted: Accepted, context: RouteContext, touched: set[Place]
) -> dict[DocumentKey, CompiledSessions]:
    def compiled(entry: Entry[Any], _: CompiledSessions | None) -> CompiledSessions:
        return compile_sessions(entry, context)

    return _compile_each(accepted.of_kind(UDP_ROUTE), base.sessions, accepted, touched, compiled)


def _compile_each(
    entries: Iterable[Entry[Any]],
    before: Mapping[DocumentKey, C],
    accepted: Accepted,
    touched: set[Place],
    compiled: Callable[[Entry[Any], C | None], C],
) -> dict[DocumentKey, C]:
    found: dict[DocumentKey, C] = {}
    for entry in entries:
        known = before.get(entry.key)
        if known is not None and known.entry is entry and not is_touched(known, touched):
            found[entry.key] = known
            continue
        try:
            found[entry.key] = compiled(entry, known)
        except Blamed:
            raise
        except Exception as error:
            accepted.refuse(entry, CompileError.of_defect(error))
            if known is not None:
                found[entry.key] = known
    return found


def is_touched(route: CompiledRoute | CompiledConnections | CompiledSessions, touched: set[Place]) -> bool:
    """Whether a policy or a limit at one of these places may concern the route."""
    if not touched:
        return False
    _, namespace, name = route.entry.key
    if not touched.isdisjoint((MESH, ("namespace", namespace), ("route", namespace, name))):
        return True
    return any(not touched.isdisjoint(service_places(*key.owner)) for key in route.clusters + route.involved)

"""From UdpRoutes to plans of sessions: who may send is judged by the parts that connections have."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.compiler.cluster_key import ClusterKey, all_involved, destination_key
from gateway.compiler.connection_routes import unasked_plan
from gateway.compiler.diff import DocumentKey, Entry
from gateway.compiler.listeners import ListenerPlan
from gateway.compiler.route_context import RouteContext
from gateway.plan import RoutePlan
from gateway.routing.session_plan import SessionPlan
from meshway.model.listener import DATAGRAMS, EDGE
from meshway.model.udp_route import MOST_BACK, UdpRoute

KIND: Final = UdpRoute.__name__


@dataclass(slots=True, frozen=True)
class CompiledSessions:
    """clusters, involved: as in CompiledRoute."""

    entry: Entry[UdpRoute]
    plan: RoutePlan
    clusters: tuple[ClusterKey, ...]
    involved: tuple[ClusterKey, ...]


def compile_sessions(entry: Entry[UdpRoute], context: RouteContext) -> CompiledSessions:
    keys = dict.fromkeys(destination_key(entry.namespace, destination) for destination in entry.spec.destinations)
    involved = dict.fromkeys(other for key in keys for other in all_involved(key, context.standing_in))
    plan = unasked_plan(entry, entry.spec.destinations, context)
    return CompiledSessions(entry, plan, tuple(keys), tuple(involved))


def session_plans(
    compiled: Mapping[DocumentKey, CompiledSessions],
    listeners: Mapping[str, ListenerPlan],
    before: Mapping[str, SessionPlan],
) -> Mapping[str, SessionPlan]:
    """By listener. The registry lets only one Route name each; of two the first by its name has it. before: the last
    ones, which stay where nothing has changed."""
    plans = {name: plan for key in sorted(compiled, reverse=True) for name, plan in _plans_of(compiled[key], listeners)}
    plans = {name: before[name] if before.get(name) == plan else plan for name, plan in plans.items()}
    return before if before == plans else plans


def _plans_of(compiled: CompiledSessions, listeners: Mapping[str, ListenerPlan]) -> Iterator[tuple[str, SessionPlan]]:
    spec, title = compiled.entry.spec, f"{KIND} {compiled.entry.title}"
    for name in spec.listeners:
        listener = listeners.get(name)
        if listener is None or listener.spoken != DATAGRAMS:
            continue
        ratio = spec.max_reply_ratio
        if ratio is None:
            ratio = MOST_BACK if listener.face == EDGE else 0.0
        bounds = (float(spec.idle), spec.max_sessions, spec.per_source, ratio)
        yield name, SessionPlan(compiled.plan, title, *bounds)

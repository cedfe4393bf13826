"""From TcpRoutes and TlsRoutes to plans: the parts that a rule of a Route has, but for all that reads a request."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Final

from gateway.compiler.cluster_key import ClusterKey, all_involved, destination_key
from gateway.compiler.diff import DocumentKey, Entry
from gateway.compiler.filters import limit_places
from gateway.compiler.policies import Place, effective
from gateway.compiler.route_context import RouteContext, refusing
from gateway.compiler.rule_access import RuleAccess
from gateway.compiler.settings import limit_s, retry_plan
from gateway.compiler.split import choose_by_weight
from gateway.exchange import Exchange, Reply
from gateway.filters import rate_limit
from gateway.limits.connection_counts import ConnectionCounts
from gateway.plan import FilterStep, RoutePlan
from gateway.routing.connection_table import ANY_NAME, ConnectionPlan, ConnectionTable, Placed
from meshway.model.connection_route import ConnectionRoute, TlsRoute
from meshway.model.document import Destination

HALF_CLOSE_S: Final = 60.0  # where no route says otherwise
KINDS: Final = ("TcpRoute", "TlsRoute")


@dataclass(slots=True, frozen=True)
class CompiledConnections:
    """clusters, involved: as in CompiledRoute."""

    entry: Entry[ConnectionRoute]
    plan: ConnectionPlan
    clusters: tuple[ClusterKey, ...]
    involved: tuple[ClusterKey, ...]


def compile_connections(
    entry: Entry[ConnectionRoute], context: RouteContext, counts: ConnectionCounts | None
) -> CompiledConnections:
    """counts: of its earlier version, None: there is none."""
    spec, title = entry.spec, f"{entry.kind} {entry.title}"
    keys = [destination_key(entry.namespace, destination) for destination in spec.destinations]
    involved = dict.fromkeys(other for key in keys for other in all_involved(key, context.standing_in))
    route = unasked_plan(entry, spec.destinations, context)
    plan = ConnectionPlan(
        route=route,
        title=title,
        counts=counts or ConnectionCounts(context.parts.host_table, title),
        idle_s=float(spec.idle) or math.inf,
        half_close_s=float(spec.half_close),
        max_duration_s=float(spec.max_duration) or math.inf,
        most=spec.limits.connections,
        most_of_source=spec.limits.per_source,
        bytes_per_s=int(spec.limits.bytes_per_second),
    )
    return CompiledConnections(entry, plan, tuple(dict.fromkeys(keys)), tuple(involved))


def unasked_plan(
    entry: Entry[Any], destinations: Sequence[Destination], context: RouteContext, *, is_route: bool = True
) -> RoutePlan:
    """Of connections and sessions, which ask for nothing: filters by who calls, and destinations by weight."""
    parts = context.parts
    keys = [destination_key(entry.namespace, destination) for destination in destinations]
    steps, access = _steps(entry, keys, context, entry.namespace if is_route else "")
    policy = effective(found.spec for found in context.policies.at(context.places_of(keys[0])))
    assert policy.retry is not None
    assert policy.timeouts is not None
    clusters, weights = [context.cluster_for(key) for key in keys], [to.weight for to in destinations]
    return RoutePlan(
        route=entry.title,
        rule="",
        slot=parts.counters.rule_slot(entry.title, "") if parts.counters is not None else 0,
        request_filters=tuple(step.run for step in steps),
        response_filters=(),
        choose=choose_by_weight(clusters, weights, parts),
        retry=retry_plan(policy.retry),
        deadline_s=math.inf,
        attempt_s=math.inf,
        first_byte_s=math.inf,
        idle_s=math.inf,
        upgraded_idle_s=limit_s(policy.timeouts.upgraded_idle),
        steps=steps,
        guard=access.guard,
        reaches=context.reached(keys),
        service="/".join(keys[0].owner) if len({key.owner for key in keys}) == 1 else "",
    )


def _steps(
    entry: Entry[Any], keys: Sequence[ClusterKey], context: RouteContext, origin: str
) -> tuple[tuple[FilterStep, ...], RuleAccess]:
    """Who calls, whether he may, and how often: in the order of a call's filters. What needs a request refuses."""
    place: tuple[Place, ...] = ((entry.kind, entry.namespace, entry.name),)
    places = limit_places(place, [key[:3] for key in keys])
    access = RuleAccess(
        context.access,
        place,
        keys,
        context.standing_in,
        context.unusable,
        origin,
        is_rewritten=False,
        cluster_for=context.cluster_for,
        are_requests=False,
    )
    steps = [*context.authentications.steps(place, [key[:3] for key in keys]), *access.steps]
    if (blocking := context.blocking(places)) is not None:
        return (FilterStep("policy that cannot be used", "", refusing(blocking)), *steps), access
    if access.asks_others:
        return (FilterStep("external check", "", _refuse_unasked),), access
    service = f"{keys[0].namespace}/{keys[0].service}"
    limits = context.limits.applied(places, service=service, route=entry.title, rule="")
    if limits:
        run = rate_limit.compile_filter(limits, context.parts)
        steps.append(FilterStep("rate limit", "", run, rate_limit.compile_forecast(limits, context.parts)))
    return tuple(steps), access


def _refuse_unasked(_: Exchange) -> Reply:
    detail = "an AccessPolicy has somebody asked of each call, and nobody can be asked of a connection"
    return Reply(403, "denied", "UAEX", detail, policy="AccessPolicy")


def connection_tables(
    compiled: Mapping[DocumentKey, CompiledConnections],
    before: Mapping[DocumentKey, CompiledConnections],
    tables: Mapping[str, ConnectionTable],
) -> Mapping[str, ConnectionTable]:
    """By listener. tables: those of the last ones, which stay where nothing has changed."""
    if compiled == before:
        return tables
    placed: dict[str, list[Placed]] = {}
    for key in sorted(compiled):
        one = compiled[key]
        spec = one.entry.spec
        sources = tuple(ip_network(network, strict=False) for network in spec.source)
        for listener in spec.listeners:
            for host in spec.hosts if isinstance(spec, TlsRoute) else (ANY_NAME,):
                placed.setdefault(listener, []).append(Placed(one.plan, sources, host))
    return {listener: ConnectionTable(of) for listener, of in placed.items()}

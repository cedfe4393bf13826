"""From a Route to candidates: one for each Match of each rule, with the rank that orders them within a host.

Order, after Gateway API: priority; exact path, then longer prefix; a method asked for; more headers asked for; the
older Route; its name; the rule's place in it. The rule: docs/internals/routing.md.
"""

import math
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from gateway.compiler.clusters import ClusterKey
from gateway.compiler.diff import CompileError, DocumentKey, Entry, ServiceKey
from gateway.compiler.filters import Limits, limit_places
from gateway.compiler.mesh_names import mesh_service, plain_host
from gateway.compiler.policies import Attached, Place, effective, route_places, service_places
from gateway.compiler.settings import limit_s, retry_plan
from gateway.compiler.sticky import choose_for_caller
from gateway.exchange import Exchange, Reply
from gateway.filters import order
from gateway.filters.compress import compile_encode
from gateway.plan import ChooseCluster, MirrorPlan, Parts, RequestFilter, RoutePlan
from gateway.routing.path import PathError, canonical, escaped
from gateway.routing.table import Candidate
from gateway.upstream.cluster import Cluster
from meshway.model.document import Destination
from meshway.model.route import Match, Route, Rule
from meshway.model.rule_actions import Mirror
from meshway.model.traffic_policy import TrafficPolicy

EXACT: Final = 0
PREFIX: Final = 1


@dataclass(slots=True, frozen=True)
class Placed:
    """Where a candidate lies: path class and canonical path; a prefix without its trailing slash, b"" for `/`."""

    path_class: int
    path: bytes
    candidate: Candidate


@dataclass(slots=True, frozen=True)
class CompiledRoute:
    """clusters: all it may call; by them a policy's change finds its routes. attached: where it answers."""

    entry: Entry[Route]
    placed: tuple[Placed, ...]
    clusters: tuple[ClusterKey, ...]
    attached: "Attachment"


@dataclass(slots=True, frozen=True)
class Attachment:
    """The host names on the edge, and the services on the mesh for which a Route speaks."""

    edge: tuple[str, ...]
    mesh: tuple[ServiceKey, ...]


@dataclass(slots=True)
class RouteContext:
    """What a route is compiled against. cluster_for: makes the cluster when there is none yet.

    unavailable: where a policy speaks that cannot be used, and its name.
    """

    policies: Attached[TrafficPolicy]
    limits: Limits
    aliases: Mapping[str, ServiceKey]
    cluster_for: Callable[[ClusterKey], Cluster]
    unavailable: Mapping[Place, DocumentKey]
    parts: Parts


def compile_route(entry: Entry[Route], context: RouteContext) -> CompiledRoute:
    """Raises CompileError."""
    placed: list[Placed] = []
    clusters: dict[ClusterKey, None] = {}
    for index, rule in enumerate(entry.spec.rules):
        path = f"spec.rules[{index}]"
        matches = [_read_match(match, f"{path}.match[{at}]") for at, match in enumerate(rule.match or (Match(),))]
        prefixes = [read.path for read in matches if read.path_class == PREFIX]
        keys = [destination_key(entry.namespace, destination) for destination in rule.destinations]
        clusters.update(dict.fromkeys(keys))
        clusters.update(dict.fromkeys(destination_key(entry.namespace, copy.destination) for copy in rule.mirror))
        try:
            plan = _compile_rule(entry, rule, rule.name or str(index), keys, prefixes, context)
        except PathError as error:
            raise CompileError(path, error.detail) from error
        for at, read in enumerate(matches):
            rank = (
                -entry.spec.priority,
                read.path_class,
                -len(read.path),
                read.methods is None,
                -len(read.headers),
                entry.age,
                entry.title,
                index,
                at,
            )
            placed.append(Placed(read.path_class, read.path, Candidate(rank, plan, read.methods, read.headers or None)))
    return CompiledRoute(entry, tuple(placed), tuple(clusters), attach(entry, context.aliases))


def attach(entry: Entry[Route], aliases: Mapping[str, ServiceKey]) -> Attachment:
    """Raises CompileError."""
    hosts = entry.spec.hosts
    edge: dict[str, None] = {}
    mesh: dict[ServiceKey, None] = {}
    if "edge" in entry.spec.listeners:
        edge = dict.fromkeys(plain_host(host) for host in hosts or ("*",))
    if "mesh" in entry.spec.listeners:
        for at, host in enumerate(hosts):
            mesh[mesh_service(host, entry.namespace, aliases, f"spec.hosts[{at}]")] = None
    return Attachment(tuple(edge), tuple(mesh))


def implicit_plan(key: ClusterKey, context: RouteContext) -> RoutePlan:
    """What a registered service without a mesh Route has: everything goes to itself."""
    rule = Rule(name="all", destinations=(Destination(service=key.service),))
    entry = Entry("Route", key.namespace, f"implicit:{key.service}", Route(listeners=("mesh",), rules=(rule,)))
    return _compile_rule(entry, rule, "all", [key], [b""], context)


def destination_key(namespace: str, destination: Destination) -> ClusterKey:
    return ClusterKey(
        destination.namespace or namespace, destination.service, destination.subset or "", destination.port or ""
    )


@dataclass(slots=True, frozen=True)
class _ReadMatch:
    path_class: int
    path: bytes
    methods: frozenset[bytes] | None
    headers: tuple[tuple[bytes, bytes], ...]


def _read_match(match: Match, at: str) -> _ReadMatch:
    path_class, text = PREFIX, "/"
    if match.path is not None:
        if match.path.exact is not None:
            path_class, text = EXACT, match.path.exact
        elif match.path.prefix is not None:
            text = match.path.prefix
    try:
        path, query = canonical(escaped(text))
    except PathError as error:
        raise CompileError(f"{at}.path", error.detail) from error
    if query:
        raise CompileError(f"{at}.path", "a path holds no query")
    headers = tuple(sorted((name.lower().encode(), value.encode()) for name, value in match.headers.items()))
    methods = frozenset(method.encode() for method in match.methods) or None
    return _ReadMatch(path_class, path.rstrip(b"/") if path_class == PREFIX else path, methods, headers)


def _compile_rule(
    entry: Entry[Route],
    rule: Rule,
    name: str,
    keys: Sequence[ClusterKey],
    prefixes: Sequence[bytes],
    context: RouteContext,
) -> RoutePlan:
    route = route_places(entry.namespace, entry.name, name)
    policy = effective([*(found.spec for found in _policies(keys, route, context)), _as_policy(rule)])
    timeouts, retry = policy.timeouts, policy.retry
    assert timeouts is not None
    assert retry is not None
    service = f"{keys[0].namespace}/{keys[0].service}" if keys else ""
    places = limit_places(route, [key[:3] for key in keys])
    blocking = next((context.unavailable[place] for place in places if place in context.unavailable), None)
    if blocking is None:
        limits = context.limits.applied(places, service=service, route=entry.title, rule=name)
        request_filters = order.request_filters(
            rule, limits, prefixes, context.parts, f"rule {name} of Route {entry.title}"
        )
    else:
        request_filters = (refusing(blocking),)
    counters = context.parts.counters
    body = rule.request_body
    return RoutePlan(
        route=entry.title,
        rule=name,
        slot=counters.rule_slot(entry.title, name) if counters is not None else 0,
        request_filters=request_filters,
        response_filters=order.response_filters(rule),
        choose=_choose(rule, keys, context),
        retry=retry_plan(retry) if keys else None,
        deadline_s=limit_s(timeouts.deadline),
        attempt_s=limit_s(timeouts.attempt),
        first_byte_s=limit_s(timeouts.first_byte),
        idle_s=limit_s(timeouts.idle),
        upgraded_idle_s=limit_s(timeouts.upgraded_idle),
        max_body=float(body.max) if body is not None and body.max else math.inf,
        body_rate=int(body.min_rate) if body is not None else 0,
        encode=None if rule.compression is None else compile_encode(rule.compression),
        mirrors=tuple(_mirror(entry, name, copy, context) for copy in rule.mirror),
    )


def refusing(policy: DocumentKey) -> RequestFilter:
    """In place of all filters where one policy is not known: what it was to keep away must not pass."""
    reply = Reply(
        503,
        "policy_unavailable",
        "UAEX",
        "{} {}/{} cannot be used: this gateway cannot compile it and knows no earlier version".format(*policy),
    )
    return lambda _: reply


def _policies(
    keys: Sequence[ClusterKey], route: tuple[tuple[str, ...], ...], context: RouteContext
) -> tuple[Entry[TrafficPolicy], ...]:
    """A rule has one set of timeouts and retries, so a split takes those of its first destination's service, and a
    subset's own only when all calls go to that subset."""
    if not keys:
        return context.policies.at(route)
    first = keys[0]
    subset = first.subset if len({key[:3] for key in keys}) == 1 else ""
    return context.policies.at((*service_places(first.namespace, first.service, subset), *route))


def _as_policy(rule: Rule) -> TrafficPolicy:
    return TrafficPolicy(timeouts=rule.timeouts, retry=rule.retry)


def _mirror(entry: Entry[Route], rule: str, copy: Mirror, context: RouteContext) -> MirrorPlan:
    cluster = context.cluster_for(destination_key(entry.namespace, copy.destination))
    counters = context.parts.counters

    def count(outcome: str) -> None:
        if counters is not None:
            labels = {"route": entry.title, "rule": rule, "service": cluster.name, "outcome": outcome}
            counters.add(counters.counter("meshway_mirrored_requests_total", **labels))

    return MirrorPlan(cluster, copy.percent / 100.0, count)


def _choose(rule: Rule, keys: Sequence[ClusterKey], context: RouteContext) -> ChooseCluster | None:
    weighted = [
        (context.cluster_for(key), destination.weight)
        for key, destination in zip(keys, rule.destinations, strict=True)
        if destination.weight or len(keys) == 1
    ]
    if not weighted:
        return None
    clusters, weights = [cluster for cluster, _ in weighted], [weight for _, weight in weighted]
    if rule.sticky is not None and len(clusters) > 1:
        return choose_for_caller(clusters, weights, rule.sticky, context.parts)
    return choose_by_weight(clusters, weights, context.parts)


def choose_by_weight(clusters: Sequence[Cluster], weights: Sequence[int], parts: Parts) -> ChooseCluster:
    """One draw a call; retries stay with it."""
    if len(clusters) == 1:
        only = clusters[0]
        return lambda _: only
    random = parts.random
    bounds = list(accumulate(weight / sum(weights) for weight in weights))
    bounds[-1] = math.inf  # whatever rounding left
    if len(clusters) == 2:
        (first, second), share = clusters, bounds[0]
        return lambda _: first if random() < share else second

    def choose(_: Exchange) -> Cluster:
        return clusters[bisect(bounds, random())]

    return choose

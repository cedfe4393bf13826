"""From a Route to candidates: one for each Match of each rule, with the rank that orders them within a host.

Order: priority; the matches' own (`meshway/model/precedence.py`); the older Route; its name; the rule's place in it. A
listed Route has the order in which it is written.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gateway.access.gate import Authorize
from gateway.cache.rule_cache import RuleCache, compile_changed
from gateway.compiler.access import Access, RuleAccess, all_involved
from gateway.compiler.authentication import Authentications
from gateway.compiler.caches import cache_of, reads_of
from gateway.compiler.clusters import ClusterKey
from gateway.compiler.diff import CompileError, DocumentKey, Entry, ServiceKey
from gateway.compiler.filters import Limits, limit_places
from gateway.compiler.matches import Placed, read_match
from gateway.compiler.mesh_names import mesh_service, plain_host
from gateway.compiler.policies import Attached, Place, effective, route_places, sources
from gateway.compiler.settings import hedge_plan, limit_s, retry_plan
from gateway.compiler.split import Changed, choose_by_weight, choosing_changed
from gateway.compiler.sticky import choose_for_caller
from gateway.compiler.transcoding import Descriptors, compile_transcoding
from gateway.exchange import Exchange, Reply
from gateway.filters import grpc_web, order
from gateway.filters.codings import CodingMissing
from gateway.filters.compress import compile_encode
from gateway.filters.cors import compile_leave
from gateway.filters.limit import AppliedLimit
from gateway.filters.standing import compile_settling
from gateway.plan import (
    STRICT,
    ChooseCluster,
    ComparePlan,
    Encode,
    FilterStep,
    MirrorPlan,
    Parts,
    RoutePlan,
    Settle,
    Slashes,
    WebSocketPlan,
)
from gateway.routing.path import PathError
from gateway.routing.preflight import compile_preflight
from gateway.routing.table import Candidate
from gateway.upstream.cluster import Cluster
from gateway.upstream.criticality import LINES, SHARES
from meshway.http1.message import ResponseHead
from meshway.model.document import Destination
from meshway.model.listener import EDGE, FACES, MESH
from meshway.model.match import Match, PathMatch
from meshway.model.precedence import asked_at
from meshway.model.route import Rewrite, Route, Rule, RuleDestination
from meshway.model.rule_actions import Mirror
from meshway.model.service import External
from meshway.model.traffic_policy import TrafficPolicy
from meshway.model.websocket import WebSocket

_HTTP_PORT: Final = 80  # of http URLs, which a Host need not say


@dataclass(slots=True, frozen=True)
class CompiledRoute:
    """clusters: all it may call; by them a policy's change finds its routes. attached: where it answers. involved:
    who may be called in their place, whose policies count, too. caches: of its rules."""

    entry: Entry[Route]
    placed: tuple[Placed, ...]
    clusters: tuple[ClusterKey, ...]
    attached: "Attachment"
    involved: tuple[ClusterKey, ...] = ()
    caches: tuple[RuleCache, ...] = ()


@dataclass(slots=True, frozen=True)
class Attachment:
    """The host names on the edge, and the services on the mesh for which a Route speaks. named: the Listeners for which
    it speaks by their names, each with a host."""

    edge: tuple[str, ...]
    mesh: tuple[ServiceKey, ...]
    named: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class RouteContext:
    """What a route is compiled against. cluster_for: makes the cluster when there is none yet.

    standing_in: of a cluster, who may be called in its place. places_of: where a cluster's policies attach.
    protocol_of: what its port says is spoken there. unavailable: where a policy speaks that cannot be used, and its
    name. running: the Routes as they ran until now.
    """

    policies: Attached[TrafficPolicy]
    limits: Limits
    authentications: Authentications
    access: Access
    aliases: Mapping[str, ServiceKey]
    cluster_for: Callable[[ClusterKey], Cluster]
    standing_in: Callable[[ClusterKey], Sequence[ClusterKey]]
    places_of: Callable[[ClusterKey], tuple[Place, ...]]
    protocol_of: Callable[[ClusterKey], str]
    unavailable: Mapping[Place, DocumentKey]
    parts: Parts
    running: Mapping[DocumentKey, CompiledRoute] = field(default_factory=dict)
    descriptors: Descriptors = field(default_factory=dict)
    _sources: dict[tuple[DocumentKey, ...], Mapping[str, str]] = field(default_factory=dict)

    def unusable(self, key: ClusterKey) -> Authorize | None:
        """What the calls of a service get for which a policy speaks that cannot be used."""
        for place in self.places_of(key):
            if place in self.unavailable:
                return refusing(self.unavailable[place])
        return None

    def all_speak_grpc(self, keys: Sequence[ClusterKey]) -> bool:
        return bool(keys) and all(self.protocol_of(key) == "grpc" for key in keys)

    def sources_of(self, policies: Sequence[Entry[TrafficPolicy]], rule: Rule, route: str) -> Mapping[str, str]:
        """Most routes have the same policies and none of their own: they share one."""
        by = [(f"TrafficPolicy {policy.title}", policy.spec) for policy in policies]
        if rule.timeouts is not None or rule.retry is not None or rule.hedge is not None:
            return sources([*by, (route, _as_policy(rule))])
        key = tuple(policy.key for policy in policies)
        known = self._sources.get(key)
        if known is None:
            known = self._sources[key] = sources(by)
        return known


def compile_route(entry: Entry[Route], context: RouteContext) -> CompiledRoute:
    """Raises CompileError."""
    placed: list[Placed] = []
    clusters: dict[ClusterKey, None] = {}
    caches: list[RuleCache] = []
    # Each sees what any rule's calls may change, also of the rules below it: the list is whole before the first call.
    changes = compile_changed(caches) if any(rule.cache is not None for rule in entry.spec.rules) else None
    for index, rule in enumerate(entry.spec.rules):
        path = f"spec.rules[{index}]"
        written = rule.match or (Match(),)
        matches = [read_match(match, f"{path}.match[{at}]", context.parts) for at, match in enumerate(written)]
        paths = [read.path for read in matches]
        keys = [destination_key(entry.namespace, destination) for destination in rule.destinations]
        clusters.update(dict.fromkeys(keys))
        clusters.update(dict.fromkeys(destination_key(entry.namespace, copy.destination) for copy in rule.mirror))
        if rule.cors is not None and context.all_speak_grpc(keys):
            rule = msgspec.structs.replace(rule, cors=grpc_web.with_leave(rule.cors))
        try:
            plan = _compile_rule(
                entry, rule, rule.name or str(index), keys, paths, context, at=path, caches=caches, changes=changes
            )
        except PathError as error:
            raise CompileError(path, error.detail) from error
        except CodingMissing as error:
            raise CompileError(f"{path}.compression.encodings", str(error)) from error
        for at, read in enumerate(matches):
            rank = asked_at(entry.spec, read.rank, entry.age, entry.title, index, at)
            placed.append(Placed(read.path, Candidate(rank, plan, read.test), index, at))
            if rule.cors is None:
                continue
            test = compile_preflight(written[at], context.parts.fields, compile_leave(rule.cors))
            if test is not None:
                placed.append(Placed(read.path, Candidate((*rank, 1), plan, test), index, at))
    involved = dict.fromkeys(other for key in clusters for other in all_involved(key, context.standing_in))
    return CompiledRoute(
        entry, tuple(placed), tuple(clusters), attach(entry, context.aliases), tuple(involved), tuple(caches)
    )


def attach(entry: Entry[Route], aliases: Mapping[str, ServiceKey]) -> Attachment:
    """Raises CompileError."""
    hosts = entry.spec.hosts
    edge: dict[str, None] = {}
    mesh: dict[ServiceKey, None] = {}
    own = tuple(name for name in entry.spec.listeners if name not in FACES)
    if own or EDGE in entry.spec.listeners:
        edge = dict.fromkeys(plain_host(host) for host in hosts or ("*",))
    if "mesh" in entry.spec.listeners:
        for at, host in enumerate(hosts):
            mesh[mesh_service(host, entry.namespace, aliases, f"spec.hosts[{at}]")] = None
    named = tuple((name, host) for name in own for host in edge)
    return Attachment(tuple(edge) if EDGE in entry.spec.listeners else (), tuple(mesh), named)


def implicit_plan(key: ClusterKey, context: RouteContext, outside: External | None = None) -> RoutePlan:
    """What a service without a mesh Route has: everything goes to itself, and to a host outside by its own name."""
    rewrite = None
    if outside is not None:
        port = "" if outside.target_port == _HTTP_PORT else f":{outside.target_port}"
        rewrite = Rewrite(host=f"{outside.host}{port}")
    rule = Rule(name="all", destinations=(RuleDestination(service=key.service),), rewrite=rewrite)
    entry = Entry("Route", key.namespace, f"implicit:{key.service}", Route(listeners=("mesh",), rules=(rule,)))
    return _compile_rule(entry, rule, "all", [key], [PathMatch(prefix="")], context, is_written=False)


def destination_key(namespace: str, destination: Destination) -> ClusterKey:
    return ClusterKey(
        destination.namespace or namespace, destination.service, destination.subset or "", destination.port or ""
    )


def _compile_rule(
    entry: Entry[Route],
    rule: Rule,
    name: str,
    keys: Sequence[ClusterKey],
    paths: Sequence[PathMatch],
    context: RouteContext,
    *,
    is_written: bool = True,
    at: str = "",
    caches: list[RuleCache] | None = None,
    changes: Settle | None = None,
) -> RoutePlan:
    """at: its place in the Route. caches: those of the Route, to which the rule's own is added. changes: is told of
    answers after which they may be out of date."""
    slashes = Slashes(entry.spec.encoded_slashes == "pass", entry.spec.double_slashes == "pass")
    if slashes == STRICT:
        slashes = STRICT
    route = route_places(entry.namespace, entry.name, name)
    policies = _policies(keys, route, context)
    policy = effective([*(found.spec for found in policies), _as_policy(rule)])
    timeouts, retry = policy.timeouts, policy.retry
    assert timeouts is not None
    assert retry is not None
    service = f"{keys[0].namespace}/{keys[0].service}" if keys else ""
    places = limit_places(route, [key[:3] for key in keys])
    access = RuleAccess(
        context.access,
        route,
        keys,
        context.standing_in,
        context.unusable,
        entry.namespace if is_written else "",
        is_rewritten=_is_rewritten(rule),
        cluster_for=context.cluster_for,
    )
    blocking = next((context.unavailable[place] for place in places if place in context.unavailable), None)
    limits: tuple[AppliedLimit, ...] = ()
    speaks_grpc = context.all_speak_grpc(keys)
    encode: Encode | None = None if rule.compression is None else compile_encode(rule.compression)
    if speaks_grpc:
        encode = grpc_web.compile_encode(encode)
    title = f"rule {name} of Route {entry.title}"
    transcoding = None
    if rule.transcode is not None:
        transcoding = compile_transcoding(
            rule.transcode, entry.namespace, context.descriptors, f"{at}.transcode", title, encode
        )
        encode = transcoding.encode
    if blocking is None:
        proving = context.authentications.steps(route, [key[:3] for key in keys])
        limits = context.limits.applied(places, service=service, route=entry.title, rule=name, paths=paths)
        passes_override = entry.spec.method_override == "pass" and set(entry.spec.listeners) != {MESH}
        cache = None
        if rule.cache is not None and caches is not None:
            told = context.authentications.all_owned | context.access.told
            shown = () if rule.cache.per_principal else context.authentications.shown
            reads = reads_of(rule, limits, told, shown, passes_override=passes_override)
            running = context.running.get(entry.key)
            cache = cache_of(entry, rule, name, reads, () if running is None else running.caches, context.parts)
            caches.append(cache)
        steps = order.request_steps(
            rule,
            limits,
            paths,
            context.parts,
            title,
            (*proving, *access.steps),
            keeps=slashes,
            speaks_grpc=speaks_grpc,
            transcode=None if transcoding is None else transcoding.run,
            passes_override=passes_override,
            keeps_answers=cache,
        )
    else:
        steps = (FilterStep("policy that cannot be used", "", refusing(blocking)),)
    counters = context.parts.counters
    body = rule.request_body
    limit_share = SHARES[rule.criticality.encode()]
    choose, changed = _choose(rule, keys, paths, context)
    claimed = context.authentications.all_owned
    plan = RoutePlan(
        route=entry.title,
        rule=name,
        slot=counters.rule_slot(entry.title, name) if counters is not None else 0,
        request_filters=tuple(step.run for step in steps),
        response_filters=order.response_filters(
            rule, limits, is_changed=access.overrules_answers or encode is not None or changes is not None
        ),
        choose=choose,
        retry=retry_plan(retry) if keys else None,
        hedge=hedge_plan(policy.hedge) if keys else None,
        replay=int(retry.buffer or 0) if keys and (retry.max_retries or policy.hedge) else 0,
        deadline_s=limit_s(timeouts.deadline),
        attempt_s=limit_s(timeouts.attempt),
        first_byte_s=limit_s(timeouts.first_byte),
        idle_s=limit_s(timeouts.idle),
        upgraded_idle_s=limit_s(timeouts.upgraded_idle),
        max_body=float(body.max) if body is not None and body.max else math.inf,
        body_rate=int(body.min_rate) if body is not None else 0,
        settle=_both(compile_settling(limits, context.parts.now), changes),
        encode=encode,
        limit_share=limit_share,
        criticality_line=LINES[limit_share],
        mirrors=tuple(_mirror(entry, name, copy, context, access) for copy in rule.mirror),
        sources=context.sources_of(policies, rule, f"Route {entry.title}"),
        steps=steps,
        guard=access.guard,
        slashes=slashes,
        claimed=claimed,
        service=service if len({key[:2] for key in keys}) == 1 else "",
        untrailed=claimed | context.access.told if context.access.told else claimed,
        websocket=None if rule.websocket is None else _websocket(rule.websocket),
    )
    for destination in changed:
        destination.adopt(plan, counters)
    return plan


def _both(one: Settle | None, other: Settle | None) -> Settle | None:
    if one is None or other is None:
        return one or other

    def settle(exchange: Exchange, head: ResponseHead) -> None:
        one(exchange, head)
        other(exchange, head)

    return settle


def _websocket(block: WebSocket) -> WebSocketPlan:
    return WebSocketPlan(int(block.max_frame), int(block.max_message), float(block.ping_every))


def refusing(policy: DocumentKey) -> Authorize:
    """In place of all filters where one policy is not known: what it was to keep away must not pass."""
    reply = Reply(
        503,
        "policy_unavailable",
        "UAEX",
        "{} {}/{} cannot be used: this gateway cannot compile it and knows no earlier version".format(*policy),
        policy="{} {}/{}".format(*policy),
    )
    return lambda _: reply


def _policies(
    keys: Sequence[ClusterKey], route: tuple[tuple[str, ...], ...], context: RouteContext
) -> tuple[Entry[TrafficPolicy], ...]:
    """A rule has one set of timeouts and retries, so a split takes those of its first destination's service, and a
    subset's or a port's own only when all calls go there."""
    if not keys:
        return context.policies.at(route)
    subsets, ports = {key[:3] for key in keys}, {(*key.owner, key.port) for key in keys}
    first = keys[0]._replace(**{"subset": ""} if len(subsets) > 1 else {})
    places = context.places_of(first)
    if len(ports) > 1:
        places = tuple(place for place in places if place[0] not in ("port", "subset port"))
    return context.policies.at((*places, *route))


def _as_policy(rule: Rule) -> TrafficPolicy:
    return TrafficPolicy(timeouts=rule.timeouts, retry=rule.retry, hedge=rule.hedge)


def _is_rewritten(rule: Rule) -> bool:
    """Whether the service sees another path, or other headers, than the Route."""
    if rule.rewrite is not None or rule.request_headers is not None or rule.transcode is not None:
        return True
    return any(destination.request_headers is not None for destination in rule.destinations)


def _mirror(entry: Entry[Route], rule: str, copy: Mirror, context: RouteContext, access: RuleAccess) -> MirrorPlan:
    key = destination_key(entry.namespace, copy.destination)
    cluster = context.cluster_for(key)
    counters = context.parts.counters

    def count(outcome: str) -> None:
        if counters is not None:
            labels = {"route": entry.title, "rule": rule, "service": cluster.name, "outcome": outcome}
            counters.add(counters.counter("meshway_mirrored_requests_total", **labels))

    compare = None
    if (wanted := copy.compare) is not None:

        def count_verdict(verdict: str) -> None:
            if counters is not None:
                labels = {"route": entry.title, "rule": rule, "service": cluster.name, "verdict": verdict}
                counters.add(counters.counter("meshway_mirror_comparisons_total", **labels))

        slower_s = math.inf if wanted.latency is None else float(wanted.latency)
        fields = tuple(tuple(path.split(".")) for path in wanted.json_fields)
        compare = ComparePlan(wanted.status, slower_s, fields, count_verdict)
    return MirrorPlan(cluster, copy.percent / 100.0, count, access.copy_guard_of(key), compare)


def _choose(
    rule: Rule, keys: Sequence[ClusterKey], paths: Sequence[PathMatch], context: RouteContext
) -> tuple[ChooseCluster | None, Sequence[Changed]]:
    """How a destination is drawn, and those that change headers or are counted apart: they wait for the rule's plan."""
    drawn = [
        (context.cluster_for(key), destination)
        for key, destination in zip(keys, rule.destinations, strict=True)
        if destination.weight or len(keys) == 1
    ]
    if not drawn:
        return None, ()
    clusters, weights = [cluster for cluster, _ in drawn], [destination.weight for _, destination in drawn]
    is_sticky = rule.sticky is not None and len(clusters) > 1
    if not any(each.request_headers or each.response_headers or each.track for _, each in drawn):
        if is_sticky:
            assert rule.sticky is not None
            return choose_for_caller(clusters, clusters, weights, rule.sticky, context.parts), ()
        return choose_by_weight(clusters, weights, context.parts), ()
    changed = [Changed(cluster, destination, paths) for cluster, destination in drawn]
    if is_sticky:
        assert rule.sticky is not None
        choose = choose_for_caller(changed, clusters, weights, rule.sticky, context.parts)
        return choosing_changed(choose), changed
    return choosing_changed(choose_by_weight(changed, weights, context.parts)), changed

"""From one rule of a Route to the plan of its calls."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from sys import intern
from typing import NamedTuple

from gateway.cache.rule_cache import RuleCache
from gateway.compiler.caches import cache_of, reads_of
from gateway.compiler.cluster_key import ClusterKey
from gateway.compiler.diff import Entry
from gateway.compiler.filters import limit_places
from gateway.compiler.mirrors import compile_mirror
from gateway.compiler.policies import Place, effective, route_places
from gateway.compiler.route_context import RouteContext, as_policy, refusing
from gateway.compiler.rule_access import RuleAccess
from gateway.compiler.settings import hedge_plan, limit_s, retry_plan
from gateway.compiler.split import Changed, choose_by_weight, choosing_changed
from gateway.compiler.sticky import choose_for_caller
from gateway.compiler.transcoding import compile_transcoding
from gateway.exchange import Exchange
from gateway.filters import grpc_web, order
from gateway.filters.compress import compile_encode
from gateway.filters.limit import AppliedLimit
from gateway.filters.standing import compile_settling
from gateway.plan import (
    STRICT,
    ChooseCluster,
    Encode,
    FilterStep,
    RequestFilter,
    RoutePlan,
    Settle,
    Slashes,
    WebSocketPlan,
)
from gateway.relay.refusals import not_http
from gateway.upstream.criticality import LINES, SHARES
from meshway.http1.message import ResponseHead
from meshway.model.listener import MESH
from meshway.model.match import PathMatch
from meshway.model.route import Route, Rule
from meshway.model.traffic_policy import TrafficPolicy
from meshway.model.websocket import WebSocket


@dataclass(slots=True, frozen=True)
class WrittenRule:
    """One rule of a Route. keys: its destinations. paths: of its matches, canonical. at: its place in the Route.
    is_written: else the gateway itself made it, of a service that has no Route."""

    entry: Entry[Route]
    rule: Rule
    name: str
    keys: Sequence[ClusterKey]
    paths: Sequence[PathMatch]
    at: str = ""
    is_written: bool = True

    @property
    def title(self) -> str:
        return f"rule {self.name} of Route {self.entry.title}"

    @property
    def route(self) -> tuple[Place, ...]:
        return route_places(self.entry.namespace, self.entry.name, self.name)

    @property
    def services(self) -> list[tuple[str, str, str]]:
        """With the subset, of each destination."""
        return [key[:3] for key in self.keys]

    @property
    def service(self) -> str:
        """The first one's name, "" = it calls none."""
        return intern(f"{self.keys[0].namespace}/{self.keys[0].service}") if self.keys else ""

    @property
    def passes_override(self) -> bool:
        """Whether a method that a header names reaches the service."""
        return self.entry.spec.method_override == "pass" and set(self.entry.spec.listeners) != {MESH}


def compile_rule(
    written: WrittenRule,
    context: RouteContext,
    *,
    caches: list[RuleCache] | None = None,
    changes: Settle | None = None,
) -> RoutePlan:
    """caches: those of the Route, to which the rule's own is added. changes: is told of answers after which they may
    be out of date. Raises CompileError."""
    entry, rule, keys = written.entry, written.rule, written.keys
    slashes = Slashes(entry.spec.encoded_slashes == "pass", entry.spec.double_slashes == "pass")
    if slashes == STRICT:
        slashes = STRICT
    policies = _policies(written, context)
    policy = effective([*(found.spec for found in policies), as_policy(rule)])
    timeouts, retry = policy.timeouts, policy.retry
    assert timeouts is not None
    assert retry is not None
    retrying = retry_plan(retry) if keys else None
    access = _access(written, context)
    coding = _coding(written, context)
    limits, steps = _asked(written, context, access, coding, slashes, caches)
    counters = context.parts.counters
    body = rule.request_body
    limit_share = SHARES[rule.criticality.encode()]
    choose, changed = _choose(rule, keys, written.paths, context)
    claimed = context.authentications.all_owned
    plan = RoutePlan(
        route=entry.title,
        rule=written.name,
        slot=counters.rule_slot(entry.title, written.name) if counters is not None else 0,
        request_filters=tuple(step.run for step in steps),
        response_filters=order.response_filters(
            rule, limits, is_changed=access.overrules_answers or coding.encode is not None or changes is not None
        ),
        choose=choose,
        retry=retrying,
        hedge=hedge_plan(policy.hedge) if keys else None,
        replay=retrying.buffer if retrying is not None else int(retry.buffer or 0) if keys and policy.hedge else 0,
        deadline_s=limit_s(timeouts.deadline),
        attempt_s=limit_s(timeouts.attempt),
        first_byte_s=limit_s(timeouts.first_byte),
        idle_s=limit_s(timeouts.idle),
        upgraded_idle_s=limit_s(timeouts.upgraded_idle),
        max_body=float(body.max) if body is not None and body.max else math.inf,
        body_rate=int(body.min_rate) if body is not None else 0,
        settle=_both(compile_settling(limits, context.parts.now), changes),
        encode=coding.encode,
        limit_share=limit_share,
        criticality_line=LINES[limit_share],
        mirrors=tuple(compile_mirror(entry, written.name, copy, context, access) for copy in rule.mirror),
        sources=context.sources_of(policies, rule, f"Route {entry.title}"),
        steps=steps,
        guard=access.guard,
        slashes=slashes,
        claimed=claimed,
        service=written.service if len({key[:2] for key in keys}) == 1 else "",
        untrailed=claimed | context.access.told if context.access.told else claimed,
        websocket=None if rule.websocket is None else _websocket(rule.websocket),
        reaches=context.reached(keys),
    )
    for destination in changed:
        destination.adopt(plan, counters)
    return plan


def _access(written: WrittenRule, context: RouteContext) -> RuleAccess:
    return RuleAccess(
        context.access,
        written.route,
        written.keys,
        context.standing_in,
        context.unusable,
        written.entry.namespace if written.is_written else "",
        is_rewritten=_is_rewritten(written.rule),
        cluster_for=context.cluster_for,
    )


class _Coding(NamedTuple):
    """What makes another answer of the service's, and another request of the caller's."""

    encode: Encode | None
    transcode: RequestFilter | None
    speaks_grpc: bool


def _coding(written: WrittenRule, context: RouteContext) -> _Coding:
    rule = written.rule
    speaks_grpc = context.all_speak_grpc(written.keys)
    encode: Encode | None = None if rule.compression is None else compile_encode(rule.compression)
    if speaks_grpc:
        encode = grpc_web.compile_encode(encode)
    if rule.transcode is None:
        return _Coding(encode, None, speaks_grpc)
    made = compile_transcoding(
        rule.transcode, written.entry.namespace, context.descriptors, f"{written.at}.transcode", written.title, encode
    )
    return _Coding(made.encode, made.run, speaks_grpc)


def _asked(
    written: WrittenRule,
    context: RouteContext,
    access: RuleAccess,
    coding: _Coding,
    slashes: Slashes,
    caches: list[RuleCache] | None,
) -> tuple[tuple[AppliedLimit, ...], tuple[FilterStep, ...]]:
    """The limits that hold, and all that is asked of a request on its way; a refusal where a policy that speaks for it
    cannot be used."""
    entry, rule, name, paths = written.entry, written.rule, written.name, written.paths
    places = limit_places(written.route, written.services)
    proving = context.authentications.steps(written.route, written.services)
    if (blocking := context.blocking(places)) is not None:
        return (), (FilterStep("policy that cannot be used", "", refusing(blocking)), *proving, *access.steps)
    limits = context.limits.applied(places, service=written.service, route=entry.title, rule=name, paths=paths)
    if protocol := context.unspoken(written.keys):
        refusal = not_http(written.keys[0].name, protocol)
        return (), (*proving, *access.steps, FilterStep("protocol", "", lambda _: refusal))
    cache = None
    if rule.cache is not None and caches is not None:
        cache = _cache(written, context, limits)
        caches.append(cache)
    steps = order.request_steps(
        rule,
        limits,
        paths,
        context.parts,
        written.title,
        (*proving, *access.steps),
        keeps=slashes,
        speaks_grpc=coding.speaks_grpc,
        transcode=coding.transcode,
        passes_override=written.passes_override,
        keeps_answers=cache,
    )
    return limits, steps


def _cache(written: WrittenRule, context: RouteContext, limits: Sequence[AppliedLimit]) -> RuleCache:
    entry, rule = written.entry, written.rule
    assert rule.cache is not None
    told = context.authentications.all_owned | context.access.told
    shown = () if rule.cache.per_principal else context.authentications.shown
    reads = reads_of(rule, limits, told, shown, passes_override=written.passes_override)
    running = context.running.get(entry.key)
    return cache_of(entry, rule, written.name, reads, () if running is None else running.caches, context.parts)


def _policies(written: WrittenRule, context: RouteContext) -> tuple[Entry[TrafficPolicy], ...]:
    """A rule has one set of timeouts and retries, so a split takes those of its first destination's service, and a
    subset's or a port's own only when all calls go there."""
    keys, route = written.keys, written.route
    if not keys:
        return context.policies.at(route)
    subsets, ports = {key[:3] for key in keys}, {(*key.owner, key.port) for key in keys}
    first = keys[0]._replace(**{"subset": ""} if len(subsets) > 1 else {})
    places = context.places_of(first)
    if len(ports) > 1:
        places = tuple(place for place in places if place[0] not in ("port", "subset port"))
    return context.policies.at((*places, *route))


def _is_rewritten(rule: Rule) -> bool:
    """Whether the service sees another path, or other headers, than the Route."""
    if rule.rewrite is not None or rule.request_headers is not None or rule.transcode is not None:
        return True
    return any(destination.request_headers is not None for destination in rule.destinations)


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
        if len(clusters) == 1:
            return context.alike.straight_to(clusters[0], context.parts), ()
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


def _websocket(block: WebSocket) -> WebSocketPlan:
    return WebSocketPlan(int(block.max_frame), int(block.max_message), float(block.ping_every))


def _both(one: Settle | None, other: Settle | None) -> Settle | None:
    if one is None or other is None:
        return one or other

    def settle(exchange: Exchange, head: ResponseHead) -> None:
        one(exchange, head)
        other(exchange, head)

    return settle

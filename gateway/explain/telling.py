"""An explanation, put together: match, filters, destinations, the pick, in the order in which a call meets them."""

import math
from collections.abc import Iterator
from typing import Final

from gateway.authentication.service_token import FIELD as SERVICE_TOKEN
from gateway.authentication.service_token import prove
from gateway.compiler.compiled_route import CompiledRoute
from gateway.compiler.listeners import ListenerPlan
from gateway.compiler.state import State
from gateway.exchange import FACES, MESH, Exchange, Reply
from gateway.explain.destinations import admission, destinations_of
from gateway.explain.filters import verdict_of, walk
from gateway.explain.matching import Found, find_rule, said_by
from gateway.plan import BUILT_IN, RoutePlan
from gateway.relay.refusals import nowhere, to_https, unserved_host
from gateway.routing.path import PathError, canonical
from gateway.upstream.cluster import Cluster
from gateway.upstream.transition import service_of
from meshway.explanation import (
    Answered,
    DestinationState,
    Explanation,
    FilterVerdict,
    Picked,
    Said,
    Setting,
)
from meshway.model.statuses import folded

_TIMEOUTS: Final = ("deadline", "attempt", "first_byte", "idle")


class Telling:
    """Fills in one part after the other. listener: by which the call comes; None: its document is gone."""

    def __init__(self, state: State, exchange: Exchange, now: float, listener: ListenerPlan | None) -> None:
        self._listener = listener
        self._path = ""
        self._state = state
        self._exchange = exchange
        self._now = now
        self._found = Found(None, None, None, [], 0)
        self._by: Said | None = None
        self._filters: list[FilterVerdict] = []
        self._settings: list[Setting] = []
        self._destinations: list[DestinationState] = []
        self._picked: Picked | None = None
        self._reply: Reply | None = None

    def told(self, node: str, *, caller: str, draft: bool) -> Explanation:
        exchange = self._exchange
        self._walk()
        answered = None
        if self._reply is not None:
            exchange.take_reply(self._reply)
            answered = Answered(
                document=exchange.policy,
                status=self._reply.status,
                reason=self._reply.reason,
                detail=self._reply.detail,
            )
        found, plan = self._found, self._found.plan
        return Explanation(
            gateway=node,
            revision=self._state.tables.revision,
            draft=draft,
            listener=exchange.listener_name or FACES[exchange.listener],
            method=exchange.method.decode("latin-1"),
            host=exchange.host.decode("latin-1"),
            path=self._path,
            caller=caller,
            route=plan.route if plan is not None else "",
            rule=plan.rule if plan is not None else "",
            matched=self._by,
            tried=found.tried,
            tried_left_out=found.left_out,
            filters=self._filters,
            settings=self._settings,
            destinations=self._destinations,
            picked=self._picked,
            answered=answered,
        )

    def _walk(self) -> None:
        exchange, state = self._exchange, self._state
        self._path = exchange.head.target.decode("latin-1")
        self._reply = self._unwelcome()
        if self._reply is not None:
            return
        try:
            exchange.path, exchange.query = canonical(exchange.head.target)
        except PathError as error:
            read = state.tables.as_written(exchange)
            if read is None:
                self._reply = Reply(error.status, error.code, "DPE", error.detail)
                return
            exchange.path, exchange.query = read
        if exchange.listener == MESH and SERVICE_TOKEN in exchange.head.named:
            self._reply = prove(exchange, state.tables.trust, state.tables.parts.wall())
            if self._reply is not None:
                return
        found = self._found = find_rule(state, exchange)
        self._path = (exchange.path + exchange.query).decode("latin-1")  # as the rule has it
        plan = exchange.plan = found.plan
        if plan is None:
            self._reply = nowhere(exchange)
            return
        route, rule = found.route, found.placed.rule if found.placed is not None else 0
        by = self._by = Said(document=BUILT_IN)
        rule_itself = by
        if found.route is not None and found.placed is not None:
            by = self._by = said_by(found.route, found.placed)
            rule_itself = Said(document=by.document, path=f"spec.rules[{rule}]")
        self._settings = list(_settings_of(plan, rule))
        self._filters, self._reply = walk(plan.steps, exchange, rule_itself)
        if self._reply is None:
            self._enter(plan, route, rule, rule_itself)

    def _unwelcome(self) -> Reply | None:
        """What the listener itself says, before any Route is asked."""
        exchange, listener = self._exchange, self._listener
        if listener is None:
            return None
        policy = f"listener {exchange.listener_name}"
        if listener.hosts is not None and not listener.hosts(exchange.host):
            return unserved_host(policy)
        elsewhere = listener.sends_to_https
        return None if elsewhere is None else to_https(exchange, *elsewhere, policy)

    def _enter(self, plan: RoutePlan, route: CompiledRoute | None, rule: int, by: Said) -> None:
        exchange, now = self._exchange, self._now
        if plan.choose is None:
            self._reply = Reply(404, "no_route", "NR", "the route has no destination")
            return
        self._destinations = self._destinations_of(plan, route, rule, by)
        cluster = plan.choose(exchange)
        verdict = admission(cluster, exchange, now)
        if isinstance(verdict, Reply) and verdict.reason == "breaker_open" and cluster.fallback is not None:
            cluster = cluster.fallback
            verdict = admission(cluster, exchange, now)
        if isinstance(verdict, Reply):
            self._reply = verdict
            return
        endpoint = cluster.forecast_pick(exchange)
        refusal = self._guarded(plan, cluster, None if endpoint is None else endpoint.key[:2], by)
        if endpoint is None:
            detail = cluster.no_endpoint_detail
            self._reply = Reply(503, "no_endpoint", "UH", detail, policy=f"service {cluster.name}")
            return
        if refusal is not None:
            self._reply = refusal
            return
        self._picked = Picked(
            service=cluster.name,
            endpoint=endpoint.id,
            address=f"{endpoint.address}:{endpoint.port}",
            by=cluster.settings.balancing.algorithm,
        )

    def _destinations_of(
        self, plan: RoutePlan, route: CompiledRoute | None, rule: int, by: Said
    ) -> list[DestinationState]:
        return destinations_of(self._state, plan, route, rule, by, self._exchange, self._now)

    def _guarded(self, plan: RoutePlan, cluster: Cluster, service: tuple[str, str] | None, by: Said) -> Reply | None:
        """What policies say of the service that would be called; None: nobody is there, so the cluster's own."""
        if plan.guard is None:
            return None
        namespace, _, name = service_of(cluster.name).partition("/")
        told = plan.guard.forecast(self._exchange, cluster.name, service or (namespace, name))
        self._filters += [verdict_of("access", each, by) for each in told]
        return next((each.reply for each in told if each.reply is not None), None)


def _settings_of(plan: RoutePlan, rule: int) -> Iterator[Setting]:
    """Timeouts, retries and hedges of the rule, each with whose word it is. rule: its index."""
    retry = plan.retry
    shown = [(f"timeouts.{name}", _seconds(getattr(plan, f"{name}_s"))) for name in _TIMEOUTS]
    shown.append(("retry.max_retries", str(retry.max_retries if retry is not None else 0)))
    if retry is not None:
        shown += [
            ("retry.on", ", ".join(sorted(retry.conditions)) or "nothing"),
            ("retry.statuses", folded(retry.statuses)),
            ("retry.backoff", f"{retry.backoff_base_s:g}s to {retry.backoff_max_s:g}s"),
            ("retry.budget", f"{retry.budget_percent:g} %, at least {retry.budget_min_per_s:g}/s"),
        ]
    if plan.hedge is not None:
        shown += [("hedge.after", plan.hedge.after), ("hedge.max", str(plan.hedge.most))]
    for field, value in shown:
        whose = plan.sources.get(field) or _of_a_part(plan, field)
        path = {"built": "", "Route": f"spec.rules[{rule}].{field}"}.get(whose.split(" ")[0], f"spec.{field}")
        yield Setting(document=whose, path=path, field=field, value=value)


def _of_a_part(plan: RoutePlan, field: str) -> str:
    """Of a block whose parts may be of several documents: the last one's."""
    return next((whose for path, whose in plan.sources.items() if path.startswith(f"{field}.")), BUILT_IN)


def _seconds(value: float) -> str:
    return "none" if value == math.inf else f"{value:g}s"

"""Which destination of a rule has a call, and what that destination changes in it."""

import math
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TypeVar

from gateway.exchange import Exchange
from gateway.filters import order
from gateway.plan import ChooseCluster, Parts, RequestFilter, RoutePlan
from gateway.telemetry.counters import Counters
from gateway.upstream.cluster import Cluster
from meshway.model.match import PathMatch
from meshway.model.route import RuleDestination

T = TypeVar("T")


def choose_by_weight(choices: Sequence[T], weights: Sequence[int], parts: Parts) -> Callable[[Exchange], T]:
    """One draw a call; retries stay with it."""
    if len(choices) == 1:
        only = choices[0]
        return lambda _: only
    random = parts.random
    bounds = list(accumulate(weight / sum(weights) for weight in weights))
    bounds[-1] = math.inf  # whatever rounding left
    if len(choices) == 2:
        (first, second), share = choices, bounds[0]
        return lambda _: first if random() < share else second

    def choose(_: Exchange) -> T:
        return choices[bisect(bounds, random())]

    return choose


class Changed:
    """A destination that changes headers, or whose calls are counted apart. plan: the rule's with this one's response
    filters and track, set by `adopt`."""

    __slots__ = ("cluster", "plan", "request_filters", "response_filters", "track")

    def __init__(self, cluster: Cluster, destination: RuleDestination, paths: Sequence[PathMatch]) -> None:
        self.cluster = cluster
        self.plan: RoutePlan | None = None
        self.request_filters: tuple[RequestFilter, ...] = order.destination_filters(destination, paths)
        self.response_filters = order.destination_response_filters(destination)
        self.track = destination.track

    def adopt(self, plan: RoutePlan, counters: Counters | None) -> None:
        slot = plan.slot
        if self.track is not None and counters is not None:
            slot = counters.rule_slot(plan.route, plan.rule, self.track)
        self.plan = replace(plan, slot=slot, response_filters=plan.response_filters + self.response_filters)


def choosing_changed(choose: Callable[[Exchange], Changed]) -> ChooseCluster:
    """The drawn destination's changes are made where it is drawn: after all filters, once for all attempts."""

    def choose_and_change(exchange: Exchange) -> Cluster:
        chosen = choose(exchange)
        for each in chosen.request_filters:
            each(exchange)
        exchange.plan = chosen.plan
        return chosen.cluster

    return choose_and_change

"""Calls that never were, counted as a gateway counts them: steady rates, spread over the buckets of a histogram. Pure.

What a span leaves over of a call goes into the next one, so that sums are right to one call however short spans are.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

from meshway.histogram import bucket_of
from meshway.telemetry import EDGES, INSTANCES, ROUTES, Key, Row

if TYPE_CHECKING:
    from loadtest.simulator.shape import Service, Shape

_POINTS: Final = 20  # of a distribution, all of the same weight
_SIGMA: Final = 0.55  # of the logarithm of durations
_BYTES_IN: Final = 180
_BYTES_OUT: Final = 2_400
_QUANTILES: Final = [math.exp(_SIGMA * NormalDist().inv_cdf((at + 0.5) / _POINTS)) for at in range(_POINTS)]


class Flow:
    """Calls under one key. rate: a second."""

    __slots__ = ("_buckets", "_failed", "_fails", "_left", "_mean_s", "_next", "key", "rate")

    def __init__(self, key: Key, rate: float, *, fail_share: float, median_s: float) -> None:
        self.key = key
        self.rate = rate
        self._fails = fail_share
        self._mean_s = median_s * sum(_QUANTILES) / _POINTS
        self._buckets = [bucket_of(median_s * factor) for factor in _QUANTILES]
        self._left = self._failed = 0.0
        self._next = 0

    def take(self, span_s: float) -> Row | None:
        """None: no call came in this span."""
        due = self._left + self.rate * span_s
        calls = int(due)
        self._left = due - calls
        if not calls:
            return None
        fails = self._failed + calls * self._fails
        failed = int(fails)
        self._failed = fails - failed
        return Row(
            self.key,
            calls,
            failed,
            0,
            failed,
            calls * _BYTES_IN,
            calls * _BYTES_OUT,
            calls * self._mean_s,
            self._spread(calls),
        )

    def _spread(self, calls: int) -> dict[int, int]:
        found: dict[int, int] = {}
        each, more = divmod(calls, _POINTS)
        if each:
            for bucket in self._buckets:
                found[bucket] = found.get(bucket, 0) + each
        for step in range(more):
            # A stride that meets all points: few calls stand for the whole distribution, too.
            bucket = self._buckets[(self._next + step * 7) % _POINTS]
            found[bucket] = found.get(bucket, 0) + 1
        self._next = (self._next + more * 7) % _POINTS
        return found


def flows_of(shape: Shape, gateways: int) -> list[dict[str, list[Flow]]]:
    """Of each gateway, by section: every edge comes by one of them, and what is counted of it."""
    parts: list[dict[str, list[Flow]]] = [{EDGES: [], ROUTES: [], INSTANCES: []} for _ in range(gateways)]
    asked: list[dict[str, float]] = [{} for _ in range(gateways)]
    services = {service.full: service for service in shape.services}
    for number, edge in enumerate(shape.edges):
        mine, name = number % gateways, edge.service.full
        parts[mine][EDGES].append(_flow((edge.source, name), edge.rate, edge.service))
        asked[mine][name] = asked[mine].get(name, 0.0) + edge.rate
    copies: dict[str, list[str]] = {}
    for instance in shape.instances:
        copies.setdefault(f"{instance.namespace}/{instance.service}", []).append(instance.id)
    for part, rates in zip(parts, asked, strict=True):
        for name, rate in rates.items():
            service = services[name]
            for status, share, fails in (("2xx", 1.0 - service.fail_share, 0.0), ("5xx", service.fail_share, 1.0)):
                key = ("", "", name, status, "")
                part[ROUTES].append(Flow(key, rate * share, fail_share=fails, median_s=service.median_s))
            eligible = copies[name][1:] if service.is_ejected and len(copies[name]) > 1 else copies[name]
            part[INSTANCES] += [_flow((name, each), rate / len(eligible), service) for each in eligible]
    return parts


def _flow(key: Key, rate: float, service: Service) -> Flow:
    return Flow(key, rate, fail_share=service.fail_share, median_s=service.median_s)

"""The less busy of a few drawn endpoints (Mitzenmacher 2001; Envoy's LEAST_REQUEST), of distinct ones.

With two endpoints a draw with repetition would pick the busier one in a quarter of the calls. Up to four endpoints are
all looked at. Ties are broken by chance, by weight: a strict least (active + 1) / weight would starve every lighter
endpoint of an idle service.
"""

from itertools import permutations
from math import log
from typing import Final

from gateway.balancing.pick import Pick, Random, are_equal
from gateway.balancing.random import random_pick
from gateway.exchange import Exchange
from gateway.upstream.eligible import Eligible
from gateway.upstream.endpoint import Endpoint

FULL_SCAN: Final = 4


def least_request(eligible: Eligible, random: Random, choices: int = 2) -> Pick:
    """choices: how many are drawn, 2 to 8."""
    endpoints, is_equal = eligible.endpoints, are_equal(eligible.weights)
    if len(endpoints) == 1:
        only = endpoints[0]
        return lambda _: only
    if len(endpoints) <= FULL_SCAN:
        return _scan_equal(endpoints, random) if is_equal else _scan_weighted(eligible, random)
    if choices > 2 or not is_equal:
        return _draw_several(eligible, random, choices)
    return _draw_two(endpoints, random)


def _draw_two(endpoints: tuple[Endpoint, ...], random: Random) -> Pick:
    count = len(endpoints)

    def pick(_: Exchange) -> Endpoint:
        i = int(random() * count)
        j = int(random() * (count - 1))
        a = endpoints[i]
        b = endpoints[j if j < i else j + 1]  # distinct, every pair equally likely
        return a if a.in_flight <= b.in_flight else b

    return pick


def _scan_equal(endpoints: tuple[Endpoint, ...], random: Random) -> Pick:
    # A scan takes the first of equals; from every order equally often, so does each of the idle endpoints.
    orders = tuple(permutations(endpoints))
    many = len(orders)

    def pick(_: Exchange) -> Endpoint:
        order = orders[int(random() * many)]
        best = order[0]
        for endpoint in order:
            if endpoint.in_flight < best.in_flight:
                best = endpoint
        return best

    return pick


def _scan_weighted(eligible: Eligible, random: Random) -> Pick:
    weighted = tuple(zip(eligible.endpoints, eligible.weights, strict=True))
    first = eligible.endpoints[0]

    def pick(_: Exchange) -> Endpoint:
        best, least = first, float("inf")
        for endpoint, weight in weighted:
            # The 1 of (active + 1) is drawn from an exponential distribution of mean 1: idle endpoints then win
            # exactly in proportion to their weights, and under load the draw weighs no more than one call.
            load = (endpoint.in_flight - log(1.0 - random())) / weight
            if load < least:
                best, least = endpoint, load
        return best

    return pick


def _draw_several(eligible: Eligible, random: Random, choices: int) -> Pick:
    draw = random_pick(eligible, random)
    weight_of = dict(zip(eligible.endpoints, eligible.weights, strict=True))

    def pick(exchange: Exchange) -> Endpoint:
        best = draw(exchange)
        drawn = [best]
        # A heavy endpoint may come again and again: bounded, and its repetition is what its weight asks for.
        for _ in range(choices * 2):
            other = draw(exchange)
            if other in drawn:
                continue
            drawn.append(other)
            if other.in_flight * weight_of[best] < best.in_flight * weight_of[other]:
                best = other
            if len(drawn) == choices:
                break
        return best

    return pick

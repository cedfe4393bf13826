"""A draw by weight: one table look-up whatever the number of endpoints (Walker 1977, Vose 1991: alias method)."""

from collections.abc import Sequence

from gateway.balancing.pick import Pick, Random, are_equal
from gateway.exchange import Exchange
from gateway.upstream.eligible import Eligible
from gateway.upstream.endpoint import Endpoint


def alias_table(weights: Sequence[float]) -> tuple[list[float], list[int]]:
    """For each column the share that is its own, and the index that gets the rest. weights: sum above 0."""
    count, total = len(weights), sum(weights)
    shares = [weight * count / total for weight in weights]
    aliases = list(range(count))
    small = [i for i, share in enumerate(shares) if share < 1.0]
    large = [i for i, share in enumerate(shares) if share >= 1.0]
    while small and large:
        low, high = small.pop(), large[-1]
        aliases[low] = high
        shares[high] -= 1.0 - shares[low]
        if shares[high] < 1.0:
            small.append(large.pop())
    for i in small + large:  # what rounding left over is full
        shares[i] = 1.0
    return shares, aliases


def random_pick(eligible: Eligible, random: Random) -> Pick:
    endpoints, weights = eligible.endpoints, eligible.weights
    count = len(endpoints)
    if are_equal(weights):

        def uniform(_: Exchange) -> Endpoint:
            return endpoints[int(random() * count)]

        return uniform

    shares, aliases = alias_table(weights)
    others = [endpoints[alias] for alias in aliases]

    def weighted(_: Exchange) -> Endpoint:
        draw = random() * count
        column = int(draw)
        return endpoints[column] if draw - column < shares[column] else others[column]

    return weighted

"""What every balancer is made of: a pick over eligible endpoints that are never none."""

from collections.abc import Callable, Sequence

from gateway.exchange import Exchange
from gateway.upstream.endpoint import Endpoint

Pick = Callable[[Exchange], Endpoint]
Random = Callable[[], float]  # uniform in [0, 1)


def are_equal(weights: Sequence[int]) -> bool:
    """All of one weight: then the cheaper form of an algorithm does."""
    weight = weights[0]
    return all(other == weight for other in weights)

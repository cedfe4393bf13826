"""What every balancer is made of: a pick over a tuple of eligible endpoints that is never empty."""

from collections.abc import Callable, Sequence

from gateway.exchange import Exchange
from gateway.upstream.endpoint import Endpoint

Pick = Callable[[Exchange], Endpoint]
Random = Callable[[], float]  # uniform in [0, 1)


def are_equal(endpoints: Sequence[Endpoint]) -> bool:
    """All of one weight: then the cheaper form of an algorithm does."""
    weight = endpoints[0].weight
    return all(endpoint.weight == weight for endpoint in endpoints)

"""Endpoints without a registry."""

from gateway.upstream.cluster_settings import EligibleSettings, SlowStartSettings
from gateway.upstream.eligible import Eligible
from gateway.upstream.endpoint import Endpoint
from meshway.model.instance import Instance

# What a service without any policy has.
ELIGIBLE = EligibleSettings("prefer_zone", 1.4, 0.0, False, SlowStartSettings(0.0, 10.0, 1.0), True)


def endpoint(identity: str, weight: int = 1, in_flight: int = 0) -> Endpoint:
    made = Endpoint(
        Instance(namespace="default", service="books", id=identity, address="127.0.0.1", port=8000, weight=weight)
    )
    made.in_flight = in_flight
    return made


def endpoints(*weights: int) -> tuple[Endpoint, ...]:
    """Named 1, 2, 3 … with these weights."""
    return tuple(endpoint(str(number), weight) for number, weight in enumerate(weights, 1))


def ready(some: tuple[Endpoint, ...], away: tuple[Endpoint, ...] = ()) -> Eligible:
    """As they are eligible with nothing against them."""
    return Eligible(some, tuple(each.weight for each in some), away)

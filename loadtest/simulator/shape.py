"""What the simulated mesh is made of: services in namespaces, instances, and who calls whom how often. Pure.

The same seed and sizes give the same mesh, so that a second run goes on where the first one ended.
"""

from __future__ import annotations

import math
import random
from typing import Final, NamedTuple

NAMESPACE_SIZE: Final = 25  # services
VERSIONS: Final = ("v1", "v1", "v1", "v2")
ZONES: Final = ("a", "b", "c")
# Of the services: failing in a way the console shows, each with another cause.
SICK: Final = 0.03
_LAYERS: Final = 6
_RATE_MEDIAN: Final = 3.0  # calls a second of one edge
_RATE_SIGMA: Final = 1.2
_EDGE: Final = "edge"  # whoever calls from outside
_WORDS: Final = (
    "accounts", "basket", "billing", "catalog", "checkout", "coupons", "delivery", "events", "feeds", "geo",
    "images", "inventory", "ledger", "loyalty", "mail", "orders", "payments", "prices", "profiles", "ratings",
    "returns", "search", "stock", "taxes", "users",
)  # fmt: skip


class Instance(NamedTuple):
    namespace: str
    service: str
    id: str
    address: str
    port: int
    version: str
    zone: str


class Service(NamedTuple):
    """fail_share: of its calls, 0 to 1. median_s: of how long they take. is_ejected: its first instance is kept from
    calls by the gateways; is_open: all of it is."""

    namespace: str
    name: str
    fail_share: float
    median_s: float
    is_ejected: bool
    is_open: bool

    @property
    def full(self) -> str:
        return f"{self.namespace}/{self.name}"


class Edge(NamedTuple):
    """source: `namespace/name`, or `edge`. rate: calls a second."""

    source: str
    service: Service
    rate: float


class Shape(NamedTuple):
    services: list[Service]
    instances: list[Instance]
    edges: list[Edge]


def shape_of(services: int, instances: int, edges: int, *, prefix: str = "sim", seed: int = 7) -> Shape:
    """edges: at most what so many services can have without a circle, and one from outside for each that nobody else
    calls. Raises ValueError: more were asked for, or fewer instances than services."""
    if not 1 <= services <= instances:
        raise ValueError(f"{services} services need as many instances at least, and there are {instances}")
    chance = random.Random(seed)
    made = [_service(number, prefix, chance) for number in range(services)]
    return Shape(made, _instances(made, instances), _edges(made, edges, chance))


def _service(number: int, prefix: str, chance: random.Random) -> Service:
    namespace, place = divmod(number, NAMESPACE_SIZE)
    name = _WORDS[place % len(_WORDS)]
    sick = chance.random() < SICK
    ill = chance.randrange(4) if sick else -1
    fail_share = (0.09, 0.025, 0.004, 0.2)[ill] if sick else chance.choice((0.0, 0.0, 0.0005, 0.002))
    median_s = math.exp(chance.gauss(math.log(0.012), 0.8)) * (6.0 if ill == 2 else 1.0)
    return Service(f"{prefix}-{namespace + 1:02d}", name, fail_share, min(median_s, 3.0), ill == 2, ill == 3)


def _instances(services: list[Service], count: int) -> list[Instance]:
    made = []
    for number in range(count):
        service = services[number % len(services)]
        turn = number // len(services)
        made.append(
            Instance(
                namespace=service.namespace,
                service=service.name,
                id=f"{service.name}-{turn + 1}",
                # Of a range that is kept for documentation and benchmarks (RFC 2544): nobody answers there.
                address=f"198.18.{number // 250 % 250}.{number % 250 + 1}",
                port=8080,
                version=VERSIONS[turn % len(VERSIONS)],
                zone=ZONES[turn % len(ZONES)],
            )
        )
    return made


def _edges(services: list[Service], count: int, chance: random.Random) -> list[Edge]:
    """Each service calls later ones, mostly of its own namespace: no circles, and a few layers."""
    total = len(services)
    most = total * (total - 1) // 2 + total
    if count > most:
        raise ValueError(f"{total} services have {most} edges at most, and {count} were asked for")
    pairs: dict[tuple[int, int], None] = {}
    for target in range(1, total):
        if target % NAMESPACE_SIZE >= NAMESPACE_SIZE // _LAYERS and len(pairs) < count:
            pairs[_caller(target, chance), target] = None
    called = {target for _, target in pairs}
    outside = [number for number in range(total) if number not in called][: max(0, count - len(pairs))]
    while len(pairs) + len(outside) < count:
        target = chance.randrange(1, total) if total > 1 else 0
        source = _caller(target, chance) if chance.random() < 0.75 else chance.randrange(target) if target else -1
        if source >= 0 and (source, target) not in pairs:
            pairs[source, target] = None
        elif len(pairs) + len(outside) < count and target not in outside and chance.random() < 0.05:
            outside.append(target)
    named = [(services[source].full, services[target]) for source, target in pairs]
    named += [(_EDGE, services[number]) for number in outside]
    return [
        Edge(source, service, round(math.exp(chance.gauss(math.log(_RATE_MEDIAN), _RATE_SIGMA)), 3))
        for source, service in named
    ]


def _caller(target: int, chance: random.Random) -> int:
    first = target // NAMESPACE_SIZE * NAMESPACE_SIZE
    return chance.randrange(first, target) if target > first else chance.randrange(target)

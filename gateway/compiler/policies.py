"""Which policy holds where: mesh, namespace, service, subset, route, rule, merged field by field, defaults last.

What a service without any policy gets is written here and nowhere else.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Generic, TypeVar, cast

import msgspec

from gateway.compiler.diff import CompileError, Entry
from meshway.model.access_log import AccessLog
from meshway.model.access_policy import AccessPolicy
from meshway.model.authentication import Authentication
from meshway.model.document import Part, Target
from meshway.model.rate_limit import RateLimit
from meshway.model.telemetry import Telemetry
from meshway.model.traffic_policy import (
    AdaptiveConcurrency,
    Backoff,
    Breaker,
    Bulkhead,
    Connection,
    FailureRatio,
    HashKey,
    Hedge,
    LoadBalancer,
    Locality,
    Maglev,
    OutlierDetection,
    Panic,
    Retry,
    RetryBudget,
    RingHash,
    SlowStart,
    TcpKeepalive,
    Timeouts,
    TrafficPolicy,
)
from meshway.outbound.health import HEALTH_CHECK
from meshway.units import Duration, Size

MESH_NAMESPACE: Final = "mesh"

# ("mesh",), ("namespace", ns), ("service", ns, s), ("port", ns, s, port), ("subset", ns, s, subset),
# ("subset port", ns, s, subset, port), ("route", ns, r), ("rule", ns, r, rule)
Place = tuple[str, ...]
MESH: Final[Place] = ("mesh",)

P = TypeVar("P", TrafficPolicy, RateLimit, AccessPolicy, Authentication, AccessLog, Telemetry)
S = TypeVar("S", bound=Part)


def places_of(entry: Entry[P]) -> Iterator[Place]:
    """Where a policy attaches; none written: its namespace, and in namespace `mesh` the whole mesh.

    Raises CompileError when it reaches into another namespace.
    """
    own = entry.namespace
    if not entry.spec.targets:
        yield MESH if own == MESH_NAMESPACE else ("namespace", own)
    for at, target in enumerate(entry.spec.targets):
        path = f"spec.targets[{at}]"
        if own != MESH_NAMESPACE and (target.mesh or target.namespace not in (None, own)):
            raise CompileError(path, f"a document of namespace {own} cannot speak for others")
        yield _place(own, target)


def own_places(namespace: str, targets: Iterable[Target]) -> tuple[Place, ...]:
    """As `places_of`, leaving out what reaches into another namespace."""
    if namespace == MESH_NAMESPACE:
        kept = list(targets)
    else:
        kept = [each for each in targets if not each.mesh and each.namespace in (None, namespace)]
    return tuple(_place(namespace, target) for target in kept)


def _place(own: str, target: Target) -> Place:
    if target.mesh:
        return MESH
    if target.service:
        return service_places(own, target.service, target.subset or "", target.port or "")[-1]
    if target.route:
        place = ("route", own, target.route)
        return ("rule", *place[1:], target.rule) if target.rule else place
    return ("namespace", target.namespace or own)


def wide_place(place: Place) -> Place:
    """The service of a subset, the route of a rule; others are themselves."""
    if place[0] in ("subset", "port", "subset port", "rule"):
        return ("route" if place[0] == "rule" else "service", *place[1:3])
    return place


def service_places(namespace: str, service: str, subset: str = "", port: str = "") -> tuple[Place, ...]:
    """From the widest to the narrowest. port: a name, also of the first one."""
    places: list[Place] = [MESH, ("namespace", namespace), ("service", namespace, service)]
    if port:
        places.append(("port", namespace, service, port))
    if subset:
        places.append(("subset", namespace, service, subset))
    if subset and port:
        places.append(("subset port", namespace, service, subset, port))
    return tuple(places)


def route_places(namespace: str, route: str, rule: str) -> tuple[Place, ...]:
    return ("route", namespace, route), ("rule", namespace, route, rule)


class Attached(Generic[P]):
    """All policies of one kind by the place they attach to; of one place in order of their names."""

    def __init__(self, entries: Iterable[Entry[P]]) -> None:
        """Raises nothing: entries whose places are wrong were refused before."""
        self._at: dict[Place, list[Entry[P]]] = {}
        for entry in sorted(entries, key=lambda entry: entry.key):
            for place in places_of(entry):
                self._at.setdefault(place, []).append(entry)

    def at(self, places: Iterable[Place]) -> tuple[Entry[P], ...]:
        """In the order of the places, each entry once."""
        found: dict[Any, Entry[P]] = {}
        for place in places:
            for entry in self._at.get(place, ()):
                found.setdefault(entry.key, entry)
        return tuple(found.values())


def merge(base: S | None, over: S | None) -> S | None:
    """over's fields win where they are written; blocks inside are merged the same way, tuples are replaced."""
    if base is None or over is None:
        return base if over is None else over
    changed: dict[str, Any] = {}
    for field in base.__struct_fields__:
        below, above = getattr(base, field), getattr(over, field)
        if isinstance(above, Part) and not above.is_one_choice:
            changed[field] = merge(below, above)
        elif above is not None:
            changed[field] = above
    return msgspec.structs.replace(base, **changed) if changed else base


DEFAULTS: Final = TrafficPolicy(
    load_balancer=LoadBalancer(
        algorithm="least_request",
        choices=2,
        decay=Duration(10.0),
        hash_key=HashKey(source_ip=True),
        ring_hash=RingHash(min_size=1024),
        maglev=Maglev(table_size=0),
        max_load_factor=0.0,
        weights="declared",
    ),
    slow_start=SlowStart(window=Duration(0.0), min_percent=10.0, aggression=1.0),
    locality=Locality(mode="prefer_zone", overprovisioning=1.4),
    failover=(),
    panic=Panic(when_healthy_below_percent=0.0, action="use_suspects"),
    connection=Connection(
        connect_timeout=Duration(1.0),
        idle_timeout=Duration(4.0),
        max_age=Duration(0.0),
        max_requests=0,
        max_streams=100,
        http="auto",
        tcp_keepalive=TcpKeepalive(time=Duration(60.0), interval=Duration(15.0), probes=3),
        proxy_protocol="off",
    ),
    timeouts=Timeouts(
        deadline=Duration(0.0),
        attempt=Duration(0.0),
        first_byte=Duration(60.0),
        idle=Duration(300.0),
        upgraded_idle=Duration(3600.0),
    ),
    retry=Retry(
        max_retries=1,
        on=("connect_failure", "refused_stream", "reset_before_request", "stale_connection"),
        statuses=(),
        grpc_codes=(),
        backoff=Backoff(base=Duration(0.025), max=Duration(0.25)),
        budget=RetryBudget(percent=20.0, min_per_second=10.0),
        non_idempotent=False,
        buffer=Size(64 << 10),
        same_endpoint=False,
    ),
    outlier_detection=OutlierDetection(
        enabled=True,
        consecutive_gateway_failures=5,
        consecutive_5xx=0,
        failure_ratio=FailureRatio(percent=50.0, over_cluster_percent=20.0, minimum_requests=20, window=Duration(10.0)),
        base_ejection=Duration(10.0),
        max_ejection=Duration(300.0),
        max_ejection_percent=50.0,
    ),
)
# Blocks that are off unless some policy writes them.
BULKHEAD: Final = Bulkhead(
    max_connections=0, max_requests=0, max_pending=1024, pending_timeout=Duration(1.0), scope="mesh"
)
BREAKER: Final = Breaker(
    window=Duration(10.0),
    minimum_requests=20,
    failure_percent=50.0,
    failures=("connect", "reset", "timeout", 502, 503, 504),
    open_for=Duration(5.0),
    open_max=Duration(60.0),
    half_open_requests=3,
    confidence_percent=0.0,
)
HEDGE: Final = Hedge(after="p95", max=1)
ADAPTIVE_CONCURRENCY: Final = AdaptiveConcurrency(
    tolerance=2.0, min_limit=3, max_limit=1000, window=Duration(0.1), minimum_samples=20, per="service"
)


def leaves(block: Part, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every field that is written, by its path: `retry.backoff.base`; of a policy without its targets."""
    for field in block.__struct_fields__:
        value = getattr(block, field)
        inner = f"{path}.{field}" if path else field
        if isinstance(value, Part):
            yield from leaves(value, inner)
        elif value is not None and inner != "targets":
            yield inner, value


def sources(policies: Iterable[tuple[str, TrafficPolicy]]) -> dict[str, str]:
    """By whose word each written field, and each block, is what it is: of several the narrowest one's.

    policies: from the widest to the narrowest, each with its title. What is not told is built in.
    """
    found: dict[str, str] = {}
    for title, policy in policies:
        for path, _ in leaves(policy):
            found[path] = title
            if "." in path:
                found[path.partition(".")[0]] = title
    return found


def effective(policies: Iterable[TrafficPolicy]) -> TrafficPolicy:
    """policies: from the widest to the narrowest. Every block that is on is complete."""
    merged = DEFAULTS
    for policy in policies:
        merged = cast("TrafficPolicy", merge(merged, msgspec.structs.replace(policy, targets=())))
    return msgspec.structs.replace(
        merged,
        bulkhead=merge(BULKHEAD, merged.bulkhead) if merged.bulkhead else None,
        hedge=merge(HEDGE, merged.hedge) if merged.hedge else None,
        breaker=merge(BREAKER, merged.breaker) if merged.breaker else None,
        adaptive_concurrency=(
            merge(ADAPTIVE_CONCURRENCY, merged.adaptive_concurrency) if merged.adaptive_concurrency else None
        ),
        health_check=merge(HEALTH_CHECK, merged.health_check) if merged.health_check else None,
    )

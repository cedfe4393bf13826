"""TrafficPolicy: how a service is called. Every default is what a service without any policy gets.

A block is merged field by field over mesh, namespace, service, subset and route rule, so "not written" must stay
visible: None means inherit, and `gateway/compiler` puts the built-in default in last.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from meshway.model.document import Label, Part, Port, Spec, Target
from meshway.model.respond import Respond
from meshway.model.secret import SecretRef
from meshway.units import Duration, Size

RetryCondition = Literal[
    "connect_failure", "refused_stream", "reset_before_request", "stale_connection", "reset", "attempt_timeout"
]
Failure = Literal["connect", "reset", "timeout", 500, 502, 503, 504]
Percent = Annotated[float, Meta(ge=0, le=100)]
Status = Annotated[int, Meta(ge=100, le=599)]


class HashKey(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one: what of a call decides its endpoint. A call without it goes to any."""

    is_one_choice: ClassVar[bool] = True
    unsupported: ClassVar[frozenset[str]] = frozenset({"principal"})

    header: str | None = None
    cookie: str | None = None
    query: str | None = None
    source_ip: bool = False
    path: bool = False


class RingHash(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """min_size: points of a ring of four equal endpoints; each has a quarter of it, so that more have more."""

    min_size: Annotated[int, Meta(ge=1, le=65536)] | None = None


class Maglev(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """table_size: a prime; 0: 1,009 for up to 10 endpoints, 8,191 for up to 81, else 65,537."""

    table_size: Annotated[int, Meta(ge=0, le=5_000_011)] | None = None


class Affinity(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A caller stays at the endpoint that served it first: by a cookie (ttl 1h), or by a header that it repeats."""

    is_one_choice: ClassVar[bool] = True

    cookie: str | None = None
    header: str | None = None
    ttl: Duration | None = None


class LoadBalancer(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Default: least_request over 2 distinct choices; decay 10s (peak_ewma); max_load_factor 0 = unbounded.

    weights auto: the declared ones times how fast each endpoint answers.
    """

    algorithm: Literal["least_request", "round_robin", "random", "peak_ewma", "ring_hash", "maglev"] | None = None
    choices: Annotated[int, Meta(ge=2, le=8)] | None = None
    decay: Duration | None = None
    hash_key: HashKey | None = None
    ring_hash: RingHash | None = None
    maglev: Maglev | None = None
    max_load_factor: Annotated[float, Meta(ge=0, le=100)] | None = None
    affinity: Affinity | None = None
    weights: Literal["declared", "auto"] | None = None


class SlowStart(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A young endpoint's weight is multiplied by max(min_percent, (age / window)^(1 / aggression)). Default window 0s.

    Who returns from an ejection begins slowly for 5 s at least. Not for ring_hash and maglev.
    """

    window: Duration | None = None
    min_percent: Annotated[float, Meta(ge=1, le=100)] | None = None
    aggression: Annotated[float, Meta(ge=0.1, le=10)] | None = None


class Locality(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which zones serve. The gateway's own takes all calls while its healthy share * overprovisioning reaches 1."""

    mode: Literal["prefer_zone", "ignore", "zone_only"] | None = None
    overprovisioning: Annotated[float, Meta(ge=1, le=10)] | None = None


class Failover(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who serves in place of the called service. namespace None: the called service's."""

    service: Label
    namespace: Label | None = None
    subset: Label | None = None


class Panic(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happens when so few are healthy; 0: when none is. use_suspects: ejected and failing ones serve, too."""

    when_healthy_below_percent: Percent | None = None
    action: Literal["use_suspects", "fail"] | None = None


class TcpKeepalive(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A silent connection is probed after time (60s; 0s: never), every interval (15s), and is dead after probes (3)."""

    time: Duration | None = None
    interval: Duration | None = None
    probes: Annotated[int, Meta(ge=1, le=100)] | None = None


class Connection(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Defaults: connect_timeout 1s, idle_timeout 4s (below uvicorn's and Node's 5 s), max_requests 0 = none.

    max_age: when a connection is older, no further call begins on it; 0s = none. proxy_protocol: each call comes on a
    connection of its own, which tells who calls. http: what is spoken; auto: what the service's port says. By http2
    max_streams (100) calls of a worker share a connection to an instance, by prior knowledge or, with TLS, as the
    handshake says.
    """

    http: Literal["auto", "http1", "http2"] | None = None
    connect_timeout: Duration | None = None
    idle_timeout: Duration | None = None
    max_age: Duration | None = None
    max_requests: Annotated[int, Meta(ge=0)] | None = None
    max_streams: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    tcp_keepalive: TcpKeepalive | None = None
    proxy_protocol: Literal["off", "v1", "v2"] | None = None


class Timeouts(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Defaults: deadline none (whole exchange), attempt none, first_byte 60s, idle 5m, upgraded_idle 1h; 0s = none."""

    deadline: Duration | None = None
    attempt: Duration | None = None
    first_byte: Duration | None = None
    idle: Duration | None = None
    upgraded_idle: Duration | None = None


class Backoff(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Wait before retry n: uniform(0, min(max, base * 2^n))."""

    base: Duration | None = None
    max: Duration | None = None


class RetryBudget(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Retries in 10 s are at most percent of the requests in 10 s, or 10 * min_per_second where that is more."""

    percent: Percent | None = None
    min_per_second: Annotated[float, Meta(ge=0)] | None = None


class Retry(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Defaults: one retry, only for what never reached the application; backoff 25ms to 250ms; budget 20 % + 10/s."""

    max_retries: Annotated[int, Meta(ge=0, le=10)] | None = None
    on: tuple[RetryCondition, ...] | None = None
    statuses: tuple[Status, ...] | None = None
    grpc_codes: tuple[Annotated[int, Meta(ge=1, le=16)], ...] | None = None
    backoff: Backoff | None = None
    budget: RetryBudget | None = None
    non_idempotent: bool | None = None
    buffer: Size | None = None
    same_endpoint: bool | None = None


class Hedge(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Off unless written. Another attempt when an idempotent call has no answer yet; the first answer wins.

    after: a duration, or `p95`: what the rule's calls of the last minute stayed below (of a hundred at least). max: 1.
    """

    after: Annotated[str, Meta(max_length=32)] | None = None
    max: Annotated[int, Meta(ge=1, le=2)] | None = None


class Bulkhead(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Most running and waiting calls and open connections of a service. Defaults: 0 = none, 1024 pending for 1s.

    scope mesh: the live gateways share max_connections and max_requests evenly, gateway: each has them.
    """

    max_connections: Annotated[int, Meta(ge=0)] | None = None
    max_requests: Annotated[int, Meta(ge=0)] | None = None
    max_pending: Annotated[int, Meta(ge=0)] | None = None
    pending_timeout: Duration | None = None
    scope: Literal["mesh", "gateway"] | None = None


class SlowCall(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Slow calls are as bad as failed ones: more than `percent` that take longer than `over`."""

    is_one_choice: ClassVar[bool] = True

    over: Duration
    percent: Percent = 50.0


class Fallback(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one: what calls get that an open breaker keeps away. A service that is its own fallback has none."""

    is_one_choice: ClassVar[bool] = True

    respond: Respond | None = None
    destination: Failover | None = None


class Breaker(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Off unless written. Opens when the failure share of the window is above the threshold.

    confidence_percent: how sure it must be that the true share is, 0: the observed share counts.
    """

    window: Duration | None = None
    minimum_requests: Annotated[int, Meta(ge=1)] | None = None
    failure_percent: Percent | None = None
    failures: tuple[Failure, ...] | None = None
    open_for: Duration | None = None
    open_max: Duration | None = None
    half_open_requests: Annotated[int, Meta(ge=1, le=100)] | None = None
    slow_call: SlowCall | None = None
    confidence_percent: Annotated[float, Meta(ge=0, lt=100)] | None = None
    fallback: Fallback | None = None


class AdaptiveConcurrency(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Off unless written. Refuses calls above a number that each worker learns from how long answers take.

    tolerance: how many times the uncongested latency one may be (2.0). Defaults: 3 to 1000 calls at once, windows of
    100ms with 20 answers at least. A rule's criticality says who is refused first. per: what has a limit, the service
    as a whole (the default) or each endpoint, where one that is slower gets fewer calls.
    """

    tolerance: Annotated[float, Meta(ge=1.1, le=10)] | None = None
    min_limit: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    max_limit: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    window: Duration | None = None
    minimum_samples: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    per: Literal["service", "endpoint"] | None = None


class FailureRatio(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An endpoint fails this much, and this much more than its cluster: a failing dependency ejects nobody."""

    percent: Percent | None = None
    over_cluster_percent: Percent | None = None
    minimum_requests: Annotated[int, Meta(ge=1)] | None = None
    window: Duration | None = None


class OutlierDetection(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """On by default: 5 gateway failures in a row, or the ratio rule; 10s doubling to 5m; half at most, one stays."""

    enabled: bool | None = None
    consecutive_gateway_failures: Annotated[int, Meta(ge=0)] | None = None
    consecutive_5xx: Annotated[int, Meta(ge=0)] | None = None
    failure_ratio: FailureRatio | None = None
    base_ejection: Duration | None = None
    max_ejection: Duration | None = None
    max_ejection_percent: Percent | None = None


class HealthCheck(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Active checks: of a policy, by one checker a gateway host; of a registration, by the registry.

    None unless written; timeout must be below interval. service: what a gRPC server is asked for (grpc.health.v1).
    """

    type: Literal["http", "tcp", "grpc"] | None = None
    path: str | None = None
    port: Port | None = None
    host: str | None = None
    service: str | None = None
    expect: tuple[str, ...] | None = None
    interval: Duration | None = None
    timeout: Duration | None = None
    unhealthy_after: Annotated[int, Meta(ge=1, le=100)] | None = None
    healthy_after: Annotated[int, Meta(ge=1, le=100)] | None = None


class UpstreamTls(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a service's instances are spoken to; a narrower policy's block replaces a wider one's.

    mode: `off`; `simple`: they show who they are; `mutual`: the gateway does, too, by `certificate`, a Secret of type
    tls; `mesh`: both by certificates of the mesh, and the instance's must name the service. sni: the name that is asked
    for and verified, default the instance's address. subject_alt_names: one of these is verified in its place. ca: a
    Secret of type ca_bundle, default the public authorities.
    """

    is_one_choice: ClassVar[bool] = True

    mode: Literal["off", "simple", "mutual", "mesh"] = "simple"
    sni: str | None = None
    subject_alt_names: Annotated[tuple[str, ...], Meta(max_length=64)] = ()
    ca: Label | SecretRef | None = None
    certificate: Label | SecretRef | None = None


class TrafficPolicy(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the targets are called; the most specific policy wins field by field."""

    plural: ClassVar[str] = "traffic-policies"
    targets: tuple[Target, ...] = ()
    load_balancer: LoadBalancer | None = None
    slow_start: SlowStart | None = None
    locality: Locality | None = None
    failover: Annotated[tuple[Failover, ...], Meta(max_length=8)] | None = None
    panic: Panic | None = None
    connection: Connection | None = None
    timeouts: Timeouts | None = None
    retry: Retry | None = None
    hedge: Hedge | None = None
    bulkhead: Bulkhead | None = None
    breaker: Breaker | None = None
    adaptive_concurrency: AdaptiveConcurrency | None = None
    outlier_detection: OutlierDetection | None = None
    health_check: HealthCheck | None = None
    tls: UpstreamTls | None = None

"""What must hold inside a TrafficPolicy, a RateLimit and their targets. Bounds: docs/guide/documents.md."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import msgspec

from meshway.model.document import Target
from meshway.model.limit_rules import COST_RULES, LIMIT_RULES, QUOTA_RULES
from meshway.model.names import FIELD_VALUE, REFUSED_HEADERS, TOKEN, bad_host
from meshway.model.nearest import did_you_mean
from meshway.model.rate_limit import Cost, Quota, RateLimit, SlidingWindow, TokenBucket
from meshway.model.rule_kit import BlockRule, Finding, at_most, bounded, one_of, unique
from meshway.model.traffic_policy import (
    AdaptiveConcurrency,
    Affinity,
    Backoff,
    Breaker,
    Bulkhead,
    Connection,
    FailureRatio,
    Fallback,
    HashKey,
    HealthCheck,
    Hedge,
    LoadBalancer,
    Maglev,
    OutlierDetection,
    Retry,
    SlowCall,
    SlowStart,
    TcpKeepalive,
    Timeouts,
    TrafficPolicy,
    UpstreamTls,
)
from meshway.units import parse_duration, parse_rate

KEY_PARTS: Final = (
    "source_ip", "principal", "consumer", "service", "route", "rule", "method", "constant", "path.NAME", "header.NAME",
    "query.NAME", "claim.NAME",
)  # fmt: skip
_STATUS_RANGE: Final = re.compile(r"([1-5]\d\d)(?:-([1-5]\d\d))?\Z")
_LOWEST_RATE: Final = parse_rate("0.01/h")
# What is for checks of another type; a type left out is inherited, and judged where it is known.
_HEALTH_OTHERS: Final = {
    "http": ("service",),
    "tcp": ("path", "host", "expect", "service"),
    "grpc": ("path", "expect"),
}
_LEAST_LOAD_FACTOR: Final = 1.05
_MOST_EXACT: Final = 10_000
_MS, _MINUTE, _HOUR, _DAY = 0.001, 60.0, 3600.0, 86400.0


def _one_target(part: Any) -> Iterator[Finding]:
    written = [name for name in ("mesh", "namespace", "service", "route") if getattr(part, name)]
    if len(written) != 1:
        found = f"has {' and '.join(written)}" if written else "has none"
        yield Finding("", "forbidden_combination", f"needs exactly one of mesh, namespace, service, route; {found}")
        return
    if part.subset is not None and part.service is None:
        yield Finding(".subset", "forbidden_combination", "needs service beside it")
    if part.port is not None and part.service is None:
        yield Finding(".port", "forbidden_combination", "needs service beside it")
    if part.rule is not None and part.route is None:
        yield Finding(".rule", "forbidden_combination", "needs route beside it")


def _limit_key(part: Any) -> Iterator[Finding]:
    for at, key in enumerate(part.key):
        head, dot, name = key.partition(".")
        if head in ("path", "header", "query", "claim"):
            if not dot or not name or (head == "header" and not TOKEN.match(name)):
                yield Finding(f".key[{at}]", "bad_name", f'"{key}" names no {head}: write {head}.NAME')
        elif key not in KEY_PARTS:
            yield Finding(f".key[{at}]", "out_of_bounds", f'"{key}" is no part of a key{did_you_mean(key, KEY_PARTS)}')
    yield from unique(part.key, lambda at: f".key[{at}]", "part")


def _rate_above_zero(part: Any) -> Iterator[Finding]:
    if part.rate < _LOWEST_RATE:
        yield Finding(
            ".rate", "out_of_bounds", f"{part.rate} refuses nearly every call for ever; write at least {_LOWEST_RATE}"
        )


def _exact_window(part: Any) -> Iterator[Finding]:
    if part.exact and part.limit > _MOST_EXACT:
        reason = f"keeps every call of a window, so limit may be at most {_MOST_EXACT}; it is {part.limit}"
        yield Finding(".exact", "out_of_bounds", reason)


def _health_expect(part: Any) -> Iterator[Finding]:
    for at, text in enumerate(part.expect or ()):
        found = _STATUS_RANGE.match(text)
        if not found or (found[2] and found[2] < found[1]):
            yield Finding(f".expect[{at}]", "out_of_bounds", f'"{text}" is no status and no range like 200-299')


def _health_service(part: Any) -> Iterator[Finding]:
    if part.service is not None and (len(part.service) > 255 or not FIELD_VALUE.match(part.service)):
        yield Finding(".service", "out_of_bounds", "is no name of a gRPC service, such as shop.v1.Reviews")


def _health_path(part: Any) -> Iterator[Finding]:
    if part.path is not None and (not part.path.startswith("/") or not FIELD_VALUE.match(part.path)):
        yield Finding(".path", "out_of_bounds", f'"{part.path}" does not begin with "/"')
    for name in _HEALTH_OTHERS.get(part.type, ()):
        if getattr(part, name) is not None:
            reason = "is for type: grpc" if name == "service" else f"is for type: http, not {part.type}"
            yield Finding(f".{name}", "forbidden_combination", reason)


def _duplicate_targets(part: Any) -> Iterator[Finding]:
    for target, times in Counter(part.targets).items():
        if times > 1:
            yield Finding(f".targets[{part.targets.index(target)}]", "duplicate", f"is there {times} times")


def _shared_connection(part: Any) -> Iterator[Finding]:
    if part.http == "http2" and part.proxy_protocol not in (None, "off"):
        yield Finding(".proxy_protocol", "forbidden_combination", "names one caller: by http2 all share a connection")


def _whole_service(part: Any) -> Iterator[Finding]:
    """An instance may be in several subsets, and is checked once for all its ports."""
    blocks = [".health_check"] if part.health_check is not None else []
    if part.connection is not None and part.connection.proxy_protocol is not None:
        blocks.append(".connection.proxy_protocol")
    if part.connection is not None and part.connection.http is not None:
        blocks.append(".connection.http")
    for at, target in enumerate(part.targets):
        if target.subset is not None:
            reason = f"cannot differ among subsets: target the service {target.service} (targets[{at}])"
            yield from (Finding(block, "forbidden_combination", reason) for block in blocks)
        if target.port is not None and part.health_check is not None:
            reason = f"cannot differ among ports, name one in it: target the service {target.service} (targets[{at}])"
            yield Finding(".health_check", "forbidden_combination", reason)


def _portless_targets(part: Any) -> Iterator[Finding]:
    yield from _duplicate_targets(part)
    for at, target in enumerate(part.targets):
        if target.port is not None:
            yield Finding(f".targets[{at}].port", "unsupported", "is built for TrafficPolicies only; leave it out")


UNIQUE_TARGETS: Final = BlockRule(("targets",), _duplicate_targets)
PORTLESS_TARGETS: Final = BlockRule(("targets",), _portless_targets)  # of all but TrafficPolicies


# What is for some algorithms only; an algorithm left out is inherited, and judged where it is known.
_OF_ALGORITHMS: Final = {
    "choices": ("least_request",),
    "decay": ("peak_ewma",),
    "hash_key": ("ring_hash", "maglev"),
    "ring_hash": ("ring_hash",),
    "maglev": ("maglev",),
    "max_load_factor": ("ring_hash", "maglev"),
}


def _of_algorithm(part: Any) -> Iterator[Finding]:
    algorithm = part.algorithm
    if algorithm is None:
        return
    for name, meant in _OF_ALGORITHMS.items():
        if getattr(part, name) is not None and algorithm not in meant:
            yield Finding(f".{name}", "forbidden_combination", f"is for {' and '.join(meant)}, not for {algorithm}")
    if part.weights == "auto" and algorithm in ("ring_hash", "maglev", "peak_ewma"):
        reason = "moves no callers by itself" if algorithm != "peak_ewma" else "goes by latency already"
        yield Finding(".weights", "forbidden_combination", f"auto is not for {algorithm}, which {reason}")
    if algorithm in ("ring_hash", "maglev") and part.hash_key is None:
        yield Finding(".hash_key", "missing_field", f"is required: {algorithm} needs to know what to hash of a call")


def _slow_hash(part: Any) -> Iterator[Finding]:
    balancer, slow = part.load_balancer, part.slow_start
    if balancer is not None and balancer.algorithm in ("ring_hash", "maglev") and slow is not None and slow.window:
        reason = f"is not for {balancer.algorithm}: each step of a growing weight would move callers"
        yield Finding(".slow_start.window", "forbidden_combination", reason)


def _load_factor(part: Any) -> Iterator[Finding]:
    if part.max_load_factor is not None and 0 < part.max_load_factor < _LEAST_LOAD_FACTOR:
        yield Finding(
            ".max_load_factor",
            "out_of_bounds",
            f"{part.max_load_factor} is below {_LEAST_LOAD_FACTOR} (or 0: unbounded)",
        )


def _hash_names(part: Any) -> Iterator[Finding]:
    for name in ("header", "cookie", "query"):
        value = getattr(part, name)
        if value is not None and not (TOKEN.match(value) if name != "query" else value):
            yield Finding(f".{name}", "bad_name", f'"{value}" names no {name}')


def _affinity(part: Any) -> Iterator[Finding]:
    for name in ("cookie", "header"):
        value = getattr(part, name)
        if value is not None and not TOKEN.match(value):
            yield Finding(f".{name}", "bad_name", f'"{value}" names no {name}')
        elif value is not None and name == "header" and value.lower() in REFUSED_HEADERS:
            yield Finding(".header", "forbidden_combination", f"{value} belongs to the gateway")
    if part.ttl is not None and part.header is not None:
        yield Finding(".ttl", "forbidden_combination", "is for a cookie")


def _limits_in_order(part: Any) -> Iterator[Finding]:
    low, high = part.min_limit or 3, part.max_limit or 1000
    if low > high:
        at = "min_limit" if part.min_limit is not None else "max_limit"
        yield Finding(f".{at}", "forbidden_combination", f"min_limit {low} is above max_limit {high}")


def _tls_of_mode(part: Any) -> Iterator[Finding]:
    if part.mode == "mutual" and part.certificate is None:
        yield Finding(".certificate", "missing_field", "is required with mode: mutual")
    elif part.mode != "mutual" and part.certificate is not None:
        yield Finding(".certificate", "forbidden_combination", "is for mode: mutual")
    for name in ("ca", "subject_alt_names", "sni"):
        if getattr(part, name) and (part.mode == "off" or (part.mode == "mesh" and name != "sni")):
            yield Finding(f".{name}", "forbidden_combination", f"is of no use with mode: {part.mode}")


def _server_name(part: Any) -> Iterator[Finding]:
    if part.sni is not None and (fault := bad_host(part.sni, wildcard=False)) is not None:
        yield Finding(".sni", "bad_name", fault)


def _tls_of_subset(part: Any) -> Iterator[Finding]:
    """Its instances are the service's, too, and connections to them are kept for both."""
    for at, target in enumerate(part.targets if part.tls is not None else ()):
        if target.subset is not None:
            yield Finding(f".targets[{at}].subset", "forbidden_combination", "tls is for a whole service, or its port")


def _hedge_after(part: Any) -> Iterator[Finding]:
    if part.after is None or part.after == "p95":
        return
    try:
        after = parse_duration(part.after)
    except ValueError as error:
        yield Finding(".after", "bad_duration", f"{error}, or p95")
        return
    if not _MS <= after <= _MINUTE:
        yield Finding(".after", "out_of_bounds", f"{after} is outside 1ms to 1m")


def _prime_table(part: Any) -> Iterator[Finding]:
    size = part.table_size
    if size and not _is_prime(size):
        prime = next(number for number in count(size) if _is_prime(number))
        yield Finding(".table_size", "out_of_bounds", f"{size} is no prime; the next one is {prime}")


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


POLICY_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    Target: (BlockRule(("mesh", "namespace", "service", "route", "subset", "port", "rule"), _one_target, whole=True),),
    Affinity: (
        one_of("cookie", "header"),
        BlockRule(("cookie", "header", "ttl"), _affinity),
        bounded("ttl", 1.0, 366 * _DAY, zero=True),
    ),
    HashKey: (
        one_of("header", "cookie", "query", "source_ip", "path"),
        BlockRule(("header", "cookie", "query"), _hash_names),
    ),
    Maglev: (BlockRule(("table_size",), _prime_table),),
    LoadBalancer: (
        BlockRule(("algorithm", "weights", *_OF_ALGORITHMS), _of_algorithm, whole=True),
        BlockRule(("max_load_factor",), _load_factor),
        bounded("decay", 0.1, _HOUR, zero=False),
    ),
    SlowStart: (bounded("window", 0.1, 900.0, zero=True),),
    Connection: (
        bounded("connect_timeout", 10 * _MS, _MINUTE, zero=False),
        bounded("idle_timeout", _MS, _DAY, zero=True),
        bounded("max_age", 1.0, 30 * _DAY, zero=True),
        BlockRule(("http", "proxy_protocol"), _shared_connection),
    ),
    # What the kernel takes: whole seconds up to 32,767.
    TcpKeepalive: (bounded("time", 1.0, 9 * _HOUR, zero=True), bounded("interval", 1.0, 9 * _HOUR, zero=False)),
    Timeouts: tuple(
        bounded(name, _MS, _DAY, zero=True) for name in ("deadline", "attempt", "first_byte", "idle", "upgraded_idle")
    ),
    Backoff: (
        bounded("base", _MS, _MINUTE, zero=False),
        bounded("max", _MS, _HOUR, zero=False),
        at_most("base", "max", equal=True, low_default=0.025, high_default=0.25),
    ),
    Retry: (bounded("buffer", 0, 1 << 20, zero=False),),
    Hedge: (BlockRule(("after",), _hedge_after),),
    Bulkhead: (bounded("pending_timeout", _MS, _HOUR, zero=False),),
    SlowCall: (bounded("over", _MS, _HOUR, zero=False),),
    Breaker: (
        bounded("window", 1.0, 300.0, zero=False),
        bounded("open_for", _MS, _HOUR, zero=False),
        bounded("open_max", _MS, _DAY, zero=False),
        at_most("open_for", "open_max", equal=True, low_default=5.0, high_default=60.0),
    ),
    AdaptiveConcurrency: (
        bounded("window", 10 * _MS, _MINUTE, zero=False),
        BlockRule(("min_limit", "max_limit"), _limits_in_order),
    ),
    Fallback: (one_of("respond", "destination"),),
    FailureRatio: (bounded("window", 1.0, 300.0, zero=False),),
    OutlierDetection: (
        bounded("base_ejection", _MS, _DAY, zero=False),
        bounded("max_ejection", _MS, _DAY, zero=False),
        at_most("base_ejection", "max_ejection", equal=True, low_default=10.0, high_default=300.0),
    ),
    HealthCheck: (
        bounded("interval", 1.0, _DAY, zero=False),
        bounded("timeout", _MS, _HOUR, zero=False),
        at_most("timeout", "interval", equal=False, low_default=2.0, high_default=10.0),
        BlockRule(("expect",), _health_expect),
        BlockRule(("service",), _health_service),
        BlockRule(("type", "path", "host", "expect", "service"), _health_path),
    ),
    UpstreamTls: (
        BlockRule(("mode", "sni", "subject_alt_names", "ca", "certificate"), _tls_of_mode),
        BlockRule(("sni",), _server_name),
    ),
    TrafficPolicy: (
        BlockRule(("targets", "tls"), _tls_of_subset),
        UNIQUE_TARGETS,
        BlockRule(("targets", "connection", "health_check"), _whole_service),
        BlockRule(("load_balancer", "slow_start"), _slow_hash),
    ),
    TokenBucket: (BlockRule(("rate",), _rate_above_zero),),
    SlidingWindow: (bounded("window", 1.0, _DAY, zero=False), BlockRule(("limit", "exact"), _exact_window)),
    RateLimit: (
        PORTLESS_TARGETS,
        BlockRule(("key",), _limit_key),
        one_of("token_bucket", "sliding_window", "quota", "in_flight"),
        bounded("max_wait", _MS, 30.0, zero=True),
        *LIMIT_RULES,
    ),
    Cost: COST_RULES,
    Quota: QUOTA_RULES,
}

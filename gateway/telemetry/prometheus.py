"""Counters as Prometheus text (exposition format 0.0.4), or as OpenMetrics (1.0), which has room for exemplars."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from gateway.telemetry.counters import CALL, ENDPOINT, GAUGE, HISTOGRAM, PLAIN, Labels, SeriesKey
from meshway.histogram import cumulative

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OPEN_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
DURATION: Final = "http_server_request_duration_seconds"
# Seconds; OpenTelemetry's advice for http.server.request.duration, with half a millisecond below and a minute above.
BOUNDS: Final = (
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.25,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
    30.0,
    60.0,
)
_TEXTS: Final = {
    "meshway_tls_handshakes_total": "Handshakes that were begun, by what became of them.",
    "meshway_series_beyond_limit_total": "Series that are counted under `other`, since there are too many.",
    "meshway_requests_unkept_total": "Lines for the registry above what a worker tells in a second.",
    "meshway_traces_dropped_total": "Traced calls above what a gateway tells in a second.",
    "meshway_access_log_dropped_total": "Lines that the disk did not take in time.",
    "meshway_connections": "Connections of callers.",
    "meshway_udp_sessions": "Sources of datagrams that are served.",
    "meshway_udp_datagrams_total": "Datagrams that went on, to services (in) and to callers (out).",
    "meshway_udp_datagrams_dropped_total": "Datagrams that did not go on, by why.",
    "meshway_connections_revoked_total": "Connections, sessions and streams ended by a newer revision, by reason.",
    "meshway_addresses_kept_out": "Addresses with too many connections, whose new ones are dropped unseen.",
    "meshway_connections_refused_total": "Connections of callers that were not taken, by what there was too little of.",
    "meshway_connections_stalled_total": "Connections that were ended since their caller took nothing for too long.",
    "meshway_overload_level": "What a worker sheds: 0 nothing, 1 sheddable calls, 2 all but critical ones.",
    "meshway_loop_lag_seconds": "How late a worker's loop was in its last second, but for the one worst time.",
    "meshway_worker_memory_bytes": "Resident memory of a worker.",
    "meshway_shed_total": "Calls refused by a worker that had too much to do.",
    "meshway_upstream_connections": "Connections to instances, in use and kept.",
    "meshway_upstream_requests_in_flight": "Attempts under way at instances.",
    "meshway_grpc_answers_total": "Answers of services of gRPC, by their status.",
    "meshway_upstream_connect_failures_total": "Attempts that got no connection.",
    "meshway_upgraded_connections": "Calls that were upgraded, as to WebSocket, and go on.",
    "meshway_websocket_messages_total": "Messages of WebSockets that are over, where a rule looks at their frames.",
    "meshway_pending_requests": "Calls that wait before a full bulkhead.",
    "meshway_breaker_open": "Workers whose breaker is open or half-open.",
    "meshway_concurrency_limit": "Calls at once that the workers' adaptive limits admit.",
    "meshway_mirrored_requests_total": "Copies of calls, by what became of them.",
    "meshway_mirror_comparisons_total": "Answers of copies, by how they differ from the calls' own.",
    "meshway_access_would_deny_total": "Calls that an AccessPolicy in audit mode would have denied.",
    "meshway_external_checks_total": "Calls on which a service was asked whether they may go on, by what it said.",
    "meshway_rate_limited_total": "Calls that a limit refused.",
    "meshway_auth_denied_total": "Calls of callers that are unknown or may not call.",
    "meshway_consumer_calls_total": "Calls of Consumers, by what they proved themselves by.",
    "meshway_rate_limit_would_refuse_total": "Calls that a limit in audit mode would have refused.",
    "meshway_rate_limit_alone_total": "Calls that a limit admitted while it could not count with the other gateways.",
    "meshway_rate_limit_ahead_total": "Calls that a limit admitted ahead of an answer that came late.",
    "meshway_rate_limit_keys_dropped_total": "Keys of a limit that were forgotten for want of room.",
}
DURATION_LABELS: Final = ("listener", "route", "source", "service", "status_class")

Sample = tuple[Labels, float]


class Exemplar(NamedTuple):
    """A call that was recorded. seconds: how long it took. at_s: when it ended, since 1970."""

    trace_id: str
    seconds: float
    at_s: float


# The last ones of `DURATION`, by labels and by the bound of their bucket.
Exemplars = Mapping[tuple[Labels, str], Exemplar]


class Family(NamedTuple):
    """One metric. samples: what follows its name, labels, value."""

    name: str
    kind: str
    text: str
    samples: Sequence[tuple[str, Labels, float]]


def exposition(series: Mapping[SeriesKey, Sequence[float]], own: Iterable[Family] = ()) -> str:
    """series: of all workers. own: what the supervisor adds."""
    lines: list[str] = []
    for family in _families(series, own):
        lines += (f"# HELP {family.name} {family.text}", f"# TYPE {family.name} {family.kind}")
        lines += (f"{family.name}{rest}{_braces(labels)} {_number(value)}" for rest, labels, value in family.samples)
    return "\n".join(lines) + "\n"


def open_metrics(series: Mapping[SeriesKey, Sequence[float]], own: Iterable[Family], exemplars: Exemplars) -> str:
    """The same as OpenMetrics, with exemplars."""
    lines: list[str] = []
    for family in _families(series, own):
        name = family.name.removesuffix("_total") if family.kind == "counter" else family.name
        lines += (f"# TYPE {name} {family.kind}", f"# HELP {name} {_escaped(family.text)}")
        has_exemplars = family.name == DURATION and exemplars
        for rest, labels, value in family.samples:
            line = f"{family.name}{rest}{_braces(labels)} {_number(value)}"
            if has_exemplars and rest == "_bucket":
                line += _shown(exemplars.get((labels[:-1], labels[-1][1])))
            lines.append(line)
    return "\n".join(lines) + "\n# EOF\n"


def bound_of(seconds: float) -> str:
    """The bucket that a duration is counted in first."""
    at = bisect_left(BOUNDS, seconds)
    return repr(BOUNDS[at]) if at < len(BOUNDS) else "+Inf"


def wants_open(accept: bytes) -> bool:
    """Whether a scraper takes OpenMetrics; Prometheus asks for it first where it takes exemplars."""
    return accept.partition(b"application/openmetrics-text")[1] != b""


def _families(series: Mapping[SeriesKey, Sequence[float]], own: Iterable[Family]) -> list[Family]:
    calls = [(labels, cells) for (kind, labels), cells in series.items() if kind == CALL]
    endpoints = [(labels, cells) for (kind, labels), cells in series.items() if kind == ENDPOINT]
    found = counter("meshway_requests_total", "Calls that ended.", [(labels, cells[0]) for labels, cells in calls])
    for name, at, text in (
        ("meshway_request_bytes_total", 1, "Bytes of request bodies."),
        ("meshway_response_bytes_total", 2, "Bytes of response bodies."),
    ):
        found += counter(name, text, _summed(((labels, cells[at]) for labels, cells in calls), ("route", "service")))
    text = "From a call's head to the end of its answer."
    found += histogram(DURATION, text, _grouped(calls, DURATION_LABELS))
    text = "From a call's head to the first byte of its answer."
    found += histogram("meshway_upstream_request_duration_seconds", text, endpoints)
    found += counter("meshway_upstream_requests_total", "Calls by the instance that answered last.", _at(endpoints, 0))
    found += counter("meshway_upstream_retries_total", "Attempts after the first.", _at(endpoints, 1))
    for name, samples in _named(series, PLAIN):
        found += counter(name, _TEXTS.get(name, name), samples)
    for name, samples in _named(series, GAUGE):
        found += gauge(name, _TEXTS.get(name, name), samples)
    return [*found, *own]


def counter(name: str, text: str, samples: Iterable[Sample]) -> list[Family]:
    """name: ends in `_total`. None where there is no sample."""
    return _family(name, "counter", text, [("", *sample) for sample in samples])


def gauge(name: str, text: str, samples: Iterable[Sample]) -> list[Family]:
    return _family(name, "gauge", text, [("", *sample) for sample in samples])


def histogram(name: str, text: str, rows: Iterable[tuple[Labels, Sequence[float]]]) -> list[Family]:
    samples: list[tuple[str, Labels, float]] = []
    for labels, cells in rows:
        buckets = cells[HISTOGRAM:]
        total = sum(buckets)
        for bound, count in zip(BOUNDS, cumulative(buckets, BOUNDS), strict=True):
            samples.append(("_bucket", (*labels, ("le", repr(bound))), count))
        samples.append(("_bucket", (*labels, ("le", "+Inf")), total))
        samples += (("_sum", labels, cells[3]), ("_count", labels, total))
    return _family(name, "histogram", text, samples)


def _family(name: str, kind: str, text: str, samples: Sequence[tuple[str, Labels, float]]) -> list[Family]:
    return [Family(name, kind, text, samples)] if samples else []


def _shown(exemplar: Exemplar | None) -> str:
    if exemplar is None:
        return ""
    return f' # {{trace_id="{exemplar.trace_id}"}} {exemplar.seconds:.6f} {exemplar.at_s:.3f}'


def _at(rows: Iterable[tuple[Labels, Sequence[float]]], cell: int) -> list[Sample]:
    return [(labels, cells[cell]) for labels, cells in rows]


def _grouped(
    rows: Iterable[tuple[Labels, Sequence[float]]], names: Sequence[str]
) -> list[tuple[Labels, Sequence[float]]]:
    sums: dict[Labels, list[float]] = {}
    for labels, cells in rows:
        kept = tuple((name, value) for name, value in labels if name in names)
        known = sums.get(kept)
        sums[kept] = list(cells) if known is None else [a + b for a, b in zip(known, cells, strict=True)]
    return list(sums.items())


def _summed(samples: Iterable[Sample], names: Sequence[str]) -> list[Sample]:
    sums: dict[Labels, float] = {}
    for labels, value in samples:
        kept = tuple((name, text) for name, text in labels if name in names)
        sums[kept] = sums.get(kept, 0.0) + value
    return list(sums.items())


def _named(series: Mapping[SeriesKey, Sequence[float]], kind: str) -> list[tuple[str, list[Sample]]]:
    """Series of one cell, by the metric they belong to."""
    named: dict[str, list[Sample]] = {}
    for (its_kind, labels), cells in series.items():
        if its_kind == kind:
            name = dict(labels)["__name__"]
            rest = tuple(pair for pair in labels if pair[0] != "__name__")
            named.setdefault(name, []).append((rest, cells[0]))
    return sorted(named.items())


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)

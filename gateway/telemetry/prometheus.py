"""Counters as Prometheus text (exposition format 0.0.4)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gateway.telemetry.counters import CALL, ENDPOINT, GAUGE, HISTOGRAM, PLAIN, Labels, SeriesKey
from gateway.telemetry.histogram import cumulative

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
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
    "meshway_access_log_dropped_total": "Lines that the disk did not take in time.",
    "meshway_connections": "Connections of callers.",
    "meshway_connections_refused_total": "Connections of callers that were not taken, by what there was too little of.",
    "meshway_connections_stalled_total": "Connections that were ended since their caller took nothing for too long.",
    "meshway_overload_level": "What a worker sheds: 0 nothing, 1 sheddable calls, 2 all but critical ones.",
    "meshway_loop_lag_seconds": "How late a worker's loop was in its last second, but for the one worst time.",
    "meshway_worker_memory_bytes": "Resident memory of a worker.",
    "meshway_shed_total": "Calls refused by a worker that had too much to do.",
    "meshway_upstream_connections": "Connections to instances, in use and kept.",
    "meshway_upstream_connect_failures_total": "Attempts that got no connection.",
    "meshway_pending_requests": "Calls that wait before a full bulkhead.",
    "meshway_breaker_open": "Workers whose breaker is open or half-open.",
    "meshway_concurrency_limit": "Calls at once that the workers' adaptive limits admit.",
    "meshway_mirrored_requests_total": "Copies of calls, by what became of them.",
    "meshway_mirror_comparisons_total": "Answers of copies, by how they differ from the calls' own.",
    "meshway_access_would_deny_total": "Calls that an AccessPolicy in audit mode would have denied.",
    "meshway_external_checks_total": "Calls on which a service was asked whether they may go on, by what it said.",
    "meshway_rate_limited_total": "Calls that a limit refused.",
    "meshway_auth_denied_total": "Calls of callers that are unknown or may not call.",
    "meshway_rate_limit_would_refuse_total": "Calls that a limit in audit mode would have refused.",
    "meshway_rate_limit_alone_total": "Calls that a limit admitted while it could not count with the other gateways.",
    "meshway_rate_limit_ahead_total": "Calls that a limit admitted ahead of an answer that came late.",
    "meshway_rate_limit_keys_dropped_total": "Keys of a limit that were forgotten for want of room.",
}
_DURATION_LABELS: Final = ("listener", "route", "source", "service", "status_class")

Sample = tuple[Labels, float]


def exposition(series: Mapping[SeriesKey, Sequence[float]], gauges: Iterable[str] = ()) -> str:
    """series: of all workers. gauges: lines the supervisor adds, already in form."""
    calls = [(labels, cells) for (kind, labels), cells in series.items() if kind == CALL]
    endpoints = [(labels, cells) for (kind, labels), cells in series.items() if kind == ENDPOINT]
    lines: list[str] = []
    lines += counter("meshway_requests_total", "Calls that ended.", [(labels, cells[0]) for labels, cells in calls])
    for name, at, text in (
        ("meshway_request_bytes_total", 1, "Bytes of request bodies."),
        ("meshway_response_bytes_total", 2, "Bytes of response bodies."),
    ):
        lines += counter(name, text, _summed(((labels, cells[at]) for labels, cells in calls), ("route", "service")))
    lines += histogram(
        "http_server_request_duration_seconds",
        "From a call's head to the end of its answer.",
        _grouped(calls, _DURATION_LABELS),
    )
    lines += histogram(
        "meshway_upstream_request_duration_seconds", "From a call's head to the first byte of its answer.", endpoints
    )
    lines += counter("meshway_upstream_requests_total", "Calls by the instance that answered last.", _at(endpoints, 0))
    lines += counter("meshway_upstream_retries_total", "Attempts after the first.", _at(endpoints, 1))
    for name, samples in _named(series, PLAIN):
        lines += counter(name, _TEXTS.get(name, name), samples)
    for name, samples in _named(series, GAUGE):
        lines += gauge(name, _TEXTS.get(name, name), samples)
    lines += gauges
    return "\n".join(lines) + "\n"


def counter(name: str, text: str, samples: Iterable[Sample]) -> list[str]:
    lines = [f"{name}{_braces(labels)} {_number(value)}" for labels, value in samples]
    return [f"# HELP {name} {text}", f"# TYPE {name} counter", *lines] if lines else []


def gauge(name: str, text: str, samples: Iterable[Sample]) -> list[str]:
    lines = [f"{name}{_braces(labels)} {_number(value)}" for labels, value in samples]
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge", *lines] if lines else []


def histogram(name: str, text: str, rows: Iterable[tuple[Labels, Sequence[float]]]) -> list[str]:
    lines: list[str] = []
    for labels, cells in rows:
        buckets = cells[HISTOGRAM:]
        total = sum(buckets)
        for bound, count in zip(BOUNDS, cumulative(buckets, BOUNDS), strict=True):
            lines.append(f"{name}_bucket{_braces((*labels, ('le', f'{bound:g}')))} {_number(count)}")
        lines.append(f"{name}_bucket{_braces((*labels, ('le', '+Inf')))} {_number(total)}")
        lines.append(f"{name}_sum{_braces(labels)} {_number(cells[3])}")
        lines.append(f"{name}_count{_braces(labels)} {_number(total)}")
    return [f"# HELP {name} {text}", f"# TYPE {name} histogram", *lines] if lines else []


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

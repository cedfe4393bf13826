"""What a supervisor tells about its host: readiness, running state, metrics. Nothing here holds a secret."""

import asyncio
import platform
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from gateway.settings import own_version
from gateway.telemetry.counters import Labels
from gateway.telemetry.prometheus import (
    CONTENT_TYPE,
    OPEN_TYPE,
    Family,
    counter,
    exposition,
    gauge,
    open_metrics,
    wants_open,
)
from gateway.worker.serving import STALE_S
from meshway.http1.fields import find
from meshway.http1.message import RequestHead

if TYPE_CHECKING:
    from gateway.supervisor.admin import Body, Page
    from gateway.supervisor.supervisor import Supervisor
    from gateway.supervisor.worker_process import WorkerProcess

STATE_S: Final = 1.0
MOST_SHOWN: Final = 1_000
_JSON: Final = "application/json"


def pages(host: "Supervisor") -> "dict[bytes, Page]":
    async def live(_: RequestHead) -> "Body":
        return _json(200, {"status": "live"})

    async def ready(_: RequestHead) -> "Body":
        missing = missing_of(host)
        return _json(503 if missing else 200, {"ready": not missing, "missing": missing, **_feed(host)})

    async def metrics(head: RequestHead) -> "Body":
        series, own = host.totals.read(host.slots.counters()), families_of(host)
        if wants_open(find(head.block, b"accept") or b""):
            return 200, OPEN_TYPE, open_metrics(series, own, host.telling.exemplars).encode()
        return 200, CONTENT_TYPE, exposition(series, own).encode()

    async def config(_: RequestHead) -> "Body":
        return _json(200, await config_of(host))

    return {b"/health/live": live, b"/health/ready": ready, b"/metrics": metrics, b"/config": config}


def controls(host: "Supervisor") -> "dict[bytes, Page]":
    async def reload(_: RequestHead) -> "Body":
        host.reload()
        return _json(202, {"reloading": True})

    async def drain(_: RequestHead) -> "Body":
        host.end()
        return _json(202, {"draining": True})

    return {b"/reload": reload, b"/drain": drain}


def missing_of(host: "Supervisor") -> list[str]:
    """What keeps this host from serving, for people; a registry that is away does not."""
    if host.slots.is_ending:
        return ["draining"]
    missing = []
    if host.held.is_empty:
        missing.append(f"no snapshot: {host.follower.problem or 'the registry has not sent it yet'}")
    if host.slots.missing:
        missing.append(host.slots.missing)
    return missing


def _feed(host: "Supervisor") -> dict[str, Any]:
    registry = host.follower.registry
    return {
        "revision": host.slots.revision,
        "held_revision": host.held.revision,
        "registry": registry.text if registry is not None else None,
        "registry_problem": host.follower.problem or None,
    }


async def config_of(host: "Supervisor") -> dict[str, Any]:
    running = sorted(host.slots.running, key=lambda worker: worker.slot)
    states = await asyncio.gather(*(_state(worker) for worker in running))
    workers = [
        {
            "slot": worker.slot,
            "pid": worker.pid,
            "revision": worker.revision,
            "hot_path": worker.hot_path.word,
            "connections": state.get("connections") if state else None,
        }
        for worker, state in zip(running, states, strict=True)
    ]
    return {
        "node": host.settings.node_name,
        "zone": host.settings.zone,
        "addresses": msgspec.to_builtins(host.addresses),
        "listeners": host.listeners.urls(),
        "epoch": host.held.epoch,
        **_feed(host),
        "refused": msgspec.to_builtins(host.refused()),
        "feed_refused": host.feed.refused or None,
        "last_good_refused": list(host.followed.refused),
        "workers": workers,
        "draining": sum(worker.is_draining for worker in host.slots.workers),
        "clusters": _merged([state["clusters"] for state in states if state]),
        "clusters_left_out": max((state["left_out"] for state in states if state), default=0),
        "mass_removal_guard": _guard(host),
        "limits_alone": host.assigning.lost or None,
        "transitions": msgspec.to_builtins(host.transitions.in_force()),
        "checks_failing": {"/".join(key): reason for key, reason in sorted(host.checker.failing.items())},
    }


def _guard(host: "Supervisor") -> dict[str, Any] | None:
    guard = host.guard
    if not guard.kept:
        return None
    ends_in_s = round(max(guard.until_s - time.monotonic(), 0.0), 1)
    return {"ends_in_s": ends_in_s, "kept": [f"{ns}/{name}" for _, ns, name in list(guard.kept)[:MOST_SHOWN]]}


async def _state(worker: "WorkerProcess") -> dict[str, Any] | None:
    """None: it did not answer in time."""
    try:
        state: dict[str, Any] = await worker.ask("state", STATE_S)
    except TimeoutError:
        return None
    return state


def _merged(views: list[dict[str, Any]]) -> dict[str, Any]:
    """One view of all workers: counts summed, and of states the worst is not hidden: each worker's own differs rarely
    and briefly, so the first worker's stands unless another one sees the endpoint as not passing."""
    merged: dict[str, Any] = {}
    for view in views:
        for name, cluster in view.items():
            known = merged.setdefault(name, cluster)
            if known is not cluster:
                _add_cluster(known, cluster)
    return merged


def _add_cluster(known: dict[str, Any], other: dict[str, Any]) -> None:
    known["pending"] += other["pending"]
    if known["breaker"] == "closed":
        known["breaker"] = other["breaker"]
    endpoints = {endpoint["id"]: endpoint for endpoint in known["endpoints"]}
    for endpoint in other["endpoints"]:
        first = endpoints.get(endpoint["id"])
        if first is None:
            continue
        for count in ("in_flight", "idle_connections"):
            first[count] += endpoint[count]
        if first["state"] == "passing" and endpoint["state"] != "passing":
            first["state"], first["ejected_for_s"] = endpoint["state"], endpoint["ejected_for_s"]


def families_of(host: "Supervisor") -> list[Family]:
    counts, slots = host.feed.counts, host.slots
    age = host.silence_s
    lag = max(host.feed.head - slots.revision, 0)
    unsent, lost = host.numbers.unsent, host.numbers.unsent.dropped + host.numbers.refused
    gauges = [
        *gauge("meshway_snapshot_revision", "Revision that all workers run.", [((), slots.revision)]),
        *gauge("meshway_snapshot_age_seconds", "Since the registry was last heard.", [((), age)]),
        *gauge(
            "meshway_revocations_stale",
            "Whether revocations were not heard of for an hour.",
            [((), float(age > STALE_S))],
        ),
        *gauge("meshway_feed_lag_revisions", "Revisions the registry is ahead of the workers.", [((), lag)]),
        *gauge("meshway_documents_refused", "Documents that do not compile now.", [((), len(host.refused()))]),
        *gauge("meshway_build_info", "What runs here.", [(_build_of(host), 1.0)]),
        *gauge("meshway_workers", "Workers that accept.", [((), len(slots.running))]),
        *gauge(
            "meshway_feed_connected",
            "Whether a registry is followed.",
            [((), float(host.follower.registry is not None))],
        ),
        *gauge(
            "meshway_mass_removal_guard",
            "Endpoints that are called on although the registry dropped them.",
            [((), len(host.guard.kept))],
        ),
        *gauge(
            "meshway_limits_shared",
            "Whether shared limits are counted with the other gateways.",
            [((), float(not host.assigning.lost))],
        ),
        *counter("meshway_limits_lost_total", "Times that shared limits could not be.", [((), host.assigning.losses)]),
        *counter("meshway_limit_asks_total", "Assignments asked of the registry.", [((), host.assigning.asked)]),
        *counter("meshway_mass_removals_total", "Times that most endpoints vanished.", [((), host.guard.trips)]),
        *counter("meshway_worker_restarts_total", "Workers that died and were replaced.", [((), slots.restarts)]),
        *counter("meshway_feed_connections_total", "Connections to a registry.", [((), host.follower.connections)]),
        *counter("meshway_feed_lost_total", "Revisions found missing.", [((), counts.lost)]),
        *counter("meshway_feed_doubled_total", "Revisions that came twice or late.", [((), counts.doubled)]),
        *counter("meshway_feed_refused_total", "Snapshots and frames refused.", [((), counts.refused)]),
        *counter("meshway_reports_failed_total", "Reports that did not arrive.", [((), host.reporter.failures)]),
        *gauge("meshway_telemetry_unsent", "Reports of numbers that wait for the registry.", [((), len(unsent))]),
        *counter("meshway_telemetry_dropped_total", "Reports of numbers that were never told.", [((), lost)]),
        *counter(
            "meshway_request_lines_dropped_total",
            "Lines for the registry that were never told.",
            [((), host.telling.dropped_lines)],
        ),
        *counter("meshway_spans_sent_total", "Spans that were taken.", [((), host.telling.sent_spans)]),
        *counter("meshway_spans_dropped_total", "Spans that nobody took.", [((), host.telling.dropped_spans)]),
        *counter("meshway_last_good_failures_total", "Writes to disk that failed.", [((), host.keeper.failures)]),
    ]
    failing = [((("service", f"{key[0]}/{key[1]}"), ("instance", key[2])), 1.0) for key in sorted(host.checker.failing)]
    gauges += gauge("meshway_check_failing", "Endpoints whose active check fails.", failing)
    ends = [((("certificate", f"{key[1]}/{key[2]}"),), end) for key, end in sorted(host.certificates.ends())]
    if (own := host.own_certificate.end) is not None:
        ends.append(((("certificate", "identity"),), own))
    gauges += gauge("meshway_certificate_not_after_seconds", "When a certificate is over, since 1970.", ends)
    left = [(labels, round((end - time.time()) / 86_400.0, 3)) for labels, end in ends]
    gauges += gauge("meshway_certificate_days_left", "Until a certificate is over.", left)
    ejected = [
        ((("instance", "/".join(each.endpoint)),), 1.0)
        for each in host.transitions.in_force()
        if each.kind == "ejected" and each.endpoint is not None
    ]
    gauges += gauge("meshway_outlier_ejected", "Endpoints that are ejected.", ejected)
    return gauges


def _build_of(host: "Supervisor") -> Labels:
    return (("hot_path", host.slots.hot_path.word), ("python", platform.python_version()), ("version", own_version()))


def _json(status: int, body: object) -> "Body":
    return status, _JSON, msgspec.json.encode(body)

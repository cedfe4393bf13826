"""GET /metrics: Prometheus text (prometheus.io, exposition format 0.0.4)."""

from __future__ import annotations

import time
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Response

from registry.alerts.records import SEVERITIES
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.core import Core
    from registry.gateways import Gateways, GatewayState
    from registry.manners.places import Caps

PATH: Final = "/metrics"
_Row = tuple[str, str, str, float]
"""Name, type, what it is, value."""


def metrics_router(core: Core, gateways: Gateways, caps: Caps) -> APIRouter:
    router = APIRouter()

    @router.get(PATH)
    async def metrics() -> Response:
        text = "".join((*_lines(core, gateways, caps), *_certificates(await _ends(core))))
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def _lines(core: Core, gateways: Gateways, caps: Caps) -> Iterator[str]:
    yield from _holds(core)
    yield "# HELP meshway_lease_expired_total Leases that this registry let run out.\n"
    yield "# TYPE meshway_lease_expired_total counter\n"
    for namespace, count in sorted(core.leases.expired.items()):
        yield f'meshway_lease_expired_total{{namespace="{namespace}"}} {count}\n'
    yield from _numbers(core)
    yield from _alerts(core)
    yield (
        "# HELP meshway_registry_commit_duration_seconds From taking a batch to durable.\n"
        "# TYPE meshway_registry_commit_duration_seconds summary\n"
        f"meshway_registry_commit_duration_seconds_sum {core.revisions.commit_s}\n"
        f"meshway_registry_commit_duration_seconds_count {core.revisions.commits}\n"
    )
    live = [state for state in gateways.states() if state.live]
    rows = (
        _of_leases(core), _of_checks(core), _of_serving(core, caps), _of_gateways(core, live), _of_looking(core),
        _of_following(core),
    )  # fmt: skip
    for name, kind, about, value in chain.from_iterable(rows):
        yield f"# HELP {name} {about}\n# TYPE {name} {kind}\n{name} {value}\n"


def _of_leases(core: Core) -> list[_Row]:
    leases, live = core.leases, core.live
    return [
        ("meshway_leases", "gauge", "Leases that run.", leases.count),
        ("meshway_self_preservation", "gauge", "Groups whose expiry is held back.", len(leases.holds)),
        ("meshway_live_shared", "gauge", "1: leases are shared, 0: Redis is missing.", int(not live.missing())),
        ("meshway_live_kept_renewals", "gauge", "Renewals that wait for Redis to be back.", live.kept),
        ("meshway_live_losses_total", "counter", "Times Redis went missing.", live.losses),
        ("meshway_bus_dropped_total", "counter", "Messages to other registries that were dropped.", core.bus.dropped),
    ]


def _of_checks(core: Core) -> list[_Row]:
    checks = core.checks
    return [
        ("meshway_checks", "gauge", "Instances this registry asks itself.", len(checks.own)),
        ("meshway_checks_made_total", "counter", "Health checks made.", checks.asked),
        ("meshway_checks_late_seconds", "gauge", "How far the most overdue check is behind.", checks.late_s),
        ("meshway_checks_held", "gauge", "Silent instances kept passing, since too many are.", checks.held),
    ]


def _of_serving(core: Core, caps: Caps) -> Iterator[_Row]:
    feed, dns = core.feed, core.dns
    yield ("meshway_revision", "gauge", "The head: the newest revision.", core.view.revision)
    yield ("meshway_registry_writes_waiting", "gauge", "Writes that wait for a commit.", core.revisions.waiting)
    yield ("meshway_registry_watchers", "gauge", "Connections of /v1/watch.", len(feed.watchers))
    yield ("meshway_registry_followers", "gauge", "Connections of /v1/feed.", len(feed.followers))
    yield ("meshway_registry_connections", "gauge", "Open connections.", caps.connections.count)
    yield ("meshway_registry_log_memory_bytes", "gauge", "Youngest changes kept in memory.", core.view.recent.size)
    yield ("meshway_dns_answers_total", "counter", "DNS answers sent.", dns.answers)
    yield ("meshway_dns_refused_streams_total", "counter", "DNS connections above the limit.", dns.refused_streams)
    for what, places in (
        ("connections", caps.connections), ("watchers", caps.watchers), ("followers", caps.followers)
    ):  # fmt: skip
        about = f"Refused {what}: above the limit, or above an address's."
        yield (f"meshway_registry_{what}_refused_total", "counter", about, places.refused)


def _of_gateways(core: Core, live: list[GatewayState]) -> list[_Row]:
    lag = max((core.view.revision - state.revision for state in live), default=0)
    refused = sum(len(state.refused) for state in live)
    return [
        ("meshway_gateways", "gauge", "Gateways that reported within 6 s.", len(live)),
        ("meshway_feed_lag_revisions", "gauge", "Revisions the slowest live gateway is behind.", max(lag, 0)),
        ("meshway_documents_refused", "gauge", "Documents that live gateways could not compile.", refused),
    ]


def _of_looking(core: Core) -> list[_Row]:
    """Alerts, lines of services' logs, and calls that gateways told of."""
    evaluator, logs = core.watching.alerts.evaluator, core.watching.logs
    intake, forwarding = logs.intake, logs.forwarding
    calls = core.watching.insight.requests
    return [
        ("meshway_alerts_left_out", "gauge", "Alerts above the most there may be.", evaluator.left_out),
        ("meshway_alerts_failures_total", "counter", "Looks that left alerts as they were.", evaluator.failures),
        ("meshway_alerts_turn_seconds", "gauge", "What the last look at all rules took.", evaluator.turn_s),
        ("meshway_logs_taken_total", "counter", "Lines of services' logs that were kept.", intake.taken),
        ("meshway_logs_rejected_total", "counter", "Lines that were not their sender's to ship.", intake.rejected),
        ("meshway_logs_refused_total", "counter", "Bodies of logs above a bound.", intake.refused),
        ("meshway_logs_dropped_total", "counter", "Lines forgotten early, above logs_max.", logs.dropped),
        ("meshway_logs_forwarded_total", "counter", "Lines that the collector took.", forwarding.sent),
        ("meshway_logs_unforwarded_total", "counter", "Lines that the collector did not take.", forwarding.dropped),
        ("meshway_calls_dropped_total", "counter", "Calls gateways told of that were not kept.", calls.dropped),
    ]


def _of_following(core: Core) -> list[_Row]:
    """Where other registries write to the same store."""
    following = core.following
    if following is None:
        return []
    age_s, lost = round(following.age_s, 3), "Times the store held another history: answered revisions may be lost."
    return [
        ("meshway_store_up", "gauge", "1: the shared store takes writes.", float(core.store.missing() is None)),
        ("meshway_registry_view_age_seconds", "gauge", "Since the view was known to be the store's head.", age_s),
        ("meshway_registry_histories_total", "counter", lost, following.histories),
    ]


async def _ends(core: Core) -> list[tuple[str, float]]:
    """When the authorities are over, and what the mesh has issued for Certificates; none while the store is away."""
    try:
        trust = await core.identity.custody.read()
    except StoreUnavailable:
        return []
    signing = () if trust is None else (*trust.of("root"), *trust.of("intermediate"))
    return [(f"{one.role} {one.id}", one.not_after) for one in signing] + core.issuer.ends()


def _certificates(ends: list[tuple[str, float]]) -> Iterator[str]:
    yield "# HELP meshway_certificate_days_left Until a certificate is over.\n"
    yield "# TYPE meshway_certificate_days_left gauge\n"
    for name, end in ends:
        yield f'meshway_certificate_days_left{{certificate="{name}"}} {round((end - time.time()) / 86_400.0, 3)}\n'


def _holds(core: Core) -> Iterator[str]:
    """By namespace and zone; without a zone: those of the namespace that are not held themselves."""
    yield "# HELP meshway_self_preservation_overdue Leases whose expiry is held back.\n"
    yield "# TYPE meshway_self_preservation_overdue gauge\n"
    for hold in core.leases.holds:
        zone = _escaped(hold.zone) if hold.zone is not None else "*"
        labels = f'namespace="{hold.namespace}",zone="{zone}"'
        yield f"meshway_self_preservation_overdue{{{labels}}} {hold.overdue}\n"


def _numbers(core: Core) -> Iterator[str]:
    ingest, rolling = core.watching.insight.ingest, core.watching.insight.rolling
    yield (
        "# HELP meshway_insight_reports_total Reports of gateways' numbers that count.\n"
        "# TYPE meshway_insight_reports_total counter\n"
        f"meshway_insight_reports_total {ingest.reports}\n"
        "# HELP meshway_insight_reports_lost_total Reports that do not: counted before, too late, not taken now.\n"
        "# TYPE meshway_insight_reports_lost_total counter\n"
    )
    for reason, count in (("doubled", ingest.doubled), ("late", ingest.late), ("refused", ingest.refused)):
        yield f'meshway_insight_reports_lost_total{{reason="{reason}"}} {count}\n'
    yield (
        "# HELP meshway_insight_bytes What the points of numbers take, as last looked at.\n"
        "# TYPE meshway_insight_bytes gauge\n"
        f"meshway_insight_bytes {rolling.bytes}\n"
        "# HELP meshway_insight_dropped_bytes_total Points that were dropped for want of room.\n"
        "# TYPE meshway_insight_dropped_bytes_total counter\n"
        f"meshway_insight_dropped_bytes_total {rolling.dropped_bytes}\n"
    )


def _alerts(core: Core) -> Iterator[str]:
    """Of the registry that leads; the others have none."""
    yield "# HELP meshway_alerts Alerts that are there, by state and severity.\n# TYPE meshway_alerts gauge\n"
    counts = Counter((each.state, each.severity) for each in core.watching.alerts.evaluator.live.values())
    for state in ("firing", "pending"):
        for severity in SEVERITIES:
            yield f'meshway_alerts{{state="{state}",severity="{severity}"}} {counts[state, severity]}\n'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

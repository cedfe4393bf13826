"""What looks at the mesh, put together: numbers and lines that it tells, alerts, who is told of them, and rollouts."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from meshway.outbound.guard import guarded_dial
from registry.alerts.alerts import Alerts
from registry.alerts.presence import Ending
from registry.core import Watching
from registry.documents.collector_credentials import collector_credentials
from registry.documents.secret_texts import SecretTexts
from registry.insight.insight import Insight
from registry.insight.requests import RequestLog
from registry.insight.shared_calls import LEAD as CALLS_LEAD
from registry.insight.shared_calls import SharedCalls
from registry.insight.spans import SpanLog
from registry.logs.forwarding import Forwarding
from registry.logs.logs import LEAD, Logs
from registry.mesh_settings import logs_kept, most_spans, points_kept_s, public_url, settings_of
from registry.notifications.notifications import Notifications
from registry.notifications.sending import Sending
from registry.rollouts.rollouts import Rollouts

if TYPE_CHECKING:
    from meshway.model.otlp import Otlp
    from registry.assembly.ground import Ground
    from registry.identity.identity import Identity
    from registry.store.calls import CallStore
    from registry.store.insight import InsightStore
    from registry.store.logs import LogStore


def watching(
    ground: Ground, numbers: InsightStore, lines: LogStore, calls: CallStore | None, identity: Identity
) -> Watching:
    store = ground.store
    shared_calls = None if calls is None else _shared_calls(ground, calls)
    insight = _insight(ground, numbers, shared_calls)
    alerts = Alerts(
        ground.view,
        store,
        insight.reading,
        ground.revisions,
        holds=lambda: ground.leases.holds,
        endings=lambda: _endings(identity),
        clock=ground.clock,
        wall=ground.wall,
    )
    notifications = Notifications(ground.view, store, _sending(ground), ground.wall, random.random)
    alerts.on_change(lambda namespaces: ground.notices.tell("alerts", namespaces))
    notifications.is_muted = alerts.is_muted
    alerts.evaluator.also.append(notifications.also)
    alerts.evaluator.failing = notifications.failing
    rollouts = Rollouts(
        ground.view,
        insight.reading,
        ground.revisions,
        lambda: store.lead("rollouts"),
        ground.wall,
        lambda namespaces: ground.notices.tell("rollouts", namespaces),
    )
    return Watching(insight, shared_calls, _logs(ground, lines), alerts, notifications, rollouts)


def _shared_calls(ground: Ground, calls: CallStore) -> SharedCalls:
    return SharedCalls(calls, lambda: ground.store.lead(CALLS_LEAD), ground.wall, lambda: most_spans(ground.view))


def _insight(ground: Ground, numbers: InsightStore, shared_calls: SharedCalls | None) -> Insight:
    view = ground.view
    return Insight(
        numbers,
        RequestLog(ground.settings.data_dir / "requests", ground.wall)
        if shared_calls is None
        else shared_calls.requests,
        SpanLog(lambda: most_spans(view)) if shared_calls is None else shared_calls.spans,
        ground.store,
        view,
        ground.wall,
        lambda: points_kept_s(view),
    )


def _sending(ground: Ground) -> Sending:
    is_on_loopback = ground.settings.is_on_loopback
    return Sending(
        guarded_dial(allow_loopback=is_on_loopback, judge=ground.targets.own_refusal),
        SecretTexts(ground.view, ground.sealing),
        ground.targets.closed,
        ground.wall,
        lambda: public_url(ground.view),
        allow_loopback=is_on_loopback,
    )


async def _endings(identity: Identity) -> list[Ending]:
    """Of those who sign. Raises StoreUnavailable."""
    trust = await identity.custody.read()
    signing = () if trust is None else (*trust.of("root"), *trust.of("intermediate"))
    return [Ending(f"{one.role} {one.id}", one.created_at, one.not_after) for one in signing]


def _logs(ground: Ground, lines: LogStore) -> Logs:
    return Logs(
        lines,
        _forwarding(ground),
        kept=lambda: logs_kept(ground.view),
        lead=lambda: ground.store.lead(LEAD),
        wall=ground.wall,
        clock=ground.clock,
    )


def _forwarding(ground: Ground) -> Forwarding:
    secrets = SecretTexts(ground.view, ground.sealing)

    def target() -> Otlp | None:
        telemetry = settings_of(ground.view).telemetry
        return None if telemetry is None else telemetry.forward_logs

    return Forwarding(
        target,
        lambda otlp: collector_credentials(otlp, secrets),
        guarded_dial(allow_loopback=ground.settings.is_on_loopback),
    )

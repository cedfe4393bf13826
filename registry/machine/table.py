"""The rows of the machine side: one place to see all of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from meshway import call_lines, log_lines, spans, telemetry
from registry.machine import tap
from registry.machine.assignments import Assignments
from registry.machine.calls import Calls
from registry.machine.discovery import Discovery
from registry.machine.feed import FeedRoute
from registry.machine.heartbeats import HeartbeatRoutes
from registry.machine.live import PATH as LIVE
from registry.machine.live import LiveRoute
from registry.machine.logs import LogRoutes
from registry.machine.registrations import Registrations
from registry.machine.reports import Reports
from registry.machine.rounds import Rounds
from registry.machine.routes import Routes
from registry.machine.telemetry import Telemetry
from registry.machine.watch import Watch

if TYPE_CHECKING:
    from registry.core import Core
    from registry.gateways import Gateways
    from registry.machine.confirming import Head
    from registry.machine.guards import Guards
    from registry.machine.live_topics import LiveTopics
    from registry.manners.places import Caps

SERVICES = "/v1/namespaces/{namespace}/services"
SERVICE = SERVICES + "/{service}"
INSTANCES = SERVICE + "/instances"
INSTANCE = INSTANCES + "/{id}"


def machine_routes(
    core: Core, gateways: Gateways, caps: Caps, guards: Guards, live: LiveTopics, head: Head | None = None
) -> Routes:
    registrations = Registrations(core.catalog)
    heartbeats = HeartbeatRoutes(core.catalog, head)
    discovery = Discovery(core.catalog, core.documents, core.view)
    calls = Calls(core.watching.insight.requests, core.watching.insight.spans)
    logs = LogRoutes(core.watching.logs, time.time, caps.watchers)
    reports = Reports(gateways, core.leases, core.questions)
    rounds = Rounds()  # of all who follow, so that together they hold the loop up for one turn
    return Routes(
        guards.guarded(
            [
                ("POST", "/v1/heartbeats", heartbeats.post),
                ("PUT", INSTANCE + "/heartbeat", heartbeats.put),
                ("PUT", INSTANCE, registrations.put),
                ("POST", INSTANCES, registrations.post),
                ("PATCH", INSTANCE, registrations.patch),
                ("DELETE", INSTANCE, registrations.delete),
                ("POST", "/v1/registrations", registrations.batch),
                ("GET", SERVICES, discovery.services),
                ("GET", SERVICE, discovery.service),
                ("GET", INSTANCES, discovery.instances),
                ("GET", INSTANCE, discovery.instance),
                ("GET", "/v1/watch", Watch(core.feed, rounds, caps.watchers).get),
                ("GET", LIVE, LiveRoute(core.feed, live, rounds, caps.watchers).get),
                ("GET", "/v1/feed", FeedRoute(core.feed, rounds, caps.followers).get),
                ("POST", "/v1/reports", reports.post),
                ("POST", telemetry.PATH, Telemetry(core.watching.insight.ingest).post),
                ("POST", call_lines.PATH, calls.post_calls),
                ("POST", spans.PATH, calls.post_spans),
                ("POST", log_lines.PATH, logs.post),
                ("GET", log_lines.PATH, logs.get),
                ("GET", log_lines.FOLLOW, logs.follow),
                ("GET", tap.PATH, tap.TapRoute(core.questions, gateways.live_count, caps.watchers).get),
                ("POST", "/v1/answers/{id}", reports.answer),
                ("POST", "/v1/assignments", Assignments(core.books, gateways).post),
            ]
        )
    )

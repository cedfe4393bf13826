"""All routes over one core, each behind what its operation needs, and their description."""

from __future__ import annotations

import time
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import msgspec

from meshway.model.kinds import KINDS
from registry.api.app import OPENAPI_ROW, make_api
from registry.api.description import api_operations
from registry.compat.consul.description import consul_operations, consul_shapes
from registry.compat.consul.table import add_consul
from registry.compat.eureka import surface as eureka
from registry.compat.nacos import surface as nacos
from registry.console.assets import Console, built_console
from registry.core import Core
from registry.gateways import Gateways
from registry.insight.asking import Asking
from registry.machine.client_address import ClientAddresses
from registry.machine.confirming import Head
from registry.machine.description import machine_operations
from registry.machine.encoding import AnswerEncoder
from registry.machine.guards import Guards
from registry.machine.live_topics import LiveTopics
from registry.machine.surface import Surface
from registry.machine.table import machine_routes
from registry.manners.openapi import describe, methods_by_path
from registry.manners.places import Caps

if TYPE_CHECKING:
    from registry.manners.openapi import Operation


def make_surface(core: Core, gateways: Gateways) -> Surface:
    """All routes over one core, each behind what its operation needs."""
    gateways.share(core.bus)
    gateways.document_revision = lambda key: 0 if (row := core.view.document(key)) is None else row.revision
    core.watching.alerts.presence.gateways = gateways.states
    gateways.on_report.append(core.watching.alerts.presence.follow)
    core.watching.alerts.presence.certificates = gateways.all_certificates
    head = None if core.following is None else Head(core.view, core.following, core.live)
    caps = Caps(core.settings)
    operations = _operations()
    guards = Guards([*operations, OPENAPI_ROW], is_read_only=core.settings.read_only)
    asking = Asking(core.watching.insight.reading, core.view, gateways.states, core.watching.alerts.budget_left)
    live = LiveTopics(asking, gateways.states, core.notices, time.time)
    routes = machine_routes(core, gateways, caps, guards, live, head)
    of_eureka = eureka.Eureka(core.catalog, core.view, time.monotonic)
    of_nacos = nacos.Nacos(core.catalog, core.documents, core.view, wall=time.time)
    routes.add([], {eureka.FAMILY: of_eureka.answer, nacos.FAMILY: of_nacos.answer})
    add_consul(routes, core, guards)
    api = make_api(
        core,
        gateways,
        asking,
        methods_at=methods_by_path(operations),
        description=description(),
        version=registry_version(),
        caps=caps,
    )
    surface = Surface(
        clients=ClientAddresses(core.settings.trusted_proxies),
        routes=routes,
        app=api,
        sign_in=core.callers.sign_in,
        guards=guards,
        note_denied=core.callers.denials.note,
        encoder=AnswerEncoder(lambda: core.view.revision, time.time, None if head is None else head.stale_line),
        gateways=gateways,
        caps=caps,
        files=Console(built_console()),
        head=head,
    )
    core.view.on_tokens.append(surface.rights_changed)
    core.view.on_people.append(surface.rights_changed)
    return surface


@cache
def _operations() -> list[Operation]:
    return [*machine_operations(), *api_operations(), *consul_operations()]


@cache
def description() -> bytes:
    """Of every operation, as JSON: the same for all registries of a process."""
    described = describe(_operations(), (*KINDS.values(), *consul_shapes()), version=registry_version())
    return msgspec.json.encode(described) + b"\n"


def registry_version() -> str:
    try:
        return version("meshway")
    except PackageNotFoundError:
        return "0"

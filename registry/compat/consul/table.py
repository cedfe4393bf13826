"""The rows of Consul's API, and what becomes of its paths that stand in none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from registry.compat.consul.about import About
from registry.compat.consul.agent import AgentServices
from registry.compat.consul.catalog import ConsulCatalog
from registry.compat.consul.checks import AgentChecks
from registry.compat.consul.health import ConsulHealthRoutes
from registry.compat.consul.keeper import Keeper
from registry.compat.consul.looking import Unknown, looking_twice
from registry.compat.consul.parts import ConsulParts
from registry.compat.consul.refusals import refusal_reply, refusing, text_reply
from registry.compat.consul.removal import Removal
from registry.compat.consul.rights import reading
from registry.compat.outcomes import in_form
from registry.machine.request import json_reply
from registry.machine.routes import Routes

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from meshway.problem import Problem
    from registry.compat.consul.looking import Writes
    from registry.core import Core
    from registry.machine.guards import Guards
    from registry.machine.request import Handler, Reply, Request

# What of Consul is not here at all. /v1/health and /v1/session are no families: other paths below them are ours.
_ABSENT: Final = {
    "kv": "The key/value store",
    "txn": "Transactions",
    "event": "Events",
    "query": "Prepared queries",
    "coordinate": "Network coordinates",
    "config": "Config entries",
    "connect": "Connect, with its CA and intentions,",
    "intentions": "Intentions",
    "discovery-chain": "Discovery chains",
    "operator": "The operator API",
    "snapshot": "Snapshots",
    "peering": "Cluster peering",
    "internal": "The internal API",
}
_SESSION: Final = (
    ("PUT", "/v1/session/create"),
    ("PUT", "/v1/session/destroy/{id}"),
    ("PUT", "/v1/session/renew/{id}"),
    ("GET", "/v1/session/info/{id}"),
    ("GET", "/v1/session/node/{node}"),
    ("GET", "/v1/session/list"),
)
_METHODS: Final = ("GET", "PUT", "POST", "PATCH", "DELETE")


def add_consul(routes: Routes, core: Core, guards: Guards) -> None:
    rows = consul_rows(core, guards)
    routes.add(rows, consul_families(rows))
    routes.add((method, path, _absent("Sessions")) for method, path in _SESSION)


def consul_tasks(core: Core) -> list[tuple[str, Coroutine[None, None, None]]]:
    """What goes on beside the calls, each with its name."""
    return [
        ("Consul's keeper", Keeper(core.view, core.catalog).run()),
        ("Consul's removal", Removal(core.view, core.catalog, time.monotonic).run()),
    ]


def consul_rows(core: Core, guards: Guards) -> list[tuple[str, str, Handler]]:
    parts = ConsulParts(core)
    services, checks, catalog = AgentServices(parts), AgentChecks(parts), ConsulCatalog(parts)
    health, about = ConsulHealthRoutes(parts), About(parts)

    def twice(handler: Writes) -> Writes:
        return looking_twice(handler, core.following)

    rows: list[tuple[str, str, Handler]] = [
        ("PUT", "/v1/agent/service/register", services.register),
        ("PUT", "/v1/agent/service/deregister/{id}", twice(services.deregister)),
        ("PUT", "/v1/agent/service/maintenance/{id}", twice(services.maintenance)),
        ("GET", "/v1/agent/service/{id}", services.service),
        ("GET", "/v1/agent/services", services.services),
        ("GET", "/v1/agent/health/service/id/{id}", services.health_by_id),
        ("GET", "/v1/agent/health/service/name/{service}", services.health_by_name),
        ("GET", "/v1/agent/checks", checks.checks),
        ("PUT", "/v1/agent/check/register", twice(checks.register)),
        ("PUT", "/v1/agent/check/deregister/{id}", twice(checks.deregister)),
        ("PUT", "/v1/agent/check/pass/{id}", twice(checks.passed)),
        ("PUT", "/v1/agent/check/warn/{id}", twice(checks.warned)),
        ("PUT", "/v1/agent/check/fail/{id}", twice(checks.failed)),
        ("PUT", "/v1/agent/check/update/{id}", twice(checks.update)),
        ("GET", "/v1/agent/self", about.self),
        ("GET", "/v1/agent/members", about.members),
        ("GET", "/v1/status/leader", about.leader),
        ("GET", "/v1/status/peers", about.peers),
        ("PUT", "/v1/catalog/register", catalog.register),
        ("PUT", "/v1/catalog/deregister", _gone_if_unknown(twice(catalog.deregister))),
        ("GET", "/v1/catalog/datacenters", catalog.datacenters),
        ("GET", "/v1/catalog/services", catalog.services),
        ("GET", "/v1/catalog/service/{service}", catalog.service),
        ("GET", "/v1/catalog/nodes", catalog.nodes),
        ("GET", "/v1/catalog/node/{node}", catalog.node),
        ("GET", "/v1/catalog/node-services/{node}", catalog.node_services),
        ("GET", "/v1/health/service/{service}", health.service),
        ("GET", "/v1/health/checks/{service}", health.checks),
        ("GET", "/v1/health/node/{node}", health.node),
        ("GET", "/v1/health/state/{state}", health.state),
    ]
    rows = [(method, path, reading(handler) if method == "GET" else handler) for method, path, handler in rows]
    return [(method, path, refusing(handler)) for method, path, handler in guards.guarded(rows)]


def _gone_if_unknown(handler: Writes) -> Handler:
    """For the one call that is done when there is nothing to do."""

    def done(problem: Problem) -> Reply:
        return json_reply(True) if isinstance(problem, Unknown) else refusal_reply(problem)

    return lambda request: in_form(request, handler, done)


def consul_families(rows: list[tuple[str, str, Handler]]) -> dict[str, Handler]:
    """rows: what is served, for the answer to another method."""
    unserved = _unserved(Routes(rows))
    families = {f"/v1/{name}": _absent(what) for name, what in _ABSENT.items()}
    families |= dict.fromkeys(("/v1/agent", "/v1/catalog", "/v1/status"), unserved)
    families["/v1/acl"] = _no_access_lists
    return families


def _absent(what: str) -> Handler:
    def refuse(_: Request) -> Reply:
        return text_reply(501, f"{what} of Consul's API does not exist in Meshway")

    return refuse


def _no_access_lists(_: Request) -> Reply:
    return text_reply(401, "ACL support disabled")


def _unserved(routes: Routes) -> Handler:
    def refuse(request: Request) -> Reply:
        allowed = [method for method in _METHODS if routes.find(method, request.segments)]
        if not allowed:
            return text_reply(404, "Invalid URL path: not a recognized HTTP API endpoint")
        allow = f"Allow: {', '.join(allowed)}\r\n".encode()
        return text_reply(405, f"method {request.method} not allowed", headers=allow)

    return refuse

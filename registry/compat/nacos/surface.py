"""Nacos's routes: each translated onto a call of the catalogue, and answered in Nacos's form.

Errors are a status with one line, `caused: …;`. Pushes by UDP are not sent: clients ask again after cacheMillis.
Source: nacos.io, Open API Guide 1.x, and alibaba/nacos, com.alibaba.nacos.naming.controllers.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from meshway.problem import Problem
from registry.compat.nacos.hosts import (
    BEAT_INTERVAL_MS,
    announced_by_beat,
    beat_interval_ms,
    host_of,
    is_enabled,
    is_healthy,
    modification,
    read_beat,
    read_host,
    shown_cluster,
)
from registry.compat.nacos.names import (
    Place,
    checked_cluster,
    cluster_of,
    find_row,
    namespace_id_of,
    namespace_of,
    place_of,
)
from registry.compat.nacos.parameters import Parameters, flag, parameters_of, refused, required, whole
from registry.compat.nacos.services import Services, ok
from registry.compat.outcomes import in_form, reason_of
from registry.machine.request import Reply, answer_when, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.catalog.catalog import Catalog
    from registry.documents.documents import Documents
    from registry.leases.writes import Renewal
    from registry.machine.request import Request
    from registry.view.rows import InstanceRow
    from registry.view.view import View

FAMILY: Final = "/nacos"
BEAT_OK: Final = 10200
BEAT_UNKNOWN: Final = 20404
"""The client registers again."""
CACHE_MS: Final = 3_000
"""Nacos's own where it cannot push."""
_TOKEN_TTL_S: Final = 18_000


class Nacos:
    """All below FAMILY. wall: seconds since 1970, told to clients as when a list was made."""

    def __init__(
        self,
        catalog: Catalog,
        documents: Documents,
        view: View,
        *,
        wall: Callable[[], float],
    ) -> None:
        self._catalog = catalog
        self._view = view
        self._services = Services(view, documents)
        self._wall = wall

    def answer(self, request: Request) -> Reply | asyncio.Future[Reply]:
        return in_form(request, self._answer, refusal)

    def _answer(self, request: Request) -> Reply | asyncio.Future[Reply]:
        parameters = parameters_of(request)
        if request.segments[1:3] == ("v1", "ns"):
            if not request.caller.is_admin:
                _require(request, parameters)
            return self._naming(request, parameters)
        match (request.method, *request.segments[1:]):
            case ("POST", "v1", "auth", "login") | ("POST", "v1", "auth", "users", "login"):
                return _signed_in(parameters)
            case ("GET", "v1", "console", "health", "liveness" | "readiness"):
                return ok()
            case ("GET", "v1", "console", "namespaces"):
                request.caller.require_somewhere("instances:read")
                return self._namespaces(request.caller.namespaces("instances:read"))
        raise _unserved(request)

    def _naming(self, request: Request, parameters: Parameters) -> Reply | asyncio.Future[Reply]:
        match (request.method, *request.segments[3:]):
            case ("PUT", "instance", "beat"):
                return self._beat(parameters)
            case ("GET", "instance", "list"):
                return self._list(parameters)
            case ("POST", "instance"):
                return self._register(parameters)
            case ("DELETE", "instance"):
                return self._deregister(parameters)
            case ("PUT", "instance") | ("PATCH", "instance"):
                return self._modify(parameters)
            case ("GET", "instance"):
                return self._detail(parameters)
            case ("POST", "service"):
                return self._services.create(parameters, request.principal.name)
            case ("PUT", "service"):
                return self._services.update(parameters, request.principal.name)
            case ("DELETE", "service"):
                return self._services.remove(parameters, request.principal.name)
            case ("GET", "service"):
                return self._services.detail(parameters)
            case ("GET", "service", "list"):
                return self._services.list(parameters)
            case ("PUT", "health") | ("PUT", "health", "instance"):
                place = place_of(parameters)
                raise refused(
                    f"health check is still working, service: {place.full}: beats and checks tell who is healthy"
                )
            case ("GET", "operator", "metrics"):
                return self._metrics()
            case ("GET", "operator", "switches"):
                return json_reply(_SWITCHES)
        raise _unserved(request)

    # --- instances ---

    def _register(self, parameters: Parameters) -> asyncio.Future[Reply]:
        announcement = read_host(parameters, place_of(parameters))
        return answer_when(
            self._catalog.announce(announcement.key, announcement.over), lambda registered: ok(registered.revision)
        )

    def _deregister(self, parameters: Parameters) -> Reply | asyncio.Future[Reply]:
        """Also when it is gone already."""
        row = self._row(parameters, place_of(parameters))
        return ok() if row is None else answer_when(self._catalog.deregister(*row.key), ok)

    def _modify(self, parameters: Parameters) -> asyncio.Future[Reply]:
        row = self._row(parameters, place_of(parameters))
        if row is None:
            raise refused(f"instance not exist: {parameters['ip']}:{parameters['port']}")
        patch = modification(row.instance, parameters)
        return answer_when(self._catalog.patch(*row.key, patch), lambda listed: ok(listed.revision))

    def _beat(self, parameters: Parameters) -> Reply | asyncio.Future[Reply]:
        place = place_of(parameters)
        text = parameters.get("beat", "").strip()
        beat = read_beat(text) if text else None
        cluster = cluster_of(parameters)
        if beat is None:
            row = find_row(self._view, place, required(parameters, "ip"), whole(parameters, "port"), cluster)
            if row is None:
                return _beaten(BEAT_UNKNOWN, BEAT_INTERVAL_MS)
        else:
            cluster = checked_cluster(beat.cluster) if beat.cluster else cluster
            row = find_row(self._view, place, beat.ip, beat.port, cluster)
            if row is None:
                announcement = announced_by_beat(beat, place, cluster)
                return answer_when(
                    self._catalog.announce(announcement.key, announcement.over),
                    lambda _: _beaten(BEAT_OK, BEAT_INTERVAL_MS),
                )
        interval_ms = beat_interval_ms(row.instance)
        renewal = self._catalog.heartbeat_by_id(*row.key)
        if isinstance(renewal, asyncio.Future):
            return answer_when(renewal, lambda renewal: _renewed(renewal, interval_ms))
        return _renewed(renewal, interval_ms)

    # --- reads ---

    def _list(self, parameters: Parameters) -> Reply:
        """A service nobody knows is an empty list: clients wait for its first instance that way."""
        place = place_of(parameters)
        healthy_only = flag(parameters, "healthyOnly", default=False)
        clusters = parameters.get("clusters", "").strip()
        wanted = {cluster.strip() for cluster in clusters.split(",") if cluster.strip()}
        hosts = [
            host_of(row, place.full)
            for row in self._rows(place)
            if is_enabled(row)
            and (not healthy_only or is_healthy(row.instance))
            and (not wanted or shown_cluster(row.instance) in wanted)
        ]
        return json_reply(
            {
                "name": place.full,
                "groupName": place.group,
                "dom": place.full,
                "clusters": clusters,
                "cacheMillis": CACHE_MS,
                "hosts": hosts,
                "lastRefTime": int(self._wall() * 1000),
                "checksum": str(self._view.revision_of(place.namespace, place.service)),
                "useSpecifiedURL": False,
                "allIPs": False,
                "reachProtectionThreshold": False,
                "env": "",
                "metadata": {},
                "valid": True,
            }
        )

    def _detail(self, parameters: Parameters) -> Reply:
        place = place_of(parameters)
        row = self._row(parameters, place)
        if row is None:
            raise Problem(404, "not_found", "Not found", detail=f"no matched ip found in service {place.full}!")
        host = host_of(row, place.full)
        names = ("ip", "port", "clusterName", "weight", "healthy", "metadata", "instanceId")
        return json_reply({"service": place.full} | {name: host[name] for name in names})

    def _row(self, parameters: Parameters, place: Place) -> InstanceRow | None:
        ip, port = required(parameters, "ip"), whole(parameters, "port")
        return find_row(self._view, place, ip, port, cluster_of(parameters))

    def _rows(self, place: Place) -> list[InstanceRow]:
        rows = self._view.services.get((place.namespace, place.service), {}).values()
        return sorted(rows, key=lambda row: row.key)

    # --- the rest ---

    def _namespaces(self, readable: frozenset[str] | None) -> Reply:
        data = [
            {
                "namespace": "" if namespace == "default" else namespace,
                "namespaceShowName": namespace_id_of(namespace),
                "quota": 200,
                "configCount": 0,
                "type": 0 if namespace == "default" else 2,
            }
            for namespace in sorted(self._view.namespaces)
            if readable is None or namespace in readable
        ]
        return json_reply({"code": 200, "message": None, "data": data})

    def _metrics(self) -> Reply:
        services = self._view.services
        instances = sum(map(len, services.values()))
        return json_reply(
            {
                "status": "UP",
                "serviceCount": len(services),
                "instanceCount": instances,
                "responsibleServiceCount": len(services),
                "responsibleInstanceCount": instances,
            }
        )


_SWITCHES: Final[dict[str, Any]] = {
    "clientBeatInterval": BEAT_INTERVAL_MS,
    "defaultCacheMillis": CACHE_MS,
    "defaultInstanceEphemeral": True,
    "healthCheckEnabled": True,
    "lightBeatEnabled": True,
    "pushEnabled": False,
}


def refusal(problem: Problem) -> Reply:
    """400 for all that is wrong with what was sent: Nacos's clients know no 422."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in problem.headers.items())
    return Reply(
        400 if problem.status == 422 else problem.status,
        f"caused: {reason_of(problem)};".encode(),
        content_type=b"text/plain; charset=utf-8",
        headers=lines.encode("latin-1", "replace"),
    )


def _unserved(request: Request) -> Problem:
    detail = f"{request.method} {request.path} is not served here: naming of Nacos's API v1 is"
    return Problem(404, "not_found", "Not found", detail=detail)


def _require(request: Request, parameters: Parameters) -> None:
    """Raises Problem 401, 403, 404."""
    caller, what = request.caller, request.segments[3:4]
    if what == ("operator",):
        caller.require_somewhere("instances:read")
    elif request.method == "GET":
        caller.require("instances:read", namespace_of(parameters))
    elif what == ("service",):
        caller.require("documents:write", namespace_of(parameters))
    else:
        place = place_of(parameters)
        caller.require_registering(place.namespace, place.service)


def _signed_in(parameters: Parameters) -> Reply:
    """The password is a token, which its client sends back with every call; there it is looked at, and not before."""
    required(parameters, "username")
    return json_reply({"accessToken": parameters.get("password", ""), "tokenTtl": _TOKEN_TTL_S, "globalAdmin": False})


def _beaten(code: int, interval_ms: int) -> Reply:
    return json_reply({"clientBeatInterval": interval_ms, "code": code, "lightBeatEnabled": True})


def _renewed(renewal: Renewal, interval_ms: int) -> Reply:
    return _beaten(BEAT_OK if renewal.renewed else BEAT_UNKNOWN, interval_ms)

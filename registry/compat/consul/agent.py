"""Services as an agent has them. The registry is everybody's agent, so these answer for all of a namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from meshway.model.registration import InstancePatch
from registry.compat.consul.attributes import KEY, attributes_of, attributes_text
from registry.compat.consul.bodies import read_body
from registry.compat.consul.definitions import read_checks, read_service
from registry.compat.consul.filters import selecting
from registry.compat.consul.looking import Unknown
from registry.compat.consul.queries import ConsulQuery
from registry.compat.consul.refusals import Refusal, text_reply
from registry.compat.consul.rights import require_registering
from registry.compat.consul.shapes import ConsulAgentService
from registry.compat.consul.showing import (
    CRITICAL,
    MAINTENANCE,
    PASSING,
    WARNING,
    agent_health_of,
    agent_service_of,
    worst_of,
)
from registry.compat.consul.updates import registering
from registry.machine.discovery import HeldAnswer
from registry.machine.request import Reply, Request, answer_when, json_reply

if TYPE_CHECKING:
    from asyncio import Future

    from registry.catalog.registering import Registered
    from registry.compat.consul.parts import ConsulParts
    from registry.compat.consul.shapes import ConsulAgentHealth
    from registry.machine.request import Stream
    from registry.view.rows import InstanceRow

# What a load balancer that only looks at the status makes of it.
_STATUS = {PASSING: 200, WARNING: 429, CRITICAL: 503, MAINTENANCE: 503}
MAX_REASON = 256


class AgentServices:
    """Path segments: v1, agent, service, register | {id} | deregister, {id} …"""

    __slots__ = ("_parts",)

    def __init__(self, parts: ConsulParts) -> None:
        self._parts = parts

    def register(self, request: Request) -> Future[Reply]:
        query, fields = ConsulQuery(request.query), read_body(request.body)
        namespace = query.namespace_or(fields.text("Namespace"))
        check = read_checks(fields, request.peer)
        definition = read_service(fields, name="Name", check=check, namespace=namespace, address=request.peer or None)
        registration = definition.registration
        key = (registration.namespace, registration.service, registration.id)
        request.caller.require_registering(registration.namespace, registration.service)
        before = self._parts.places.by_id(namespace, definition.consul_id)
        if before is not None:
            require_registering(request, before)
        registered = self._parts.catalog.announce(key, registering(definition))
        if before is not None and before.key != key:
            # An agent knows an ID once: who registers it for another service has left the first.
            self._parts.catalog.deregister(*before.key)
        return answer_when(registered, _registered)

    def deregister(self, request: Request) -> Future[Reply]:
        row = self._named(request)
        require_registering(request, row)
        return answer_when(self._parts.catalog.deregister(*row.key), lambda revision: Reply(200, revision=revision))

    def maintenance(self, request: Request) -> Future[Reply]:
        query = ConsulQuery(request.query)
        enable = query.needed_flag("enable")
        row = self._named(request)
        require_registering(request, row)
        attributes = attributes_of(row.instance.metadata)
        metadata: dict[str, str | None] = {}
        if attributes is not None:
            reason = query.text("reason")[:MAX_REASON] if enable else ""
            metadata[KEY] = attributes_text(msgspec.structs.replace(attributes, reason=reason))
        patch = InstancePatch(status="maintenance" if enable else "passing", metadata=metadata)
        patched = self._parts.catalog.patch(*row.key, patch)
        return answer_when(patched, lambda listed: Reply(200, revision=listed.revision))

    def service(self, request: Request) -> Reply | Stream:
        """With the hash the caller has it is held until the service changes."""
        query = ConsulQuery(request.query)
        row = self._named(request)
        shown = agent_service_of(row)
        if query.text("hash") == shown.content_hash:
            place = row.key[:2]
            since = self._parts.view.revision_of(*place)

            def again() -> Reply:
                row = self._parts.places.by_id(query.namespace, shown.id)
                return _no_service(shown.id) if row is None else _service_reply(agent_service_of(row))

            return HeldAnswer(self._parts.view, place, since, query.wait_s(), request, again)
        return _service_reply(shown)

    def services(self, request: Request) -> Reply:
        query = ConsulQuery(request.query)
        shown = selecting(query.filter, ConsulAgentService)(map(agent_service_of, self._parts.rows(query.namespace)))
        return json_reply({service.id: service for service in shown})

    def health_by_id(self, request: Request) -> Reply:
        query = ConsulQuery(request.query)
        consul_id = request.segments[5]
        row = self._parts.places.by_id(query.namespace, consul_id)
        if row is None:
            raise Refusal(404, f"ServiceId {consul_id} not found")
        health = agent_health_of(row)
        return _health_reply(query, health.aggregated_status, health)

    def health_by_name(self, request: Request) -> Reply:
        query = ConsulQuery(request.query)
        name = request.segments[5]
        healths = [agent_health_of(row) for row in self._parts.rows_of(query.namespace, name)]
        if not healths:
            raise Refusal(404, f"ServiceName {name} Not Found")
        worst = worst_of(check for health in healths for check in health.checks)
        return _health_reply(query, worst, healths)

    def _named(self, request: Request) -> InstanceRow:
        """Raises Refusal 404."""
        consul_id = request.segments[-1]
        row = self._parts.places.by_id(ConsulQuery(request.query).namespace, consul_id)
        if row is None:
            raise Unknown(
                404, f'Unknown service ID "{consul_id}". Ensure that the service ID is passed, not the service name.'
            )
        return row


def _registered(registered: Registered) -> Reply:
    return Reply(200, revision=registered.revision)


def _no_service(consul_id: str) -> Reply:
    return text_reply(404, f"unknown service ID: {consul_id}")


def _service_reply(shown: ConsulAgentService) -> Reply:
    return json_reply(shown, headers=b"X-Consul-ContentHash: %b\r\n" % shown.content_hash.encode())


def _health_reply(query: ConsulQuery, status: str, health: ConsulAgentHealth | list[Any]) -> Reply:
    if query.text("format") == "text":
        return text_reply(_STATUS[status], status)
    return json_reply(health, _STATUS[status])

"""Checks as an agent has them: an instance's lease is its TTL check."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from registry.compat.consul.attributes import NO_CHECK, Attributes, attributes_of
from registry.compat.consul.bodies import read_body
from registry.compat.consul.definitions import NO_DEFINITION, read_check, read_initial
from registry.compat.consul.filters import selecting
from registry.compat.consul.looking import Unknown
from registry.compat.consul.places import check_id_of
from registry.compat.consul.queries import ConsulQuery
from registry.compat.consul.refusals import Refusal
from registry.compat.consul.rights import require_registering
from registry.compat.consul.shapes import ConsulCheck
from registry.compat.consul.showing import checks_of
from registry.compat.consul.updates import checking, failing, passing, warning
from registry.machine.request import Reply, Request, answer_when, json_reply

if TYPE_CHECKING:
    from asyncio import Future

    from registry.catalog.registering import Registered
    from registry.compat.consul.parts import ConsulParts
    from registry.compat.consul.updates import Judge
    from registry.leases.writes import Renewal
    from registry.view.rows import InstanceKey, InstanceRow


class AgentChecks:
    """Path segments: v1, agent, check, pass | warn | fail | update | deregister, {check id}."""

    __slots__ = ("_parts",)

    def __init__(self, parts: ConsulParts) -> None:
        self._parts = parts

    def checks(self, request: Request) -> Reply:
        query = ConsulQuery(request.query)
        select = selecting(query.filter, ConsulCheck)
        shown = select(check for row in self._parts.rows(query.namespace) for check in checks_of(row))
        return json_reply({check.check_id: check for check in shown})

    def passed(self, request: Request) -> Reply | Future[Reply]:
        return self._pass(*self._updated(request))

    def warned(self, request: Request) -> Reply | Future[Reply]:
        return self._warn(*self._updated(request), ConsulQuery(request.query).text("note"))

    def failed(self, request: Request) -> Future[Reply]:
        row, _ = self._updated(request)
        return self._announce(row.key, failing(row.key, ConsulQuery(request.query).text("note")))

    def update(self, request: Request) -> Reply | Future[Reply]:
        fields = read_body(request.body)
        status, output = read_initial(fields), fields.text("Output")
        row, attributes = self._updated(request)
        if status == "passing":
            return self._pass(row, attributes)
        if status == "warning":
            return self._warn(row, attributes, output)
        if status == "critical":
            return self._announce(row.key, failing(row.key, output))
        raise Refusal(400, 'Invalid check status: ""')

    def register(self, request: Request) -> Future[Reply]:
        """Gives an instance its check, or that check anew."""
        query, fields = ConsulQuery(request.query), read_body(request.body)
        if not fields.text("Name"):
            raise Refusal(400, "Missing check name")
        consul_id = fields.text("ServiceID")
        if not consul_id:
            raise Refusal(400, "Checks of a node are not supported: name the ServiceID it is for")
        row = self._parts.places.by_id(query.namespace_or(fields.text("Namespace")), consul_id)
        if row is None:
            raise Unknown(400, f'ServiceID "{consul_id}" does not exist')
        require_registering(request, row)
        attributes = _registered_here(row)
        check = read_check(fields, row.instance.address)
        check = msgspec.structs.replace(check, check_id=check.check_id or fields.text("Name"))
        if attributes.check != NO_CHECK and check.check_id != check_id_of(row):
            raise Refusal(400, "Invalid checks: an instance here has one lease and so one check")
        if check.check_id == f"service:{consul_id}":
            check = msgspec.structs.replace(check, check_id="")
        return self._announce(row.key, checking(row.key, check))

    def deregister(self, request: Request) -> Future[Reply]:
        """From here on the instance passes until it is deregistered itself."""
        row, _ = self._registered(request)
        return self._announce(row.key, checking(row.key, NO_DEFINITION))

    def _pass(self, row: InstanceRow, attributes: Attributes) -> Reply | Future[Reply]:
        """Mostly nothing but a renewal, which is no write."""
        if attributes.state or attributes.output:
            return self._announce(row.key, passing(row.key))
        return self._renew(row)

    def _warn(self, row: InstanceRow, attributes: Attributes, output: str) -> Reply | Future[Reply]:
        """The output of a warning that goes on is the first one's: a renewal is no write."""
        if attributes.state == "warning" and row.instance.status != "critical":
            return self._renew(row)
        return self._announce(row.key, warning(row.key, output))

    def _renew(self, row: InstanceRow) -> Reply | Future[Reply]:
        renewal = self._parts.catalog.heartbeat([row.lease_id])
        if isinstance(renewal, asyncio.Future):
            return answer_when(renewal, _renewed)
        return _renewed(renewal)

    def _announce(self, key: InstanceKey, judge: Judge) -> Future[Reply]:
        return answer_when(self._parts.catalog.announce(key, judge), _announced)

    def _updated(self, request: Request) -> tuple[InstanceRow, Attributes]:
        """Raises Refusal 400 for a check that is not its client's to update, 404 for one nobody registered."""
        row, attributes = self._registered(request)
        if attributes.check != "ttl":
            raise Refusal(400, f'CheckID "{request.segments[4]}" does not have associated TTL')
        return row, attributes

    def _registered(self, request: Request) -> tuple[InstanceRow, Attributes]:
        """Raises Refusal 404 for a check nobody registered, 400 for one of another protocol's."""
        check_id = request.segments[4]
        row = self._parts.places.by_check(ConsulQuery(request.query).namespace, check_id)
        attributes = None if row is None else attributes_of(row.instance.metadata)
        if row is None or (attributes is not None and attributes.check == NO_CHECK):
            raise _unknown_check(check_id)
        require_registering(request, row)
        return row, _registered_here(row)


def _registered_here(row: InstanceRow) -> Attributes:
    """Raises Refusal 400 for an instance whose process renews its own lease by another protocol."""
    attributes = attributes_of(row.instance.metadata)
    if attributes is None:
        raise Refusal(400, f"{row.instance.service}/{row.instance.id} was not registered by this API")
    return attributes


def _announced(registered: Registered) -> Reply:
    return Reply(200, revision=registered.revision)


def _renewed(renewal: Renewal) -> Reply:
    if not renewal.renewed:
        raise Refusal(404, "Unknown check: its instance is gone, register it again")
    return Reply(200)


def _unknown_check(check_id: str) -> Unknown:
    return Unknown(404, f'Unknown check ID "{check_id}". Ensure that the check ID is passed, not the check name.')

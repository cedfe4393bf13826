"""Services and nodes as the whole catalogue has them. A node is an address that instances have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from registry.compat.consul.bodies import Fields, read_body
from registry.compat.consul.definitions import NO_DEFINITION, CheckDefinition, read_initial, read_service
from registry.compat.consul.filters import selecting
from registry.compat.consul.looking import Unknown
from registry.compat.consul.queries import ConsulQuery
from registry.compat.consul.refusals import Refusal
from registry.compat.consul.rights import require_registering
from registry.compat.consul.shapes import (
    ConsulCatalogNode,
    ConsulCatalogService,
    ConsulNode,
    ConsulNodeServices,
    ConsulService,
)
from registry.compat.consul.showing import DATACENTER, catalog_service_of, node_of, service_of_row
from registry.compat.consul.updates import declaring
from registry.machine.request import Reply, Request, answer_when, json_reply

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable

    from registry.compat.consul.parts import ConsulParts
    from registry.machine.request import Stream
    from registry.view.rows import InstanceRow


class ConsulCatalog:
    """Path segments: v1, catalog, service | node | …, {name}."""

    __slots__ = ("_parts",)

    def __init__(self, parts: ConsulParts) -> None:
        self._parts = parts

    def register(self, request: Request) -> Future[Reply]:
        """Of a service that is watched by whoever registers it: no check of ours, the status is what is said."""
        query, fields = ConsulQuery(request.query), read_body(request.body)
        if not fields.text("Node") or not fields.text("Address"):
            raise Refusal(400, "Must provide Node and Address")
        _refuse_elsewhere(fields)
        service = fields.object("Service")
        if service is None or service.is_empty():
            raise Refusal(400, "Nodes without a service are not kept: a node here is an address of an instance")
        definition = read_service(
            service,
            name="Service",
            check=_declared(fields),
            namespace=query.namespace_or(service.text("Namespace") or fields.text("Namespace")),
            address=fields.text("Address").lower(),
        )
        registration = definition.registration
        key = (registration.namespace, registration.service, registration.id)
        request.caller.require_registering(registration.namespace, registration.service)
        registered = self._parts.catalog.announce(key, declaring(definition))
        return answer_when(registered, lambda registered: json_reply(True, revision=registered.revision))

    def deregister(self, request: Request) -> Future[Reply]:
        """Raises Unknown, which is as good as done."""
        query, fields = ConsulQuery(request.query), read_body(request.body)
        if not fields.text("Node"):
            raise Refusal(400, "Must provide Node")
        _refuse_elsewhere(fields)
        if not fields.text("ServiceID"):
            raise Refusal(400, "Nodes and checks are not deregistered alone: name a ServiceID")
        row = self._parts.places.by_id(query.namespace_or(fields.text("Namespace")), fields.text("ServiceID"))
        if row is None:
            raise Unknown(404, "it is gone")
        require_registering(request, row)
        deregistered = self._parts.catalog.deregister(*row.key)
        return answer_when(deregistered, lambda revision: json_reply(True, revision=revision))

    def datacenters(self, request: Request) -> Reply:
        ConsulQuery(request.query)
        return json_reply([DATACENTER])

    def services(self, request: Request) -> Reply | Stream:
        """Each with the tags of its instances."""
        query = ConsulQuery(request.query)
        if query.filter:
            raise Refusal(400, "Failed to create filter: names of services have no fields to filter by")

        def read() -> dict[str, list[str]]:
            if query.all("node-meta"):
                return {}
            tags: dict[str, set[str]] = {}
            for row in self._parts.rows(query.namespace):
                tags.setdefault(row.instance.service, set()).update(row.instance.tags)
            return {name: sorted(found) for name, found in tags.items()}

        return self._parts.answers.blocking(request, query, (query.namespace,), read)

    def service(self, request: Request) -> Reply | Stream:
        query = ConsulQuery(request.query)
        name, select = request.segments[3].lower(), selecting(query.filter, ConsulCatalogService)

        def read() -> list[ConsulCatalogService]:
            return select(map(catalog_service_of, matching(self._parts.rows_of(query.namespace, name), query)))

        return self._parts.answers.blocking(request, query, (query.namespace, name), read)

    def nodes(self, request: Request) -> Reply | Stream:
        query = ConsulQuery(request.query)
        select = selecting(query.filter, ConsulNode)

        def read() -> list[ConsulNode]:
            rows = [] if query.all("node-meta") else self._parts.rows(query.namespace)
            return select(map(node_of, sorted({row.instance.address for row in rows})))

        return self._parts.answers.blocking(request, query, (query.namespace,), read)

    def node(self, request: Request) -> Reply | Stream:
        def show(node: ConsulNode, services: list[ConsulService]) -> ConsulCatalogNode:
            return ConsulCatalogNode(node=node, services={service.id: service for service in services})

        return self._of_node(request, show)

    def node_services(self, request: Request) -> Reply | Stream:
        def show(node: ConsulNode, services: list[ConsulService]) -> ConsulNodeServices:
            return ConsulNodeServices(node=node, services=services)

        return self._of_node(request, show)

    def _of_node(self, request: Request, show: Callable[[ConsulNode, list[ConsulService]], Any]) -> Reply | Stream:
        query = ConsulQuery(request.query)
        name, select = request.segments[3], selecting(query.filter, ConsulService)

        def read() -> Any:
            rows = [row for row in self._parts.rows(query.namespace) if row.instance.address == name]
            return show(node_of(name), select(map(service_of_row, rows))) if rows else None

        return self._parts.answers.blocking(request, query, (query.namespace,), read)


def matching(rows: list[InstanceRow], query: ConsulQuery) -> list[InstanceRow]:
    """Those with every tag that is asked for, whatever its case; nodes here have no metadata to match."""
    if query.all("node-meta"):
        return []
    tags = {tag.lower() for tag in query.all("tag")}
    if not tags:
        return rows
    return [row for row in rows if tags <= {tag.lower() for tag in row.instance.tags}]


def _declared(fields: Fields) -> CheckDefinition:
    """The worst of what is said of the service's checks."""
    check = fields.object("Check")
    checks = [*([check] if check else []), *fields.objects("Checks")]
    found = {read_initial(check) for check in checks if not check.is_empty()}
    for status in ("critical", "warning"):
        if status in found:
            return msgspec.structs.replace(NO_DEFINITION, initial=status)
    return NO_DEFINITION


def _refuse_elsewhere(fields: Fields) -> None:
    if fields.text("Datacenter") not in ("", DATACENTER):
        raise Refusal(400, f'No path to datacenter: there is "{DATACENTER}" only')

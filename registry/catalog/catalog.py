"""The catalogue: instances come, renew, change and go, and callers find them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from meshway.model.fields import plain
from meshway.model.instance import Status
from meshway.model.service import Service
from meshway.problem import not_found
from registry.catalog.registering import (
    Announce,
    Deregister,
    Patch,
    Register,
    Registered,
    RegisterOne,
    RemoveCritical,
    no_instance,
)
from registry.leases.writes import Renewal
from registry.revisions.draft import Once, Repeatable
from registry.view.paging import DEFAULT_LIMIT, page
from registry.view.view import EVERY_NAMESPACE

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Sequence

    from meshway.model.registration import InstancePatch, Registration
    from registry.leases.leases import Leases
    from registry.revisions.draft import Write
    from registry.revisions.revisions import Revisions
    from registry.view.rows import InstanceKey, InstanceRow
    from registry.view.view import View


class Listed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An instance as discovery shows it. unrenewed: passing without renewals, since it answers or expiry is paused.

    check: how the registry asks it; then it has no ttl_s, and nothing expires.
    """

    namespace: str
    service: str
    id: str
    address: str
    port: int
    ports: dict[str, int]
    protocol: str
    version: str
    zone: str
    weight: int
    tags: tuple[str, ...]
    metadata: dict[str, str]
    status: Status
    generation: int
    revision: int
    ttl_s: int | None
    expires_in_s: float | None
    unrenewed: bool
    check: dict[str, Any] | None


class StatusCounts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How many instances of a service stand in each status."""

    passing: int = 0
    critical: int = 0
    draining: int = 0
    maintenance: int = 0


class ServiceSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A Service document (its defaults when none was written) with how its instances are.

    revision: the last that touched the service. documented: whether a Service document was written.
    """

    namespace: str
    name: str
    revision: int
    documented: bool
    status: StatusCounts
    spec: dict[str, Any]


class InstancePage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """next: the cursor of the page after this one."""

    items: list[Listed]
    next: str | None = None


class ServicePage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    items: list[ServiceSummary]
    next: str | None = None


class Catalog:
    """Writes give a future that ends after the commit, with the answer or a Problem (409, 422, 503).

    What cannot even be queued is raised at once: 503 with Retry-After when too many writes wait. Reads come from the
    view; their ETag is `View.revision_of`.
    """

    def __init__(self, view: View, revisions: Revisions, leases: Leases) -> None:
        self._view = view
        self._revisions = revisions
        self._leases = leases

    def register(self, registration: Registration, once: Once | None = None) -> asyncio.Future[Registered]:
        """registration: with its address. 409 `superseded` when it brings the lease of an older generation."""
        registered = self._submit(RegisterOne(registration, self._leases.renew_row), once, Registered)
        if registration.lease_id is None:
            return registered
        return self._leases.renewing(registered, lambda registered: [registered.lease_id])

    def register_all(
        self, registrations: Sequence[Registration], once: Once | None = None
    ) -> asyncio.Future[list[Registered]]:
        """One revision for all of them, or none."""
        registered = self._submit(Register(registrations, self._leases.renew_row), once, list[Registered])
        if all(registration.lease_id is None for registration in registrations):
            return registered
        return self._leases.renewing(registered, lambda all_of_them: [one.lease_id for one in all_of_them])

    def announce(
        self, key: InstanceKey, of: Callable[[InstanceRow | None], tuple[Registration, Status]]
    ) -> asyncio.Future[Registered]:
        """A registration by a protocol without lease ids; of: see Announce."""
        announced = self._revisions.submit(Announce(key, of, self._leases.renew_row))
        return self._leases.renewing(announced, lambda one: [] if one.created else [one.lease_id])

    def patch(
        self,
        namespace: str,
        service: str,
        instance_id: str,
        patch: InstancePatch,
        once: Once | None = None,
        *,
        if_match: int | None = None,
    ) -> asyncio.Future[Listed]:
        write = Patch((namespace, service, instance_id), patch, lambda row: listed(row, self._leases), if_match)
        return self._submit(write, once, Listed)

    def deregister(self, namespace: str, service: str, instance_id: str) -> asyncio.Future[int]:
        """Answers the revision; the head when the instance was gone already."""
        return self._revisions.submit(Deregister((namespace, service, instance_id)))

    def remove_critical(self, key: InstanceKey, number: int) -> asyncio.Future[bool]:
        """Takes out one registration before its time, unless it came back or gave way to another."""
        return self._revisions.submit(RemoveCritical(key, number))

    def heartbeat(self, lease_ids: Sequence[str]) -> Renewal | asyncio.Future[Renewal]:
        """A future only where a critical instance comes back, which is a write."""
        return self._leases.renew(lease_ids)

    def heartbeat_by_id(self, namespace: str, service: str, instance_id: str) -> Renewal | asyncio.Future[Renewal]:
        """The same by the instance's id, whoever holds it. Raises Problem 404."""
        row = self._view.instance((namespace, service, instance_id))
        if row is None:
            raise no_instance((namespace, service, instance_id))
        return self._leases.renew([row.lease_id])

    def services(
        self,
        namespace: str,
        *,
        readable: frozenset[str] | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> ServicePage:
        """namespace `-`: every one, of those that are readable; None: all."""
        found = self._view.service_keys(namespace)
        shown = found if readable is None else [key for key in found if key[0] in readable]
        keys, following = page(shown, lambda key: key, limit=limit, cursor=cursor)
        return ServicePage(items=[self._summary(*key) for key in keys], next=following)

    def service(self, namespace: str, name: str) -> ServiceSummary:
        """Raises Problem 404."""
        if (namespace, name) not in self._view.services and self._view.document(("Service", namespace, name)) is None:
            raise not_found(f"service {namespace}/{name}", "register an instance of it, or write a Service document")
        return self._summary(namespace, name)

    def instances(
        self,
        namespace: str,
        service: str,
        *,
        readable: frozenset[str] | None = None,
        status: Status | None = None,
        tag: str | None = None,
        zone: str | None = None,
        version: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> InstancePage:
        """All that match, in order of namespace and id; none for a service nobody knows, so that a caller may wait for
        its first. namespace `-`: the service of that name in every one that is readable; None: all are."""
        rows = sorted(self._rows(namespace, service), key=lambda row: row.key)
        matching = (
            row
            for row in rows
            if (readable is None or row.instance.namespace in readable)
            and (status is None or row.instance.status == status)
            and (tag is None or tag in row.instance.tags)
            and (zone is None or row.instance.zone == zone)
            and (version is None or row.instance.version == version)
        )
        found, following = page(matching, lambda row: row.key, limit=limit, cursor=cursor)
        return InstancePage(items=[listed(row, self._leases) for row in found], next=following)

    def instance(self, namespace: str, service: str, instance_id: str) -> Listed:
        """Raises Problem 404."""
        row = self._view.instance((namespace, service, instance_id))
        if row is None:
            raise no_instance((namespace, service, instance_id))
        return listed(row, self._leases)

    def _rows(self, namespace: str, service: str) -> Iterator[InstanceRow]:
        services = self._view.services
        if namespace != EVERY_NAMESPACE:
            return iter(services.get((namespace, service), {}).values())
        return (row for key, rows in services.items() if key[1] == service for row in rows.values())

    def _summary(self, namespace: str, name: str) -> ServiceSummary:
        document = self._view.document(("Service", namespace, name))
        counts = dict.fromkeys(("passing", "critical", "draining", "maintenance"), 0)
        for row in self._view.services.get((namespace, name), {}).values():
            counts[row.instance.status] += 1
        return ServiceSummary(
            namespace=namespace,
            name=name,
            revision=self._view.revision_of(namespace, name),
            documented=document is not None,
            status=StatusCounts(**counts),
            spec=plain(Service()) if document is None else document.document.spec,
        )

    def _submit(self, write: Write[Any], once: Once | None, answer: Any) -> asyncio.Future[Any]:
        return self._revisions.submit(write if once is None else Repeatable(write, once, answer))


def listed(row: InstanceRow, leases: Leases) -> Listed:
    instance = row.instance
    return Listed(
        namespace=instance.namespace,
        service=instance.service,
        id=instance.id,
        address=instance.address,
        port=instance.port,
        ports=instance.ports,
        protocol=instance.protocol,
        version=instance.version,
        zone=instance.zone,
        weight=instance.weight,
        tags=instance.tags,
        metadata=instance.metadata,
        status=instance.status,
        generation=instance.generation,
        revision=row.revision,
        ttl_s=row.ttl_s if instance.check is None else None,
        expires_in_s=leases.expires_in_s(row.number) if instance.check is None else None,
        unrenewed=leases.is_unrenewed(row.number),
        check=instance.check,
    )

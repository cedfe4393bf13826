"""Instances come, change and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshway.model.registration import (
    InstancePatch,
    decode_registrations,
    new_id,
    read_patch,
    read_registration,
    read_registrations,
)
from registry.machine.request import Reply, Request, answer_when, json_reply
from registry.manners.json_text import parse_json
from registry.manners.query import revision_of_tag
from registry.manners.repeated import once_of

if TYPE_CHECKING:
    from asyncio import Future

    from registry.catalog.catalog import Catalog, Listed
    from registry.catalog.registering import Registered
    from registry.revisions.draft import Once
    from registry.rights.caller import Caller


class Registrations:
    """Path segments: v1, namespaces, {ns}, services, {service}, instances, {id}."""

    __slots__ = ("_catalog",)

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def put(self, request: Request) -> Future[Reply]:
        return self._register(request, request.segments[6], None)

    def post(self, request: Request) -> Future[Reply]:
        service = request.segments[4]
        return self._register(request, new_id(service), _once(request))

    def _register(self, request: Request, instance_id: str, once: Once | None) -> Future[Reply]:
        _, _, namespace, _, service, *_ = request.segments
        registration = read_registration(
            parse_json(request.body),
            namespace=namespace,
            service=service,
            instance_id=instance_id,
            address=request.peer or None,
        )
        return answer_when(self._catalog.register(registration, once), _registered)

    def batch(self, request: Request) -> Future[Reply]:
        """POST /v1/registrations: all or nothing, one revision."""
        body, address = request.body, request.peer or None
        registrations = decode_registrations(body, address=address)
        if registrations is None:
            registrations = read_registrations(parse_json(body), address=address)
        if not request.caller.is_admin:
            for one in registrations:
                request.caller.require_registering(one.namespace, one.service)
        return answer_when(self._catalog.register_all(registrations, _once(request)), _all_registered)

    def patch(self, request: Request) -> Future[Reply]:
        _, _, namespace, _, service, _, instance_id = request.segments
        patch = read_patch(parse_json(request.body))
        if not request.caller.is_admin:
            _require_patching(request.caller, namespace, service, patch)
        tag = request.field(b"if-match")
        patched = self._catalog.patch(
            namespace,
            service,
            instance_id,
            patch,
            _once(request),
            # `*` asks only that it is there, which a PATCH asks anyway.
            if_match=None if tag is not None and tag.strip() == "*" else revision_of_tag(tag),
        )
        return answer_when(patched, _patched)

    def delete(self, request: Request) -> Future[Reply]:
        _, _, namespace, _, service, _, instance_id = request.segments
        return answer_when(self._catalog.deregister(namespace, service, instance_id), _gone)


def _require_patching(caller: Caller, namespace: str, service: str, patch: InstancePatch) -> None:
    """Who may drain may change the status alone. Raises Problem 403, 404."""
    if not caller.may_register(namespace, service):
        caller.require("instances:drain", namespace)
        if patch != InstancePatch(status=patch.status):
            caller.require("instances:write", namespace)


def _once(request: Request) -> Once | None:
    return once_of(
        request.field(b"idempotency-key"),
        request.principal,
        method=request.method,
        path=request.path,
        query=request.query,
        body=request.body,
    )


def _registered(registered: Registered) -> Reply:
    status, headers = 200, b""
    if registered.created:
        place = f"/v1/namespaces/{registered.namespace}/services/{registered.service}/instances/{registered.id}"
        status, headers = 201, b"location: %b\r\n" % place.encode()
    return json_reply(registered, status, headers=headers, revision=registered.revision)


def _all_registered(registered: list[Registered]) -> Reply:
    revision = max(one.revision for one in registered)
    return json_reply({"revision": revision, "instances": registered}, revision=revision)


def _patched(listed: Listed) -> Reply:
    return json_reply(listed, headers=b'etag: "%d"\r\n' % listed.revision, revision=listed.revision)


def _gone(revision: int) -> Reply:
    return Reply(204, revision=revision)

"""Reads of the catalogue: with ETag, and held until something changed when the caller says what it has."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast, get_args

import msgspec

from meshway.model.document import API_VERSION, Metadata
from meshway.model.instance import Status
from meshway.problem import FieldError, Problem, invalid_request
from registry.catalog.catalog import StatusCounts
from registry.documents.document_key import Key
from registry.machine.request import Reply, Request, json_reply, problem_reply
from registry.manners.query import limit_of, matches, next_link, number_of, query_of, refuse_bad_names, time_of
from registry.view.view import EVERY_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.catalog.catalog import Catalog, InstancePage, ServiceSummary
    from registry.documents.documents import Documents
    from registry.machine.request import Outlet, Stream
    from registry.view.view import View

DEFAULT_WAIT_S: Final = 30.0
MAX_WAIT_S: Final = 300.0
_WAITING: Final = frozenset({"since", "wait_s"})
_PAGING: Final = frozenset({"limit", "cursor"}) | _WAITING
_INSTANCES: Final = frozenset({"status", "tag", "zone", "version"}) | _PAGING


class ListedService(msgspec.Struct, kw_only=True, rename={"api_version": "apiVersion"}):
    """A service: its document, or the defaults when none was written (then without metadata.revision), and how many of
    its instances stand in each status."""

    api_version: str = API_VERSION
    kind: str = "Service"
    metadata: Metadata
    spec: dict[str, Any]
    status: StatusCounts


class ListedServicePage(msgspec.Struct, kw_only=True, omit_defaults=True):
    """next: the cursor of the page after this one."""

    items: list[ListedService]
    next: str | None = None


class Discovery:
    """Path segments: v1, namespaces, {ns}, services, {service}, instances, {id}."""

    __slots__ = ("_catalog", "_documents", "_view")

    def __init__(self, catalog: Catalog, documents: Documents, view: View) -> None:
        self._catalog = catalog
        self._documents = documents
        self._view = view

    def services(self, request: Request) -> Reply | Stream:
        query = query_of(request.query, _PAGING)
        namespace, limit, cursor = request.segments[2], limit_of(query), query.get("cursor")
        _refuse_bad_place(namespace)
        readable = request.caller.namespaces("instances:read")

        def read() -> ListedServicePage:
            page = self._catalog.services(namespace, limit=limit, cursor=cursor, readable=readable)
            return ListedServicePage(items=[self._whole(summary) for summary in page.items], next=page.next)

        return self._show(request, query, (namespace,), read)

    def service(self, request: Request) -> Reply | Stream:
        query = query_of(request.query, _WAITING)
        _, _, namespace, _, service = request.segments
        refuse_bad_names(namespace=namespace, service=service)
        return self._show(
            request, query, (namespace, service), lambda: self._whole(self._catalog.service(namespace, service))
        )

    def instances(self, request: Request) -> Reply | Stream:
        query = query_of(request.query, _INSTANCES)
        _, _, namespace, _, service, _ = request.segments
        _refuse_bad_place(namespace, service)
        status, limit = _status(query), limit_of(query)
        # Of one namespace the guard has judged, its own service's for a service.
        readable = request.caller.namespaces("instances:read") if namespace == EVERY_NAMESPACE else None

        def read() -> InstancePage:
            return self._catalog.instances(
                namespace,
                service,
                readable=readable,
                status=status,
                tag=query.get("tag"),
                zone=query.get("zone"),
                version=query.get("version"),
                limit=limit,
                cursor=query.get("cursor"),
            )

        return self._show(request, query, (namespace, service), read)

    def instance(self, request: Request) -> Reply | Stream:
        query = query_of(request.query, _WAITING)
        _, _, namespace, _, service, _, instance_id = request.segments
        refuse_bad_names(namespace=namespace, service=service, id=instance_id)
        return self._show(
            request, query, (namespace, service), lambda: self._catalog.instance(namespace, service, instance_id)
        )

    def _whole(self, summary: ServiceSummary) -> ListedService:
        metadata = Metadata(name=summary.name, namespace=summary.namespace)
        if summary.documented:
            metadata = self._documents.get(Key("Service", summary.namespace, summary.name)).metadata
        return ListedService(metadata=metadata, spec=summary.spec, status=summary.status)

    def _show(
        self, request: Request, query: dict[str, str], place: tuple[str, ...], read: Callable[[], object]
    ) -> Reply | Stream:
        def answer() -> Reply:
            revision = self._view.revision_of(*place)
            etag = b'etag: "%d"\r\n' % revision
            if matches(request.field(b"if-none-match"), revision):
                return Reply(304, headers=etag)
            page = read()
            link = next_link(request.path, request.query, getattr(page, "next", None))
            return json_reply(
                page, headers=etag + (b"link: %b\r\n" % link.encode("latin-1", "replace") if link else b"")
            )

        since = number_of(query, "since", None, low=0, high=2**63 - 1)
        wait_s = time_of(query, "wait_s", DEFAULT_WAIT_S, high=MAX_WAIT_S)
        if since is None or not wait_s or self._view.revision_of(*place) > since:
            return answer()
        return HeldAnswer(self._view, place, since, wait_s, request, answer)


class HeldAnswer:
    """An answer that waits until its scope is beyond `since`, or wait_s are over (Consul's blocking query)."""

    __slots__ = ("_answer", "_cancel", "_outlet", "_place", "_request", "_since", "_timer", "_view", "_wait_s")

    is_endless: bool = True

    def __init__(
        self,
        view: View,
        place: tuple[str, ...],
        since: int,
        wait_s: float,
        request: Request,
        answer: Callable[[], Reply],
    ) -> None:
        self._view = view
        self._place = place
        self._since = since
        self._wait_s = wait_s
        self._request = request
        self._answer = answer
        self._outlet: Outlet | None = None
        self._cancel: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, outlet: Outlet) -> None:
        self._outlet = outlet
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._wait_s, self._reply)
        self._wait()

    def _wait(self) -> None:
        scope = () if self._place[0] == EVERY_NAMESPACE else self._place
        self._cancel = self._view.waiters.add(scope, self._wake)

    def _wake(self) -> None:
        """Called within a commit: the reply is written after it, so that a fault here cannot reach the committer."""
        asyncio.get_running_loop().call_soon(self._changed)

    def _changed(self) -> None:
        if self._outlet is None:
            return
        if self._view.revision_of(*self._place) > self._since:
            self._reply()
        else:
            self._wait()

    def _reply(self) -> None:
        outlet = self._outlet
        if outlet is None:
            return
        try:
            reply = self._answer()
        except Problem as problem:
            reply = problem_reply(problem, self._request.request_id)
        outlet.reply(reply)

    def resume(self) -> None:
        """Nothing was written yet."""

    def stop(self) -> None:
        self._outlet = None
        if self._timer is not None:
            self._timer.cancel()
        if self._cancel is not None:
            self._cancel()
            self._cancel = None


def _refuse_bad_place(namespace: str, *service: str) -> None:
    """Of a list, which may be of every namespace."""
    names = dict(zip(("service",), service, strict=False))
    refuse_bad_names(**(names if namespace == EVERY_NAMESPACE else {"namespace": namespace, **names}))


def _status(query: dict[str, str]) -> Status | None:
    status = query.get("status")
    if status is None or status in get_args(Status):
        return cast("Status | None", status)
    message = f"query.status: {status!r} is none of {', '.join(get_args(Status))}"
    raise invalid_request(message, (FieldError(path="query.status", code="out_of_bounds", message=message),))

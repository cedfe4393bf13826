"""Eureka's routes: each translated onto a call of the catalogue, and answered in Eureka's form.

Errors are a status with one line of text. Source: Netflix/eureka, com.netflix.eureka.resources, and its REST wiki page.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, get_args
from urllib.parse import parse_qsl

from meshway.http1.fields import find
from meshway.model.registration import InstancePatch, read_patch
from meshway.tasks import spawn
from registry.compat.eureka.changes import Changes
from registry.compat.eureka.forms import Form, form_of, read_document
from registry.compat.eureka.info import (
    NAMESPACE,
    app_of,
    info_of,
    instance_id_of,
    read_info,
    read_metadata,
    refused,
    service_of,
    vips_of,
)
from registry.compat.eureka.lists import Lists, short_document
from registry.compat.eureka.statuses import DIRTY, OVERRIDE, STATUS, Status, chosen, own_status, shown_status
from registry.compat.outcomes import in_form, reason_of
from registry.machine.request import Reply, answer_when

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from meshway.problem import Problem
    from registry.catalog.catalog import Catalog
    from registry.leases.writes import Renewal
    from registry.machine.request import Request
    from registry.view.rows import InstanceRow
    from registry.view.view import View

FAMILY: Final = "/eureka"
_STATUSES: Final = frozenset(get_args(Status))
_DONE: Final = 200

Outcome = "Reply | asyncio.Future[Reply]"


class Eureka:
    """All below FAMILY, with or without Eureka's `v2`. clock: monotonic seconds."""

    def __init__(self, catalog: Catalog, view: View, clock: Callable[[], float]) -> None:
        self._catalog = catalog
        self._view = view
        self._lists = Lists(view, Changes(view, clock))

    def answer(self, request: Request) -> Reply | asyncio.Future[Reply]:
        return in_form(request, self._answer, refusal)

    def _answer(self, request: Request) -> Reply | asyncio.Future[Reply]:
        place = _place(request.segments)
        if not request.caller.is_admin:
            _require(request, place)
        match (request.method, *place):
            case ("PUT", "apps", app, eureka_id):
                return self._renew(app, eureka_id, _query(request))
            case ("GET", "apps", "delta"):
                return self._list(request, is_delta=True)
            case ("GET", "apps"):
                return self._list(request, is_delta=False)
            case ("POST", "apps", app):
                return self._register(app, request)
            case ("GET", "apps", app):
                return self._application(app, form_of(request.field(b"accept")))
            case ("GET", "apps", app, eureka_id):
                return _instance(self._row(app, eureka_id), form_of(request.field(b"accept")))
            case ("DELETE", "apps", app, eureka_id):
                return self._cancel(app, eureka_id)
            case ("PUT", "apps", app, eureka_id, "status"):
                return self._override(app, eureka_id, _query(request))
            case ("DELETE", "apps", app, eureka_id, "status"):
                return self._end_override(app, eureka_id, _query(request))
            case ("PUT", "apps", app, eureka_id, "metadata"):
                return self._put_metadata(app, eureka_id, _query(request))
            case ("GET", "instances", eureka_id):
                return _instance(self._by_id(eureka_id), form_of(request.field(b"accept")))
            case ("GET", "vips" | "svips" as which, vip):
                return self._by_vip(vip, form_of(request.field(b"accept")), secure=which == "svips")
        return Reply(404, f"{request.method} {request.path} is not served here\n".encode(), content_type=b"text/plain")

    # --- what instances say ---

    def _register(self, app: str, request: Request) -> asyncio.Future[Reply]:
        document = read_document(request.body, request.field(b"content-type"))
        announcement = read_info(document, app)
        registration = announcement.registration
        key = (registration.namespace, registration.service, registration.id)
        return answer_when(
            self._catalog.announce(key, announcement.over),
            lambda registered: Reply(204, revision=registered.revision),
        )

    def _renew(self, app: str, eureka_id: str, query: dict[str, str]) -> Reply | asyncio.Future[Reply]:
        """404 where the client must register again: it is not known, or has changed since it registered."""
        row = self._row(app, eureka_id)
        if row is None or _is_younger(query.get("lastDirtyTimestamp"), row):
            return Reply(404)
        renewal = self._catalog.heartbeat_by_id(*row.key)
        if isinstance(renewal, asyncio.Future):
            return answer_when(renewal, _renewed)
        return _renewed(renewal)

    def _cancel(self, app: str, eureka_id: str) -> Reply | asyncio.Future[Reply]:
        row = self._row(app, eureka_id)
        if row is None:
            return Reply(404)
        return answer_when(self._catalog.deregister(*row.key), lambda revision: Reply(_DONE, revision=revision))

    # --- what others say of them ---

    def _override(self, app: str, eureka_id: str, query: dict[str, str]) -> Reply | asyncio.Future[Reply]:
        status = _status(query)
        if status is None:
            raise refused("value: the status is missing")
        metadata: dict[str, str | None] = {OVERRIDE: status}
        if status == "UP":  # what it said of itself does not keep it out any longer
            metadata[STATUS] = None
        return self._patch(self._row(app, eureka_id), lambda _: InstancePatch(metadata=metadata, status=chosen(status)))

    def _end_override(self, app: str, eureka_id: str, query: dict[str, str]) -> Reply | asyncio.Future[Reply]:
        """Back to what it said of itself last, or to the status that is suggested."""
        suggested = _status(query)

        def patch(row: InstanceRow) -> InstancePatch:
            status = suggested or own_status(row.instance)
            return InstancePatch(
                metadata={OVERRIDE: None, STATUS: None if status == "UP" else status}, status=chosen(status)
            )

        return self._patch(self._row(app, eureka_id), patch)

    def _put_metadata(self, app: str, eureka_id: str, query: dict[str, str]) -> Reply | asyncio.Future[Reply]:
        patch = read_patch({"metadata": read_metadata(query)})
        return self._patch(self._row(app, eureka_id), lambda _: patch)

    def _patch(
        self, row: InstanceRow | None, patch: Callable[[InstanceRow], InstancePatch]
    ) -> Reply | asyncio.Future[Reply]:
        if row is None:
            return Reply(404)
        return answer_when(
            self._catalog.patch(*row.key, patch(row)), lambda listed: Reply(_DONE, revision=listed.revision)
        )

    # --- who is there ---

    def _list(self, request: Request, *, is_delta: bool) -> asyncio.Future[Reply]:
        form = form_of(request.field(b"accept"))
        accepted = find(request.head.block, b"accept-encoding") or b""
        return spawn(self._listed(form, is_delta=is_delta, packed=b"gzip" in accepted), name="eureka list")

    async def _listed(self, form: Form, *, is_delta: bool, packed: bool) -> Reply:
        made = await self._lists.document(form, is_delta=is_delta, packed=packed)
        headers = b"content-encoding: gzip\r\n" if made.is_packed else b""
        return Reply(_DONE, made.body, content_type=form.content_type, headers=headers + b"vary: accept-encoding\r\n")

    def _application(self, app: str, form: Form) -> Reply:
        rows = self._view.services.get((NAMESPACE, service_of(app)))
        if not rows:
            return Reply(404)
        instances = [form.instance(info_of(row)) for row in rows.values()]
        name = app_of(next(iter(rows.values())).instance)
        body = form.application_document(name, instances)
        return Reply(_DONE, body, content_type=form.content_type)

    def _by_vip(self, vip: str, form: Form, *, secure: bool) -> Reply:
        rows = [row for row in self._rows() if vip in vips_of(row.instance, secure=secure)]
        counts: dict[str, int] = {}
        for row in rows:
            status = shown_status(row.instance)
            counts[status] = counts.get(status, 0) + 1
        hashcode = "".join(f"{status}_{count}_" for status, count in sorted(counts.items()))
        body = short_document(form, rows, self._view.revision_of(NAMESPACE), hashcode)
        return Reply(_DONE, body, content_type=form.content_type)

    def _row(self, app: str, eureka_id: str) -> InstanceRow | None:
        return self._view.instance((NAMESPACE, service_of(app), instance_id_of(eureka_id)))

    def _rows(self) -> list[InstanceRow]:
        services = self._view.services.items()
        return [row for (namespace, _), rows in services if namespace == NAMESPACE for row in rows.values()]

    def _by_id(self, eureka_id: str) -> InstanceRow | None:
        """The first of that id: Eureka's ids are its users' to keep apart."""
        instance_id = instance_id_of(eureka_id)
        for (namespace, _), rows in self._view.services.items():
            if namespace == NAMESPACE and (row := rows.get(instance_id)) is not None:
                return row
        return None


def _require(request: Request, place: tuple[str, ...]) -> None:
    """Raises Problem 401, 403, 404."""
    if request.method == "GET":
        request.caller.require("instances:read", NAMESPACE)
    else:
        request.caller.require_registering(NAMESPACE, service_of(place[1]) if len(place) > 1 else "")


def refusal(problem: Problem) -> Reply:
    """400 for all that is wrong with what was sent: Eureka's clients know no 422."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in problem.headers.items())
    return Reply(
        400 if problem.status == 422 else problem.status,
        f"{reason_of(problem)}\n".encode(),
        content_type=b"text/plain; charset=utf-8",
        headers=lines.encode("latin-1", "replace"),
    )


def _place(segments: tuple[str, ...]) -> tuple[str, ...]:
    """What comes behind the family; some clients write a slash at the end."""
    place = segments[1:-1] if segments[-1] == "" else segments[1:]
    return place[1:] if place[:1] == ("v2",) else place


def _query(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.query, keep_blank_values=True))


def _status(query: dict[str, Any]) -> str | None:
    status = query.get("value", "").upper()
    if status and status not in _STATUSES:
        raise refused(f"value: {status[:100]!r} is none of {', '.join(sorted(_STATUSES))}")
    return status or None


def _is_younger(dirty: str | None, row: InstanceRow) -> bool:
    """Whether the client changed after what it registered last. One that another protocol registered knows no such
    time."""
    known = row.instance.metadata.get(DIRTY)
    if known is None or dirty is None or not (dirty.isascii() and dirty.isdigit() and len(dirty) < 20):
        return False
    return int(dirty) > int(known)


def _renewed(renewal: Renewal) -> Reply:
    return Reply(_DONE if renewal.renewed else 404)


def _instance(row: InstanceRow | None, form: Form) -> Reply:
    if row is None:
        return Reply(404)
    body = form.instance_document(form.instance(info_of(row)))
    return Reply(_DONE, body, content_type=form.content_type)

"""GET /v1/alerts, /v1/objectives; POST /v1/alerts/try; /v1/silences: what people should know, and what they know."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import Meta

from meshway.model.alert import Alert
from meshway.model.decode import decode_document
from meshway.model.document import API_VERSION, DEFAULT_NAMESPACE
from meshway.model.instant import parse_instant
from meshway.problem import FieldError, Problem, invalid_request, not_found, soon
from meshway.units import parse_duration
from registry.alerts.alerts import MOST_HISTORY, ObjectiveShown, Shown
from registry.alerts.records import Matcher, Silence
from registry.alerts.rules import rule_of
from registry.alerts.silences import MOST_S
from registry.api.answers import answer, caller_of
from registry.manners.json_text import decoder_of
from registry.manners.query import number_of, query_of, refuse_bad_names, time_of
from registry.rights.roles import EVERYWHERE
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import TypeVar

    from registry.core import Core
    from registry.rights.caller import Caller

    _T = TypeVar("_T")

MANY: Final = "/v1/alerts"
TRY: Final = "/v1/alerts/try"
OBJECTIVES: Final = "/v1/objectives"
SILENCES: Final = "/v1/silences"
SILENCE: Final = "/v1/silences/{silence}"
Which = Literal["live", "firing", "pending", "silenced", "resolved"]
WHICH: Final[tuple[Which, ...]] = get_args(Which)
_ONE: Final = 100


class AlertPage(msgspec.Struct, frozen=True):
    items: list[Shown]


class ObjectivePage(msgspec.Struct, frozen=True):
    items: list[ObjectiveShown]


class SilencePage(msgspec.Struct, frozen=True):
    items: list[Silence]


class SilenceRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """matchers: of labels, all of which hold; `alert` is the rule's name. until: a time (RFC 3339), or how long from
    now (`2h`), at most 720h. namespace: whose alerts; `*`: of all."""

    matchers: Annotated[tuple[Matcher, ...], Meta(min_length=1, max_length=16)]
    until: Annotated[str, Meta(max_length=64)]
    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    namespace: Annotated[str, Meta(max_length=63)] = EVERYWHERE


class TryRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """spec: of an Alert, as it would be written in the namespace."""

    spec: dict[str, Any]
    namespace: Annotated[str, Meta(max_length=63)] = DEFAULT_NAMESPACE


_decode_silence: Final = decoder_of(SilenceRequest, "")
_decode_try: Final = decoder_of(TryRequest, "")


def alerts_router(core: Core) -> APIRouter:
    router = APIRouter()
    alerts = core.alerts

    @router.get(MANY)
    async def many(request: Request) -> Response:
        """By namespaces that the caller may read."""
        query = query_of(request.url.query, frozenset({"namespace", "state", "limit", "before"}))
        which = _which(query.get("state", "live"))
        namespace = _namespace(query, caller_of(request))
        count = number_of(query, "limit", _ONE, low=1, high=MOST_HISTORY) or _ONE
        if which == "resolved":
            before = time_of(query, "before", time.time() + 60.0, high=1e11)
            found = await _told(alerts.history(before, MOST_HISTORY))
        else:
            found = [each for each in await _told(alerts.live()) if _is_wanted(each, which)]
        caller = caller_of(request)
        seen = [each for each in found if namespace in (None, each.subject) and _may_see(caller, each.subject)]
        return answer(AlertPage(seen[:count] if which == "resolved" else seen))

    @router.post(TRY)
    async def tried(request: Request) -> Response:
        """When it would have fired over the last 24 h; nothing is kept of it."""
        query_of(request.url.query, frozenset())
        wanted = _decode_try(await request.body())
        refuse_bad_names(namespace=wanted.namespace)
        caller_of(request).require("alerts:read", wanted.namespace)
        if wanted.namespace == "mesh":
            caller_of(request).require_everywhere("alerts:read")
        raw = {
            "apiVersion": API_VERSION,
            "kind": Alert.__name__,
            "metadata": {"name": "tried", "namespace": wanted.namespace},
            "spec": wanted.spec,
        }
        _, spec = decode_document(raw)
        assert isinstance(spec, Alert)
        return answer(await _told(alerts.trying.tried(rule_of("tried", wanted.namespace, spec))))

    @router.get(OBJECTIVES)
    async def objectives(request: Request) -> Response:
        query = query_of(request.url.query, frozenset({"namespace"}))
        caller = caller_of(request)
        namespace = _namespace(query, caller)
        items = await _told(alerts.objectives())
        seen = [each for each in items if namespace in (None, each.namespace) and _may_see(caller, each.namespace)]
        return answer(ObjectivePage(sorted(seen, key=lambda each: (each.namespace, each.name))))

    @router.get(SILENCES)
    async def silences(request: Request) -> Response:
        query = query_of(request.url.query, frozenset({"namespace"}))
        caller = caller_of(request)
        namespace = _namespace(query, caller)
        items = [
            each
            for each in await _told(alerts.silences.all())
            if namespace in (None, each.namespace)
            and (each.namespace == EVERYWHERE or _may_see(caller, each.namespace))
        ]
        return answer(SilencePage(items))

    @router.post(SILENCES)
    async def silence(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        wanted = _decode_silence(await request.body())
        if wanted.namespace != EVERYWHERE:
            refuse_bad_names(namespace=wanted.namespace)
        caller = caller_of(request)
        caller.require("alerts:silence", wanted.namespace)
        until = _until(wanted.until, time.time())
        made = await _told(
            alerts.silences.add(wanted.namespace, wanted.matchers, until, wanted.reason, caller.principal.name)
        )
        return answer(made, 201, headers={"location": f"{SILENCES}/{made.id}"})

    @router.delete(SILENCE)
    async def end(silence: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        caller = caller_of(request)
        found = await _told(alerts.silences.one(silence))
        if not (found.namespace == EVERYWHERE or _may_see(caller, found.namespace)):
            raise not_found(f"silence {silence}")
        caller.require("alerts:silence", found.namespace)
        await _told(alerts.silences.end(found))
        return Response(status_code=204)

    return router


def _may_see(caller: Caller, namespace: str) -> bool:
    """What concerns the whole mesh is for those who may see all of it."""
    return caller.may("alerts:read", EVERYWHERE if namespace == "mesh" else namespace)


def _namespace(query: dict[str, str], caller: Caller) -> str | None:
    """Raises Problem 404 for one that may not be read."""
    namespace = query.get("namespace")
    if namespace is not None:
        refuse_bad_names(namespace=namespace)
        caller.require("alerts:read", namespace)
    return namespace


def _which(text: str) -> Which:
    for which in WHICH:
        if which == text:
            return which
    raise _refused("query.state", "out_of_bounds", f"{text!r} is none of {', '.join(WHICH)}")


def _is_wanted(each: Shown, which: Which) -> bool:
    is_silenced = bool(each.silenced_by) or each.muted
    return which == "live" or (is_silenced if which == "silenced" else each.state == which)


def _until(text: str, now: float) -> float:
    """Seconds since 1970. Raises Problem 422."""
    try:
        until = now + parse_duration(text) if text[-1:] in ("s", "m", "h") else parse_instant(text)
    except ValueError as error:
        mend = f'"{text}" is neither so long from now (30m, 2h) nor a point in time (2026-12-24T18:00:00Z)'
        raise _refused("until", "wrong_type", mend) from error
    if not 0.0 < until - now <= MOST_S + 1.0:
        raise _refused("until", "out_of_bounds", f"{text} is not within the next {MOST_S / 3_600:g} h")
    return until


def _refused(path: str, code: str, reason: str) -> Problem:
    message = f"{path}: {reason}"
    return invalid_request(message, (FieldError(path=path, code=code, message=message),))


async def _told(asked: Awaitable[_T]) -> _T:
    try:
        return await asked
    except StoreUnavailable as error:
        detail = f"alerts cannot be read or written now: {error}"
        raise Problem(503, "store_unavailable", "Store unavailable", detail=detail, headers=soon()) from error

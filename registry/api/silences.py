"""/v1/silences: whose alerts are told to nobody for a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import Meta

from meshway.model.instant import parse_instant
from meshway.problem import not_found
from meshway.units import parse_duration
from registry.alerts.records import Matcher, Silence
from registry.alerts.silences import MOST_S
from registry.api.alerts import may_see, namespace_of, refused, told
from registry.api.answers import answer, caller_of
from registry.manners.json_text import decoder_of
from registry.manners.query import query_of, refuse_bad_names
from registry.rights.roles import EVERYWHERE

if TYPE_CHECKING:
    from registry.alerts.silences import Silences

SILENCES: Final = "/v1/silences"
SILENCE: Final = "/v1/silences/{silence}"


class SilencePage(msgspec.Struct, frozen=True):
    items: list[Silence]


class SilenceRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """matchers: of labels, all of which hold; `alert` is the rule's name. until: a time (RFC 3339), or how long from
    now (`2h`), at most 720h. namespace: whose alerts; `*`: of all."""

    matchers: Annotated[tuple[Matcher, ...], Meta(min_length=1, max_length=16)]
    until: Annotated[str, Meta(max_length=64)]
    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    namespace: Annotated[str, Meta(max_length=63)] = EVERYWHERE


_decode_silence: Final = decoder_of(SilenceRequest, "")


def silences_router(kept: Silences) -> APIRouter:
    router = APIRouter()

    @router.get(SILENCES)
    async def silences(request: Request) -> Response:
        query = query_of(request.url.query, frozenset({"namespace"}))
        caller = caller_of(request)
        namespace = namespace_of(query, caller)
        items = [
            each
            for each in await told(kept.all())
            if namespace in (None, each.namespace) and (each.namespace == EVERYWHERE or may_see(caller, each.namespace))
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
        made = await told(kept.add(wanted.namespace, wanted.matchers, until, wanted.reason, caller.principal.name))
        return answer(made, 201, headers={"location": f"{SILENCES}/{made.id}"})

    @router.delete(SILENCE)
    async def end(silence: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        caller = caller_of(request)
        found = await told(kept.one(silence))
        if not (found.namespace == EVERYWHERE or may_see(caller, found.namespace)):
            raise not_found(f"silence {silence}")
        caller.require("alerts:silence", found.namespace)
        await told(kept.end(found))
        return Response(status_code=204)

    return router


def _until(text: str, now: float) -> float:
    """Seconds since 1970. Raises Problem 422."""
    try:
        until = now + parse_duration(text) if text[-1:] in ("s", "m", "h") else parse_instant(text)
    except ValueError as error:
        mend = f'"{text}" is neither so long from now (30m, 2h) nor a point in time (2026-12-24T18:00:00Z)'
        raise refused("until", "wrong_type", mend) from error
    if not 0.0 < until - now <= MOST_S + 1.0:
        raise refused("until", "out_of_bounds", f"{text} is not within the next {MOST_S / 3_600:g} h")
    return until

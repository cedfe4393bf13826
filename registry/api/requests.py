"""GET /v1/requests, /v1/requests/{id} and /v1/traces/{id}: single calls that gateways told of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.call_filter import BadFilter, Holds, compile_filter
from meshway.call_lines import PATH, CallLine
from meshway.problem import FieldError, Problem, invalid_request
from meshway.spans import Span
from registry.api.answers import answer, caller_of, page
from registry.insight.sight import Sight
from registry.manners.query import number_of, query_of

if TYPE_CHECKING:
    from registry.core import Core

ALL: Final = PATH
ONE: Final = "/v1/requests/{id}"
TRACE: Final = "/v1/traces/{id}"
UNKNOWN: Final = ("refused", "empty")


class RequestPage(msgspec.Struct, frozen=True, omit_defaults=True):
    """items: the newest first. next: where the list goes on; a page may hold nothing and go on all the same."""

    items: list[CallLine]
    next: str | None = None


class Trace(msgspec.Struct, frozen=True):
    """spans: in the order in which they began. calls: lines of the same trace."""

    trace_id: str
    spans: list[Span]
    calls: list[CallLine]


def requests_router(core: Core) -> APIRouter:
    router = APIRouter()
    kept, spans = core.watching.insight.requests, core.watching.insight.spans

    @router.get(PATH)
    async def list_requests(request: Request) -> Response:
        """Those that `filter` lets through."""
        query = query_of(request.url.query, frozenset({"filter", "limit", "cursor"}))
        holds = filter_of(query.get("filter", ""))
        limit = number_of(query, "limit", 100, low=1, high=1000)
        try:
            found = await kept.search(holds, sight=_sight(request), limit=limit or 100, cursor=query.get("cursor"))
        except ValueError as error:
            raise _refused("cursor", "bad_cursor", str(error)) from error
        return page(RequestPage(found.calls, found.next), request)

    @router.get(ONE)
    async def get_request(id: str, request: Request) -> Response:  # noqa: A002 - the path's name for it
        """All lines with this request id: a caller may have given it to several."""
        query_of(request.url.query, frozenset())
        calls = await kept.of("request_id", id, _sight(request))
        if not calls:
            detail = f"no kept request has the id {id}: failed and slow ones and 1 % of the rest are kept, for a day"
            raise Problem(404, "not_found", "No such request", detail=detail, mend="see GET /v1/requests")
        return answer(RequestPage(calls))

    @router.get(TRACE)
    async def get_trace(id: str, request: Request) -> Response:  # noqa: A002 - the path's name for it
        """Spans that gateways told of, and kept requests of the trace. unknown: `empty` for pages that ask of each call
        they show; most were not sampled, and a browser tells each refusal in its console."""
        query = query_of(request.url.query, frozenset({"unknown"}))
        if (unknown := query.get("unknown", "refused")) not in UNKNOWN:
            raise _refused("unknown", "out_of_bounds", f"{unknown!r} is none of {', '.join(UNKNOWN)}")
        sight = _sight(request)
        calls = await kept.of("trace_id", id, sight)
        found = [span for span in map(sight.span, await spans.trace(id)) if span is not None]
        if not calls and not found and unknown == "refused":
            detail = (
                f"this registry knows no trace {id}: of calls that neither fail nor are slow few are traced, and their "
                "last spans are kept where no collector takes them"
            )
            mend = "raise traces.head_percent of a Telemetry, or look in the collector that it names"
            raise Problem(404, "not_found", "No such trace", detail=detail, mend=mend)
        return answer(Trace(id, found, calls))

    return router


def filter_of(text: str) -> Holds:
    """Raises Problem."""
    try:
        return compile_filter(text)
    except BadFilter as error:
        raise _refused("filter", "bad_filter", str(error)) from error


def _refused(name: str, code: str, reason: str) -> Problem:
    message = f"query.{name}: {reason}"
    return invalid_request(message, (FieldError(path=f"query.{name}", code=code, message=message),))


def _sight(request: Request) -> Sight:
    return Sight(caller_of(request).namespaces("metrics:read"))

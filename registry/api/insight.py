"""GET /v1/insight/…: what calls there were, how well services are, and who calls whom."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.model.instant import parse_instant
from meshway.model.nearest import did_you_mean
from meshway.problem import FieldError, Problem, invalid_request, soon
from registry.api.answers import answer, caller_of
from registry.api.texts import Text, Texts
from registry.insight.asking import Asking, Span, has_too_many
from registry.insight.consumers import ConsumerDay, ConsumerUse
from registry.insight.figures import METRICS, Metric
from registry.insight.narrowing import Narrowing
from registry.insight.route_uses import RouteUse
from registry.insight.series import BYS, MOST_POINTS, SECTION_OF, By
from registry.insight.services import ServiceSignals
from registry.insight.sight import Sight
from registry.insight.topology import Asked, Level
from registry.manners.query import number_of, query_of, refuse_bad_names, time_of
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from meshway.telemetry import Key

SERVICES: Final = "/v1/insight/services"
SERIES: Final = "/v1/insight/series"
TOPOLOGY: Final = "/v1/insight/topology"
COMPARISON: Final = "/v1/insight/comparison"
VERSIONS: Final = "/v1/insight/versions"
ROUTES: Final = "/v1/insight/routes"
CONSUMERS: Final = "/v1/insight/consumers"
CONSUMER_DAYS: Final = "/v1/insight/consumers/days"
MOST_DAYS: Final = 90
WINDOW_S: Final = 900.0
LONGEST_S: Final = 7_776_000.0
MOST_HOPS: Final = 3
MOST_VERSIONS: Final = 20
LEVELS: Final[tuple[Level, ...]] = ("namespaces", "services", "focus")
_SPAN: Final = frozenset({"at", "window_s", "namespace"})
# Of the parts of keys that a series may be narrowed by, where they stand in its section's.
_NARROWING: Final = {
    "edges": {"source": 0, "service": 1},
    "routes": {"route": 0, "service": 2},
    "instances": {"service": 0},
}
_NARROWED: Final = ("service", "source", "route")
_YES_NO: Final = ("true", "false")
_T = TypeVar("_T")
_W = TypeVar("_W", bound=str)


class ServiceSignalsPage(msgspec.Struct, frozen=True, kw_only=True):
    """first, end: of the span, seconds since 1970."""

    first: float
    end: float
    items: list[ServiceSignals]


class RouteUsePage(msgspec.Struct, frozen=True, kw_only=True):
    """first, end: of the span, seconds since 1970."""

    first: float
    end: float
    items: list[RouteUse]


class ConsumerUsePage(msgspec.Struct, frozen=True, kw_only=True):
    """first, end: of the span, seconds since 1970."""

    first: float
    end: float
    items: list[ConsumerUse]


class ConsumerDays(msgspec.Struct, frozen=True):
    """items: by day, the last of them today."""

    items: list[ConsumerDay]


def insight_router(asking: Asking) -> APIRouter:
    router = APIRouter()
    texts = Texts()

    @router.get(SERVICES)
    async def services(request: Request) -> Response:
        query, span, sight = _read(request, frozenset())
        items = await _told(asking.services(span, sight, query.get("namespace")))
        return answer(ServiceSignalsPage(first=span.first, end=span.end, items=items))

    @router.get(SERIES)
    async def series(request: Request) -> Response:
        query, span, sight = _read(request, frozenset({"metric", "by", "step_s", *_NARROWED}))
        metric: Metric = _one_of(query, "metric", METRICS, "rps")
        by: By = _one_of(query, "by", BYS, "total")
        step_s = number_of(query, "step_s", None, low=10, high=86_400)
        if step_s is not None and (step_s % 10 or has_too_many(span, step_s)):
            raise _refused("step_s", f"{step_s} is no multiple of 10, or gives more than {MOST_POINTS} points")
        only = _only(query, SECTION_OF[by])
        return answer(await _told(asking.series(span, sight, metric, by, step_s=step_s, only=only)))

    @router.get(TOPOLOGY)
    async def topology(request: Request) -> Response:
        query, span, sight = _read(request, frozenset({"level", "service", "hops", "min_rps", "versions"}))
        asked = Asked(
            level=_one_of(query, "level", LEVELS, "services"),
            namespace=query.get("namespace"),
            service=_service_of(query) if query.get("level") == "focus" else "",
            hops=number_of(query, "hops", 1, low=1, high=MOST_HOPS) or 1,
            min_rps=time_of(query, "min_rps", 0.0, high=1e9),
            versions=_one_of(query, "versions", _YES_NO, "false") == "true",
        )
        return _tagged(texts.of(await _told(asking.topology(span, sight, asked))), request)

    @router.get(COMPARISON)
    async def comparison(request: Request) -> Response:
        query, span, sight = _read(request, frozenset({"before", "service"}))
        length_s = span.end - span.first
        end = _moment(query, "before", span.end - length_s)
        only = _touching(_service_of(query)) if "service" in query else _of_namespace(query.get("namespace"))
        return answer(await _told(asking.spans(Span(end - length_s, end), span, sight, only)))

    @router.get(VERSIONS)
    async def versions(request: Request) -> Response:
        query, span, sight = _read(request, frozenset({"service", "versions"}))
        names = tuple(query.get("versions", "").split(","))
        if not 2 <= len(names) <= MOST_VERSIONS or len(set(names)) < len(names):
            raise _refused("versions", f"2 to {MOST_VERSIONS} of the service, as in v1,v2")
        return answer(await _told(asking.versions(span, sight, _service_of(query), names)))

    @router.get(ROUTES)
    async def routes(request: Request) -> Response:
        query, span, sight = _read(request, frozenset())
        items = await _told(asking.routes(span, sight, query.get("namespace")))
        return answer(RouteUsePage(first=span.first, end=span.end, items=items))

    @router.get(CONSUMERS)
    async def consumers(request: Request) -> Response:
        query, span, sight = _read(request, frozenset())
        items = await _told(asking.consumers(span, sight, query.get("namespace")))
        return answer(ConsumerUsePage(first=span.first, end=span.end, items=items))

    @router.get(CONSUMER_DAYS)
    async def consumer_days(request: Request) -> Response:
        query = query_of(request.url.query, frozenset({"consumer", "days"}))
        consumer = query.get("consumer", "")
        namespace, slash, name = consumer.partition("/")
        if not slash:
            raise _refused("consumer", "whose days: namespace/name")
        refuse_bad_names(namespace=namespace, name=name)
        caller_of(request).require("insight:read", namespace)
        days = number_of(query, "days", 30, low=1, high=MOST_DAYS) or 1
        return answer(ConsumerDays(await _told(asking.consumer_days(consumer, days))))

    return router


def sight_of(request: Request) -> Sight:
    """What the caller may see of numbers."""
    return Sight(caller_of(request).namespaces("insight:read"))


def _read(request: Request, more: frozenset[str]) -> tuple[dict[str, str], Span, Sight]:
    query = query_of(request.url.query, _SPAN | more)
    if (namespace := query.get("namespace")) is not None:
        refuse_bad_names(namespace=namespace)
        caller_of(request).require("insight:read", namespace)
    end = _moment(query, "at", time.time())
    length_s = time_of(query, "window_s", WINDOW_S, high=LONGEST_S)
    if length_s < 10.0:
        raise _refused("window_s", "is below 10 s, the shortest that is told apart")
    return query, Span(end - length_s, end), sight_of(request)


async def _told(asked: Awaitable[_T]) -> _T:
    try:
        return await asked
    except StoreUnavailable as error:
        detail = f"numbers cannot be read now: {error}"
        raise Problem(503, "store_unavailable", "Store unavailable", detail=detail, headers=soon()) from error


def _tagged(text: Text, request: Request) -> Response:
    """With an ETag of what it says: 304 to who has it."""
    headers = {"etag": text.tag}
    known = request.headers.get("if-none-match", "")
    if text.tag in [each.strip().removeprefix("W/") for each in known.split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(text.body, 200, headers, "application/json")


def _moment(query: Mapping[str, str], name: str, default: float) -> float:
    """Seconds since 1970, or RFC 3339."""
    text = query.get(name)
    if text is None:
        return default
    try:
        return float(text) if text.replace(".", "", 1).isdigit() and text.isascii() else parse_instant(text)
    except ValueError as error:
        raise _refused(name, str(error)) from error


def _one_of(query: Mapping[str, str], name: str, known: tuple[_W, ...], default: _W) -> _W:
    """One of the words that are known."""
    text = query.get(name, default)
    for word in known:
        if word == text:
            return word
    raise _refused(name, f"{text!r} is none of {', '.join(known)}{did_you_mean(text, list(known))}")


def _service_of(query: Mapping[str, str]) -> str:
    """`namespace/name`; a bare name is of the namespace asked for, or default."""
    text = query.get("service", "")
    namespace, slash, name = text.rpartition("/")
    namespace = namespace if slash else query.get("namespace", "default")
    if not name:
        raise _refused("service", "which service: namespace/name")
    refuse_bad_names(namespace=namespace, service=name)
    return f"{namespace}/{name}"


def _only(query: Mapping[str, str], section: str) -> Narrowing:
    wanted: list[tuple[int, str]] = []
    for name in _NARROWED:
        if name not in query:
            continue
        place = _NARROWING[section].get(name)
        if place is None:
            raise _refused(name, f"what is counted by this is not counted by {name}")
        text = query[name] if name == "source" and "/" not in query[name] else _full(query[name], query)
        wanted.append((place, text))
    own = _NARROWING[section].get("route" if section == "routes" else "service", 0)
    return Narrowing(tuple(wanted), query.get("namespace"), own)


def _full(name: str, query: Mapping[str, str]) -> str:
    return name if "/" in name else f"{query.get('namespace', 'default')}/{name}"


def _touching(service: str) -> Callable[[Key], bool]:
    return lambda key: service in key


def _of_namespace(namespace: str | None) -> Callable[[Key], bool]:
    return lambda key: namespace is None or namespace in {part.partition("/")[0] for part in key}


def _refused(name: str, reason: str) -> Problem:
    message = f"query.{name}: {reason}"
    return invalid_request(message, (FieldError(path=f"query.{name}", code="out_of_bounds", message=message),))

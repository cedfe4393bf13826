"""What is asked of the numbers, answered for one who may see some of them.

Figures of thousands of rows are worked out in a thread, so that heartbeats do not wait for a map.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final, NamedTuple

from meshway.telemetry import CONSUMERS, EDGES, INSTANCES, ROUTES, Key, Row, Rows, summed
from registry.insight.branching import branchings_of
from registry.insight.comparing import spans_of, versions_of
from registry.insight.consumers import DAY_S, ConsumerDay, ConsumerUse, Days, uses_of
from registry.insight.effect import SPAN_S as EFFECT_SPAN_S
from registry.insight.effect import effect_of, touched_by
from registry.insight.figures import Figures, figures_of
from registry.insight.narrowing import ALL
from registry.insight.pieces import finest_step_s, span_of
from registry.insight.protocols import KINDS, NOTHING, documented, open_now, protocols_of
from registry.insight.rolling import HOUR_S, STEPS_S
from registry.insight.route_uses import RouteUse, route_uses, rule_of
from registry.insight.series import MOST_POINTS, SECTION_OF, Drawing, line_of
from registry.insight.services import Usual, instances_of, signals_of
from registry.insight.shared import Shared
from registry.insight.sight import HIDDEN
from registry.insight.topology import Also, topology_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping

    from meshway.model.document import Spec
    from registry.gateways import GatewayState
    from registry.insight.branching import Branching
    from registry.insight.comparing import Spans, Versions
    from registry.insight.effect import DocumentKey, Effect
    from registry.insight.figures import Metric
    from registry.insight.narrowing import Narrowing
    from registry.insight.protocols import Documented, Protocol
    from registry.insight.reading import Reading
    from registry.insight.series import By, Series
    from registry.insight.services import ServiceSignals
    from registry.insight.sight import Sight
    from registry.insight.topology import Asked, Topology
    from registry.view.view import View

# Now, where the span ends not longer ago: what gateways say of themselves is of now alone.
_NOW_S: Final = 30.0
REPORTED_S: Final = 2.0
_WANTED_POINTS: Final = 120


class Span(NamedTuple):
    """Seconds since 1970. end: not included."""

    first: float
    end: float


class Asking:
    """gateways: what they say of themselves now. budgets: what is left of those of objectives, by service, None: there
    are none; it raises StoreUnavailable."""

    def __init__(
        self,
        reading: Reading,
        view: View,
        gateways: Callable[[], Iterable[GatewayState]],
        budgets: Callable[[], Awaitable[Mapping[str, float]]] | None = None,
    ) -> None:
        self._budgets = budgets
        self._reading = reading
        self._view = view
        self._gateways = gateways
        self._usual = Usual(reading)
        # The same for all who ask within two seconds: gateways report no oftener. What is dear holds longer.
        self._edges: Shared[Rows] = Shared(reading.wall, REPORTED_S)
        self._signals: Shared[dict[str, ServiceSignals]] = Shared(reading.wall, REPORTED_S)
        self._maps: Shared[Topology] = Shared(reading.wall, REPORTED_S)
        self._series: Shared[Series] = Shared(reading.wall, REPORTED_S)
        self._branchings: dict[str, tuple[Branching, ...]] = {}
        self._branched_at = -1
        self._documented: Documented = NOTHING
        self._documented_at = -1

    async def services(self, span: Span, sight: Sight, namespace: str | None = None) -> list[ServiceSignals]:
        """Of all services that are seen, by namespace and name. Raises StoreUnavailable."""
        found = await self._services(span, sight)
        return [each for each in found.values() if namespace in (None, each.namespace)]

    async def topology(self, span: Span, sight: Sight, asked: Asked) -> Topology:
        return await self._maps.get((asked, sight, self._when(span)), lambda: self._topology(span, sight, asked))

    async def _edges_of(self, span: Span, sight: Sight) -> Rows:
        """None of the rows is to be changed."""
        key = (sight, self._when(span))
        name = ("edge", sight)
        return await self._edges.get(key, lambda: self._reading.counted(EDGES, *span, name, sight.edge))

    async def _services(self, span: Span, sight: Sight) -> dict[str, ServiceSignals]:
        key = (sight, self._view.revision, self._when(span))
        return await self._signals.get(key, lambda: self._work_out_services(span, sight))

    async def _topology(self, span: Span, sight: Sight, asked: Asked) -> Topology:
        edges = await self._edges_of(span, sight)
        services = await self._services(span, sight)
        is_now = self._is_now(span)
        said = self._said() if is_now else NOTHING
        protocols = self._protocols(said) if is_now else {}
        also = Also(
            # Documents are those of now: what they said at another moment is in the revisions.
            branchings=self._branchings_seen(sight) if is_now else {},
            answered=await self._answered(span, sight, asked) if asked.versions else {},
            usual_p95_s=await self._usual_p95_s(span),
            protocols=protocols,
            by_http3=said.by_http3,
            open_now=open_now(protocols, (each.in_flight for each in self._gateways() if each.live)),
        )
        first, end, span_s = self._lasting(span)
        return await asyncio.to_thread(topology_of, edges, services, asked, also, first=first, end=end, span_s=span_s)

    def _said(self) -> Documented:
        """By documents, of which thousands may stand still."""
        view = self._view
        if self._documented_at != view.document_changes:
            self._documented_at = view.document_changes
            self._documented = documented(row for kind in KINDS for row in view.documents.get(kind, {}).values())
        return self._documented

    def _protocols(self, said: Documented) -> Mapping[str, tuple[Protocol, ...]]:
        # One speaks for all of a service: which are spoken at once is for its document to say.
        registered = (
            (f"{namespace}/{name}", next(iter(rows.values())).instance.protocol)
            for (namespace, name), rows in self._view.services.items()
            if rows
        )
        return protocols_of(said, registered)

    async def _answered(self, span: Span, sight: Sight, asked: Asked) -> Rows:
        """By service and version, of the services that are told as themselves."""

        def sort(key: Key) -> Key | None:
            seen = sight.instance(key)
            if seen is None or asked.level == "namespaces":
                return None
            service, _, version = seen
            is_told = asked.level == "focus" or asked.namespace in (None, service.partition("/")[0])
            return (service, version) if is_told else None

        return await self._reading.rows(INSTANCES, *span, sort)

    def _branchings_seen(self, sight: Sight) -> dict[str, tuple[Branching, ...]]:
        """Those of Routes that are seen, with the destinations that are."""
        if self._branched_at != self._view.document_changes:
            self._branched_at = self._view.document_changes
            self._branchings = branchings_of(self._view.documents.get("Route", {}).values())
        return {
            service: seen
            for service, branchings in self._branchings.items()
            if (seen := tuple(filter(None, (each.seen_by(sight) for each in branchings))))
        }

    async def _usual_p95_s(self, span: Span) -> Mapping[str, float]:
        """Of this hour, so for a span that is of now."""
        return await self._usual.p95_s(self._reading.wall()) if self._is_now(span) else {}

    def _is_now(self, span: Span) -> bool:
        return span.end >= self._reading.wall() - _NOW_S

    async def series(
        self, span: Span, sight: Sight, metric: Metric, by: By, *, step_s: int | None, only: Narrowing = ALL
    ) -> Series:
        """step_s: None: what gives about a hundred points. only: which rows, by the key of their section."""
        section = SECTION_OF[by]
        see = {EDGES: sight.edge, ROUTES: sight.route, INSTANCES: sight.instance}[section]
        name_of = line_of(by)

        def sort(key: Key) -> Key | None:
            seen = see(key)
            return (name_of(seen),) if seen is not None and only.takes(seen) else None

        now = self._reading.wall()
        finest_s = finest_step_s(span.first, now, self._reading.kept_s())
        step_s = max(step_s or _step_s(span.end - span.first), finest_s)
        coarsest_s = max(each for each in STEPS_S if each <= step_s)
        steps = range(int(span.first // step_s) * step_s, int(-(-span.end // step_s) * step_s), step_s)

        async def draw() -> Series:
            drawing = Drawing(metric, by, steps, now=now)
            name = (by, sight, only)
            await self._reading.stepped(section, steps, span.end, coarsest_s, name, sort, drawing.add)
            return drawing.told()

        key = (metric, by, sight, only, step_s, self._when(span))
        return await self._series.get(key, draw)

    async def versions(self, span: Span, sight: Sight, service: str, versions: tuple[str, ...]) -> Versions:
        rows = await self._reading.rows(INSTANCES, *span, sight.instance)
        first, end, span_s = self._lasting(span)
        return await asyncio.to_thread(versions_of, rows, service, versions, first=first, end=end, span_s=span_s)

    async def spans(self, before: Span, span: Span, sight: Sight, only: Callable[[Key], bool]) -> Spans:
        """Both of the same length."""

        def sort(key: Key) -> Key | None:
            seen = sight.edge(key)
            return seen if seen is not None and only(seen) else None

        earlier = await self._reading.rows(EDGES, *before, sort)
        now = await self._reading.rows(EDGES, *span, sort)
        first, _, span_s = self._lasting(span)
        before_first = self._lasting(before)[0]
        return await asyncio.to_thread(spans_of, earlier, now, before_first=before_first, first=first, span_s=span_s)

    async def routes(self, span: Span, sight: Sight, namespace: str | None = None) -> list[RouteUse]:
        """All Routes there are, and those that had calls in the span."""
        rows = await self._reading.counted(ROUTES, *span, ("rule", sight), lambda key: rule_of(sight.route(key)))
        names = [f"{place}/{name}" for place, name in self._view.documents.get("Route", {}) if sight.sees(place)]
        found = route_uses(names, rows, await self._reading.last_used(), self._lasting(span)[2])
        return [each for each in found if namespace in (None, each.namespace)]

    async def consumers(self, span: Span, sight: Sight, namespace: str | None = None) -> list[ConsumerUse]:
        """All Consumers there are, and what they called in the span. Raises StoreUnavailable."""
        names = [
            f"{place}/{name}"
            for place, name in self._view.documents.get("Consumer", {})
            if namespace in (None, place) and sight.sees(f"{place}/{name}")
        ]
        rows = await self._reading.rows(CONSUMERS, *span, sight.consumer)
        return uses_of(names, rows, await self._reading.last_used())

    async def consumer_days(self, consumer: str, count: int) -> list[ConsumerDay]:
        """By day in UTC, the last of them today. consumer: `namespace/name`. Raises StoreUnavailable."""
        now = self._reading.wall()
        first = (int(now) // DAY_S - count + 1) * DAY_S
        days = Days(consumer, first, count)
        await self._reading.each(CONSUMERS, first, now, HOUR_S, days.add)
        return days.told()

    async def effect(self, changes: Iterable[tuple[DocumentKey, Spec | None]], sight: Sight) -> Effect:
        """What the last minutes' calls say of documents that would change. Raises StoreUnavailable."""
        now = self._reading.wall()
        span = Span(now - EFFECT_SPAN_S, now)
        touched = touched_by(changes, self._view)
        touched.routes = set(filter(sight.sees, touched.routes))
        touched.services = set(filter(sight.sees, touched.services))
        routes = await self._reading.rows(ROUTES, *span, sight.route)
        edges = await self._reading.rows(EDGES, *span, sight.edge)
        return await asyncio.to_thread(effect_of, touched, routes, edges, self._lasting(span)[2])

    async def around(
        self, changes: Iterable[tuple[DocumentKey, Spec | None]], at: float, span_s: float, sight: Sight
    ) -> tuple[Figures, Figures]:
        """Calls that documents touch, in the time before a moment and in that since, both at most `span_s`.

        Raises StoreUnavailable.
        """
        touched = touched_by(changes, self._view)

        def sort(key: Key) -> Key | None:
            seen = sight.route(key)
            return seen if seen is not None and seen in touched else None

        border = math.ceil(at / STEPS_S[0]) * STEPS_S[0]
        before, since = Span(border - span_s, border), Span(border, border + span_s)
        return await self._figures(before, sort), await self._figures(since, sort)

    async def _figures(self, span: Span, sort: Callable[[Key], Key | None]) -> Figures:
        if span.first >= self._reading.wall():
            return figures_of(Row(()), 1.0)
        rows = await self._reading.rows(ROUTES, *span, sort)
        return await asyncio.to_thread(lambda: figures_of(summed(rows.values()), self._lasting(span)[2]))

    async def _work_out_services(self, span: Span, sight: Sight) -> dict[str, ServiceSignals]:
        def sort(key: Key) -> Key | None:
            seen = sight.edge(key)  # who calls may be hidden
            return (seen[1],) if seen is not None and seen[1] and seen[1] != HIDDEN else None

        rows = await self._reading.counted(EDGES, *span, ("service", sight), sort)
        known = {f"{namespace}/{name}" for namespace, name in self._view.service_keys("-")}
        names = sorted(name for name in known | {key[0] for key in rows} if sight.sees(name))
        is_now = self._is_now(span)
        return await asyncio.to_thread(
            signals_of,
            names,
            rows,
            instances=instances_of(self._view),
            gateways=list(self._gateways()) if is_now else (),
            usual_p95_s=await self._usual_p95_s(span),
            budgets=await self._budgets() if is_now and self._budgets is not None else {},
            span_s=self._lasting(span)[2],
        )

    def _when(self, span: Span) -> Hashable:
        """What spans have in common that are told the same: those of now go on, and what is known of them holds for a
        moment; the others stay."""
        if self._is_now(span):
            return round(span.end - span.first), (self._reading.wall() - span.end) // REPORTED_S
        return self._lasting(span)[:2]

    def _lasting(self, span: Span) -> tuple[float, float, float]:
        """Where what is read begins and ends, and how long that has lasted."""
        now = self._reading.wall()
        first, end = span_of(*span, now, self._reading.kept_s())
        return first, end, max(min(end, now) - first, 1.0)


def _step_s(span_s: float) -> int:
    """A round step for about a hundred points, never more than there may be."""
    for step_s in (10, 30, 60, 300, 600, 1_800, 3_600, 14_400, 86_400):
        if span_s / step_s <= _WANTED_POINTS:
            return step_s
    return 86_400


def has_too_many(span: Span, step_s: int) -> bool:
    """Whether a series of it would have more points than one may have."""
    return (span.end - span.first) / step_s > MOST_POINTS

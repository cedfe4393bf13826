"""What the routes of numbers are, for the API's description."""

from __future__ import annotations

from typing import Final

from registry.api import insight
from registry.api.parameters import PROBLEM
from registry.insight.comparing import Spans, Versions
from registry.insight.figures import METRICS
from registry.insight.series import BYS, Series
from registry.insight.topology import Topology
from registry.manners.openapi import Operation, Parameter

_NUMBER: Final = {"type": "number", "minimum": 0}
_SPAN: Final = (
    Parameter(name="at", about="The end of the span: seconds since 1970 or RFC 3339; now unless told."),
    Parameter(name="window_s", about="How long it is, 10 s to 90 days; 900.", schema=_NUMBER),
    Parameter(name="namespace", about="Of one namespace; of all that may be seen unless told."),
)
_SERVICE: Final = Parameter(name="service", about="`namespace/name`; a bare name is of the namespace asked for.")


def insight_operations() -> list[Operation]:
    return [*_of_services(), *_of_comparing(), *_of_uses()]


def _of_services() -> list[Operation]:
    return [
        _operation(
            insight.SERVICES,
            "listServiceSignals",
            "Rate, errors and latency of every service, its instances, how well it is and why.",
            (),
            insight.ServiceSignalsPage,
        ),
        _operation(
            insight.SERIES,
            "getSeries",
            "One figure over time. Percentiles are of all calls of a step, whatever gateways carried them.",
            (
                Parameter(name="metric", about="Which figure; rps.", schema={"enum": list(METRICS)}),
                Parameter(name="by", about="One line each; total.", schema={"enum": list(BYS)}),
                Parameter(
                    name="step_s",
                    about="Of a point; a multiple of 10 s. Longer where no finer points are kept.",
                    schema={"type": "integer", "minimum": 10, "maximum": 86_400},
                ),
                _SERVICE,
                Parameter(name="source", about="Of this caller alone, where it is counted by edge."),
                Parameter(name="route", about="Of this Route alone, where it is counted by Route."),
            ),
            Series,
        ),
        _operation(
            insight.TOPOLOGY,
            "getTopology",
            "Who calls whom: nodes and edges, each with its figures. What may not be seen is called `hidden`.",
            (
                Parameter(
                    name="level",
                    about="`namespaces`; `services`, those of others folded into their namespace; `focus`: around one.",
                    schema={"enum": list(insight.LEVELS)},
                ),
                _SERVICE,
                Parameter(
                    name="hops",
                    about="How far around it.",
                    schema={"type": "integer", "minimum": 1, "maximum": insight.MOST_HOPS},
                ),
                Parameter(name="min_rps", about="Only edges with so many calls a second.", schema=_NUMBER),
                Parameter(
                    name="versions",
                    about="Also which versions of a service answered, by their share of its calls.",
                    schema={"type": "boolean"},
                ),
                Parameter(name="If-None-Match", about="The ETag of what is known: 304 when it holds.", place="header"),
            ),
            Topology,
            not_modified=True,
        ),
    ]


def _of_comparing() -> list[Operation]:
    return [
        _operation(
            insight.COMPARISON,
            "compareSpans",
            "Two spans side by side, edge by edge.",
            (Parameter(name="before", about="The end of the other one; right before this one unless told."), _SERVICE),
            Spans,
        ),
        _operation(
            insight.VERSIONS,
            "compareVersions",
            "Versions of a service over the same span, and whether the first two differ.",
            (_SERVICE, Parameter(name="versions", about=f"Which 2 to {insight.MOST_VERSIONS}, as in `v1,v2`.")),
            Versions,
            example={"service": "default/books", "versions": "v1,v2"},
        ),
    ]


def _of_uses() -> list[Operation]:
    return [
        _operation(
            insight.ROUTES,
            "listRouteUses",
            "Every Route with its calls, and when it and each of its rules was used last.",
            (),
            insight.RouteUsePage,
        ),
        _operation(
            insight.CONSUMERS,
            "listConsumerUses",
            "Every Consumer with its calls, and when each of its credentials was used last.",
            (),
            insight.ConsumerUsePage,
        ),
        _operation(
            insight.CONSUMER_DAYS,
            "getConsumerDays",
            "What a Consumer called, day by day in UTC.",
            (
                Parameter(name="consumer", about="Which: `namespace/name`."),
                Parameter(
                    name="days",
                    about="How many, the last of them today; 30.",
                    schema={"type": "integer", "minimum": 1, "maximum": insight.MOST_DAYS},
                ),
            ),
            insight.ConsumerDays,
            example={"consumer": "default/acme"},
            has_span=False,
        ),
    ]


def _operation(
    path: str,
    name: str,
    about: str,
    parameters: tuple[Parameter, ...],
    shape: type,
    *,
    not_modified: bool = False,
    example: dict[str, str] | None = None,
    has_span: bool = True,
) -> Operation:
    return Operation(
        method="GET",
        path=path,
        id=name,
        tag="insight",
        right="insight:read",
        by_rows=True,
        about=about,
        parameters=(*(_SPAN if has_span else ()), *parameters),
        answers={200: shape, 503: PROBLEM} | ({304: None} if not_modified else {}),
        example_query=example or {},
    )

"""What the routes of calls are, those that were and those that would be, for the API's description."""

from __future__ import annotations

from meshway.explanation import CallQuestion, Explanation
from meshway.traffic import Traffic
from registry.api import breakers, explain, purging, requests, traffic
from registry.api.parameters import PAGE, PROBLEM
from registry.manners.openapi import Operation, Parameter


def call_operations() -> list[Operation]:
    return [*_explain(), *_breakers(), *_purging(), *_traffic(), *_requests()]


def _explain() -> list[Operation]:
    return [
        Operation(
            method="POST",
            path=explain.PATH,
            id="explain",
            tag="gateways",
            right="calls:explain",
            about="What would become of a call, as a gateway's tables have it. Nothing is sent, counted or spent.",
            detail="With documents: as if they were applied; then breakers, limits and ejections stand as at a start.",
            body=CallQuestion,
            answers={200: Explanation, 503: PROBLEM, 504: PROBLEM},
            example_body={"url": "http://books.default.mesh/", "headers": {"x-user": "jason"}},
        )
    ]


def _breakers() -> list[Operation]:
    reset = {"type": "object", "required": ["gateways"], "properties": {"gateways": {"type": "array"}}}
    return [
        Operation(
            method="POST",
            path=breakers.PATH,
            id="resetBreakers",
            tag="gateways",
            right="breakers:reset",
            about="Close the breakers of a service, of its subsets and ports, at all gateways; they count anew.",
            answers={200: reset, 404: PROBLEM, 503: PROBLEM, 504: PROBLEM},
            example={"namespace": "default", "service": "books"},
        )
    ]


def _purging() -> list[Operation]:
    purged = {"type": "object", "required": ["gateways"], "properties": {"gateways": {"type": "array"}}}
    return [
        Operation(
            method="POST",
            path=purging.PATH,
            id="purgeCache",
            tag="gateways",
            right="caches:purge",
            about="Let all gateways forget the answers that they have kept for a Route.",
            parameters=(
                Parameter(name="rule", about="Only those of this rule."),
                Parameter(name="host", about="Only those of this host, with or without its port."),
                Parameter(name="path", about="Only those of paths that begin so, by whole segments."),
            ),
            answers={200: purged, 404: PROBLEM, 503: PROBLEM, 504: PROBLEM},
            example={"namespace": "default", "name": "books"},
        )
    ]


def _traffic() -> list[Operation]:
    return [
        Operation(
            method="GET",
            path=traffic.PATH,
            id="getRouteTraffic",
            tag="gateways",
            right="documents:read",
            about="The recorded calls of a Route, counted by rule: failed, refused, and where they went.",
            parameters=(Parameter(name="last", about="How long back, at most 24h; `1h`."),),
            answers={200: Traffic, 404: PROBLEM, 503: PROBLEM, 504: PROBLEM},
            example={"namespace": "default", "name": "books"},
        )
    ]


def _requests() -> list[Operation]:
    filter_ = Parameter(
        name="filter", about="`service:reviews status>=500 flag:UF latency>300ms path:/cart*`; `-` before a term: not."
    )
    return [
        Operation(
            method="GET",
            path=requests.ALL,
            id="listRequests",
            tag="calls",
            right="metrics:read",
            by_rows=True,
            about="Calls that gateways told of, the newest first.",
            detail="Failed and slow ones and 1 % of the rest, where no AccessLog says otherwise; kept 24 h or 200 MB.",
            parameters=(filter_, *PAGE),
            answers={200: requests.RequestPage},
            example_query={"filter": "status>=500"},
        ),
        Operation(
            method="GET",
            path=requests.ONE,
            id="getRequest",
            tag="calls",
            right="metrics:read",
            by_rows=True,
            about="The calls with this x-request-id.",
            answers={200: requests.RequestPage, 404: PROBLEM},
            example={"id": "0af7651916cd43dd8448eb211c80319c"},
        ),
        Operation(
            method="GET",
            path=requests.TRACE,
            id="getTrace",
            tag="calls",
            right="metrics:read",
            by_rows=True,
            about="The spans of a trace, and its calls.",
            parameters=(
                Parameter(
                    name="unknown",
                    about="Of a trace that is not known; refused: 404, or empty: 200 without spans.",
                    schema={"enum": list(requests.UNKNOWN)},
                ),
            ),
            answers={200: requests.Trace, 404: PROBLEM},
            example={"id": "0af7651916cd43dd8448eb211c80319c"},
        ),
    ]

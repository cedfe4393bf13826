"""What gateways tell and ask, for the API's description."""

from __future__ import annotations

from typing import Final

from meshway import call_lines, spans, telemetry
from meshway.assignments.messages import Asks, Grants
from registry.gateways import Report
from registry.machine.schemas import A_PROBLEM
from registry.manners.openapi import Operation

_BOOT: Final = "6f1d2c3b4a596877"
_TRACE: Final = "0af7651916cd43dd8448eb211c80319c"


def gateway_operations() -> list[Operation]:
    return [
        Operation(
            method="POST",
            path="/v1/reports",
            id="report",
            tag="gateways",
            right="reports:write",
            about="A gateway's applied revision, refusals and evidence.",
            body=Report,
            answers={204: None},
            example_body={"node": "gateway-1", "version": "0.1.0", "workers": 2, "revision": 1, "refused": []},
        ),
        Operation(
            method="POST",
            path=telemetry.PATH,
            id="reportNumbers",
            tag="gateways",
            right="reports:write",
            about="What a gateway counted of its calls since its report before. Sent again it counts once.",
            body=telemetry.Numbers,
            answers={204: None, 503: A_PROBLEM},
            example_body={
                "node": "gateway-1",
                "boot": _BOOT,
                "sequence": 1,
                "begun": 1764180000.0,
                "ended": 1764180002.0,
                "edges": [[["default/web", "default/books"], 5, 0, 0, 0, 0, 400, 0.05, {"208": 5}]],
            },
        ),
        Operation(
            method="POST",
            path=call_lines.PATH,
            id="tellRequests",
            tag="gateways",
            right="reports:write",
            about="Single calls that a gateway tells of. Sent again they count once.",
            body=call_lines.CallsTold,
            answers={204: None},
            example_body={
                "node": "gateway-1",
                "boot": _BOOT,
                "sequence": 1,
                "calls": [
                    {
                        "time": "2026-11-26T12:00:00.000Z",
                        "duration_ms": 12.5,
                        "status": 503,
                        "request_id": _TRACE,
                        "trace_id": _TRACE,
                    }
                ],
            },
        ),
        Operation(
            method="POST",
            path=spans.PATH,
            id="tellSpans",
            tag="gateways",
            right="reports:write",
            about="Spans of traced calls, of a gateway that has no collector. Sent again they count once.",
            body=spans.SpansTold,
            answers={204: None},
            example_body={
                "node": "gateway-1",
                "boot": _BOOT,
                "sequence": 2,
                "spans": [
                    {
                        "trace_id": _TRACE,
                        "span_id": "b7ad6b7169203331",
                        "name": "GET default/books",
                        "kind": "server",
                        "began_s": 1764180000.0,
                        "ended_s": 1764180000.1,
                    }
                ],
            },
        ),
        Operation(
            method="POST",
            path="/v1/assignments",
            id="assign",
            tag="gateways",
            right="reports:write",
            about="What workers of a gateway may admit of limits that all gateways share.",
            body=Asks,
            answers={200: Grants, 503: A_PROBLEM},
            example_body={
                "node": "gateway-1",
                "workers": 2,
                "budgets": [{"id": "default/checkout@route/default/checkout", "limit": 100, "rate": 100.0}],
                "asks": [{"budget": 0, "key": "", "worker": "4711", "want": 5}],
            },
        ),
        Operation(
            method="POST",
            path="/v1/answers/{id}",
            id="answerQuestion",
            tag="gateways",
            right="reports:write",
            about="A gateway's answer to a question of the feed.",
            body={"type": "object"},
            answers={204: None, 404: A_PROBLEM},
            example={"id": "q-1"},
            example_body={},
        ),
    ]

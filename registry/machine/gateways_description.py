"""What gateways tell and ask, for the API's description."""

from __future__ import annotations

from typing import Any, Final

from meshway import call_lines, spans, telemetry
from meshway.assignments.messages import Asks, Grants
from registry.gateways import Report
from registry.machine.schemas import A_PROBLEM
from registry.manners.openapi import Operation

_TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
_SENDER: Final = {"node": "gateway-1", "boot": "6f1d2c3b4a596877"}
_REPORT: Final = {"node": "gateway-1", "version": "0.1.0", "workers": 2, "revision": 1, "refused": []}
_NUMBERS: Final = {
    **_SENDER,
    "sequence": 1,
    "begun": 1764180000.0,
    "ended": 1764180002.0,
    "edges": [[["default/web", "default/books"], 5, 0, 0, 0, 0, 400, 0.05, {"208": 5}]],
}
_CALL: Final = {
    "time": "2026-11-26T12:00:00.000Z",
    "duration_ms": 12.5,
    "status": 503,
    "request_id": _TRACE,
    "trace_id": _TRACE,
}
_SPAN: Final = {
    "trace_id": _TRACE,
    "span_id": "b7ad6b7169203331",
    "name": "GET default/books",
    "kind": "server",
    "began_s": 1764180000.0,
    "ended_s": 1764180000.1,
}
_ASKS: Final = {
    "node": "gateway-1",
    "workers": 2,
    "budgets": [{"id": "default/checkout@route/default/checkout", "limit": 100, "rate": 100.0}],
    "asks": [{"budget": 0, "key": "", "worker": "4711", "want": 5}],
}


def gateway_operations() -> list[Operation]:
    return [
        _post(
            "report",
            "/v1/reports",
            "A gateway's applied revision, refusals and evidence.",
            body=Report,
            answers={204: None},
            example_body=_REPORT,
        ),
        _post(
            "reportNumbers",
            telemetry.PATH,
            "What a gateway counted of its calls since its report before. Sent again it counts once.",
            body=telemetry.Numbers,
            answers={204: None, 503: A_PROBLEM},
            example_body=_NUMBERS,
        ),
        _post(
            "tellRequests",
            call_lines.PATH,
            "Single calls that a gateway tells of. Sent again they count once.",
            body=call_lines.CallsTold,
            answers={204: None},
            example_body={**_SENDER, "sequence": 1, "calls": [_CALL]},
        ),
        _post(
            "tellSpans",
            spans.PATH,
            "Spans of traced calls, of a gateway that has no collector. Sent again they count once.",
            body=spans.SpansTold,
            answers={204: None},
            example_body={**_SENDER, "sequence": 2, "spans": [_SPAN]},
        ),
        _post(
            "assign",
            "/v1/assignments",
            "What workers of a gateway may admit of limits that all gateways share.",
            body=Asks,
            answers={200: Grants, 503: A_PROBLEM},
            example_body=_ASKS,
        ),
        _post(
            "answerQuestion",
            "/v1/answers/{id}",
            "A gateway's answer to a question of the feed.",
            body={"type": "object"},
            answers={204: None, 404: A_PROBLEM},
            example={"id": "q-1"},
            example_body={},
        ),
    ]


def _post(name: str, path: str, about: str, **more: Any) -> Operation:
    return Operation(method="POST", path=path, id=name, tag="gateways", right="reports:write", about=about, **more)

"""Lines of services' logs, for the API's description."""

from __future__ import annotations

from typing import Final

from meshway import log_lines
from meshway.otlp.log_records import CONTENT_TYPE, SEVERITIES
from registry.logs.logs import LogPage
from registry.machine.schemas import A_PROBLEM, PAGE, STREAM
from registry.manners.openapi import Operation, Parameter

_SECONDS: Final = {"type": "number", "minimum": 0}
_OF_LINES: Final = (
    Parameter(name="service", about="`books`, or with its namespace `default/books`."),
    Parameter(name="namespace", about="Of services."),
    Parameter(name="instance", about="Its id."),
    Parameter(name="severity", about="This or worse.", schema={"type": "string", "enum": list(SEVERITIES)}),
    Parameter(name="text", about="Words."),
    Parameter(name="trace_id", about="Of the call in which they were written."),
)
_OF_BOOKS: Final = [
    {"key": "service.name", "value": {"stringValue": "books"}},
    {"key": "service.namespace", "value": {"stringValue": "default"}},
]
_LINE: Final = {
    "timeUnixNano": "1764180000000000000",
    "severityText": "INFO",
    "body": {"stringValue": "listening"},
}


def log_operations() -> list[Operation]:
    return [
        Operation(
            method="POST",
            path=log_lines.PATH,
            id="shipLogs",
            by_session=False,
            tag="logs",
            right="logs:write",
            by_rows=True,
            about="Lines of services' logs by OTLP/HTTP: ExportLogsServiceRequest, protobuf or JSON, plain or by gzip.",
            detail="service.name, service.namespace and service.instance.id of a resource say whose they are; a "
            "service that ships its own may leave them out. Refusals of protobuf bear google.rpc.Status.",
            body={"type": "object"},
            consumes=("application/json", CONTENT_TYPE),
            answers={200: {"type": "object"}, 429: A_PROBLEM, 503: A_PROBLEM},
            example_body={
                "resourceLogs": [
                    {"resource": {"attributes": _OF_BOOKS}, "scopeLogs": [{"logRecords": [_LINE]}]},
                ]
            },
        ),
        Operation(
            method="GET",
            path=log_lines.PATH,
            id="searchLogs",
            tag="logs",
            right="logs:read",
            by_rows=True,
            about="Lines of services' logs, the youngest first.",
            detail="`text` looks for words: all must be there; `pay*` by their beginning, quotes as they stand, `-` "
            "before one leaves out.",
            parameters=(
                *_OF_LINES,
                Parameter(name="at", about="Before this moment, seconds since 1970; now unless told.", schema=_SECONDS),
                Parameter(name="window_s", about="So long before it; all that is kept unless told.", schema=_SECONDS),
                *PAGE,
            ),
            answers={200: LogPage, 503: A_PROBLEM},
            example_query={"service": "books", "severity": "warn"},
        ),
        Operation(
            method="GET",
            path=log_lines.FOLLOW,
            id="followLogs",
            tag="logs",
            right="logs:read",
            by_rows=True,
            about="Lines of services' logs as they come, as server-sent events `lines`.",
            parameters=_OF_LINES,
            answers={200: STREAM, 503: A_PROBLEM},
            produces="text/event-stream",
        ),
    ]

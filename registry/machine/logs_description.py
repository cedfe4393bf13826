"""Lines of services' logs, for the API's description."""

from __future__ import annotations

from meshway import log_lines
from meshway.otlp.log_records import CONTENT_TYPE, SEVERITIES
from registry.logs.logs import LogPage
from registry.machine.schemas import A_PROBLEM, PAGE, STREAM
from registry.manners.openapi import Operation, Parameter


def log_operations() -> list[Operation]:
    seconds = {"type": "number", "minimum": 0}
    of_lines = (
        Parameter(name="service", about="`books`, or with its namespace `default/books`."),
        Parameter(name="namespace", about="Of services."),
        Parameter(name="instance", about="Its id."),
        Parameter(name="severity", about="This or worse.", schema={"type": "string", "enum": list(SEVERITIES)}),
        Parameter(name="text", about="Words."),
        Parameter(name="trace_id", about="Of the call in which they were written."),
    )
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
                    {
                        "resource": {
                            "attributes": [
                                {"key": "service.name", "value": {"stringValue": "books"}},
                                {"key": "service.namespace", "value": {"stringValue": "default"}},
                            ]
                        },
                        "scopeLogs": [
                            {
                                "logRecords": [
                                    {
                                        "timeUnixNano": "1764180000000000000",
                                        "severityText": "INFO",
                                        "body": {"stringValue": "listening"},
                                    }
                                ]
                            }
                        ],
                    }
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
                *of_lines,
                Parameter(name="at", about="Before this moment, seconds since 1970; now unless told.", schema=seconds),
                Parameter(name="window_s", about="So long before it; all that is kept unless told.", schema=seconds),
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
            parameters=of_lines,
            answers={200: STREAM, 503: A_PROBLEM},
            produces="text/event-stream",
        ),
    ]

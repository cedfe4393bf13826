"""What the machine routes are, for the API's description."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from meshway import call_lines, log_lines, spans, telemetry
from meshway.assignments.messages import Asks, Grants
from meshway.model.document import LABEL_PATTERN
from meshway.model.registration import MAX_BATCH, InstancePatch, Registration
from meshway.otlp.log_records import CONTENT_TYPE, SEVERITIES
from registry.catalog.catalog import InstancePage, Listed
from registry.catalog.registering import Registered
from registry.gateways import Report
from registry.leases.writes import Renewal
from registry.logs.logs import LogPage
from registry.machine import live, tap
from registry.machine.discovery import ListedService, ListedServicePage
from registry.machine.heartbeats import Heartbeats
from registry.machine.table import INSTANCE, INSTANCES, SERVICE, SERVICES
from registry.manners.openapi import REF, Operation, Parameter, unit_schema

_WHOLE: Final = {"type": "integer", "minimum": 0}
_LABEL: Final = {"type": "string", "pattern": LABEL_PATTERN}
_STREAM: Final = {"type": "string"}
_A_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
_PLACE: Final = {"namespace": "default", "service": "books", "id": "books-1"}

_SINCE: Final = (
    Parameter(name="since", about="Hold the answer until something changed after this revision.", schema=_WHOLE),
    Parameter(
        name="wait_s",
        about="How long to hold it, seconds; 30 unless told.",
        schema={"type": "number", "minimum": 0, "maximum": 300},
    ),
    Parameter(name="If-None-Match", about="The ETag of what is known: 304 when it still holds.", place="header"),
)
_PAGE: Final = (
    Parameter(name="limit", about="Rows a page.", schema={"type": "integer", "minimum": 1, "maximum": 1000}),
    Parameter(name="cursor", about="`next` of the page before."),
)
_ONCE: Final = Parameter(
    name="Idempotency-Key", about="Sent again within 24 h it gets the first answer.", place="header"
)
_PREFER: Final = Parameter(
    name="Prefer",
    about="`wait=10`: answer when all live gateways run the revision; see Meshway-Applied and Meshway-Pending.",
    place="header",
)


class RegisteredBatch(msgspec.Struct, frozen=True):
    """In the order of the request."""

    revision: int
    instances: list[Registered]


def machine_operations() -> list[Operation]:
    return [*_registering(), *_renewing(), *_discovering(), *_following()]


def _registering() -> list[Operation]:
    body = {"port": 9080, "version": "v1", "ttl_s": 30}
    registration = _without_names()
    return [
        Operation(
            method="PUT",
            path=INSTANCE,
            id="registerInstance",
            tag="instances",
            right="instances:write",
            about="Register an instance, or register it again.",
            detail="With the current lease_id it is the same process; without it a new generation and lease begin.",
            parameters=(_PREFER,),
            body=registration,
            answers={200: Registered, 201: Registered},
            example=_PLACE,
            example_body=body,
        ),
        Operation(
            method="POST",
            path=INSTANCES,
            id="registerNewInstance",
            tag="instances",
            right="instances:write",
            about="Register an instance under an id the registry makes.",
            parameters=(_ONCE, _PREFER),
            body=registration,
            answers={200: Registered, 201: Registered},
            example=_PLACE,
            example_body=body,
        ),
        Operation(
            method="POST",
            path="/v1/registrations",
            id="registerInstances",
            by_session=False,
            tag="instances",
            right="instances:write",
            by_rows=True,
            about="Register up to 1,000 instances as one revision, all or nothing.",
            parameters=(_ONCE, _PREFER),
            body=_batch(),
            answers={200: RegisteredBatch},
            example_body={"instances": [{"namespace": "default", "service": "books", "id": "books-2", "port": 9081}]},
        ),
        Operation(
            method="PATCH",
            path=INSTANCE,
            id="patchInstance",
            tag="instances",
            right="instances:drain",
            by_rows=True,
            about="Change weight, tags, metadata or status (merge patch).",
            parameters=(
                Parameter(name="If-Match", about="The ETag of what was read: 412 when it changed.", place="header"),
                _ONCE,
                _PREFER,
            ),
            body=InstancePatch,
            answers={200: Listed, 412: {"$ref": "#/components/schemas/Problem"}},
            example=_PLACE,
            example_body={"status": "draining"},
        ),
        Operation(
            method="DELETE",
            path=INSTANCE,
            id="deregisterInstance",
            tag="instances",
            right="instances:write",
            about="Deregister; also when it is gone already.",
            parameters=(_PREFER,),
            answers={204: None},
            example=_PLACE,
        ),
    ]


def _renewing() -> list[Operation]:
    return [
        Operation(
            method="POST",
            path="/v1/heartbeats",
            id="renewLeases",
            by_session=False,
            tag="instances",
            right="instances:write",
            by_rows=True,
            about="Renew up to 10,000 leases.",
            detail="Register again what is unknown; what is superseded belongs to another process now.",
            body=Heartbeats,
            answers={200: Renewal},
            example_body={"leases": ["1.1.00000000"]},
        ),
        Operation(
            method="PUT",
            path=INSTANCE + "/heartbeat",
            id="renewInstance",
            by_session=False,
            tag="instances",
            right="instances:write",
            about="Renew one lease by the instance's id.",
            answers={200: Renewal},
            example=_PLACE,
        ),
    ]


def _discovering() -> list[Operation]:
    filters = tuple(
        Parameter(name=name, about=f"Only instances of this {name}.") for name in ("status", "tag", "zone", "version")
    )
    rows: list[tuple[str, str, str, tuple[Parameter, ...], Any]] = [
        (
            SERVICES,
            "listServices",
            "Services with the status of their instances.",
            (*_PAGE, *_SINCE),
            ListedServicePage,
        ),
        (SERVICE, "getService", "A service: its document, or the defaults, and status counts.", _SINCE, ListedService),
        (INSTANCES, "listInstances", "A service's instances.", (*filters, *_PAGE, *_SINCE), InstancePage),
        (INSTANCE, "getInstance", "One instance.", _SINCE, Listed),
    ]
    return [
        Operation(
            method="GET",
            path=path,
            id=name,
            tag="discovery",
            about=about,
            right="instances:read",
            parameters=parameters,
            answers={200: answer, 304: None},
            example=_PLACE,
        )
        for path, name, about, parameters, answer in rows
    ]


def _following() -> list[Operation]:
    since = Parameter(
        name="since", about="Go on after this revision; without it a snapshot comes first.", schema=_WHOLE
    )
    filters = tuple(
        Parameter(name=name, about=f"Only entries of this {name}.", schema=_LABEL if name != "kind" else _STREAM)
        for name in ("namespace", "kind", "service")
    )
    return [
        Operation(
            method="GET",
            path="/v1/watch",
            id="watch",
            tag="following",
            right="documents:read",
            by_rows=True,
            about="Changes as server-sent events: snapshot, delta, reset; `id:` is the revision.",
            parameters=(since, *filters, Parameter(name="Last-Event-ID", about="As since.", place="header")),
            answers={200: _STREAM, 503: {"$ref": "#/components/schemas/Problem"}},
            produces="text/event-stream",
        ),
        Operation(
            method="GET",
            path=live.PATH,
            id="readLive",
            tag="following",
            right="signed_in",
            about="What an open page shows, as server-sent events: revisions, signals, alerts, rollouts, gateways.",
            detail="`revisions` names what changed, `id:` is the revision: Last-Event-ID goes on, or gets `reset`. "
            "`signals` and `gateways` bear the answers of GET /v1/insight/services and /v1/gateways when they changed; "
            "`alerts` and `rollouts` the namespaces where there is something new; `head` comes every 15 s.",
            parameters=(
                Parameter(name="topics", about="Some of them, by commas; without it all that may be read."),
                Parameter(name="namespace", about="Only of this one; `gateways` are the mesh's.", schema=_LABEL),
                Parameter(name="services", about="Signals of these alone, `namespace/name` by commas."),
                Parameter(
                    name="window_s",
                    about="Of signals, up to now: 900.",
                    schema={"type": "integer", "minimum": 10, "maximum": live.LONGEST_S},
                ),
                since,
                Parameter(name="Last-Event-ID", about="As since.", place="header"),
            ),
            answers={200: _STREAM, 503: {"$ref": "#/components/schemas/Problem"}},
            produces="text/event-stream",
        ),
        Operation(
            method="GET",
            path="/v1/feed",
            id="followFeed",
            tag="following",
            right="feed:read",
            about="What gateways follow: length-prefixed msgpack frames.",
            parameters=(
                since,
                Parameter(name="epoch", about="The history `since` belongs to."),
                Parameter(name="node", about="Who follows."),
            ),
            answers={
                200: {"type": "string", "contentMediaType": "application/x-meshway-feed"},
                503: {"$ref": "#/components/schemas/Problem"},
            },
            produces="application/x-meshway-feed",
        ),
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
            answers={204: None, 503: {"$ref": "#/components/schemas/Problem"}},
            example_body={
                "node": "gateway-1",
                "boot": "6f1d2c3b4a596877",
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
                "boot": "6f1d2c3b4a596877",
                "sequence": 1,
                "calls": [
                    {
                        "time": "2026-11-26T12:00:00.000Z",
                        "duration_ms": 12.5,
                        "status": 503,
                        "request_id": "0af7651916cd43dd8448eb211c80319c",
                        "trace_id": "0af7651916cd43dd8448eb211c80319c",
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
                "boot": "6f1d2c3b4a596877",
                "sequence": 2,
                "spans": [
                    {
                        "trace_id": "0af7651916cd43dd8448eb211c80319c",
                        "span_id": "b7ad6b7169203331",
                        "name": "GET default/books",
                        "kind": "server",
                        "began_s": 1764180000.0,
                        "ended_s": 1764180000.1,
                    }
                ],
            },
        ),
        *_logs(),
        Operation(
            method="GET",
            path=tap.PATH,
            id="tapRequests",
            tag="calls",
            right="metrics:read",
            by_rows=True,
            about="Calls as they end, of all gateways, as server-sent events: at most 200 a second, the rest counted.",
            parameters=(
                Parameter(name="filter", about="As of GET /v1/requests."),
                Parameter(name="sample", about="Percent.", schema={"type": "integer", "minimum": 1, "maximum": 100}),
            ),
            answers={200: {"type": "string"}},
            produces="text/event-stream",
        ),
        Operation(
            method="POST",
            path="/v1/assignments",
            id="assign",
            tag="gateways",
            right="reports:write",
            about="What workers of a gateway may admit of limits that all gateways share.",
            body=Asks,
            answers={200: Grants, 503: {"$ref": "#/components/schemas/Problem"}},
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
            answers={204: None, 404: {"$ref": "#/components/schemas/Problem"}},
            example={"id": "q-1"},
            example_body={},
        ),
    ]


def _logs() -> list[Operation]:
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
            answers={200: {"type": "object"}, 429: _A_PROBLEM, 503: _A_PROBLEM},
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
                *_PAGE,
            ),
            answers={200: LogPage, 503: _A_PROBLEM},
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
            answers={200: _STREAM, 503: _A_PROBLEM},
            produces="text/event-stream",
        ),
    ]


def _batch() -> dict[str, Any]:
    """Rows name their place; an id that is left out is made."""
    schema = _registration()
    row = schema | {"title": "RegistrationRow", "required": [name for name in schema["required"] if name != "id"]}
    return {
        "type": "object",
        "required": ["instances"],
        "additionalProperties": False,
        "properties": {"instances": {"type": "array", "minItems": 1, "maxItems": MAX_BATCH, "items": row}},
    }


def _registration() -> dict[str, Any]:
    _, parts = msgspec.json.schema_components([Registration], schema_hook=unit_schema, ref_template=REF)
    schema: dict[str, Any] = parts["Registration"]
    return schema


def _without_names() -> dict[str, Any]:
    """Registration's schema as a body under a path that names namespace, service and id already."""
    schema = _registration()
    names = ("namespace", "service", "id")
    return schema | {
        "title": "RegistrationBody",
        "required": [name for name in schema["required"] if name not in names],
        "properties": {name: part for name, part in schema["properties"].items() if name not in names},
    }

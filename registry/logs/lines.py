"""Lines as OTLP brings them made into what is kept and shown; pure.

`service.name`, `service.namespace` and `service.instance.id` of a resource become our names. A service that ships its
own may leave its name out, and its namespace.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from meshway.log_lines import LogLine
from meshway.otlp.log_records import severity_name, severity_of
from registry.logs.words import words_of
from registry.store.logs import LogRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from meshway.otlp.log_records import LogRecord, LogsOfResource

DEFAULT_NAMESPACE: Final = "default"
UNKNOWN: Final = "unknown_service"  # as OpenTelemetry calls what has no name
MOST_TEXT: Final = 16 << 10  # characters of a line's text, and of one attribute
MOST_VALUE: Final = 64 << 10  # bytes of a line as it is kept; of a longer one the attributes are left out
MOST_NAME: Final = 253
# Of all lines of a body: attributes of a resource stand once in the body, and in each line as it is kept.
MOST_KEPT: Final = 64 << 20
_ROW_BYTES: Final = 500  # of a row beside its value and its words, about
_NAMES: Final = ("service.name", "service.namespace", "service.instance.id")
# Says the same of every line, and nothing about it.
_LEFT_OUT: Final = ("telemetry.", "process.")
_encode: Final = msgspec.json.Encoder().encode

Place = tuple[str, str]


class Judged(NamedTuple):
    """Of one body. rows: what is kept; accepted: the same as it came. rejected: lines; why: the first reason. size: of
    the rows in memory, bytes; of the body, where that is more."""

    rows: list[LogRow]
    accepted: list[LogsOfResource]
    rejected: int
    why: str
    size: int


class TooMuch(Exception):
    """The lines of a body would take more than MOST_KEPT."""


def judge(
    resources: Iterable[LogsOfResource], own: Place | None, may: Callable[[str, str], bool], now_ns: int
) -> Judged:
    """own: namespace and name of the service that ships; None: it is none. may: whether lines of a namespace's service
    are its to ship. Raises TooMuch."""
    rows: list[LogRow] = []
    accepted = []
    rejected, why, size = 0, "", 0
    for logs in resources:
        namespace, service, instance = _place(logs.resource, own)
        fault = _fault(namespace, service, instance)
        if not fault and not may(namespace, service):
            fault = f"logs of {namespace}/{service} need logs:write in {namespace}, or the service's own credential"
        if fault:
            rejected += sum(len(scope.records) for scope in logs.scopes)
            why = why or fault
            continue
        accepted.append(logs)
        shown = _shown_resource(logs.resource)
        for scope in logs.scopes:
            for record in scope.records:
                row = _row(record, scope.scope, namespace, service, instance, shown, now_ns)
                size += len(row.value) + len(row.words) + _ROW_BYTES
                if size > MOST_KEPT:
                    raise TooMuch
                rows.append(row)
    return Judged(rows, accepted, rejected, why, size)


def _place(resource: dict[str, Any], own: Place | None) -> tuple[str, str, str]:
    name, namespace, instance = (str(resource.get(key) or "") for key in _NAMES)
    if not name:
        name = UNKNOWN if own is None else own[1]
    if not namespace:
        before, slash, rest = name.partition("/")
        if slash:
            namespace, name = before, rest
        else:
            namespace = DEFAULT_NAMESPACE if own is None else own[0]
    return namespace, name, instance


def _fault(*names: str) -> str:
    for name in names:
        if len(name) > MOST_NAME or "/" in name or not (name.isprintable() or not name):
            return f"{name[:80]!r} is no name: at most {MOST_NAME} characters that can be seen, none of them /"
    return ""


def _shown_resource(resource: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _bounded(value)
        for name, value in resource.items()
        if name not in _NAMES and not name.startswith(_LEFT_OUT)
    }


def _row(
    record: LogRecord,
    scope: str,
    namespace: str,
    service: str,
    instance: str,
    resource: dict[str, Any],
    now_ns: int,
) -> LogRow:
    at = (record.at_ns or record.observed_ns or now_ns) // 1000
    severity = severity_of(record.severity, record.severity_text)
    text = _text(record.body)
    attributes = {name: _bounded(value) for name, value in record.attributes.items()}
    line = LogLine(
        time=time_of(at),
        service=f"{namespace}/{service}",
        instance=instance,
        severity=severity_name(severity),
        text=text,
        logger=scope[:MOST_NAME],
        trace_id=record.trace_id,
        span_id=record.span_id,
        attributes=attributes,
        resource=resource,
    )
    value = _encode(line)
    if len(value) > MOST_VALUE:
        line = msgspec.structs.replace(line, attributes={}, resource={})
        value = _encode(line)
    searched = " ".join((text, line.logger, *map(_text, line.attributes.values())))
    words = " ".join(words_of(searched))
    return LogRow(at, namespace, service, instance, severity, record.trace_id, words, value)


def time_of(at: int) -> str:
    """RFC 3339 of microseconds since 1970."""
    seconds, micros = divmod(min(at, _LAST), 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{micros:06d}Z"


_LAST: Final = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()) * 1_000_000


def _text(value: object) -> str:
    if isinstance(value, str):
        return value[:MOST_TEXT]
    return "" if value is None else _encode(value).decode()[:MOST_TEXT]


def _bounded(value: Any) -> Any:
    return value[:MOST_TEXT] if isinstance(value, str) else value

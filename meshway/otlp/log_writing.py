"""Lines of logs as OTLP's protobuf: ExportLogsServiceRequest (collector/logs/v1)."""

from collections.abc import Iterable
from typing import Any, Final

from meshway.otlp.log_records import LogRecord, LogsOfResource
from meshway.otlp.values import any_value, attributes
from meshway.protobuf import block, fixed64, number, octets

_MOST_NS: Final = (1 << 64) - 1


def export_logs(resources: Iterable[LogsOfResource]) -> bytes:
    return b"".join(block(1, _resource(one)) for one in resources)


def resource_of(service: str, namespace: str, instance: str = "", **further: str) -> dict[str, Any]:
    """Attributes of a service on the mesh (semantic conventions, "Resource"). further: `service_version`, …"""
    named = {"service.name": service, "service.namespace": namespace, "service.instance.id": instance}
    return {name: value for name, value in named.items() if value} | {
        name.replace("_", "."): value for name, value in further.items() if value
    }


def _resource(logs: LogsOfResource) -> bytes:
    scoped = b"".join(
        block(2, block(1, octets(1, one.scope.encode("utf-8", "replace"))) + _records(one.records))
        for one in logs.scopes
    )
    return block(1, attributes(1, logs.resource)) + scoped


def _records(records: Iterable[LogRecord]) -> bytes:
    return b"".join(block(2, _record(record)) for record in records)


def _record(record: LogRecord) -> bytes:
    return b"".join(
        (
            fixed64(1, min(max(record.at_ns, 0), _MOST_NS)),
            number(2, record.severity),
            octets(3, record.severity_text.encode("utf-8", "replace")),
            block(5, any_value(record.body)),
            attributes(6, record.attributes),
            octets(9, bytes.fromhex(record.trace_id)),
            octets(10, bytes.fromhex(record.span_id)),
            fixed64(11, min(max(record.observed_ns, 0), _MOST_NS)),
        )
    )

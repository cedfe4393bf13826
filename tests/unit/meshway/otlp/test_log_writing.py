"""What we write is what opentelemetry-proto reads, and what we read ourselves."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from meshway.otlp.log_reading import read_protobuf
from meshway.otlp.log_records import LogRecord, LogsOfResource, LogsOfScope
from meshway.otlp.log_writing import export_logs, resource_of

VALUES = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False) | st.text()


def logs(body: Any, **attributes: Any) -> LogsOfResource:
    record = LogRecord(
        at_ns=1_764_180_000_000_000_123,
        body=body,
        severity=13,
        severity_text="WARNING",
        attributes=attributes,
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        span_id="00f067aa0ba902b7",
        observed_ns=7,
    )
    return LogsOfResource(resource_of("books", "shop", "books-1", service_version="v2"), [LogsOfScope("a.b", [record])])


def test_the_library_reads_what_is_written() -> None:
    message = ExportLogsServiceRequest.FromString(export_logs([logs("full", shelf=3, wet=False)]))
    (found,) = message.resource_logs
    named = {one.key: one.value.string_value for one in found.resource.attributes}
    assert named == {
        "service.name": "books",
        "service.namespace": "shop",
        "service.instance.id": "books-1",
        "service.version": "v2",
    }
    (scoped,) = found.scope_logs
    (record,) = scoped.log_records
    assert scoped.scope.name == "a.b"
    assert (record.time_unix_nano, record.observed_time_unix_nano) == (1_764_180_000_000_000_123, 7)
    assert (record.severity_number, record.severity_text, record.body.string_value) == (13, "WARNING", "full")
    assert record.trace_id.hex() == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert record.span_id.hex() == "00f067aa0ba902b7"
    assert [(one.key, one.value.WhichOneof("value")) for one in record.attributes] == [
        ("shelf", "int_value"),
        ("wet", "bool_value"),
    ]


@given(VALUES, VALUES)
def test_what_is_written_is_read_back(body: Any, value: Any) -> None:
    sent = logs(body, a=value, many=[value, {"b": value}])
    assert read_protobuf(export_logs([sent])) == [sent]

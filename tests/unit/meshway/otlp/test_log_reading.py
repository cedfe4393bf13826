"""Requests as opentelemetry-proto writes them, in protobuf and in JSON, read by our own decoders."""

import json
from base64 import b64encode

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from meshway.otlp.log_reading import (
    MOST_LINES,
    LogsFault,
    TooManyLines,
    partial_success,
    read_json,
    read_protobuf,
    status_message,
)
from meshway.otlp.log_records import LogRecord, LogsOfResource

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def any_value(value: object) -> AnyValue:
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=map(any_value, value)))
        case dict():
            pairs = [KeyValue(key=name, value=any_value(one)) for name, one in value.items()]
            return AnyValue(kvlist_value=KeyValueList(values=pairs))
    raise AssertionError(value)


def request(body: object, **attributes: object) -> ExportLogsServiceRequest:
    message = ExportLogsServiceRequest()
    logs = message.resource_logs.add()
    logs.resource.attributes.add(key="service.name", value=any_value("books"))
    scoped = logs.scope_logs.add()
    scoped.scope.name = "books.shelf"
    record = scoped.log_records.add(
        time_unix_nano=1_764_180_000_000_000_123,
        observed_time_unix_nano=1_764_180_000_000_000_456,
        severity_number=17,
        severity_text="ERROR",
        body=any_value(body),
        trace_id=bytes.fromhex(TRACE),
        span_id=bytes.fromhex(SPAN),
    )
    for name, value in attributes.items():
        record.attributes.add(key=name, value=any_value(value))
    return message


def as_json(message: ExportLogsServiceRequest) -> bytes:
    """As OTLP has it: ids are hex, where protobuf's own JSON has base64."""
    told = MessageToDict(message)
    for logs in told["resourceLogs"]:
        for scoped in logs["scopeLogs"]:
            for record in scoped["logRecords"]:
                record["severityNumber"] = 17
                record["traceId"], record["spanId"] = TRACE, SPAN
    return json.dumps(told).encode()


def only(logs: list[LogsOfResource]) -> LogRecord:
    ((resource, ((scope, (record,)),)),) = logs
    assert resource == {"service.name": "books"}
    assert scope == "books.shelf"
    return record


def expected(value: object) -> object:
    match value:
        case bytes():
            return b64encode(value).decode()
        case list():
            return [expected(one) for one in value]
        case dict():
            return {name: expected(one) for name, one in value.items()}
    return value


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.binary(min_size=1, max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES, VALUES)
def test_what_the_library_writes_is_read_whole(body: object, value: object) -> None:
    message = request(body, a=value)
    for logs in (read_protobuf(message.SerializeToString()), read_json(as_json(message))):
        record = only(logs)
        assert record == LogRecord(
            at_ns=1_764_180_000_000_000_123,
            body=expected(body),
            severity=17,
            severity_text="ERROR",
            attributes={"a": expected(value)},
            trace_id=TRACE,
            span_id=SPAN,
            observed_ns=1_764_180_000_000_000_456,
        )


def test_an_id_of_another_length_is_none() -> None:
    message = request("x")
    record = message.resource_logs[0].scope_logs[0].log_records[0]
    record.trace_id, record.span_id = b"short", bytes(8)
    read = only(read_protobuf(message.SerializeToString()))
    assert (read.trace_id, read.span_id) == ("", "")


def test_numbers_that_are_texts_in_json_and_those_that_are_none_hold_the_same() -> None:
    value = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": 5, "body": {"intValue": "-7"}}]}]}]}
    record = read_json(json.dumps(value).encode())[0].scopes[0].records[0]
    assert (record.at_ns, record.body) == (5, -7)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"resourceLogs": 5}', b"\xff", b'{"a":"' + b"\xff" + b'"}'])
def test_what_is_no_json_of_logs_is_refused(body: bytes) -> None:
    with pytest.raises(LogsFault):
        read_json(body)


def test_what_is_no_protobuf_or_nested_without_end_is_refused() -> None:
    nested: object = "x"
    for _ in range(12):
        nested = [nested]
    message = request(nested)
    for read, body in (
        (read_protobuf, b"\x0a\x05abc"),
        (read_protobuf, message.SerializeToString()),
        (read_json, as_json(message)),
    ):
        with pytest.raises(LogsFault):
            read(body)


def test_the_answer_is_one_that_the_library_reads() -> None:
    told = ExportLogsServiceResponse.FromString(partial_success(3, "not yours", is_json=False))
    assert (told.partial_success.rejected_log_records, told.partial_success.error_message) == (3, "not yours")
    assert partial_success(0, "", is_json=False) == b""
    assert json.loads(partial_success(0, "", is_json=True)) == {}
    assert json.loads(partial_success(3, "why", is_json=True)) == {
        "partialSuccess": {"rejectedLogRecords": "3", "errorMessage": "why"}
    }
    assert status_message(8, "slower") == b"\x08\x08\x12\x06slower"  # google.rpc.Status: code, message


def test_a_body_of_bytes_that_stand_for_very_many_lines_is_not_read() -> None:
    request = ExportLogsServiceRequest()
    for _ in range(2):
        records = request.resource_logs.add().scope_logs.add().log_records
        for _ in range(MOST_LINES // 2):
            records.add()
    assert sum(len(one.scopes[0].records) for one in read_protobuf(request.SerializeToString())) == MOST_LINES
    request.resource_logs[0].scope_logs.add().log_records.add()
    with pytest.raises(TooManyLines):
        read_protobuf(request.SerializeToString())
    for lines in (MOST_LINES + 1, 2_000_000):
        with pytest.raises(TooManyLines):
            read_json(b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[%b{}]}]}]}' % (b"{}," * (lines - 1)))

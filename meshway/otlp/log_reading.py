"""Lines of logs from OTLP's protobuf and from its JSON: ExportLogsServiceRequest (collector/logs/v1), and the answer.

Bounded in lines, in depth, in attributes and in texts; what the protocol has and the mesh does not use is passed over.
"""

from typing import Any, Final

import msgspec

from meshway.otlp.log_records import LogRecord, LogsOfResource, LogsOfScope
from meshway.otlp.values import MOST_DEPTH, MOST_KEY, read_attribute, read_value
from meshway.protobuf import ProtobufFault, as_block, as_fixed64, as_number, as_text, block, number, octets, read

MOST_LINES: Final = 100_000  # of a body: an empty line takes two bytes of it, and hundreds in memory
MOST_OBJECTS: Final = 1_000_000  # of a body of JSON, whatever they are
MOST_ATTRIBUTES: Final = 128  # of a record or a resource; further ones are left out
_TRACE_ID, _SPAN_ID = 16, 8
_MOST_NS: Final = (1 << 64) - 1


class LogsFault(ValueError):
    """Why a body holds no logs, in words for people."""


class TooManyLines(LogsFault):
    """Some bytes may stand for very many lines."""

    def __init__(self) -> None:
        super().__init__(f"holds more than {MOST_LINES} lines")


class _Room:
    """For so many lines of a body."""

    def __init__(self) -> None:
        self._left = MOST_LINES

    def take(self, lines: int) -> None:
        """Raises TooManyLines."""
        self._left -= lines
        if self._left < 0:
            raise TooManyLines


def read_protobuf(body: bytes) -> list[LogsOfResource]:
    """Raises LogsFault, TooManyLines."""
    try:
        room = _Room()
        return [_resource(as_block(content), room) for field, content in read(body) if field == 1]
    except ProtobufFault as fault:
        raise LogsFault(f"is no ExportLogsServiceRequest: {fault}") from fault


def read_json(body: bytes) -> list[LogsOfResource]:
    """Raises LogsFault, TooManyLines."""
    try:
        if body.count(b"{") > MOST_OBJECTS:
            raise TooManyLines
        body.decode()  # msgspec does not look into what it skips
        request = _decode(body)
        room = _Room()
        return [_resource_of(one, room) for one in request.resource_logs]
    except LogsFault:
        raise
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise LogsFault(f"is no ExportLogsServiceRequest as JSON: {error}") from error


def partial_success(rejected: int, why: str, *, is_json: bool) -> bytes:
    """ExportLogsServiceResponse: empty where all was taken."""
    if is_json:
        told = {"rejectedLogRecords": str(rejected), "errorMessage": why}
        return msgspec.json.encode({"partialSuccess": told} if rejected or why else {})
    return block(1, number(1, rejected) + octets(2, why.encode())) if rejected or why else b""


def status_message(code: int, message: str) -> bytes:
    """google.rpc.Status, which OTLP wants as the body of a refusal. code: of google.rpc.Code."""
    return number(1, code) + octets(2, message.encode("utf-8", "replace"))


def _resource(message: bytes, room: _Room) -> LogsOfResource:
    resource: dict[str, Any] = {}
    scopes = []
    for field, content in read(message):
        if field == 1:
            for inner, attribute in read(as_block(content)):
                if inner == 1 and len(resource) < MOST_ATTRIBUTES:
                    read_attribute(as_block(attribute), resource)
        elif field == 2:
            scopes.append(_scope(as_block(content), room))
    return LogsOfResource(resource, scopes)


def _scope(message: bytes, room: _Room) -> LogsOfScope:
    name, records = "", []
    for field, content in read(message):
        if field == 1:
            for inner, text in read(as_block(content)):
                if inner == 1:
                    name = as_text(text)
        elif field == 2:
            room.take(1)
            records.append(_record(as_block(content)))
    return LogsOfScope(name, records)


def _record(message: bytes) -> LogRecord:
    at = observed = severity = 0
    word = trace = span = ""
    body: Any = None
    attributes: dict[str, Any] = {}
    for field, content in read(message):
        if field == 1:
            at = as_fixed64(content)
        elif field == 2:
            severity = as_number(content)
        elif field == 3:
            word = as_text(content)
        elif field == 5:
            body = read_value(as_block(content))
        elif field == 6:
            if len(attributes) < MOST_ATTRIBUTES:
                read_attribute(as_block(content), attributes)
        elif field == 9:
            trace = _id(as_block(content), _TRACE_ID)
        elif field == 10:
            span = _id(as_block(content), _SPAN_ID)
        elif field == 11:
            observed = as_fixed64(content)
    return LogRecord(at, body, min(severity, 24), word, attributes, trace, span, observed)


def _id(value: bytes, size: int) -> str:
    """ "" for what is no id: the line is worth more than its id (logs data model, "TraceId")."""
    return value.hex() if len(value) == size and any(value) else ""


class _Value(msgspec.Struct, rename="camel"):
    """Of AnyValue one is there."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    array_value: "_Values | None" = None
    kvlist_value: "_Attributes | None" = None
    bytes_value: str | None = None


class _Values(msgspec.Struct):
    values: list[_Value] = []


class _Attribute(msgspec.Struct):
    key: str = ""
    value: _Value | None = None


class _Attributes(msgspec.Struct):
    values: list[_Attribute] = []


class _Holder(msgspec.Struct):
    """A Resource; of a scope the name counts."""

    attributes: list[_Attribute] = []
    name: str = ""


class _Record(msgspec.Struct, rename="camel"):
    time_unix_nano: int | str = 0
    observed_time_unix_nano: int | str = 0
    severity_number: int = 0
    severity_text: str = ""
    body: _Value | None = None
    attributes: list[_Attribute] = []
    trace_id: str = ""
    span_id: str = ""


class _Scope(msgspec.Struct, rename="camel"):
    scope: _Holder | None = None
    log_records: list[_Record] = []


class _Resource(msgspec.Struct, rename="camel"):
    resource: _Holder | None = None
    scope_logs: list[_Scope] = []


class _Request(msgspec.Struct, rename="camel"):
    resource_logs: list[_Resource] = []


_decode: Final = msgspec.json.Decoder(_Request).decode


def _resource_of(told: _Resource, room: _Room) -> LogsOfResource:
    room.take(sum(len(one.log_records) for one in told.scope_logs))
    resource = {} if told.resource is None else _named(told.resource.attributes)
    scopes = [
        LogsOfScope("" if one.scope is None else one.scope.name, list(map(_record_of, one.log_records)))
        for one in told.scope_logs
    ]
    return LogsOfResource(resource, scopes)


def _record_of(told: _Record) -> LogRecord:
    return LogRecord(
        _moment(told.time_unix_nano),
        None if told.body is None else _value_of(told.body),
        min(max(told.severity_number, 0), 24),
        told.severity_text,
        _named(told.attributes),
        _id(_hex(told.trace_id), _TRACE_ID),
        _id(_hex(told.span_id), _SPAN_ID),
        _moment(told.observed_time_unix_nano),
    )


def _named(told: list[_Attribute], depth: int = 0) -> dict[str, Any]:
    return {
        one.key[:MOST_KEY]: None if one.value is None else _value_of(one.value, depth) for one in told[:MOST_ATTRIBUTES]
    }


def _value_of(told: _Value, depth: int = 0) -> Any:
    if depth > MOST_DEPTH:
        raise LogsFault(f"a value is nested more than {MOST_DEPTH} deep")
    if told.string_value is not None:
        return told.string_value
    if told.int_value is not None:
        return _whole(told.int_value)
    if told.bool_value is not None:
        return told.bool_value
    if told.double_value is not None:
        return float(told.double_value)
    if told.array_value is not None:
        return [_value_of(one, depth + 1) for one in told.array_value.values]
    if told.kvlist_value is not None:
        return _named(told.kvlist_value.values, depth + 1)
    return told.bytes_value


def _whole(told: int | str) -> int:
    """64 bits are a text in protobuf's JSON."""
    text = str(told)
    if len(text) > 20:
        raise LogsFault("a number has more than 64 bits")
    return int(text)


def _moment(told: int | str) -> int:
    return min(max(_whole(told or 0), 0), _MOST_NS)


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""

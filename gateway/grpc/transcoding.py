"""JSON and the messages of a DescriptorSet, each made of the other, as google/api/http.proto and protobuf's JSON
mapping say: bodies, paths and queries of requests; messages and failures of answers.

Only workers with a Route that transcodes load the library of Protocol Buffers (8 MB, 20 ms). Pure.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message import Error as MessageError

from gateway.grpc import http_body
from gateway.grpc.http_body import ALL
from gateway.grpc.http_paths import Binding, HttpPaths
from gateway.grpc.message_pool import message_pool
from gateway.grpc.status import CODES
from gateway.grpc.values import MOST_VALUES, has_more, holds_more
from meshway.descriptor_files import DescriptorFiles, Method
from meshway.protobuf import ProtobufFault, as_block, as_text, read

# Whatever the library raises for what callers and services can write: more than it says.
_FAULTS: Final = (
    json_format.Error, MessageError, ArithmeticError, AttributeError, LookupError, RecursionError, SystemError,
    TypeError, ValueError,
)  # fmt: skip
_OF_PYTHON: Final = "invalid literal for int() with base 10: "
_BOOLS: Final = {"true": True, "false": False}
_WRAPPED_BOOL: Final = "google.protobuf.BoolValue"
# Messages that JSON writes as one value, so that a parameter may be one.
_SCALAR_MESSAGES: Final = frozenset(
    f"google.protobuf.{name}"
    for name in (
        "Timestamp", "Duration", "FieldMask", "BoolValue", "BytesValue", "DoubleValue", "FloatValue", "Int32Value",
        "Int64Value", "StringValue", "UInt32Value", "UInt64Value",
    )
)  # fmt: skip


class BadRequest(ValueError):
    """What the caller wrote is not the message."""


class TooMany(BadRequest):
    """It holds more values than a worker can take the time for."""


class BadAnswer(ValueError):
    """What the service answered is not the message."""


class TooLong(BadAnswer):
    """It holds more values than a worker can take the time for."""


class Transcoder:
    """paths: of the services that are asked for. Raises ValueError for descriptors of which nothing can be made."""

    def __init__(
        self,
        files: DescriptorFiles,
        services: Iterable[str],
        *,
        emit_defaults: bool = False,
        proto_names: bool = False,
        enums_as_numbers: bool = False,
        ignores_unknown: bool = False,
    ) -> None:
        self._pool = message_pool(files)
        self._shown: Mapping[str, Any] = {
            "always_print_fields_with_no_presence": emit_defaults,
            "preserving_proto_field_name": proto_names,
            "use_integers_for_enums": enums_as_numbers,
            "descriptor_pool": self._pool,
            "ensure_ascii": False,
        }
        self._ignores_unknown = ignores_unknown
        methods: list[Method] = []
        for name in services:
            if name not in files.services:
                raise ValueError(f"{name} is no service of it; it has {', '.join(sorted(files.services)) or 'none'}")
            methods += files.services[name]
        self.paths = HttpPaths(methods)
        for method in methods:
            if not method.rules:
                continue
            if method.is_client_streaming:
                raise ValueError(
                    f"{method.service}.{method.name} takes a stream of messages: JSON has no way to say one"
                )
            self._check(method)

    def _check(self, method: Method) -> None:
        """Every field that a rule names is one."""
        try:
            asked, answered = (self._pool.FindMessageTypeByName(name) for name in (method.input, method.output))
        except KeyError as error:
            raise ValueError(f"{method.service}.{method.name}: {error}") from error
        for rule in method.rules:
            if rule.body and rule.body != ALL and rule.body not in asked.fields_by_name:
                raise ValueError(f"{method.service}.{method.name}: {rule.body} is no field of {method.input}")
            if rule.response_body and rule.response_body not in answered.fields_by_name:
                raise ValueError(f"{method.service}.{method.name}: {rule.response_body} is no field of {method.output}")

    # Of requests.

    def message(
        self,
        binding: Binding,
        values: Mapping[tuple[str, ...], str],
        query: bytes,
        body: bytes,
        content_type: bytes = b"",
    ) -> bytes:
        """Raises BadRequest."""
        made = self._new(binding.method.input)
        rule = binding.rule
        if rule.body and http_body.is_body(made.DESCRIPTOR, rule.body):
            http_body.write(made, rule.body, content_type, body)
        elif rule.body:
            self._read_body(made, rule.body, body)
        elif body:
            raise BadRequest("this call has no body")
        parameters = self._new(binding.method.input)
        wanted: dict[str, Any] = {}
        try:
            if query and rule.body != ALL:
                self._take_query(wanted, made.DESCRIPTOR, query)
            for path, value in values.items():
                _clear(made, path)
                self._set(wanted, made.DESCRIPTOR, path, value, is_of_path=True)
            json_format.ParseDict(wanted, parameters, descriptor_pool=self._pool)
            made.MergeFrom(parameters)
            return bytes(made.SerializeToString())
        except BadRequest:
            raise
        except _FAULTS as error:
            raise BadRequest(_told(error)) from error

    def _read_body(self, message: Message, field: str, body: bytes) -> None:
        try:
            read_value = json.loads(body) if body.strip() else ({} if field == ALL else None)
            if field != ALL:
                read_value = {} if read_value is None else {field: read_value}
            if has_more(read_value):
                raise TooMany(f"the body holds more than {MOST_VALUES} values")
            if (
                field == ALL
                and not isinstance(read_value, dict)
                and message.DESCRIPTOR.full_name not in _SCALAR_MESSAGES
            ):
                raise BadRequest("the body is no object of JSON")
            json_format.ParseDict(read_value, message, descriptor_pool=self._pool)
        except BadRequest:
            raise
        except _FAULTS as error:
            raise BadRequest(f"the body: {_told(error)}") from error

    def _take_query(self, wanted: dict[str, Any], of: Descriptor, query: bytes) -> None:
        text = query.removeprefix(b"?").decode("latin-1")
        for name, value in parse_qsl(text, keep_blank_values=True, errors="strict"):
            self._set(wanted, of, tuple(name.split(".")), value, is_of_path=False)

    def _set(
        self, wanted: dict[str, Any], of: Descriptor, path: tuple[str, ...], value: str, *, is_of_path: bool
    ) -> None:
        """Raises BadRequest."""
        spelled, at = ".".join(path), wanted
        *outer, last = path
        for name in outer:
            field = _field(of, name)
            if field is None or field.message_type is None or field.is_repeated:
                return self._unknown(spelled)
            of = field.message_type
            at = at.setdefault(field.name, {})
        field = _field(of, last)
        if field is None:
            return self._unknown(spelled)
        kind = field.message_type
        if kind is not None and kind.full_name not in _SCALAR_MESSAGES:
            raise BadRequest(f"{spelled} is a message: name one of its fields")
        read_value = _scalar(field, value, spelled)
        if field.is_repeated:
            at.setdefault(field.name, []).append(read_value)
        elif field.name in at and not is_of_path:
            raise BadRequest(f"{spelled} is there twice")
        else:
            at[field.name] = read_value
        return None

    def _unknown(self, spelled: str) -> None:
        if not self._ignores_unknown:
            raise BadRequest(f"{spelled} is no field of this call")

    # Of answers.

    def is_octets(self, method: Method, response_body: str) -> bool:
        """Whether its answers are bodies of HTTP as they are."""
        return http_body.is_body(self._pool.FindMessageTypeByName(method.output), response_body)

    def octets(self, method: Method, response_body: str, message: bytes) -> tuple[bytes, bytes]:
        """Content type and body. Raises BadAnswer."""
        made = self._new(method.output)
        try:
            made.ParseFromString(message)
            return http_body.read(made, response_body)
        except _FAULTS as error:
            raise BadAnswer(f"the service's message is no {method.output}: {error}") from error

    def text(self, method: Method, response_body: str, message: bytes) -> bytes:
        """Raises BadAnswer."""
        made = self._new(method.output)
        try:
            made.ParseFromString(message)
            if len(message) > MOST_VALUES and holds_more(made, self._new):  # a value takes a byte or more
                raise TooLong(f"the service's message holds more than {MOST_VALUES} values")
            if not response_body:
                return str(json_format.MessageToJson(made, indent=None, **self._shown)).encode()
            shown = json_format.MessageToDict(made, **_without(self._shown, "ensure_ascii"))
        except TooLong:
            raise
        except _FAULTS as error:
            raise BadAnswer(f"the service's message is no {method.output}: {error}") from error
        field = made.DESCRIPTOR.fields_by_name[response_body]
        name = response_body if self._shown["preserving_proto_field_name"] else field.json_name
        value = shown.get(name, [] if field.is_repeated else None)
        return json.dumps(value, ensure_ascii=False).encode()

    def failure(self, code: int, message: bytes | None, details: bytes | None) -> bytes:
        """google.rpc.Status as JSON. message: `grpc-message`; details: `grpc-status-details-bin`."""
        words = unquote((message or b"").decode("latin-1"))
        status: dict[str, object] = {"code": code, "message": words or (CODES[code] if code < len(CODES) else "")}
        if details is not None:
            status["details"] = self._details(details)
        return json.dumps(status, ensure_ascii=False).encode()

    def _details(self, value: bytes) -> list[object]:
        """Those of types that the descriptors have."""
        found: list[object] = []
        try:
            packed = base64.b64decode(value + b"=" * (-len(value) % 4))
            for number, held in read(packed):
                if number == 3:
                    found.append(self._any(as_block(held)))
        except (binascii.Error, ProtobufFault, DecodeError, TypeError, KeyError, ValueError):
            pass
        return found

    def _any(self, data: bytes) -> object:
        fields = dict(read(data))
        url, held = as_text(fields.get(1, b"")), as_block(fields.get(2, b""))
        made = self._new(url.rpartition("/")[2])
        made.ParseFromString(held)
        return {"@type": url, **json_format.MessageToDict(made, **_without(self._shown, "ensure_ascii"))}

    def _new(self, name: str) -> Message:
        made: Message = message_factory.GetMessageClass(self._pool.FindMessageTypeByName(name))()
        return made


def _without(shown: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if key != name}


def _told(error: Exception) -> str:
    """As a caller may read it: protobuf passes on what Python says of text that is no number."""
    return str(error).replace(_OF_PYTHON, "no whole number: ")


def _field(of: Descriptor, name: str) -> FieldDescriptor | None:
    """By its name in the .proto file, or in JSON."""
    field = of.fields_by_name.get(name)
    if field is not None:
        return field
    return next((field for field in of.fields if field.json_name == name), None)


def _scalar(field: FieldDescriptor, value: str, spelled: str) -> object:
    """As JSON would have it; of numbers it takes texts, too."""
    is_bool = field.cpp_type == FieldDescriptor.CPPTYPE_BOOL
    if is_bool or (field.message_type is not None and field.message_type.full_name == _WRAPPED_BOOL):
        if value not in _BOOLS:
            raise BadRequest(f"{spelled}: {value[:40]} is neither true nor false")
        return _BOOLS[value]
    return value


def _clear(message: Message, path: tuple[str, ...]) -> None:
    """What the body says of a field that the path has."""
    for name in path[:-1]:
        if not message.HasField(name):
            return
        message = getattr(message, name)
    message.ClearField(path[-1])

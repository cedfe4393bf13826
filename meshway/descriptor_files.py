"""What a FileDescriptorSet says of services: their methods, and the HTTP calls that stand for them. Pure.

Read by hand, so that whoever writes and checks documents needs no library of Protocol Buffers. Sources:
google/protobuf/descriptor.proto, google/api/annotations.proto and http.proto.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from meshway.protobuf import ProtobufFault, as_block, as_number, as_text, read

_HTTP_RULE: Final = 72295728  # the extension of MethodOptions
_METHODS: Final = {2: "GET", 3: "PUT", 4: "POST", 5: "DELETE", 6: "PATCH"}
_CUSTOM: Final = 8
MOST_FIELDS: Final = 50_000  # read, of about 5,000 methods with rules: 0.2 s; a set packed to 5 kB can hold 4 million


class HttpRule(NamedTuple):
    """body: a field, `*`: all of the message, "": none. response_body: a field, "": all of the answer."""

    method: str
    path: str
    body: str
    response_body: str


class Method(NamedTuple):
    """service, input, output: full names."""

    service: str
    name: str
    input: str
    output: str
    is_client_streaming: bool
    is_server_streaming: bool
    rules: tuple[HttpRule, ...]


class DescriptorFiles(NamedTuple):
    """files: each as bytes, by name. imports: of each. services: methods by full name."""

    files: Mapping[str, bytes]
    imports: Mapping[str, tuple[str, ...]]
    services: Mapping[str, tuple[Method, ...]]

    @property
    def missing(self) -> list[str]:
        """Imported files that are not there."""
        return sorted({name for names in self.imports.values() for name in names} - self.files.keys())


def read_descriptor_files(data: bytes) -> DescriptorFiles:
    """data: a FileDescriptorSet. Raises ProtobufFault."""
    files: dict[str, bytes] = {}
    imports: dict[str, tuple[str, ...]] = {}
    services: dict[str, tuple[Method, ...]] = {}
    reading = _Reading()
    for number, value in reading.read(data):
        if number != 1:
            continue
        one = as_block(value)
        fields = list(reading.read(one))
        name = next((as_text(value) for number, value in fields if number == 1), "")
        package = next((as_text(value) for number, value in fields if number == 2), "")
        if not name:
            raise ProtobufFault("a file has no name")
        files[name] = one
        imports[name] = tuple(as_text(value) for number, value in fields if number == 3)
        for number, value in fields:
            if number == 6:
                service, methods = _service(reading, as_block(value), package)
                services[service] = methods
    if not files:
        raise ProtobufFault("it holds no file")
    return DescriptorFiles(files, imports, services)


class _Reading:
    """Counts what is read. Raises ProtobufFault where it is too much."""

    def __init__(self) -> None:
        self._left = MOST_FIELDS

    def read(self, message: bytes) -> Iterator[tuple[int, int | bytes]]:
        for field in read(message):
            self._left -= 1
            if self._left < 0:
                raise ProtobufFault(f"more than {MOST_FIELDS} fields of files, services and methods")
            yield field


def _service(reading: _Reading, data: bytes, package: str) -> tuple[str, tuple[Method, ...]]:
    fields = list(reading.read(data))
    name = next((as_text(value) for number, value in fields if number == 1), "")
    full = f"{package}.{name}" if package else name
    return full, tuple(_method(reading, as_block(value), full) for number, value in fields if number == 2)


def _method(reading: _Reading, data: bytes, service: str) -> Method:
    texts = {1: "", 2: "", 3: ""}
    streams = {5: False, 6: False}
    rules: list[HttpRule] = []
    for number, value in reading.read(data):
        if number in texts:
            texts[number] = as_text(value)
        elif number in streams:
            streams[number] = bool(as_number(value))
        elif number == 4:
            for option, held in reading.read(as_block(value)):
                if option == _HTTP_RULE:
                    rules += _rules(reading, as_block(held))
    name, asked, answered = texts[1], texts[2].removeprefix("."), texts[3].removeprefix(".")
    return Method(service, name, asked, answered, streams[5], streams[6], tuple(rules))


def _rules(reading: _Reading, data: bytes, *, is_beside: bool = False) -> Iterator[HttpRule]:
    """The rule and those beside it, which have none beside them (http.proto)."""
    method = path = body = response_body = ""
    others: list[bytes] = []
    for number, value in reading.read(data):
        if number in _METHODS:
            method, path = _METHODS[number], as_text(value)
        elif number == _CUSTOM:
            custom = {kind: as_text(part) for kind, part in reading.read(as_block(value))}
            method, path = custom.get(1, "").upper(), custom.get(2, "")
        elif number == 7:
            body = as_text(value)
        elif number == 12:
            response_body = as_text(value)
        elif number == 11:
            if is_beside:
                raise ProtobufFault("additional_bindings stand in additional_bindings")
            others.append(as_block(value))
    if method:
        yield HttpRule(method, path, body, response_body)
    for other in others:
        yield from _rules(reading, other, is_beside=True)

"""The messages of envoy.service.auth.v3.Authorization/Check by their field numbers, as far as the mesh speaks them.

Field numbers: Envoy's API, envoy/service/auth/v3/{attribute_context,external_auth}.proto, google/rpc/status.proto,
google/protobuf/struct.proto. What an answer asks for that nobody here does is a fault, never passed over: a change of
the query, a field that frames the message or is the gateway's own word.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from meshway.http1.fields import is_name, is_value
from meshway.model.external_rules import is_ours
from meshway.protobuf import (
    ProtobufFault,
    as_block,
    as_double,
    as_number,
    as_text,
    block,
    double,
    number,
    octets,
    read,
)

METHOD: Final = b"/envoy.service.auth.v3.Authorization/Check"
JWT_NAMESPACE: Final = "envoy.filters.http.jwt_authn"
JWT_KEY: Final = "jwt_payload"
MOST_BODY: Final = 64 * 1024
_DEEPEST: Final = 16  # of what is told for the log, and of claims
_OK_HEADERS, _OK_REMOVE, _OK_ADD, _OK_SET_QUERY, _OK_REMOVE_QUERY, _OK_METADATA = 2, 5, 6, 7, 8, 3


class CheckFault(ValueError):
    """The answer is none: it breaks the format, or asks for what nobody here does."""


class Attributes(NamedTuple):
    """What is asked of a call, but for what is new in every one. headers: names in lower case, each once.

    path: with the query. size: of the body as announced, -1 = not known. source_certificate: URL-encoded PEM. body:
    None = not sent. context: of `context_of`. claims: None = not sent.
    """

    source_address: str
    source_principal: str
    source_service: str
    source_certificate: str
    destination_service: str
    method: bytes
    headers: Mapping[bytes, bytes]
    path: bytes
    host: bytes
    scheme: bytes
    size: int
    protocol: bytes
    body: bytes | None
    context: bytes
    claims: Mapping[str, Any] | None
    server_name: str = ""


def attributes_message(asked: Attributes, request_id: bytes, wall_s: float) -> bytes:
    """A CheckRequest. wall_s: when the call was received, seconds since 1970."""
    source = (
        (block(1, block(1, octets(2, asked.source_address.encode()))) if asked.source_address else b"")
        + octets(2, asked.source_service.encode())
        + octets(4, asked.source_principal.encode())
        + octets(5, asked.source_certificate.encode())
    )
    seconds = int(wall_s)
    time = number(1, seconds) + number(2, int((wall_s - seconds) * 1e9))
    http = b"".join(
        (
            octets(1, request_id),
            octets(2, asked.method),
            b"".join([block(3, octets(1, name) + octets(2, _utf8(value))) for name, value in asked.headers.items()]),
            octets(4, asked.path),
            octets(5, asked.host),
            octets(6, asked.scheme),
            number(9, asked.size),
            octets(10, asked.protocol),
            b"" if asked.body is None else _body(asked.body),
        )
    )
    attributes = b"".join(
        (
            block(1, source),
            block(2, octets(2, asked.destination_service.encode())) if asked.destination_service else b"",
            block(4, block(1, time) + block(2, http)),
            asked.context,
            block(12, octets(1, asked.server_name.encode("utf-8", "replace"))) if asked.server_name else b"",
            b"" if asked.claims is None else _claims(asked.claims),
        )
    )
    return block(1, attributes)


def context_of(texts: Mapping[str, str]) -> bytes:
    """context_extensions, made once."""
    return b"".join(block(10, octets(1, key.encode()) + octets(2, value.encode())) for key, value in texts.items())


def _utf8(value: bytes) -> bytes:
    """A string of proto3 must be; whatever is not in a header's value is taken for Latin-1 (RFC 9110 §5.5)."""
    if value.isascii():
        return value
    try:
        value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1").encode()
    return value


def _body(body: bytes) -> bytes:
    try:
        body.decode()
    except UnicodeDecodeError:
        return octets(12, body)
    return octets(11, body)


def _claims(claims: Mapping[str, Any]) -> bytes:
    payload = block(1, octets(1, JWT_KEY.encode()) + block(2, block(5, _struct(claims, 0))))
    return block(11, block(1, octets(1, JWT_NAMESPACE.encode()) + block(2, payload)))


def _struct(members: Mapping[str, Any], depth: int) -> bytes:
    return b"".join(
        block(1, octets(1, str(name).encode()) + block(2, _value(value, depth + 1))) for name, value in members.items()
    )


def _value(value: Any, depth: int) -> bytes:
    if value is None or depth > _DEEPEST:
        return _chosen(1, 0)
    if isinstance(value, bool):
        return _chosen(4, int(value))
    if isinstance(value, int | float):
        return double(2, float(value))
    if isinstance(value, str):
        return block(3, value.encode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return block(5, _struct(value, depth))
    return block(6, b"".join(block(1, _value(one, depth + 1)) for one in value))


def _chosen(field: int, value: int) -> bytes:
    """One of a choice of fields: also where it is 0."""
    return number(field, value) or bytes((field << 3, 0))


# The answer.


class HeaderChange(NamedTuple):
    """action: `set` (in place of others), `append`, `if_absent`, `if_present` (set where there is one)."""

    name: bytes
    value: bytes
    action: str


class Checked(NamedTuple):
    """passes: no objection. status: of a refusal, 0 = not said. headers: of a refusal, or to the service; to_caller:
    with the service's answer. metadata: None = none."""

    passes: bool
    status: int = 0
    headers: tuple[HeaderChange, ...] = ()
    body: bytes = b""
    removed: tuple[bytes, ...] = ()
    to_caller: tuple[HeaderChange, ...] = ()
    metadata: Mapping[str, Any] | None = None


def read_check(message: bytes) -> Checked:
    """A CheckResponse. Raises CheckFault."""
    try:
        return _read_check(message)
    except ProtobufFault as fault:
        raise CheckFault(str(fault)) from fault


def _read_check(message: bytes) -> Checked:
    code, denied, ok = 0, b"", b""
    metadata: Mapping[str, Any] | None = None
    for field, value in read(message):
        if field == 1:
            code = _status_code(as_block(value))
        elif field == 2:
            denied += as_block(value)  # parts of one message may come apart
        elif field == 3:
            ok += as_block(value)
        elif field == 4:
            metadata = _read_struct(as_block(value), 0)
    if code:
        return _read_denied(denied)._replace(metadata=metadata)
    checked = _read_ok(ok)
    return checked if checked.metadata is not None or metadata is None else checked._replace(metadata=metadata)


def _status_code(status: bytes) -> int:
    """Of google.rpc.Status."""
    code = 0
    for field, value in read(status):
        if field == 1:
            code = as_number(value)
    return code


def _read_denied(message: bytes) -> Checked:
    status, body = 0, b""
    headers: list[HeaderChange] = []
    for field, value in read(message):
        if field == 1:
            status = _status_code(as_block(value))  # HttpStatus has its code at the same place
        elif field == 2:
            headers.append(_read_header(as_block(value)))
        elif field == 3:
            body = as_text(value).encode()
    if len(body) > MOST_BODY:
        raise CheckFault(f"the body is longer than {MOST_BODY} bytes")
    if status and (not 200 <= status <= 599 or status == 304):
        raise CheckFault(f"{status} is no status of a refusal")
    return Checked(passes=False, status=status, headers=tuple(headers), body=body)


def _read_ok(message: bytes) -> Checked:
    headers: list[HeaderChange] = []
    removed: list[bytes] = []
    to_caller: list[HeaderChange] = []
    metadata: Mapping[str, Any] | None = None
    for field, value in read(message):
        if field == _OK_HEADERS:
            headers.append(_read_header(as_block(value)))
        elif field == _OK_REMOVE:
            removed.append(_name(as_block(value)))
        elif field == _OK_ADD:
            to_caller.append(_read_header(as_block(value)))
        elif field in (_OK_SET_QUERY, _OK_REMOVE_QUERY):
            raise CheckFault("it changes the query, by which the call was routed already")
        elif field == _OK_METADATA:
            metadata = _read_struct(as_block(value), 0)
    return Checked(
        passes=True, headers=tuple(headers), removed=tuple(removed), to_caller=tuple(to_caller), metadata=metadata
    )


_ACTIONS: Final = {1: "if_absent", 2: "set", 3: "if_present"}


def _read_header(option: bytes) -> HeaderChange:
    """A HeaderValueOption. `append` is false where it is not written, as these messages have it; append_action 0 says
    nothing, since it may be nobody's word."""
    name, text, appends, action = b"", b"", False, ""
    raw: bytes | None = None
    for field, value in read(option):
        if field == 1:
            for part, content in read(as_block(value)):
                if part == 1:
                    name = _name(as_block(content))
                elif part == 2:
                    text = as_block(content)
                elif part == 3:
                    raw = as_block(content)
        elif field == 2:
            appends = any(part == 1 and as_number(content) for part, content in read(as_block(value)))
        elif field == 3:
            action = _ACTIONS.get(as_number(value), "")
    found = raw or text
    if not name or not is_value(found):
        raise CheckFault("a header has no name, or a value that cannot be written")
    return HeaderChange(name, found, action or ("append" if appends else "set"))


def _name(written: bytes) -> bytes:
    name = written.lower()
    if name.startswith(b":") or not is_name(name) or is_ours(name.decode("ascii", "replace")):
        shown = name[:64].decode("ascii", "replace")
        raise CheckFault(f'"{shown}" is no header that who is asked may write')
    return name


def _read_struct(message: bytes, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise CheckFault("its metadata is nested too deep")
    found: dict[str, Any] = {}
    for field, entry in read(message):
        if field != 1:
            continue
        key, value = "", None
        for part, content in read(as_block(entry)):
            if part == 1:
                key = as_text(content)
            elif part == 2:
                value = _read_value(as_block(content), depth + 1)
        found[key] = value
    return found


def _read_value(message: bytes, depth: int) -> Any:
    found: Any = None
    for field, value in read(message):
        if field == 2:
            found = as_double(value)
        elif field == 3:
            found = as_text(value)
        elif field == 4:
            found = bool(as_number(value))
        elif field == 5:
            found = _read_struct(as_block(value), depth)
        elif field == 6:
            found = _read_list(as_block(value), depth)
        elif field == 1:
            found = None
    return found


def _read_list(message: bytes, depth: int) -> list[Any]:
    if depth > _DEEPEST:
        raise CheckFault("its metadata is nested too deep")
    return [_read_value(as_block(value), depth + 1) for field, value in read(message) if field == 1]


def merged(fields: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Names in lower case, each once, repeated ones joined (RFC 9110 §5.3; cookies by `; `, RFC 9113 §8.2.3)."""
    found: dict[bytes, bytes] = {}
    for name, value in fields:
        before = found.get(name)
        joint = b"; " if name == b"cookie" else b", "
        found[name] = value if before is None else before + joint + value
    return found

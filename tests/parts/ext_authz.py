"""Envoy's external authorisation service by gRPC: a grpcio server that records what it is asked and answers as told.

The messages are made by the protobuf library from the field numbers of Envoy's API (envoy/service/auth/v3,
envoy/config/core/v3, google/rpc/status.proto), so that nothing of ours writes or reads them here.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2, timestamp_pb2, wrappers_pb2

_FIELD = descriptor_pb2.FieldDescriptorProto
_KINDS: Final = {
    "string": _FIELD.TYPE_STRING,
    "bytes": _FIELD.TYPE_BYTES,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "uint32": _FIELD.TYPE_UINT32,
    "bool": _FIELD.TYPE_BOOL,
}
_PACKAGE: Final = "meshway.tests.authz"
# name: fields as `number name type`, `*` = repeated; `map` of texts.
_MESSAGES: Final[dict[str, list[str]]] = {
    "SocketAddress": ["2 address string", "3 port_value uint32"],
    "Address": ["1 socket_address SocketAddress"],
    "Peer": ["1 address Address", "2 service string", "4 principal string", "5 certificate string"],
    "TextEntry": ["1 key string", "2 value string"],
    "StructEntry": ["1 key string", "2 value .google.protobuf.Struct"],
    "HttpRequest": [
        "1 id string",
        "2 method string",
        "3 headers *TextEntry",
        "4 path string",
        "5 host string",
        "6 scheme string",
        "7 query string",
        "8 fragment string",
        "9 size int64",
        "10 protocol string",
        "11 body string",
        "12 raw_body bytes",
    ],
    "Request": ["1 time .google.protobuf.Timestamp", "2 http HttpRequest"],
    "Metadata": ["1 filter_metadata *StructEntry"],
    "TlsSession": ["1 sni string"],
    "AttributeContext": [
        "1 source Peer",
        "2 destination Peer",
        "4 request Request",
        "10 context_extensions *TextEntry",
        "11 metadata_context Metadata",
        "12 tls_session TlsSession",
    ],
    "CheckRequest": ["1 attributes AttributeContext"],
    "Status": ["1 code int32", "2 message string"],
    "HeaderValue": ["1 key string", "2 value string", "3 raw_value bytes"],
    "HeaderValueOption": ["1 header HeaderValue", "2 append .google.protobuf.BoolValue", "3 append_action int32"],
    "HttpStatus": ["1 code int32"],
    "QueryParameter": ["1 key string", "2 value string"],
    "DeniedHttpResponse": ["1 status HttpStatus", "2 headers *HeaderValueOption", "3 body string"],
    "OkHttpResponse": [
        "2 headers *HeaderValueOption",
        "3 dynamic_metadata .google.protobuf.Struct",
        "5 headers_to_remove *string",
        "6 response_headers_to_add *HeaderValueOption",
        "7 query_parameters_to_set *QueryParameter",
        "8 query_parameters_to_remove *string",
    ],
    "CheckResponse": [
        "1 status Status",
        "2 denied_response DeniedHttpResponse",
        "3 ok_response OkHttpResponse",
        "4 dynamic_metadata .google.protobuf.Struct",
    ],
}


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="authz.proto", package=_PACKAGE, syntax="proto3")
    for module in (struct_pb2, timestamp_pb2, wrappers_pb2):
        file.dependency.append(module.DESCRIPTOR.name)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, label, kind in (written.split(" ") for written in fields):
            added = message.field.add(name=label, number=int(number))
            added.label = _FIELD.LABEL_REPEATED if kind.startswith("*") else _FIELD.LABEL_OPTIONAL
            kind = kind.removeprefix("*")
            if kind in _KINDS:
                added.type = _KINDS[kind]
            else:
                added.type = _FIELD.TYPE_MESSAGE
                added.type_name = kind if kind.startswith(".") else f".{_PACKAGE}.{kind}"
    pool = descriptor_pool.Default()
    pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES
    }


_CLASSES: Final = _classes()
CheckRequest: Final = _CLASSES["CheckRequest"]
CheckResponse: Final = _CLASSES["CheckResponse"]


def option(name: str, value: str, append: bool | None = None, action: int = 0) -> dict[str, Any]:
    """A HeaderValueOption."""
    written: dict[str, Any] = {"header": {"key": name, "value": value}, "append_action": action}
    return written if append is None else written | {"append": wrappers_pb2.BoolValue(value=append)}


def yes(**ok: Any) -> Any:
    return CheckResponse(ok_response=ok) if ok else CheckResponse()


def no(code: int = 7, **denied: Any) -> Any:
    return CheckResponse(status={"code": code, "message": "internal words"}, denied_response=denied)


@dataclass
class Judge:
    """says: what a question gets: a message, its bytes, or a gRPC status code. asked: AttributeContexts. metadata: of
    each call. holds: questions wait until it is set."""

    says: Any = None
    port: int = 0
    asked: list[Any] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    peers: set[str] = field(default_factory=set)
    holds: asyncio.Event | None = None
    server: Any = None

    async def check(self, request: bytes, context: Any) -> bytes:
        self.asked.append(CheckRequest.FromString(request).attributes)
        self.metadata.append(dict(context.invocation_metadata()))
        self.peers.add(context.peer())
        if self.holds is not None:
            await self.holds.wait()
        says = yes() if self.says is None else self.says
        if isinstance(says, grpc.StatusCode):
            await context.abort(says, "no")
        return says if isinstance(says, bytes) else bytes(says.SerializeToString())


@asynccontextmanager
async def judge(credentials: Any = None, port: int = 0, **options: int) -> AsyncIterator[Judge]:
    """credentials: of a server by TLS. options: of grpcio's channel, `grpc.` before them, `_` for `.`."""
    found = Judge()
    check: Callable[[bytes, Any], Awaitable[bytes]] = found.check
    handlers = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    server = grpc.aio.server(options=[(f"grpc.{name}", value) for name, value in options.items()])
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("envoy.service.auth.v3.Authorization", handlers),)
    )
    place = f"127.0.0.1:{port}"
    found.port = server.add_insecure_port(place) if credentials is None else server.add_secure_port(place, credentials)
    found.server = server
    await server.start()
    try:
        yield found
    finally:
        if found.holds is not None:
            found.holds.set()
        await server.stop(None)

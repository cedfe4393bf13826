"""A service of gRPC by grpcio, and its descriptors, by which `transcode` makes calls of it."""

import base64
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

from meshway.protobuf import block, octets

SERVICE = "shop.v1.Shop"
HTTP_RULE = 72295728
_F = descriptor_pb2.FieldDescriptorProto
_METHODS = {"GET": 2, "PUT": 3, "POST": 4, "DELETE": 5, "PATCH": 6}


def http_rule(method: str, path: str, body: str = "", response_body: str = "", others: Iterable[bytes] = ()) -> bytes:
    """Of `google.api.http`, as bytes."""
    rule = octets(_METHODS[method], path.encode()) + octets(7, body.encode()) + octets(12, response_body.encode())
    return rule + b"".join(block(11, other) for other in others)


def _message(name: str, *fields: tuple[str, int, Any, str, bool]) -> Any:
    """fields: name, number, type, full name of a message or an enum, repeated."""
    made = descriptor_pb2.DescriptorProto(name=name)
    for field, number, kind, of, is_repeated in fields:
        label = _F.LABEL_REPEATED if is_repeated else _F.LABEL_OPTIONAL
        made.field.add(name=field, number=number, type=kind, type_name=of or None, label=label)
    return made


def http_body_file() -> Any:
    """google/api/httpbody.proto, but for its extensions."""
    file = descriptor_pb2.FileDescriptorProto(name="google/api/httpbody.proto", package="google.api", syntax="proto3")
    fields = (("content_type", 1, _F.TYPE_STRING, "", False), ("data", 2, _F.TYPE_BYTES, "", False))
    file.message_type.append(_message("HttpBody", *fields))
    return file


def shop_file(more: Iterable[tuple[str, bytes]] = ()) -> Any:
    """more: further methods, each from GetBook to Book, with its rule."""
    file = descriptor_pb2.FileDescriptorProto(name="shop.proto", package="shop.v1", syntax="proto3")
    file.dependency.extend(["google/protobuf/timestamp.proto", "google/api/httpbody.proto"])
    kind = file.enum_type.add(name="Kind")
    kind.value.add(name="KIND_UNKNOWN", number=0)
    kind.value.add(name="NOVEL", number=1)
    file.message_type.extend(
        [
            _message(
                "Book",
                ("name", 1, _F.TYPE_STRING, "", False),
                ("title", 2, _F.TYPE_STRING, "", False),
                ("page_count", 3, _F.TYPE_INT64, "", False),
                ("kind", 4, _F.TYPE_ENUM, ".shop.v1.Kind", False),
                ("tags", 5, _F.TYPE_STRING, "", True),
                ("printed", 6, _F.TYPE_MESSAGE, ".google.protobuf.Timestamp", False),
                ("sold", 7, _F.TYPE_BOOL, "", False),
            ),
            _message("Filter", ("tags", 1, _F.TYPE_STRING, "", True), ("page_count", 2, _F.TYPE_INT32, "", False)),
            _message(
                "GetBook",
                ("name", 1, _F.TYPE_STRING, "", False),
                ("full", 2, _F.TYPE_BOOL, "", False),
                ("filter", 3, _F.TYPE_MESSAGE, ".shop.v1.Filter", False),
                ("since", 4, _F.TYPE_MESSAGE, ".google.protobuf.Timestamp", False),
                ("kind", 5, _F.TYPE_ENUM, ".shop.v1.Kind", False),
            ),
            _message(
                "CreateBook",
                ("shelf", 1, _F.TYPE_STRING, "", False),
                ("book", 2, _F.TYPE_MESSAGE, ".shop.v1.Book", False),
            ),
            _message("Books", ("books", 1, _F.TYPE_MESSAGE, ".shop.v1.Book", True)),
            _message(
                "Cover",
                ("name", 1, _F.TYPE_STRING, "", False),
                ("picture", 2, _F.TYPE_MESSAGE, ".google.api.HttpBody", False),
            ),
        ]
    )
    service = file.service.add(name="Shop")
    anywhere = http_rule("GET", "/v1/any/{name=**}")
    for name, asked, answered, streams, rule in (
        ("GetBook", "GetBook", "Book", False, http_rule("GET", "/v1/{name=shelves/*/books/*}", others=[anywhere])),
        ("CreateBook", "CreateBook", "Book", False, http_rule("POST", "/v1/shelves/{shelf}/books", "book")),
        ("Echo", "Book", "Book", False, http_rule("POST", "/v1/books:echo", "*")),
        ("ListBooks", "GetBook", "Book", True, http_rule("GET", "/v1/{name=shelves/*}/books")),
        ("Titles", "GetBook", "Books", False, http_rule("GET", "/v1/titles", response_body="books")),
        ("PutCover", "Cover", "Cover", False, http_rule("PUT", "/v1/{name=covers/*}", "picture", "picture")),
        ("Print", "HttpBody", "HttpBody", False, http_rule("POST", "/v1/print", "*")),
        ("Pages", "GetBook", "HttpBody", True, http_rule("GET", "/v1/{name=pages/*}")),
        *((name, "GetBook", "Book", False, rule) for name, rule in more),
    ):
        types = {kind: f".{'google.api' if kind == 'HttpBody' else 'shop.v1'}.{kind}" for kind in (asked, answered)}
        method = service.method.add(
            name=name, input_type=types[asked], output_type=types[answered], server_streaming=streams
        )
        method.options.ParseFromString(block(HTTP_RULE, rule))
    return file


def descriptor_set(more: Iterable[tuple[str, bytes]] = (), *, with_imports: bool = True) -> bytes:
    files = descriptor_pb2.FileDescriptorSet()
    if with_imports:
        files.file.add().ParseFromString(timestamp_pb2.DESCRIPTOR.serialized_pb)
    files.file.add().CopyFrom(http_body_file())
    files.file.add().CopyFrom(shop_file(more))
    return bytes(files.SerializeToString())


def shop_pool() -> Any:
    """Its file, and what that imports."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(http_body_file())
    pool.Add(shop_file())
    return pool


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Shop:
    """asked: the messages that came, with their metadata. fails: by which code the next calls fail."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.seen: list[dict[str, str]] = []
        self.fails: grpc.StatusCode | None = None
        self.details: tuple[tuple[str, bytes], ...] = ()
        self.port = 0
        pool = shop_pool()
        names = [
            "google.api.HttpBody",
            *(f"shop.v1.{name}" for name in ("Book", "GetBook", "CreateBook", "Books", "Cover")),
        ]
        self._classes = {
            name.rpartition(".")[2]: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in names
        }

    def handlers(self) -> dict[str, Any]:
        async def take(request: Any, context: Any) -> None:
            self.asked.append(request)
            self.seen.append({str(key): str(value) for key, value in context.invocation_metadata() or ()})
            if self.fails is not None:
                context.set_trailing_metadata(self.details)
                await context.abort(self.fails, "as asked: 100 %")

        def book(**fields: Any) -> Any:
            return self._classes["Book"](**fields)

        async def get(request: Any, context: Any) -> Any:
            await take(request, context)
            return book(name=request.name, title="Dune", page_count=600, kind=1, tags=["a", "b"])

        async def create(request: Any, context: Any) -> Any:
            await take(request, context)
            made = book()
            made.CopyFrom(request.book)
            made.name = f"shelves/{request.shelf}/books/1"
            return made

        async def echo(request: Any, context: Any) -> Any:
            await take(request, context)
            return request

        async def books(request: Any, context: Any) -> AsyncIterator[Any]:
            for number in range(3):
                yield book(name=f"{request.name}/books/{number}")
            await take(request, context)

        async def titles(request: Any, context: Any) -> Any:
            await take(request, context)
            return self._classes["Books"](books=[book(title="Dune"), book(title="Emma")])

        async def pages(request: Any, context: Any) -> AsyncIterator[Any]:
            for kind in ("text/html; charset=utf-8", "text/plain"):  # the first one holds
                yield self._classes["HttpBody"](content_type=kind, data=f"<p>{request.name}</p>".encode())
            await take(request, context)

        def unary(run: Any, asked: str) -> Any:
            return grpc.unary_unary_rpc_method_handler(
                run, self._classes[asked].FromString, lambda answer: answer.SerializeToString()
            )

        return {
            "GetBook": unary(get, "GetBook"),
            "CreateBook": unary(create, "CreateBook"),
            "Echo": unary(echo, "Book"),
            "Titles": unary(titles, "GetBook"),
            "PutCover": unary(echo, "Cover"),
            "Print": unary(echo, "HttpBody"),
            "Pages": grpc.unary_stream_rpc_method_handler(
                pages, self._classes["GetBook"].FromString, lambda answer: answer.SerializeToString()
            ),
            "ListBooks": grpc.unary_stream_rpc_method_handler(
                books, self._classes["GetBook"].FromString, lambda answer: answer.SerializeToString()
            ),
        }


@asynccontextmanager
async def shop_service() -> AsyncIterator[Shop]:
    shop = Shop()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, shop.handlers()),))
    shop.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield shop
    finally:
        await server.stop(None)

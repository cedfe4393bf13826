"""A service of gRPC by grpcio, with a method of each kind; bytes are messages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


class Books:
    """One service with a method of each kind; bytes are messages. `code 14` fails by that code.

    cancelled: calls that were given up. failures: how many more of those that ask for a code get it; says: their
    trailers. left: seconds that each call said it had, None: it said nothing.
    """

    def __init__(self) -> None:
        self.cancelled = 0
        self.seen: list[dict[str, str]] = []
        self.left: list[float | None] = []
        self.port = 0
        self.failures = 1 << 30
        self.says: tuple[tuple[str, str], ...] = ()

    async def echo(self, request: bytes, context: "grpc.aio.ServicerContext[Any, Any]") -> bytes:
        sent = dict(context.invocation_metadata() or ())
        self.seen.append({key: str(value) for key, value in sent.items()})
        self.left.append(context.time_remaining())
        if request == b"fail":
            context.set_trailing_metadata((("x-why", "asked"),))
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "as asked")
        if request.startswith(b"code "):
            if self.failures:
                self.failures -= 1
                context.set_trailing_metadata(self.says)
                await context.abort(_BY_NUMBER[int(request[5:])], "as asked")
            return b"well"
        if request == b"wait":
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        octets = sent.get("x-trail-bin")
        given = () if octets is None else (("x-trail-bin", octets),)
        if octets is not None:
            await context.send_initial_metadata((("x-head-bin", octets),))
        context.set_trailing_metadata((("x-sum", str(len(request))), ("x_sum", "underscored"), *given))
        return request

    async def count(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        for number in range(int(request)):
            yield b"%d" % number

    async def total(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        return b"%d" % sum([int(each) async for each in requests])

    async def talk(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for each in requests:
            yield each.upper()


@asynccontextmanager
async def books() -> AsyncIterator[Books]:
    service = Books()
    server = grpc.aio.server()
    handlers = {
        "Echo": grpc.unary_unary_rpc_method_handler(service.echo),
        "Count": grpc.unary_stream_rpc_method_handler(service.count),
        "Total": grpc.stream_unary_rpc_method_handler(service.total),
        "Talk": grpc.stream_stream_rpc_method_handler(service.talk),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Books", handlers),))
    service.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield service
    finally:
        await server.stop(None)

"""What a traced call of gRPC says of the status it ended with."""

from pathlib import Path

import grpc
import grpc.aio
import pytest

from meshway.snapshot import Change
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import compiled_gateway
from tests.parts.conditions import until
from tests.parts.grpc_books import books
from tests.parts.ports import free_port

ROUTE = document("Route", "r", edge_route(to("books"), hosts=["*"]))
BY_HTTP2 = document("TrafficPolicy", "h2", {"targets": [{"service": "books"}], "connection": {"http": "http2"}})
TRACED = document("Telemetry", "t", {"traces": {"head_percent": 100}})


def at(port: int) -> Change:
    return running("books", "b-1", port=port)


@pytest.mark.parametrize(("message", "code"), [(b"well", 0), (b"fail", 9), (b"code 14", 14)])
async def test_a_span_has_the_status_that_the_service_gave(tmp_path: Path, message: bytes, code: int) -> None:
    async with (
        books() as service,
        compiled_gateway(at(service.port), ROUTE, BY_HTTP2, TRACED, log_folder=tmp_path) as gateway,
        grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel,
    ):
        call = channel.unary_unary("/shop.Books/Echo")(message, timeout=20)
        assert (await call.code()).value[0] == code
        assert gateway.telling is not None
        telling = gateway.telling
        await until(lambda: telling.spans, what="its spans")
        said = telling.spans[0].attributes
        assert (said["rpc.system"], said["rpc.grpc.status_code"]) == ("grpc", code)


async def test_a_span_has_the_status_that_the_gateway_gave_instead(tmp_path: Path) -> None:
    async with (
        compiled_gateway(at(free_port()), ROUTE, BY_HTTP2, TRACED, log_folder=tmp_path) as gateway,
        grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel,
    ):
        call = channel.unary_unary("/shop.Books/Echo")(b"x", timeout=20)
        assert await call.code() == grpc.StatusCode.UNAVAILABLE
        assert gateway.telling is not None
        telling = gateway.telling
        await until(lambda: telling.spans, what="its spans")
        assert telling.spans[0].attributes["rpc.grpc.status_code"] == 14


async def test_a_span_of_another_protocol_speaks_of_none(tmp_path: Path) -> None:
    async with compiled_gateway(at(free_port()), ROUTE, TRACED, log_folder=tmp_path) as gateway:
        await gateway.ask("/")
        assert gateway.telling is not None
        telling = gateway.telling
        await until(lambda: telling.spans, what="its spans")
        assert not [name for name in telling.spans[0].attributes if name.startswith("rpc.")]

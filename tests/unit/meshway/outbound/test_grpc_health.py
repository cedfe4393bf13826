"""The gRPC health question, asked of grpcio and of servers that answer anything."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshway.outbound.connection import PlainError, dial
from meshway.outbound.grpc_health import _serving_status, ask_serving
from tests.parts.grpc_health_server import NOT_SERVING, SERVING, grpc_health


async def ask(port: int, service: str = "", timeout_s: float = 5.0) -> str:
    return await ask_serving(await dial("127.0.0.1", port, timeout_s), f"127.0.0.1:{port}", service, timeout_s)


async def test_a_server_that_serves_passes_and_says_so_for_each_service() -> None:
    # A name above 127 bytes takes two bytes of length.
    long = "shop." + "x" * 200
    async with grpc_health(whole=SERVING, good=SERVING, bad=NOT_SERVING, odd=b"\x10\x07\x1a\x02hi\x08\x01") as server:
        server.says[long] = SERVING
        assert await ask(server.port) == ""
        assert await ask(server.port, "good") == ""
        assert await ask(server.port, "odd") == ""
        assert await ask(server.port, "bad") == "status"
        assert await ask(server.port, "nobody") == "status"
        server.says["bad"] = b""
        assert await ask(server.port, "bad") == "status"
        assert server.asked[:2] == ["", "good"]


async def test_a_server_without_the_health_service_fails() -> None:
    import grpc

    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    assert await ask(port) == "status"
    await server.stop(None)


@pytest.mark.parametrize(
    ("says", "failure"),
    [
        (b"\0\0\x05\x04\0\0\0\0\0hello", "protocol"),  # SETTINGS of five bytes
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "reset"),
        (b"", "reset"),
        (None, "timeout"),
    ],
)
async def test_what_is_no_http2_fails(says: bytes | None, failure: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        if says is not None:
            writer.write(says)
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        assert await ask(port, timeout_s=0.3) == failure
    except PlainError as error:
        assert error.reason == failure  # noqa: PT017 - either way says it
    finally:
        server.close()


@given(st.binary(max_size=64))
def test_any_bytes_are_a_status_or_no_message(body: bytes) -> None:
    for message in (body, b"\0" + len(body).to_bytes(4, "big") + body):
        try:
            assert _serving_status(message) >= 0
        except (ValueError, IndexError):
            pass

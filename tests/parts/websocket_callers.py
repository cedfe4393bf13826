"""Callers that ask for WebSocket on a stream of many: by HTTP/2 (RFC 8441) and by HTTP/3 (RFC 9220)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.wire.listener_context import ListenerContext
from tests.parts import http2_caller, http3_caller
from tests.parts.compiled import CompiledGateway
from tests.parts.http2_caller import Answer, Fields, Http2Caller
from tests.parts.http3_caller import Http3Caller
from tests.parts.http3_wire import http3_beside

CONNECT = 0x8  # SETTINGS_ENABLE_CONNECT_PROTOCOL
StreamsCaller = Http2Caller | Http3Caller


@asynccontextmanager
async def by_http2(
    gateway: CompiledGateway, *, takes: bool = True
) -> AsyncIterator[tuple[StreamsCaller, ListenerContext]]:
    assert gateway.listener is not None
    async with http2_caller.calling(gateway.port) as caller:
        caller.takes = takes
        yield caller, gateway.listener


@asynccontextmanager
async def by_http3(
    gateway: CompiledGateway, *, takes: bool = True
) -> AsyncIterator[tuple[StreamsCaller, ListenerContext]]:
    assert gateway.listener is not None
    async with http3_beside(gateway.listener) as beside, http3_caller.calling(beside.port, takes=takes) as caller:
        yield caller, beside.context


async def asked(
    caller: StreamsCaller, more: Fields | None = None, protocol: bytes = b"websocket"
) -> tuple[int, Answer]:
    """The stream, and what will be answered, once the gateway has said that it may be asked."""
    await caller.until(lambda: _settings(caller).get(CONNECT) == 1)
    stream = caller.begin(
        [
            (b":method", b"CONNECT"),
            (b":protocol", protocol),
            (b":scheme", b"http" if isinstance(caller, Http2Caller) else b"https"),
            (b":authority", b"shop.example"),
            (b":path", b"/chat?room=1"),
            (b"sec-websocket-version", b"13"),
            *(more or []),
        ],
        ended=False,
    )
    return stream, caller.answers[stream]


async def opened(
    caller: StreamsCaller, more: Fields | None = None, protocol: bytes = b"websocket"
) -> tuple[int, Answer]:
    """Likewise, once it is answered."""
    stream, answer = await asked(caller, more, protocol)
    await caller.until(lambda: answer.status)
    return stream, answer


async def send(caller: StreamsCaller, stream: int, data: bytes, *, ended: bool = False) -> None:
    if isinstance(caller, Http2Caller):
        await caller.send(stream, data, ended=ended)
    else:
        caller.send(stream, data, ended=ended)


def reset(caller: StreamsCaller, stream: int) -> None:
    if isinstance(caller, Http2Caller):
        caller.connection.reset_stream(stream)
        caller.flush()
    else:
        caller.reset(stream)


def _settings(caller: StreamsCaller) -> dict[int, int]:
    if isinstance(caller, Http2Caller):
        return dict(caller.connection.remote_settings)
    return (caller.h3 and caller.h3.received_settings) or {}

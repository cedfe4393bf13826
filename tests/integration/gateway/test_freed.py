"""What is over is freed at once, without the collector of cycles: else a worker's memory drifts by what is carried."""

import gc
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from tests.integration.gateway.test_connect import database
from tests.integration.gateway.test_connect_http2 import connected
from tests.integration.gateway.test_udp_routes import datagrams, listener, route
from tests.integration.gateway.test_websocket import CLOSE, MASK, calling, echoing, websocket
from tests.parts.changes import running
from tests.parts.conditions import until
from tests.parts.datagrams import DatagramService, named
from tests.parts.http2_caller import calling as calling_http2
from tests.parts.tcp import carrying, echo, serving, tcp_route
from tests.parts.tcp import listener as bytes_listener
from tests.parts.websocket import frame
from tests.parts.websocket_callers import opened

TIMES: Final = 5
WITHIN_S: Final = 5.0
# The wheel lets one that is not set any more go when its tick comes; it holds nothing then.
TIMER: Final = "gateway.wire.interfaces.Timer"


def _held() -> Counter[str]:
    found = (type(each) for each in gc.get_objects() if str(type(each).__module__).startswith("gateway."))
    held = Counter(f"{kind.__module__}.{kind.__name__}" for kind in found)
    del held[TIMER]
    return held


async def _leaves_nothing(once: Callable[[], Awaitable[None]]) -> None:
    """once: from the beginning to what is told of the end."""
    await once()  # what is made once stays
    gc.collect()
    gc.disable()
    try:
        before = _held()
        for _ in range(TIMES):
            await once()
        left: Counter[str] = Counter()

        def is_free() -> bool:
            left.clear()
            left.update(_held() - before)
            return not left

        try:
            await until(is_free, within_s=WITHIN_S)
        except AssertionError:
            raise AssertionError(f"left by {TIMES}: {dict(left)}") from None
    finally:
        gc.enable()


async def test_a_connection_of_bytes_is_freed_when_it_is_over() -> None:
    async with (
        serving(echo(b"220 ready\n")) as port,
        carrying(running("db", "1", port=port), bytes_listener(), tcp_route("db")) as place,
    ):
        place.open()

        async def once() -> None:
            assert await place.ask(b"hello") == b"220 ready\nhello"
            await place.line()

        await _leaves_nothing(once)


async def test_a_websocket_is_freed_when_it_is_over() -> None:
    async with echoing(websocket()) as gateway:

        async def once() -> None:
            told = len(gateway.lines)
            async with calling(gateway) as talk:
                await talk.send("hello")
                assert await talk.recv() == "hello"
            await until(lambda: len(gateway.lines) > told)

        await _leaves_nothing(once)


async def test_a_session_of_datagrams_is_freed_when_it_is_over() -> None:
    service = DatagramService(named(b"a"))
    async with datagrams(running("game", "a", port=service.port), listener(), route(idle="1s")) as (place, sources):

        async def once() -> None:
            told = len(place.gateway.lines)
            assert await sources.one().ask(b"hello") == b"a hello"
            place.listener.abort_all()
            await until(lambda: len(place.gateway.lines) > told)

        await _leaves_nothing(once)
    service.close()


async def test_streams_of_http2_are_freed_when_they_are_over() -> None:
    """A call and a WebSocket, of one connection."""
    async with echoing(websocket()) as gateway, calling_http2(gateway.port) as caller:

        async def once() -> None:
            told = len(gateway.lines)
            assert (await caller.answer(caller.get(b"/"))).status == 426  # the service's own word
            stream, answer = await opened(caller)
            await caller.send(stream, frame(CLOSE, b"\x03\xe8", key=MASK))
            await caller.until(lambda: answer.is_whole)
            await caller.send(stream, b"", ended=True)
            await until(lambda: len(gateway.lines) == told + 2)

        await _leaves_nothing(once)


async def test_a_connect_by_http2_is_freed_when_it_is_over() -> None:
    async with serving(echo(b"ready ")) as port, database(port) as gateway, calling_http2(gateway.port) as caller:

        async def once() -> None:
            told = len(gateway.lines)
            stream, answer = await connected(caller)
            await caller.send(stream, b"hello", ended=True)
            await caller.until(lambda: answer.is_whole)
            await until(lambda: len(gateway.lines) > told)

        await _leaves_nothing(once)

"""What a Listener allows: each limit turns a real call's fate, for connections that come after the document."""

import asyncio
from typing import Any

import pytest

from gateway.relay.deadline import TICK_S
from meshway.snapshot import Change
from tests.integration.gateway.test_decisions import saying
from tests.parts.changes import document, edge_route, gone, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.wire import Caller

GET = b"GET / HTTP/1.1\r\nHost: shop.example\r\n"


def listener(**limits: Any) -> Change:
    return document("Listener", "edge", {"limits": limits}, "mesh")


class Shop:
    def __init__(self, gateway: CompiledGateway) -> None:
        self.gateway = gateway

    async def open(self) -> Caller:
        return Caller(*await asyncio.open_connection("127.0.0.1", self.gateway.port))

    async def status(self, data: bytes) -> int:
        """Of what is answered to these bytes; 0: the connection ended without an answer."""
        caller = await self.open()
        caller.send(data)
        try:
            return int((await caller.head()).split()[1])
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return 0
        finally:
            caller.writer.close()


@pytest.mark.parametrize(
    ("limits", "sent", "usual", "limited"),
    [
        pytest.param({"head": "1KiB"}, GET + b"X-A: " + b"a" * 2_000 + b"\r\n\r\n", 200, 431, id="head"),
        pytest.param({"fields": 3}, GET + b"X-A: a\r\n" * 5 + b"\r\n", 200, 431, id="fields"),
        pytest.param({"target": 256}, GET.replace(b"/ ", b"/%b " % (b"a" * 300), 1) + b"\r\n", 200, 414, id="target"),
    ],
)
@pytest.mark.proves("Listener.limits", "ListenerLimits.head", "ListenerLimits.fields", "ListenerLimits.target")
async def test_a_head_is_as_large_as_the_listener_allows(
    limits: dict[str, Any], sent: bytes, usual: int, limited: int
) -> None:
    books = saying("books")
    async with books.running():
        route = document("Route", "r", edge_route(to("books")))
        async with compiled_gateway(running("books", "1", port=books.port), route) as gateway:
            shop = Shop(gateway)
            assert await shop.status(sent) == usual
            gateway.apply(listener(**limits))
            assert await shop.status(sent) == limited
            gateway.apply(gone("Listener", "edge", "mesh"))
            assert await shop.status(sent) == usual


@pytest.mark.proves("ListenerLimits.head_timeout", "ListenerLimits.idle_timeout")
async def test_who_is_slow_or_silent_is_ended_as_the_listener_says() -> None:
    async with compiled_gateway(listener(head_timeout="100ms", idle_timeout="200ms")) as gateway:
        shop = Shop(gateway)
        assert await shop.status(GET) == 408
        silent = await shop.open()
        assert await silent.rest() == b""


@pytest.mark.proves("ListenerLimits.connections", "ListenerLimits.connections_per_address")
async def test_connections_are_counted_as_the_listener_says() -> None:
    whole = GET + b"\r\n"
    async with compiled_gateway() as gateway:
        shop = Shop(gateway)
        first = await shop.open()
        first.send(whole)
        assert (await first.answer())[0] == 404
        gateway.apply(listener(connections=1))
        assert await shop.status(whole) == 503
        gateway.apply(listener(connections_per_address=1))
        assert await shop.status(whole) == 0
        first.writer.close()
        served = 0

        async def is_served() -> None:
            nonlocal served
            while served != 404:
                served = await shop.status(whole)

        await asyncio.wait_for(is_served(), 10.0)
        gateway.apply(gone("Listener", "edge", "mesh"))
        assert await shop.status(whole) == 404


@pytest.mark.proves("ListenerLimits.body_min_rate", "ListenerLimits.write_idle")
async def test_bodies_come_and_answers_are_taken_as_fast_as_the_listener_says() -> None:
    books = saying("b" * 20_000_000)
    async with books.running():
        route = document("Route", "r", edge_route(to("books")))
        slow = GET.replace(b"GET", b"POST") + b"Content-Length: 100\r\n\r\n"
        async with compiled_gateway(running("books", "1", port=books.port), route) as gateway:
            shop = Shop(gateway)
            gateway.apply(listener(body_min_rate=0, write_idle="100ms"))
            patient, taking_none = await shop.open(), await shop.open()
            taking_none.writer.transport.pause_reading()  # type: ignore[attr-defined]
            taking_none.send(GET + b"\r\n")
            await until(lambda: any("DC" in line["flag"] for line in gateway.lines), what="who takes nothing cut")
            patient.send(slow)
            await until(lambda: len(books.raw) == 2)
            gateway.apply(listener(body_min_rate=1000))
            impatient = await shop.open()
            impatient.send(slow)
            await until(lambda: len(books.raw) == 3)
            for _ in range(2):  # in the first span his body waited for a connection to the service
                gateway.leap(11.0)
                await asyncio.sleep(2 * TICK_S)
            assert b" 408 " in await impatient.head()
            patient.send(b"x" * 100)
            assert b" 200 " in await patient.head()


@pytest.mark.proves("Listener.underscores")
async def test_fields_with_underscores_go_on_where_the_listener_says_so() -> None:
    books = saying("books")
    async with books.running():
        route = document("Route", "r", edge_route(to("books")))
        async with compiled_gateway(running("books", "1", port=books.port), route) as gateway:
            for said, status, arrives in (("drop", 200, []), ("pass", 200, [b"1"]), ("reject", 400, None)):
                gateway.apply(document("Listener", "edge", {"underscores": said}, "mesh"))
                assert (await gateway.ask(fields="X_A: 1\r\n"))[0] == status
                if arrives is not None:
                    assert books.requests[-1].values(b"x_a") == arrives
            gateway.apply(document("Listener", "edge", {"underscores": "pass"}, "mesh"))
            assert (await gateway.ask(fields="X_Forwarded_For: 1.2.3.4\r\nmeshway_attempt: 9\r\n"))[0] == 200
            lines = b"".join(books.requests[-1].lines).lower()
            assert b"1.2.3.4" not in lines
            assert b"_attempt" not in lines

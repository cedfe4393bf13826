import asyncio
import socket

import pytest

from gateway.exchange import EDGE
from gateway.plan import RoutePlan
from gateway.upstream.cluster import Cluster
from gateway.wire.connection_limits import ConnectionLimits
from gateway.wire.http1.server import ServerProtocol
from gateway.wire.places import LOOK_EVERY, Places
from tests.parts.conditions import until
from tests.parts.one_route import plan
from tests.parts.wire import Caller, ScriptedUpstream, answering, read_head, wire

MIB = 1 << 20
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
# What the kernel's buffers of two loopback connections may hold, and what we may.
MOST_UNDER_WAY = 24 * MIB


async def test_a_service_faster_than_its_caller_is_held_back() -> None:
    sent = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (100 * MIB))
        for _ in range(100 * 16):
            writer.write(b"x" * (MIB // 16))
            sent += MIB // 16
            await writer.drain()

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
        caller.send(GET)
        last = -1
        while last != sent:
            last = sent
            await asyncio.sleep(0.2)
        assert 0 < sent < MOST_UNDER_WAY
        connection = next(iter(gateway.context.connections))
        assert isinstance(connection, ServerProtocol)
        assert connection.is_busy
        assert connection._transport.get_write_buffer_size() < MIB
        caller.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await caller.head()
        for _ in range(100):
            await caller.exactly(MIB)
        assert (await gateway.last()).bytes_out == 100 * MIB


async def test_a_caller_faster_than_the_service_is_held_back() -> None:
    go_on = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        await go_on.wait()
        for _ in range(50):
            await reader.readexactly(MIB)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (50 * MIB))
        taken = 0

        async def send() -> None:
            nonlocal taken
            for _ in range(50 * 16):
                caller.send(b"x" * (MIB // 16))
                await caller.writer.drain()
                taken += MIB // 16

        sending = asyncio.ensure_future(send())  # noqa: TID251
        last = -1
        while last != taken:
            last = taken
            await asyncio.sleep(0.2)
        assert taken < MOST_UNDER_WAY
        go_on.set()
        await sending
        assert (await caller.answer())[0] == 200
        assert (await gateway.last()).bytes_in == 50 * MIB


async def test_a_chunked_stream_arrives_as_it_is_sent() -> None:
    turn = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for n in range(3):
            writer.write(b"2\r\n%d\n\r\n" % n)
            await turn.wait()
            turn.clear()
        writer.write(b"0\r\n\r\n")

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(GET)
        await caller.head()
        for n in range(3):
            assert await caller.until(b"%d\n\r\n" % n) == b"2\r\n%d\n\r\n" % n
            turn.set()
        assert await caller.exactly(5) == b"0\r\n\r\n"


async def test_an_answer_may_flow_while_the_request_still_does() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while (line := await reader.readuntil(b"\r\n")) != b"0\r\n":
            writer.write(line + await reader.readuntil(b"\r\n"))
        await reader.readuntil(b"\r\n")
        writer.write(b"0\r\n\r\n")

    async with ScriptedUpstream(echo).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        await caller.head()
        for word in (b"one", b"two"):
            caller.send(b"3\r\n" + word + b"\r\n")
            assert await caller.until(word + b"\r\n") == b"3\r\n" + word + b"\r\n"
        caller.send(b"0\r\n\r\n")
        assert await caller.rest() == b"0\r\n\r\n"


async def test_a_websocket_passes_both_ways_and_each_half_closes_alone() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in head
        writer.write(SWITCHED + b"welcome")
        while data := await reader.read(1000):
            writer.write(data.upper())
        writer.write(b"bye")

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(UPGRADE + b"early")
        assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in await caller.head()
        assert await caller.exactly(12) == b"welcomeEARLY"
        caller.send(b"ping")
        assert await caller.exactly(4) == b"PING"
        caller.writer.write_eof()
        assert await caller.rest() == b"bye"
        exchange = await gateway.last()
        assert (exchange.status, exchange.flag, exchange.bytes_in, exchange.bytes_out) == (101, "", 9, 19)


async def test_a_websocket_that_the_service_closes_first_is_closed_to_the_caller() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(SWITCHED + b"bye")

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(UPGRADE)
        await caller.head()
        assert await caller.rest() == b"bye"
        caller.writer.close()
        assert (await gateway.last()).status == 101
        await until(lambda: not gateway.context.connections)


async def test_a_refused_upgrade_is_an_ordinary_answer_and_the_connection_goes_on() -> None:
    upstream = ScriptedUpstream(answering(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"))
    async with upstream.running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        for _ in range(2):
            caller.send(UPGRADE)
            assert (await caller.answer())[0] == 403


async def test_a_websocket_is_held_back_as_a_body_is() -> None:
    go_on = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(SWITCHED)
        await go_on.wait()
        while await reader.read(MIB):
            pass

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(UPGRADE)
        await caller.head()

        async def send_much() -> None:
            for _ in range(100):
                caller.send(b"x" * MIB)
                await caller.writer.drain()

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(send_much(), 0.5)
        go_on.set()
        caller.writer.close()
        assert 0 < (await gateway.last()).bytes_in < MOST_UNDER_WAY


def _upgraded_idle(target: Cluster) -> RoutePlan:
    return plan(target, upgraded_idle_s=0.2, deadline_s=0.1)


async def test_a_silent_websocket_ends_after_its_idle_time_and_not_by_the_deadline() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(SWITCHED)
        await asyncio.sleep(0.15)
        writer.write(b"late")
        await reader.read()

    async with (
        ScriptedUpstream(handle).running() as service,
        wire(service.port, make_plan=_upgraded_idle) as gateway,
    ):
        caller = await gateway.open()
        caller.send(UPGRADE)
        await caller.head()
        assert await caller.exactly(4) == b"late"
        with pytest.raises(ConnectionResetError):  # what is cut does not look like what has ended
            await caller.rest()
        assert (await gateway.last()).flag == "SI"


async def test_an_idle_connection_is_closed_and_a_head_that_does_not_end_is_408() -> None:
    limits = ConnectionLimits(idle_s=0.3, head_s=0.1)
    async with wire(limits=limits) as gateway:
        idle, slow, used = await gateway.open(), await gateway.open(), await gateway.open()
        slow.send(b"GET / HTTP/1.1\r\nHos")
        trickle = asyncio.ensure_future(_trickle(slow))  # noqa: TID251
        used.send(b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await used.answer())[0] == 404
        assert (await slow.rest()).startswith(b"HTTP/1.1 408 ")
        assert await idle.rest() == b""
        assert await used.rest() == b""
        await trickle


async def _trickle(caller: Caller) -> None:
    """A byte now and then buys no more time."""
    for _ in range(20):
        caller.send(b"t")
        await asyncio.sleep(0.01)


async def test_a_body_that_trickles_is_408_at_the_edge() -> None:
    limits = ConnectionLimits(body_rate=100, body_grace_s=0.2)
    upstream = ScriptedUpstream(answering(b""))
    async with upstream.running() as service, wire(service.port, face=EDGE, limits=limits) as gateway:
        caller = await gateway.open()
        caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n" + b"x" * 5000)
        await asyncio.sleep(0.3)  # the first span was fast enough
        caller.send(b"x")
        assert (await caller.rest()).startswith(b"HTTP/1.1 408 ")
        assert (await gateway.last()).reason == "request_timeout"


async def test_a_caller_who_takes_nothing_is_cut_off() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (100 * MIB))
        while True:
            writer.write(b"x" * MIB)
            await writer.drain()

    limits = ConnectionLimits(write_stall_s=0.2)
    async with ScriptedUpstream(handle).running() as service, wire(service.port, limits=limits) as gateway:
        caller = await gateway.open()
        caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
        caller.send(GET)
        assert (await gateway.last()).flag == "DC"


@pytest.mark.parametrize("connection", [b"", b"Connection: close\r\n"])
async def test_a_caller_who_takes_none_of_a_small_answer_is_cut_as_well(connection: bytes) -> None:
    """What is below the high water pauses nobody, and must not hold the connection open for ever."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60_000
    limits = ConnectionLimits(write_stall_s=0.2, idle_s=0.2)
    async with ScriptedUpstream(answering(answer)).running() as service, wire(service.port, limits=limits) as gateway:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", gateway.port))
            await until(lambda: gateway.context.connections)
            (connected,) = gateway.context.connections
            assert isinstance(connected, ServerProtocol)
            ours = connected._transport.get_extra_info("socket")
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
            await asyncio.get_running_loop().sock_sendall(sock, b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % connection)
            assert (await gateway.last()).status == 200
            await until(lambda: not gateway.context.connections, what="a connection that is cut")
        assert gateway.context.cut == 1


@pytest.mark.parametrize(
    ("most", "most_descriptors", "is_short", "lacking"),
    [
        (1, 1 << 20, False, "connections"),
        (9, 0, False, "descriptors"),
        (9, 1 << 20, True, "memory"),
    ],
)
async def test_a_worker_that_lacks_something_takes_no_new_connection(
    most: int, most_descriptors: int, is_short: bool, lacking: str
) -> None:
    places = Places(most, 1 << 20)
    async with ScriptedUpstream(answering(OK)).running() as service, wire(service.port, places=places) as gateway:
        caller = await gateway.open()
        caller.send(GET)
        assert (await caller.answer())[0] == 200
        places.most_descriptors, places.is_short_of_memory, places.unseen = most_descriptors, is_short, LOOK_EVERY
        answer = await (await gateway.open()).rest()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert f'"lacking":"{lacking}"'.encode() in answer
        assert places.refused == {lacking: 1}
        caller.send(GET)
        assert (await caller.answer())[0] == 200, "who is in is served on"
        places.is_short_of_memory, places.most, places.most_descriptors = False, 9, 1 << 20
        assert (await gateway.ask(GET))[0] == 200
    assert places.taken == 0


async def test_connections_of_one_call_each_leave_nothing_in_the_timer_wheel() -> None:
    async with ScriptedUpstream(answering(OK)).running() as service, wire(service.port) as gateway:
        filed = []
        for _ in range(3):
            assert (await gateway.ask(GET))[0] == 200
            await until(lambda: not gateway.context.connections, what="the connection is closed")
            filed.append(len(gateway.context.relay.wheel))
        assert filed[1:] == filed[:1] * 2, "each took over the timers of the one before"


async def test_too_many_connections_are_refused_and_those_of_one_address_reset() -> None:
    async with wire(limits=ConnectionLimits(connections=2)) as gateway:
        kept = [await gateway.open() for _ in range(2)]
        refused = await gateway.open()
        answer = await refused.rest()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in answer
        kept[0].writer.close()
        await until(lambda: len(gateway.context.connections) == 1)
        assert (await gateway.ask(b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n"))[0] == 404
    async with wire(limits=ConnectionLimits(per_address=1)) as gateway:
        first = await gateway.open()
        await until(lambda: gateway.context.connections)
        second = await gateway.open()
        try:
            assert await second.rest() == b""
        except ConnectionResetError:
            pass
        first.send(b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await first.answer())[0] == 404

import asyncio

import pytest

from gateway.plan import RoutePlan
from gateway.upstream.cluster import Cluster
from tests.parts.one_route import DEFAULT_CONDITIONS, plan, retry_plan
from tests.parts.wire import ScriptedUpstream, answering, read_head, wire

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 103 Early\r\n\r\n" * 11 + OK,
    ],
)
async def test_an_answer_against_the_rules_is_502(answer: bytes) -> None:
    async with ScriptedUpstream(answering(answer)).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(GET)
        head = await caller.head()
        while head.startswith(b"HTTP/1.1 103 "):
            head = await caller.head()
        assert head.startswith(b"HTTP/1.1 502 ")
        assert b"meshway-reason: upstream_protocol" in head
        assert (await gateway.last()).flag == "UPE"
        assert gateway.cluster.endpoints[0].idle == []


@pytest.mark.parametrize("extra", [b"x", OK])
async def test_bytes_after_an_answer_poison_the_connection(extra: bytes) -> None:
    async with ScriptedUpstream(answering(OK + extra)).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        for _ in range(3):
            caller.send(GET)
            assert (await caller.answer())[2] == b"hello"
        assert len(service.received) == 3


async def test_an_answer_nobody_asked_for_closes_the_idle_connection() -> None:
    speak = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(OK)
        await speak.wait()
        writer.write(OK)
        assert await reader.read() == b""

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(GET)
        await caller.answer()
        idle = gateway.cluster.endpoints[0].idle
        assert len(idle) == 1
        speak.set()
        for _ in range(500):
            if not idle:
                break
            await asyncio.sleep(0.01)
        assert idle == []


@pytest.mark.parametrize(
    ("begun", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"5\r\nhello\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n", b"5\r\nhello\r\n"),
    ],
)
async def test_a_cut_answer_is_never_ended_cleanly(begun: bytes, whole: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        head, _, body = begun.partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        await asyncio.sleep(0.02)
        writer.write(body)

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(GET)
        await caller.head()
        assert whole.startswith(await caller.rest())
        assert (await gateway.last()).flag in ("UC", "UPE")


async def test_a_cut_answer_to_an_http_1_0_caller_is_a_reset_since_an_end_would_look_whole() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await asyncio.sleep(0.05)

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        await caller.head()
        assert await caller.exactly(5) == b"hello"
        with pytest.raises(ConnectionResetError):
            await caller.rest()


async def test_a_refused_connection_is_502_connect_failed_with_the_reason_in_a_problem() -> None:
    async with ScriptedUpstream(answering(OK)).running() as service:
        port = service.port
    async with wire(port) as gateway:
        status, head, body = await gateway.ask(GET)
        assert status == 502
        assert b"Content-Type: application/problem+json" in head
        assert b'"code":"connect_failed"' in body
        assert (await gateway.last()).flag == "UF,URX"


async def test_a_dead_instance_costs_no_call_while_another_lives() -> None:
    async with ScriptedUpstream(answering(OK)).running() as dead:
        dead_port = dead.port
    async with ScriptedUpstream(answering(OK)).running() as service, wire(dead_port, service.port) as gateway:
        caller = await gateway.open()
        for _ in range(6):
            caller.send(GET)
            assert (await caller.answer())[0] == 200
        assert max(exchange.attempts for exchange in gateway.finished) == 2


async def test_a_kept_connection_that_closes_as_the_next_request_comes_is_replaced_unseen() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(OK)
        await read_head(reader)
        writer.transport.abort()

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        for _ in range(4):
            caller.send(GET)
            assert (await caller.answer())[0] == 200
        assert len(service.received) == 4


async def test_a_connection_closed_while_idle_is_not_used_again_even_for_a_post() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(OK)

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        for _ in range(5):
            caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            assert (await caller.answer())[0] == 200
            for _ in range(500):
                if not gateway.cluster.endpoints[0].idle:
                    break
                await asyncio.sleep(0.01)
        assert len(service.received) == 5


async def test_the_services_own_idle_time_is_respected() -> None:
    answer = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n"
    async with ScriptedUpstream(answering(answer)).running() as service, wire(service.port) as gateway:
        await gateway.ask(GET)
        assert gateway.cluster.endpoints[0].idle == []


async def test_a_silent_service_is_504_and_with_a_condition_for_it_another_is_asked() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    def with_attempt(target: Cluster) -> RoutePlan:
        return plan(target, retry=retry_plan(conditions=DEFAULT_CONDITIONS | {"attempt_timeout"}), attempt_s=0.1)

    async with (
        ScriptedUpstream(silent).running() as stopped,
        ScriptedUpstream(answering(OK)).running() as service,
        wire(stopped.port, service.port, make_plan=with_attempt) as both,
        wire(stopped.port, make_plan=with_attempt) as alone,
    ):
        assert (await both.ask(GET))[0] == 200
        status, head, _ = await alone.ask(GET)
        assert status == 504
        assert b"meshway-reason: attempt_timeout" in head
        assert (await alone.last()).flag == "UT,URX"

"""CONNECT over HTTP/2 (RFC 9113 §8.5) and HTTP/3: one stream is a connection of bytes, beside calls on the same one."""

import asyncio
import json
import struct
from functools import partial
from socket import SO_LINGER, SOL_SOCKET

import pytest

from gateway.exchange import EDGE
from tests.integration.gateway.test_connect import PORTS, database
from tests.parts.changes import document
from tests.parts.conditions import until
from tests.parts.http2_caller import Answer, Fields, Http2Caller, calling
from tests.parts.ports import free_port
from tests.parts.tcp import echo, serving
from tests.parts.websocket_callers import by_http3

CANCEL, CONNECT_ERROR = 0x8, 0xA
DENIED = {"targets": [{"service": "db"}], "rules": [{"action": "deny", "from": [{"cidr": ["127.0.0.0/8"]}]}]}


def asking(target: bytes = b"db:5432") -> Fields:
    return [(b":method", b"CONNECT"), (b":authority", target)]


def _has_come(answer: Answer, want: bytes) -> bool:
    return bytes(answer.body) == want


async def connected(caller: Http2Caller) -> tuple[int, Answer]:
    stream = caller.begin(asking(), ended=False)
    answer = caller.answers[stream]
    await caller.until(lambda: answer.status)
    assert (answer.status, answer.fields) == (200, {b":status": b"200"})
    return stream, answer


async def test_streams_are_connections_of_their_own_and_a_half_that_ends_is_passed_on() -> None:
    async with serving(echo(b"ready ")) as port, database(port) as gateway, calling(gateway.port) as caller:
        streams = [await connected(caller) for _ in range(3)]
        for at, (stream, _) in enumerate(streams):
            await caller.send(stream, b"hello %d" % at)
        for at, (stream, answer) in enumerate(streams):
            await caller.until(partial(_has_come, answer, b"ready hello %d" % at))
            assert not answer.is_whole
            await caller.send(stream, b"", ended=True)
            await caller.answer(stream)
            assert (answer.is_whole, answer.reset) == (True, None)
        await until(lambda: len(gateway.lines) == 3, what="their lines")
        told = {"method": "CONNECT", "status": 200, "service": "default/db", "instance": "1", "bytes_in": 7}
        for line in gateway.lines:
            assert line | told | {"bytes_out": 13, "protocol": "HTTP/2"} == line
            assert line["reason"] == ""
        assert not caller.is_closed


async def test_what_comes_and_ends_before_the_service_is_there_waits_for_it() -> None:
    async with serving(echo(b"ready ")) as port, database(port) as gateway, calling(gateway.port) as caller:
        stream = caller.begin(asking(), ended=False)
        caller.connection.send_data(stream, b"early", end_stream=True)
        caller.flush()
        answer = await caller.answer(stream)
        assert (answer.status, bytes(answer.body)) == (200, b"ready early")
        silent = await caller.answer(caller.begin(asking()))  # says nothing at all
        assert (silent.status, bytes(silent.body)) == (200, b"ready ")


async def test_more_than_the_windows_passes_and_who_takes_nothing_holds_up_his_service_alone() -> None:
    size, sent = 2_000_000, 0

    async def pouring(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        if await reader.readexactly(1) == b"p":
            for _ in range(size // 10_000):
                writer.write(b"x" * 10_000)
                await writer.drain()
                sent += 10_000
        else:
            came = await reader.readexactly(size)
            writer.write(came)
        writer.close()

    async with serving(pouring) as port, database(port) as gateway, calling(gateway.port) as caller:
        caller.connection.increment_flow_control_window(10 * size)  # the connection's: the streams' own are what hold
        stream, answer = await connected(caller)
        await caller.send(stream, b"e" + b"y" * size)
        await caller.until(lambda: len(answer.body) == size)
        caller.takes = False
        held, hoarder = await connected(caller)
        await caller.send(held, b"p")
        await caller.until(lambda: len(hoarder.body) == 65_535)
        caller.takes = True
        other, beside = await connected(caller)
        await caller.send(other, b"e" + b"z" * size)
        await caller.until(lambda: len(beside.body) == size)
        assert len(hoarder.body) == 65_535
        caller.connection.acknowledge_received_data(65_535, held)
        caller.flush()
        await caller.until(lambda: len(hoarder.body) == size)
        assert sent == size


async def test_a_reset_of_either_side_resets_the_other() -> None:
    ends: list[bytes | str] = []

    async def cutting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            came = await reader.read(5)
            if came == b"cut":
                writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return
            writer.write(came)
            ends.append(await reader.read())
        except ConnectionResetError:
            ends.append("reset")

    async with serving(cutting) as port, database(port) as gateway, calling(gateway.port) as caller:
        stream, answer = await connected(caller)
        await caller.send(stream, b"cut")
        await caller.answer(stream)
        assert (answer.reset, answer.is_whole) == (CONNECT_ERROR, False)
        stream, answer = await connected(caller)
        await caller.send(stream, b"stay")
        await caller.until(lambda: answer.body)
        caller.connection.reset_stream(stream, CANCEL)
        caller.flush()
        await until(lambda: ends, what="the service's end of it")
        assert ends == ["reset"]
        await until(lambda: len(gateway.lines) == 2, what="their lines")
        assert [line["reason"] for line in gateway.lines] == ["upstream_reset", "caller_reset"]
        stream, answer = await connected(caller)
        await caller.send(stream, b"gone")
        await caller.until(lambda: answer.body)
        caller.writer.transport.abort()
        await until(lambda: len(ends) == 2, what="the end of what ran on the connection")
        assert ends[1] == "reset"
        assert gateway.carriage is not None
        assert not gateway.carriage.tables.carried


async def test_refusals_are_answers_and_the_connection_lives_on() -> None:
    async with serving(echo(b"ready")) as port, database(port) as gateway, calling(gateway.port) as caller:
        for target in (b"db:80", b"127.0.0.1:5432", b"metadata.example:80"):
            answer = await caller.answer(caller.begin(asking(target), ended=False))
            assert (answer.status, json.loads(answer.body)["code"]) == (403, "egress_denied")
        sized = await caller.answer(caller.begin([*asking(), (b"content-length", b"5")], ended=False))
        assert sized.status == 400
        gateway.apply(document("AccessPolicy", "a", DENIED))
        denied = await caller.answer(caller.begin(asking(), ended=False))
        assert (denied.status, json.loads(denied.body)["code"]) == (403, "denied")
    async with database(free_port()) as gateway, calling(gateway.port) as caller:
        nobody = await caller.answer(caller.begin(asking(), ended=False))
        assert (nobody.status, json.loads(nobody.body)["code"]) == (502, "connect_failed")
    async with database(port, face=EDGE) as gateway, calling(gateway.port) as caller:
        assert (await caller.answer(caller.begin(asking(), ended=False))).status == 405


async def test_trailers_are_of_no_connection() -> None:
    async with serving(echo(b"ready ")) as port, database(port) as gateway, calling(gateway.port) as caller:
        stream, answer = await connected(caller)
        caller.connection.send_headers(stream, [(b"x-sum", b"42")], end_stream=True)
        caller.flush()
        await caller.answer(stream)
        assert answer.reset == CONNECT_ERROR


async def test_a_newer_revision_ends_the_streams_that_it_does_not_allow_alone() -> None:
    other = document("Service", "other", {"ports": PORTS})
    async with serving(echo(b"ready ")) as port, database(port) as gateway, calling(gateway.port) as caller:
        stream, answer = await connected(caller)
        gateway.apply(other)
        await caller.send(stream, b"1")
        await caller.until(lambda: bytes(answer.body) == b"ready 1")
        gateway.apply(document("AccessPolicy", "a", DENIED))
        await caller.answer(stream)
        assert answer.reset == CONNECT_ERROR
        await until(lambda: bool(gateway.lines), what="a line")
        assert (gateway.lines[-1]["reason"], gateway.lines[-1]["status"]) == ("denied", 200)
        assert not caller.is_closed


@pytest.mark.parametrize("is_ended", [True, False])
async def test_http3_carries_them_too(is_ended: bool) -> None:
    async with serving(echo(b"ready ")) as port, database(port) as gateway, by_http3(gateway) as (caller, beside):
        assert gateway.listener is not None
        beside.connecting = gateway.listener.connecting
        stream = caller.begin(asking(), ended=False)
        answer = caller.answers[stream]
        await caller.until(lambda: answer.status == 200)
        caller.send(stream, b"hello")
        await caller.until(lambda: bytes(answer.body) == b"ready hello")
        if is_ended:
            caller.send(stream, b"", ended=True)
            await caller.until(lambda: answer.is_whole)
        else:
            gateway.apply(document("AccessPolicy", "a", DENIED))
            await caller.until(lambda: answer.reset is not None)
            assert answer.reset == 0x10F
        await until(lambda: bool(gateway.lines), what="a line")

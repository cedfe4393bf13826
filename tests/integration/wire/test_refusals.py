import ipaddress

import pytest

from gateway.exchange import EDGE, MESH
from tests.parts.wire import ScriptedUpstream, answering, wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405),
    ],
)
async def test_what_two_readers_could_frame_differently_is_refused_logged_and_ends_the_connection(
    sent: bytes, status: int
) -> None:
    async with ScriptedUpstream(answering(OK)).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(sent + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = await caller.rest() if status != 405 else (await caller.head())
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        if status != 405:
            assert answer.count(b"meshway-reason: ") == 1
            assert b"\r\nConnection: close\r\n" in answer
        assert b"x-request-id: " in answer
        assert (await gateway.last()).status == status


async def test_a_body_that_breaks_later_is_refused_and_not_passed_on_as_whole() -> None:
    async with ScriptedUpstream(answering(b"")).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await asyncio_turns()
        caller.send(b"nonsense\r\n")
        answer = await caller.rest()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"\r\n0\r\n\r\n" not in b"".join(map(bytes, service.received))


async def asyncio_turns() -> None:
    import asyncio

    await asyncio.sleep(0.05)


async def test_outsiders_cannot_say_where_they_come_from() -> None:
    claims = (
        b"X-Forwarded-For: 10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\nX-Forwarded-Proto: https\r\n"
    )
    async with ScriptedUpstream(answering(OK)).running() as service, wire(service.port) as gateway:
        await gateway.ask(b"GET / HTTP/1.1\r\nHost: a\r\nMeshway-Attempt: 7\r\n" + claims + b"\r\n")
        sent = bytes(service.received[0])
        assert b"10.0.0.1" not in sent
        assert b"https" not in sent
        assert b"eshway-attempt: 1\r\n" in sent
        assert (await gateway.last()).peer == "127.0.0.1"


async def test_a_trusted_proxy_is_believed_and_appended_to() -> None:
    trusted = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("10.0.0.0/8"))
    claims = b"X-Forwarded-For: 203.0.113.9, 198.51.100.7, 10.0.0.1\r\nX-Forwarded-Proto: https\r\nForwarded: for=x\r\n"
    async with (
        ScriptedUpstream(answering(OK)).running() as service,
        wire(service.port, trusted_proxies=trusted) as gateway,
    ):
        await gateway.ask(b"GET / HTTP/1.1\r\nHost: a\r\n" + claims + b"\r\n")
        sent = bytes(service.received[0])
        assert b"\r\nX-Forwarded-For: 203.0.113.9, 198.51.100.7, 10.0.0.1, 127.0.0.1\r\n" in sent
        assert b"\r\nX-Forwarded-Proto: https\r\n" in sent
        assert b"\r\nForwarded: for=x, for=127.0.0.1;" in sent
        assert b"\r\nX-Real-IP: 198.51.100.7\r\n" in sent
        assert (await gateway.last()).peer == "198.51.100.7"


@pytest.mark.parametrize(("face", "is_kept"), [(EDGE, False), (MESH, True)])
async def test_a_method_cannot_be_overridden_from_outside(face: int, is_kept: bool) -> None:
    async with ScriptedUpstream(answering(OK)).running() as service, wire(service.port, face=face) as gateway:
        await gateway.ask(b"GET / HTTP/1.1\r\nHost: a\r\nX-HTTP-Method-Override: DELETE\r\n\r\n")
        assert (b"DELETE" in service.received[0]) is is_kept


async def test_more_requests_with_bodies_in_a_row_than_the_stack_has_frames_are_each_answered() -> None:
    count = 3000
    async with ScriptedUpstream(answering(OK)).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        via = b", ".join([b"1.1 " + gateway.context.via_id] * 20)
        sent = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nVia: %b\r\n\r\nx" % via
        caller.send(sent * count)
        assert [(await caller.answer())[0] for _ in range(count)] == [508] * count

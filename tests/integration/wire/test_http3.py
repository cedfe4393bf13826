"""HTTP/3 as callers speak it: by aioquic's client, over real sockets, to services that speak HTTP/1.1."""

import asyncio
import ssl

import pytest

from gateway.wire.connection_limits import ConnectionLimits, StreamLimits
from gateway.wire.http3 import frames
from gateway.wire.multiplexed.connection import LEAVING_S
from tests.parts.conditions import until
from tests.parts.http2_caller import head
from tests.parts.http3_caller import calling, knocking
from tests.parts.http3_wire import ROOT, http3_wire, shown
from tests.parts.wire import ScriptedUpstream, answering, read_head

GET = head(b"GET", b"/", scheme=b"https")
UNRECOGNIZED_NAME = 0x100 + 112  # an alert of TLS as QUIC tells it

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Kind: plain\r\nConnection: keep-alive\r\n\r\nhello"


async def test_a_get_reaches_the_service_as_http_1_and_its_answer_the_caller_as_http_3() -> None:
    async with (
        ScriptedUpstream(answering(OK)).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        answer = await caller.answer(caller.get(b"/books?page=2", [(b"cookie", b"a=1"), (b"cookie", b"b=2")]))
        assert (answer.status, bytes(answer.body), answer.fields[b"x-kind"]) == (200, b"hello", b"plain")
        assert answer.fields[b"content-length"] == b"5"
        assert b"date" in answer.fields
        assert b"connection" not in answer.fields
        exchange = await gateway.gateway.last()
        assert answer.fields[b"x-request-id"] == exchange.request_id
        sent = bytes(service.received[0])
        assert sent.startswith(b"GET /books?page=2 HTTP/1.1\r\nHost: shop.example\r\n")
        assert b"\r\nCookie: a=1; b=2\r\n" in sent
        assert b"\r\nVia: 3.0 meshway-test\r\n" in sent
        assert (exchange.head.minor, exchange.server_name, exchange.scheme) == (3, "shop.example", b"https")
        assert gateway.handshakes == [False]


async def test_many_calls_go_side_by_side_on_one_connection() -> None:
    all_came = asyncio.Event()
    came = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came
        target = (await read_head(reader)).split()[1]
        came += 1
        if came == 50:
            all_came.set()
        await asyncio.wait_for(all_came.wait(), 10)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target))

    async with (
        ScriptedUpstream(handle).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        streams = [caller.get(b"/%d" % n) for n in range(50)]
        assert [bytes((await caller.answer(stream)).body) for stream in streams] == [b"/%d" % n for n in range(50)]
        assert len(gateway.context.connections) == 1


async def test_a_body_of_unknown_length_with_trailers_goes_through_both_ways() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        body = b""
        while (size := int((await reader.readline()).split(b";")[0], 16)) > 0:
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        trailer = await reader.readline()
        writer.write(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n"
            b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailer)
        )

    body = bytes(range(256)) * 3000
    async with (
        ScriptedUpstream(echo).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        stream = caller.begin([*head(b"POST", b"/", scheme=b"https"), (b"te", b"trailers")], ended=False)
        caller.send(stream, body)
        assert caller.h3 is not None
        caller.h3.send_headers(stream, [(b"x-sum", b"42")], end_stream=True)
        caller.transmit()
        answer = await caller.answer(stream)
        assert (answer.status, bytes(answer.body)) == (200, body)
        assert answer.trailers == {b"x-sum": b"42"}
        assert (await gateway.gateway.last()).bytes_in == len(body)


async def test_refusals_are_whole_answers_on_their_stream_and_harm_no_other() -> None:
    async with (
        ScriptedUpstream(answering(OK)).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        refused = {
            "two hosts": caller.begin([*GET, (b"host", b"other.example")]),
            "a space": caller.begin(head(b"GET", b"/a b", scheme=b"https")),
            "no path": caller.begin(head(b"GET", b"books", scheme=b"https")),
            "an address": caller.begin(head(b"GET", b"http://other.example/", scheme=b"https")),
            "a scheme": caller.begin(head(b"GET", b"/", scheme=b"ftp")),
            "a host": caller.begin(head(b"GET", b"/", b"sh op", b"https")),
        }
        for name, stream in refused.items():
            assert (await caller.answer(stream)).status == 400, name
        for fields, status in (
            ([*GET, *((b"x-%d" % n, b"") for n in range(110))], 431),
            ([(b":method", b"CONNECT"), (b":authority", b"a:1")], 405),
            (head(b"GET", b"/", b"other.example", b"https"), 200),  # nothing here is for it alone
            (GET, 200),
        ):
            assert (await caller.answer(caller.begin(fields))).status == status
        assert len(service.received) >= 1
        assert caller.closed is None


async def test_a_host_of_another_certificate_is_misdirected_and_each_is_shown_its_own() -> None:
    async with ScriptedUpstream(answering(OK)).running() as service, http3_wire(service.port) as gateway:
        other = shown("other.example")
        gateway.show({"shop.example": shown("shop.example"), "other.example": other})
        async with calling(gateway.port, verify_mode=ssl.CERT_REQUIRED, cadata=ROOT.pem) as caller:
            misdirected = caller.begin(head(b"GET", b"/", b"other.example", b"https"))
            assert (await caller.answer(misdirected)).status == 421
            assert (await caller.answer(caller.begin(GET))).status == 200
            # Renewed: a new connection is shown the new one, this one goes on.
            gateway.show({"shop.example": other})
            assert (await caller.answer(caller.begin(GET))).status in {200, 421}
        async with calling(gateway.port, "other.example", verify_mode=ssl.CERT_REQUIRED, cadata=ROOT.pem) as late:
            assert late.closed == UNRECOGNIZED_NAME
        gateway.show({}, default=other)
        async with calling(gateway.port, None) as unnamed:
            assert unnamed.closed is None
        async with calling(gateway.port, "shop.example", verify_mode=ssl.CERT_REQUIRED, cadata=ROOT.pem) as mistaken:
            assert mistaken.closed is not None  # its name is not that certificate's


async def test_who_leaves_a_stream_ends_its_call_and_no_other() -> None:
    left = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await read_head(reader)).split()[1]
        if target == b"/slow":
            await reader.read()
            left.set()
        else:
            writer.write(OK)

    async with (
        ScriptedUpstream(handle).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        slow = caller.get(b"/slow")
        await until(lambda: service.received, what="the slow call at the service")
        caller.reset(slow)
        await asyncio.wait_for(left.wait(), 10)
        exchange = await gateway.gateway.last()
        assert (exchange.flag, exchange.status) == ("DC", 0)
        assert (await caller.answer(caller.get(b"/"))).status == 200


async def test_a_service_that_breaks_off_resets_the_stream() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    async with (
        ScriptedUpstream(handle).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        answer = await caller.answer(caller.get(b"/"))
        assert (answer.is_whole, answer.reset is not None) == (False, True)
        assert caller.closed is None


async def test_a_caller_who_takes_nothing_holds_up_the_service_and_is_cut_in_the_end() -> None:
    sent = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 64 << 20:
                writer.write(b"10000\r\n%b\r\n" % (b"x" * 65_536))
                sent += 65_536
                await writer.drain()
        except OSError:
            pass

    async with (
        ScriptedUpstream(handle).running() as service,
        http3_wire(service.port, limits=ConnectionLimits(write_stall_s=1.0)) as gateway,
        calling(gateway.port, takes=False, max_stream_data=100_000) as caller,
    ):
        answer = await caller.answer(caller.get(b"/"))
        assert answer.reset is not None
        assert len(answer.body) <= 100_000
        assert sent < 32 << 20
        assert gateway.context.cut == 1
        await until(lambda: not any(each.is_busy for each in gateway.context.connections), what="nothing left of it")


async def test_a_long_answer_comes_whole() -> None:
    size = 1 << 20

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 65_536):
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with (
        ScriptedUpstream(handle).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        for stream in [caller.get(b"/") for _ in range(2)]:
            answer = await caller.answer(stream)
            assert (answer.is_whole, len(answer.body)) == (True, size)


async def test_a_service_that_takes_nothing_holds_up_the_caller() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        await asyncio.sleep(3600)

    windows = StreamLimits(stream_window=65_536, connection_window=131_072)
    async with (
        ScriptedUpstream(handle).running() as service,
        http3_wire(service.port, streams=windows) as gateway,
        calling(gateway.port) as caller,
    ):
        stream = caller.begin(head(b"POST", b"/", scheme=b"https"), ended=False)
        caller.send(stream, b"x" * (16 << 20))
        sender = caller.quic._streams[stream].sender
        seen = -1

        def stands() -> bool:
            nonlocal seen
            was, seen = seen, sender.highest_offset
            return was == seen > 0

        await until(stands, every_s=0.3, what="a window that stays closed")
        assert sender.highest_offset < 8 << 20  # what the service's socket took, and one window


async def test_bodies_that_nobody_took_leave_room_for_others() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await read_head(reader)).split()[1]
        if target == b"/stuck":
            await asyncio.sleep(3600)
        await reader.readexactly(60_000)
        writer.write(OK)

    windows = StreamLimits(stream_window=65_536, connection_window=131_072)
    async with (
        ScriptedUpstream(handle).running() as service,
        http3_wire(service.port, streams=windows) as gateway,
        calling(gateway.port) as caller,
    ):
        for at in range(4):
            stuck = caller.begin(head(b"POST", b"/stuck", scheme=b"https"), ended=False)
            caller.send(stuck, b"x" * (16 << 20))
            await until(lambda known=at: len(service.received) > known, what="the call at the service")  # type: ignore[misc]
            caller.reset(stuck)
        fields = [*head(b"POST", b"/", scheme=b"https"), (b"content-length", b"60000")]
        stream = caller.begin(fields, ended=False)
        caller.send(stream, b"x" * 60_000, ended=True)
        assert (await caller.answer(stream)).status == 200


async def test_an_answer_before_the_end_of_a_body_stops_the_rest() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(OK)
        await reader.read()

    async with (
        ScriptedUpstream(handle).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        stream = caller.begin(head(b"POST", b"/", scheme=b"https"), ended=False)
        caller.send(stream, b"x" * 1_000)
        answer = await caller.answer(stream)
        assert (answer.status, answer.is_whole, bytes(answer.body)) == (200, True, b"hello")
        sender = caller.quic._streams[stream].sender
        await until(lambda: sender._reset_error_code == frames.NO_ERROR, what="the word that no more is wanted")
        assert (await caller.answer(caller.begin(GET))).status == 200


async def test_a_slow_body_is_refused_by_its_stream() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with (
        ScriptedUpstream(handle).running() as service,
        http3_wire(service.port, limits=ConnectionLimits(body_rate=1_000, body_grace_s=0.5)) as gateway,
        calling(gateway.port) as caller,
    ):
        stream = caller.begin(head(b"POST", b"/", scheme=b"https"), ended=False)
        caller.send(stream, b"x")
        assert (await caller.answer(stream)).status == 408
        assert caller.closed is None


async def test_an_idle_connection_is_told_goodbye() -> None:
    async with http3_wire(limits=ConnectionLimits(idle_s=0.3)) as gateway, calling(gateway.port) as idle:
        assert await idle.ended() == frames.NO_ERROR


@pytest.mark.parametrize("limits", [ConnectionLimits(), ConnectionLimits(idle_s=0.3)], ids=["his", "ours"])
async def test_who_waits_for_an_answer_is_kept_however_soon_a_silent_one_counts_as_gone(
    limits: ConnectionLimits,
) -> None:
    go = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        await go.wait()
        writer.write(OK)

    async with (
        ScriptedUpstream(handle).running() as service,
        http3_wire(service.port, limits=limits) as gateway,
        calling(gateway.port, idle_timeout=1.0) as waiting,
    ):
        stream = waiting.begin(GET)
        await asyncio.sleep(2.5)  # longer than either keeps one of whom nothing comes
        assert waiting.closed is None
        go.set()
        assert (await waiting.answer(stream)).status == 200


async def test_after_its_last_request_a_connection_takes_no_more_and_ends_when_all_are_answered() -> None:
    async with (
        ScriptedUpstream(answering(OK)).running() as service,
        http3_wire(service.port, streams=StreamLimits(requests=3)) as gateway,
        calling(gateway.port) as caller,
    ):
        for _ in range(3):
            assert (await caller.answer(caller.begin(GET))).status == 200
        assert await caller.ended() == frames.NO_ERROR


async def test_draining_lets_calls_end_and_takes_those_that_are_on_their_way() -> None:
    """By sockets of their own: another worker reads the one that is for all."""
    go = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await read_head(reader)).split()[1]
        if target == b"/slow":
            await go.wait()
        writer.write(OK)

    async with (
        ScriptedUpstream(handle).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        slow = caller.get(b"/slow")
        await until(lambda: service.received, what="the slow call at the service")
        gateway.endpoint.drain(is_last=False)
        gateway.context.start_drain()
        assert (await caller.answer(caller.get(b"/late"))).status == 200
        await until(lambda: caller.goaway is not None, what="the word that it leaves")
        await asyncio.sleep(LEAVING_S + 0.5)
        beyond = await caller.answer(caller.get(b"/beyond"))
        assert beyond.reset == frames.REQUEST_REJECTED
        async with knocking(gateway.port) as new:
            go.set()
            assert (await caller.answer(slow)).status == 200
            assert await caller.ended() == frames.NO_ERROR
            assert new.h3 is None  # nobody reads
        await until(lambda: not gateway.endpoint._own._opened, what="the end of the caller's own socket")


async def test_a_call_of_grpc_goes_through_and_is_refused_in_its_own_words() -> None:
    message = b"\0\0\0\0\x02hi"

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n"
            b"Trailer: grpc-status\r\n\r\n7\r\n%b\r\n0\r\ngrpc-status: 0\r\n\r\n" % message
        )

    fields = [*head(b"POST", b"/a.B/C", scheme=b"https"), (b"content-type", b"application/grpc"), (b"te", b"trailers")]
    async with (
        ScriptedUpstream(handle).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        stream = caller.begin(fields, ended=False)
        caller.send(stream, message, ended=True)
        answer = await caller.answer(stream)
        assert (bytes(answer.body), answer.trailers[b"grpc-status"]) == (message, b"0")
        refused = await caller.answer(caller.begin([*fields, (b"via", b", ".join([b"3.0 meshway-test"] * 5))]))
        assert (refused.status, refused.fields[b"grpc-status"], len(refused.body)) == (200, b"14", 0)


async def test_how_long_a_caller_of_grpc_waits_is_his_calls_deadline() -> None:
    told, left = asyncio.Event(), asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        told.set()
        await reader.read()
        left.set()

    fields = [*head(b"POST", b"/a.B/C", scheme=b"https"), (b"content-type", b"application/grpc"), (b"te", b"trailers")]
    async with (
        ScriptedUpstream(handle).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        answer = await caller.answer(caller.begin([*fields, (b"grpc-timeout", b"300m")]))
        assert told.is_set()
        assert (answer.status, answer.fields[b"grpc-status"], len(answer.body)) == (200, b"4", 0)
        await asyncio.wait_for(left.wait(), 20)

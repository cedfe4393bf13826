"""HTTP/2 as callers speak it: by hyper-h2, over real sockets, to services that speak HTTP/1.1."""

import asyncio
from functools import partial

import hpack
import pytest

from gateway.wire.connection_limits import ConnectionLimits, StreamLimits
from gateway.wire.http2.codec import ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, REFUSED_STREAM
from gateway.wire.http2.questions import SAVED
from gateway.wire.http2.server import Http2Connection
from meshway.tasks import spawn
from tests.parts.conditions import until
from tests.parts.http2_caller import Http2Caller, calling, head
from tests.parts.wire import ScriptedUpstream, Wire, answering, read_head, wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Kind: plain\r\nConnection: keep-alive\r\n\r\nhello"
PING = b"\0\0\x08\x06\0" + bytes(12)
NO_SETTINGS = b"\0\0\0\x04\0" + bytes(4)


async def test_a_get_reaches_the_service_as_http_1_and_its_answer_the_caller_as_http_2() -> None:
    async with (
        ScriptedUpstream(answering(OK)).running() as service,
        wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        answer = await caller.answer(caller.get(b"/books?page=2", [(b"cookie", b"a=1"), (b"cookie", b"b=2")]))
        assert (answer.status, bytes(answer.body), answer.fields[b"x-kind"]) == (200, b"hello", b"plain")
        assert answer.fields[b"content-length"] == b"5"
        assert b"date" in answer.fields
        assert b"connection" not in answer.fields
        exchange = await gateway.last()
        assert answer.fields[b"x-request-id"] == exchange.request_id
        sent = bytes(service.received[0])
        assert sent.startswith(b"GET /books?page=2 HTTP/1.1\r\nHost: shop.example\r\n")
        assert b"\r\nCookie: a=1; b=2\r\n" in sent
        assert b"\r\nVia: 2.0 meshway-test\r\n" in sent
        assert exchange.head.minor == 2


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
        wire(service.port) as gateway,
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
        wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        stream = caller.begin([*head(b"POST", b"/"), (b"te", b"trailers")], ended=False)
        await caller.send(stream, body)
        caller.connection.send_headers(stream, [(b"x-sum", b"42")], end_stream=True)
        caller.flush()
        answer = await caller.answer(stream)
        assert (answer.status, bytes(answer.body)) == (200, body)
        assert answer.trailers == {b"x-sum": b"42"}
        assert (await gateway.last()).bytes_in == len(body)


async def test_refusals_are_whole_answers_on_their_stream_and_harm_no_other() -> None:
    async with (
        ScriptedUpstream(answering(OK)).running() as service,
        wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        refused = {
            "two hosts": caller.begin([*head(b"GET", b"/"), (b"host", b"other.example")]),
            "a space": caller.begin(head(b"GET", b"/a b")),
            "no path": caller.begin(head(b"GET", b"books")),
            "an address": caller.begin(head(b"GET", b"http://other.example/")),
            "a scheme": caller.begin(head(b"GET", b"/", scheme=b"ftp")),
            "a host": caller.begin(head(b"GET", b"/", authority=b"sh op")),
        }
        for name, stream in refused.items():
            answer = await caller.answer(stream)
            # nghttp2 itself resets what it holds to be malformed.
            assert answer.status == 400 or answer.reset == 1, (name, answer)
        long = await caller.answer(caller.get(b"/", [(b"x-%d" % n, b"") for n in range(110)]))
        assert long.status == 431
        connect = await caller.answer(caller.begin([(b":method", b"CONNECT"), (b":authority", b"a:1")]))
        assert connect.status == 405
        assert (await caller.answer(caller.get(b"/"))).status == 200
        assert len(service.received) == 1


async def test_what_speaks_of_a_connection_or_breaks_lines_reaches_no_service() -> None:
    fields = [
        (b"connection", b"x-team"), (b"transfer-encoding", b"chunked"), (b"upgrade", b"websocket"),
        (b"x-a", b"1\r\nx-admin: yes"), (b"x-a", b"1\nx"), (b"x-a", b"\x00"), (b"X-A", b"1"), (b"te", b"gzip"),
        (b":path", b"/admin"), (b"x-a", b"1\r"), (b"x\r\ny", b"1"),
    ]  # fmt: skip
    async with ScriptedUpstream(answering(OK)).running() as service, wire(service.port) as gateway:
        for name, value in fields:
            async with calling(gateway.port) as caller:
                answer = await caller.answer(caller.get(b"/", [(name, value)]))
                assert answer.status in {0, 400}, (name, value, answer)
                assert answer.status or answer.reset or caller.goaway is not None, (name, value)
        assert service.received == []


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
        wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        slow = caller.get(b"/slow")
        await until(lambda: service.received, what="the slow call at the service")
        caller.connection.reset_stream(slow, 8)
        caller.flush()
        await asyncio.wait_for(left.wait(), 10)
        exchange = await gateway.last()
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
        wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        answer = await caller.answer(caller.get(b"/"))
        assert answer.status == 200
        assert answer.reset is not None
        assert not answer.is_whole
        assert caller.goaway is None


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

    limits = ConnectionLimits(write_stall_s=1.0)
    async with (
        ScriptedUpstream(handle).running() as service,
        wire(service.port, limits=limits) as gateway,
        calling(gateway.port) as caller,
    ):
        caller.takes = False
        answer = await caller.answer(caller.get(b"/"))
        assert answer.reset is not None
        assert len(answer.body) <= 65_535  # the window that he gave
        assert sent < 32 << 20
        assert gateway.context.cut == 1
        await until(lambda: not any(each.is_busy for each in gateway.context.connections), what="nothing left of it")


async def test_answers_of_which_the_caller_takes_nothing_wait_together_within_what_one_may_hold() -> None:
    size = 4 << 20

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 65_536):
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with (
        ScriptedUpstream(handle).running() as service,
        wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        caller.takes = False
        streams = [caller.get(b"/") for _ in range(10)]
        connections = gateway.context.connections
        await until(lambda: all(isinstance(one, Http2Connection) for one in connections), what="what is spoken")
        (connection,) = connections
        assert isinstance(connection, Http2Connection)
        await until(lambda: connection.is_holding, what="that it is held")
        assert connection._codec.held < 5 * 65_536
        caller.takes = True
        for stream in streams:
            caller.connection.increment_flow_control_window(size, stream)
        caller.connection.increment_flow_control_window(10 * size)
        caller.flush()
        for stream in streams:
            assert len((await caller.answer(stream)).body) == size
        assert not connection.is_holding
        assert gateway.context.cut == 0


async def test_streams_that_were_held_up_by_others_are_given_up_as_these_are() -> None:
    async with (
        ScriptedUpstream(without_end).running() as service,
        wire(service.port, limits=ConnectionLimits(write_stall_s=0.5)) as gateway,
        calling(gateway.port) as caller,
    ):
        caller.takes = False
        streams = [caller.get(b"/") for _ in range(8)]
        for stream in streams:
            assert (await caller.answer(stream)).reset is not None
        assert gateway.context.cut == 8


async def test_a_service_that_takes_nothing_holds_up_the_caller() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        await asyncio.sleep(3600)

    async with (
        ScriptedUpstream(handle).running() as service,
        wire(service.port, streams=StreamLimits(stream_window=65_536, connection_window=131_072)) as gateway,
        calling(gateway.port) as caller,
    ):
        stream = caller.begin(head(b"POST", b"/"), ended=False)
        sending = spawn(caller.send(stream, b"x" * (64 << 20)), name="send a body")
        seen = -1

        def stands() -> bool:
            nonlocal seen
            was, seen = seen, int(caller.connection.local_flow_control_window(stream))
            return was == seen == 0

        await until(stands, what="a window that stays closed")
        sending.cancel()


def is_full(caller: Http2Caller, stream: int) -> bool:
    return int(caller.connection.local_flow_control_window(stream)) <= 0


async def test_bodies_that_nobody_took_leave_room_for_others() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await read_head(reader)).split()[1]
        if target == b"/stuck":
            await asyncio.sleep(3600)
        await reader.readexactly(60_000)
        writer.write(OK)

    async with (
        ScriptedUpstream(handle).running() as service,
        wire(service.port, streams=StreamLimits(stream_window=65_536, connection_window=131_072)) as gateway,
        calling(gateway.port) as caller,
    ):
        for _ in range(4):
            stuck = caller.begin(head(b"POST", b"/stuck"), ended=False)
            sending = spawn(caller.send(stuck, b"x" * (64 << 20)), name="send a body")
            await until(partial(is_full, caller, stuck), what="a window that is used up")
            sending.cancel()
            caller.connection.reset_stream(stuck, 8)
            caller.flush()
        stream = caller.begin([*head(b"POST", b"/"), (b"content-length", b"60000")], ended=False)
        await caller.send(stream, b"x" * 60_000, ended=True)
        assert (await caller.answer(stream)).status == 200


async def test_a_slow_body_is_refused_by_its_stream() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    limits = ConnectionLimits(body_rate=1_000, body_grace_s=0.5)
    async with (
        ScriptedUpstream(handle).running() as service,
        wire(service.port, limits=limits) as gateway,
        calling(gateway.port) as caller,
    ):
        stream = caller.begin(head(b"POST", b"/"), ended=False)
        await caller.send(stream, b"x")
        answer = await caller.answer(stream)
        assert answer.status == 408
        assert caller.goaway is None


def is_told(gateway: Wire, caller: Http2Caller, known: int) -> bool:
    return len(gateway.finished) > known or caller.is_closed


async def test_requests_that_are_taken_back_at_once_end_the_connection() -> None:
    """CVE-2023-44487."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        async with calling(gateway.port) as caller, calling(gateway.port) as honest:
            while not caller.is_closed:
                known = len(gateway.finished)
                for _ in range(50):  # so many that what comes back meanwhile counts for little
                    caller.connection.reset_stream(caller.get(b"/"), 8)
                caller.flush()
                await until(partial(is_told, gateway, caller, known + 49), what="their end")
            assert caller.goaway == ENHANCE_YOUR_CALM
            assert len(gateway.finished) < 1_000
            waiting = honest.get(b"/")
            assert honest.answers[waiting].reset is None
        await until(lambda: not gateway.context.connections, what="connections that end")


@pytest.mark.parametrize("question", [PING, NO_SETTINGS])
async def test_who_asks_the_connection_on_and_on_is_ended_though_he_takes_the_answers(question: bytes) -> None:
    async with ScriptedUpstream(answering(OK)).running() as service, wire(service.port) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        async with asyncio.timeout(20), calling(gateway.port) as honest:
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + NO_SETTINGS)
            said, asked = await reader.read(1 << 16), 0
            while ENHANCE_YOUR_CALM.to_bytes(4, "big") != said[-4:]:
                writer.write(question * 50)
                said, asked = await reader.read(1 << 16), asked + 50
            assert SAVED <= asked + 50 < 10 * SAVED
            assert await reader.read() == b""
            assert (await honest.answer(honest.get(b"/"))).status == 200
        writer.close()
        await until(lambda: not gateway.context.connections, what="connections that end")


def opening(stream: int, step: int) -> bytes:
    """A window."""
    return b"\0\0\4\x08\0" + stream.to_bytes(4, "big") + step.to_bytes(4, "big")


async def test_a_window_that_is_opened_too_far_ends_its_stream_and_no_other() -> None:
    """RFC 9113 §6.9.1."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await read_head(reader)).split()[1] == b"/slow":
            await reader.read()
        else:
            writer.write(OK)

    async with (
        ScriptedUpstream(handle).running() as service,
        wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        far = 0x7FFFFFFF - 65_535
        just, one, both = (caller.get(b"/slow") for _ in range(3))
        caller.writer.write(opening(just, far) + opening(one, far + 1) + opening(both, far) + opening(both, far))
        assert [(await caller.answer(stream)).reset for stream in (one, both)] == [FLOW_CONTROL_ERROR] * 2
        assert (await caller.answer(caller.get(b"/"))).status == 200
        assert (caller.answers[just].reset, caller.goaway) == (None, None)


async def test_who_opens_windows_too_far_on_and_on_is_ended() -> None:
    """CVE-2025-8671."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        async with calling(gateway.port) as caller:
            while not caller.is_closed:
                streams = [caller.get(b"/") for _ in range(50)]
                caller.writer.write(b"".join(opening(stream, 0x7FFFFFFF) for stream in streams))
                for stream in streams:
                    await caller.answer(stream)
            assert caller.goaway == ENHANCE_YOUR_CALM
            assert len(gateway.finished) < 1_000
        await until(lambda: not gateway.context.connections, what="connections that end")


async def test_thousands_of_such_requests_in_one_read_begin_nothing() -> None:
    async with ScriptedUpstream(answering(OK)).running() as service, wire(service.port) as gateway:
        async with calling(gateway.port) as caller:
            for _ in range(5_000):
                stream = caller.connection.get_next_available_stream_id()
                caller.connection.send_headers(stream, head(b"GET", b"/"), end_stream=True)
                caller.connection.reset_stream(stream, 8)
            caller.flush()
            await caller.closed()
            assert caller.goaway is not None
            assert len(gateway.finished) < 1_000
        await until(lambda: not gateway.context.connections, what="connections that end")


async def test_more_requests_at_once_than_allowed_are_refused_for_another_time() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with (
        ScriptedUpstream(handle).running() as service,
        wire(service.port, streams=StreamLimits(streams=3)) as gateway,
        calling(gateway.port) as caller,
    ):
        streams = [caller.get(b"/") for _ in range(4)]  # before our word of it is heard
        assert (await caller.answer(streams[3])).reset == REFUSED_STREAM
        await until(lambda: len(service.received) == 3, what="the others at the service")


async def test_an_idle_connection_is_told_goodbye() -> None:
    async with (
        ScriptedUpstream(answering(OK)).running() as service,
        wire(service.port, limits=ConnectionLimits(idle_s=0.3)) as gateway,
        calling(gateway.port) as caller,
    ):
        assert (await caller.answer(caller.get(b"/"))).status == 200
        await caller.closed()
        assert caller.goaway == 0


async def test_after_its_last_request_a_connection_takes_no_more_and_ends_when_all_are_answered() -> None:
    async with (
        ScriptedUpstream(answering(OK)).running() as service,
        wire(service.port, streams=StreamLimits(requests=3)) as gateway,
        calling(gateway.port) as caller,
    ):
        for _ in range(3):
            assert (await caller.answer(caller.get(b"/"))).status == 200
        await caller.closed()
        assert caller.goaway == 0


async def test_draining_lets_calls_end_and_takes_those_that_are_on_their_way() -> None:
    go = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await read_head(reader)).split()[1]
        if target == b"/slow":
            await go.wait()
        writer.write(OK)

    async with (
        ScriptedUpstream(handle).running() as service,
        wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        slow = caller.get(b"/slow")
        await until(lambda: service.received, what="the slow call at the service")
        gateway.context.start_drain()
        assert (await caller.answer(caller.get(b"/late"))).status == 200
        go.set()
        assert (await caller.answer(slow)).status == 200
        await caller.closed()


async def test_the_preface_in_pieces_is_the_preface_and_later_it_is_none() -> None:
    async with ScriptedUpstream(answering(OK)).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":
            caller.send(bytes([byte]))
            await asyncio.sleep(0)
        caller.send(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        assert (await caller.reader.readexactly(9))[3:4] == b"\x04"  # SETTINGS
        caller.writer.close()

        later = await gateway.open()
        later.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await later.answer())[0] == 200
        later.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert (await later.answer())[0] in {400, 505}


async def test_where_http_2_is_off_its_preface_is_no_request() -> None:
    async with wire() as gateway:
        gateway.context.streams = None
        caller = await gateway.open()
        caller.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert (await caller.answer())[0] in {400, 505}


async def without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An answer as long as it is taken."""
    await read_head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    try:
        while True:
            writer.write(b"4000\r\n%b\r\n" % (b"x" * 0x4000))
            await writer.drain()
    except OSError:
        pass


def has_come(caller: Http2Caller, stream: int, size: int) -> bool:
    answer = caller.answers[stream]
    return len(answer.body) >= size or answer.reset is not None


async def test_a_slow_caller_is_not_cut_since_as_much_comes_as_he_takes() -> None:
    async with (
        ScriptedUpstream(without_end).running() as service,
        wire(service.port, limits=ConnectionLimits(write_stall_s=0.3)) as gateway,
        calling(gateway.port) as caller,
    ):
        caller.takes = False
        stream, given = caller.get(b"/"), 65_535
        loop = asyncio.get_running_loop()
        ends = loop.time() + 2.0
        while loop.time() < ends and caller.answers[stream].reset is None:
            await until(partial(has_come, caller, stream, given), what="what he lets come")
            for which in (stream, None):
                caller.connection.increment_flow_control_window(8_000, which)
            caller.flush()
            given += 8_000
            await asyncio.sleep(0.01)  # so that there is always more than he takes
        assert caller.answers[stream].reset is None
        assert gateway.context.cut == 0


async def test_a_drain_leaves_a_slow_caller_his_time_and_tells_whoever_comes_late() -> None:
    sent, seen = [0], [-1]

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (24 << 20))
        while sent[0] < 24 << 20:
            writer.write(b"x" * 65_536)
            sent[0] += 65_536
            await writer.drain()

    def stands() -> bool:
        was, seen[0] = seen[0], sent[0]
        return was == seen[0] > 0

    async with (
        ScriptedUpstream(handle).running() as service,
        wire(service.port, limits=ConnectionLimits(write_stall_s=20.0)) as gateway,
        calling(gateway.port) as caller,
    ):
        stream = caller.get(b"/")
        for which in (stream, None):
            caller.connection.increment_flow_control_window(1 << 30, which)
        caller.flush()
        await until(lambda: caller.answers[stream].body, what="the answer's beginning")
        caller.writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a socket's
        await until(stands, what="a socket that is full", every_s=0.2)
        gateway.context.start_drain()
        async with calling(gateway.port) as late:
            await late.closed()  # a second later: so long may requests be under way
            assert late.goaway == 0
        await asyncio.sleep(0.5)
        assert gateway.context.cut == 0
        caller.writer.transport.resume_reading()  # type: ignore[attr-defined]
        answer = await caller.answer(stream)
        assert (answer.is_whole, len(answer.body)) == (True, 24 << 20)
        await caller.closed()
        assert caller.goaway == 0


async def test_a_block_of_fields_that_does_not_end_ends_the_connection_in_time_and_a_slow_whole_one_does_not() -> None:
    """Drop by drop, in CONTINUATION frames; by bytes, for no library writes them so."""
    async with (
        ScriptedUpstream(answering(OK)).running() as service,
        wire(service.port, limits=ConnectionLimits(head_s=1.0)) as gateway,
    ):
        caller = await gateway.open()
        block = hpack.Encoder().encode([*head(b"GET", b"/"), (b"x-long", b"a" * 200)])

        def frame(kind: int, flags: int, stream: int, data: bytes) -> None:
            caller.send(len(data).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + data)

        caller.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        frame(0x4, 0x0, 0, b"")
        frame(0x1, 0x1, 1, block[:5])
        await asyncio.sleep(0.2)
        frame(0x9, 0x4, 1, block[5:])
        await until(lambda: len(gateway.finished) == 1, what="the call in two pieces")
        await asyncio.sleep(1.3)
        assert len(gateway.context.connections) == 1
        frame(0x1, 0x1, 3, block[:5])
        for at in range(5, 9):  # fewer than nghttp2 takes for a flood
            frame(0x9, 0x0, 3, block[at : at + 1])
            await asyncio.sleep(0.1)
        assert len(gateway.context.connections) == 1
        said = await caller.rest()
        assert ENHANCE_YOUR_CALM.to_bytes(4, "big") in said[-12:]

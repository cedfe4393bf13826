"""Callers of HTTP/3 who break its rules or wear us out: their connection ends, and honest callers are served."""

import asyncio
import os
import socket
import time
from collections.abc import Callable

import pylsqpack
import pytest
from aioquic._buffer import Buffer
from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import encode_frame
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicPacketType, pull_quic_header

from gateway.wire.connection_limits import ConnectionLimits, StreamLimits
from gateway.wire.http3 import frames
from gateway.wire.http3.endpoint import FIRST_BYTES
from tests.parts.conditions import until
from tests.parts.http2_caller import Fields, head
from tests.parts.http3_caller import Http3Caller, caller_configuration, calling, knocking
from tests.parts.http3_wire import http3_wire
from tests.parts.wire import ScriptedUpstream, answering, read_head

# Each holds on either loop: what differs between them is shown by test_http3.py.
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
GET = head(b"GET", b"/", scheme=b"https")
CONTROL = b"\x00" + encode_frame(frames.SETTINGS, b"")
STREAM_LIMIT_ERROR, FLOW_CONTROL_ERROR, CRYPTO_BUFFER_EXCEEDED = 0x04, 0x03, 0x0D


def section(fields: Fields) -> bytes:
    encoded: bytes = pylsqpack.Encoder().encode(0, fields)[1]
    return encoded


def headers(fields: Fields) -> bytes:
    return encode_frame(frames.HEADERS, section(fields))


def indexed(count: int) -> bytes:
    """A section that repeats the longest entry of the static table, one byte each."""
    return b"\0\0" + section([(b":method", b"GET")])[2:3] * count


MALFORMED: dict[str, bytes] = {
    "no method": headers(GET[1:]),
    "no path": headers(GET[:3]),
    "a method twice": headers([GET[0], *GET]),
    "a pseudo-field behind a field": headers([GET[0], (b"x-a", b"1"), *GET[1:]]),
    "a pseudo-field of answers": headers([*GET, (b":status", b"200")]),
    "an upgrade of streams by GET": headers([*GET, (b":protocol", b"websocket")]),
    "a connection": headers([*GET, (b"connection", b"close")]),
    "a coding of HTTP/1.1": headers([*GET, (b"transfer-encoding", b"chunked")]),
    "an upgrade": headers([*GET, (b"upgrade", b"websocket")]),
    "a te": headers([*GET, (b"te", b"gzip")]),
    "a field that hides another": headers([*GET, (b"x-a", b"1\r\nx-admin: yes")]),
    "a line feed": headers([*GET, (b"x-a", b"1\nx")]),
    "a nought": headers([*GET, (b"x-a", b"\x00")]),
    "a break in a path": headers([*GET[:3], (b":path", b"/ HTTP/1.1\r\nx: y")]),
    "a name in capitals": headers([*GET, (b"X-A", b"1")]),
    "a name with a colon": headers([*GET, (b"x:a", b"1")]),
    "a name that breaks": headers([*GET, (b"x\r\ny", b"1")]),
    "two lengths": headers([*GET, (b"content-length", b"1"), (b"content-length", b"1")]),
    "a length that is none": headers([*GET, (b"content-length", b"+1")]),
    "a length beyond all": headers([*GET, (b"content-length", b"9" * 5_000)]),
    "a body that is longer": headers([*GET, (b"content-length", b"1")]) + encode_frame(frames.DATA, b"ab"),
    "a body that is shorter": headers([*GET, (b"content-length", b"9")]) + encode_frame(frames.DATA, b"ab"),
    "a pseudo-field in trailers": headers(GET) + headers([(b":path", b"/admin")]),
}

FAULTS: dict[str, tuple[int, Callable[[Http3Caller], object]]] = {
    "data before a head": (frames.FRAME_UNEXPECTED, lambda on: on.raw(encode_frame(frames.DATA, b"x"))),
    "settings on a request": (frames.FRAME_UNEXPECTED, lambda on: on.raw(encode_frame(frames.SETTINGS, b""))),
    "a frame of HTTP/2": (frames.FRAME_UNEXPECTED, lambda on: on.raw(encode_frame(0x06, b"x"))),
    "three heads": (frames.FRAME_UNEXPECTED, lambda on: on.raw(headers(GET) + headers([(b"a", b"b")]) * 2)),
    "a frame that is cut off": (frames.FRAME_ERROR, lambda on: on.raw(headers(GET) + b"\x00\x05ab", ended=True)),
    "a section that is none": (
        frames.QPACK_DECOMPRESSION_FAILED,
        lambda on: on.raw(encode_frame(frames.HEADERS, b"\xff\xff\xff")),
    ),
    "a name that is none": (
        frames.QPACK_DECOMPRESSION_FAILED,
        lambda on: on.raw(encode_frame(frames.HEADERS, section(GET) + b"\x20\x011")),
    ),
    "a section by a table that nobody has": (
        frames.QPACK_DECOMPRESSION_FAILED,
        lambda on: on.raw(encode_frame(frames.HEADERS, b"\x02\x00\x80")),
    ),
    "a section that is too long": (
        frames.EXCESSIVE_LOAD,
        lambda on: on.raw(encode_uint_var(frames.HEADERS) + encode_uint_var(1 << 20)),
    ),
    "a section that becomes too long": (
        frames.EXCESSIVE_LOAD,
        lambda on: on.raw(encode_frame(frames.HEADERS, indexed(60_000))),
    ),
    "a table that nobody offered": (frames.QPACK_ENCODER_STREAM_ERROR, lambda on: on.raw_encoder(b"\x3f\xe1\x1f")),
    "a second control stream": (frames.STREAM_CREATION_ERROR, lambda on: on.one_way(CONTROL)),
    "a push": (frames.STREAM_CREATION_ERROR, lambda on: on.one_way(b"\x01")),
    "the end of the control stream": (frames.CLOSED_CRITICAL_STREAM, lambda on: on.raw_control(b"", ended=True)),
    "settings twice": (frames.FRAME_UNEXPECTED, lambda on: on.raw_control(encode_frame(frames.SETTINGS, b""))),
    "a goodbye that is no number": (frames.FRAME_ERROR, lambda on: on.raw_control(encode_frame(frames.GOAWAY, b""))),
    "a head behind a CONNECT": (
        frames.FRAME_UNEXPECTED,
        lambda on: on.raw(headers([(b":method", b"CONNECT"), (b":authority", b"a:1")]) + headers([(b"x", b"y")])),
    ),
    "a request on the control stream": (frames.FRAME_UNEXPECTED, lambda on: on.raw_control(headers(GET))),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_what_breaks_the_protocol_ends_the_connection_and_no_other(name: str) -> None:
    error, attack = FAULTS[name]
    async with (
        ScriptedUpstream(answering(OK)).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as attacker,
        calling(gateway.port) as honest,
    ):
        attack(attacker)
        assert await attacker.ended() == error
        assert (await honest.answer(honest.begin(GET))).status == 200
        await until(lambda: len(gateway.context.connections) == 1, what="one connection that is left")


NOTHING: dict[str, Callable[[Http3Caller], object]] = {
    "empty data": lambda on: [on.raw(headers(GET) + encode_frame(frames.DATA, b"") * 60) for _ in range(5)],
    "frames that nobody knows": lambda on: on.raw(headers(GET) + encode_frame(0x21, b"x") * 250),
    "words on the control stream": lambda on: on.raw_control(encode_frame(frames.MAX_PUSH_ID, b"\x01") * 250),
}


@pytest.mark.parametrize("name", NOTHING)
async def test_who_sends_what_is_for_nothing_is_ended_and_no_other(name: str) -> None:
    async with (
        ScriptedUpstream(answering(OK)).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as attacker,
        calling(gateway.port) as honest,
    ):
        honest.raw_control(encode_frame(0x21, b"x") * 100)
        NOTHING[name](attacker)
        assert await attacker.ended() == frames.EXCESSIVE_LOAD
        assert (await honest.answer(honest.begin(GET))).status == 200


async def test_what_is_no_request_ends_its_stream_and_reaches_no_service() -> None:
    async with (
        ScriptedUpstream(answering(OK)).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        for name, data in MALFORMED.items():
            answer = await caller.answer(caller.raw(data, ended=True))
            assert answer.reset == frames.MESSAGE_ERROR, (name, answer)
        assert (await caller.answer(caller.raw(b"", ended=True))).reset == frames.REQUEST_INCOMPLETE
        assert service.received == [] or b"content-length" in bytes(service.received[0])
        assert not any(b"admin" in bytes(each) for each in service.received)
        assert (await caller.answer(caller.begin(GET))).status == 200


async def test_a_head_that_is_not_whole_in_time_ends_the_connection_whatever_else_runs() -> None:
    async with (
        ScriptedUpstream(answering(OK)).running() as service,
        http3_wire(service.port, limits=ConnectionLimits(head_s=0.3, body_rate=0)) as gateway,
        calling(gateway.port) as slow,
        calling(gateway.port) as honest,
    ):
        for each in (slow, honest):  # bodies that never end: neither is idle
            each.begin(head(b"POST", b"/", scheme=b"https"), ended=False)
        split = honest.raw(headers(GET)[:5])
        honest.raw(headers(GET)[5:], ended=True, stream=split)
        assert (await honest.answer(split)).status == 200
        slow.raw(headers(GET)[:5])
        assert await slow.ended() == frames.EXCESSIVE_LOAD
        assert (await honest.answer(honest.begin(GET))).status == 200


async def test_settings_that_may_not_be_end_the_connection() -> None:
    for payload, error in (
        (b"\x02\x01", frames.SETTINGS_ERROR),
        (b"\x06\x01\x06\x01", frames.SETTINGS_ERROR),
        (b"\x06", frames.FRAME_ERROR),
    ):
        async with http3_wire() as gateway, knocking(gateway.port) as caller:
            caller.speaks = False
            await caller.until(lambda on=caller: on.is_shaken)
            caller.one_way(b"\x00" + encode_frame(frames.SETTINGS, payload))
            assert await caller.ended() == error
    async with http3_wire() as gateway, knocking(gateway.port) as caller:
        caller.speaks = False
        await caller.until(lambda: caller.is_shaken)
        caller.one_way(b"\x00" + encode_frame(frames.GOAWAY, b"\x00"))
        assert await caller.ended() == frames.MISSING_SETTINGS


async def without_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def takes_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_head(reader)
    await asyncio.sleep(3600)


def room(caller: Http3Caller) -> int:
    """Streams that he may begin now: a reset of one beyond would end the connection for that."""
    return caller.quic._remote_max_streams_bidi - caller.quic.get_next_available_stream_id() // 4


async def test_requests_that_are_taken_back_at_once_end_the_connection() -> None:
    """CVE-2023-44487."""
    async with ScriptedUpstream(without_answer).running() as service, http3_wire(service.port) as gateway:
        async with calling(gateway.port) as attacker, calling(gateway.port) as honest:
            begun = 0
            stands = time.monotonic()  # what is forgiven each second would outrun an attacker on a busy machine
            gateway.context.now = lambda: stands
            while attacker.closed is None:
                assert begun < 5_000
                for _ in range(min(50, room(attacker))):
                    attacker.reset(attacker.begin(GET))
                    begun += 1
                await asyncio.sleep(0.01)
            assert attacker.closed == frames.EXCESSIVE_LOAD
            assert len(gateway.gateway.finished) < 1_000
            waiting = honest.begin(GET)
            assert honest.answers[waiting].reset is None
        await until(lambda: not gateway.context.connections, what="connections that end")


async def test_streams_that_come_to_nothing_end_the_connection() -> None:
    async with http3_wire() as gateway, calling(gateway.port) as attacker:
        begun = 0
        while attacker.closed is None:
            assert begun < 5_000
            for _ in range(min(50, room(attacker))):
                attacker.raw(headers(GET[1:]), ended=True)
                begun += 1
            await asyncio.sleep(0.01)
        assert attacker.closed == frames.EXCESSIVE_LOAD


async def test_who_wants_no_answer_before_he_asks_reaches_no_service_and_holds_nothing() -> None:
    async with (
        ScriptedUpstream(answering(OK)).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        (connection,) = gateway.context.connections
        for _ in range(3):
            stream = caller.raw(b"")
            caller.quic.stop_stream(stream, frames.REQUEST_CANCELLED)
            caller.transmit()
            await caller.until(lambda of=caller.answers[stream]: of.reset is not None)
            caller.raw(headers(GET), ended=True, stream=stream)
        assert (await caller.answer(caller.begin(GET))).status == 200
        await until(lambda: not connection.is_busy, what="no stream that is left")
        assert len(service.received) == 1


async def test_no_more_requests_run_at_once_than_allowed_and_the_others_come_after() -> None:
    go, running, most = asyncio.Event(), 0, 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal running, most
        while True:
            await read_head(reader)
            running += 1
            most = max(most, running)
            await go.wait()
            running -= 1
            writer.write(OK)

    async with (
        ScriptedUpstream(handle).running() as service,
        http3_wire(service.port, streams=StreamLimits(streams=3)) as gateway,
        calling(gateway.port) as caller,
    ):
        streams = [caller.begin(GET) for _ in range(9)]
        await until(lambda: running == 3, what="three at the service")
        go.set()
        assert [(await caller.answer(each)).status for each in streams] == [200] * 9
        assert most == 3


async def test_who_goes_beyond_a_limit_that_he_was_told_is_ended() -> None:
    async with (
        ScriptedUpstream(takes_nothing).running() as service,
        http3_wire(service.port, streams=StreamLimits(streams=3)) as gateway,
    ):
        async with calling(gateway.port) as caller:
            caller.quic._remote_max_streams_bidi = 1_000
            for _ in range(4):
                caller.raw(b"\x01")
            assert await caller.ended() == STREAM_LIMIT_ERROR
        async with calling(gateway.port) as caller:
            stream = caller.begin(head(b"POST", b"/", scheme=b"https"), ended=False)
            caller.quic._streams[stream].max_stream_data_remote = caller.quic._remote_max_data = 1 << 30
            caller.raw(encode_uint_var(frames.DATA) + encode_uint_var(1 << 30) + b"x" * (16 << 20), stream=stream)
            assert await caller.ended() == FLOW_CONTROL_ERROR


async def test_many_connections_of_one_address_are_refused_beyond_its_share() -> None:
    async with http3_wire(limits=ConnectionLimits(per_address=2)) as gateway:
        async with calling(gateway.port), calling(gateway.port) as second:
            async with calling(gateway.port) as third:
                assert await third.ended() == 0x02  # CONNECTION_REFUSED
            assert second.closed is None
        await until(lambda: not gateway.context.per_address, what="nobody counted any more")


@pytest.mark.parametrize("where", ["handle_timer", "datagrams_to_send", "receive_datagram"])
async def test_a_connection_that_breaks_below_us_ends_alone_and_floods_no_log(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As a fault of aioquic's would."""

    def broken(*_: object) -> None:
        raise IndexError("of aioquic")

    async with (
        ScriptedUpstream(answering(OK)).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as honest,
    ):
        kept = set(gateway.endpoint._links.values())
        for _ in range(5):
            async with calling(gateway.port) as caller:
                (link,) = set(gateway.endpoint._links.values()) - kept
                setattr(link.quic, where, broken)
                setattr(link.quic, "get_timer", lambda: 0.0)  # noqa: B010 - a method, to mypy
                caller.begin(GET)
                await until(lambda: set(gateway.endpoint._links.values()) == kept, what="its end")
        assert (await honest.answer(honest.begin(GET))).status == 200
        await until(lambda: len(gateway.context.connections) == 1, what="one connection that is left")
    ours = [record for record in caplog.records if record.name == "meshway.gateway.http3"]
    assert len(ours) == 1, [record.getMessage() for record in caplog.records]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def first_datagram(name: str = "shop.example") -> bytes:
    quic = QuicConnection(configuration=caller_configuration(name))
    quic.connect(("127.0.0.1", 1), now=0.0)
    return quic.datagrams_to_send(now=0.0)[0][0]


async def test_who_does_not_go_on_gets_three_times_his_bytes_at_most_and_his_place_is_given_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.wire.http3.endpoint.HANDSHAKE_S", 1.0)
    async with ScriptedUpstream(answering(OK)).running() as service, http3_wire(service.port, at_once=4) as gateway:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            silent.setblocking(False)
            sent = first_datagram()
            silent.sendto(sent, ("127.0.0.1", gateway.port))
            await until(lambda: gateway.handshakes == [True], what="a handshake that is given up")
            got = 0
            while True:
                try:
                    got += len(silent.recv(65_535))
                except BlockingIOError:
                    break
            assert FIRST_BYTES <= got <= 3 * len(sent)
            # As many as there are places, from addresses that answer nothing: an honest one is asked to show his, and
            # comes in.
            for _ in range(12):
                silent.sendto(first_datagram(), ("127.0.0.1", gateway.port))
            await until(lambda: _kind_of(silent) == QuicPacketType.RETRY, what="the word to come again")
            async with calling(gateway.port) as honest:
                assert honest.closed is None
                assert honest.quic._retry_count == 1
                assert (await honest.answer(honest.begin(GET))).status == 200
        await until(lambda: len(gateway.handshakes) >= 3, what="the others given up")


def _kind_of(silent: socket.socket) -> QuicPacketType | None:
    try:
        return pull_quic_header(Buffer(data=silent.recv(65_535)), host_cid_length=8).packet_type
    except BlockingIOError:
        return None


async def test_a_token_is_good_for_its_address_alone() -> None:
    async with http3_wire(at_once=2) as gateway:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.sendto(first_datagram(), ("127.0.0.1", gateway.port))
        async with calling(gateway.port) as honest:  # with half of the places taken everybody shows his address
            assert (honest.closed, honest.quic._retry_count) == (None, 1)
            token = honest.quic._peer_token
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            other.setblocking(False)
            quic = QuicConnection(configuration=caller_configuration("shop.example", token=token))
            quic.connect(("127.0.0.1", gateway.port), now=0.0)
            other.sendto(quic.datagrams_to_send(now=0.0)[0][0], ("127.0.0.1", gateway.port))
            async with calling(gateway.port) as later:  # it was looked at before this one
                assert later.closed is None
            with pytest.raises(BlockingIOError):
                other.recv(65_535)


class _FarOn(QuicConnection):
    """Its handshake says that much of it is still to come."""

    def _push_crypto_data(self) -> None:
        for stream in self._crypto_streams.values():
            stream.sender._buffer_start = stream.sender._buffer_stop = 100_000
        super()._push_crypto_data()


async def test_a_handshake_that_is_out_of_order_is_held_in_part_alone() -> None:
    async with http3_wire() as gateway, knocking(gateway.port) as honest:
        quic = _FarOn(configuration=caller_configuration("shop.example"))
        quic.connect(("127.0.0.1", gateway.port), now=0.0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
            attacker.bind(("127.0.0.1", 0))
            attacker.setblocking(False)
            for data, _ in quic.datagrams_to_send(now=0.0):
                attacker.sendto(data, ("127.0.0.1", gateway.port))
            answer = b""

            def came() -> bool:
                nonlocal answer
                try:
                    answer = attacker.recv(65_535)
                except BlockingIOError:
                    return False
                return True

            await until(came, what="the last word")
            quic.receive_datagram(answer, ("127.0.0.1", gateway.port), now=0.1)
            assert quic._close_event is not None
            assert quic._close_event.error_code == CRYPTO_BUFFER_EXCEEDED
        await honest.until(lambda: honest.h3 is not None)


async def test_noise_is_no_caller() -> None:
    async with ScriptedUpstream(answering(OK)).running() as service, http3_wire(service.port) as gateway:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noisy:
            noisy.setblocking(False)
            noisy.bind(("127.0.0.1", 0))
            first = first_datagram()
            for _ in range(300):
                noise = bytearray(first)
                at = os.urandom(2)
                noise[int.from_bytes(at, "big") % len(noise)] ^= 0x55
                noisy.sendto(os.urandom(1 + at[0]), ("127.0.0.1", gateway.port))
                noisy.sendto(noise, ("127.0.0.1", gateway.port))
            noisy.sendto(first[:1] + b"\x0a\x0a\x0a\x0a" + first[5:], ("127.0.0.1", gateway.port))
            async with calling(gateway.port) as honest:
                assert (await honest.answer(honest.begin(GET))).status == 200

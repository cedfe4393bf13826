"""Services that speak HTTP/2, by another library than the gateway's: what they may do to a call, and to others."""

import asyncio
import functools
import gc
import socket
from collections.abc import Sized
from typing import Any

import pytest

from gateway.exchange import MESH
from gateway.relay.attempt import WRITE_STALL_S
from gateway.relay.call import Call
from gateway.relay.deadline import TICK_S
from gateway.wire.http2.codec import REFUSED_STREAM
from gateway.wire.multiplexed.stream import HIGH_WATER
from meshway.tasks import spawn
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.http2_caller import calling, head
from tests.parts.http2_service import Fields, Http2Service, ServedConnection

ROUTE = document("Route", "r", edge_route(to("books"), hosts=["*"]))


def by_http2(**connection: Any) -> Any:
    spec = {"targets": [{"service": "books"}], "connection": {"http": "http2", **connection}}
    return document("TrafficPolicy", "books", spec)


def shop(port: int, *changes: Any, **kwargs: Any) -> Any:
    return compiled_gateway(running("books", "b-1", port=port), ROUTE, by_http2(), *changes, **kwargs)


def path_of(fields: Fields) -> bytes:
    return dict(fields)[b":path"]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304), ("GET", 204)])
@pytest.mark.parametrize("ends", ["with its head", "later"])
async def test_an_answer_without_a_body_says_nothing_of_a_length_that_its_service_did_not(
    method: str, status: int, ends: str
) -> None:
    def on_request(connection: ServedConnection, stream: int, fields: Fields) -> None:
        connection.answer(stream, (b"etag", b'"1"'), status=status, ended=ends == "with its head")
        if ends == "later":
            connection.h2.end_stream(stream)

    async with Http2Service(on_request).running() as service, shop(service.port) as gateway:
        answered, text, _ = await gateway.ask(method=method, fields="Connection: close\r\n")
        assert answered == status
        assert 'etag: "1"' in text
        assert "content-length" not in text.lower()
        assert "transfer-encoding" not in text.lower()


async def test_a_service_that_only_announces_is_not_listened_to_forever() -> None:
    def on_request(connection: ServedConnection, stream: int, fields: Fields) -> None:
        for _ in range(11 if path_of(fields) == b"/many" else 10):
            connection.h2.send_headers(stream, [(b":status", b"103"), (b"link", b"</a.css>")])
        connection.answer(stream)

    async with Http2Service(on_request).running() as service, shop(service.port) as gateway:
        async with calling(gateway.port) as caller:
            few = await caller.answer(caller.get(b"/few"))
            assert (few.status, len(few.interim)) == (200, 10)
            assert (await caller.answer(caller.get(b"/many"))).status == 502
        await until(lambda: len(gateway.lines) == 2, what="its line")
        assert gateway.lines[1]["flag"] == "UPE"


async def test_answers_that_were_held_up_as_they_broke_off_leave_room_for_others() -> None:
    """The window of the connection is of all calls."""
    filled: list[tuple[ServedConnection, int]] = []

    def on_request(connection: ServedConnection, stream: int, fields: Fields) -> None:
        connection.answer(stream, ended=False)
        if path_of(fields) == b"/":
            connection.h2.send_data(stream, b"hello", end_stream=True)
        else:
            connection.fill(stream)
            filled.append((connection, stream))

    async with Http2Service(on_request).running() as service, shop(service.port, window=256 * 1024) as gateway:
        for number in range(1, 9):
            async with calling(gateway.port) as caller:
                caller.takes = False
                hungry = caller.get(b"/big")
                await until(functools.partial(are, number, filled), what="its answer")
                connection, stream = filled[number - 1]
                await until(functools.partial(stands, connection, stream, [-1]), what="an answer that is held up")
                assert connection.filling[stream] > 2 * HIGH_WATER
                connection.break_off(stream)
                assert (await caller.answer(hungry)).reset is not None
        async with calling(gateway.port) as caller:
            answer = await caller.answer(caller.get(b"/"))
            assert (answer.status, bytes(answer.body)) == (200, b"hello")
        assert len(service.connections) == 1


def are(number: int, some: Sized) -> bool:
    return len(some) == number


def is_full(connection: ServedConnection, stream: int) -> bool:
    return connection.h2.remote_flow_control_window(stream) == 0


def stands(connection: ServedConnection, stream: int, seen: list[int]) -> bool:
    """It may send nothing more, and does not since the last look. seen: how much it had sent then."""
    was, seen[0] = seen[0], connection.filling[stream]
    return was == seen[0] and connection.h2.local_flow_control_window(stream) == 0


async def test_a_gateway_behind_another_takes_a_deadline_that_is_told_both_ways() -> None:
    def on_request(connection: ServedConnection, stream: int, fields: Fields) -> None:
        connection.answer(stream)

    async with Http2Service(on_request).running() as service:
        place = running("books", "b-1", port=service.port)
        async with (
            compiled_gateway(place, by_http2(), face=MESH) as near,
            compiled_gateway(running("books", "b-1", port=near.port), by_http2(), face=MESH) as far,
            calling(far.port) as caller,
        ):
            stream = caller.get(b"/", [(b"grpc-timeout", b"5S")], b"books.default.mesh")
            assert (await caller.answer(stream)).status == 200
            asked = dict(service.requests[0])
            assert 3_000 < int(asked[b"meshway-deadline"]) <= 5_000
            assert 3_000 < int(asked[b"grpc-timeout"].removesuffix(b"m")) <= 5_000


async def test_a_connection_is_given_up_after_the_connect_timeout_and_another_is_tried() -> None:
    """By whoever waits then: it may be that nobody ever answers on the first."""

    def on_request(connection: ServedConnection, stream: int, fields: Fields) -> None:
        connection.answer(stream)

    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    port = full.getsockname()[1]
    waiting = [socket.socket() for _ in range(2)]
    for each in waiting:  # what comes behind them is not answered
        each.setblocking(False)
        each.connect_ex(("127.0.0.1", port))
    async with shop(port, by_http2(connect_timeout="200ms")) as gateway:
        status, _, body = await gateway.ask()
        assert (status, "no connection within" in body) == (502, True)
        (endpoint,) = endpoints(gateway)
        assert endpoint.shared == []
    for each in (*waiting, full):
        each.close()


def endpoints(gateway: CompiledGateway) -> Any:
    return gateway.compiler.tables.endpoints.values()


async def test_a_connection_ends_after_its_calls_and_its_idle_time() -> None:
    def on_request(connection: ServedConnection, stream: int, fields: Fields) -> None:
        connection.answer(stream)

    async with Http2Service(on_request).running() as service:
        async with shop(service.port, by_http2(max_requests=2)) as gateway:
            for _ in range(5):
                assert (await gateway.ask())[0] == 200
            assert len(service.connections) == 3
        async with shop(service.port, by_http2(idle_timeout="100ms")) as gateway:
            assert (await gateway.ask())[0] == 200
            assert len(service.connections) == 4
            await until(lambda: service.connections[3].is_lost, what="its end")


async def test_what_is_left_by_the_service_goes_elsewhere_and_what_it_looked_at_is_answered() -> None:
    """GOAWAY with calls under way, and a stream that is refused."""
    held: list[tuple[ServedConnection, int]] = []

    def on_request(connection: ServedConnection, stream: int, fields: Fields) -> None:
        if path_of(fields) == b"/held" and not held:
            held.append((connection, stream))
        elif path_of(fields) == b"/refused" and len(service.connections) == 1 and connection.resets == []:
            connection.resets.append(stream)
            connection.h2.reset_stream(stream, REFUSED_STREAM)
        elif path_of(fields) == b"/left" and connection is service.connections[0]:
            connection.h2.close_connection(last_stream_id=stream - 2)
        else:
            connection.answer(stream)

    async with Http2Service(on_request).running() as service, shop(service.port) as gateway:
        async with calling(gateway.port) as caller:
            waiting = caller.begin(head(b"POST", b"/held"))
            await until(lambda: held, what="the call that waits")
            refused = caller.begin(head(b"POST", b"/refused"))
            assert (await caller.answer(refused)).status == 200
            assert len(service.connections) == 1
            left = caller.begin(head(b"POST", b"/left"))
            assert (await caller.answer(left)).status == 200
            assert len(service.connections) == 2
            assert caller.answers[waiting].reset is None
        await until(lambda: len(gateway.lines) == 3, what="its line")


async def test_no_more_is_begun_on_a_new_connection_than_the_service_takes_at_once() -> None:
    """How many that is, it says with its first bytes, which the calls that waited for the connection wait for, too."""
    service = Http2Service(lambda connection, stream, _: connection.answer(stream), most_streams=2)
    service.is_late = True
    async with service.running(), shop(service.port) as gateway, calling(gateway.port) as caller:
        asked = [caller.begin(head(b"POST", b"/")) for _ in range(12)]
        assert [(await caller.answer(each)).status for each in asked] == [200] * 12


async def test_a_connection_that_breaks_off_with_a_body_under_way_fails_those_calls_alone() -> None:
    def on_request(connection: ServedConnection, stream: int, fields: Fields) -> None:
        if path_of(fields) == b"/breaks":
            asyncio.get_running_loop().call_soon(connection.transport.abort)
        else:
            connection.answer(stream)

    async with Http2Service(on_request).running() as service, shop(service.port) as gateway:
        async with calling(gateway.port) as caller:
            assert (await caller.answer(caller.get(b"/"))).status == 200
            sent = caller.begin(head(b"POST", b"/breaks"), ended=False)
            await caller.send(sent, b"x" * 10_000)
            assert (await caller.answer(sent)).status == 502
            assert (await caller.answer(caller.get(b"/"))).status == 200
        assert [path_of(fields) for fields in service.requests].count(b"/breaks") == 1
        (endpoint,) = endpoints(gateway)
        await until(lambda: endpoint.in_flight == 0, what="nothing that is counted")


async def test_a_slow_service_is_not_given_up_while_it_takes_the_body() -> None:
    """What the caller had sent before he was asked to wait is more than what waited then."""
    asked: list[tuple[ServedConnection, int]] = []

    def on_request(connection: ServedConnection, stream: int, fields: Fields) -> None:
        asked.append((connection, stream))

    async with Http2Service(on_request).running() as service, shop(service.port) as gateway:
        async with calling(gateway.port) as caller:
            sent = caller.begin(head(b"POST", b"/"), ended=False)
            sending = spawn(caller.send(sent, b"x" * (1 << 20)), name="send a body")
            await until(lambda: asked, what="the request")
            connection, stream = asked[0]
            takes_no_more = functools.partial(is_full, connection, stream)
            await until(takes_no_more, what="a service that takes no more")
            for _ in range(8):
                for which in (stream, None):
                    connection.h2.increment_flow_control_window(1_000, which)
                connection.flush()
                await until(takes_no_more, what="what it takes")
                gateway.leap(WRITE_STALL_S / 2)
                await asyncio.sleep(2 * TICK_S)
                assert connection.resets == []
            assert not caller.answers[sent].is_whole
            gateway.leap(WRITE_STALL_S + 1.0)
            await until(
                lambda: connection.resets or caller.answers[sent].is_whole, what="its end once it takes nothing"
            )
            sending.cancel()
        await until(lambda: gateway.lines, what="its line")
        assert gateway.lines[0]["status"] == 504


async def test_a_caller_who_names_no_host_makes_no_service_fail() -> None:
    """HTTP/1.0: an empty `:authority` would be malformed, and five of them an ejected instance."""

    def on_request(connection: ServedConnection, stream: int, fields: Fields) -> None:
        connection.answer(stream)

    async with Http2Service(on_request).running() as service, shop(service.port) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200 ")
        writer.close()
        assert dict(service.requests[0])[b":authority"] == b"127.0.0.1:%d" % service.port


async def test_nothing_is_kept_of_calls_that_are_over() -> None:
    """Not even for the minute that their answers might have taken."""

    def on_request(connection: ServedConnection, stream: int, fields: Fields) -> None:
        connection.answer(stream)

    async with Http2Service(on_request).running() as service, shop(service.port) as gateway:
        gc.collect()
        before = kept()
        async with calling(gateway.port) as caller:
            for _ in range(20):
                assert (await caller.answer(caller.get(b"/"))).status == 200
        gc.collect()
        assert kept() <= before + 2


def kept() -> int:
    return sum([isinstance(each, Call) for each in gc.get_objects()])


async def test_calls_leave_no_timers_behind_however_many_there_were() -> None:
    """One a call would lie in the wheel for as long as an answer might have taken."""
    answering = Http2Service(lambda on, stream, _: on.answer(stream))
    async with answering.running() as service, shop(service.port) as gateway:
        assert gateway.relay is not None
        wheel, filed = gateway.relay.wheel, []
        async with calling(gateway.port) as caller:
            for _ in range(3):
                for _ in range(30):
                    assert (await caller.answer(caller.get(b"/"))).status == 200
                filed.append(len(wheel))
        assert filed[-1] <= filed[0] <= 10, filed

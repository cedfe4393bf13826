"""Listeners of documents in a worker: opened when socket, word and tables are there, in whatever order they come."""

import asyncio
import itertools
import socket
from functools import partial

import pytest

from gateway.channel import ListenerSpot
from gateway.compiler.listeners import ListenerPlan
from gateway.listeners.sockets import open_slots
from gateway.wire.connection_limits import StreamLimits
from gateway.wire.listener_context import ListenerContext
from gateway.worker.listening import Listening
from gateway.worker.own_listeners import OwnListeners
from meshway.model.listener import Spoken
from tests.parts.conditions import until
from tests.parts.http3_wire import http3_wire
from tests.parts.wire import wire

SPOT = ListenerSpot(1, "partner", "edge", "http")


class Bench:
    def __init__(self, context: ListenerContext) -> None:
        self.made: list[tuple[str, str, Spoken]] = []
        self.opened: list[ListenerContext] = []
        self.listening = Listening(asyncio.get_running_loop(), lambda: None)
        self._context = context
        self.own = OwnListeners(self._make, self.listening, self.opened.append, 0.0)
        (self.socket,) = open_slots("127.0.0.1", 0, 1, "spec.port")
        self.address = self.socket.getsockname()

    def _make(self, name: str, face: str, speaks: Spoken) -> ListenerContext:
        self.made.append((name, face, speaks))
        return self._context

    def say(self, what: str) -> None:
        if what == "socket":
            self.own.take(1, self.socket)
        elif what == "word":
            self.own.want([SPOT])
        else:
            self.own.hold({"partner": ListenerPlan()})


@pytest.mark.parametrize("order", list(itertools.permutations(("socket", "word", "tables"))))
async def test_nobody_is_served_before_all_is_known(order: tuple[str, ...]) -> None:
    async with wire() as behind:
        on = Bench(behind.context)
        on.listening.open()
        for what in order:
            assert on.made == []
            on.say(what)
        assert on.made == [("partner", "edge", "http")]
        assert on.opened == [behind.context]
        with socket.create_connection(on.address, timeout=5.0):
            await until(lambda: len(behind.context.connections) == 1)
        on.own.want([])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(on.address, timeout=5.0).close()


async def test_a_socket_that_overtakes_the_word_of_one_before_is_kept_and_one_that_nobody_wants_is_let_go() -> None:
    async with wire() as behind:
        on = Bench(behind.context)
        on.listening.open()
        say = {number: ListenerSpot(number, "partner", "edge", "http") for number in (1, 2, 3)}
        sockets = {number: open_slots("127.0.0.1", 0, 1, "spec.port")[0] for number in say}
        places = {number: each.getsockname() for number, each in sockets.items()}
        on.say("tables")
        for number in (1, 2):  # by another way than the word, which is late
            on.own.take(number, sockets[number])
        on.own.want([say[1]])
        on.own.want([say[1], say[2]])
        assert len(on.opened) == 2
        with socket.create_connection(places[2], timeout=5.0):
            await until(lambda: len(behind.context.connections) == 1)
        on.own.want([say[1], say[2], say[3]])
        on.own.want([])
        on.own.take(3, sockets[3])
        assert sockets[3].fileno() < 0, "callers would queue for nobody"


async def test_tables_of_another_face_or_without_tls_open_nothing() -> None:
    async with wire() as behind:
        on = Bench(behind.context)
        on.say("socket")
        on.say("word")
        for plan in (ListenerPlan(face="mesh"), ListenerPlan(spoken="https")):
            on.own.hold({"partner": plan})
            assert on.made == []
        on.own.want([])
        assert on.socket.fileno() < 0


async def test_http_3_is_made_once_it_is_imported_and_where_the_tables_have_it() -> None:
    beside = ListenerSpot(2, "partner", "edge", "http3")
    async with http3_wire() as behind:
        on = Bench(behind.context)
        on.own.take(2, open_slots("127.0.0.1", 0, 1, "spec.port", is_udp=True)[0])
        on.own.want([beside])
        on.own.hold({"partner": ListenerPlan(spoken="https")})
        assert on.made == []
        on.own.hold({"partner": ListenerPlan(spoken="https", http3=StreamLimits())})
        assert on.made == []  # not within this turn of the loop, which would stand still
        await until(lambda: on.made == [("partner", "edge", "http3")], what="the listener")
        on.own.want([])


async def test_a_package_that_could_not_be_imported_is_tried_again_and_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    beside = ListenerSpot(2, "partner", "edge", "http3")
    tried: list[str] = []

    def broken(name: str) -> object:
        tried.append(name)
        if len(tried) < 3:
            raise ImportError("no module named aioquic")
        return object()

    def has_tried(times: int) -> bool:
        return len(tried) == times and not on.own._is_importing

    monkeypatch.setattr("gateway.worker.own_listeners.import_module", broken)
    async with http3_wire() as behind:
        on = Bench(behind.context)
        (accepting,) = open_slots("127.0.0.1", 0, 1, "spec.http3", is_udp=True)
        on.own.take(2, accepting)
        on.own.want([beside])
        for number in (1, 2, 3):
            on.own.hold({"partner": ListenerPlan(spoken="https", http3=StreamLimits())})
            await until(partial(has_tried, number))
        assert on.made == [("partner", "edge", "http3")]
        assert [record.getMessage() for record in caplog.records] == [
            "HTTP/3 is not served, its package cannot be imported (ImportError: no module named aioquic): "
            "install meshway[http3]"
        ]
        on.own.want([])

"""Real listeners on real sockets; their time is told by hand."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.event_loop import loop_factory
from gateway.listeners.sockets import open_slots
from gateway.wire.connection_limits import ConnectionLimits
from gateway.wire.listener_context import ListenerContext
from gateway.worker.listening import Listening
from tests.parts.conditions import until
from tests.parts.wire import Wire, wire


class Bench:
    """One listener of a worker. opened: how often it said that it is open."""

    def __init__(self, behind: Wire, listening_on: socket.socket) -> None:
        self.opened = 0
        self.connections = behind.context.connections
        self.address = listening_on.getsockname()
        self.gone: list[ListenerContext] = []
        self.listening = Listening(asyncio.get_running_loop(), self._count, on_gone=self.gone.append)
        self.context = behind.context
        self.listening.add(behind.context, listening_on)

    def _count(self) -> None:
        self.opened += 1

    def call(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=5)


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    (listening_on,) = open_slots("127.0.0.1", 0, 1, "--edge-port")
    with listening_on:
        async with wire() as behind:
            yield Bench(behind, listening_on)


async def test_it_is_opened_once_and_serves() -> None:
    async with bench() as on:
        for _ in range(2):
            on.listening.open()
        with on.call():
            await until(lambda: len(on.connections) == 1)
        assert on.opened == 1


def test_those_who_wait_together_are_taken_in_together() -> None:
    async def taken_in() -> list[int]:
        async with bench() as on:
            with on.call(), on.call(), on.call():
                on.listening.open()
                counts = [0]
                while counts[-1] < 3:
                    await asyncio.sleep(0)
                    counts.append(len(on.connections))
            return sorted(set(counts))

    with asyncio.Runner(loop_factory=loop_factory()) as runner:  # as a worker runs
        assert runner.run(asyncio.wait_for(taken_in(), 5)) == [0, 3]


async def test_a_drain_is_over_when_the_last_caller_has_left() -> None:
    async with bench() as on:
        on.listening.open()
        with on.call():
            await until(lambda: len(on.connections) == 1)
            on.listening.drain(600.0, 600.0, is_last=False)
            on.listening.beat(time.monotonic())
            assert not on.listening.closed.is_set()
        await until(lambda: not on.connections)
        on.listening.beat(time.monotonic())
        assert on.listening.closed.is_set()


async def test_who_is_asked_twice_to_drain_has_the_shorter_patience_and_cuts_who_stays() -> None:
    async with bench() as on:
        on.listening.open()
        with on.call():
            await until(lambda: len(on.connections) == 1)
            for patience_s in (600.0, 60.0, 300.0):
                on.listening.drain(patience_s, patience_s, is_last=False)
            on.listening.beat(time.monotonic() + 50.0)
            assert not on.listening.closed.is_set()
            on.listening.beat(time.monotonic() + 61.0)
            assert on.listening.closed.is_set()
            await until(lambda: not on.connections)


async def test_the_last_one_takes_in_who_waits_in_the_queue() -> None:
    async with bench() as on:
        with on.call():
            on.listening.drain(600.0, 600.0, is_last=True)
            await until(lambda: len(on.connections) == 1)


async def test_sockets_of_one_name_have_the_most_connections_together_until_one_has_gone() -> None:
    async with bench() as on, bench() as other:
        (beside,) = open_slots("127.0.0.1", 0, 1, "--edge-port")
        on.listening.add(other.context, beside)
        on.listening.open()
        on.context.limits = other.context.limits = ConnectionLimits(connections=1)
        with on.call():
            await until(lambda: len(on.connections) == 1)
            with socket.create_connection(beside.getsockname(), timeout=5) as second:
                assert b"overloaded" in await asyncio.to_thread(second.recv, 1_000)
        await until(lambda: not on.connections and not other.connections)
        on.listening.remove(other.context, 0.0)
        on.listening.beat(time.monotonic() + 1.0)
        assert on.gone == [other.context]
        with on.call() as first:
            await until(lambda: len(on.connections) == 1)
            first.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"overloaded" not in await asyncio.to_thread(first.recv, 1_000)


@pytest.mark.parametrize("is_last", [False, True])
async def test_one_that_was_not_built_is_over_at_once(is_last: bool) -> None:
    listening = Listening(asyncio.get_running_loop(), lambda: None)
    listening.drain(600.0, 600.0, is_last=is_last)
    assert listening.closed.is_set()


async def test_one_that_comes_later_is_opened_and_let_go_alone() -> None:
    async with bench() as on, wire() as other:
        on.listening.open()
        await until(lambda: on.opened == 1)
        (later,) = open_slots("127.0.0.1", 0, 1, "spec.port")
        address = later.getsockname()
        on.listening.add(other.context, later)
        with socket.create_connection(address, timeout=5):
            await until(lambda: len(other.context.connections) == 1)
            on.listening.remove(other.context, 600.0)
            assert not on.context.draining
            on.listening.beat(time.monotonic())
            assert on.gone == []
        await until(lambda: not other.context.connections)
        on.listening.beat(time.monotonic())
        assert (on.gone, on.listening.listeners) == ([other.context], [on.context])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5).close()
        with on.call():
            await until(lambda: len(on.connections) == 1)


async def test_an_address_has_one_share_of_all_sockets_of_a_listener() -> None:
    """Of HTTP/3 beside TCP, and of one that drains beside its successor."""
    async with bench() as on, wire() as other, wire() as beside:
        assert other.context.name == on.context.name
        beside.context.name = "partner"
        for context in (other.context, beside.context):
            (accepting,) = open_slots("127.0.0.1", 0, 1, "--edge-port")
            on.listening.add(context, accepting)
        on.listening.open()
        with on.call():
            await until(lambda: len(on.connections) == 1)
            assert other.context.per_address == {"127.0.0.1": 1}
            assert beside.context.per_address == {}
        on.listening.drain(0.0, 0.0, is_last=True)

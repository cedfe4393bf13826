"""Sessions of datagrams on real sockets, with a plan made by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.exchange import EDGE, Exchange, Reply
from gateway.limits.source_counts import SourceCounts
from gateway.listeners.sockets import open_slots
from gateway.plan import RequestFilter
from gateway.relay.deadline import TICK_S, TimerWheel
from gateway.relay.relay import Relay
from gateway.routing.session_plan import SessionPlan
from gateway.routing.table import TablesHolder
from gateway.upstream.cluster import Cluster
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.pool import Pool
from gateway.verdict import Turn
from gateway.wire.listener_context import ListenerContext
from gateway.wire.udp.receiver import UdpReceiver
from tests.parts.clock import LeapingClock
from tests.parts.conditions import until
from tests.parts.datagrams import DatagramService, Sources, named
from tests.parts.one_route import cluster, endpoint, one_route, plan
from tests.parts.ports import free_port


class Bench:
    """ended: exchanges that are over. Time is leapt."""

    def __init__(self, ports: list[int], filters: tuple[RequestFilter, ...], address: str) -> None:
        self.now = LeapingClock()
        self.wheel = TimerWheel(self.now())
        self.endpoints = [endpoint(port, name) for port, name in zip(ports, "abc", strict=False)]
        self.cluster: Cluster = cluster(*self.endpoints, now=self.now)
        for each in self.endpoints:
            each.clusters = (self.cluster,)
        self.ended: list[Exchange] = []
        self.tables = one_route(None)
        self.holder = TablesHolder(self.tables)
        relay = Relay(self.holder, Pool(_no_connection, self.wheel, self.now), self.wheel, self.now, self._finish)
        self.listener = ListenerContext(EDGE, relay, b"meshway-test", name="game", spoken="udp")
        (accepting,) = open_slots(address, 0, 1, "spec.port", is_udp=True)
        self.port = accepting.getsockname()[1]
        self.receiver = UdpReceiver(self.listener, accepting, self.holder, None, SourceCounts("game", None))
        self.route = plan(self.cluster, request_filters=filters)
        self.receiver.open()
        self.say()

    def say(
        self, idle_s: float = 30.0, max_sessions: int = 10_000, per_source: int = 100, max_reply_ratio: float = 0.0
    ) -> None:
        """What the document says."""
        told = SessionPlan(self.route, "UdpRoute shop/game", idle_s, max_sessions, per_source, max_reply_ratio)
        self.tables.sessions = {"game": told}

    def _finish(self, exchange: Exchange, _: float) -> None:
        self.ended.append(exchange)

    def leap(self, seconds: float) -> None:
        self.now.leap(seconds)
        self.wheel.advance(self.now())


def _no_connection(*_: object) -> Callable[[], None]:
    raise AssertionError("datagrams ask for no connection")


@asynccontextmanager
async def bench(
    *services: DatagramService | int, filters: tuple[RequestFilter, ...] = (), address: str = "127.0.0.1"
) -> AsyncIterator[tuple[Bench, Sources]]:
    """services: or ports where nobody is."""
    ports = [one if isinstance(one, int) else one.port for one in services]
    on = Bench(ports, filters, address)
    loop, is_running = asyncio.get_running_loop(), True

    def tick() -> None:
        if is_running:
            on.wheel.advance(on.now())
            loop.call_later(TICK_S, tick)

    tick()
    try:
        with Sources(("127.0.0.1", on.port)) as sources:
            yield on, sources
    finally:
        is_running = False
        on.receiver.drain(is_last=True)
        on.listener.abort_all()
        on.receiver.close()
        for one in services:
            if not isinstance(one, int):
                one.close()


async def test_each_source_keeps_its_instance_and_hears_only_its_own_answers() -> None:
    a, b = DatagramService(named(b"a")), DatagramService(named(b"b"))
    async with bench(a, b) as (on, sources):
        players = [sources.one() for _ in range(200)]
        on.say(per_source=0)
        first = [await player.ask(b"hello %d" % at) for at, player in enumerate(players)]
        for turn in range(3):
            for player in players:
                player.send(b"move %d" % turn)
            for at, player in enumerate(players):
                assert await player.heard() == first[at][:2] + b"move %d" % turn
        names = {told[:1] for told in first}
        assert names == {b"a", b"b"}, "two instances have all 200, by turns"
        assert [each.in_flight for each in on.endpoints] == [100, 100]
        assert len(on.receiver.sessions) == len(on.listener.connections) == 200
        assert on.ended == []


async def test_a_silent_session_ends_with_one_line_and_the_next_datagram_begins_another() -> None:
    a = DatagramService(named(b"a"))
    async with bench(a) as (on, sources):
        player = sources.one()
        assert await player.ask(b"12345") == b"a 12345"
        on.leap(20.0)
        assert await player.ask(b"12") == b"a 12"
        on.leap(29.0)
        assert on.ended == []
        on.leap(2.0)
        [ended] = on.ended
        assert (ended.status, ended.bytes_in, ended.bytes_out, ended.endpoint) == (200, 7, 11, on.endpoints[0])
        assert (on.endpoints[0].in_flight, on.receiver.sessions, on.listener.connections) == (0, {}, set())
        assert await player.ask(b"again") == b"a again"
        assert len({source for _, source in a.heard}) == 2


async def test_sessions_are_bounded_for_one_address_and_for_all_and_neighbours_go_on() -> None:
    a = DatagramService(named(b"a"))
    async with bench(a) as (on, sources):
        on.say(per_source=2, max_sessions=3)
        first, second, third = (sources.one() for _ in range(3))
        other, another = sources.one("127.0.0.2"), sources.one("127.0.0.3")
        assert [await first.ask(b"x"), await second.ask(b"x")] == [b"a x", b"a x"]
        third.send(b"x")
        await until(lambda: on.receiver.dropped["source"] == 1)
        assert await other.ask(b"y") == b"a y"
        another.send(b"z")
        await until(lambda: on.receiver.dropped["sessions"] == 1)
        assert await first.ask(b"still") == b"a still"
        told = [(each.status, each.reason, each.policy, each.peer) for each in on.ended]
        assert told == [
            (503, "too_many_sessions", "UdpRoute shop/game", "127.0.0.1"),
            (503, "too_many_sessions", "UdpRoute shop/game", "127.0.0.3"),
        ]
        assert len(a.heard) == 4


async def test_a_flood_of_refused_datagrams_is_counted_and_told_once_a_second() -> None:
    a = DatagramService(named(b"a"))
    async with bench(a) as (on, sources):
        on.say(max_sessions=1)
        await sources.one().ask(b"x")
        others = [sources.one() for _ in range(50)]
        for each in others:
            each.send(b"x")
        await until(lambda: on.receiver.dropped["sessions"] == 50)
        assert len(on.ended) == 1
        on.now.leap(1.5)
        others[0].send(b"x")
        await until(lambda: len(on.ended) == 2)
        assert "50 datagrams" in on.ended[1].detail


async def test_a_forged_source_gets_no_more_than_its_share_back() -> None:
    loud = DatagramService(lambda data: [b"x" * 50, b"y" * 50, b"z" * 50])
    async with bench(loud) as (on, sources):
        on.say(max_reply_ratio=10.0)
        victim = sources.one()
        victim.send(b"0123456789")  # may have 100 bytes
        assert [await victim.heard(), await victim.heard()] == [b"x" * 50, b"y" * 50]
        await until(lambda: on.receiver.dropped["reply_ratio"] == 1)
        victim.send(b"0123456789")
        assert [await victim.heard(), await victim.heard()] == [b"x" * 50, b"y" * 50]
        on.leap(31.0)
        [ended] = on.ended
        assert (ended.status, ended.reason, ended.bytes_out) == (200, "reply_ratio", 200)
        on.say(max_reply_ratio=0.0)
        honest = sources.one()
        honest.send(b"0")
        assert [await honest.heard() for _ in range(3)] == [b"x" * 50, b"y" * 50, b"z" * 50]


async def test_a_session_goes_on_elsewhere_when_nobody_is_where_it_went() -> None:
    dead, b = free_port(), DatagramService(named(b"b"))
    async with bench(dead, b) as (on, sources):
        players = [sources.one() for _ in range(4)]
        for player in players:
            player.send(b"lost where nobody is")
        await until(lambda: on.endpoints[0].in_flight == 0)
        assert [await player.ask(b"x") for player in players][-1].startswith(b"b ")
        assert on.endpoints[1].in_flight == 4
        on.leap(31.0)
        assert sorted(each.attempts for each in on.ended) == [1, 1, 2, 2]
        assert {each.status for each in on.ended} == {200}


async def test_a_session_whose_instance_is_gone_goes_on_at_another_and_one_that_drains_keeps_it() -> None:
    a, b = DatagramService(named(b"a")), DatagramService(named(b"b"))
    async with bench(a, b) as (on, sources):
        players = [sources.one(), sources.one()]
        [stays, moves] = sorted([(await player.ask(b"1"), player) for player in players], key=lambda pair: pair[0])
        assert (stays[0][:1], moves[0][:1]) == (b"a", b"b")
        on.endpoints[1].clusters = (on.cluster,)
        on.cluster.set_endpoints((on.endpoints[0],))
        assert (await moves[1].ask(b"2"))[:1] == b"a"
        on.endpoints[0].weight = 0  # it drains
        again: Endpoint = endpoint(b.port, "b2")
        again.clusters = (on.cluster,)
        on.cluster.set_endpoints((on.endpoints[0], again))
        assert (await stays[1].ask(b"3"))[:1] == b"a"
        assert (await sources.one().ask(b"4"))[:1] == b"b"


async def test_nobody_there_is_told_once_and_tried_anew_after_a_second() -> None:
    port = free_port()
    async with bench(port) as (on, sources):
        player = sources.one()
        player.send(b"1")
        await until(lambda: on.receiver.dropped["unreachable"] > 0)
        for _ in range(20):
            player.send(b"more")
            await asyncio.sleep(0.01)  # so that the kernel's word on each can come back
        on.leap(31.0)
        assert [(each.status, each.reason, each.flag) for each in on.ended] == [(503, "upstream_unreachable", "UF")]
        late = DatagramService(named(b"late"), port)
        try:
            assert await player.ask(b"2") == b"late 2"
        finally:
            late.close()


class _Waiting(Turn):
    left = 0

    def wait(self, resume: Callable[[Reply | None], None]) -> None:
        """For longer than a datagram may."""

    def leave(self) -> None:
        _Waiting.left += 1


async def _asks_another(_: Exchange) -> Reply | None:
    return None


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (lambda _: Reply(403, "denied", "UAEX", policy="AccessPolicy shop/own"), "denied"),
        (lambda _: _Waiting(), "rate_limited"),
        (_asks_another, "policy_unavailable"),
    ],
)
async def test_who_may_not_come_in_is_dropped_for_a_second_and_told_in_one_line(
    verdict: RequestFilter, reason: str
) -> None:
    a = DatagramService(named(b"a"))
    async with bench(a, filters=(verdict,)) as (on, sources):
        caller = sources.one()
        for _ in range(10):
            caller.send(b"x")
        await until(lambda: on.receiver.dropped["refused"] == 10)
        on.leap(1.1)
        [ended] = on.ended
        assert (ended.reason, a.heard, on.endpoints[0].in_flight) == (reason, [], 0)


async def test_while_it_drains_the_next_worker_has_what_comes_and_late_answers_still_pass() -> None:
    silent = DatagramService(lambda _: [])
    async with bench(silent) as (on, sources):
        player = sources.one()
        player.send(b"ask")
        await until(lambda: silent.heard)
        on.receiver.drain(is_last=False)
        on.listener.start_drain()
        player.send(b"for the next worker")
        silent.socket.sendto(b"late", silent.heard[0][1])
        assert await player.heard() == b"late"
        assert len(silent.heard) == 1
        on.leap(1.1)
        assert (len(on.ended), on.listener.connections) == (1, set())
        assert (on.ended[0].status, on.ended[0].reason) == (200, "drained")


async def test_where_nobody_follows_sessions_go_on_and_none_begins() -> None:
    a = DatagramService(named(b"a"))
    async with bench(a) as (on, sources):
        known, new = sources.one(), sources.one()
        await known.ask(b"1")
        on.receiver.drain(is_last=True)
        on.listener.start_drain()
        on.listener.draining = True
        new.send(b"2")
        await until(lambda: on.receiver.dropped["refused"] == 1)
        assert await known.ask(b"3") == b"a 3"
        on.listener.close_idle()
        assert (len(on.ended), on.listener.connections) == (1, set())
        assert (on.ended[0].status, on.ended[0].reason, on.ended[0].policy) == (200, "drained", "UdpRoute shop/game")


async def test_answers_come_from_the_address_that_was_sent_to() -> None:
    a = DatagramService(named(b"a"))
    async with bench(a, address="0.0.0.0") as (on, _):
        with Sources(("127.0.0.7", on.port)) as sources:
            caller = sources.one()
            caller.socket.connect(("127.0.0.7", on.port))  # hears nobody else
            caller.socket.send(b"x")
            assert await caller.heard() == b"a x"


async def test_a_listener_without_a_route_says_so() -> None:
    async with bench() as (on, sources):
        on.tables.sessions = {}
        sources.one().send(b"x")
        await until(lambda: on.ended)
        [ended] = on.ended
        assert (ended.status, ended.reason, ended.policy) == (404, "no_route", "listener game")


async def test_sessions_leave_descriptors_for_connections() -> None:
    a = DatagramService(named(b"a"))
    async with bench(a) as (on, sources):
        assert await sources.one().ask(b"12345") == b"a 12345"
        on.listener.places.most_descriptors = 1
        refused = sources.one()
        refused.send(b"12345")
        await until(lambda: on.receiver.dropped["refused"] == 1)
        assert on.listener.places.refused == {"descriptors": 1}
        assert [each.in_flight for each in on.endpoints] == [1]
        on.leap(1.5)
        await until(lambda: len(on.ended) == 1)
        assert (on.ended[0].status, on.ended[0].reason) == (503, "overloaded")
        assert on.ended[0].policy == "listener game"
        assert len(on.receiver.sessions) == 1

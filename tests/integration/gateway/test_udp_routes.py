"""UdpRoutes as people write them, and what becomes of datagrams on real sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from dnslib import DNSRecord

from gateway.exchange import EDGE, MESH
from gateway.limits.source_counts import SourceCounts
from gateway.listeners.sockets import open_slots
from gateway.routing.table import TablesHolder
from gateway.wire.listener_context import ListenerContext
from gateway.wire.udp.receiver import UdpReceiver
from meshway.snapshot import Change
from registry.dns.server import DnsCounts, DnsSockets, dns_served
from registry.view.view import View
from tests.parts.changes import document, gone, left, running
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.datagrams import DatagramService, Sources, named
from tests.parts.dns_queries import question


class Datagrams:
    """gateway: what it says is in force. receiver: of the Listener `game`, whose port sources send to."""

    def __init__(self, gateway: CompiledGateway, face: int) -> None:
        self.gateway = gateway
        relay = gateway.relay
        assert relay is not None
        assert isinstance(relay.holder, TablesHolder)
        listener = ListenerContext(face, relay, b"meshway-test", name="game", spoken="udp")
        (accepting,) = open_slots("127.0.0.1", 0, 1, "spec.port", is_udp=True)
        self.port = accepting.getsockname()[1]
        self.receiver = UdpReceiver(listener, accepting, relay.holder, None, SourceCounts("game", None))
        self.listener = listener
        self.receiver.open()

    async def ended(self, count: int = 1) -> list[dict[str, Any]]:
        """Lines of the access log."""
        await until(lambda: len(self.gateway.lines) >= count)
        return self.gateway.lines

    def close(self) -> None:
        self.receiver.drain(is_last=True)
        self.listener.abort_all()
        self.receiver.close()


def listener(face: str = "edge") -> Change:
    return document("Listener", "game", {"port": 9000, "protocol": "udp", "face": face}, "mesh")


def route(**fields: Any) -> Change:
    return document("UdpRoute", "game", {"listeners": ["game"], "destinations": [{"service": "game"}]} | fields)


@asynccontextmanager
async def datagrams(*changes: Change, face: int = EDGE) -> AsyncIterator[tuple[Datagrams, Sources]]:
    async with compiled_gateway(listener("mesh" if face == MESH else "edge"), *changes, face=face) as gateway:
        on = Datagrams(gateway, face)
        try:
            with Sources(("127.0.0.1", on.port)) as sources:
                yield on, sources
        finally:
            on.close()


@asynccontextmanager
async def instances(*names: str) -> AsyncIterator[list[Change]]:
    services = [DatagramService(named(name.encode())) for name in names]
    try:
        yield [running("game", name, port=one.port) for name, one in zip(names, services, strict=True)]
    finally:
        for one in services:
            one.close()


@pytest.mark.proves("UdpRoute.listeners", "UdpRoute.destinations", "UdpRoute.idle", "Listener.protocol")
async def test_datagrams_reach_the_service_and_each_session_has_a_line() -> None:
    async with instances("a") as game, datagrams(*game, route(idle="5s")) as (on, sources):
        assert await sources.one().ask(b"hello") == b"a hello"
        on.gateway.leap(4.5)
        assert on.gateway.lines == []
        on.gateway.leap(1.0)
        [line] = await on.ended()
        told = {name: line[name] for name in ("listener", "peer", "route", "service", "instance", "status", "protocol")}
        assert told == {
            "listener": "game",
            "peer": "127.0.0.1",
            "route": "default/game",
            "service": "default/game",
            "instance": "a",
            "status": 200,
            "protocol": "UDP",
        }
        assert (line["bytes_in"], line["bytes_out"]) == (5, 7)


async def test_two_hundred_sources_play_at_once_and_go_on_when_an_instance_leaves() -> None:
    async with instances("a", "b", "c") as game, datagrams(*game, route(per_source=0)) as (on, sources):
        players = [sources.one() for _ in range(200)]
        for turn in range(3):
            for player in players:
                player.send(b"%d" % turn)
            seats = [await player.heard() for player in players]
            assert {seat[1:] for seat in seats} == {b" %d" % turn}
        assert {seat[:1] for seat in seats} == {b"a", b"b", b"c"}
        on.gateway.apply(left("game", "b"))
        after = [await player.ask(b"on") for player in players]
        moved = [new for new, old in zip(after, seats, strict=True) if new[:1] != old[:1]]
        assert {seat[:1] for seat in after} == {b"a", b"c"}
        assert len(moved) == sum(seat[:1] == b"b" for seat in seats), "nobody else was moved"


async def test_weights_are_drawn_for_each_session() -> None:
    to = [{"service": "game", "weight": 1}, {"service": "other", "weight": 0}]
    other = DatagramService(named(b"other"))
    try:
        async with (
            instances("a") as game,
            datagrams(*game, running("other", "o", port=other.port), route(destinations=to)) as (_, sources),
        ):
            assert {(await sources.one().ask(b"x"))[:1] for _ in range(20)} == {b"a"}
    finally:
        other.close()


async def test_the_sessions_of_one_address_meet_at_one_instance_where_a_policy_hashes_it() -> None:
    policy = document("TrafficPolicy", "t", {"load_balancer": {"algorithm": "maglev", "hash_key": {"source_ip": True}}})
    async with instances("a", "b", "c") as game, datagrams(*game, policy, route()) as (_, sources):
        for host in range(2, 12):
            address = f"127.0.0.{host}"
            assert len({await sources.one(address).ask(b"x") for _ in range(5)}) == 1
        seats = {(await sources.one(f"127.0.1.{host}").ask(b"x"))[:1] for host in range(60)}
        assert seats == {b"a", b"b", b"c"}


@pytest.mark.proves("UdpRoute.max_reply_ratio")
@pytest.mark.parametrize(
    ("face", "written", "most"), [(EDGE, {}, 10), (EDGE, {"max_reply_ratio": 3}, 3), (MESH, {}, 0)]
)
async def test_the_edge_sends_no_more_back_than_ten_times_what_came(
    face: int, written: dict[str, Any], most: int
) -> None:
    loud = DatagramService(lambda data: [data] * 20)
    try:
        async with datagrams(running("game", "a", port=loud.port), route(**written), face=face) as (on, sources):
            source = sources.one()
            source.send(b"0123456789")
            for _ in range(most or 20):
                assert await source.heard() == b"0123456789"
            if most:
                await until(lambda: on.receiver.dropped["reply_ratio"] == 20 - most)
    finally:
        loud.close()


@pytest.mark.proves("UdpRoute.max_sessions", "UdpRoute.per_source")
async def test_the_route_bounds_its_sessions_and_refusals_name_it() -> None:
    async with (
        instances("a") as game,
        datagrams(*game, route(max_sessions=2, per_source=1)) as (on, sources),
    ):
        assert await sources.one().ask(b"x") == b"a x"
        sources.one().send(b"x")
        [line] = await on.ended()
        assert (line["status"], line["reason"], line["policy"]) == (503, "too_many_sessions", "UdpRoute default/game")
        assert await sources.one("127.0.0.2").ask(b"x") == b"a x"
        sources.one("127.0.0.3").send(b"x")
        assert [each["peer"] for each in await on.ended(2)] == ["127.0.0.1", "127.0.0.3"]


async def test_who_an_access_policy_denies_is_not_carried_and_its_neighbour_is() -> None:
    rules = [{"action": "deny", "from": [{"cidr": ["127.0.0.2/32"]}]}]
    policy = document("AccessPolicy", "own", {"targets": [{"service": "game"}], "rules": rules})
    async with instances("a") as game, datagrams(*game, policy, route()) as (on, sources):
        assert await sources.one("127.0.0.3").ask(b"x") == b"a x"
        sources.one("127.0.0.2").send(b"x")
        await until(lambda: on.receiver.dropped["refused"] == 1)
        on.gateway.leap(1.1)
        [line] = await on.ended()
        assert (line["status"], line["reason"], line["policy"]) == (403, "denied", "AccessPolicy default/own")


async def test_a_policy_that_asks_of_requests_lets_no_datagram_in() -> None:
    rules = [{"action": "allow", "to": [{"path": {"prefix": "/public"}}]}]
    policy = document("AccessPolicy", "own", {"targets": [{"service": "game"}], "rules": rules})
    async with instances("a") as game, datagrams(*game, policy, route()) as (on, sources):
        sources.one().send(b"x")
        await until(lambda: on.receiver.dropped["refused"] == 1)


async def test_a_session_costs_one_of_a_limit_and_its_datagrams_nothing() -> None:
    limit = document(
        "RateLimit",
        "two",
        {
            "targets": [{"service": "game"}],
            "key": ["source_ip"],
            "token_bucket": {"rate": "2/m", "burst": 2},
        },
    )
    async with instances("a") as game, datagrams(*game, limit, route()) as (on, sources):
        first, second, third = (sources.one() for _ in range(3))
        for source in (first, second, first, first, second):
            assert await source.ask(b"x") == b"a x"
        third.send(b"x")
        await until(lambda: on.receiver.dropped["refused"] == 1)
        on.gateway.leap(1.1)
        [line] = await on.ended()
        assert (line["status"], line["reason"], line["policy"]) == (429, "rate_limited", "RateLimit default/two")
        assert await sources.one("127.0.0.2").ask(b"x") == b"a x"


async def test_what_must_be_encrypted_is_not_sent_as_it_is() -> None:
    policy = document("TrafficPolicy", "t", {"targets": [{"service": "game"}], "tls": {"mode": "mesh"}})
    async with instances("a") as game, datagrams(*game, policy, route()) as (on, sources):
        sources.one().send(b"x")
        await until(lambda: on.receiver.dropped["refused"] == 1)
        on.gateway.leap(1.1)
        [line] = await on.ended()
        assert (line["reason"], "TLS" in line["detail"]) == ("upstream_unreachable", True)


async def test_a_real_name_server_answers_through_the_gateway() -> None:
    view = View(epoch="e", revision=0, floor=0, instance_number=0)
    streams = open_slots("127.0.0.1", 0, 1, "--dns-port")[0]
    own = open_slots("127.0.0.1", 0, 1, "--dns-port", is_udp=True)[0]
    async with dns_served(view, DnsSockets(own, streams), DnsCounts()):
        name_server = running("game", "dns", port=own.getsockname()[1])
        async with datagrams(name_server, route(idle="1s")) as (on, sources):
            asked = question("books.default.mesh")
            answer = DNSRecord.parse(await sources.one().ask(asked))
            assert (answer.header.id, answer.header.qr) == (DNSRecord.parse(asked).header.id, 1)
            on.gateway.leap(1.5)
            [line] = await on.ended()
            assert (line["status"], line["bytes_in"]) == (200, len(asked))
    own.close()
    streams.close()


async def test_a_newer_revision_ends_sessions_that_it_does_not_allow() -> None:
    rules = [{"action": "deny", "from": [{"cidr": ["127.0.0.2/32"]}]}]
    deny = {"targets": [{"service": "game"}], "default": "allow", "rules": rules}
    async with instances("a") as game, datagrams(*game, route()) as (on, sources):
        kept, denied = sources.one(), sources.one("127.0.0.2")
        assert [await each.ask(b"1") for each in (kept, denied)] == [b"a 1", b"a 1"]
        on.gateway.apply(route(idle="5s"), document("AccessPolicy", "a", deny))
        [line] = await on.ended()
        told = {"peer": "127.0.0.2", "reason": "denied", "policy": "AccessPolicy default/a", "status": 200}
        assert line | told | {"bytes_in": 1, "bytes_out": 3} == line
        assert await kept.ask(b"2") == b"a 2"
        denied.send(b"2")
        await until(lambda: on.receiver.dropped["refused"] == 1, what="a datagram that is refused")
        on.gateway.leap(2.0)  # a refusal is over
        await on.ended(2)
        on.gateway.apply(gone("UdpRoute", "game"))
        line = (await on.ended(3))[-1]
        assert (line["peer"], line["reason"], line["policy"]) == ("127.0.0.1", "no_route", "listener game")
        assert not on.receiver.sessions


async def test_a_session_is_moved_by_the_word_of_the_revision_that_let_it_be() -> None:
    failover = document("TrafficPolicy", "f", {"targets": [{"service": "game"}], "failover": [{"service": "spare"}]})
    rules = [{"action": "deny", "from": [{"cidr": ["127.0.0.2/32"]}]}]
    deny = {"targets": [{"service": "spare"}], "default": "allow", "rules": rules}
    spare = DatagramService(named(b"spare"))
    try:
        there = running("spare", "s", port=spare.port)
        async with instances("a") as game, datagrams(*game, there, failover, route()) as (on, sources):
            kept, denied = sources.one(), sources.one("127.0.0.2")
            assert [await each.ask(b"1") for each in (kept, denied)] == [b"a 1", b"a 1"]
            on.gateway.apply(document("AccessPolicy", "a", deny))
            on.gateway.judging.beat()
            on.gateway.apply(left("game", "a"))
            assert await kept.ask(b"3") == b"spare 3"
            denied.send(b"3")
            await until(lambda: any(each.refusal for each in on.receiver.sessions.values()), what="a refusal")
            assert len(spare.heard) == 1
    finally:
        spare.close()

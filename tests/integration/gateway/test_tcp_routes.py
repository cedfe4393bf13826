"""TcpRoutes: who gets where, what is lost on the way (nothing), who is refused and why, and how connections end."""

import asyncio
import hashlib
import random
import socket
import struct
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gateway.wire.proxy_protocol import proxy_head, read_proxy_head
from meshway.tasks import spawn
from tests.parts.changes import document, gone, running
from tests.parts.conditions import until
from tests.parts.ports import free_port
from tests.parts.tcp import carrying, echo, listener, serving, tcp_route


def policy(service: str = "db", **fields: Any) -> Any:
    return document("TrafficPolicy", "p", {"targets": [{"service": service}]} | fields)


@pytest.mark.proves("Listener.protocol", "TcpRoute.listeners", "TcpRoute.destinations")
async def test_bytes_go_to_the_service_and_back() -> None:
    async with (
        serving(echo(b"220 ready\n")) as port,
        carrying(running("db", "1", port=port), listener(), tcp_route("db")) as place,
    ):
        place.open()
        assert await place.ask(b"hello") == b"220 ready\nhello"
        line = await place.line()
        told = {"protocol": "TCP", "route": "default/t", "service": "default/db", "instance": "1", "status": 200}
        assert line | told | {"bytes_in": 5, "bytes_out": 15, "reason": "", "flag": "", "attempts": 1} == line
        place.gateway.apply(document("TcpRoute", "t", {"listeners": ["other"], "destinations": [{"service": "db"}]}))
        assert await place.ask() == b""
        line = await place.line()
        assert (line["reason"], line["policy"]) == ("no_route", "listener bytes")
        assert line["detail"] == "no TcpRoute of listener bytes takes connections of 127.0.0.1"


async def test_nothing_is_lost_or_reordered_with_slow_readers() -> None:
    """Both ways at once, each side reading now and then."""
    seed, size = random.randrange(1 << 32), 24 << 20
    print(f"seed {seed}")
    data = random.Random(seed).randbytes(1 << 20) * (size >> 20)
    wanted = hashlib.sha256(data).hexdigest()
    heard: list[str] = []

    async def read_slowly(reader: asyncio.StreamReader) -> str:
        digest = hashlib.sha256()
        count = 0
        while piece := await reader.read(1 << 20):
            digest.update(piece)
            count += 1
            if count % 16 == 0:
                await asyncio.sleep(0.002)
        return digest.hexdigest()

    async def send(writer: asyncio.StreamWriter) -> None:
        for at in range(0, size, 300_000):
            writer.write(data[at : at + 300_000])
            await writer.drain()
        writer.write_eof()

    async def both(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, digest = await asyncio.gather(send(writer), read_slowly(reader))
        heard.append(digest)

    async with serving(both) as port, carrying(running("db", "1", port=port), listener(), tcp_route("db")) as place:
        place.open()
        reader, writer = await place.connect()
        _, digest = await asyncio.gather(send(writer), read_slowly(reader))
        writer.close()
        await until(lambda: bool(heard), what="the service has all")
        assert (digest, heard) == (wanted, [wanted])
        line = await place.line()
        assert (line["bytes_in"], line["bytes_out"]) == (size, size)


async def _cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says half of what it has to say, and is reset once that has arrived."""
    writer.write(b"hal")
    await reader.readexactly(2)
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_a_connection_that_is_cut_does_not_look_like_one_that_has_ended() -> None:
    async with serving(_cut) as port, carrying(running("db", "1", port=port), listener(), tcp_route("db")) as place:
        place.open()
        reader, writer = await place.connect()
        assert await asyncio.wait_for(reader.readexactly(3), 10.0) == b"hal"
        writer.write(b"go")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 10.0)
        writer.close()
        line = await place.line()
        assert (line["flag"], line["reason"]) == ("UC", "upstream_reset")
        place.gateway.apply(document("TcpRoute", "t", {"listeners": ["other"], "destinations": [{"service": "db"}]}))
        reader, writer = await place.connect()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 10.0)
        writer.close()
        assert (await place.line())["reason"] == "no_route"


async def test_destinations_are_drawn_by_weight_for_each_connection() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    draw = random.Random(seed).random
    async with serving(echo(b"a")) as a, serving(echo(b"b")) as b:
        destinations = [{"service": "a", "weight": 3}, {"service": "b", "weight": 1}]
        route = tcp_route(destinations=destinations)
        services = [running("a", "1", port=a), running("b", "1", port=b)]
        async with carrying(*services, listener(), route, random=draw) as place:
            place.open()
            drawn: Counter[bytes] = Counter()
            for _ in range(10):
                drawn.update(await asyncio.gather(*(place.ask(b"") for _ in range(100))))
            assert drawn[b"a"] + drawn[b"b"] == 1000
            assert abs(drawn[b"a"] - 750) < 70  # five deviations of 13.7


async def test_an_endpoint_that_is_not_there_is_passed_by_and_ejected() -> None:
    async with serving(echo(b"ok")) as port:
        services = [running("db", "dead", port=free_port()), running("db", "live", port=port)]
        calm = policy(outlier_detection={"consecutive_gateway_failures": 3}, load_balancer={"algorithm": "round_robin"})
        async with carrying(*services, listener(), tcp_route("db"), calm) as place:
            place.open()
            assert [await place.ask(b"") for _ in range(12)] == [b"ok"] * 12
            lines = place.gateway.lines
            await until(lambda: len(lines) == 12, what="twelve lines")
            tried_twice = [line for line in lines if line["attempts"] == 2]
            assert len(tried_twice) == 3, "after three failures nobody is sent there"
            assert [each["instance"] for each in tried_twice[0]["attempts_detail"]] == ["dead", "live"]
            place.gateway.apply(policy(retry={"max_retries": 0}), running("db", "live", port=free_port()))
            assert await place.ask(b"") == b""
            line = lines[-1]
            assert (line["reason"], line["flag"], line["policy"]) == ("connect_failed", "UF", "service default/db")


@pytest.mark.proves("TcpRoute.source")
async def test_the_narrowest_source_has_the_connection() -> None:
    async with AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(serving(echo(name))) for name in (b"all", b"net", b"host")]
        services = [running(name, "1", port=port) for name, port in zip(("all", "net", "host"), ports, strict=True)]
        routes = [
            tcp_route("all", name="all"),
            tcp_route("net", name="net", source=["127.0.0.0/8"]),
            tcp_route("host", name="host", source=["127.0.0.1/32"]),
        ]
        place = await stack.enter_async_context(carrying(*services, listener(), *routes))
        place.open()
        assert await place.ask(b"") == b"host"
        assert await place.ask(b"", local_addr=("127.0.0.9", 0)) == b"net"
        place.gateway.apply(tcp_route("net", name="net", source=["10.0.0.0/8"]))
        assert await place.ask(b"", local_addr=("127.0.0.9", 0)) == b"all"


async def test_policies_of_the_service_say_who_may_connect_and_how_often() -> None:
    async with (
        serving(echo(b"ok")) as port,
        carrying(running("db", "1", port=port), listener(), tcp_route("db")) as place,
    ):
        place.open()
        rules = [{"action": "deny", "from": [{"cidr": ["127.0.0.9/32"]}]}]
        place.gateway.apply(document("AccessPolicy", "a", {"targets": [{"service": "db"}], "rules": rules}))
        assert await place.ask(b"", local_addr=("127.0.0.9", 0)) == b""
        line = await place.line()
        assert (line["reason"], line["flag"], line["policy"]) == ("denied", "UAEX", "AccessPolicy default/a")
        assert await place.ask(b"") == b"ok"
        only = [{"action": "allow", "from": [{"cidr": ["127.0.0.9/32"]}]}]
        place.gateway.apply(document("AccessPolicy", "a", {"targets": [{"service": "db"}], "rules": only}))
        assert await place.ask(b"") == b""
        assert await place.ask(b"", local_addr=("127.0.0.9", 0)) == b"ok"
        asked = [
            {"action": "allow", "to": [{"path": {"exact": "/"}}]},
            {"action": "allow", "to": [{"methods": ["GET"]}]},
        ]
        place.gateway.apply(document("AccessPolicy", "a", {"targets": [{"service": "db"}], "rules": asked}))
        assert await place.ask(b"") == b"", "a connection has neither path nor method"
        place.gateway.apply(document("AccessPolicy", "a", {"targets": [{"service": "db"}], "default": "allow"}))
        place.gateway.lines.clear()
        bucket = {"rate": "1/h", "burst": 2}
        limit = {"targets": [{"service": "db"}], "key": ["source_ip"], "token_bucket": bucket, "scope": "gateway"}
        place.gateway.apply(document("RateLimit", "l", limit))
        assert [await place.ask(b"") for _ in range(3)] == [b"ok", b"ok", b""]
        await until(lambda: len(place.gateway.lines) == 3, what="three lines")
        refused = [line for line in place.gateway.lines if line["reason"]]
        assert [(line["reason"], line["flag"], line["policy"]) for line in refused] == [
            ("rate_limited", "RL", "RateLimit default/l")
        ]
        assert await place.ask(b"", local_addr=("127.0.0.9", 0)) == b"ok", "another source has its own"


async def test_what_needs_a_request_refuses_connections() -> None:
    async with (
        serving(echo(b"ok")) as port,
        carrying(running("db", "1", port=port), listener(), tcp_route("db")) as place,
    ):
        place.open()
        external = {"protocol": "http", "url": "https://authz.example/check"}
        place.gateway.apply(document("AccessPolicy", "a", {"targets": [{"service": "db"}], "external": external}))
        assert await place.ask(b"") == b""
        line = await place.line()
        assert (line["reason"], line["flag"]) == ("denied", "UAEX")
        place.gateway.apply(document("AccessPolicy", "a", {"targets": [{"service": "db"}], "default": "allow"}))
        assert await place.ask(b"") == b"ok"
        place.gateway.lines.clear()
        keys = {"methods": [{"api_key": {"from": [{"header": "X-API-Key"}]}}]}
        place.gateway.apply(document("Authentication", "who", {"targets": [{"service": "db"}]} | keys))
        assert await place.ask(b"") == b""
        line = await place.line()
        assert (line["flag"], line["policy"]) == ("UAEX", "Authentication default/who")


@pytest.mark.parametrize("to", [{"path": {"prefix": "/"}}, {"headers": {"x-debug": {"exact": "on", "invert": True}}}])
async def test_what_allows_requests_alone_lets_no_connection_in(to: dict[str, Any]) -> None:
    """Also where it asks that something is not there."""
    async with (
        serving(echo(b"ok")) as port,
        carrying(running("db", "1", port=port), listener(), tcp_route("db")) as place,
    ):
        place.open()
        allow: dict[str, Any] = {"action": "allow", "from": [{"cidr": ["127.0.0.0/8"]}]}
        asks = {"targets": [{"service": "db"}], "rules": [allow | {"to": [to]}]}
        place.gateway.apply(document("AccessPolicy", "a", asks))
        assert await place.ask(b"") == b""
        line = await place.line()
        assert (line["reason"], line["policy"]) == ("denied", "AccessPolicy default/a")
        place.gateway.apply(document("AccessPolicy", "a", asks | {"rules": [allow]}))
        assert await place.ask(b"") == b"ok"


@pytest.mark.proves("ConnectionLimits.connections", "ConnectionLimits.per_source", "TcpRoute.limits")
async def test_a_route_bounds_its_connections() -> None:
    async with (
        serving(echo(b"ok")) as port,
        carrying(
            running("db", "1", port=port), listener(), tcp_route("db", limits={"connections": 2, "per_source": 1})
        ) as place,
    ):
        place.open()
        first = await place.connect()
        assert await first[0].readexactly(2) == b"ok"
        assert await place.ask(b"") == b""
        line = await place.line()
        assert (line["reason"], line["policy"], line["flag"]) == ("too_many_connections", "TcpRoute default/t", "UO")
        assert "per_source" in line["detail"]
        second = await place.connect(local_addr=("127.0.0.2", 0))
        assert await second[0].readexactly(2) == b"ok"
        assert await place.ask(b"", local_addr=("127.0.0.3", 0)) == b""
        assert "limits.connections" in (await place.line())["detail"]
        first[1].close()
        await place.line()
        assert await place.ask(b"") == b"ok", "its place is free"
        second[1].close()


@pytest.mark.proves("ConnectionLimits.bytes_per_second")
async def test_a_rate_of_bytes_holds_each_way() -> None:
    async with (
        serving(echo()) as port,
        carrying(
            running("db", "1", port=port), listener(), tcp_route("db", limits={"bytes_per_second": "2MiB"})
        ) as place,
    ):
        place.open()
        clock = asyncio.get_running_loop().time
        began = clock()
        assert len(await place.ask(bytes(2 << 20))) == 2 << 20
        assert clock() - began > 0.7, "two seconds' worth, less what is read ahead"


@pytest.mark.proves("TcpRoute.idle", "TcpRoute.max_duration")
async def test_silence_and_age_end_a_connection() -> None:
    async with (
        serving(echo(b"ok")) as port,
        carrying(running("db", "1", port=port), listener(), tcp_route("db", idle="10m", max_duration="1h")) as place,
    ):
        place.open()
        reader, _ = await place.connect()
        assert await reader.readexactly(2) == b"ok"
        place.gateway.leap(601.0)
        assert (await place.line())["reason"] == "idle_timeout"
        reader, writer = await place.connect()
        assert await reader.readexactly(2) == b"ok"
        for _ in range(6):
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
            place.gateway.leap(590.0)
            await asyncio.sleep(0.03)
        writer.write(b"y")
        place.gateway.leap(70.0)
        assert (await place.line())["reason"] == "max_duration"


@pytest.mark.proves("TcpRoute.half_close")
async def test_one_side_may_end_before_the_other() -> None:
    async def answer_at_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = await reader.read()
        writer.write(b"all of %d" % len(heard))

    async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()
        await asyncio.sleep(30.0)

    async with (
        serving(answer_at_the_end) as answering,
        serving(say_nothing) as silent,
        carrying(
            running("db", "1", port=answering), running("mute", "1", port=silent), listener(), tcp_route("db")
        ) as place,
    ):
        place.open()
        assert await place.ask(b"x" * 1000) == b"all of 1000"
        assert (await place.line())["reason"] == ""
        place.gateway.apply(tcp_route("mute", half_close="30s"))
        asked = spawn(place.ask(b"x"), name="ask")
        await until(lambda: place.has_half_ended("bytes"), what="half an end")
        place.gateway.leap(31.0)
        assert await asked == b""
        assert (await place.line())["reason"] == "half_close"


@pytest.mark.parametrize("version", [1, 2])
async def test_the_proxy_protocol_both_ways(version: int) -> None:
    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told, data = None, b""
        while told is None:
            data += await reader.read(1000)
            told = read_proxy_head(data)
        writer.write(f"{told.source} {data[told.size :].decode()}".encode())

    trusted: dict[str, Any] = {"proxy_protocol": "require", "trusted_proxies": ["127.0.0.1/32"]}
    async with (
        serving(tell) as port,
        carrying(
            running("db", "1", port=port),
            listener(**trusted),
            tcp_route("db"),
            policy(connection={"proxy_protocol": f"v{version}"}),
        ) as place,
    ):
        place.open()
        head = proxy_head(version, ("192.0.2.7", 4711), ("198.51.100.1", 5432))
        assert await place.ask(head + b"SELECT") == b"('192.0.2.7', 4711) SELECT"
        assert (await place.line())["peer"] == "192.0.2.7"
        assert await place.ask(b"SELECT") == b"", "no head"
        assert await place.ask(head, local_addr=("127.0.0.5", 0)) == b"", "not trusted"


async def test_a_full_bulkhead_has_connections_wait_and_an_open_one_ends_with_its_listener() -> None:
    async with (
        serving(echo(b"ok")) as port,
        carrying(
            running("db", "1", port=port),
            listener(),
            tcp_route("db"),
            policy(bulkhead={"max_requests": 1, "max_pending": 1, "pending_timeout": "20s"}),
        ) as place,
    ):
        place.open()
        first = await place.connect()
        assert await first[0].readexactly(2) == b"ok"
        waiting = spawn(place.ask(b""), name="wait")
        await until(lambda: len(place.contexts["bytes"].connections) == 2, what="one that waits")
        assert await place.ask(b"") == b"", "and no more than one"
        assert (await place.line())["reason"] == "pending_full"
        first[1].close()
        assert await waiting == b"ok"
        reader, _ = await place.connect()
        assert await reader.readexactly(2) == b"ok"
        place.gateway.lines.clear()
        place.contexts["bytes"].start_drain()
        place.contexts["bytes"].close_idle()
        place.contexts["bytes"].abort_all()
        assert (await place.line())["reason"] == "drained"


async def test_a_newer_revision_ends_what_it_does_not_allow_and_nothing_else() -> None:
    """Whoever is denied, has no route, or stands at a service that the route has no more is reset, and told of."""
    deny = {"targets": [{"service": "db"}], "default": "allow"}
    guests = {"action": "deny", "from": [{"cidr": ["127.0.0.2/32"]}]}
    async with serving(echo(b"a")) as a, serving(echo(b"b")) as b:
        services = [running("db", "1", port=a), running("other", "1", port=b)]
        async with carrying(*services, listener(), tcp_route("db")) as place:
            place.open()

            async def begun(source: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
                both = await place.connect(local_addr=(source, 0))
                await asyncio.wait_for(both[0].readexactly(1), 10.0)
                return both

            async def goes_on(both: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bool:
                both[1].write(b"x")
                try:
                    return await asyncio.wait_for(both[0].readexactly(1), 10.0) == b"x"
                except (ConnectionError, asyncio.IncompleteReadError):
                    return False

            kept, denied = await begun("127.0.0.1"), await begun("127.0.0.2")
            place.gateway.apply(tcp_route("db", idle="1h"), document("AccessPolicy", "a", deny | {"rules": [guests]}))
            line = await place.line()
            assert (line["peer"], line["reason"], line["flag"]) == ("127.0.0.2", "denied", "UAEX")
            assert (line["policy"], line["status"]) == ("AccessPolicy default/a", 200)
            assert not await goes_on(denied)
            assert await goes_on(kept)
            place.gateway.apply(tcp_route(destinations=[{"service": "db", "weight": 0}, {"service": "other"}]))
            drained = await begun("127.0.0.1")
            assert await goes_on(kept), "a weight of 0 lets go on who is there"
            place.gateway.apply(tcp_route("other"))
            line = await place.line()
            assert (line["reason"], line["detail"]) == ("route_changed", "it leads to default/db no more")
            assert line["policy"] == "TcpRoute default/t"
            assert not await goes_on(kept)
            assert await goes_on(drained)
            place.gateway.apply(gone("TcpRoute", "t"))
            line = await place.line()
            assert (line["reason"], line["policy"], line["status"]) == ("no_route", "listener bytes", 200)
            assert not await goes_on(drained)
            for _, writer in (kept, denied, drained):
                writer.close()


async def test_a_connection_that_waits_for_its_turn_is_judged_as_well() -> None:
    one = policy(bulkhead={"max_requests": 1, "max_pending": 5})
    async with (
        serving(echo(b"a")) as port,
        carrying(running("db", "1", port=port), one, listener(), tcp_route("db")) as place,
    ):
        place.open()
        reader, writer = await place.connect()
        assert await asyncio.wait_for(reader.readexactly(1), 10.0) == b"a"
        waiting = await place.connect()
        await until(lambda: len(place.contexts["bytes"].connections) == 2, what="two connections")
        place.gateway.apply(gone("TcpRoute", "t"))
        await until(lambda: len(place.gateway.lines) == 2, what="two lines")
        assert [line["reason"] for line in place.gateway.lines] == ["no_route", "no_route"]
        for end in (reader, waiting[0]):
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(end.read(), 10.0)
        writer.close()
        waiting[1].close()


async def test_a_connection_that_finds_its_instance_after_it_was_judged_is_judged_by_that_as_well() -> None:
    """Two services: what one's AccessPolicy says of him is only asked when it is known that he is led there."""
    one = policy(bulkhead={"max_requests": 1, "max_pending": 5})
    rules = [{"action": "deny", "from": [{"cidr": ["127.0.0.2/32"]}]}]
    deny = {"targets": [{"service": "db"}], "default": "allow", "rules": rules}
    leads = tcp_route(destinations=[{"service": "db"}, {"service": "other", "weight": 0}])
    async with serving(echo(b"a")) as port:
        services = [running("db", "1", port=port), running("other", "1", port=port)]
        async with carrying(*services, one, listener(), leads) as place:
            place.open()
            reader, writer = await place.connect()
            assert await asyncio.wait_for(reader.readexactly(1), 10.0) == b"a"
            waiting = await place.connect(local_addr=("127.0.0.2", 0))
            await until(lambda: len(place.contexts["bytes"].connections) == 2, what="two connections")
            place.gateway.apply(document("AccessPolicy", "a", deny))
            writer.close()
            await until(lambda: len(place.gateway.lines) == 2, what="two lines")
            line = next(each for each in place.gateway.lines if each["peer"] == "127.0.0.2")
            assert (line["reason"], line["policy"]) == ("denied", "AccessPolicy default/a")
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(waiting[0].read(), 10.0)
            waiting[1].close()

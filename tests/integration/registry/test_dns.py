"""The DNS face over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from dnslib import RCODE, DNSRecord

from meshway.cli.ports import datagrams_and_streams_on
from registry.dns import server
from registry.dns.server import DnsSockets, dns_served
from tests.parts.dns_queries import question
from tests.parts.registry import RunningRegistry


@pytest.fixture
def sockets() -> Iterator[DnsSockets]:
    both = DnsSockets(*datagrams_and_streams_on("127.0.0.1", 0, "--dns-port"))
    yield both
    both.datagrams.close()
    both.streams.close()


def port_of(sockets: DnsSockets) -> int:
    assert sockets.datagrams.getsockname() == sockets.streams.getsockname()
    return int(sockets.streams.getsockname()[1])


async def over_udp(port: int, data: bytes, *, within_s: float = 5.0) -> DNSRecord:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        await loop.sock_sendall(sock, data)
        async with asyncio.timeout(within_s):
            return DNSRecord.parse(await loop.sock_recv(sock, 65535))


class Stream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, *queries: bytes) -> None:
        self.writer.write(b"".join(len(query).to_bytes(2, "big") + query for query in queries))

    async def receive(self) -> DNSRecord:
        async with asyncio.timeout(5):
            length = int.from_bytes(await self.reader.readexactly(2), "big")
            return DNSRecord.parse(await self.reader.readexactly(length))

    async def is_closed(self) -> bool:
        async with asyncio.timeout(5):
            try:
                return await self.reader.read() == b""
            except ConnectionResetError:
                return True


@asynccontextmanager
async def stream(port: int) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Stream(reader, writer)
    finally:
        writer.transport.abort()


async def _is_taken(port: int) -> bool:
    """Whether a new stream is answered."""
    async with stream(port) as another:
        another.send(question("mesh", "SOA"))
        try:
            await another.receive()
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return False
        return True


async def test_a_registration_is_in_dns_when_it_is_answered(registry: RunningRegistry, sockets: DnsSockets) -> None:
    async with dns_served(registry.core.view, sockets, registry.core.dns):
        port = port_of(sockets)
        assert (await over_udp(port, question("reviews.default.mesh"))).header.rcode == RCODE.NXDOMAIN
        await registry.register("reviews", "r1", 9080)
        reply = await over_udp(port, question("reviews.default.mesh", "SRV"))
        assert [str(row.rdata) for row in reply.rr] == ["0 1 9080 r1.reviews.default.mesh."]
        assert [str(row.rdata) for row in reply.ar] == ["127.0.0.1"]
        await registry.call("PATCH", "/v1/namespaces/default/services/reviews/instances/r1", {"status": "draining"})
        reply = await over_udp(port, question("reviews.default.mesh"))
        assert (reply.header.rcode, reply.rr) == (RCODE.NOERROR, [])
        assert [str(row.rdata) for row in (await over_udp(port, question("r1.reviews.default.mesh"))).rr]


async def test_what_udp_cut_short_is_whole_over_a_stream(registry: RunningRegistry, sockets: DnsSockets) -> None:
    rows = [{"service": "many", "id": f"m{at}", "address": f"10.1.0.{at}", "port": 80} for at in range(120)]
    assert (await registry.call("POST", "/v1/registrations", {"instances": rows})).status == 200
    async with dns_served(registry.core.view, sockets, registry.core.dns):
        port = port_of(sockets)
        assert (await over_udp(port, question("many.default.mesh"))).header.tc == 1
        wide = await over_udp(port, question("many.default.mesh", payload=4096))
        assert (wide.header.tc, len(wide.rr)) == (1, 74)
        async with stream(port) as talk:
            talk.send(question("many.default.mesh"))
            assert len((await talk.receive()).rr) == 120


async def test_questions_over_a_stream_come_in_pieces_or_many_at_once(
    registry: RunningRegistry, sockets: DnsSockets
) -> None:
    await registry.register("reviews", "r1")
    async with dns_served(registry.core.view, sockets, registry.core.dns), stream(port_of(sockets)) as talk:
        talk.send(question("reviews.default.mesh"), question("nobody.default.mesh"), question("example.com"))
        assert [(await talk.receive()).header.rcode for _ in range(3)] == [0, RCODE.NXDOMAIN, RCODE.REFUSED]
        data = question("reviews.default.mesh")
        for byte in len(data).to_bytes(2, "big") + data:
            talk.writer.write(bytes((byte,)))
            await talk.writer.drain()
        assert len((await talk.receive()).rr) == 1


async def test_a_stream_that_rests_or_talks_nonsense_is_closed(registry: RunningRegistry, sockets: DnsSockets) -> None:
    async with dns_served(registry.core.view, sockets, registry.core.dns, idle_s=0.1):
        for sent in (b"", b"\0", b"\xff\xff", b"\0\x04abcd"):
            async with stream(port_of(sockets)) as talk:
                talk.writer.write(sent)
                assert await talk.is_closed()


async def test_streams_are_bounded_and_a_closed_one_makes_room(
    registry: RunningRegistry, sockets: DnsSockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 2)
    port = port_of(sockets)
    async with dns_served(registry.core.view, sockets, registry.core.dns), stream(port) as first:
        async with stream(port) as second:
            for talk in (first, second):
                talk.send(question("mesh", "SOA"))
                assert (await talk.receive()).header.rcode == 0
            async with stream(port) as third:
                assert await third.is_closed()
            metrics = (await registry.call("GET", "/metrics")).body.decode()
            assert "\nmeshway_dns_answers_total 2\n" in metrics
            assert "\nmeshway_dns_refused_streams_total 1\n" in metrics

        async with asyncio.timeout(5):
            while not await _is_taken(port):
                await asyncio.sleep(0.01)


async def test_the_sockets_serve_the_next_process_and_no_stream_is_left_open(
    registry: RunningRegistry, sockets: DnsSockets
) -> None:
    for _ in range(2):
        async with dns_served(registry.core.view, sockets, registry.core.dns):
            assert (await over_udp(port_of(sockets), question("mesh", "SOA"))).header.rcode == 0
            async with stream(port_of(sockets)) as talk:
                talk.send(question("mesh", "SOA"))
                assert (await talk.receive()).header.rcode == 0


async def test_a_flood_of_datagrams_is_survived(registry: RunningRegistry, sockets: DnsSockets) -> None:
    async with dns_served(registry.core.view, sockets, registry.core.dns):
        port = port_of(sockets)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for at in range(5000):
                sock.sendto(bytes((at & 255,)) * (at % 40), ("127.0.0.1", port))
                if at % 100 == 0:
                    await asyncio.sleep(0)
        for left in range(10, -1, -1):  # what came while the socket's buffer was full is lost: clients ask again
            try:
                reply = await over_udp(port, question("mesh", "SOA"), within_s=0.5)
            except TimeoutError:
                assert left
            else:
                assert reply.header.rcode == 0
                break

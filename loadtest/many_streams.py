"""What calls by HTTP/2 hold while they wait: CONNECTIONS of a caller with STREAMS calls each to a service that answers
none of them, by HTTP/2 as well.

`python -m loadtest.many_streams PORT` is that service; what is not HELD it answers.
"""

import asyncio
import socket
import subprocess
import sys
import time
from typing import Final, cast

from gateway.wire.http2.codec import ClientCodec
from gateway.wire.http2.server_codec import ServerCodec
from gateway.wire.multiplexed.messages import Head, Request
from loadtest.measure import process_tree, rss_bytes
from loadtest.peers import Bench, Peer, free_port

CONNECTIONS: Final = 50
STREAMS: Final = 128
CALLS: Final = CONNECTIONS * STREAMS
HELD: Final = b"/held"
WINDOW: Final = 1 << 20
MOST_S: Final = 10.0  # until all are on their way
FEW: Final = 1 << 18  # bytes in LOOK_S, which is none


class Service(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._codec = ServerCodec(1_000, WINDOW, WINDOW)

    def data_received(self, data: bytes) -> None:
        for event in self._codec.receive(data):
            if isinstance(event, Request) and (b":path", HELD) not in event.fields:
                self._codec.answer(event.stream, [(b":status", b"200")], ended=True)
        self._transport.write(self._codec.take())


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Service, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def asking(port: int, calls: int, path: bytes) -> socket.socket:
    """A connection with so many calls on their way; it is not read again."""
    own, codec = socket.create_connection(("127.0.0.1", port), timeout=MOST_S), ClientCodec()
    own.sendall(codec.take())
    while not codec.receive(own.recv(65_536)):  # how many it takes
        pass
    for _ in range(calls):
        codec.begin([(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"bench"), (b":path", path)], b"")
    own.sendall(b"".join(iter(codec.take, b"")))
    while path != HELD and not any(isinstance(event, Head) for event in codec.receive(own.recv(65_536))):
        pass
    return own


def resident(peer: Peer) -> int:
    return sum(rss_bytes(pid) for pid in process_tree(peer.pid))


def grown(peer: Peer, before: int) -> int:
    """Bytes above that, once they grow no more."""
    give_up, seen = time.monotonic() + MOST_S, before
    while time.monotonic() < give_up:
        time.sleep(1.0)
        now = resident(peer)
        if now - seen < FEW:
            break
        seen = now
    return resident(peer) - before


def held_kib(names: tuple[str, ...]) -> dict[str, float]:
    """Of each proxy, KiB for a call. names: `meshway`, `envoy`."""
    found: dict[str, float] = {}
    bench = Bench()
    port = bench.upstream_http2_port = free_port()
    command = ["taskset", "-c", str(bench.load_core), sys.executable, "-m", "loadtest.many_streams", str(port)]
    service = subprocess.Popen(command)
    try:
        for name in names:
            peer: Peer = bench.meshway("http2") if name == "meshway" else bench.envoy("http2")
            for _ in range(3):  # what the first ones take is no share of the others
                asking(peer.port, 1, b"/").close()
            before = resident(peer)
            kept = [asking(peer.port, STREAMS, HELD) for _ in range(CONNECTIONS)]
            found[name] = grown(peer, before) / CALLS / 1024
            for own in kept:
                own.close()
    finally:
        service.terminate()
        service.wait(10)
        bench.close()
    return found


def main() -> None:
    if len(sys.argv) > 1:
        asyncio.run(serve(int(sys.argv[1])))
    else:
        print(held_kib(("meshway", "envoy")))


if __name__ == "__main__":
    main()

"""Open-loop load: requests leave by a Poisson clock whether or not the last one was answered.

Latency counts from the moment a request was due, so a stall is seen by every request it delayed (no coordinated
omission). Own raw protocol: one connection carries one request at a time, as many connections as are needed. Where
these are bounded, a request that is due waits for one, and its wait counts.
"""

import argparse
import asyncio
import random
import time
from typing import cast


class _Connection(asyncio.Protocol):
    """Sends one request at a time; reads an answer by its content-length."""

    def __init__(self, idle: "list[_Connection]", latencies_s: list[float], good_s: list[float]) -> None:
        self._idle, self._latencies_s, self._good_s = idle, latencies_s, good_s
        self._due_s = 0.0
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's classes are no subclasses of it
        self._transport = transport

    def send(self, request: bytes, due_s: float) -> None:
        self._due_s = due_s
        assert self._transport is not None
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        latency_s = time.perf_counter() - self._due_s
        if self._buffer.startswith(b"HTTP/1.1 2"):
            self._good_s.append(latency_s)
        self._buffer = b""
        self._latencies_s.append(latency_s)
        self._due_s = 0.0
        self._idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._idle:
            self._idle.remove(self)


async def run(
    host: str,
    port: int,
    path: str,
    *,
    rate_per_s: float,
    seconds: float,
    seed: int,
    name: str = "bench",
    patience_s: float = 10.0,
    most_connections: int = 65_536,
) -> dict[str, float]:
    """p50, p99 and max in ms, took_s, answered and failed requests (no 2xx), and good ones: 2xx within patience_s.

    name: the Host field. Opens a connection only when none is idle. Raises TimeoutError where all of the most are busy
    for patience_s.
    """
    chance = random.Random(seed)
    request = f"GET {path} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()
    idle: list[_Connection] = []
    latencies_s: list[float] = []
    good_s: list[float] = []
    loop = asyncio.get_running_loop()
    start_s = time.perf_counter()
    due_s = start_s
    sent = opened = 0
    while due_s < start_s + seconds:
        due_s += chance.expovariate(rate_per_s)
        wait_s = due_s - time.perf_counter()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        if not idle and opened >= most_connections:
            async with asyncio.timeout(patience_s):
                while not idle:
                    await asyncio.sleep(0.0)  # a pass of the loop, which reads what came
        if idle:
            connection = idle.pop()
        else:
            opened += 1
            _, connection = await loop.create_connection(lambda: _Connection(idle, latencies_s, good_s), host, port)
        connection.send(request, due_s)
        sent += 1
    give_up_s = time.perf_counter() + patience_s
    while len(latencies_s) < sent and time.perf_counter() < give_up_s:
        await asyncio.sleep(0.01)
    took_s = time.perf_counter() - start_s
    latencies_s.sort()
    count = len(latencies_s)
    return {
        "p50_ms": latencies_s[count // 2] * 1e3,
        "p99_ms": latencies_s[min(count - 1, count * 99 // 100)] * 1e3,
        "max_ms": latencies_s[-1] * 1e3,
        "answered": count,
        "failed": sent - len(good_s),
        "sent": sent,
        "took_s": took_s,
        "good": sum(latency_s <= patience_s for latency_s in good_s),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--path", default="/")
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=65_536, help="at most")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    import uvloop

    began_s = time.process_time()
    result = uvloop.run(
        run(
            options.host,
            options.port,
            options.path,
            rate_per_s=options.rate,
            seconds=options.seconds,
            seed=options.seed,
            most_connections=options.connections,
        )
    )
    result["own_s"] = time.process_time() - began_s
    print("  ".join(f"{key} {value:.3f}" for key, value in result.items()))


if __name__ == "__main__":
    main()

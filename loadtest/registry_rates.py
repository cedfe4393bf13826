"""How many registrations and heartbeats one registry takes, and what each costs it in CPU.

`python -m loadtest.registry_rates [--seconds 3] [--followers 0]`: a registry process on SQLite on one core, this one on
another. The client is blocking sockets and ready bytes, so that it costs less than what it measures.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

SERVE = """
import sys
from pathlib import Path
from registry.app import serve
from registry.settings import RegistrySettings
serve(RegistrySettings(data_dir=Path(sys.argv[1]), port=0), ready=lambda url: print(url, flush=True))
"""
CONNECTIONS = 64
PIPELINED = 16
BATCH = 100
HEARTBEAT_CONNECTIONS = 8


class Measured(NamedTuple):
    """cpu_us: of the registry process, per operation, user and system."""

    name: str
    per_s: float
    cpu_us: float


class Connection:
    """One blocking connection that knows where an answer ends."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def answer(self) -> bytes:
        """The body of the next answer. Raises RuntimeError for one that is no success."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._read()
        head = self._buffer[:end].lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(self._buffer) < end + 4 + length:
            self._read()
        body = self._buffer[end + 4 : end + 4 + length]
        self._buffer = self._buffer[end + 4 + length :]
        if head[9:10] != b"2":
            raise RuntimeError(f"{head[:40]!r} {body!r}")
        return body

    def _read(self) -> None:
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the registry closed")
        self._buffer += data


def request(method: str, path: str, body: object) -> bytes:
    content = json.dumps(body).encode()
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


@contextmanager
def registry(core: int) -> Iterator[tuple[int, int]]:
    """Pid and port of a registry on one core of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([sys.executable, "-c", SERVE, folder], stdout=subprocess.PIPE, text=True)
        try:
            os.sched_setaffinity(process.pid, {core})
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            yield process.pid, urlsplit(url).port or 0
        finally:
            process.terminate()
            process.wait(15)


def cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(name: str, pid: int, seconds: float, round_of: Callable[[], int]) -> Measured:
    """round_of: does some operations and tells how many."""
    round_of()
    cpu, begun, count = cpu_s(pid), time.perf_counter(), 0
    while (took := time.perf_counter() - begun) < seconds:
        count += round_of()
    return Measured(name, count / took, (cpu_s(pid) - cpu) / count * 1e6)


def follow(port: int, count: int) -> None:
    """Followers that read the feed and look at nothing."""

    def drain(connection: socket.socket) -> None:
        while connection.recv(1 << 16):
            pass

    for number in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(f"GET /v1/feed?node=f{number} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        threading.Thread(target=drain, args=(connection,), daemon=True).start()


def run(seconds: float, followers: int, core: int) -> list[Measured]:
    with registry(core) as (pid, port):
        follow(port, followers)
        connections = [Connection(port) for _ in range(CONNECTIONS)]
        numbers = iter(range(1 << 60))

        def register_each() -> int:
            for connection in connections:
                place = f"/v1/namespaces/load/services/s-{next(numbers) % 50}/instances/i-{next(numbers)}"
                connection.socket.sendall(request("PUT", place, {"port": 9000, "version": "v1", "ttl_s": 3600}))
            for connection in connections:
                connection.answer()
            return len(connections)

        def register_batch() -> int:
            rows = [
                {"namespace": "load", "service": "many", "id": f"i-{next(numbers)}", "port": 9000, "ttl_s": 3600}
                for _ in range(BATCH)
            ]
            body = request("POST", "/v1/registrations", {"instances": rows})
            connections[0].socket.sendall(body)
            connections[0].answer()
            return BATCH

        rows = [{"namespace": "beat", "service": "s", "id": f"i-{at}", "port": 1, "ttl_s": 3600} for at in range(BATCH)]
        connections[0].socket.sendall(request("POST", "/v1/registrations", {"instances": rows}))
        leases = [row["lease_id"] for row in json.loads(connections[0].answer())["instances"]]
        alone = request("POST", "/v1/heartbeats", {"leases": leases[:1]})
        one = alone * PIPELINED
        many = request("POST", "/v1/heartbeats", {"leases": leases}) * PIPELINED
        beating = connections[:HEARTBEAT_CONNECTIONS]

        def beat(data: bytes, each: int) -> int:
            for connection in beating:
                connection.socket.sendall(data)
            for connection in beating:
                for _ in range(PIPELINED):
                    connection.answer()
            return len(beating) * PIPELINED * each

        def beat_alone() -> int:
            for connection in connections:
                connection.socket.sendall(alone)
            for connection in connections:
                connection.answer()
            return len(connections)

        def discover() -> int:
            connections[0].socket.sendall(request("GET", "/v1/namespaces/beat/services/s/instances", None) * PIPELINED)
            for _ in range(PIPELINED):
                connections[0].answer()
            return PIPELINED

        return [
            measure(f"heartbeats, one a call, {CONNECTIONS} clients", pid, seconds, beat_alone),
            measure(f"heartbeats, one a call, {PIPELINED} in a pipeline", pid, seconds, lambda: beat(one, 1)),
            measure("heartbeats, batches of 100", pid, seconds, lambda: beat(many, BATCH)),
            measure(f"registrations, one a call, {CONNECTIONS} clients", pid, seconds, register_each),
            measure("registrations, batches of 100", pid, seconds, register_batch),
            measure("discovery of 100 instances", pid, seconds, discover),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--followers", type=int, default=0)
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    print("| what | per second | registry CPU, µs each |\n|---|---|---|")
    for row in run(arguments.seconds, arguments.followers, cores[0]):
        print(f"| {row.name} | {row.per_s:,.0f} | {row.cpu_us:.1f} |")


if __name__ == "__main__":
    main()

"""What TLS costs a call on a kept connection, as a share of the bare get in the same run.

One load (this process, 16 connections) calls a gateway of one worker without TLS, by TLS, and by TLS with a certificate
of its own, in turn; what counts is the gateway's processor time.
"""

import asyncio
import os
import ssl
import statistics
import time
from pathlib import Path
from typing import Final, cast

import uvloop

from loadtest.measure import cpu_s, process_tree
from loadtest.peers import Bench, Meshway
from loadtest.targets import at_most
from meshway.certificates import read_pair
from meshway.tls import client_context
from tests.parts.authority import Authority, Issued

CONNECTIONS: Final = 16
REQUEST: Final = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
PROFILES: Final = ("bare get", "tls keep-alive", "mTLS keep-alive")
MOST: Final = 1.25  # of mTLS keep-alive
MOST_US: Final = 6.0  # of TLS above plain


class Caller(asyncio.Protocol):
    """Asks again as soon as it is answered. answers: 200s; failures: all others."""

    def __init__(self) -> None:
        self.answers = self.failures = 0
        self.is_done = False
        self._rest = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, but no subclass
        self._transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        if not self._rest:
            head, _, body = data.partition(b"\r\n\r\n")
            size = next(int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:")
            self._rest = size - len(body)
            self.answers += head[9:12] == b"200"
            self.failures += head[9:12] != b"200"
        else:
            self._rest -= len(data)
        if not self._rest and not self.is_done:
            self._transport.write(REQUEST)


async def load(port: int, tls: ssl.SSLContext | None, seconds: float, pid: int) -> float:
    """µs of the gateway's processor time a request, after half a second of warming up."""
    loop = asyncio.get_running_loop()
    callers: list[Caller] = []
    transports = []
    for _ in range(CONNECTIONS):
        name = "localhost" if tls is not None else None
        transport, caller = await loop.create_connection(Caller, "127.0.0.1", port, ssl=tls, server_hostname=name)
        transports.append(transport)
        callers.append(caller)
    await asyncio.sleep(0.5)
    tree = process_tree(pid)
    began, answered = cpu_s(tree), sum(caller.answers for caller in callers)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(0.1)
    used, more = cpu_s(tree) - began, sum(caller.answers for caller in callers) - answered
    if any(caller.failures for caller in callers):
        raise RuntimeError("some calls were not answered with 200")
    for caller, transport in zip(callers, transports, strict=True):
        caller.is_done = True
        transport.abort()
    return used / more * 1e6


def documents(authority: Authority) -> str:
    pem = "\n".join(f"    {line}" for line in authority.pem.decode().splitlines())
    return f"""
apiVersion: meshway/v1
kind: Secret
metadata: {{name: callers, namespace: mesh}}
spec:
  type: ca_bundle
  data: |
{pem}
---
apiVersion: meshway/v1
kind: Certificate
metadata: {{name: bench, namespace: bench}}
spec: {{files: {{certificate: bench.pem, key: bench.key}}}}
---
apiVersion: meshway/v1
kind: Listener
metadata: {{name: edge-tls, namespace: mesh}}
spec: {{tls: {{client_auth: optional, trust: callers}}}}
"""


def write(folder: Path, issued: Issued) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.pem").write_bytes(issued.certificate)
    (folder / "bench.key").write_bytes(issued.key)


async def until_served(port: int, tls: ssl.SSLContext) -> None:
    give_up = time.monotonic() + 30.0
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost")
        except OSError:
            if time.monotonic() > give_up:
                raise
            await asyncio.sleep(0.2)
        else:
            writer.close()
            return


async def measure(gateway: Meshway, authority: Authority, rounds: int, seconds: float) -> dict[str, list[float]]:
    own = authority.issue("caller.example")
    shown = client_context(authority.pem, read_pair(own.certificate, own.key))
    plain, secured = gateway.port, int(gateway.ready["edge_tls"].rpartition(":")[2])
    contexts = dict(zip(PROFILES, (None, client_context(authority.pem), shown), strict=True))
    await until_served(secured, shown)
    found: dict[str, list[float]] = {name: [] for name in PROFILES}
    for number in range(rounds):
        for name in PROFILES if number % 2 else PROFILES[::-1]:
            tls = contexts[name]
            found[name].append(await load(plain if tls is None else secured, tls, seconds, gateway.pid))
    return found


def table(found: dict[str, list[float]]) -> str:
    lines = ["| profile | CPU µs/request | of bare get |", "|---|---|---|"]
    bare = found[PROFILES[0]]
    for name, values in found.items():
        share = statistics.median(one / base for one, base in zip(values, bare, strict=True))
        spread = f"{statistics.median(values):.1f} ({min(values):.1f}–{max(values):.1f})"
        lines.append(f"| {name} | {spread} | {share:.2f} |")
    above = statistics.median(one - base for one, base in zip(found[PROFILES[1]], bare, strict=True))
    targets = (
        at_most(f"{PROFILES[1]} above plain", MOST_US, above, "µs"),
        at_most(name, MOST, share, "× bare get"),
    )
    return "\n".join([*lines, "", *map(str, targets)])


def section(rounds: int, seconds: float) -> str:
    """Its part of RESULTS.md. The load moves to its own core for as long as it takes."""
    authority, bench = Authority(), Bench()
    cores = os.sched_getaffinity(0)
    try:
        gateway = bench.meshway("bare")
        write(gateway.data / "certificates" / "bench", authority.issue("localhost"))
        gateway.apply(documents(authority))
        os.sched_setaffinity(0, {bench.load_core})
        found = uvloop.run(measure(gateway, authority, rounds, seconds))
    finally:
        os.sched_setaffinity(0, cores)
        bench.close()
    return f"{CONNECTIONS} connections of one load in Python.\n\n{table(found)}"

"""What a worker holds: of 10,000 routes and 1,000 services, and of each connection that is kept and says nothing."""

import socket
import time
from typing import Final

from gateway.wire.places import allow_all_descriptors
from loadtest import many_streams
from loadtest.measure import process_tree, rss_bytes
from loadtest.peers import Bench, Meshway
from loadtest.targets import at_most

ROUTES: Final = 10_000
SERVICES: Final = 1_000
IDLE: Final = 5_000
WARM: Final = 100
MOST_MB: Final = 120.0
MOST_KIB: Final = 30.0
SETTLED_S, LOOK_S, SETTLING_S = 3.0, 0.25, 60.0
_ASKED: Final = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
_NO_BOUND: Final = """
apiVersion: meshway/v1
kind: Listener
metadata: {name: edge, namespace: mesh}
spec: {limits: {connections_per_address: 0, idle_timeout: 10m}}
"""


def settled(worker: int) -> int:
    """Resident bytes, when they have been the same for a while; tables are compiled and the old ones let go."""
    give_up, since, seen = time.monotonic() + SETTLING_S, time.monotonic(), rss_bytes(worker)
    while time.monotonic() < min(since + SETTLED_S, give_up):
        time.sleep(LOOK_S)
        now = rss_bytes(worker)
        if abs(now - seen) > 1 << 18:
            since, seen = time.monotonic(), now
    return rss_bytes(worker)


def asked_once(port: int, count: int) -> list[socket.socket]:
    """Connections that had an answer and are kept, one after another, so that one to the service does for all."""
    found = []
    for _ in range(count):
        own = socket.create_connection(("127.0.0.1", port), timeout=10.0)
        own.sendall(_ASKED)
        answer = own.recv(65_536)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer.decode("latin-1"))
        found.append(own)
    return found


def idle_kib(gateway: Meshway, worker: int, count: int) -> float:
    gateway.apply(_NO_BOUND)
    for own in asked_once(gateway.port, WARM):  # what the first ones take is no share of the others
        own.close()
    before = settled(worker)
    kept = asked_once(gateway.port, count)
    held = settled(worker) - before
    for own in kept:
        own.close()
    return held / count / 1024


def section(rounds: int, seconds: int) -> str:
    """Its part of RESULTS.md. Memory is no matter of rounds: each is a gateway of its own, and the worst counts."""
    allow_all_descriptors()
    taken: list[float] = []
    bare: list[float] = []
    kept: list[float] = []
    for _ in range(rounds):
        bench = Bench()
        try:
            gateway = bench.meshway("bare")
            (worker,) = (pid for pid in process_tree(gateway.pid) if pid != gateway.pid)
            bare.append(settled(worker) / 1e6)
            kept.append(idle_kib(gateway, worker, IDLE if seconds > 1 else IDLE // 10))
        finally:
            bench.close()
        bench = Bench()
        try:
            gateway = bench.meshway("bare", routes=ROUTES, services=SERVICES)
            (worker,) = (pid for pid in process_tree(gateway.pid) if pid != gateway.pid)
            taken.append(settled(worker) / 1e6)
        finally:
            bench.close()
    held = many_streams.held_kib(("meshway", "envoy"))
    lines = ["| of a worker | least | most |", "|---|---|---|"]
    rows = (
        ("one route, MB", bare),
        (f"{ROUTES:,} routes and {SERVICES:,} services, MB", taken),
        ("an idle keep-alive connection, KiB", kept),
    )
    lines += [f"| {name} | {min(values):.1f} | {max(values):.1f} |" for name, values in rows]
    lines.append(f"| one of {many_streams.CALLS:,} calls by HTTP/2 that wait, KiB | {held['meshway']:.1f} | |")
    lines.append(f"| – Envoy | {held['envoy']:.1f} | |")
    targets = (
        at_most(f"{ROUTES:,} routes and {SERVICES:,} services", MOST_MB, max(taken), "MB of a worker"),
        at_most("an idle keep-alive connection", MOST_KIB, max(kept), "KiB"),
    )
    return "\n".join([*lines, "", *map(str, targets)])

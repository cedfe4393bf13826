"""100,000 instances in 1,000 services: what registry and gateway hold, how long a start takes, and what stalls."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from loadtest.measure import process_tree
from loadtest.peers import ROOT, free_port
from loadtest.registry import meshway_wire, servers
from loadtest.registry.followers import followers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

# Revisions that followers miss while their registry is away.
MISSED = 2000
_BATCH = 1000
_QUIET_S = 5.0


class Scale(NamedTuple):
    """*_stall_ms: the longest wait of a heartbeat while followers take the whole, and while nobody does.

    From a restarted registry's readiness until all followers hold its head: resumed_s for those that were there before
    (wholes: how many of them took the whole all the same), resynchronised_s for as many that hold nothing.
    """

    instances: int
    registry_mb: float
    gateway_mb: float
    cold_start_s: float
    longest_stall_ms: float
    quiet_stall_ms: float
    followers: int
    resumed_s: float
    wholes: int
    resynchronised_s: float


def proportional_mb(pid: int) -> float:
    """Memory of a process tree, what is shared counted once (PSS)."""
    total = 0
    for member in process_tree(pid):
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{member}/smaps_rollup").read_text(), re.MULTILINE)
        total += int(found[1]) if found else 0
    return total / 1024


def fill(port: int, instances: int, services: int) -> None:
    numbers = itertools.count(1)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(0, instances, _BATCH):
        rows = meshway_wire.rows(numbers, min(_BATCH, instances), "large", services)
        connection.request("POST", "/v1/registrations", json.dumps({"instances": rows}))
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
    connection.close()


@contextmanager
def gateway(folder: Path, registry_port: int, *, workers: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The real one, ready; and the port of its mesh listener."""
    mesh, admin = free_port(), free_port()
    command = [sys.executable, "-m", "meshway.cli.main", "gateway", "serve", "--data", str(folder / "gateway")]
    command += ["--registry", f"http://127.0.0.1:{registry_port}", "--workers", str(workers)]
    command += ["--edge-port", str(free_port()), "--mesh-port", str(mesh), "--admin-port", str(admin)]
    command += ["--edge-tls-port", "off", "--mesh-tls-port", "off"]
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{admin}/health/ready", timeout=2) as answer:
                    if answer.status == 200:
                        break
            except OSError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)
        yield process, mesh
    finally:
        process.terminate()
        process.wait(40)


def longest_gap_ms(port: int, is_over: threading.Event) -> float:
    """The longest time a heartbeat waited for its answer, one after the other."""
    ready = meshway_wire.request("POST", "/v1/heartbeats", {"leases": ["1-1-none"]})
    longest = 0.0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while not is_over.is_set():
            began = time.perf_counter()
            connection.sendall(ready)
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
            longest = max(longest, time.perf_counter() - began)
    return longest * 1e3


@contextmanager
def waiting(port: int) -> Iterator[list[float]]:
    """Heartbeats meanwhile; afterwards the list holds the longest wait for one, milliseconds."""
    is_over = threading.Event()
    found: list[float] = []
    thread = threading.Thread(target=lambda: found.append(longest_gap_ms(port, is_over)))
    thread.start()
    try:
        yield found
    finally:
        is_over.set()
        thread.join(30)


def stalls_ms(port: int, core: int) -> tuple[float, float]:
    """While one follower after the other takes the whole, and while nobody does: what the machine does by itself."""
    with waiting(port) as quiet:
        time.sleep(_QUIET_S)
    with waiting(port) as busy:
        for _ in range(5):
            # On the core of the one who waits: it must not wait for them.
            with followers(port, 1, core, decodes=True, gives_way=True):
                pass
    return busy[0], quiet[0]


def measure(folder: Path, cores: tuple[int, int], *, instances: int, services: int, crowd: int) -> Scale:
    registry_core, load_core = cores
    with servers.meshway(folder, registry_core) as server:
        fill(server.port, instances, services)
    began = time.monotonic()
    with servers.meshway(folder, registry_core) as server:
        cold_start_s = time.monotonic() - began
        registry_mb = server.memory_mb()
        with gateway(folder, server.port, workers=2) as (process, _):
            gateway_mb = proportional_mb(process.pid)
        stall, quiet = stalls_ms(server.port, load_core)
    resumed_s, wholes, resynchronised_s = restart(
        lambda port: servers.meshway(folder, registry_core, port=port), load_core, crowd
    )
    return Scale(
        instances, registry_mb, gateway_mb, cold_start_s, stall, quiet, crowd, resumed_s, wholes, resynchronised_s
    )


def restart(
    serve: Callable[[int], AbstractContextManager[servers.Server]], load_core: int, crowd: int
) -> tuple[float, int, float]:
    """Scale's resumed_s, wholes and resynchronised_s. serve: the same registry, on a port."""
    port = free_port()
    with ExitStack() as stack:
        with serve(port):
            began = time.monotonic()
            following = stack.enter_context(followers(port, crowd, load_core, decodes=True))
            resynchronised_s = time.monotonic() - began
            assert following is not None
        with serve(0) as server:  # where none of them looks
            change(server.port, MISSED)
        with serve(port):
            began = time.monotonic()
            at_s, wholes = following.wait_ready()
    return at_s - began, wholes, resynchronised_s


def change(port: int, revisions: int) -> None:
    """So many registrations, one a revision."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for number in range(revisions):
        place = f"/v1/namespaces/missed/services/s-{number % 50}/instances/i-{number}"
        connection.request("PUT", place, json.dumps({"port": 9000, "ttl_s": 3600}))
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 201, body
    connection.close()

"""Ten thousand conversations of gRPC at once through one worker, by grpcio at both ends; `make interop`."""

import asyncio
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from gateway.wire.connection_limits import EDGE_LIMITS
from tests.interop.test_http2 import documents
from tests.parts.conditions import wait_until
from tests.parts.grpc_talker import METHOD
from tests.parts.memory import resident_bytes
from tests.parts.mesh import Mesh
from tests.parts.ports import free_port
from tests.parts.processes import Process, python

pytestmark = pytest.mark.interop

STREAMS, A_CHANNEL = 10_000, 125  # a listener takes 128 requests at once on a connection
AT_ONCE = 200  # openings: above a thousand that it has not begun, grpcio's server drops calls (status CANCELLED)
MESSAGES = 3
WITHIN_S = 150.0
# Longer than bodies at the edge may come slower than their least rate, which is not for conversations.
SILENT_S = EDGE_LIMITS.body_grace_s + 2.0


class Worker:
    """What the one that serves has used so far."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # proc(5): utime, stime

    def resident_mib(self) -> float:
        return resident_bytes(self._pid) / 2**20


async def take_turn(call: Any, number: int, turn: int) -> None:
    await call.write(b"stream %d turn %d" % (number, turn))
    assert await call.read() == b"STREAM %d TURN %d" % (number, turn)


async def opened(channel: grpc.aio.Channel, number: int, opening: asyncio.Semaphore) -> Any:
    """A conversation whose first message has had its answer."""
    async with opening:
        call = channel.stream_stream(METHOD)()
        await take_turn(call, number, 0)
    return call


async def end(call: Any, number: int) -> None:
    """The other messages."""
    for turn in range(1, MESSAGES):
        await take_turn(call, number, turn)
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() == grpc.StatusCode.OK


def in_flight(mesh: Mesh) -> int:
    told = mesh.client.get(f"{mesh.admin}/metrics").text
    found = re.findall(r"^meshway_upstream_requests_in_flight(?:{.*})? (\S+)$", told, re.MULTILINE)
    return sum(int(float(each)) for each in found)


def worker_pid(mesh: Mesh) -> int:
    workers = mesh.client.get(f"{mesh.admin}/config").json()["workers"]
    return int(workers[0]["pid"])


@pytest.fixture
def talker(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    process = Process(python("-m", "tests.parts.grpc_talker", str(port)), tmp_path / "talker.out")
    wait_until(lambda: "ready" in process.text(), 30, what="the service")
    try:
        yield port
    finally:
        process.stop()


async def converse_all(mesh: Mesh, listener: str, silent_s: float, worker: Worker) -> None:
    idle_mib, idle_cpu_s, began = worker.resident_mib(), worker.cpu_s(), time.monotonic()
    own = [("grpc.use_local_subchannel_pool", 1), ("grpc.default_authority", "behind.default.mesh")]
    address = listener.rpartition("/")[2]
    channels = [grpc.aio.insecure_channel(address, options=own) for _ in range(STREAMS // A_CHANNEL)]
    opening = asyncio.Semaphore(AT_ONCE)
    async with asyncio.timeout(WITHIN_S):
        calls = await asyncio.gather(*(opened(channels[at // A_CHANNEL], at, opening) for at in range(STREAMS)))
        opened_s, open_cpu_s, open_mib = time.monotonic() - began, worker.cpu_s(), worker.resident_mib()
        while (counted := await asyncio.to_thread(in_flight, mesh)) != STREAMS:  # they are told each two seconds
            await asyncio.sleep(0.2)
        await asyncio.sleep(silent_s)
        turned, turned_cpu_s = time.monotonic(), worker.cpu_s()
        await asyncio.gather(*(end(call, number) for number, call in enumerate(calls)))
    ended_s, ended_cpu_s = time.monotonic() - turned, worker.cpu_s()
    for channel in channels:
        await channel.close()
    print(
        f"\n{counted} streams at once over {len(channels)} connections: opened, with a message each way, in"
        f" {opened_s:.1f} s ({(open_cpu_s - idle_cpu_s) / STREAMS * 1e6:.0f} µs of the worker's CPU each);"
        f" {MESSAGES - 1} more messages each way and the end in {ended_s:.1f} s"
        f" ({(ended_cpu_s - turned_cpu_s) / STREAMS * 1e6:.0f} µs each);"
        f" memory {idle_mib:.0f} -> {open_mib:.0f} MiB ({(open_mib - idle_mib) * 1024 / STREAMS:.1f} KiB each)"
    )


@pytest.mark.parametrize(("listener", "silent_s"), [("mesh", 0.0), ("edge", SILENT_S)])
def test_ten_thousand_streams_are_open_at_once_and_each_gets_its_own_messages(
    tmp_path: Path, talker: int, listener: str, silent_s: float
) -> None:
    mesh = Mesh(tmp_path, 1, "--dns-port", "0")
    try:
        mesh.apply(documents(talker, "http2"))
        asyncio.run(converse_all(mesh, str(mesh.ready[listener]), silent_s, Worker(worker_pid(mesh))))
        wait_until(lambda: in_flight(mesh) == 0, 30, what="none is left")
    finally:
        mesh.close()

"""What the registry's own health checks cost: CPU of the asking process a check, and how late the latest was.

A server in a process of its own answers; everything runs over loopback on uvloop.
Run: python -m loadtest.micro.checks [http|tcp|grpc] [instances] [seconds], each asked every 10 s.
"""

import asyncio
import multiprocessing
import random
import sys
import time
from collections import Counter
from multiprocessing.connection import Connection
from typing import Any

import uvloop

from meshway.model.traffic_policy import HealthCheck
from meshway.outbound.guard import guarded_dial
from meshway.tasks import spawn
from registry.checks.checks import Checks
from registry.checks.replicas import Replicas
from registry.leases.self_preservation import SelfPreservation
from registry.live.memory import MemoryBus
from registry.revisions.draft import Write
from tests.parts.grpc_health_server import SERVING, grpc_health
from tests.parts.registry_bench import Bench

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SETTLE_S = 15.0  # until the first burst has spread


class _Server(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER)


def serve(kind: str, told: Connection) -> None:
    """Until killed. Tells its port."""

    async def run() -> None:
        if kind == "grpc":
            async with grpc_health(whole=SERVING) as server:
                told.send(server.port)
                await asyncio.Event().wait()
        listener = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0, backlog=4096)
        told.send(listener.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(run())


async def measure(kind: str, instances: int, seconds: float, port: int) -> str:
    bench = Bench()
    for at in range(instances):
        bench.register(f"s{at % 100}", f"i{at}", port=port, check=HealthCheck(type=kind))  # type: ignore[arg-type]

    def submit(write: Write[Any]) -> asyncio.Future[Any]:
        done = asyncio.get_running_loop().create_future()
        done.set_result(bench.commit(write))
        return done

    checks = Checks(
        bench.view,
        submit,
        Replicas(MemoryBus(), time.monotonic),
        guarded_dial(allow_loopback=True),
        self_preservation=SelfPreservation(percent=15.0, minimum=3, max_s=900.0),
        clock=time.monotonic,
        random=random.random,
    )
    tasks = [spawn(checks.run(), name="checks"), spawn(checks.write(), name="findings")]
    await asyncio.sleep(SETTLE_S)
    asked, cpu_s, begun, late_s = checks.asked, time.process_time(), time.monotonic(), 0.0
    while time.monotonic() - begun < seconds:
        await asyncio.sleep(0.05)
        late_s = max(late_s, checks.late_s)
    asked, cpu_s, took_s = checks.asked - asked, time.process_time() - cpu_s, time.monotonic() - begun
    for task in tasks:
        task.cancel()
    statuses = Counter(row.instance.status for rows in bench.view.services.values() for row in rows.values())
    return (
        f"{kind} {instances}: {asked / took_s:.0f} checks/s, {cpu_s / asked * 1e6:.0f} µs each, "
        f"{cpu_s / took_s:.1%} of a core, at most {late_s * 1000:.0f} ms late, {dict(statuses)}"
    )


def main() -> None:
    kind, instances, seconds = (*sys.argv[1:], *("http", "10000", "20")[len(sys.argv) - 1 :])
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(kind, theirs), daemon=True)
    server.start()
    try:
        print(uvloop.run(measure(kind, int(instances), float(seconds), ours.recv())))
    finally:
        server.kill()


if __name__ == "__main__":
    main()

"""What the registry tells of calls, held against every gateway's own access log: counts exact, percentiles near."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from meshway.tasks import spawn
from tests.parts.conditions import until, wait_until
from tests.parts.fault_proxy import FaultProxy
from tests.parts.load import Load
from tests.parts.planes import Gateway, Registry
from tests.parts.ports import free_port
from tests.parts.processes import Process

HOST = "books.example"
_ROUTE = f"""
apiVersion: meshway/v1
kind: Route
metadata: {{name: books}}
spec:
  hosts: [{HOST}]
  rules: [{{name: all, destinations: [{{service: books}}]}}]
"""
_REQUEST = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
_OF_BOOKS = b'"service":"default/books"'
_DURATION = re.compile(rb'"duration_ms":([0-9.]+)')
_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 1000000;
  split_clients "$connection $connection_requests" $fails {{ 2% 1; * 0; }}
  server {{ listen 127.0.0.1:{port}; location / {{ if ($fails) {{ return 500 "no"; }} return 200 "yes"; }} }}
}}
"""


class Gateways:
    """A registry and two gateways on it, the second one through a proxy that can be cut off."""

    def __init__(self, folder: Path, proxy: FaultProxy, workers: int) -> None:
        self.registry = Registry(folder)
        proxy.target = self.registry.port
        self.proxy = proxy
        self.gateways = []
        for number, url in enumerate((self.registry.url, proxy.url)):
            place = folder / f"gw-{number}"
            place.mkdir()
            self.gateways.append(Gateway(place, url, workers, "--node", f"gw-{number}"))

    def serve_books(self, port: int) -> None:
        self.registry.register("books", "b-1", port, ttl_s=3600, version="v1")
        self.registry.apply(_ROUTE)
        for gateway in self.gateways:
            wait_until(lambda gateway=gateway: edge_status(gateway) == 200, 20, what="the route")  # type: ignore[misc]

    def logged(self) -> tuple[list[float], int]:
        """Durations of all calls of the service, ms, and how many failed."""
        durations, failed = [], 0
        for gateway in self.gateways:
            for line in (gateway.data / "log" / "access.jsonl").open("rb"):
                if _OF_BOOKS in line:
                    durations.append(float(_DURATION.search(line)[1]))  # type: ignore[index]
                    failed += b'"status":5' in line
        return durations, failed

    def signals(self, window_s: float) -> dict[str, Any]:
        answer = self.registry.client.get("/v1/insight/services", params={"window_s": str(window_s)})
        assert answer.status_code == 200, answer.text
        (found,) = [item for item in answer.json()["items"] if item["name"] == "books"]
        return dict(found["figures"])

    def close(self) -> None:
        for gateway in self.gateways:
            gateway.close()
        self.registry.close()


def edge_status(gateway: Gateway) -> int:
    return gateway.client.get(f"http://127.0.0.1:{gateway.edge_port}/", headers={"Host": HOST}).status_code


@asynccontextmanager
async def two_gateways(folder: Path, workers: int) -> AsyncIterator[Gateways]:
    async with FaultProxy(0) as proxy:
        mesh = await asyncio.to_thread(Gateways, folder, proxy, workers)
        try:
            yield mesh
        finally:
            await asyncio.to_thread(mesh.close)


@asynccontextmanager
async def uneven_service(chance: random.Random) -> AsyncIterator[int]:
    """Answers after a while that differs much from call to call; one in ten fails."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(min(chance.lognormvariate(-5.0, 1.0), 0.3))
                status = b"500 No" if chance.random() < 0.1 else b"200 OK"
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nhi")
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def judge(mesh: Gateways, window_s: float) -> dict[str, Any]:
    """Waits until all that the logs hold is counted, and holds what is told against it; gives what was seen."""
    wait_until(
        lambda: mesh.signals(window_s)["calls"] == len(mesh.logged()[0]), 60, every_s=0.5, what="as many as logged"
    )
    durations, failed = mesh.logged()
    durations.sort()
    told = mesh.signals(window_s)
    assert told["calls"] == len(durations)
    assert told["error_share"] == pytest.approx(failed / len(durations), rel=1e-3)
    seen: dict[str, Any] = {"calls": len(durations), "failed": failed, "told": told}
    for share, name in ((0.5, "p50_ms"), (0.95, "p95_ms"), (0.99, "p99_ms")):
        rank = int(share * len(durations))
        seen[f"true_{name}"] = durations[rank - 1]
        # Of few calls, those beside the one of this rank may lie further apart than 5 %.
        low, high = durations[max(rank - 3, 0)], durations[min(rank + 1, len(durations) - 1)]
        assert 0.95 * low <= told[name] <= 1.05 * high, f"{name}: {told[name]}, by the logs {low} to {high}"
    return seen


async def test_counts_are_exact_though_the_registry_was_killed_and_a_gateway_cut_off_and_restarted(
    tmp_path: Path,
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    began = time.time()
    async with uneven_service(random.Random(seed)) as port, two_gateways(tmp_path, workers=1) as mesh:
        await asyncio.to_thread(mesh.serve_books, port)
        loads = [Load(gateway.edge_port, 8, lambda _: ("GET", "", _REQUEST)) for gateway in mesh.gateways]
        running = [spawn(load.run(), name="load") for load in loads]
        await until(lambda: len(loads[1].calls) > 200, 60, what="calls before the registry is killed")
        await asyncio.to_thread(mesh.registry.restart, signal.SIGKILL)
        await until(lambda: len(loads[1].calls) > 400, 60, what="calls before it is cut off")
        mesh.proxy.refuse()
        await until(lambda: len(loads[1].calls) > 900, 60, what="calls while it is cut off")
        for load in loads:
            load.stopping.set()
        await asyncio.gather(*running)
        # It ends while it is cut off: what it could not tell is on its disk.
        await asyncio.to_thread(mesh.gateways[1].process.stop, 40)
        await mesh.proxy.listen()
        await asyncio.to_thread(mesh.gateways[1].start)
        seen = await asyncio.to_thread(judge, mesh, time.time() - began + 60)
        print(seen)
        lost = mesh.registry.client.get("/metrics").text
        assert 'meshway_insight_reports_lost_total{reason="late"} 0' in lost


@pytest.mark.soak
async def test_a_million_calls_over_two_gateways_one_cut_off_for_five_minutes(tmp_path: Path) -> None:
    """Four workers. The gateway that is cut off goes on serving; it keeps its reports for ten minutes."""
    began = time.time()
    port = free_port()
    (tmp_path / "nginx.conf").write_text(_NGINX.format(folder=tmp_path, port=port))
    nginx = Process(["nginx", "-c", str(tmp_path / "nginx.conf")], tmp_path / "nginx.out")
    try:
        async with two_gateways(tmp_path, workers=2) as mesh:
            await asyncio.to_thread(mesh.serve_books, port)
            stop_at = asyncio.get_running_loop().time() + 330.0
            loads = [spawn(wrk(gateway, stop_at), name="load") for gateway in mesh.gateways]
            await asyncio.sleep(15.0)
            mesh.proxy.refuse()
            await asyncio.sleep(300.0)
            await mesh.proxy.listen()
            await asyncio.gather(*loads)
            while sum([await asyncio.to_thread(logged, gateway) for gateway in mesh.gateways]) < 1_000_000:
                more = asyncio.get_running_loop().time() + 30.0
                await asyncio.gather(*(wrk(gateway, more) for gateway in mesh.gateways))
            print(await asyncio.to_thread(judge, mesh, time.time() - began + 60))
    finally:
        nginx.stop()


async def wrk(gateway: Gateway, stop_at: float) -> None:
    seconds = max(int(stop_at - asyncio.get_running_loop().time()), 1)
    url = f"http://127.0.0.1:{gateway.edge_port}/"
    command = ["wrk", "-t1", "-c2", f"-d{seconds}s", "-H", f"Host: {HOST}", url]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, timeout=seconds + 60)


def logged(gateway: Gateway) -> int:
    with (gateway.data / "log" / "access.jsonl").open("rb") as lines:
        return sum(1 for _ in lines)

"""The mesh that is soaked: a registry, two gateways and the services. One gateway bears everything that may happen, the
other one only what happens to the registry and to documents: its callers must not notice, and its memory is
measured."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from loadtest.soak.descriptors import KNOWN
from loadtest.soak.trouble import NOTICED_S, STEADY, TROUBLED, Trouble
from meshway.model.kinds import KINDS
from tests.parts.gateway_process import GatewayProcess
from tests.parts.planes import Registry
from tests.parts.ports import free_port

ORPHANS_S: Final = 6.0  # workers without a supervisor leave within five
# All datagrams are of one address, and of more sessions than the 100 of a worker that a silent UdpRoute gives one.
MANY_SESSIONS: Final = {"per_source": 0, "idle": "5s"}


class Mesh:
    """gateways: by name. listeners: ports of each by what is spoken. troubles: all so far."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.troubles: list[Trouble] = []
        self.applied = self.unapplied = 0
        self.services = subprocess.Popen(
            [sys.executable, "-m", "loadtest.soak.services"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.services.stdout is not None
        self.ports: dict[str, int] = json.loads(self.services.stdout.readline())
        for name in ("registry", STEADY, TROUBLED):
            (folder / name).mkdir()
        self.registry = Registry(folder / "registry", "--dns-port", "off")  # several may run on one machine
        self.gateways = {
            name: GatewayProcess(folder / name, self.registry.url, node=name) for name in (STEADY, TROUBLED)
        }
        self.listeners: dict[str, dict[str, int]] = {}

    @property
    def speaks(self) -> dict[str, str]:
        """What is carried beside HTTP, with the kind of its Routes, as far as this version does."""
        return {spoken: kind for spoken, kind in (("tcp", "TcpRoute"), ("udp", "UdpRoute")) if kind in KINDS}

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.registry.apply, self._documents())
        for name, gateway in self.gateways.items():
            await gateway.start()
            self.listeners[name]["mesh"] = gateway.settings["mesh_port"]
        for name, gateway in self.gateways.items():
            while not all(f"Listener mesh/{spoken}-{name}" in gateway.text() for spoken in self.speaks):
                await asyncio.sleep(0.05)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for gateway in self.gateways.values():
            await gateway.stop()
        await asyncio.to_thread(self.registry.close)
        self.services.communicate(timeout=10)

    def _documents(self) -> str:
        found = [_service(name, port, "grpc" if name == "streams" else "http") for name, port in self.ports.items()]
        self.listeners = {name: {spoken: free_port() for spoken in self.speaks} for name in self.gateways}
        to = {"tcp": "bytes", "udp": "datagrams"}
        for spoken, kind in self.speaks.items():
            for name, ports in self.listeners.items():
                listener = {"port": ports[spoken], "protocol": spoken, "face": "mesh", "gateways": [name]}
                found.append(_document("Listener", f"{spoken}-{name}", listener, "mesh"))
            listeners = [f"{spoken}-{name}" for name in self.gateways]
            route: dict[str, Any] = {"listeners": listeners, "destinations": [{"service": to[spoken]}]}
            if spoken == "udp":
                route |= MANY_SESSIONS
            found.append(_document(kind, spoken, route))
        return "\n---\n".join(json.dumps(each) for each in found)

    # What is asked of it.

    def asked(self, name: str) -> Callable[[], Awaitable[float]] | None:
        """For the connections that a gateway knows; None: it is none."""
        gateway = self.gateways.get(name)
        if gateway is None:
            return None

        async def known() -> float:
            return sum([await gateway.metric(metric) for metric in KNOWN])

        return known

    def port_names(self) -> dict[int, str]:
        """Of all that somebody listens on."""
        found = {port: name for name, port in self.ports.items()} | {self.registry.port: "the registry"}
        for gateway, process in self.gateways.items():
            found |= {port: f"{gateway}'s {spoken}" for spoken, port in self.listeners[gateway].items()}
            found[process.settings["admin_port"]] = f"{gateway}'s admin"
        return found

    # What happens.

    async def apply_for_ever(self, every_s: float) -> None:
        """A revision every so often: a Route that comes, changes and goes, and the timeouts of a service in use."""
        number = 0
        async with httpx.AsyncClient(base_url=self.registry.url, timeout=5.0, trust_env=False) as client:
            while True:
                number += 1
                began = time.monotonic()
                rule = {"match": [{"path": {"prefix": f"/{number}"}}], "destinations": [{"service": "plain"}]}
                documents = (
                    _document("Route", f"r{number % 20}", {"hosts": [f"h{number % 20}.example"], "rules": [rule]}),
                    _document(
                        "TrafficPolicy",
                        "plain",
                        {"targets": [{"service": "plain"}], "timeouts": {"idle": f"{300 + number % 60}s"}},
                    ),
                )
                try:
                    body = json.dumps(documents[number % 2])
                    answer = await client.post("/v1/apply", content=body, headers={"Content-Type": "application/yaml"})
                    self.applied += answer.status_code == 200
                    self.unapplied += answer.status_code != 200
                except httpx.TransportError:
                    self.unapplied += 1  # it is being killed
                await asyncio.sleep(max(0.0, every_s - (time.monotonic() - began)))

    async def trouble_for_ever(self, every_s: float) -> None:
        """Each kind in turn, in another order each round."""
        kinds: list[Callable[[], Awaitable[None]]] = []
        while True:
            if not kinds:
                kinds = [self._reload, self._kill_worker, self._upgrade, self._kill_gateway, self._kill_registry]
                self.random.shuffle(kinds)
            await asyncio.sleep(every_s)
            await kinds.pop()()

    async def _reload(self) -> None:
        trouble = self._begin("reload")
        gateway = self.gateways[TROUBLED]
        before = set(await gateway.worker_pids())
        gateway.send(signal.SIGHUP)
        await gateway.wait_for_workers(before, 2, within_s=30.0)
        trouble.ended = time.time()

    async def _upgrade(self) -> None:
        trouble = self._begin("another supervisor")
        before = await self.gateways[TROUBLED].take_over()
        await asyncio.to_thread(before.popen.wait, 60)
        trouble.ended = time.time()

    async def _kill_worker(self) -> None:
        gateway = self.gateways[TROUBLED]
        before = set(await gateway.worker_pids())
        trouble = self._begin("worker killed", "calls and connections of the worker that was killed")
        os.kill(self.random.choice(sorted(before)), signal.SIGKILL)
        await gateway.wait_for_workers(before, 1, within_s=30.0)
        trouble.ended = time.time() + NOTICED_S

    async def _kill_gateway(self) -> None:
        gateway = self.gateways[TROUBLED]
        trouble = self._begin("gateway killed", "calls and connections of a gateway that was killed, until it is there")
        await gateway.kill()
        await gateway.start()
        trouble.ended = max(time.time() + NOTICED_S, trouble.began + ORPHANS_S + NOTICED_S)

    async def _kill_registry(self) -> None:
        trouble = self._begin("registry killed")
        await asyncio.to_thread(self.registry.restart, signal.SIGKILL)
        trouble.ended = time.time()

    def _begin(self, what: str, excuses: str = "") -> Trouble:
        trouble = Trouble(what, time.time(), excuses=excuses)
        self.troubles.append(trouble)
        return trouble


def _service(name: str, port: int, protocol: str) -> dict[str, Any]:
    endpoints = [{"address": "127.0.0.1", "port": port}]
    return _document("Service", name, {"type": "static", "ports": [{"protocol": protocol}], "endpoints": endpoints})


def _document(kind: str, name: str, spec: dict[str, Any], namespace: str = "default") -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "meshway/v1", "kind": kind, "metadata": metadata, "spec": spec}

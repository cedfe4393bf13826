"""A real gateway as processes, following whatever registry it is told, and what one can do to it."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx

from tests.parts.conditions import until
from tests.parts.processes import Process, python

_SERVE = """
import sys
from pathlib import Path
import msgspec
from gateway.settings import GatewaySettings
from gateway.supervisor.opening import serve
serve(msgspec.json.decode(sys.argv[1], type=GatewaySettings, dec_hook=lambda kind, text: kind(text)))
"""


class GatewayProcess:
    """folder: its data folder is in it, so a second one in the same folder starts from the first one's disk.

    settings: fields of GatewaySettings. The ports of the first start are kept.
    """

    def __init__(self, folder: Path, *registries: str, workers: int = 2, **settings: Any) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.ready_file = folder / "ready.json"
        self.output = folder / "gateway.out"
        self.settings: dict[str, Any] = {
            "data_dir": str(self.data),
            "registry_urls": registries,
            "edge_port": 0,
            "mesh_port": 0,
            "admin_port": 0,
            "edge_tls_port": 0,
            "mesh_tls_port": 0,
            "workers": workers,
            "node": "gw-1",
            "ready_file": str(self.ready_file),
        } | settings
        self.client = httpx.AsyncClient(timeout=30.0, trust_env=False)
        self.edge = self.mesh = self.admin = self.edge_tls = self.mesh_tls = ""
        self.process: Process | None = None

    program = ""  # what is run before it serves

    def launch(self) -> None:
        self.ready_file.unlink(missing_ok=True)
        self.process = Process(python("-c", self.program + _SERVE, json.dumps(self.settings)), self.output)

    async def take_over(self, within_s: float = 40.0, **settings: Any) -> Process:
        """Another supervisor in the place of this one, which is returned. settings: of the other one alone."""
        before, self.settings = self.process, self.settings | {"take_over": True} | settings
        assert before is not None
        self.launch()
        del self.settings["take_over"]
        await self._until_ready(within_s)
        return before

    async def start(self, within_s: float = 40.0) -> None:
        """Until it serves with tables."""
        self.launch()
        await self._until_ready(within_s)

    async def _until_ready(self, within_s: float) -> None:
        await until(lambda: self.ready_file.exists() or not self.is_running, within_s, what="gateway ready")
        assert self.is_running, self.text()
        ready = json.loads(self.ready_file.read_text())
        for name in ("edge", "mesh", "admin", "edge_tls", "mesh_tls"):
            setattr(self, name, ready[name])
            if ready[name]:
                self.settings[f"{name}_port"] = int(ready[name].rpartition(":")[2])

    async def __aenter__(self) -> "GatewayProcess":
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    async def stop(self, within_s: float = 20.0) -> int:
        """SIGTERM; SIGKILL when that was not enough. The exit code."""
        await self.client.aclose()
        return await asyncio.to_thread(self.process.stop, within_s) if self.process is not None else 0

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.is_running()

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send(number)

    async def kill(self) -> None:
        """The supervisor alone; its workers are left to themselves."""
        assert self.process is not None
        self.send(signal.SIGKILL)
        await asyncio.to_thread(self.process.popen.wait, 10)

    async def call(self, service: str, path: str = "/", namespace: str = "default") -> httpx.Response:
        return await self.client.get(f"{self.mesh}{path}", headers={"Host": f"{service}.{namespace}.mesh"})

    async def config(self) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.client.get(f"{self.admin}/config")).json()
        return answer

    async def metric(self, name: str) -> float:
        """The sum over all its labels."""
        text = (await self.client.get(f"{self.admin}/metrics")).text
        lines = [line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] == name]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    async def wait_for_count(self, name: str, value: float) -> None:
        """Workers write their counts every 50 ms."""
        deadline = asyncio.get_running_loop().time() + 5.0
        while (counted := await self.metric(name)) != value:
            assert asyncio.get_running_loop().time() < deadline, f"{name} is {counted}, not {value}"
            await asyncio.sleep(0.02)

    async def worker_pids(self) -> list[int]:
        return [worker["pid"] for worker in (await self.config())["workers"]]

    async def wait_for_workers(self, but: set[int], count: int, within_s: float = 10.0) -> list[int]:
        """Until `count` workers accept that are none of `but`."""
        deadline = asyncio.get_running_loop().time() + within_s
        while True:
            fresh = [pid for pid in await self.worker_pids() if pid not in but]
            if len(fresh) == count:
                return fresh
            assert asyncio.get_running_loop().time() < deadline, self.text()
            await asyncio.sleep(0.02)

    async def wait_for_revision(self, revision: int, within_s: float = 10.0) -> None:
        deadline = asyncio.get_running_loop().time() + within_s
        while (await self.config())["revision"] < revision:
            assert asyncio.get_running_loop().time() < deadline, self.text()
            await asyncio.sleep(0.02)

    def access_log(self) -> list[dict[str, Any]]:
        path = self.data / "log" / "access.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def is_alive(pid: int) -> bool:
    """A zombie counts as gone."""
    try:
        os.kill(pid, 0)
        return b"State:\tZ" not in Path(f"/proc/{pid}/status").read_bytes()
    except (ProcessLookupError, FileNotFoundError):
        return False

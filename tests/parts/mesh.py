"""A running mesh: `meshway up` as a person starts it, on free ports, in a folder of its own."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.parts.conditions import wait_until
from tests.parts.processes import Process, python


class Mesh:
    """`meshway up`, or the two planes apart. Everything is read from the ready file."""

    def __init__(self, folder: Path, workers: int = 1, *arguments: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.ready_file = folder / "ready.json"
        command = ["-m", "meshway.cli.main", "up", "--data", str(self.data), "--workers", str(workers)]
        for plane in ("registry", "edge", "mesh", "edge-tls", "mesh-tls", "admin"):
            command += [f"--{plane}-port", "0"]
        command += ["--ready-file", str(self.ready_file), *arguments]
        self.process = Process(python(*command), folder / "up.out")
        wait_until(lambda: self.ready_file.exists() or not self.process.is_running(), 60, what="ready file")
        assert self.process.is_running(), self.process.text()
        self.client = httpx.Client(timeout=30.0, trust_env=False)

    @property
    def ready(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.ready_file.read_text())
        return content

    @property
    def registry(self) -> str:
        return str(self.ready["registry"])

    @property
    def edge(self) -> str:
        return str(self.ready["edge"])

    @property
    def mesh(self) -> str:
        return str(self.ready["mesh"])

    @property
    def admin(self) -> str:
        return str(self.ready["admin"])

    def pid(self, plane: str) -> int:
        return int(self.ready["pids"][plane])

    def register(self, service: str, instance: str, port: int, namespace: str = "default", **fields: Any) -> None:
        """Registers and waits until the gateways run it."""
        answer = self.client.put(
            f"{self.registry}/v1/namespaces/{namespace}/services/{service}/instances/{instance}",
            json={"port": port, "address": "127.0.0.1"} | fields,
            headers={"Prefer": "wait=10"},
        )
        assert answer.status_code in (200, 201), answer.text

    def apply(self, text: str) -> None:
        answer = self.client.post(
            f"{self.registry}/v1/apply",
            content=text.encode(),
            headers={"Content-Type": "application/yaml", "Prefer": "wait=10"},
        )
        assert answer.status_code == 200, answer.text

    def call(self, service: str, path: str = "/", namespace: str = "default", **options: Any) -> httpx.Response:
        """One call through the mesh listener."""
        headers = {"Host": f"{service}.{namespace}.mesh"} | options.pop("headers", {})
        return self.client.request(options.pop("method", "GET"), self.mesh + path, headers=headers, **options)

    def reload(self) -> None:
        os.kill(self.pid("gateway"), signal.SIGHUP)

    def access_log(self) -> Iterator[dict[str, Any]]:
        """Every line so far, in order of writing."""
        path = self.data / "log" / "access.jsonl"
        if path.exists():
            for line in path.read_text().splitlines():
                yield json.loads(line)

    def close(self) -> None:
        self.client.close()
        self.process.stop()


def now_s() -> float:
    return time.time()

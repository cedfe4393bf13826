"""Registry and gateway as two processes, each killed and started alone: `registry serve`, `gateway serve`."""

import json
from pathlib import Path
from typing import Any

import httpx

from meshway.tls import client_context
from tests.parts.conditions import wait_until
from tests.parts.fresh_store import put_fresh_store
from tests.parts.ports import free_port
from tests.parts.processes import Process, python

_COMMAND = ["-m", "meshway.cli.main"]


class Registry:
    """`meshway registry serve` on the embedded store. program: what is run before it serves. ca_file: by whom it is
    believed, of one that speaks TLS. trusts: whom without a token."""

    program = ""
    trusts: tuple[str, ...] = ("--trust-loopback",)

    def __init__(self, folder: Path, *arguments: str, port: int | None = None, ca_file: Path | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port() if port is None else port
        self.arguments = arguments
        self.url = f"http{'' if ca_file is None else 's'}://127.0.0.1:{self.port}"
        verify = True if ca_file is None else client_context(ca_file.read_bytes())
        self.client = httpx.Client(base_url=self.url, timeout=30.0, trust_env=False, verify=verify)
        if "--database-url" not in arguments:
            put_fresh_store(self.data)
        self.start()

    def start(self) -> None:
        command = ["-c", f"{self.program}\nfrom meshway.cli.main import main\nmain()"] if self.program else _COMMAND
        command = [*command, "registry", "serve", *self.trusts, "--data", str(self.data)]
        command += ["--registry-port", str(self.port), *self.arguments]
        self.process = Process(python(*command), self.folder / "registry.out")
        wait_until(self.answers, 30, what="registry ready")

    def answers(self) -> bool:
        assert self.process.is_running(), self.process.text()
        try:
            return self.client.get("/v1/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def restart(self, number: int) -> None:
        self.process.send(number)
        self.process.popen.wait(20)
        self.start()

    def register(self, service: str, instance: str, port: int, namespace: str = "default", **fields: Any) -> None:
        answer = self.client.put(
            f"/v1/namespaces/{namespace}/services/{service}/instances/{instance}",
            json={"port": port, "address": "127.0.0.1"} | fields,
        )
        assert answer.status_code in (200, 201), answer.text

    def apply(self, text: str) -> None:
        answer = self.client.post(
            "/v1/apply", content=text.encode(), headers={"Content-Type": "application/yaml", "Prefer": "wait=10"}
        )
        assert answer.status_code == 200, answer.text

    def close(self) -> None:
        self.client.close()
        self.process.stop()


class Gateway:
    """`meshway gateway serve`; its ports stay over restarts."""

    def __init__(self, folder: Path, registry_url: str, workers: int = 1, *arguments: str) -> None:
        self.folder = folder
        self.data = folder / "gateway-data"
        self.registry_url = registry_url
        self.edge_port, self.mesh_port, self.admin_port = free_port(), free_port(), free_port()
        self.workers = workers
        self.arguments = arguments
        self.client = httpx.Client(timeout=10.0, trust_env=False)
        self.start()

    def start(self) -> None:
        command = ["-m", "meshway.cli.main", "gateway", "serve", "--data", str(self.data)]
        command += ["--registry", self.registry_url, "--workers", str(self.workers)]
        command += ["--edge-port", str(self.edge_port), "--mesh-port", str(self.mesh_port)]
        command += ["--edge-tls-port", "0", "--mesh-tls-port", "0"]
        command += ["--admin-port", str(self.admin_port), *self.arguments]
        self.process = Process(python(*command), self.folder / "gateway.out")
        wait_until(self.is_ready, 30, what="gateway ready")

    def is_ready(self) -> bool:
        assert self.process.is_running(), self.process.text()
        try:
            return self.client.get(f"http://127.0.0.1:{self.admin_port}/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def restart(self, number: int) -> None:
        self.process.send(number)
        self.process.popen.wait(40)
        self.start()

    def get(self, host: str, path: str = "/") -> httpx.Response:
        """A call through the mesh listener; a refused connection is answered as 503."""
        try:
            return self.client.get(f"http://127.0.0.1:{self.mesh_port}{path}", headers={"Host": host})
        except httpx.TransportError as error:
            return httpx.Response(503, text=str(error))

    def last_good_files(self) -> list[Path]:
        return list(self.data.rglob("*.snapshot"))

    def access_log(self) -> list[dict[str, Any]]:
        path = self.data / "log" / "access.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def close(self) -> None:
        self.client.close()
        self.process.stop(40)

"""The bookinfo example as processes, registered over the SDK as `meshway demo` does it."""

import signal
from pathlib import Path

import httpx

from meshway.cli.demo import COPIES
from tests.parts.conditions import wait_until
from tests.parts.mesh import Mesh
from tests.parts.ports import free_port
from tests.parts.processes import ROOT, Process, python


class Copy(Process):
    """One running copy of one service."""

    def __init__(self, mesh: Mesh, service: str, version: str, number: int) -> None:
        self.mesh = mesh
        self.service = service
        self.version = version
        self.identity = f"{service}-{version}-{number}"
        self.port = free_port()
        env = {
            "MESHWAY_URL": mesh.registry,
            "MESHWAY_GATEWAY": mesh.mesh,
            "MESHWAY_NAMESPACE": "bookinfo",
            "MESHWAY_INSTANCE": self.identity,
            "SERVICE_VERSION": version,
        }
        script = ROOT / "examples" / "bookinfo" / f"{service}.py"
        super().__init__(python(str(script), "--port", str(self.port)), mesh.folder / f"{self.identity}.out", env)

    def is_registered(self) -> bool:
        assert self.is_running(), self.text()
        answer = self.mesh.client.get(
            f"{self.mesh.registry}/v1/namespaces/bookinfo/services/{self.service}/instances?status=passing"
        )
        return answer.status_code == 200 and any(item["id"] == self.identity for item in answer.json()["items"])

    def drain(self) -> None:
        """As an operator stops it: SIGTERM; the SDK drains, finishes calls and deregisters."""
        self.send(signal.SIGTERM)
        self.popen.wait(30)


class Bookinfo:
    """All services once, and two copies of reviews v2 and v3, so that one may die."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.copies: list[Copy] = []

    def start(self) -> None:
        for path in sorted(Path(ROOT / "examples" / "bookinfo").glob("*.yaml")):
            self.mesh.apply(path.read_text())
        for service, version in (*COPIES, ("reviews", "v2"), ("reviews", "v3")):
            self.copies.append(Copy(self.mesh, service, version, len(self.copies)))
        for copy in self.copies:
            wait_until(copy.is_registered, 60, what=f"{copy.identity} registered")
        wait_until(self._page_has_stars, 30, what="the page with reviews")

    def add(self, service: str, version: str) -> Copy:
        copy = Copy(self.mesh, service, version, len(self.copies))
        self.copies.append(copy)
        wait_until(copy.is_registered, 60, what=f"{copy.identity} registered")
        return copy

    def pick(self, service: str, version: str) -> Copy:
        """The first running copy."""
        return next(c for c in self.copies if (c.service, c.version) == (service, version) and c.is_running())

    def _page_has_stars(self) -> bool:
        answer = httpx.get(f"{self.mesh.edge}/productpage", headers={"Host": "bookinfo.example"}, timeout=10)
        return answer.status_code == 200 and "★" in answer.text

    def close(self) -> None:
        for copy in self.copies:
            copy.send(signal.SIGCONT)
            copy.send(signal.SIGTERM)
        for copy in self.copies:
            copy.stop(10)

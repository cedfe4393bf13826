"""Registries over one store as processes of their own, with a fault proxy between every two that speak."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.parts.conditions import wait_until
from tests.parts.fault_proxy import FaultProxy, ProxyThread
from tests.parts.ports import free_port
from tests.parts.postgres import Postgres
from tests.parts.processes import Process, python
from tests.parts.valkey import Valkey

# The log is looked through every few seconds here, so that a short run meets a log that was cut.
_SERVE = """
import json, sys
from pathlib import Path
from registry.app import serve
from registry.revisions import retention
from registry.settings import RegistrySettings
retention._EVERY_S = 3.0
serve(RegistrySettings(data_dir=Path(sys.argv[1]), trusts_loopback=True, **json.loads(sys.argv[2])))
"""

_MOST_PAGES = 100


class Replica:
    """One registry. settings: of RegistrySettings. front: the proxy its clients speak to; behind: those it speaks to
    the stores by, by name."""

    def __init__(self, folder: Path, name: str, proxies: ProxyThread, behind: dict[str, FaultProxy], **settings: Any):
        self.name = name
        self.behind = behind
        self._folder = folder
        self._port = free_port()
        self._settings = settings | {"port": self._port}
        self.front = proxies.proxy(self._port)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=10.0, trust_env=False)
        self.start()

    @property
    def port(self) -> int:
        """Where clients call."""
        return self.front.port

    @property
    def own_port(self) -> int:
        """Without the proxy, which is slow."""
        return self._port

    def start(self) -> None:
        command = ["-c", _SERVE, str(self._folder / self.name), json.dumps(self._settings)]
        self.process = Process(python(*command), self._folder / f"{self.name}.out")

    def is_ready(self) -> bool:
        """Whether it takes writes, too."""
        assert self.process.is_running(), self.process.text()
        try:
            ready = self.client.get("/v1/health/ready")
        except httpx.TransportError:
            return False
        return ready.status_code == 200 and "store" not in ready.json()["missing"]

    def wait_ready(self, within_s: float = 30.0) -> None:
        wait_until(self.is_ready, within_s, what=f"{self.name} ready: {self.process.text()[-2000:]}")

    def kill(self) -> None:
        self.process.send(signal.SIGKILL)
        self.process.popen.wait(10)

    def pause(self) -> None:
        self.process.send(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send(signal.SIGCONT)

    def head(self) -> int:
        return int(self.client.get("/v1/health/live").headers["Meshway-Revision"])

    def instances(self) -> dict[str, int]:
        """`service/id` to revision, of all there are in the default namespace."""
        return {name: item["revision"] for name, item in self._items()}

    def critical(self) -> list[str]:
        """`service/id` of those whose lease ran out."""
        return [name for name, item in self._items() if item["status"] == "critical"]

    def close(self) -> None:
        self.client.close()
        self.process.stop()

    def _items(self) -> Iterator[tuple[str, Any]]:
        for service in self._pages("/v1/namespaces/default/services"):
            name = service["metadata"]["name"]
            for item in self._pages(f"/v1/namespaces/default/services/{name}/instances"):
                yield f"{name}/{item['id']}", item

    def _pages(self, path: str) -> list[Any]:
        items: list[Any] = []
        query = {"limit": "1000"}
        for _ in range(_MOST_PAGES):
            answer = self.client.get(path, params=query)
            assert answer.status_code == 200, answer.text
            items += answer.json()["items"]
            if "next" not in answer.json():
                return items
            query["cursor"] = answer.json()["next"]
        raise AssertionError(f"{path} goes on after {_MOST_PAGES} pages: {query}")


class Cluster:
    """`count` replicas over one PostgreSQL and one Valkey; with count 1 a single one over SQLite and its own memory."""

    def __init__(self, folder: Path, count: int, **settings: Any) -> None:
        self.proxies = ProxyThread()
        self.postgres: Postgres | None = None
        self.valkey: Valkey | None = None
        self.replicas: list[Replica] = []
        try:
            self._start(folder, count, settings)
        except BaseException:
            self.close()
            raise

    def _start(self, folder: Path, count: int, settings: dict[str, Any]) -> None:
        if count > 1:
            self.postgres = Postgres(durable=True).start()
            self.valkey = Valkey(folder)
        for at in range(count):
            behind: dict[str, FaultProxy] = {}
            urls: dict[str, Any] = {}
            if self.postgres is not None and self.valkey is not None:
                behind = {
                    "postgres": self.proxies.proxy(self.postgres.port),
                    "valkey": self.proxies.proxy(self.valkey.port),
                }
                urls["database_url"] = self.postgres.url().replace(
                    f":{self.postgres.port}/", f":{behind['postgres'].port}/"
                )
                urls["redis_url"] = self.valkey.url.replace(f":{self.valkey.port}/", f":{behind['valkey'].port}/")
            self.replicas.append(Replica(folder, f"replica{at}", self.proxies, behind, **urls, **settings))
        for replica in self.replicas:
            replica.wait_ready()

    def chooser(self, seed: int) -> Any:
        """Gives the port of one replica after the other, in an order of its own."""
        chance = random.Random(seed)
        return lambda: chance.choice(self.replicas).port

    def pids(self) -> dict[str, Iterable[int]]:
        """Of what runs at the moment, by part."""
        found: dict[str, Iterable[int]] = {"registries": [replica.process.pid for replica in self.replicas]}
        if self.postgres is not None and self.valkey is not None:
            found |= {"store": self.postgres.pids(), "live": [self.valkey.process.pid]}
        return found

    def close(self) -> None:
        for replica in self.replicas:
            replica.go_on()
            replica.close()
        if self.valkey is not None:
            self.valkey.close()
        if self.postgres is not None:
            self.postgres.close()
        self.proxies.close()

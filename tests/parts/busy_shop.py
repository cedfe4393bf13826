"""The book shop with readers that never stop, a till whose calls fail, a rollout under way and a client with a key:
what a console has to show."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Final

import httpx

from tests.parts.bookinfo import Bookinfo
from tests.parts.conditions import wait_until
from tests.parts.mesh import Mesh
from tests.parts.ports import free_port

CALLS_PER_S: Final = 6.0
DOCUMENTS: Final = """
apiVersion: meshway/v1
kind: Telemetry
metadata: {name: all, namespace: mesh}
spec: {traces: {head_percent: 100}}
---
apiVersion: meshway/v1
kind: Alert
metadata: {name: till-fails, namespace: default}
spec:
  query: service=till error_ratio > 10 % over 1m
  for: 1s
  severity: critical
  summary: calls of ${service} fail
---
apiVersion: meshway/v1
kind: Objective
metadata: {name: till-answers, namespace: default}
spec: {target: {service: till}, indicator: {availability: {}}, target_percent: 99}
---
apiVersion: meshway/v1
kind: Route
metadata: {name: partners, namespace: bookinfo}
spec:
  hosts: [partners.example]
  rules: [{destinations: [{service: details}], retry: {max_retries: 2}}]
---
apiVersion: meshway/v1
kind: RateLimit
metadata: {name: partners, namespace: bookinfo}
spec: {targets: [{route: partners}], token_bucket: {rate: 100/s}}
---
apiVersion: meshway/v1
kind: Consumer
metadata: {name: acme, namespace: bookinfo}
spec: {}
---
apiVersion: meshway/v1
kind: Route
metadata: {name: ratings, namespace: bookinfo}
spec:
  hosts: [ratings.example]
  rules:
    - name: all
      destinations: [{service: reviews, subset: v2, weight: 100}, {service: reviews, subset: v3, weight: 0}]
---
apiVersion: meshway/v1
kind: Rollout
metadata: {name: reviews-v3, namespace: bookinfo}
spec:
  route: ratings
  rule: all
  stable: {service: reviews, subset: v2}
  canary: {service: reviews, subset: v3}
  steps: [{weight_percent: 20, hold: 1h}, {weight_percent: 50, hold: 1h}]
  judge: {minimum_requests: 100000}
"""


class BusyShop:
    """mesh: of it all. Readers ask for the page, the reviews behind the rollout, and the till, in turn."""

    def __init__(self, folder: Path) -> None:
        self.mesh = Mesh(folder, 1, "--dns-port", "0")
        self.bookinfo = Bookinfo(self.mesh)
        self._stop = threading.Event()
        self._readers: threading.Thread | None = None

    def start(self) -> None:
        mesh = self.mesh
        self.bookinfo.start()
        mesh.register("till", "till-1", free_port(), ttl_s=3600)
        mesh.apply(DOCUMENTS)
        assert mesh.client.post(f"{mesh.registry}/v1/identity/authority", json={}).status_code in (201, 409)
        self._readers = threading.Thread(target=self._read, name="readers")
        self._readers.start()
        wait_until(lambda: self.calls_of("default/till") >= 20, 90, what="reports of the till")
        wait_until(lambda: self.calls_of("bookinfo/reviews") >= 20, 90, what="reports of reviews")
        phase = f"{mesh.registry}/v1/rollouts/bookinfo/reviews-v3"
        wait_until(lambda: mesh.client.get(phase).json()["phase"] == "running", 30, what="the first step")
        wait_until(lambda: "till-fails" in self.firing(), 90, what="the alert")

    def calls_of(self, service: str) -> int:
        items = self.mesh.client.get(f"{self.mesh.registry}/v1/insight/services").json()["items"]
        return sum(int(one["figures"]["calls"]) for one in items if f"{one['namespace']}/{one['name']}" == service)

    def firing(self) -> set[str]:
        items = self.mesh.client.get(f"{self.mesh.registry}/v1/alerts?state=firing").json()["items"]
        return {one["name"] for one in items}

    def _read(self) -> None:
        """A call that does not come through is a reader's bad luck, and no fault of the shop."""
        asked = (
            (self.mesh.edge, "/productpage", "bookinfo.example"),
            (self.mesh.edge, "/reviews/0", "ratings.example"),
            (self.mesh.mesh, "/pay", "till.default.mesh"),
        )
        number = 0
        with httpx.Client(timeout=10.0, trust_env=False) as client:
            while not self._stop.is_set():
                listener, path, host = asked[number % len(asked)]
                number += 1
                began = time.monotonic()
                try:
                    client.get(listener + path, headers={"Host": host})
                except httpx.TransportError:
                    pass
                self._stop.wait(max(0.0, 1.0 / CALLS_PER_S - (time.monotonic() - began)))

    def close(self) -> None:
        self._stop.set()
        if self._readers is not None:
            self._readers.join(20)
        self.bookinfo.close()
        self.mesh.close()

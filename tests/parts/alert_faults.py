"""What is broken in a mesh to see whether it is told: services that fail, who calls them, leases that are left alone, a
gateway that stays behind; and who is told."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import httpx

from tests.parts.alerts import Listener, listening
from tests.parts.conditions import wait_until
from tests.parts.plain_service import PlainService
from tests.parts.planes import Gateway, Registry

WITHIN_S = 30.0
# A machine whose two cores are asked for so much more is given a time of grace for turns, reports and leases.
BUSY_LOAD = 4.0
GRACE_S = 60.0
TTL_S = 3
CALLS_EVERY_S = 0.01


class Sick(PlainService):
    """Every so many calls fail; 0: none."""

    every = 0

    @property
    def status(self) -> int:
        return 500 if self.every and len(self.calls) % self.every == 0 else 200

    @status.setter
    def status(self, value: int) -> None:
        assert value == 200


class Services:
    """What is called, in a loop of its own; hook: of a Receiver."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._running: list[Sick] = []
        self._open = AsyncExitStack()
        self.hook: Listener = self._do(self._open.enter_async_context(listening()))

    def start(self, name: str) -> Sick:
        service = Sick(name)
        self._do(service.start())
        self._running.append(service)
        return service

    def _do(self, step: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(step, self._loop).result(10)

    def close(self) -> None:
        for service in self._running:
            self._do(service.stop())
        self._do(self._open.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class Callers:
    """Each service in turn, 100 calls a second in all where the machine has the time."""

    def __init__(self, gateway: Gateway, *names: str) -> None:
        self._url = f"http://127.0.0.1:{gateway.mesh_port}/"
        self._every_s = CALLS_EVERY_S * len(names)
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(name,), daemon=True) for name in names]
        for each in self._threads:
            each.start()

    def _call(self, name: str) -> None:
        due = time.monotonic()
        with httpx.Client(timeout=10.0, trust_env=False) as client:
            while True:
                due = max(due + self._every_s, time.monotonic())
                if self._ends.wait(due - time.monotonic()):
                    return
                try:
                    client.get(self._url, headers={"Host": f"{name}.shop.mesh"})
                except httpx.TransportError:
                    continue

    def close(self) -> None:
        self._ends.set()
        for each in self._threads:
            each.join(20)


class Leases:
    """Heartbeats of instances, until they are left alone."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._kept: dict[str, str] = {}
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def hold(self, namespace: str, service: str, instance: str, port: int) -> None:
        answer = self._registry.client.put(
            f"/v1/namespaces/{namespace}/services/{service}/instances/{instance}",
            json={"port": port, "address": "127.0.0.1", "ttl_s": TTL_S},
        )
        assert answer.status_code in (200, 201), answer.text
        self._kept[instance] = answer.json()["lease_id"]

    def leave(self, *instances: str) -> None:
        for each in instances:
            self._kept.pop(each, None)

    def _renew(self) -> None:
        with httpx.Client(base_url=self._registry.url, timeout=10.0, trust_env=False) as client:
            while not self._ends.wait(TTL_S / 6):
                if leases := list(self._kept.values()):
                    try:
                        client.post("/v1/heartbeats", json={"leases": leases})
                    except httpx.TransportError:
                        continue

    def close(self) -> None:
        self._ends.set()
        self._thread.join(20)


class Follower:
    """A gateway that reports and is behind, which no fault of the network makes of one for long: whoever still reports
    also asks for what is lacking."""

    AHEAD = 1_000_000

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.revision = self.AHEAD
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._report, daemon=True)
        self._thread.start()

    def _report(self) -> None:
        with httpx.Client(base_url=self._registry.url, timeout=10.0, trust_env=False) as client:
            while not self._ends.wait(1.0):
                client.post("/v1/reports", json={"node": "gw-old", "revision": self.revision})

    def close(self) -> None:
        self._ends.set()
        self._thread.join(20)


class Watch:
    """What was told of each alert, from its fault to its end. faults, mends: by the built-in's name, seconds since
    1970."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.faults: dict[str, float] = {}
        self.mends: dict[str, float] = {}

    def fault(self, *names: str) -> None:
        self.faults |= dict.fromkeys(names, time.time())

    def mended(self, *names: str) -> None:
        self.mends |= dict.fromkeys(names, time.time())

    def now(self, state: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self._registry.client.get(
            "/v1/alerts", params={"state": state, "limit": 500}
        ).json()["items"]
        return items

    def firing(self, name: str, pattern: str) -> dict[str, Any] | None:
        found = [each for each in self.now("firing") if each["name"] == f"builtin-{name}"]
        return next((each for each in found if re.fullmatch(pattern, each["summary"])), None)

    def fires(self, name: str, pattern: str) -> dict[str, Any]:
        """Waits until it does, and holds the time it took against the bound."""
        end = time.monotonic() + WITHIN_S + GRACE_S
        while (alert := self.firing(name, pattern)) is None:
            there = [each["summary"] for state in ("firing", "pending") for each in self.now(state)]
            assert time.monotonic() < end, f"{name} does not fire; there is {there}"
            time.sleep(0.5)
        self._judge(f"{name} fired", alert["fired_at"] - self.faults[name], WITHIN_S, alert["summary"])
        return alert

    def ends(self, name: str, alert: dict[str, Any], within_s: float) -> dict[str, Any]:
        """The same of its end, from what was mended on."""

        def over() -> list[dict[str, Any]]:
            return [each for each in self.now("resolved") if each["id"] == alert["id"]]

        wait_until(over, within_s=within_s + GRACE_S, every_s=0.5, what=f"{name} to be resolved")
        (resolved,) = over()
        self._judge(f"{name} resolved", resolved["resolved_at"] - self.mends[name], within_s, alert["summary"])
        return resolved

    def _judge(self, what: str, took_s: float, bound_s: float, summary: str) -> None:
        load = os.getloadavg()[0]
        print(f"{what} after {took_s:.1f} s, bound {bound_s:.0f} s, load {load:.1f}: {summary}", flush=True)
        assert took_s < bound_s + (GRACE_S if load > BUSY_LOAD else 0.0), what


def told(hook: Listener, receiver: str) -> Counter[tuple[str, str, str]]:
    """How often a Receiver was told of each episode: fingerprint, begin and status. Of firing it may hear again."""
    return Counter(
        (each["fingerprint"], each["startsAt"], each["status"])
        for body in [posted.body for posted in hook.posted]
        for each in body["alerts"]
        if body["receiver"] == receiver
    )

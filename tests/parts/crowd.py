"""Many clients of one registry in one loop: each instance makes calls of its own, over a few dozen connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.parts.registry_wire import Answer, RawClient

CONNECTIONS = 64
_ROWS = 500
_CALL_S = 30.0


class Crowd:
    """count instances of one zone, spread over services of 100. lease_ids: what they hold, in their order."""

    def __init__(self, port: int, count: int, *, ttl_s: int, zone: str = "", namespace: str = "default") -> None:
        self.port = port
        self.namespace = namespace
        self.fields: dict[str, Any] = {"port": 9000, "address": "127.0.0.1", "ttl_s": ttl_s, "zone": zone}
        self.names = [(f"{zone or 's'}-{at // 100}", f"i{at}") for at in range(count)]
        self.lease_ids: list[str] = [""] * count

    async def register_in_batches(self) -> None:
        async with RawClient(self.port) as client:
            for at in range(0, len(self.names), _ROWS):
                rows = [
                    {"namespace": self.namespace, "service": service, "id": name, **self.fields}
                    for service, name in self.names[at : at + _ROWS]
                ]
                answer = await client.call("POST", "/v1/registrations", {"instances": rows})
                assert answer.status == 200, answer
                self.lease_ids[at : at + len(rows)] = [row["lease_id"] for row in answer.json["instances"]]

    async def register_each(self) -> None:
        """Every one by itself and all at once, without the lease it had: a process that starts anew."""

        async def register(client: RawClient, at: int) -> None:
            service, name = self.names[at]
            path = f"/v1/namespaces/{self.namespace}/services/{service}/instances/{name}"
            answer = await _persist(lambda: client.call("PUT", path, self.fields))
            assert answer.status in (200, 201), answer
            self.lease_ids[at] = answer.json["lease_id"]

        await self._all(register)

    async def renew_each(self) -> int:
        """A heartbeat each, all at once; how many were renewed."""
        renewed = 0

        async def renew(client: RawClient, at: int) -> None:
            nonlocal renewed
            body = {"leases": [self.lease_ids[at]]}
            answer = await _persist(lambda: client.call("POST", "/v1/heartbeats", body))
            assert answer.status == 200, answer
            renewed += answer.json["renewed"]

        await self._all(renew)
        return renewed

    async def renew_together(self) -> int:
        """One heartbeat for all of them; how many were renewed."""
        async with RawClient(self.port) as client:
            answer = await client.call("POST", "/v1/heartbeats", {"leases": self.lease_ids})
        assert answer.status == 200, answer
        return int(answer.json["renewed"])

    async def count(self, status: str) -> int:
        """How many stand in that status."""
        total = 0
        async with RawClient(self.port) as client:
            for service in dict.fromkeys(service for service, _ in self.names):
                path = f"/v1/namespaces/{self.namespace}/services/{service}"
                total += (await client.call("GET", path)).json["status"][status]
        return total

    async def _all(self, act: Callable[[RawClient, int], Any]) -> None:
        left = iter(range(len(self.names)))

        async def work() -> None:
            async with RawClient(self.port) as client:
                for at in left:
                    await act(client, at)

        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(work())


class Pulse:
    """A small call every 50 ms: the longest wait for an answer, and what was no answer. Use as a context manager."""

    def __init__(self, port: int) -> None:
        self.longest_s = 0.0
        self.failed: list[str] = []
        self._port = port

    async def __aenter__(self) -> Pulse:
        self._is_over = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_over.set()
        await self._task

    async def _beat(self) -> None:
        async with RawClient(self._port) as client:
            while not self._is_over.is_set():
                began_s = time.monotonic()
                answer = await client.call("GET", "/v1/health/live")
                if answer.status != 200:
                    self.failed.append(str(answer))
                self.longest_s = max(self.longest_s, time.monotonic() - began_s)
                try:
                    await asyncio.wait_for(self._is_over.wait(), 0.05)
                except TimeoutError:
                    continue


async def beat(crowds: Sequence[Crowd], is_over: asyncio.Event, every_s: float) -> tuple[int, int]:
    """Renews them all again and again; how many heartbeats were sent, and how many renewed."""
    sent = renewed = 0
    while not is_over.is_set():
        for crowd in crowds:
            sent += len(crowd.lease_ids)
            renewed += await crowd.renew_together()
        try:
            await asyncio.wait_for(is_over.wait(), every_s)
        except TimeoutError:
            continue
    return sent, renewed


async def _persist(call: Callable[[], Any]) -> Answer:
    """As a client must: 503 is asked again after its Retry-After."""
    end_s = time.monotonic() + _CALL_S
    while True:
        answer: Answer = await call()
        if answer.status != 503 or time.monotonic() > end_s:
            return answer
        await asyncio.sleep(float(answer.headers.get("retry-after", "1")))

"""Gateways that share limits, as processes: one registry, with Redis or without, and callers at a steady pace.

What is limited answers by itself (`respond`), so the limit is all there is to see.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.parts.conditions import wait_until
from tests.parts.planes import Gateway, Registry
from tests.parts.shared_limit import strict_bucket

HOST = "limited.example"
_ROUTE = f"""
apiVersion: meshway/v1
kind: Route
metadata: {{name: limited}}
spec:
  hosts: [{HOST}]
  rules: [{{name: all, %srespond: {{status: 200, body: "ok"}}}}]
"""
_LIMIT = """
---
apiVersion: meshway/v1
kind: RateLimit
metadata: {name: shared}
spec:
  targets: [{route: limited}]
"""


def at_port(port: int) -> str:
    return f"http://127.0.0.1:{port}"


class LimitedMesh:
    """gateways: each with so many workers. arguments: of the registry's command line. way: from the registry's port to
    the address under which gateways reach it."""

    def __init__(
        self, folder: Path, gateways: int, workers: int, *arguments: str, way: Callable[[int], str] = at_port
    ) -> None:
        self.registry = Registry(folder, *arguments)
        url = way(self.registry.port)
        self.gateways: list[Gateway] = []
        try:
            for number in range(gateways):
                place = folder / f"gw-{number}"
                place.mkdir()
                self.gateways.append(Gateway(place, url, workers, "--node", f"gw-{number}"))
            self.wait_until_shared()
        except BaseException:
            self.close()
            raise

    def limit(self, *lines: str, lasts: str = "") -> None:
        """Applies the route and its RateLimit; lines: of its spec. lasts: of a call, as a duration."""
        slow = f"fault: {{delay: {{fixed: {lasts}}}}}, " if lasts else ""
        self.registry.apply(_ROUTE % slow + _LIMIT + "".join(f"  {line}\n" for line in lines))

    def states(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.registry.client.get("/v1/gateways").json()["items"]
        return items

    def wait_until_shared(self) -> None:
        """All workers of all gateways are known to all, and count together."""
        count = len(self.gateways)
        wait_until(
            lambda: len(states := self.states()) == count and all(each["limits_alone"] == "" for each in states),
            20,
            what="gateways that share their limits",
        )

    def metric(self, gateway: int, name: str) -> float:
        """The sum over all its labels."""
        text = self.gateways[gateway].client.get(f"http://127.0.0.1:{self.gateways[gateway].admin_port}/metrics").text
        lines = [line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] == name]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def close(self) -> None:
        for gateway in self.gateways:
            gateway.close()
        self.registry.close()


@dataclass
class Tally:
    """Moments (monotonic) at which callers had their answers, by status; sent: at which they asked, all of them."""

    moments: dict[int, list[float]] = field(default_factory=dict)
    sent: list[float] = field(default_factory=list)

    def add(self, status: int, sent: float, came: float) -> None:
        self.moments.setdefault(status, []).append(came)
        self.sent.append(sent)

    def exact(self, rate: float, burst: float) -> int:
        """Calls that one exact bucket, full at the first, would have admitted of these; callers on a machine that has
        no time for them offer less than they meant to."""
        return len(strict_bucket(rate, burst, sorted(self.sent)))

    def count(self, status: int) -> int:
        return len(self.moments.get(status, ()))


async def load(ports: list[int], per_second: float, seconds: float, connections: int = 8, fields: str = "") -> Tally:
    """Calls at a steady pace in sum, on so many connections to each port. fields: further lines of the request."""
    tally, end = Tally(), time.monotonic() + seconds
    every_s = connections * len(ports) / per_second
    request = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n".encode()

    async def call(port: int, number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        due = time.monotonic() + every_s * number / connections
        try:
            while due < end:
                await asyncio.sleep(max(due - time.monotonic(), 0.0))
                sent = time.monotonic()
                writer.write(request)
                status = await _answer(reader)
                tally.add(status, sent, time.monotonic())
                due = max(due + every_s, time.monotonic() - every_s)
        finally:
            writer.close()

    async with asyncio.timeout(seconds + 30.0):
        await asyncio.gather(*(call(port, number) for port in ports for number in range(connections)))
    return tally


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            await reader.readexactly(int(value))
    return int(head[9:12])

"""What one simulated gateway says every two seconds: that it is there, what it counted, and some calls one by one."""

from __future__ import annotations

import random
import secrets
import time
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from meshway import call_lines
from meshway.call_lines import CallLine, CallsTold
from meshway.telemetry import MOST_ROWS, PATH, Numbers

if TYPE_CHECKING:
    from loadtest.simulator.flows import Flow
    from loadtest.simulator.registry import Registry
    from loadtest.simulator.shape import Edge, Shape

EVERY_S: Final = 2.0
_ROWS_A_REPORT: Final = MOST_ROWS // 4
_METHODS: Final = ("GET", "GET", "GET", "POST", "PUT")


class SimulatedGateway:
    """flows: its part of the calls, by section. kept: calls told one by one in each report; failed ones among them
    as often as their service fails, ten times over. wall: seconds since 1970."""

    def __init__(
        self, number: int, registry: Registry, shape: Shape, flows: dict[str, list[Flow]], *, kept: int, seed: int
    ) -> None:
        self.node = f"sim-gateway-{number + 1}"
        self._registry = registry
        self._shape = shape
        self._flows = flows
        self._kept = kept
        self._chance = random.Random(seed + number)
        self._boot = secrets.token_hex(8)
        self._sequence = self._calls_sequence = 0
        self._begun = time.time()
        self._copies: dict[str, list[str]] = {}
        for instance in shape.instances:
            self._copies.setdefault(f"{instance.namespace}/{instance.service}", []).append(instance.id)

    def report(self, *, is_leaving: bool = False) -> None:
        sick = [service for service in self._shape.services if service.is_open or service.is_ejected]
        body: dict[str, Any] = {
            "node": self.node,
            "version": "simulated",
            "zone": "a",
            "workers": 2,
            "revision": self._registry.revision,
            "open_breakers": [service.full for service in sick if service.is_open],
            "ejected": [f"{service.full}/{self._copies[service.full][0]}" for service in sick if service.is_ejected],
            "is_leaving": is_leaving,
        }
        self._registry.tell("/v1/reports", body)

    def tell_numbers(self) -> None:
        """All that came since the last time, in as many reports as a gateway would make of it."""
        begun, self._begun = self._begun, time.time()
        rows = [[row for flow in flows if (row := flow.take(self._begun - begun))] for flows in self._flows.values()]
        cut = [[each[at : at + _ROWS_A_REPORT] for at in range(0, len(each), _ROWS_A_REPORT)] for each in rows]
        for part in zip_longest(*cut, fillvalue=()):
            self._sequence += 1
            sections = {name: tuple(taken) for name, taken in zip(self._flows, part, strict=True)}
            told = Numbers(
                node=self.node, boot=self._boot, sequence=self._sequence, begun=begun, ended=self._begun, **sections
            )
            self._registry.tell(PATH, told)

    def tell_calls(self) -> None:
        if not self._kept or not self._shape.edges:
            return
        self._calls_sequence += 1
        edges = self._chance.choices(self._shape.edges, [edge.rate for edge in self._shape.edges], k=self._kept)
        lines = tuple(self._line(edge) for edge in edges)
        told = CallsTold(node=self.node, boot=self._boot, sequence=self._calls_sequence, calls=lines)
        self._registry.tell(call_lines.PATH, told)

    def _line(self, edge: Edge) -> CallLine:
        chance, service = self._chance, edge.service
        failed = chance.random() < min(1.0, 10 * service.fail_share)
        took_ms = service.median_s * 1e3 * chance.lognormvariate(0.0, 0.55)
        trace = f"{chance.getrandbits(128):032x}"
        began = datetime.fromtimestamp(time.time() - chance.random() * EVERY_S, UTC)
        return CallLine(
            time=began.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            duration_ms=round(took_ms, 3),
            first_byte_ms=round(took_ms * 0.9, 3),
            listener="edge" if edge.source == "edge" else "mesh",
            peer="198.18.0.1",
            principal="" if edge.source == "edge" else "service:" + edge.source,
            method=chance.choice(_METHODS),
            authority=f"{service.name}.{service.namespace}",
            path=f"/{service.name}/{chance.randrange(10_000)}",
            service=service.full,
            instance=chance.choice(self._copies[service.full]),
            status=503 if failed else 200,
            flag="UF" if failed else "",
            reason="upstream_failed" if failed else "",
            attempts=2 if failed else 1,
            bytes_in=180,
            bytes_out=0 if failed else 2_400,
            request_id=trace[:16],
            trace_id=trace,
            protocol="HTTP/1.1",
            node=self.node,
        )

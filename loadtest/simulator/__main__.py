"""`python -m loadtest.simulator`: fills a running registry with a mesh of any size, until SIGTERM or Ctrl-C.

By the public API alone: instances are registered and renewed, and gateways that carry nothing report steady numbers of
it. What it registered itself is deregistered when it ends.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time
from typing import Final

import httpx

from loadtest.simulator.flows import flows_of
from loadtest.simulator.gateway import EVERY_S, SimulatedGateway
from loadtest.simulator.registry import TTL_S, Presence, Registry
from loadtest.simulator.shape import Shape, shape_of

_RENEW_S: Final = TTL_S / 3
# Above that the machine, and no longer the mesh, is what is looked at.
_LATE_S: Final = 1.0


class Simulation:
    """turns: two-second rounds of reports made. late: those that began more than a second behind."""

    def __init__(self, registry: Registry, shape: Shape, *, gateways: int, calls: int, seed: int) -> None:
        self._registry = registry
        self._presence = Presence(registry, shape.instances)
        self._gateways = [
            SimulatedGateway(number, registry, shape, flows, kept=calls, seed=seed)
            for number, flows in enumerate(flows_of(shape, gateways))
        ]
        self._renewed_at = 0.0
        self.turns = self.late = 0

    def begin(self) -> None:
        self._presence.register()
        self._renewed_at = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Until stop is set."""
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            self.late += time.monotonic() - due > _LATE_S
            self._turn()
            due = max(due + EVERY_S, time.monotonic() - EVERY_S)

    def _turn(self) -> None:
        self.turns += 1
        if time.monotonic() - self._renewed_at >= _RENEW_S:
            self._renewed_at = time.monotonic()
            try:
                self._presence.renew()
            except (RuntimeError, httpx.TransportError) as error:
                print(f"! leases are not renewed: {error}", flush=True)
        for gateway in self._gateways:
            gateway.report()
            gateway.tell_numbers()
            gateway.tell_calls()

    def end(self) -> None:
        for gateway in self._gateways:
            gateway.report(is_leaving=True)
        self._presence.deregister()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m loadtest.simulator", description=__doc__)
    parser.add_argument("--registry", default="http://127.0.0.1:8500", metavar="URL")
    parser.add_argument("--services", type=int, default=500)
    parser.add_argument("--instances", type=int, default=5_000)
    parser.add_argument("--edges", type=int, default=3_000)
    parser.add_argument("--gateways", type=int, default=2)
    parser.add_argument("--calls", type=int, default=10, help="told one by one, by each gateway every 2 s")
    parser.add_argument("--prefix", default="sim", help="of the namespaces' names")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    try:
        shape = shape_of(options.services, options.instances, options.edges, prefix=options.prefix, seed=options.seed)
    except ValueError as error:
        parser.error(str(error))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    registry = Registry(options.registry, os.environ.get("MESHWAY_TOKEN", ""))
    simulation = Simulation(registry, shape, gateways=max(1, options.gateways), calls=options.calls, seed=options.seed)
    try:
        simulation.begin()
        rate = sum(edge.rate for edge in shape.edges)
        print(
            f"✓ {len(shape.services):,} services, {len(shape.instances):,} instances, {len(shape.edges):,} edges, "
            f"{rate:,.0f} calls/s told to {options.registry} (seed {options.seed}); Ctrl-C stops",
            flush=True,
        )
        simulation.run(stop)
    except (RuntimeError, httpx.TransportError) as error:
        raise SystemExit(f"{options.registry} does not take the mesh: {error}") from error
    finally:
        try:
            simulation.end()
        except (RuntimeError, httpx.TransportError) as error:
            print(f"! what was registered ends with its leases: {error}", flush=True)
        registry.close()
    print(f"✓ ended after {simulation.turns} rounds, {simulation.late} late, {registry.lost} reports lost", flush=True)


if __name__ == "__main__":
    main()

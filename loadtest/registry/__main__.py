"""`python -m loadtest.registry` (`make bench-registry`): the tables, written into their section of RESULTS.md.

Servers on one core, the load on the other; every round asks all servers in turn, and the medians of the rounds count.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import statistics
import sys
import time
from typing import TYPE_CHECKING

import uvloop

from loadtest.machine import python_build
from loadtest.registry import figures, servers
from loadtest.registry.figures import Run, Runs
from loadtest.registry.followers import followers
from loadtest.registry.rows import ROWS, WATCHERS, Row, kind_of
from loadtest.registry.scale import MISSED, gateway, measure
from loadtest.registry.spread import to_the_first_call, to_the_last_follower
from loadtest.results import write_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loadtest.registry.closed_loop import ClosedLoop
    from loadtest.registry.servers import Server

_CLIENTS = """\
Written by `make bench-registry`. 64 clients, a connection each, ask again as soon as they are answered: HTTP/1.1 to
Meshway, gRPC over HTTP/2 with ready frames to etcd (no library; a put under a lease that is there, which spares etcd
the grant a real registration needs), jute to ZooKeeper (an ephemeral node). Followers: feeds of Meshway, watches of a
prefix in etcd, persistent recursive watches in ZooKeeper; all of them begin at the head. All fsync on one disk; CPU is
the server's, and after a plus that of PostgreSQL and Valkey.
"""


async def _ask(row: Row, server: Server, seconds: float) -> Run:
    watchers: ClosedLoop | None = None
    if row.followers and kind_of(server) in WATCHERS:
        watchers = await WATCHERS[kind_of(server)](server, row.followers)
    loop = await row.by[kind_of(server)](server)
    try:
        await loop.run(min(0.5, seconds), server.spent_s)
        own_s = server.own_s()
        per_s, cpu_us = await loop.run(seconds, server.spent_s)
        own_us = (server.own_s() - own_s) / max(1.0, per_s * seconds) * 1e6
        return Run(per_s, cpu_us, own_us)
    finally:
        loop.close()
        if watchers is not None:
            watchers.close()


def run_row(row: Row, running: list[Server], *, rounds: int, seconds: float, core: int) -> Runs:
    asked = [server for server in running if kind_of(server) in row.by]
    runs: Runs = {server.name: [] for server in asked}
    for number in range(rounds):
        for server in asked if number % 2 else reversed(asked):
            follow = row.followers if kind_of(server) == "meshway" else 0
            with followers(server.port, follow, core):
                runs[server.name].append(uvloop.run(_ask(row, server, seconds)))
        print(f"  {row.name}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return runs


def table(measured: list[tuple[Row, Runs]], names: list[str]) -> str:
    lines = [f"| what | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for row, runs in measured:
        cells = [_cell(runs[name]) if name in runs else "–" for name in names]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(runs: list[Run]) -> str:
    cpu = sorted(run.cpu_us for run in runs)
    own = statistics.median(run.own_us for run in runs)
    whole = statistics.median(cpu)
    parts = f"{own:.1f} + {whole - own:.1f}" if whole - own >= 0.05 * whole else f"{whole:.1f}"
    return f"{statistics.median(run.per_s for run in runs):,.0f}/s, {parts} µs ({cpu[0]:.1f}–{cpu[-1]:.1f})"


def compare(options: argparse.Namespace, cores: tuple[int, int]) -> tuple[str, list[str]]:
    """The table, and lines of the figures."""
    with servers.data_folder() as folder, contextlib.ExitStack() as stack:
        running = list(_start(stack, folder, cores[0], options.against))
        measured = [
            (row, run_row(row, running, rounds=options.rounds, seconds=options.seconds, core=cores[1]))
            for row in ROWS
            if not options.only or row.name in options.only
        ]
    found = {row.name: runs for row, runs in measured}
    return table(measured, [server.name for server in running]), figures.of_rows(found)


def _start(stack: contextlib.ExitStack, folder: Path, core: int, against: list[str]) -> Iterator[Server]:
    yield stack.enter_context(servers.meshway(folder, core))
    yield stack.enter_context(servers.meshway_shared(folder, core))
    for name in against:
        if not servers.present(name):
            print(f"  no {name} here: {servers.MISSING[name]}", file=sys.stderr)
            continue
        yield stack.enter_context(getattr(servers, name)(folder, core))


def spreads(options: argparse.Namespace, cores: tuple[int, int]) -> tuple[str, list[str]]:
    with servers.data_folder() as folder, servers.meshway(folder, cores[0]) as server:
        told = to_the_last_follower(
            server, cores[1], count=options.followers, changes=options.changes, writes_per_s=200.0
        )
        with gateway(folder, server.port, workers=2) as (_, mesh_port):
            routed = to_the_first_call(server, mesh_port, cores[1], count=100, changes=options.changes)
    text = (
        f"- one change to {options.followers:,} followers that decode, 200 other writes a second, answered to last "
        f"served: p50 {told.p50:.1f} ms, p99 {told.p99:.1f} ms, longest {told.longest:.1f} ms\n"
        f"- registration answered to first call routed, 100 gateways following: p50 {routed.p50:.1f} ms, "
        f"p99 {routed.p99:.1f} ms, longest {routed.longest:.1f} ms"
    )
    return text, figures.of_spreads(routed, told)


def scale(options: argparse.Namespace, cores: tuple[int, int]) -> tuple[str, list[str]]:
    with servers.data_folder() as folder:
        found = measure(
            folder, cores, instances=options.instances, services=options.instances // 100, crowd=options.followers
        )
    text = (
        f"- {found.instances:,} instances in {found.instances // 100:,} services: registry {found.registry_mb:.0f} MB, "
        f"gateway host with 2 workers {found.gateway_mb:.0f} MB, cold start {found.cold_start_s:.2f} s, longest wait "
        f"of a heartbeat while followers take the whole {found.longest_stall_ms:.1f} ms, while nobody does "
        f"{found.quiet_stall_ms:.1f} ms\n"
        f"- {found.followers:,} followers that decode, all of them on one core, after a restart of the registry: those "
        f"that were there before and missed {MISSED:,} revisions hold its head after {found.resumed_s:.1f} s, "
        f"{found.wholes:,} of them by the whole; "
        f"as many that come with nothing hold the whole after {found.resynchronised_s:.1f} s"
    )
    return text, figures.of_scale(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--against", nargs="*", default=["etcd", "zookeeper"])
    parser.add_argument("--only", nargs="*", default=[], help="names of rows; RESULTS.md is not written")
    parser.add_argument("--followers", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--instances", type=int, default=100_000)
    parser.add_argument("--no-write", action="store_true", help="print only")
    options = parser.parse_args()
    available = sorted(os.sched_getaffinity(0))
    cores = (available[0], available[-1])
    os.sched_setaffinity(0, {cores[1]})
    began = time.monotonic()
    tasks = [compare] if options.only else [compare, spreads, scale]
    texts, lines = zip(*(task(options, cores) for task in tasks), strict=True)
    rounds = (
        f"Medians of {options.rounds} interleaved rounds (min–max of CPU); load {os.getloadavg()[0]:.1f} at the end, "
        f"after {(time.monotonic() - began) / 60:.0f} minutes."
    )
    reached = figures.table(list(itertools.chain(*lines)))
    text = "\n\n".join([_CLIENTS.strip(), f"{rounds} {python_build()}", *texts, reached])
    print(text)
    if not options.only and not options.no_write:
        write_registry(text)


if __name__ == "__main__":
    main()

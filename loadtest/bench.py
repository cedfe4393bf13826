"""`make bench`: every profile in interleaved rounds, medians and ratios, written to RESULTS.md.

The claim is CPU microseconds a request as a ratio within one run: rates on a shared two-core machine are noise.
"""

import argparse
import os
import platform
import statistics
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loadtest.measure import Run, run_wrk
from loadtest.peers import CONFIGS, Bench, Peer, install_peers
from loadtest.under_change import p99_while_routes_are_applied

RESULTS = Path(__file__).parent / "RESULTS.md"


@dataclass(frozen=True)
class Profile:
    """One kind of work. flavour: which configuration of each proxy. target: of Meshway's CPU against Envoy's."""

    name: str
    flavour: str
    path: str = "/"
    script: str | None = None
    headers: tuple[str, ...] = ()
    target: float | None = None


PROFILES = (
    Profile("bare get", "bare", target=0.45),
    Profile("bare unique", "bare", script="unique.lua", target=0.45),
    Profile("full", "full", script="unique.lua", target=0.45),
    Profile("POST 10 KB", "bare", script="post10k.lua"),
    Profile("GET 64 KiB", "bare", path="/files/64k"),
    Profile("connection per request", "bare", headers=("Connection: close",)),
)
Rows = dict[str, list[Run]]


def measure(
    peers: dict[str, Peer], profile: Profile, bench: Bench, *, rounds: int, seconds: int, connections: int
) -> Rows:
    """`rounds` runs of each proxy in turn after a warm-up each; the order turns every round."""
    rows: Rows = {name: [] for name in peers}
    names = list(peers)
    for number in range(rounds + 1):
        for name in names if number % 2 else reversed(names):
            peer = peers[name]
            run = run_wrk(
                peer.url + profile.path,
                peer.pid,
                seconds=seconds if number else 1,
                connections=connections,
                core=bench.load_core,
                script=str(CONFIGS / profile.script) if profile.script else None,
                headers=profile.headers,
            )
            if number:
                rows[name].append(run)
        print(f"  {profile.name}: round {number} of {rounds}", file=sys.stderr, flush=True)
    return rows


def median_of(runs: list[Run], field: Callable[[Run], float]) -> str:
    values = sorted(field(run) for run in runs)
    return f"{statistics.median(values):.1f} ({values[0]:.1f}–{values[-1]:.1f})"


def ratio(rows: Rows, other: str) -> float:
    """Median over the rounds of Meshway's CPU a request against the other's in the same round."""
    pairs = zip(rows["meshway"], rows[other], strict=True)
    return statistics.median(ours.cpu_us / theirs.cpu_us for ours, theirs in pairs)


def table(profile: Profile, rows: Rows) -> str:
    lines = [
        f"### {profile.name}",
        "",
        "| proxy | CPU µs/request | Meshway ÷ it | requests/s | p50 ms | p99 ms | RSS MB | errors |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, runs in rows.items():
        against = "" if name == "meshway" else f"**{ratio(rows, name):.2f}**"
        lines.append(
            f"| {name} | {median_of(runs, lambda r: r.cpu_us)} | {against} "
            f"| {statistics.median(r.requests_per_s for r in runs):.0f} "
            f"| {median_of(runs, lambda r: r.p50_ms)} | {median_of(runs, lambda r: r.p99_ms)} "
            f"| {max(r.rss_mb for r in runs):.0f} | {sum(r.errors for r in runs)} |"
        )
    if profile.target is not None and "envoy" in rows:
        reached = ratio(rows, "envoy")
        verdict = "met" if reached <= profile.target else "MISSED"
        lines += ["", f"Target ≤ {profile.target:.2f} × Envoy: {reached:.2f}, {verdict}."]
    return "\n".join([*lines, ""])


def machine() -> str:
    flags = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimised = "--enable-optimizations" in flags and "--with-lto" in flags
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return "\n".join(
        [
            f"- Python {platform.python_version()}, {platform.python_compiler()}, "
            f"{'PGO + LTO build' if optimised else 'plain build'}",
            f"- CPU {model.partition(':')[2].strip()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at start",
            "- floor: a relay of bytes on the same loop (loadtest/floor.py), no HTTP: no proxy on it can cost less",
            "- proxy on core 0 with one worker, load (wrk) and upstream (nginx) on core 1",
        ]
    )


def start(bench: Bench, flavour: str, others: list[str]) -> dict[str, Peer]:
    peers: dict[str, Peer] = {"meshway": bench.meshway(flavour)}
    for name in others:
        peers[name] = getattr(bench, name)(flavour)
    return peers


def compare(options: argparse.Namespace) -> list[str]:
    """The tables of all chosen profiles; proxies of one flavour run side by side."""
    sections = []
    for flavour in ("bare", "full"):
        profiles = [p for p in PROFILES if p.flavour == flavour and (not options.only or p.name in options.only)]
        if not profiles:
            continue
        bench = Bench()
        try:
            peers = start(bench, flavour, options.against)
            for profile in profiles:
                rows = measure(
                    peers,
                    profile,
                    bench,
                    rounds=options.rounds,
                    seconds=options.seconds,
                    connections=options.connections,
                )
                sections.append(table(profile, rows))
        finally:
            bench.close()
    return sections


def many_routes(options: argparse.Namespace) -> str:
    """10,000 routes against one, Meshway against itself and Envoy's list; then p99 while 10,000 are applied."""
    bench = Bench()
    try:
        peers: dict[str, Peer] = {
            "meshway": bench.meshway("bare", routes=10_000),
            "meshway, one route": bench.meshway("bare"),
        }
        if "envoy" in options.against:
            peers["envoy"] = bench.envoy("bare", routes=10_000)
        profile = Profile("10,000 routes", "bare", path="/r/9876/x")
        rows = measure(
            peers, profile, bench, rounds=options.rounds, seconds=options.seconds, connections=options.connections
        )
    finally:
        bench.close()
    return table(profile, rows) + "\n" + p99_while_routes_are_applied()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--against", nargs="*", default=["envoy", "nginx", "haproxy", "floor"])
    parser.add_argument("--only", nargs="*", default=[], help="names of profiles; RESULTS.md is not written")
    options = parser.parse_args()
    install_peers()
    head = machine()
    sections = compare(options)
    if not options.only or "10,000 routes" in options.only:
        sections.append(many_routes(options))
    text = "\n".join(
        ["# Results", "", "Written by `make bench`; medians (min–max) of interleaved rounds.", "", head, "", *sections]
    )
    print(text)
    if not options.only:
        RESULTS.write_text(text + "\n")


if __name__ == "__main__":
    main()

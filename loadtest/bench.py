"""`make bench`: every profile in interleaved rounds, medians and ratios, written to RESULTS.md.

The claim is CPU microseconds a request as a ratio within one run: rates on a shared two-core machine are noise.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtest import http3, tls
from loadtest.measure import Run, run_wrk
from loadtest.micro import policies
from loadtest.peers import CONFIGS, Bench, Peer, RoutesBy, install_peers
from loadtest.results import write_gateway
from loadtest.under_change import p99_while_routes_are_applied


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
_MANY: Final[dict[RoutesBy, str]] = {
    "prefix": "10,000 routes",
    "template": "10,000 routes by template",
    "regex": "10,000 routes by expression",
}


EVERYTHING_ON: Final = "everything on"
OFF: Final = "meshway, everything off"
MOST_DEARER: Final = 1.12


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


def python_build() -> str:
    """Version, compiler, where it is from, and how fast it is. A distribution may build with PGO by flags that
    sysconfig never sees (Debian does), so what it tells is a hint only, and the loop's time is the measure."""
    told = " ".join(
        str(sysconfig.get_config_var(name)) for name in ("CONFIG_ARGS", "PY_CORE_CFLAGS", "PY_LDFLAGS_NODIST")
    )
    hints = [
        word
        for word, marks in (("PGO", ("--enable-optimizations", "-fprofile-use")), ("LTO", ("--with-lto", "-flto")))
        if any(mark in told for mark in marks)
    ]
    executable = Path(sys.executable).resolve()
    owner = ""
    if shutil.which("dpkg-query"):
        found = subprocess.run(["dpkg-query", "-S", str(executable)], capture_output=True, text=True, check=False)
        package = found.stdout.partition(":")[0]
        owner = f" of the package {package}" if package else ", of no package"
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {platform.python_compiler()}, "
        f"{executable}{owner}; sysconfig names {' and '.join(hints) or 'neither PGO nor LTO'}; "
        f"our loop takes {loop_ms():.0f} ms (to be compared on one machine only)"
    )


def loop_ms() -> float:
    """Best of three runs of a loop of plain Python, about 0.1 s each."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        known: dict[int, bytes] = {}
        for number in range(3_000_000):
            key = number & 1023
            if known.get(key) is None:
                known[key] = b"%d" % number
        best = min(best, time.perf_counter() - began)
    return best * 1000.0


def machine() -> str:
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return "\n".join(
        [
            f"- {python_build()}",
            f"- CPU {model.partition(':')[2].strip()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at start",
            "- floor: a relay of bytes on the same loop (loadtest/floor.py), no HTTP: no proxy on it can cost less",
            "- proxy on core 0 with one worker, load (wrk) and upstream (nginx) on core 1",
            "- meshway: with its hot path compiled, as MESHWAY_COMPILE=1 builds it; interpreted: as a checkout runs",
            "- bare: nobody writes an access log (Meshway with `--access-log off`); full: everybody does",
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
    return _many(options, "prefix", against=options.against) + "\n" + p99_while_routes_are_applied()


def _many(options: argparse.Namespace, by: RoutesBy, *, against: list[str]) -> str:
    """10,000 routes that are matched by such paths against one that takes everything."""
    bench = Bench()
    try:
        peers: dict[str, Peer] = {
            "meshway": bench.meshway("bare", routes=10_000, by=by),
            "meshway, one route": bench.meshway("bare"),
        }
        if "envoy" in against:
            peers["envoy"] = bench.envoy("bare", routes=10_000)
        profile = Profile(_MANY[by], "bare", path="/r/9876/x")
        rows = measure(
            peers, profile, bench, rounds=options.rounds, seconds=options.seconds, connections=options.connections
        )
    finally:
        bench.close()
    return table(profile, rows)


def everything_on(options: argparse.Namespace) -> str:
    """The access log in a file and one call of a hundred traced, against neither; the numbers are always counted."""
    bench = Bench()
    try:
        peers: dict[str, Peer] = {"meshway": bench.meshway("told"), OFF: bench.meshway("silent")}
        profile = Profile(EVERYTHING_ON, "told", script="unique.lua")
        rows = measure(
            peers, profile, bench, rounds=options.rounds, seconds=options.seconds, connections=options.connections
        )
    finally:
        bench.close()
    dearer = ratio(rows, OFF)
    verdict = "met" if dearer <= MOST_DEARER else "MISSED"
    return f"{table(profile, rows)}\nTarget ≤ {MOST_DEARER:.2f} × everything off: {dearer:.2f}, {verdict}.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--against", nargs="*", default=["interpreted", "envoy", "nginx", "haproxy", "floor"])
    parser.add_argument("--only", nargs="*", default=[], help="names of profiles; RESULTS.md is not written")
    options = parser.parse_args()
    install_peers()
    head = machine()
    sections = compare(options)
    if not options.only or "10,000 routes" in options.only:
        sections.append(many_routes(options))
    sections += [
        _many(options, by, against=[]) for by in ("template", "regex") if not options.only or _MANY[by] in options.only
    ]
    if not options.only or EVERYTHING_ON in options.only:
        sections.append(everything_on(options))
    if not options.only or "policies" in options.only:
        sections.append(policies.table())
    if not options.only or "tls" in options.only:
        sections.append(tls.section(options.rounds, options.seconds))
    if not options.only or "http3" in options.only:
        sections.append(http3.section(options.rounds, options.seconds))
    text = "\n".join(
        ["# Results", "", "Written by `make bench`; medians (min–max) of interleaved rounds.", "", head, "", *sections]
    )
    print(text)
    if not options.only:
        write_gateway(text)


if __name__ == "__main__":
    main()

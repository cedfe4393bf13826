"""Proxies side by side under one load: interleaved rounds of wrk, medians, and ratios within the rounds."""

import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from loadtest.measure import Run, run_wrk
from loadtest.peers import CONFIGS, Bench, Peer
from loadtest.targets import at_most

CONNECTIONS: Final = 64
Rows = dict[str, list[Run]]


@dataclass(frozen=True)
class Profile:
    """One kind of work. flavour: which configuration of each proxy. targets: of Meshway's CPU a request, at most, as a
    multiple of the named one's; plain: the multiple of Envoy's on a Python that was built without PGO."""

    name: str
    flavour: str
    path: str = "/"
    script: str | None = None
    headers: tuple[str, ...] = ()
    targets: Mapping[str, float] = field(default_factory=dict)
    plain: float | None = None


def measure(peers: Mapping[str, Peer], profile: Profile, bench: Bench, *, rounds: int, seconds: int) -> Rows:
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
                connections=CONNECTIONS,
                core=bench.load_core,
                script=str(CONFIGS / profile.script) if profile.script else None,
                headers=profile.headers,
            )
            if number:
                rows[name].append(run)
        print(f"  {profile.name}: round {number} of {rounds}", file=sys.stderr, flush=True)
    return rows


def median_of(runs: list[Run], of: Callable[[Run], float]) -> str:
    values = sorted(of(run) for run in runs)
    return f"{statistics.median(values):.1f} ({values[0]:.1f}–{values[-1]:.1f})"


def ratio(rows: Rows, other: str) -> float:
    """Median over the rounds of Meshway's CPU a request against the other's in the same round."""
    pairs = zip(rows["meshway"], rows[other], strict=True)
    return statistics.median(ours.cpu_us / theirs.cpu_us for ours, theirs in pairs)


def table(profile: Profile, rows: Rows) -> str:
    """Its table, and below it a line for each target."""
    lines = [
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
    listed = []
    for other, most in profile.targets.items():
        unit = f"× {other}'s CPU"
        if other == "envoy" and profile.plain is not None:
            unit += f" ({profile.plain:g} with a plain-built Python)"
        listed.append(str(at_most(profile.name, most, ratio(rows, other), unit)))
    return "\n".join([*lines, "", *listed])

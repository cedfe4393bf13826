"""What an answer from the store costs, against nginx's proxy_cache, and against asking the service each time."""

import statistics
from typing import Final

from loadtest.comparison import Profile, Rows, measure, median_of
from loadtest.peers import Bench, Peer
from loadtest.targets import at_most

PATHS: Final = {"64 bytes": "/", "64 KiB": "/files/64k"}
MOST: Final = 1.9  # of nginx's CPU, as of a bare get


def section(rounds: int, seconds: int) -> str:
    """Its part of RESULTS.md."""
    bench = Bench()
    try:
        peers: dict[str, Peer] = {
            f"{name}, {flavour}": getattr(bench, name)(flavour)
            for flavour in ("cached", "bare")
            for name in ("meshway", "nginx")
        }
        found: dict[str, Rows] = {
            size: measure(peers, Profile(f"cached, {size}", "cached", path), bench, rounds=rounds, seconds=seconds)
            for size, path in PATHS.items()
        }
    finally:
        bench.close()
    lines = ["| CPU µs/request | " + " | ".join(PATHS) + " | errors |", "|---" * (len(PATHS) + 2) + "|"]
    for name in peers:
        costs = " | ".join(median_of(rows[name], lambda run: run.cpu_us) for rows in found.values())
        lines.append(f"| {name} | {costs} | {sum(run.errors for rows in found.values() for run in rows[name])} |")
    targets = []
    for size, rows in found.items():
        pairs = zip(rows["meshway, cached"], rows["nginx, cached"], strict=True)
        share = statistics.median(ours.cpu_us / theirs.cpu_us for ours, theirs in pairs)
        targets.append(str(at_most(f"{size} from the store, our own", MOST, share, "× nginx's CPU")))
    return "\n".join([*lines, "", *targets])

"""10,000 routes against one that takes everything, and for prefixes against Envoy's list of as many."""

from typing import Final

from loadtest.comparison import Profile, measure, table
from loadtest.peers import Bench, Peer, RoutesBy

ROUTES: Final = 10_000
ONE: Final = "meshway, one route"


def compare(by: RoutesBy, rounds: int, seconds: int, *, beside_envoy: bool = False) -> str:
    """A section of RESULTS.md. by: what the routes match paths by."""
    bench = Bench()
    try:
        peers: dict[str, Peer] = {"meshway": bench.meshway("bare", routes=ROUTES, by=by), ONE: bench.meshway("bare")}
        if beside_envoy:
            peers["envoy"] = bench.envoy("bare", routes=ROUTES)
        targets = {ONE: 1.1} | ({"envoy": 0.08} if beside_envoy else {})
        profile = Profile(f"{ROUTES:,} routes by {by}", "bare", path="/r/9876/x", targets=targets)
        return table(profile, measure(peers, profile, bench, rounds=rounds, seconds=seconds))
    finally:
        bench.close()

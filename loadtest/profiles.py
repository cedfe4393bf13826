"""One load on all proxies of one configuration, for each profile of performance.md that is no more than that."""

from typing import Final

from loadtest.comparison import Profile, measure, table
from loadtest.peers import Bench, Peer

PROXIES: Final = ("envoy", "nginx", "haproxy")

BARE_GET: Final = Profile("bare get", "bare", targets={"envoy": 0.36, "nginx": 1.9}, plain=0.45)
BARE_UNIQUE: Final = Profile(
    "bare unique", "bare", script="unique.lua", targets={"envoy": 0.30, "nginx": 1.6}, plain=0.40
)
FULL: Final = Profile("full", "full", script="unique.lua", targets={"envoy": 0.33}, plain=0.43)
POST: Final = Profile("POST 10 KB", "bare", script="post10k.lua", targets={"envoy": 0.42})
LARGE: Final = Profile("GET 64 KiB", "bare", path="/files/64k", targets={"envoy": 0.55})
NEW: Final = Profile("new connection per request", "bare", headers=("Connection: close",), targets={"envoy": 0.7})


def compare(profile: Profile, rounds: int, seconds: int, others: tuple[str, ...] = PROXIES) -> str:
    """A section of RESULTS.md."""
    bench = Bench()
    try:
        peers: dict[str, Peer] = {"meshway": bench.meshway(profile.flavour)}
        for name in others:
            peers[name] = getattr(bench, name)(profile.flavour)
        return table(profile, measure(peers, profile, bench, rounds=rounds, seconds=seconds))
    finally:
        bench.close()

"""What an answer from the store costs, against nginx's proxy_cache and against asking the service each time.

µs of CPU of the proxy per request, one worker each. Run: python -m loadtest.cached [seconds]
"""

import sys
from typing import Final

from loadtest.measure import run_wrk
from loadtest.peers import Bench, Peer

ROUNDS: Final = 3
CONNECTIONS: Final = 32
PATHS: Final = ("/", "/files/64k")


def measure(peer: Peer, path: str, seconds: int, core: int) -> float:
    """µs per request, the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        run = run_wrk(
            peer.url + path, peer.pid, seconds=seconds, connections=CONNECTIONS, core=core, script=None, headers=()
        )
        assert not run.errors, run
        best = min(best, run.cpu_us)
    return best


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    bench = Bench()
    try:
        for flavour in ("cached", "bare"):
            for peer in (bench.meshway(flavour), bench.nginx(flavour)):
                told = "  ".join(f"{path} {measure(peer, path, seconds, bench.load_core):6.2f} µs" for path in PATHS)
                print(f"{flavour:<8}{peer.name:<9}{told}", flush=True)
    finally:
        bench.close()


if __name__ == "__main__":
    main()

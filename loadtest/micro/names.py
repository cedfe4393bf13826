"""µs of our own code per DNS answer, from a query's bytes to an answer's; sockets and loop not counted.

Run: python -m loadtest.micro.names
"""

import random
import time

from registry.dns.responder import Responder
from registry.dns.zone import Zone
from tests.parts.dns_queries import question
from tests.parts.registry_bench import Bench

ROUNDS = 5
ANSWERS = 20_000


def main() -> None:
    bench = Bench()
    for service, count in (("reviews", 3), ("many", 30)):
        for at in range(count):
            bench.register(service, f"r{at}", address=f"10.0.0.{at}")
    responder = Responder(Zone(bench.view, "127.0.0.1"), random.random)
    for name, query in {
        "A, 3 addresses": question("reviews.default.mesh"),
        "A, 3 addresses, EDNS": question("reviews.default.mesh", payload=1232),
        "SRV, 3 instances, EDNS": question("reviews.default.mesh", "SRV", payload=1232),
        "A, 30 addresses, EDNS": question("many.default.mesh", payload=1232),
        "NXDOMAIN": question("nobody.default.mesh"),
    }.items():
        best_s = min(_answer(responder, query) for _ in range(ROUNDS))
        print(f"{name:24} {best_s * 1e6:5.2f} µs")


def _answer(responder: Responder, query: bytes) -> float:
    """Seconds of CPU for one."""
    begun = time.process_time()
    for _ in range(ANSWERS):
        responder.over_udp(query)
    return (time.process_time() - begun) / ANSWERS


if __name__ == "__main__":
    main()

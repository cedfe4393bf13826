"""What a call costs by HTTP/2, and a unary one of gRPC, beside nginx, HAProxy and Envoy.

Run: python -m loadtest.http2 [--rounds 5] [--seconds 4]. h2load asks by prior knowledge, over CONNECTIONS with AT_ONCE
calls on their way on each; what counts is the processor time of the proxy's process tree. The service is nginx: it
answers gRPC from a file, with the trailers of a call that went well. nginx as a proxy calls services of HTTP/2 by
grpc_pass, one call a connection. `make bench` runs it too.
"""

import argparse
import re
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loadtest.measure import cpu_s, process_tree
from loadtest.peers import Bench, Peer, install_peers
from loadtest.targets import at_most
from meshway.grpc_message import framed

CONNECTIONS: Final = 8
AT_ONCE: Final = 10
MOST: Final = 0.5  # of Envoy's


@dataclass(frozen=True)
class Profile:
    """service: what the service speaks. grpc: a unary call instead of a GET."""

    name: str
    service: str
    grpc: bool = False


PROFILES: Final = (
    Profile("HTTP/2 to HTTP/1.1", "http1"),
    Profile("HTTP/2 to HTTP/2", "http2"),
    Profile("gRPC, unary", "http2", grpc=True),
)
# By what the service speaks: the flavours of Meshway, nginx, HAProxy and Envoy.
FLAVOURS: Final = {
    "http1": ("bare", "http2-front", "bare", "bare"),
    "http2": ("http2", "http2", "http2", "http2"),
}


@dataclass(frozen=True)
class Run:
    cpu_us: float
    calls_per_s: float
    failures: int


def start(bench: Bench, service: str) -> dict[str, Peer]:
    ours, nginx, haproxy, envoy = FLAVOURS[service]
    return {
        "meshway": bench.meshway(ours),
        "interpreted": bench.interpreted(ours),
        "envoy": bench.envoy(envoy),
        "nginx": bench.nginx(nginx),
        "haproxy": bench.haproxy(haproxy),
    }


def load(bench: Bench, peer: Peer, profile: Profile, seconds: float) -> Run:
    command = ["taskset", "-c", str(bench.load_core), "h2load", "-t1", f"-c{CONNECTIONS}", f"-m{AT_ONCE}"]
    command += ["-D", f"{seconds:.0f}", peer.url + "/"]
    if profile.grpc:
        body = bench.dir / "request.grpc"
        body.write_bytes(framed(b"a request of gRPC"))
        command[-1] += "bench.Greeter/Say"
        command += ["-d", str(body), "-H", "content-type: application/grpc", "-H", "te: trailers"]
    tree = process_tree(peer.pid)
    before = cpu_s(tree)
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    spent_s = cpu_s(tree) - before
    counted = re.search(r"requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, \d+ failed", told)
    answered = re.search(r"status codes: (\d+) 2xx", told)
    rate = re.search(r"finished in [\d.]+m?s, ([\d.]+) req/s", told)
    assert counted is not None, told
    assert answered is not None, told
    assert rate is not None, told
    done = int(counted[1])
    return Run(spent_s * 1e6 / max(1, done), float(rate[1]), done - min(int(counted[2]), int(answered[1])))


def measure(
    bench: Bench, peers: dict[str, Peer], profile: Profile, rounds: int, seconds: float
) -> dict[str, list[Run]]:
    """`rounds` runs of each in turn after a short one each; the order turns every round."""
    found: dict[str, list[Run]] = {name: [] for name in peers}
    for number in range(rounds + 1):
        for name in peers if number % 2 else reversed(peers):
            run = load(bench, peers[name], profile, seconds if number else 1.0)
            if number:
                found[name].append(run)
        print(f"  {profile.name}: round {number} of {rounds}", file=sys.stderr, flush=True)
    return found


def table(profile: Profile, found: dict[str, list[Run]]) -> str:
    lines = [
        f"### {profile.name}",
        "",
        "| proxy | CPU µs/call | Meshway ÷ it | calls/s | failures |",
        "|---|---|---|---|---|",
    ]
    for name, runs in found.items():
        values = sorted(run.cpu_us for run in runs)
        spread = f"{statistics.median(values):.1f} ({values[0]:.1f}–{values[-1]:.1f})"
        against = "" if name == "meshway" else f"**{_ratio(found, name):.2f}**"
        rate = statistics.median(run.calls_per_s for run in runs)
        lines.append(f"| {name} | {spread} | {against} | {rate:.0f} | {sum(run.failures for run in runs)} |")
    target = at_most(f"{profile.name}, Meshway ÷ Envoy", MOST, _ratio(found, "envoy"), "")
    return "\n".join([*lines, "", str(target), ""])


def _ratio(found: dict[str, list[Run]], other: str) -> float:
    pairs = zip(found["meshway"], found[other], strict=True)
    return statistics.median(ours.cpu_us / theirs.cpu_us for ours, theirs in pairs)


def section(rounds: int, seconds: float, wanted: str = "") -> str:
    """Its part of RESULTS.md. wanted: a part of the names of profiles."""
    tables = []
    for service in FLAVOURS:
        profiles = [each for each in PROFILES if each.service == service and wanted in each.name]
        bench = Bench()
        try:
            peers = start(bench, service) if profiles else {}
            tables += [table(each, measure(bench, peers, each, rounds, seconds)) for each in profiles]
        finally:
            bench.close()
    how = f"h2load with {CONNECTIONS} connections and {AT_ONCE} calls at a time on each, without TLS."
    return "\n".join([how, "", *tables])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--only", default="", help="a part of the names of profiles")
    options = parser.parse_args(arguments)
    install_peers()
    print(section(options.rounds, options.seconds, options.only))


if __name__ == "__main__":
    main()

"""Beside Spring Cloud Gateway, for those who write Java: one event loop on the proxy's core, when its JIT is done.

`full` is as much of it as it has without further services (configs/spring/src/main/resources/application.yml).
"""

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from loadtest.comparison import CONNECTIONS, measure, table
from loadtest.measure import run_wrk
from loadtest.peers import CONFIGS, ROOT, Bench, Peer, free_port
from loadtest.profiles import BARE_GET, BARE_UNIQUE, FULL

NAME: Final = "spring"
BUILT: Final = ROOT / "build" / "spring"
JAR: Final = BUILT / "target" / "gateway.jar"
BUILD_S: Final = 900.0
WARMING_S: Final = 4  # a piece of full load
LEAST_GAIN: Final = 0.05  # of what a call costs, from one such piece to the next: then its compiler is as good as done
FEWEST_PIECES, MOST_PIECES = 4, 15
MISSING: Final = "**Not measured: {} is not on this machine** (apt install openjdk-17-jre-headless maven)."
# One loop for both sides, as the others have one worker; compilers and the collector take their time of the same core.
JVM: Final = (
    "-Xms256m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-Dreactor.netty.ioWorkerCount=1",
    "-Dreactor.netty.ioSelectCount=1",
)


def build() -> Path:
    """The jar, packaged once. Raises CalledProcessError where Maven fails."""
    sources = CONFIGS / "spring"
    newest = max(path.stat().st_mtime for path in sources.rglob("*") if path.is_file())
    if not JAR.exists() or JAR.stat().st_mtime < newest:
        print("  packaging Spring Cloud Gateway", file=sys.stderr, flush=True)
        shutil.rmtree(BUILT, ignore_errors=True)
        shutil.copytree(sources, BUILT)
        subprocess.run(["mvn", "-q", "-B", "package"], cwd=BUILT, check=True, timeout=BUILD_S)
    return JAR


def start(bench: Bench, jar: Path, flavour: str) -> Peer:
    port = free_port()
    own = [f"--server.port={port}", f"--upstream=http://127.0.0.1:{bench.upstream_port}"]
    own += [f"--access-log={bench.dir}/spring.{port}.access.log"]
    if flavour == "full":
        own += ["--spring.profiles.active=full"]
    log = ["-Dreactor.netty.http.server.accessLogEnabled=true"] if flavour == "full" else []
    return bench._start(NAME, port, ["java", *JVM, *log, "-jar", str(jar), *own])


def warm_up(peer: Peer, bench: Bench) -> str:
    """Full load until a call no longer gets cheaper. What that took, in words."""
    costs: list[float] = []
    while len(costs) < MOST_PIECES and (len(costs) < FEWEST_PIECES or costs[-1] < (1.0 - LEAST_GAIN) * costs[-2]):
        run = run_wrk(
            peer.url + "/",
            peer.pid,
            seconds=WARMING_S,
            connections=CONNECTIONS,
            core=bench.load_core,
            script=str(CONFIGS / "unique.lua"),
            headers=(),
        )
        costs.append(run.cpu_us)
    return f"{len(costs) * WARMING_S} s ({', '.join(f'{cost:.0f}' for cost in costs)} µs/request meanwhile)"


def section(rounds: int, seconds: int) -> str:
    """Its part of RESULTS.md; where there is no Java or Maven it says so."""
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    if missing:
        print(f"warning: {' and '.join(missing)} missing, no Spring Cloud Gateway", file=sys.stderr, flush=True)
        return MISSING.format(" and ".join(missing))
    jar, said = build(), [f"One event loop: {' '.join(JVM)}."]
    for flavour, profiles in (("bare", (BARE_GET, BARE_UNIQUE)), ("full", (FULL,))):
        bench = Bench()
        try:
            peers: dict[str, Peer] = {"meshway": bench.meshway(flavour), NAME: start(bench, jar, flavour)}
            said.append(
                f"Full load before the first round, {flavour}, for its compiler: {warm_up(peers[NAME], bench)}."
            )
            for profile in profiles:
                ours = dataclasses.replace(profile, targets={NAME: 1.0}, plain=None)
                said += [
                    f"### {profile.name}",
                    table(ours, measure(peers, ours, bench, rounds=rounds, seconds=seconds)),
                ]
        finally:
            bench.close()
    return "\n\n".join(said)

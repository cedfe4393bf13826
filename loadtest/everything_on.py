"""The access log in a file and one call of a hundred traced, against neither; the numbers are always counted."""

from typing import Final

from loadtest.comparison import Profile, measure, table
from loadtest.peers import Bench, Peer

OFF: Final = "meshway, everything off"


def section(rounds: int, seconds: int) -> str:
    """Its part of RESULTS.md."""
    bench = Bench()
    try:
        peers: dict[str, Peer] = {"meshway": bench.meshway("told"), OFF: bench.meshway("silent")}
        profile = Profile("everything on", "told", script="unique.lua", targets={OFF: 1.12})
        return table(profile, measure(peers, profile, bench, rounds=rounds, seconds=seconds))
    finally:
        bench.close()

"""Ports for programs that are told theirs before they start, or keep it over restarts."""

import random
import socket
from pathlib import Path
from typing import Final

# From below it the kernel gives no outgoing connection its port: one that was only looked for with port 0 is lost to
# any connection made before the program listens, and with thousands of them that happens.
_EPHEMERAL: Final = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
_LOWEST: Final = 12_000
_TRIES: Final = 1_000
# Not from a seed that a test has set: two runs side by side would look at the same ports.
_chance: Final = random.SystemRandom()
_held: Final[list[socket.socket]] = []


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, given to no other test while this process lives."""
    for _ in range(_TRIES):
        port = _chance.randrange(_LOWEST, _EPHEMERAL)
        claim = socket.socket(socket.AF_UNIX)
        try:
            # A name of the kernel's, in no folder: it is gone with the process, however that ends.
            claim.bind(f"\0meshway-test-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _held.append(claim)
        return port
    raise AssertionError(f"no free port between {_LOWEST} and {_EPHEMERAL}")


def is_taken(port: int) -> bool:
    """Whether somebody listens on it on 127.0.0.1, as a mesh does that the developer runs."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

"""What a tree of processes has open, each ten seconds: how much, how much of it a gateway knows, and what it is.

Kept connections come and go with the load, for minutes each, so a count of all that is open shows no leak, and hides
one. What a gateway does not know to be a connection of a caller or to an instance must stay what it was.
"""

import asyncio
import statistics
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from loadtest.measure import process_tree

EVERY_S: Final = 10.0
WITHIN_S: Final = 5.0
# Of both sides of a gateway. A session of datagrams has a socket to its instance, which is in the second one.
KNOWN: Final = ("meshway_connections", "meshway_upstream_connections")
_ESTABLISHED, _LISTENING = "01", "0A"  # include/net/tcp_states.h


@dataclass(frozen=True)
class Count:
    """at: seconds since the soak began. known: those the gateway tells of."""

    at: float
    known: int
    kinds: Counter[str]

    @property
    def rest(self) -> int:
        return self.kinds.total() - self.known


@dataclass
class Descriptors:
    """Of one tree of processes. known: asks its gateway; None: it is none, and all that is open must stay."""

    root: Callable[[], int]
    known: Callable[[], Awaitable[float]] | None = None
    counts: list[Count] = field(default_factory=list)

    async def count(self, at: float, names: Mapping[int, str]) -> None:
        """Nothing is counted of one that does not answer: it is being killed. names: of ports."""
        with suppress(OSError, TimeoutError, httpx.TransportError):
            async with asyncio.timeout(WITHIN_S):
                known = int(await self.known()) if self.known is not None else 0
            self.counts.append(Count(at, known, kinds_of(process_tree(self.root()), names)))

    def within(self, begin: float, end: float) -> list[Count]:
        return [each for each in self.counts if begin <= each.at <= end]


def left(before: Sequence[Count], after: Sequence[Count]) -> int:
    """How many more are open that no gateway tells of: medians, since what it tells is up to two seconds old."""
    return round(statistics.median(each.rest for each in after) - statistics.median(each.rest for each in before))


def changed_kinds(before: Sequence[Count], after: Sequence[Count]) -> Iterable[tuple[str, int, int]]:
    """Kinds and their medians before and after, the one that grew most first."""
    names = {name for each in (*before, *after) for name in each.kinds}
    found = [(name, _usual(before, name), _usual(after, name)) for name in names]
    return sorted((each for each in found if each[1] != each[2]), key=lambda each: each[1] - each[2])


def _usual(counts: Sequence[Count], kind: str) -> int:
    return round(statistics.median(each.kinds[kind] for each in counts))


def kinds_of(pids: Iterable[int], names: Mapping[int, str]) -> Counter[str]:
    """Of the open descriptors of these processes. names: of ports, others are told as numbers."""
    targets: list[str] = []
    for pid in pids:
        with suppress(OSError):  # gone meanwhile
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    targets.append(str(link.readlink()))
    # After the links: a socket that is newer than the table would have no kind.
    sockets = _sockets(names)
    return Counter(_kind(target, sockets) for target in targets)


def _kind(target: str, sockets: Mapping[str, str]) -> str:
    if target.startswith("socket:["):
        return sockets.get(target[len("socket:[") : -1], "socket that is not connected")
    if target.startswith("pipe:["):
        return "pipe"
    return target if target.startswith("anon_inode:") else f"file {Path(target).name.partition('.')[0]}"


def _sockets(names: Mapping[int, str]) -> dict[str, str]:
    """What each socket of this machine is, by its inode: columns 2, 3, 4 and 10 of /proc/net/tcp (proc(5))."""
    rows = [(kind, *row) for kind in ("tcp", "udp") for version in ("", "6") for row in _rows(f"{kind}{version}")]
    listening = {local for kind, local, _, state, _ in rows if kind == "tcp" and state == _LISTENING}
    found = {}
    for kind, local, remote, state, inode in rows:
        if not remote:
            told = f"{kind} at {names.get(local, local)}"
        elif local in listening:
            told = f"{kind} from callers of {names.get(local, local)}"
        else:
            told = f"{kind} to {names.get(remote, remote)}"
        found[inode] = told if kind == "udp" or state in (_ESTABLISHED, _LISTENING) else f"{told}, state {state}"
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        found[line.split()[6]] = "unix"
    return found


def _rows(table: str) -> Iterable[tuple[int, int, str, str]]:
    """Local port, remote port, state, inode."""
    path = Path(f"/proc/net/{table}")
    for line in path.read_text().splitlines()[1:] if path.exists() else ():
        fields = line.split()
        local, remote = (int(each.rpartition(":")[2], 16) for each in fields[1:3])
        yield local, remote, fields[3], fields[9]


async def count_for_ever(
    each_of: Iterable[Descriptors], names: Callable[[], Mapping[int, str]], stopping: asyncio.Event
) -> None:
    """Until `stopping`. names: of ports, as they are by then."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    watched = list(each_of)
    while not stopping.is_set():
        for each in watched:
            await each.count(loop.time() - began, names())
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY_S):
                await stopping.wait()

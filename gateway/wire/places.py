"""How many connections a worker takes, over its listeners, and why it takes no more: its memory, its descriptors.

Asked once a connection, never once a call. What is refused is told 503 and closed, so that a balancer goes elsewhere.
"""

import resource
from collections import Counter
from typing import Final

from gateway.exchange import Reply

# Of the descriptors a process may have: the rest are files, channels and connections to services.
OF_DESCRIPTORS: Final = 0.8
LOOK_EVERY: Final = 16  # connections: to ask which descriptor one has costs a system call

CONNECTIONS: Final = "connections"
DESCRIPTORS: Final = "descriptors"
MEMORY: Final = "memory"
PROXY: Final = "proxy_protocol"  # no head of that protocol where one must be; told by a reset
ADDRESS: Final = "address"  # one address has too many; told by a reset
_DETAILS: Final = {
    CONNECTIONS: "this gateway has as many connections as it takes",
    DESCRIPTORS: "this gateway has as many files and connections open as it may",
    MEMORY: "this gateway is short of memory and takes no new connections",
}


class Places:
    """Of one worker. most: connections; most_descriptors: open files, connections among them. taken: connections now.

    is_short_of_memory: set by who watches it. refused: how often there was none, by why; it only grows. unseen: of how
    many connections in a row the descriptor was not looked at.
    """

    __slots__ = ("is_short_of_memory", "most", "most_descriptors", "refused", "taken", "unseen")

    def __init__(self, most: int = 20_000, most_descriptors: int | None = None) -> None:
        self.most = most
        self.most_descriptors = int(OF_DESCRIPTORS * descriptors()) if most_descriptors is None else most_descriptors
        self.taken = 0
        self.is_short_of_memory = False
        self.refused: Counter[str] = Counter()
        self.unseen = LOOK_EVERY

    def wants_descriptor(self) -> bool:
        """Of the connection that is about to be counted: of one in some, and of each as long as there are too few."""
        self.unseen += 1
        return self.unseen > LOOK_EVERY

    def lacking(self, descriptor: int) -> str:
        """What there is too little of for the connection that has just been counted in `taken`; "": it is welcome.

        descriptor: the connection's, -1: not looked at. A new one is the lowest that is free, so as many are open at
        least.
        """
        if descriptor >= 0:
            self.unseen = LOOK_EVERY if descriptor >= self.most_descriptors else 0
        if self.is_short_of_memory:
            return MEMORY
        if descriptor >= self.most_descriptors:
            return DESCRIPTORS
        return CONNECTIONS if self.taken > self.most else ""


def no_place(lacking: str, face: str) -> Reply:
    """face: the listener's name. lacking: but for ADDRESS."""
    fields = b"Retry-After: 1\r\n"
    return Reply(503, "overloaded", "OM", _DETAILS[lacking], fields=fields, policy=face, members={"lacking": lacking})


def descriptors() -> int:
    """How many this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 31 if soft == resource.RLIM_INFINITY else soft


def allow_all_descriptors() -> None:
    """Up to what the process may allow itself: the usual soft limit, 1,024, is for programs that call select(2)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # macOS has a lower one that it does not tell
        return

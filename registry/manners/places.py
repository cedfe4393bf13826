"""How many may be served at once, of connections and of those who follow: in all, and from one address.

A place that none is free of is refused with 503, so that one address that opens what it can leaves the rest to others.
Whoever calls is known by the address until people sign in.
"""

from __future__ import annotations

import resource
from collections import Counter
from typing import TYPE_CHECKING, Final

from meshway.problem import Problem, soon

if TYPE_CHECKING:
    from registry.settings import RegistrySettings

# Of the descriptors a process may have: the rest are files, stores and the other registries.
_OF_DESCRIPTORS: Final = 0.8
# Above all places: connections that are told so, and may still ask how the process is.
CROWDED: Final = 64


class Places:
    """what: in people's words, `connections`. setting: the flag that gives more, and `-per-address` behind it. count:
    of the places that are taken; refused: how often there was none."""

    __slots__ = ("_by_address", "_most", "_per_address", "_setting", "_what", "count", "refused")

    def __init__(self, what: str, most: int, per_address: int, *, setting: str) -> None:
        self._what = what
        self._most = most
        self._per_address = per_address
        self._setting = setting
        self._by_address: Counter[str] = Counter()
        self.count = 0
        self.refused = 0

    def take(self, address: str) -> Problem | None:
        """None: a place is taken, which `leave` gives back. A Problem (503): there is none, and none was taken."""
        if self.count >= self._most:
            return self._refusal(f"{self._most} {self._what} are open", self._setting)
        if self._by_address.get(address, 0) >= self._per_address:
            mine = f"{self._per_address} {self._what} are open from {address}"
            return self._refusal(mine, f"{self._setting}-per-address")
        self.count += 1
        self._by_address[address] += 1
        return None

    def leave(self, address: str) -> None:
        self.count -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    def _refusal(self, detail: str, setting: str) -> Problem:
        self.refused += 1
        return Problem(
            503,
            f"too_many_{self._what}",
            f"Too many {self._what}",
            detail=f"{detail}, and this registry serves no more at once",
            mend=f"close those that are not needed, ask another registry, or allow more: {setting}",
            headers=soon(),
        )


class Caps:
    """All there are of the process. crowded: connections above the places that are being told so."""

    __slots__ = ("connections", "crowded", "followers", "watchers")

    def __init__(self, settings: RegistrySettings) -> None:
        connections = min(settings.max_connections, int(_OF_DESCRIPTORS * _descriptors()))
        self.connections = Places(
            "connections", connections, settings.max_connections_per_address, setting="--max-connections"
        )
        self.watchers, self.followers = (
            Places(what, settings.max_watchers, settings.max_watchers_per_address, setting="--max-watchers")
            for what in ("watchers", "followers")
        )
        self.crowded = 0


def _descriptors() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 31 if soft == resource.RLIM_INFINITY else soft

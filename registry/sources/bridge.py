"""Copies a tree of services into a namespace, and a namespace into the tree.

A copy in the registry has a lease that the bridge renews as long as it sees the node; a copy in the tree is an
ephemeral node of the bridge's session. So whatever dies, the bridge included, its copies go.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Final, Protocol

from meshway.client import calls
from meshway.client.errors import MeshwayError
from meshway.client.sharing import Alone
from meshway.tasks import spawn
from registry.sources.curator import NotCopied, node_of, registration_of
from registry.sources.zookeeper import SESSION_S, TreeAway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from meshway.client.keeper import Keeper, Sends
    from meshway.client.registration import Held
    from meshway.client.watching import EntryChange, WatchEvent

# A watch that was lost would otherwise stay lost; one read of the whole tree a minute is nothing.
READ_AGAIN_S: Final = 60.0
_RETRY_S: Final = 1.0
# So long after the last part of a snapshot, what was not in it is gone.
_SNAPSHOT_ENDS_S: Final = 1.0
_log = logging.getLogger("registry.sources")


class Tree(Protocol):
    """What the bridge needs of ServiceTree. All of it raises TreeAway."""

    async def services(self) -> list[str]: ...

    async def instances(self, service: str) -> dict[str, bytes]: ...

    async def publish(self, service: str, node_id: str, data: bytes) -> None: ...

    async def withdraw(self, service: str, node_id: str) -> None: ...


class Inbound:
    """From the tree into the namespace. `changed` and `connected` are told by the tree; both start what `run` does.

    keeper: registers and renews; it runs beside this. say: one line for whoever started it.
    """

    def __init__(
        self, tree: Tree, registry: Sends, keeper: Keeper, *, namespace: str, ttl_s: float, say: Callable[[str], None]
    ) -> None:
        self._tree, self._registry, self._keeper = tree, registry, keeper
        self._namespace, self._ttl_s, self._say = namespace, ttl_s, say
        self._copies: dict[tuple[str, str], tuple[bytes, Held | None]] = {}
        self._dirty: set[str | None] = {None}
        self._woken = asyncio.Event()
        self._is_connected = True
        self._lost: asyncio.TimerHandle | None = None

    @property
    def count(self) -> int:
        """Copies there are."""
        return sum(held is not None for _, held in self._copies.values())

    def changed(self, service: str | None) -> None:
        """None: the list of services, and all of them."""
        self._dirty.add(service)
        self._woken.set()

    def connected(self, is_connected: bool) -> None:
        """Without a connection for as long as a session lasts nothing is seen any more: leases are left to run out."""
        if self._lost is not None:
            self._lost.cancel()
            self._lost = None
        if is_connected:
            if not self._is_connected:
                self._say("ZooKeeper answers again")
            self.changed(None)
        elif self._is_connected:
            self._say("ZooKeeper does not answer; trying on")
            self._lost = asyncio.get_running_loop().call_later(SESSION_S, self._let_go)
        self._is_connected = is_connected

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), READ_AGAIN_S)
            self._woken.clear()
            dirty, self._dirty = self._dirty or {None}, set()
            try:
                await self._read(dirty)
            except TreeAway as away:
                _log.debug("%s", away)
                self._dirty |= dirty
                await asyncio.sleep(_RETRY_S)
                self._woken.set()

    async def _read(self, dirty: set[str | None]) -> None:
        services = {service for service in dirty if service is not None}
        if None in dirty:
            services |= {*await self._tree.services(), *(service for service, _ in self._copies)}
        for service in sorted(services):
            await self._take(service, await self._tree.instances(service))

    async def _take(self, service: str, nodes: dict[str, bytes]) -> None:
        before = self.count
        for key in [key for key in self._copies if key[0] == service and key[1] not in nodes]:
            await self._drop(key)
        for node_id, data in nodes.items():
            known = self._copies.get((service, node_id))
            if known is None or known[0] != data:
                await self._copy((service, node_id), data, known[1] if known else None)
        if self.count != before:
            self._say(f"{self.count} instances of ZooKeeper are in {self._namespace}")

    async def _copy(self, key: tuple[str, str], data: bytes, held: Held | None) -> None:
        """A node that changed is registered anew, over the copy there is."""
        if held is not None:
            self._keeper.forget(held)
        try:
            wanted = registration_of(*key, data, namespace=self._namespace, ttl_s=self._ttl_s)
        except NotCopied as reason:
            _log.info("%s/%s is not copied: %s", *key, reason)
            self._copies[key] = (data, None)
            if held is not None:
                await self._deregister(held)
            return
        self._copies[key] = (data, self._keeper.add(wanted, Alone()))

    async def _drop(self, key: tuple[str, str]) -> None:
        _, held = self._copies.pop(key)
        if held is not None:
            self._keeper.forget(held)
            await self._deregister(held)

    async def _deregister(self, held: Held) -> None:
        try:
            await self._registry.send(calls.deregister(held.wanted))
        except MeshwayError as error:
            _log.warning("%s runs out with its lease: %s", held.wanted.name, error.line)

    def _let_go(self) -> None:
        self._lost = None
        for _, held in self._copies.values():
            if held is not None:
                self._keeper.forget(held)
        self._copies.clear()
        self._say("ZooKeeper is away for too long; the copies run out with their leases")


class Outbound:
    """From the namespace into the tree. events: what a watch of the namespace's instances shows."""

    def __init__(self, tree: Tree, events: AsyncIterator[WatchEvent], *, wall: Callable[[], float] = time.time) -> None:
        self._tree, self._events, self._wall = tree, events, wall
        self._wanted: dict[str, tuple[str, str, bytes]] = {}
        self._since_ms: dict[str, int] = {}
        self._published: dict[str, tuple[str, str, bytes]] = {}
        self._stale: set[str] = set()
        self._woken = asyncio.Event()
        self._is_snapshot = False
        self._changed_at = 0.0

    def connected(self, is_connected: bool) -> None:
        """A new session has none of the nodes of the one before."""
        if is_connected:
            self._published.clear()
            self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        following = spawn(self._follow(), name="watch of the namespace")
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), _RETRY_S)
                self._woken.clear()
                self._end_snapshot()
                with contextlib.suppress(TreeAway):  # the next round, a second on, tries again
                    await self._settle()
                if following.done():
                    following.result()
        finally:
            following.cancel()

    async def _follow(self) -> None:
        async for event in self._events:
            self._changed_at = asyncio.get_running_loop().time()
            if event.type == "reset":
                self._stale, self._is_snapshot = set(self._wanted), True
            elif event.type == "delta":
                self._drop_stale()
            for change in event.changes:
                self._note(change)
            self._woken.set()

    def _note(self, change: EntryChange) -> None:
        self._stale.discard(change.name)
        if change.value is None:
            self._forget(change.name)
            return
        since_ms = self._since_ms.setdefault(change.name, int(self._wall() * 1000))
        try:
            self._wanted[change.name] = node_of(change.value, registered_ms=since_ms)
        except NotCopied:
            self._wanted.pop(change.name, None)

    def _end_snapshot(self) -> None:
        if self._is_snapshot and asyncio.get_running_loop().time() - self._changed_at >= _SNAPSHOT_ENDS_S:
            self._drop_stale()

    def _drop_stale(self) -> None:
        self._is_snapshot = False
        for name in self._stale:
            self._forget(name)
        self._stale.clear()

    def _forget(self, name: str) -> None:
        self._wanted.pop(name, None)
        self._since_ms.pop(name, None)

    async def _settle(self) -> None:
        """Makes the tree what is wanted. Raises TreeAway."""
        for name in [name for name in self._published if name not in self._wanted]:
            service, node_id, _ = self._published[name]
            await self._tree.withdraw(service, node_id)
            del self._published[name]
        for name, node in list(self._wanted.items()):
            if self._published.get(name) != node:
                await self._tree.publish(*node)
                self._published[name] = node

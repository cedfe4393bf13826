"""The feed: every revision to every follower and watcher, in order, each once."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

from registry.feed.follower import Follower
from registry.feed.log_pages import LogPages
from registry.feed.names import NameWatcher
from registry.feed.snapshots import FramedSnapshot
from registry.feed.watcher import Filter, Watcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.store.interface import Store
    from registry.view.view import View

TICK_S: Final = 2.0
# A snapshot is used again while the deltas since are few; then a new one is the shorter way.
_SNAPSHOT_REVISIONS: Final = 1000
# And kept this many ticks after its last use: many gateways start at once, and then none for days.
_SNAPSHOT_TICKS: Final = 5


class Secrets(Protocol):
    """What gateways are told beside the log. frames: by namespace and name, another dict when one is another."""

    frames: dict[tuple[str, str], bytes]

    def refresh(self) -> None: ...


class NoSecrets:
    """Of a registry that can open none."""

    def __init__(self) -> None:
        self.frames: dict[tuple[str, str], bytes] = {}

    def refresh(self) -> None: ...


class Feed:
    """live_gateways: how many gateways reported lately; ticks tell it, for shares of limits."""

    def __init__(
        self, view: View, store: Store, *, live_gateways: Callable[[], int], secrets: Secrets | None = None
    ) -> None:
        self._view = view
        self._nothing = NoSecrets()
        self._secrets = self._nothing if secrets is None else secrets
        self._pages = LogPages(view, store)
        self._live_gateways = live_gateways
        self._snapshot: FramedSnapshot | None = None
        self._snapshot_ticks = 0
        self.followers: set[Follower] = set()
        self.watchers: set[Watcher | NameWatcher] = set()
        self._woken: set[Follower] = set()
        self._told: Counter[Callable[[], None]] = Counter()
        view.on_commit.append(self._wake_all)
        self._secrets.refresh()

    def follow(
        self,
        *,
        since: int | None,
        epoch: str | None,
        node: str,
        wake: Callable[[], None],
        at_commit: Callable[[], None] | None = None,
        is_gateway: bool = False,
    ) -> Follower:
        """since, epoch: what the follower holds; another epoch, or a revision that is not in the log: `reset` first.

        at_commit: called once a commit for all followers that name the same, which then ask by themselves; None: each
        commit wakes this one. Both are called inside a commit and must neither raise nor write. is_gateway: it is told
        what Secrets hold; nobody else is. The caller ends it with `close`.
        """

        def closed(follower: Follower) -> None:
            self._left(follower, at_commit)

        follower = Follower(
            self._view,
            self._pages,
            since=since,
            epoch=epoch,
            node=node,
            snapshot=self._snapshot_now,
            secrets=self._secrets if is_gateway else self._nothing,
            wake=wake,
            closed=closed,
        )
        self.followers.add(follower)
        if at_commit is None:
            self._woken.add(follower)
        else:
            self._told[at_commit] += 1
        return follower

    def watch(
        self,
        *,
        since: int | None,
        namespace: str | None = None,
        readable: frozenset[str] | None = None,
        kind: str | None = None,
        service: str | None = None,
        wake: Callable[[], None],
    ) -> Watcher:
        """since None: a snapshot first. readable: what the caller may read, None: every namespace. wake as in `follow`;
        the caller ends it with `close`."""
        watcher = Watcher(
            self._view,
            self._pages,
            since=since,
            admitted=Filter(namespace, kind, service, readable),
            wake=wake,
            closed=self.watchers.discard,
        )
        self.watchers.add(watcher)
        return watcher

    def watch_names(
        self, *, since: int | None, namespace: str | None, readable: frozenset[str] | None, wake: Callable[[], None]
    ) -> NameWatcher:
        """since None: from the head on. The rest as in `watch`."""
        watcher = NameWatcher(
            self._view,
            self._pages,
            since=since,
            admitted=Filter(namespace=namespace, readable=readable),
            wake=wake,
            closed=self.watchers.discard,
        )
        self.watchers.add(watcher)
        return watcher

    async def run(self) -> None:
        """Ticks, until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            self.tick()

    def tick(self) -> None:
        # An idle watch of a large mesh must not keep a second copy of it.
        self._snapshot_ticks += 1
        if self._snapshot_ticks > _SNAPSHOT_TICKS:
            self._snapshot = None
        self._pages.tick()
        gateways = max(1, self._live_gateways())
        for follower in tuple(self.followers):
            follower.tick(gateways)

    def _left(self, follower: Follower, at_commit: Callable[[], None] | None) -> None:
        if follower not in self.followers:
            return
        self.followers.discard(follower)
        self._woken.discard(follower)
        if at_commit is not None:
            self._told[at_commit] -= 1
            if not self._told[at_commit]:
                del self._told[at_commit]

    def _wake_all(self) -> None:
        self._secrets.refresh()
        for tell in tuple(self._told):
            tell()
        for follower in tuple(self._woken):
            follower.wake()
        for watcher in tuple(self.watchers):
            watcher.wake()

    def _snapshot_now(self, held: int) -> FramedSnapshot:
        """held: what the follower has seen already; it is never shown the past."""
        snapshot, view = self._snapshot, self._view
        # The deltas after it must be in memory, or the follower would have to go through the store for them.
        oldest = max(view.revision - _SNAPSHOT_REVISIONS, view.recent.first, min(held, view.revision))
        if snapshot is None or snapshot.revision < oldest:
            snapshot = self._snapshot = FramedSnapshot(self._view)
        self._snapshot_ticks = 0
        return snapshot

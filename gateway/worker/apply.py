"""How a worker follows what it is told: what is light is applied on the loop, what is not compiles in a thread.

Everything is applied in the order it came. What arrives while something compiles waits, and revisions that wait
together are compiled together, but for two versions of one document: of each it is known whether it compiles.
"""

import asyncio
import gc
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from gateway.channel import Kept
from gateway.compiler.diff import Diff, Refusal, read_changes
from gateway.compiler.tables import Compiler, Prepared, is_light
from gateway.feed.state import Changes, Whole
from gateway.routing.table import TablesHolder
from gateway.upstream.transition import Transition
from meshway.snapshot import INSTANCE, Change
from meshway.tasks import spawn

MAX_WAITING: Final = 2_000  # revisions; above it the channel is paused

_log = logging.getLogger("meshway.gateway.worker")

Item = Whole | Changes | Transition | Kept


class Batch:
    """Changes that are compiled together. whole: they replace everything. diff: of those that were read."""

    __slots__ = ("changes", "diff", "revision", "whole")

    def __init__(self, revision: int, changes: Iterable[Change], *, whole: bool) -> None:
        self.revision = revision
        self.changes = deque(changes)
        self.diff = Diff()
        self.whole = whole

    def read(self) -> Diff:
        """In any thread. Each change is let go once it is read: a snapshot takes as much room as what it becomes."""
        return read_changes(_let_go(self.changes), self.diff)


def _let_go(changes: deque[Change]) -> Iterator[Change]:
    while changes:
        yield changes.popleft()


class Applier:
    """on_applied: told of the revision in force and of all refusals that stand, after each swap.

    pause, resume: hold back and let come who feeds us.
    """

    def __init__(
        self,
        compiler: Compiler,
        holder: TablesHolder,
        on_applied: Callable[[int, list[Refusal]], None],
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        self._compiler = compiler
        self._holder = holder
        self._on_applied = on_applied
        self._pause = pause
        self._resume = resume
        self._waiting: deque[Item] = deque()
        self._is_compiling = False
        self._failed: Batch | None = None

    def take(self, item: Item) -> None:
        self._waiting.append(item)
        if len(self._waiting) == MAX_WAITING:
            self._pause()
        self._advance()

    def _advance(self) -> None:
        while self._waiting and not self._is_compiling:
            item = self._waiting.popleft()
            if isinstance(item, Transition):
                self._compiler.tables.apply_transition(item)
                continue
            if isinstance(item, Kept):
                self._keep(self._all_kept(item))
                continue
            batch = self._batch(item)
            if batch.whole or not is_light(batch.changes) or not self._apply_light(batch):
                self._is_compiling = True
                spawn(self._compile(batch), name=f"compile r{batch.revision}")
        if len(self._waiting) < MAX_WAITING:
            self._resume()

    def _all_kept(self, first: Kept) -> list[Change]:
        changes = list(first.changes)
        while self._waiting and isinstance(later := self._waiting[0], Kept):
            changes += later.changes
            self._waiting.popleft()
        return changes

    def _keep(self, changes: list[Change]) -> None:
        if not is_light(changes):
            self._is_compiling = True
            spawn(self._compile_kept(changes), name="compile what is kept")
            return
        try:
            self._compiler.keep(changes)
        except Exception:
            _log.exception("keeping %d instances failed", len(changes))
            return
        self._show_kept()

    async def _compile_kept(self, changes: list[Change]) -> None:
        try:
            self._compiler.commit(await asyncio.to_thread(self._compiler.prepare_kept, changes))
        except Exception:
            _log.exception("keeping %d instances failed", len(changes))
        else:
            self._show_kept()
        finally:
            self._is_compiling = False
        self._advance()

    def _show_kept(self) -> None:
        if self._compiler.tables.revision:  # before the first snapshot every call is still refused
            self._holder.tables = self._compiler.tables

    def _batch(self, item: Whole | Changes) -> Batch:
        """With what waits behind it, up to the next snapshot or transition, and what failed before."""
        if isinstance(item, Whole):
            batch, self._failed = Batch(item.revision, item.entries.values(), whole=True), None
        else:
            batch, self._failed = self._failed or Batch(0, [], whole=False), None
            batch.revision = item.revision
            batch.changes.extend(item.changes)
        documents = {change.key for change in batch.changes if change.kind != INSTANCE}
        while self._waiting and isinstance(later := self._waiting[0], Changes):
            more = {change.key for change in later.changes if change.kind != INSTANCE}
            if not documents.isdisjoint(more):
                break
            documents |= more
            batch.changes.extend(later.changes)
            batch.revision = later.revision
            self._waiting.popleft()
        return batch

    def _apply_light(self, batch: Batch) -> bool:
        """False: routes are to be compiled for it."""
        try:
            prepared = self._compiler.prepare_light(batch.revision, batch.read())
            if prepared is None:
                return False
            refusals = self._compiler.commit(prepared)
        except Exception:
            self._fail(batch)
        else:
            self._swap(batch.revision, refusals)
        return True

    async def _compile(self, batch: Batch) -> None:
        # What compiling makes lives long: collecting in the middle of it would only stop the loop.
        gc.disable()
        try:
            refusals = self._compiler.commit(await asyncio.to_thread(self._prepare, batch))
        except Exception:
            self._fail(batch)
        else:
            self._swap(batch.revision, refusals)
            gc.freeze()
        finally:
            gc.enable()
            self._is_compiling = False
        self._advance()

    def _prepare(self, batch: Batch) -> Prepared:
        return self._compiler.prepare_diff(batch.revision, batch.read(), whole=batch.whole)

    def _swap(self, revision: int, refusals: list[Refusal]) -> None:
        self._holder.tables = self._compiler.tables
        self._on_applied(revision, refusals)

    def _fail(self, batch: Batch) -> None:
        """A fault of ours: the tables stay as they were, and the changes are tried again with the next ones."""
        _log.exception("compiling r%d failed", batch.revision)
        self._failed = batch
        refusal = Refusal("Revision", "mesh", f"r{batch.revision}", "", "internal error of the compiler, see its log")
        self._on_applied(self._compiler.tables.revision, [*self._compiler.refusals, refusal])

"""The view behind a store that other registries write to: it follows their commits, and knows how old it is.

Everything here is called by the committer's task, which alone moves the view: an own commit and another's can never
interleave. What wakes it (LISTEN, the poll, a reader's doubt) carries no data; the log is always read
(docs/internals/revisions.md).
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from meshway.snapshot import INSTANCE
from meshway.tasks import spawn
from registry.store.interface import HeadHeld, StoreUnavailable
from registry.view.recent import entries_of
from registry.view.rows import InstanceRow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from registry.store.interface import ChangeRecord, Loaded, Moves, OnceRecord, SharedStore
    from registry.view.rows import DocumentKey, DocumentRow, InstanceKey
    from registry.view.view import View

    Rows = tuple[Iterable[InstanceRow], Iterable[DocumentRow]]
    Changed = tuple[dict[InstanceKey, InstanceRow | None], dict[DocumentKey, DocumentRow | None]]

# A view whose head was confirmed longer ago is not shown as current.
FRESH_S: Final = 2.0
POLL_S: Final = 1.0
# How long a reader waits for the store before it is told that what it gets may be old.
CONFIRM_S: Final = 1.0
# Between two looks at a head that cannot be followed now: readers in doubt wait for the next.
_STAND_S: Final = 0.3
# Longer than anybody may hold the head, and shorter than a caller's answer may take.
HEAD_WAIT_S: Final = 40.0
# Some hundred documents are read in 10 ms; above it the loop must not wait.
LONG_ROWS: Final = 300
_log = logging.getLogger("registry.revisions.following")


class Following:
    """read: the row that a change of the log put, ValueError when the log cannot tell; rows: those of a whole store."""

    def __init__(
        self,
        view: View,
        store: SharedStore,
        *,
        read: Callable[[ChangeRecord], InstanceRow | DocumentRow],
        rows: Callable[[Loaded], Rows],
    ) -> None:
        self._view = view
        self._store = store
        self._read = read
        self._rows = rows
        self._now = asyncio.get_running_loop().time
        self._confirmed_s = self._now()
        self._looking_since_s: float | None = None
        self._doubts: list[asyncio.Future[bool]] = []
        self._was_reached = True
        self.on_due: Callable[[], None] = lambda: None
        self.is_due = False
        self.is_contended = False
        self.histories = 0
        store.on_wake(self._hear)

    # --- for readers ---

    @property
    def age_s(self) -> float:
        """Since the view was known to be the store's head."""
        return self._now() - self._confirmed_s

    @property
    def is_fresh(self) -> bool:
        return self.age_s <= FRESH_S

    def confirm(self) -> asyncio.Future[bool]:
        """True once the view is at a head that the store had after this call; False when it does not answer."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        if self._looking_since_s is not None and self._now() - self._looking_since_s > CONFIRM_S:
            future.set_result(False)
            return future
        self._doubts.append(future)
        loop.call_later(CONFIRM_S, _settle, future, False)
        self.ask()
        return future

    # --- what makes it look ---

    async def run(self) -> None:
        """Polls, until cancelled: a wake-up may be lost, and a head must be confirmed."""
        while True:
            await asyncio.sleep(POLL_S * random.uniform(0.8, 1.2))
            self.ask()

    def ask(self) -> None:
        """The committer looks as soon as it can."""
        self.is_due = True
        self.on_due()

    def _hear(self, revision: int) -> None:
        if revision > self._view.revision:
            self.ask()

    # --- for the committer ---

    async def look(self) -> None:
        """Brings the view to the store's head, if the store answers."""
        self.is_due = False
        doubts, self._doubts = self._doubts, []
        self._looking_since_s = self._now()
        try:
            await self.catch_up()
        except StoreUnavailable as error:
            if self._was_reached:
                _log.warning("the registry goes on with r%d from memory: %s", self._view.revision, error)
            self._was_reached = False
        else:
            self._was_reached = True
        finally:
            self._looking_since_s = None
            for doubt in doubts:
                _settle(doubt, self._was_reached)

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[None]:
        """The view is at the head, and nobody else moves it until this ends.

        Who holds it for long is judging something large; readers are answered meanwhile.
        """
        until_s = self._now() + HEAD_WAIT_S
        async with AsyncExitStack() as stack:
            while True:
                try:
                    await stack.enter_async_context(self._store.hold())
                    break
                except HeadHeld:
                    if self._now() > until_s:
                        raise
                    await self.look()
            self.is_contended = await self.catch_up()
            yield

    @asynccontextmanager
    async def standing(self) -> AsyncIterator[None]:
        """While something is judged for long, and the view cannot move: whether it is the head still is asked all the
        same, for readers. Where another registry has moved the head they are told that they get the past."""
        over = asyncio.Event()
        asking = spawn(self._ask_where_it_stands(over), name="whether the view is the head")
        try:
            yield
        finally:
            over.set()  # a question that is under way is waited for: cancelled, it would take a connection with it
            await asking

    async def _ask_where_it_stands(self, over: asyncio.Event) -> None:
        while not over.is_set():
            doubts, self._doubts = self._doubts, []
            begun_s = self._now()
            try:
                is_head = self._is_head(await self._store.stands(self._view.revision))
            except StoreUnavailable:
                is_head = False
            if is_head:
                self.confirmed(begun_s)
            for doubt in doubts:
                _settle(doubt, is_head)
            try:
                async with asyncio.timeout(_STAND_S):
                    await over.wait()
            except TimeoutError:
                pass

    async def onces(self, keys: Sequence[str]) -> Sequence[OnceRecord]:
        """Of all registries; the view holds none of a shared store."""
        return await self._store.onces(keys)

    async def know_people(self) -> None:
        """Who may sign in, as the store knows it now. Raises StoreUnavailable."""
        self._view.know_tokens(await self._store.tokens())
        self._view.know_people(await self._store.people())

    def confirmed(self, at_s: float) -> None:
        """An own commit has shown that the view was the head at this moment of the loop's clock."""
        self._confirmed_s = max(self._confirmed_s, at_s)

    async def catch_up(self) -> bool:
        """Whether the view had to move. Raises StoreUnavailable."""
        has_moved = False
        while True:
            begun_s = self._now()
            moves = await self._store.moves(self._view.revision)
            if self._is_head(moves):
                self._confirmed_s = begun_s
                if moves.audit_head is not None:
                    self._view.audit_head = moves.audit_head
                return has_moved
            has_moved = True
            if not await self._apply(moves):
                await self._begin_anew(moves)

    def _is_head(self, moves: Moves) -> bool:
        return (moves.epoch, moves.revision) == (self._view.epoch, self._view.revision) and self._is_same(moves)

    def _is_same(self, moves: Moves) -> bool:
        """Whether the store's revision of this number is the one the view holds: two histories may share numbers."""
        return self._view.at is None or moves.at == self._view.at

    async def _apply(self, moves: Moves) -> bool:
        """The next page of the log; False: it does not continue what the view holds."""
        view = self._view
        entries = entries_of(moves.changes)
        first = view.revision + 1
        is_next = [entry.revision for entry in entries] == list(range(first, first + len(entries)))
        if moves.epoch != view.epoch or not entries or not is_next or not self._is_same(moves):
            return False
        is_at_head = entries[-1].revision == moves.revision
        try:
            instances, documents = await self._changed(moves.changes)
        except ValueError as error:
            _log.warning("the log cannot be followed, everything is read again: %s", error)
            return False
        view.apply(
            entries=entries,
            at=moves.changes[-1].at,
            instances=instances,
            documents=documents,
            namespaces={change.namespace for change in moves.changes},
            onces=(),
            # The head's number belongs to the head: until it is reached, a lease above ours may be one to come.
            instance_number=moves.instance_number if is_at_head else view.instance_number,
        )
        return True

    async def _changed(self, changes: Sequence[ChangeRecord]) -> Changed:
        """In a thread when there are many: heartbeats go on, and nobody but the committer moves the view."""
        if len(changes) < LONG_ROWS:
            return _what_stands(changes, self._read)
        return await asyncio.to_thread(_what_stands, changes, self._read)

    async def _begin_anew(self, moves: Moves) -> None:
        """Everything is read again; as a new history, when revisions that were answered are lost.

        Numbers go on above all that were given out, so that no revision means two things to a watcher, and no lease id
        of an instance that is lost is another's.
        """
        view = self._view
        is_lost = moves.revision < view.revision or (moves.at is not None and not self._is_same(moves))
        if is_lost:
            epoch = secrets.token_hex(8) if moves.epoch == view.epoch else moves.epoch
            begun = await self._store.begin_epoch(
                moves,
                epoch=epoch,
                revision=max(view.revision, moves.revision) + 1,
                instance_number=max(view.instance_number, moves.instance_number),
            )
            if not begun:
                return  # somebody moved it meanwhile: look again
        loaded = await self._store.load()
        if loaded.revision < view.revision:
            return
        if loaded.epoch != view.epoch:
            self.histories += 1
            _log.error(
                "the store holds another history: epoch %s at r%d, where %s was at r%d. Answered changes may be lost",
                loaded.epoch, loaded.revision, view.epoch, view.revision,
            )  # fmt: skip
        instances, documents = self._rows(loaded)
        view.replace(
            epoch=loaded.epoch,
            revision=loaded.revision,
            at=loaded.at,
            floor=loaded.floor,
            instance_number=loaded.instance_number,
            namespaces=loaded.namespaces,
            instances=instances,
            documents=documents,
        )


def _what_stands(changes: Sequence[ChangeRecord], read: Callable[[ChangeRecord], InstanceRow | DocumentRow]) -> Changed:
    """After all of them."""
    instances: dict[InstanceKey, InstanceRow | None] = {}
    documents: dict[DocumentKey, DocumentRow | None] = {}
    last = {(change.kind, change.namespace, change.name): change for change in changes}
    for (kind, namespace, name), change in last.items():
        row = None if change.value is None else read(change)
        if kind == INSTANCE:
            assert row is None or isinstance(row, InstanceRow)
            service, _, instance_id = name.partition("/")
            instances[namespace, service, instance_id] = row
        else:
            assert not isinstance(row, InstanceRow)
            documents[kind, namespace, name] = row
    return instances, documents


def _settle(future: asyncio.Future[bool], outcome: bool) -> None:
    if not future.done():
        future.set_result(outcome)

"""Group commit: everything queued while the last transaction was under way becomes the next one.

Order of judging is order of revisions, and an answer comes after its revision is durable and in the view
(docs/internals/revisions.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from meshway.problem import Problem, soon
from registry.revisions.acts import ASKING, no_differences
from registry.revisions.draft import Apart, Draft, OfPeople, Repeatable
from registry.store.interface import HeadHeld, HeadMoved, StoreGone, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry.revisions.acts import Asking, Differences
    from registry.revisions.draft import Write
    from registry.revisions.following import Following
    from registry.store.interface import OnceRecord, Store
    from registry.view.view import View

    Answer = tuple[asyncio.Future[Any], object]

MAX_WAITING: Final = 2000
MAX_WAITING_BYTES: Final = 64 << 20
MAX_BATCH_WRITES: Final = 1000
MAX_BATCH_BYTES: Final = 4 << 20
# When this many writes of a failed batch fail alone too, it is the store and not a row.
_ALONE_FAILURES: Final = 3
# Some hundred documents are judged in 10 ms; above it the loop must not wait.
_LONG_BYTES: Final = 512 << 10

_T = TypeVar("_T")
_log = logging.getLogger("registry.revisions")


class Waiting(NamedTuple):
    """asking: who asked for it; None: the registry itself."""

    write: Write[Any]
    future: asyncio.Future[Any]
    asking: Asking | None


class Revisions:
    """The one writer of a registry. `run` is its task; `submit` is how everything else writes."""

    def __init__(
        self,
        view: View,
        store: Store,
        *,
        wall: Callable[[], float],
        following: Following | None = None,
        differences: Differences = no_differences,
    ) -> None:
        """differences: of two states of a document, for the audit log."""
        self._view = view
        self._store = store
        self._wall = wall
        self._following = following
        self._differences = differences
        self._queue: deque[Waiting] = deque()
        self._waiting_bytes = 0
        self._queued = asyncio.Event()
        self._is_closing = False
        if following is not None:
            following.on_due = self._queued.set
        self.commits = 0
        self.commit_s = 0.0

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def submit(self, write: Write[_T]) -> asyncio.Future[_T]:
        """The future ends with the answer, or with a Problem. Raises Problem 503 when too many wait already."""
        if self._is_closing:
            raise _unavailable("the registry is stopping")
        size = write.size
        if len(self._queue) >= MAX_WAITING or (self._queue and self._waiting_bytes + size > MAX_WAITING_BYTES):
            raise _unavailable(f"{len(self._queue)} writes wait for the store")
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._queue.append(Waiting(write, future, ASKING.get()))
        self._waiting_bytes += size
        self._queued.set()
        return future

    async def run(self) -> None:
        """Until `close`. An error here is a defect or a lost database file: the caller ends the process."""
        while not (self._is_closing and not self._queue):
            await self._queued.wait()
            if self._following is not None and self._following.is_due:
                await self._following.look()
            batch = self._take()
            if batch:
                await self._commit(batch)

    def close(self) -> None:
        """No new writes; `run` ends when those waiting are answered."""
        self._is_closing = True
        self._queued.set()

    def _take(self) -> list[Waiting]:
        batch: list[Waiting] = []
        room = MAX_BATCH_BYTES
        while self._queue and len(batch) < MAX_BATCH_WRITES:
            size = self._queue[0].write.size
            if batch and size > room:
                break
            room -= size
            self._waiting_bytes -= size
            batch.append(self._queue.popleft())
        has_to_look = self._following is not None and self._following.is_due
        if not self._queue and not self._is_closing and not has_to_look:
            self._queued.clear()
        return batch

    async def _commit(self, batch: Sequence[Waiting]) -> None:
        try:
            answers = await self._judge_and_write(batch)
        except StoreGone as error:
            # Some of it may be kept. Repeating it here could do it twice; its callers have their Idempotency-Keys.
            _log.error("%s refused: %s", "1 write is" if len(batch) == 1 else f"{len(batch)} writes are", error)
            for _, future, _ in batch:
                _answer(future, _unavailable("the store does not answer"))
        except HeadHeld:  # for longer than anybody should; each alone would wait as long again
            for _, future, _ in batch:
                _answer(future, _unavailable("another registry is in the midst of a large write"))
        except StoreUnavailable as error:
            await self._commit_alone(batch, error)
        else:
            for future, answer in answers:
                _answer(future, answer)

    async def _judge_and_write(self, batch: Sequence[Waiting]) -> list[Answer]:
        """Where other registries commit too, the batch is written from where the view is, and the store refuses it when
        that is no longer the head. Then, and as long as others are that busy, the head is held first: none starves."""
        following = self._following
        if following is None or not following.is_contended:
            try:
                draft, answers = await self._write(batch)
            except (HeadMoved, HeadHeld):
                if following is None:
                    raise
            else:
                # Refusals count only where the head was, and a batch that writes nothing has not been told.
                if following is None or not draft.is_empty() or not await following.catch_up():
                    draft.apply()
                    return answers
        assert following is not None
        async with following.holding():
            draft, answers = await self._write(batch)
        draft.apply()
        return answers

    async def _write(self, batch: Sequence[Waiting]) -> tuple[Draft, list[Answer]]:
        begun = asyncio.get_running_loop().time()
        if self._following is not None and any(isinstance(write, OfPeople) for write, _, _ in batch):
            await self._following.know_people()
        draft = Draft(self._view, at=self._wall(), onces=await self._onces(batch), differences=self._differences)
        answers = [(future, await self._judge(draft, write, asking)) for write, future, asking in batch]
        if not draft.is_empty():
            await self._store.commit(draft.batch())
            self.commits += 1
            self.commit_s += asyncio.get_running_loop().time() - begun
            if self._following is not None:
                self._following.confirmed(begun)
        return draft, answers

    async def _onces(self, batch: Sequence[Waiting]) -> Sequence[OnceRecord]:
        """What other registries answered to the keys of this batch."""
        if self._following is None:
            return ()
        keys = [write.once.key for write, _, _ in batch if isinstance(write, Repeatable)]
        return await self._following.onces(keys) if keys else ()

    async def _judge(self, draft: Draft, write: Write[_T], asking: Asking | None) -> _T | Problem:
        """In a thread when it takes long and may: heartbeats go on, and nobody but the committer moves the view."""
        own = write.write if isinstance(write, Repeatable) else write
        if write.size < _LONG_BYTES or not isinstance(own, Apart):
            return _judged(draft, write, asking)
        async with nullcontext() if self._following is None else self._following.standing():
            return await asyncio.to_thread(_judged, draft, write, asking)

    async def _commit_alone(self, batch: Sequence[Waiting], error: StoreUnavailable) -> None:
        """One bad row must not take the others with it."""
        failures = 0
        for write, future, asking in batch:
            if len(batch) == 1 or failures >= _ALONE_FAILURES:
                _log.error("a write is refused, the store does not take it: %s", error)
                _answer(future, _unavailable("the store does not take writes"))
                continue
            await self._commit([Waiting(write, future, asking)])
            failures = failures + 1 if _was_refused(future) else 0


def _judged(draft: Draft, write: Write[_T], asking: Asking | None) -> _T | Problem:
    try:
        return draft.judge(write, asking)
    except Problem as problem:
        return problem
    except Exception:
        # A defect in one write's judging is that write's alone; the committer goes on for all others.
        _log.exception("judging a write failed")
        return Problem(500, "internal", "Internal error", detail="the write could not be judged; nothing was changed")


def _answer(future: asyncio.Future[Any], answer: object) -> None:
    """Never raises: the committer outlives every caller."""
    if future.done():
        return
    if isinstance(answer, Problem):
        future.set_exception(answer)
        future.exception()  # a caller that went away must not become a log line
    else:
        future.set_result(answer)


def _was_refused(future: asyncio.Future[Any]) -> bool:
    if not future.done() or future.cancelled():
        return False
    problem = future.exception()
    return isinstance(problem, Problem) and problem.code == "store_unavailable"


def _unavailable(reason: str) -> Problem:
    return Problem(
        503,
        "store_unavailable",
        "Not taking writes",
        detail=reason,
        mend="repeat the call after Retry-After; with an Idempotency-Key it is done once",
        headers=soon(),
    )

"""Gets the assignments that the workers' limits want: of the registry for limits of the whole mesh, from a ledger of
its own for limits of this host.

One body is under way at a time and what comes meanwhile goes with the next, so a busy host asks in large pieces. What
goes wrong is told to the workers at once, which then count alone; every PROBE_S it is tried again.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from gateway.channel import AskFrame, GrantFrame, StoreFrame
from gateway.feed.registry_link import RegistryUrl
from meshway.assignments.ledger import Ledger
from meshway.assignments.messages import MOST_ASKS, Ask, Asks, Budget, Grants
from meshway.outbound.connection import PlainConnection, PlainError

if TYPE_CHECKING:
    from gateway.supervisor.worker_process import WorkerProcess

PROBE_S: Final = 0.25
ANSWER_S: Final = 1.0
MAX_ANSWER: Final = 4 << 20
MOST_WAITING: Final = 20 * MOST_ASKS

_log = logging.getLogger("meshway.gateway.limits")
_decode: Final = msgspec.json.Decoder(Grants).decode


class _Waiting(NamedTuple):
    worker: "WorkerProcess"
    frame: AskFrame


class Assigning:
    """workers: of this host. registry: whom to ask now. on_store: told when `lost` has changed.

    lost: why nobody assigns, "" = somebody does. losses, asked: how often, and how much.
    """

    def __init__(
        self,
        node: str,
        workers: int,
        registry: Callable[[], RegistryUrl | None],
        on_store: Callable[[], None],
        now: Callable[[], float],
    ) -> None:
        self._node = node
        self._workers = workers
        self._registry = registry
        self._on_store = on_store
        self._now = now
        self._ledger = Ledger()
        self._queue: deque[_Waiting] = deque()
        self._waiting = 0
        self._queued = asyncio.Event()
        self._connection: PlainConnection | None = None
        self._url: RegistryUrl | None = None
        self._mesh_workers = 0
        self.lost = "not asked yet"
        self.losses = 0
        self.asked = 0

    def frame(self) -> StoreFrame:
        return StoreFrame(lost=self.lost, workers=self._mesh_workers)

    def take(self, worker: "WorkerProcess", frame: AskFrame) -> None:
        if frame.scope == "gateway":
            self._assign_here(worker, frame)
        elif not self.lost:
            if self._waiting + len(frame.asks) > MOST_WAITING:
                self._lose("the registry is asked for more than it answers")
                return
            self._queue.append(_Waiting(worker, frame))
            self._waiting += len(frame.asks)
            self._queued.set()

    def _assign_here(self, worker: "WorkerProcess", frame: AskFrame) -> None:
        now, workers, assign = self._now(), self._workers, self._ledger.assign
        grants = [assign(frame.budgets[ask.budget], ask, ask.worker, workers, now) for ask in frame.asks]
        worker.send(GrantFrame(number=frame.number, scope=frame.scope, grants=grants, workers=workers))

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                if self.lost:
                    await asyncio.sleep(PROBE_S)
                else:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(ANSWER_S):  # so that a registry that is gone is noticed in time
                            await self._queued.wait()
                await self._ask(self._batch())
        finally:
            self._close()

    def _batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._queue and size + len(self._queue[0].frame.asks) <= MOST_ASKS:
            batch.append(self._queue.popleft())
            size += len(batch[-1].frame.asks)
        self._waiting -= size
        if not self._queue:
            self._queued.clear()
        return batch

    async def _ask(self, batch: Sequence[_Waiting]) -> None:
        """Also an empty one: whether somebody is there, and how many workers share."""
        url = self._registry()
        if url is None:
            self._lose("no registry is followed")
            return
        asks = self._together(batch)
        try:
            granted = await self._post(url, asks)
        except PlainError as error:
            self._lose(f"{url.text}: {error}")
            return
        self.asked += len(asks.asks)
        self._mesh_workers = granted.workers
        if self.lost:
            _log.info("limits are shared with the other gateways, by %s", url.text)
            self.lost = ""
            self._on_store()
        at = 0
        for worker, frame in batch:
            grants = granted.grants[at : at + len(frame.asks)]
            at += len(frame.asks)
            worker.send(GrantFrame(number=frame.number, scope=frame.scope, grants=grants, workers=granted.workers))

    def _together(self, batch: Sequence[_Waiting]) -> Asks:
        places: dict[Budget, int] = {}
        asks: list[Ask] = []
        for _, frame in batch:
            here = [places.setdefault(budget, len(places)) for budget in frame.budgets]
            asks += (msgspec.structs.replace(ask, budget=here[ask.budget]) for ask in frame.asks)
        return Asks(node=self._node, workers=self._workers, budgets=tuple(places), asks=tuple(asks))

    async def _post(self, url: RegistryUrl, asks: Asks) -> Grants:
        """Raises PlainError."""
        if self._connection is not None and self._connection.is_reusable and url == self._url:
            try:
                return await self._post_on(self._connection, url, asks)
            except PlainError as error:
                if error.reason != "reset":
                    raise
            # A connection that was idle too long says nothing of the registry. It may have read this all the same, so
            # nothing is given back a second time.
            asks = msgspec.structs.replace(asks, asks=tuple(msgspec.structs.replace(ask, back=0) for ask in asks.asks))
        self._close()
        self._connection, self._url = await url.connect(), url
        return await self._post_on(self._connection, url, asks)

    async def _post_on(self, connection: PlainConnection, url: RegistryUrl, asks: Asks) -> Grants:
        fields = url.fields + b"Content-Type: application/json\r\n"
        head = await connection.ask(b"POST", b"/v1/assignments", fields, msgspec.json.encode(asks), timeout_s=ANSWER_S)
        text = await connection.text(MAX_ANSWER, ANSWER_S)
        if head.status != 200:
            raise PlainError(f"answered {head.status} {_detail(text)}", "protocol")
        try:
            granted = _decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PlainError(f"its answer cannot be read: {error}", "protocol") from error
        if len(granted.grants) != len(asks.asks):
            raise PlainError(f"{len(asks.asks)} asks have {len(granted.grants)} answers", "protocol")
        return granted

    def _lose(self, why: str) -> None:
        self._close()
        self._queue.clear()
        self._waiting = 0
        self._queued.clear()
        if self.lost:
            return
        _log.warning("limits are counted by this host's share: %s", why)
        self.losses += 1
        self.lost = why
        self._on_store()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()


def _detail(text: bytes) -> str:
    """Of a problem document, or the beginning of whatever it is."""
    try:
        problem = msgspec.json.decode(text)
        return str(problem["detail"])[:200]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        return text[:200].decode("utf-8", "replace")

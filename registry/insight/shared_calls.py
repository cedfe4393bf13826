"""Single calls and spans that gateways told any registry on a shared database of: one place to look for all.

Written by a task, a message after the other; one that waits too long is dropped and counted, no gateway waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.call_lines import CallLine
from meshway.problem import Problem, soon
from meshway.spans import Span
from registry.insight.requests import KEPT_S, MOST_BYTES, MOST_OF_ONE, MOST_SEARCHES, MOST_WRITES, Found
from registry.insight.spans import BYTES_EACH
from registry.store.calls import CALLS, SPANS, Item, Told
from registry.store.interface import StoreGone, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from meshway.call_filter import Holds
    from meshway.call_lines import CallsTold
    from meshway.spans import SpansTold
    from registry.insight.sight import Sight
    from registry.store.calls import CallStore, FoundItem

PRUNE_EVERY_S: Final = 60.0
WRITTEN_S: Final = 5.0
AGAIN_S: Final = 1.0
MOST_READ: Final = 20_000  # calls of one search; it goes on at its cursor
LEAD: Final = "calls"
_PAGE: Final = 1_000
_MOST_SPANS: Final = 10_000  # of one trace
_NEWEST: Final = (1 << 63) - 1
_encode: Final = msgspec.json.Encoder().encode
_calls: Final = msgspec.json.Decoder(CallLine).decode
_spans: Final = msgspec.json.Decoder(Span).decode
_log = logging.getLogger("registry.insight")


class SharedCalls:
    """requests, spans: of Insight. lead: whether this registry forgets for all. wall: seconds since 1970. most_spans:
    as it is set now. dropped: calls and spans that were not kept."""

    def __init__(
        self,
        store: CallStore,
        lead: Callable[[], Awaitable[bool]],
        wall: Callable[[], float],
        most_spans: Callable[[], int],
    ) -> None:
        self._store = store
        self._lead = lead
        self._wall = wall
        self._most_spans = most_spans
        self._waiting: deque[Told] = deque()
        self._something, self._nothing = asyncio.Event(), asyncio.Event()
        self._nothing.set()
        self.dropped = 0
        self.requests, self.spans = SharedRequests(self, store), SharedSpans(self, store)

    def add(self, kind: str, node: str, boot: str, sequence: int, items: list[Item]) -> None:
        """On the loop; written later."""
        if not items:
            return
        if len(self._waiting) >= MOST_WRITES:
            self.dropped += len(items)
            return
        self._waiting.append(Told(kind, node, boot, sequence, int(self._wall() * 1e6), items))
        self._something.set()
        self._nothing.clear()

    async def settled(self) -> None:
        """What was told until now is found, unless the store is away."""
        try:
            async with asyncio.timeout(WRITTEN_S):
                await self._nothing.wait()
        except TimeoutError:
            _log.debug("calls that were told of wait for the store")

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._something.wait()
            told = self._waiting[0]
            try:
                await self._store.write(told)
            except StoreGone as error:  # whether it was written or not: sent again it counts once
                _log.debug("%s wait for the store: %s", told.kind, error)
                await asyncio.sleep(AGAIN_S)
                continue
            except StoreUnavailable as error:
                self.dropped += len(told.items)
                _log.warning("%d %s are not kept: %s", len(told.items), told.kind, error)
            self._waiting.popleft()
            if not self._waiting:
                self._something.clear()
                self._nothing.set()

    async def forget(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(PRUNE_EVERY_S)
            try:
                await self.prune()
            except StoreUnavailable as error:
                _log.warning("no calls are forgotten for now: %s", error)

    async def prune(self) -> None:
        """Raises StoreUnavailable."""
        if not await self._lead():
            return
        before, most = int((self._wall() - KEPT_S) * 1e6), self._most_spans()
        await self._store.prune(CALLS, before=before, most_items=_NEWEST, most_bytes=MOST_BYTES)
        await self._store.prune(SPANS, before=0, most_items=most, most_bytes=most * BYTES_EACH)


class SharedRequests:
    """As RequestLog."""

    def __init__(self, calls: SharedCalls, store: CallStore) -> None:
        self._calls = calls
        self._store = store
        self._searches = 0

    @property
    def dropped(self) -> int:
        """With spans."""
        return self._calls.dropped

    def add(self, told: CallsTold) -> None:
        items = [
            Item(call.trace_id, call.request_id, _encode(msgspec.structs.replace(call, node=told.node)))
            for call in told.calls
        ]
        self._calls.add(CALLS, told.node, told.boot, told.sequence, items)

    async def search(self, holds: Holds, *, sight: Sight, limit: int, cursor: str | None = None) -> Found:
        before = _NEWEST if cursor is None else _place(cursor)
        if self._searches >= MOST_SEARCHES:
            detail = f"{MOST_SEARCHES} searches of kept requests wait already"
            raise Problem(503, "busy", "Too many searches", detail=detail, headers=soon())
        self._searches += 1
        try:
            return await self._search(holds, sight, limit, before)
        except StoreUnavailable as error:
            raise _away(error) from error
        finally:
            self._searches -= 1

    async def of(self, name: str, wanted: str, sight: Sight) -> list[CallLine]:
        await self._calls.settled()
        try:
            rows = await self._store.having(CALLS, name, wanted, MOST_OF_ONE)
        except StoreUnavailable as error:
            raise _away(error) from error
        return [call for call, _ in await asyncio.to_thread(_seen, rows, sight) if call is not None]

    async def _search(self, holds: Holds, sight: Sight, limit: int, before: int) -> Found:
        await self._calls.settled()
        found: list[CallLine] = []
        read = 0
        while read < MOST_READ:
            rows = await self._store.page(CALLS, before, _PAGE)
            for seen, id_ in await asyncio.to_thread(_seen, rows, sight):
                before = id_
                if seen is not None and holds(seen):
                    found.append(seen)
                    if len(found) >= limit:
                        return Found(found, str(before))
            read += len(rows)
            if len(rows) < _PAGE:
                return Found(found, None)
        return Found(found, str(before))

    def close(self) -> None:
        """The store is closed by whoever opened it."""


class SharedSpans:
    """As SpanLog."""

    def __init__(self, calls: SharedCalls, store: CallStore) -> None:
        self._calls = calls
        self._store = store

    def add(self, told: SpansTold) -> None:
        items = [Item(one.trace_id, "", _encode(msgspec.structs.replace(one, node=told.node))) for one in told.spans]
        self._calls.add(SPANS, told.node, told.boot, told.sequence, items)

    async def trace(self, trace_id: str) -> list[Span]:
        """In the order in which they began. Raises Problem 503."""
        await self._calls.settled()
        try:
            rows = await self._store.having(SPANS, "trace_id", trace_id, _MOST_SPANS)
        except StoreUnavailable as error:
            raise _away(error) from error
        return sorted((_spans(value) for _, value in rows), key=lambda span: span.began_s)


def _seen(rows: list[FoundItem], sight: Sight) -> list[tuple[CallLine | None, int]]:
    return [(sight.call(_calls(value)), id_) for id_, value in rows]


def _place(cursor: str) -> int:
    if not cursor.isdecimal() or len(cursor) > 19:
        raise ValueError("is no cursor of this list")
    return int(cursor)


def _away(error: StoreUnavailable) -> Problem:
    detail = f"the store of calls does not answer: {error}"
    return Problem(503, "store_unavailable", "No calls now", detail=detail, headers=soon())

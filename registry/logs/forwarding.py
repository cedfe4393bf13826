"""Lines of services' logs sent on to a collector by OTLP, as they came; what it does not take in time is dropped."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from meshway.otlp.log_records import LogsOfResource
from meshway.otlp.log_writing import export_logs
from meshway.outbound.collector import Collector

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.model.otlp import Otlp
    from meshway.outbound.collector import Credentials
    from meshway.outbound.connection import Dial

EVERY_S: Final = 0.5
MOST_BYTES: Final = 64 << 20  # that wait: a line may have megabytes
_log = logging.getLogger("registry.logs")


class _Waiting(NamedTuple):
    """size: bytes."""

    logs: LogsOfResource
    lines: int
    size: int


class Forwarding:
    """target: where to, as it is set now; None: nowhere. credentials: what it wants to see. sent, dropped: lines."""

    def __init__(
        self, target: Callable[[], Otlp | None], credentials: Callable[[Otlp], Credentials], dial: Dial
    ) -> None:
        self._target = target
        self._credentials = credentials
        self._collector = Collector("logs of services", dial, _log)
        self._waiting: deque[_Waiting] = deque()
        self._lines = self._bytes = 0
        self._open: list[_Waiting] = []
        self.sent = self.dropped = 0

    def add(self, accepted: list[LogsOfResource], size: int) -> None:
        """size: of all of them, bytes. Never waits: a full queue takes no more."""
        target = self._target()
        if target is None:
            return
        counts = [lines_of(logs) for logs in accepted]
        each = size // max(sum(counts), 1)
        for logs, count in zip(accepted, counts, strict=True):
            if self._lines + count > target.queue or self._bytes + count * each > MOST_BYTES:
                self.dropped += count
            else:
                self._waiting.append(_Waiting(logs, count, count * each))
                self._lines += count
                self._bytes += count * each

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        """All that waits, up to the first that is not taken: that goes out again."""
        while self._waiting or self._open:
            target = self._target()
            if target is None:
                self._drop_all()
                return
            if not self._open:
                self._open = self._next(target.batch)
            body = await asyncio.to_thread(export_logs, [one.logs for one in self._open])
            told = await self._collector.send(target.endpoint, body, self._credentials(target), float(target.timeout))
            if not told.is_over:
                return
            count = sum(one.lines for one in self._open)
            self._bytes -= sum(one.size for one in self._open)
            self._open = []
            self._lines -= count
            self.sent += count if told.is_taken else 0
            self.dropped += 0 if told.is_taken else count

    def _next(self, batch: int) -> list[_Waiting]:
        """So many lines, or those of one resource."""
        found = [self._waiting.popleft()]
        lines = found[0].lines
        while self._waiting and lines + self._waiting[0].lines <= batch:
            found.append(self._waiting.popleft())
            lines += found[-1].lines
        return found

    def _drop_all(self) -> None:
        self.dropped += self._lines
        self._waiting.clear()
        self._open, self._lines, self._bytes = [], 0, 0


def lines_of(logs: LogsOfResource) -> int:
    return sum(len(scope.records) for scope in logs.scopes)

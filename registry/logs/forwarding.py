"""Lines of services' logs sent on to a collector by OTLP, as they came; what it does not take in time is dropped."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from meshway.otlp.log_records import LogsOfResource
from meshway.otlp.log_writing import export_logs
from meshway.outbound.collector import Collector

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.model.otlp import Otlp
    from meshway.outbound.collector import Credentials
    from meshway.outbound.connection import Dial

EVERY_S: Final = 0.5
_log = logging.getLogger("registry.logs")


class Forwarding:
    """target: where to, as it is set now; None: nowhere. credentials: what it wants to see. sent, dropped: lines."""

    def __init__(
        self, target: Callable[[], Otlp | None], credentials: Callable[[Otlp], Credentials], dial: Dial
    ) -> None:
        self._target = target
        self._credentials = credentials
        self._collector = Collector("logs of services", dial, _log)
        self._waiting: deque[LogsOfResource] = deque()
        self._lines = 0
        self._open: list[LogsOfResource] = []
        self.sent = self.dropped = 0

    def add(self, accepted: list[LogsOfResource]) -> None:
        """Never waits: a full queue takes no more."""
        target = self._target()
        if target is None:
            return
        for logs in accepted:
            count = lines_of(logs)
            if self._lines + count > target.queue:
                self.dropped += count
            else:
                self._waiting.append(logs)
                self._lines += count

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
            body = await asyncio.to_thread(export_logs, self._open)
            told = await self._collector.send(target.endpoint, body, self._credentials(target), float(target.timeout))
            if not told.is_over:
                return
            count = sum(map(lines_of, self._open))
            self._open = []
            self._lines -= count
            self.sent += count if told.is_taken else 0
            self.dropped += 0 if told.is_taken else count

    def _next(self, batch: int) -> list[LogsOfResource]:
        """So many lines, or those of one resource."""
        found = [self._waiting.popleft()]
        lines = lines_of(found[0])
        while self._waiting and lines + lines_of(self._waiting[0]) <= batch:
            found.append(self._waiting.popleft())
            lines += lines_of(found[-1])
        return found

    def _drop_all(self) -> None:
        self.dropped += self._lines
        self._waiting.clear()
        self._open, self._lines = [], 0


def lines_of(logs: LogsOfResource) -> int:
    return sum(len(scope.records) for scope in logs.scopes)

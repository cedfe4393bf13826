"""Lines of the access log to a collector, by OTLP; in batches that go out one after the other, each as a log record.

What the collector does not take in time is dropped, the oldest first, and counted; no call waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from gateway.secret_ring import SecretRing
from gateway.telemetry.collector_credentials import collector_credentials
from gateway.telemetry.otlp import gateway_resource
from meshway.model.otlp import Otlp
from meshway.otlp.log_records import SEVERITIES, LogRecord, LogsOfResource, LogsOfScope
from meshway.otlp.log_writing import export_logs
from meshway.outbound.collector import Collector
from meshway.outbound.connection import Dial
from meshway.tasks import spawn

SCOPE: Final = "meshway.access_log"
AGAIN_S: Final = 1.0
GOODBYE_S: Final = 1.0
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_log = logging.getLogger("meshway.gateway.telling")


class OtlpSinks:
    """What all sinks of a worker that tell collectors have in common. namespace: of the documents that name them."""

    def __init__(self, ring: SecretRing, namespace: str, node: str, version: str, dial: Dial) -> None:
        self.ring, self.namespace, self.dial = ring, namespace, dial
        self.resource = gateway_resource(node, version)

    def open(self, otlp: Otlp, most: int, on_dropped: Callable[[int], None]) -> OtlpSink:
        return OtlpSink(otlp, most, on_dropped, self)


class OtlpSink:
    """most: bytes that wait; lines: otlp.queue of them, at most."""

    def __init__(self, otlp: Otlp, most: int, on_dropped: Callable[[int], None], common: OtlpSinks) -> None:
        self.most = most
        self._otlp = otlp
        self._on_dropped = on_dropped
        self._common = common
        self._collector = Collector("lines of the access log", common.dial, _log)
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._open: list[bytes] = []
        self._sending: asyncio.Task[None] | None = None
        self._not_before = 0.0

    def add(self, line: bytes) -> None:
        self._waiting.append(line)
        self._bytes += len(line)
        while self._bytes > self.most or len(self._waiting) > self._otlp.queue:
            self._bytes -= len(self._waiting.popleft())
            self._on_dropped(1)

    def beat(self) -> None:
        """Begins to send what was gathered, unless the last of it is still on its way."""
        if not (self._waiting or self._open) or time.monotonic() < self._not_before:
            return
        if self._sending is None or self._sending.done():
            self._sending = spawn(self._send_all(), name="access log to a collector")

    def reopen(self) -> None:
        """There is no file that could have been moved."""

    async def flush(self) -> None:
        """What is there goes out, for so long at most."""
        self.beat()
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=GOODBYE_S)

    def close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
        self._on_dropped(len(self._waiting) + len(self._open))
        self._waiting.clear()
        self._open = []

    async def _send_all(self) -> None:
        while self._waiting or self._open:
            if not self._open:
                self._open = [self._waiting.popleft() for _ in range(min(self._otlp.batch, len(self._waiting)))]
                self._bytes -= sum(map(len, self._open))
            body = await asyncio.to_thread(_request, self._open, self._common.resource)
            credentials = collector_credentials(self._otlp, self._common.ring, self._common.namespace, time.time())
            told = await self._collector.send(self._otlp.endpoint, body, credentials, float(self._otlp.timeout))
            if not told.is_over:
                self._not_before = time.monotonic() + AGAIN_S
                return
            if not told.is_taken:
                self._on_dropped(len(self._open))
            self._open = []


def _request(lines: Sequence[bytes], resource: dict[str, str]) -> bytes:
    records = list(map(record_of, lines))
    return export_logs([LogsOfResource(dict(resource), [LogsOfScope(SCOPE, records)])])


def record_of(line: bytes) -> LogRecord:
    """A line of JSON as its fields; one of another format as its text, at this moment."""
    try:
        fields = _decode(line)
        at_ns = round(datetime.fromisoformat(fields["time"]).timestamp() * 1e6) * 1000
    except (msgspec.DecodeError, KeyError, ValueError):
        return LogRecord(time.time_ns(), line.rstrip(b"\n").decode("utf-8", "replace"), SEVERITIES["info"])
    severity = "error" if int(fields.get("status", 0)) >= 500 else "info"
    trace = str(fields.get("trace_id", ""))
    return LogRecord(at_ns, fields, SEVERITIES[severity], severity.upper(), trace_id=trace if len(trace) == 32 else "")

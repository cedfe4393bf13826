"""Single calls that workers tell of, on their way out: lines and spans to the registry, spans to a collector.

What cannot be told now waits, so much of it; the rest is dropped and counted. No call waits for any of it.
"""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec

from gateway.channel import Told
from gateway.compiler.diff import DocumentKey, read_changes
from gateway.feed.registry_link import RegistryUrl
from gateway.secret_ring import SecretRing
from gateway.telemetry import otlp
from gateway.telemetry.collector_credentials import collector_credentials
from gateway.telemetry.prometheus import Exemplar, bound_of
from meshway import call_lines
from meshway.call_lines import CallLine, CallsTold
from meshway.model.document import MESH_NAMESPACE
from meshway.model.otlp import Otlp
from meshway.model.telemetry import Telemetry
from meshway.outbound.collector import Collector
from meshway.outbound.connection import Dial
from meshway.snapshot import Change
from meshway.spans import PATH, Span, SpansTold

EVERY_S: Final = 1.0
MOST_LINES: Final = 10_000
MOST_SPANS: Final = 2_048  # where no document says otherwise
LINES_A_MESSAGE: Final = 500
SPANS_A_MESSAGE: Final = 100
MOST_BODY: Final = 800 << 10
_LINE_BYTES: Final = 700  # of a line's other fields
MOST_EXEMPLARS: Final = 2_000
# What says that a message will never be taken; everything else may be otherwise later.
_REFUSED: Final = frozenset({400, 413, 422})

Post = Callable[[RegistryUrl, str, bytes], Awaitable[int]]

_log = logging.getLogger("meshway.gateway.telling")


class CallTelling:
    """registry: who is followed now. post: to it, with the answer's status, 0: none. dial: to collectors.

    dropped_lines, dropped_spans: told to nobody. ring: what collectors want to see.
    exemplars: of the last traced calls, for the duration's histogram.
    """

    def __init__(
        self,
        node: str,
        version: str,
        registry: Callable[[], RegistryUrl | None],
        post: Post,
        dial: Dial,
        ring: SecretRing,
    ) -> None:
        self._node, self._version = node, version
        self._registry, self._post, self._ring = registry, post, ring
        self._told = Collector("spans", dial, _log)
        self._boot, self._sequence = secrets.token_hex(8), 0
        self._collectors: dict[DocumentKey, Otlp] = {}
        self._lines: deque[CallLine] = deque()
        self._spans: deque[Span] = deque()
        self._open_lines: tuple[bytes, int] | None = None  # is being told, or was not taken
        self._open_spans: list[Span] = []
        self._spans_sequence = 0
        self.dropped_lines = self.dropped_spans = self.sent_spans = 0
        self.exemplars: dict[tuple[tuple[tuple[str, str], ...], str], Exemplar] = {}

    def take(self, told: Told) -> None:
        """Of a worker."""
        for line in told.lines:
            self._lines.append(msgspec.json.decode(line, type=CallLine))
        while len(self._lines) > MOST_LINES:
            self._lines.popleft()
            self.dropped_lines += 1
        self._spans += told.spans
        collector = self._collector
        most = MOST_SPANS if collector is None else collector.queue
        while len(self._spans) > most:
            self._spans.pop()  # a full queue takes no more
            self.dropped_spans += 1
        for span in told.spans:
            if span.kind == "server":
                self._exemplify(span)

    def replace(self, changes: Iterable[Change]) -> None:
        """A snapshot is held."""
        self._collectors.clear()
        self.follow(changes)

    def follow(self, changes: Iterable[Change]) -> None:
        """Changes are held."""
        diff = read_changes(change for change in changes if change.kind == Telemetry.__name__)
        for key, entry in diff.documents.items():
            self._collectors.pop(key, None)
            if entry is not None and entry.namespace == MESH_NAMESPACE and entry.spec.otlp is not None:
                self._collectors[key] = entry.spec.otlp

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        """All that waits, up to the first that is not taken: that goes out again as it was, so that it counts once."""
        while (self._lines or self._open_lines is not None) and await self._tell_lines():
            pass
        while (self._spans or self._open_spans) and await self._tell_spans():
            pass

    @property
    def _collector(self) -> Otlp | None:
        """Of several documents the first by name."""
        return self._collectors[min(self._collectors)] if self._collectors else None

    async def _tell_lines(self) -> bool:
        """A message; whether it is off our hands."""
        url = self._registry()
        if url is None:
            return False
        if self._open_lines is None:
            self._sequence += 1
            told = CallsTold(node=self._node, boot=self._boot, sequence=self._sequence, calls=tuple(self._next_lines()))
            self._open_lines = msgspec.json.encode(told), len(told.calls)
        body, count = self._open_lines
        status = await self._post(url, call_lines.PATH, body)
        if status not in _REFUSED and not 200 <= status < 300:
            return False
        self._open_lines = None
        self.dropped_lines += count if status in _REFUSED else 0
        return True

    def _next_lines(self) -> list[CallLine]:
        """So many as a registry reads without holding others up."""
        calls: list[CallLine] = []
        size = 0
        while self._lines and len(calls) < LINES_A_MESSAGE:
            line = self._lines[0]
            size += _LINE_BYTES + len(line.path) + len(line.detail) + len(line.authority)
            if calls and size > MOST_BODY:
                break
            calls.append(self._lines.popleft())
        return calls

    async def _tell_spans(self) -> bool:
        """As `_tell_lines`."""
        collector = self._collector
        if not self._open_spans:
            most = SPANS_A_MESSAGE if collector is None else collector.batch
            self._open_spans = [self._spans.popleft() for _ in range(min(most, len(self._spans)))]
            self._sequence += 1
            self._spans_sequence = self._sequence
        spans = self._open_spans
        if collector is None:
            is_over, is_taken = await self._tell_registry(spans)
        else:
            is_over, is_taken = await self._tell_collector(collector, spans)
        if is_over:
            self._open_spans = []
            self.sent_spans += len(spans) if is_taken else 0
            self.dropped_spans += 0 if is_taken else len(spans)
        return is_over

    async def _tell_registry(self, spans: list[Span]) -> tuple[bool, bool]:
        """Whether they are off our hands, and whether they are where they belong."""
        url = self._registry()
        if url is None:
            return False, False
        body = SpansTold(node=self._node, boot=self._boot, sequence=self._spans_sequence, spans=tuple(spans))
        status = await self._post(url, PATH, msgspec.json.encode(body))
        is_taken = 200 <= status < 300
        return is_taken or status in _REFUSED, is_taken

    async def _tell_collector(self, collector: Otlp, spans: list[Span]) -> tuple[bool, bool]:
        """As `_tell_registry`."""
        body = await asyncio.to_thread(otlp.export_request, spans, self._node, self._version)
        credentials = collector_credentials(collector, self._ring, MESH_NAMESPACE, time.time())
        return await self._told.send(collector.endpoint, body, credentials, float(collector.timeout))

    def _exemplify(self, span: Span) -> None:
        about = span.attributes
        status = int(about.get("http.response.status_code", 0))
        labels = (
            ("listener", str(about.get("meshway.listener", ""))),
            ("route", str(about.get("meshway.route", ""))),
            ("source", str(about.get("meshway.source", ""))),
            ("service", str(about.get("meshway.service", ""))),
            ("status_class", f"{status // 100}xx" if status else "none"),
        )
        seconds = span.ended_s - span.began_s
        key = (labels, bound_of(seconds))
        self.exemplars.pop(key, None)
        if len(self.exemplars) >= MOST_EXEMPLARS:
            del self.exemplars[next(iter(self.exemplars))]
        self.exemplars[key] = Exemplar(span.trace_id, seconds, span.ended_s)

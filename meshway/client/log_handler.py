"""A handler of `logging` that ships a program's lines to the registry, by OTLP.

Whoever logs puts a record into a queue and goes on; a thread sends what is there every second. What the registry does
not take in time is dropped, the oldest first, and counted: no log is worth a program that waits.
"""

from __future__ import annotations

import gzip
import logging
import os
import socket
import threading
import traceback
from collections import deque
from typing import Any, Final
from weakref import WeakMethod

import httpx

from meshway.client.calls import Call
from meshway.client.errors import MeshwayError, Unreachable
from meshway.client.propagation import inbound
from meshway.client.registration import default_id
from meshway.client.registry import Registry
from meshway.client.settings import MeshSettings
from meshway.otlp.log_records import CONTENT_TYPE, PATH, LogRecord, LogsOfResource, LogsOfScope
from meshway.otlp.log_writing import export_logs, resource_of

EVERY_S: Final = 1.0
MOST_WAITING: Final = 10_000  # lines
BATCH: Final = 1_000
MOST_TEXT: Final = 16 << 10
AGAIN_S: Final = 5.0
GOODBYE_S: Final = 2.0
_TOO_MANY: Final = 429
# Of a record, what `logging` itself puts there; all else is the program's own (`extra=`).
_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# By `logging`'s level and above: OTLP's number.
_SEVERITIES: Final = ((50, 21), (40, 17), (30, 13), (20, 9), (10, 5), (0, 1))


class MeshLogHandler(logging.Handler):
    """`logging.getLogger().addHandler(mesh.log_handler("reviews"))`. dropped: lines that were not shipped.

    Its thread starts with the first line, anew in a forked child. Raises ValueError where nobody says which service
    this is.
    """

    def __init__(
        self,
        settings: MeshSettings,
        service: str | None = None,
        *,
        port: int | None = None,
        version: str = "",
        level: int = logging.NOTSET,
    ) -> None:
        super().__init__(level)
        name = service or settings.service
        if not name:
            raise ValueError("which service is this? give its name or set MESHWAY_SERVICE")
        instance = settings.instance or (default_id(name, socket.gethostname(), port) if port else "")
        self._resource = resource_of(name, settings.namespace, instance, service_version=version)
        self._registry = Registry(settings)
        self.dropped = 0
        self._begin()
        after_fork = WeakMethod(self._begin)
        os.register_at_fork(after_in_child=lambda: (method := after_fork()) and method())

    def emit(self, record: logging.LogRecord) -> None:
        if threading.get_ident() == self._sender:
            return  # what sending itself logs would be sent for ever
        try:
            self._waiting.append((record.name, self._told(record)))
        except Exception:
            self.handleError(record)
            return
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self.dropped += 1
        if self._thread is None:
            self._start()
        elif len(self._waiting) >= BATCH:
            self._wake.set()

    def flush(self) -> None:
        """Sends what waits, for so long at most; `logging` calls it at the end of the program."""
        if self._thread is None or not self._waiting:
            return
        self._is_sent.clear()
        self._wake.set()
        self._is_sent.wait(GOODBYE_S)

    def close(self) -> None:
        self.flush()
        self._is_closed = True
        self._wake.set()
        super().close()

    def _begin(self) -> None:
        """Also in a forked child: the parent's lines are the parent's to send, and so are its locks."""
        self._waiting: deque[tuple[str, LogRecord]] = deque()
        self._wake, self._is_sent = threading.Event(), threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._sender = 0
        self._is_closed = self._has_failed = False

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="meshway logs", daemon=True)
                self._thread.start()

    def _told(self, record: logging.LogRecord) -> LogRecord:
        about: dict[str, Any] = {name: value for name, value in vars(record).items() if name not in _USUAL}
        about |= {"code.file.path": record.pathname, "code.line.number": record.lineno}
        if record.exc_info and record.exc_info[0] is not None:
            about["exception.type"] = record.exc_info[0].__name__
            about["exception.message"] = str(record.exc_info[1])
            about["exception.stacktrace"] = "".join(traceback.format_exception(*record.exc_info))[-MOST_TEXT:]
        trace_id, span_id = _trace()
        return LogRecord(
            at_ns=int(record.created * 1e9),
            body=record.getMessage()[:MOST_TEXT],
            severity=next(number for level, number in _SEVERITIES if record.levelno >= level),
            severity_text=record.levelname,
            attributes=about,
            trace_id=trace_id,
            span_id=span_id,
        )

    # In the thread.

    def _run(self) -> None:
        self._sender = threading.get_ident()
        while True:
            self._wake.wait(EVERY_S)
            self._wake.clear()
            pause_s = 0.0
            while self._waiting and not pause_s:
                pause_s = self._send()
            self._is_sent.set()
            if self._is_closed:
                return
            if pause_s:
                self._wake.wait(pause_s)

    def _send(self) -> float:
        """A batch. 0: it is off our hands; else so long later it may be taken."""
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        scopes: dict[str, list[LogRecord]] = {}
        for name, record in batch:
            scopes.setdefault(name, []).append(record)
        told = LogsOfResource(self._resource, [LogsOfScope(name, records) for name, records in scopes.items()])
        try:
            self._registry.send(_shipping(export_logs([told])))
        except Unreachable as error:
            return self._put_off(batch, error)
        except MeshwayError as error:
            if error.problem.status == _TOO_MANY:
                return self._put_off(batch, error)
            self.dropped += len(batch)
            self._say(f"lines of its log are dropped: {error.line}")
        else:
            self._has_failed = False
        return 0.0

    def _put_off(self, batch: list[tuple[str, LogRecord]], error: MeshwayError) -> float:
        self._waiting.extendleft(reversed(batch))
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self.dropped += 1
        self._say(f"lines of its log wait: {error.line}")
        return AGAIN_S

    def _say(self, what: str) -> None:
        """Once, until it works again; by the other handlers alone."""
        if not self._has_failed:
            self._has_failed = True
            logging.getLogger("meshway.client").warning("%s", what)


def _trace() -> tuple[str, str]:
    """Of the request that is being served: OpenTelemetry's span where there is one, else what the call brought."""
    try:
        from opentelemetry import trace
    except ImportError:
        pass
    else:
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            return f"{context.trace_id:032x}", f"{context.span_id:016x}"
    parts = dict(inbound().headers).get("traceparent", "").split("-")
    if len(parts) >= 4 and len(parts[1]) == 32 and len(parts[2]) == 16 and _is_hex(parts[1] + parts[2]):
        return parts[1], parts[2]
    return "", ""


def _is_hex(text: str) -> bool:
    return all(char in "0123456789abcdef" for char in text)


def _shipping(body: bytes) -> Call[None]:
    headers = {"content-type": CONTENT_TYPE, "content-encoding": "gzip"}
    return Call(method="POST", path=PATH, headers=headers, content=gzip.compress(body, 1), decode=_nothing)


def _nothing(_: httpx.Response) -> None:
    return None

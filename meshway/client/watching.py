"""Following the registry's changes: server-sent events, resumed at the last revision seen, none missed."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final, Literal

import httpx
import msgspec
from httpx_sse import ServerSentEvent, SSEError, aconnect_sse, connect_sse

from meshway.client.errors import error_for
from meshway.client.keeper import backoff_s
from meshway.client.registry import ShownCertificate, credentials
from meshway.client.settings import MeshSettings
from meshway.client.turns import Turns

_log = logging.getLogger("meshway.client")
PATH: Final = "/v1/watch"
# The registry sends a comment every 15 s: twice that in silence is a dead connection.
TIMEOUT: Final = httpx.Timeout(35.0, connect=2.0)


class EntryChange(msgspec.Struct, frozen=True, kw_only=True):
    """One entry put or deleted; value: the whole instance or document, None when it is gone. name of an instance:
    `service/id`.
    """

    op: Literal["put", "delete"]
    kind: str
    namespace: str
    name: str
    value: dict[str, Any] | None = None


class WatchEvent(msgspec.Struct, frozen=True, kw_only=True):
    """type `snapshot`: a part of all there is. `delta`: one revision. `reset`: forget what you hold, a snapshot
    follows.
    """

    type: Literal["snapshot", "delta", "reset"]
    revision: int = 0
    changes: tuple[EntryChange, ...] = ()


class Position:
    """Where a watcher stands: what to ask for next, and how long to wait after a failure."""

    def __init__(
        self, kind: str | None, namespace: str | None, service: str | None, since: int | None, registries: int = 1
    ) -> None:
        filters = {"kind": kind, "namespace": namespace, "service": service}
        self._filters = {name: value for name, value in filters.items() if value}
        self._since = since
        self._began = False
        self._registries = registries
        self._failures = 0

    def params(self) -> dict[str, str]:
        since = {} if self._since is None else {"since": str(self._since)}
        return self._filters | since

    def again(self) -> WatchEvent | None:
        """Called before each connection. A snapshot that broke off cannot be resumed: its parts share one revision.
        What was seen of it may be deleted by the time the next one is taken, so the caller has to forget it.
        """
        return WatchEvent(type="reset") if self._began and self._since is None else None

    def read(self, event: ServerSentEvent) -> WatchEvent | None:
        """None for what is not for the caller: the head as a bare id every 15 s, and types of a later version."""
        self._failures = 0
        if event.event not in ("snapshot", "delta", "reset"):
            if event.id.isdigit():
                self._since = int(event.id)
            return None
        members = msgspec.json.decode(event.data or "{}")
        found = msgspec.convert(members | {"type": event.event}, WatchEvent)
        self._began = True
        self._since = int(event.id) if found.type == "delta" and event.id.isdigit() else None
        return found

    def wait_s(self) -> float:
        """Shortest until every registry has failed once: the others live, and only shall not be stormed."""
        self._failures += 1
        return backoff_s(max(0, self._failures - self._registries), random.random())


def follow(settings: MeshSettings, position: Position) -> Iterator[WatchEvent]:
    """Endless; connects again by itself, to another registry where one breaks off. Raises MeshwayError when the
    registry refuses the question (4xx).
    """
    turns = Turns(settings.registries)
    while True:
        if (reset := position.again()) is not None:
            yield reset
        url, ask = turns.current, {"params": position.params(), "headers": credentials(settings)}
        try:
            with (
                httpx.Client(verify=ShownCertificate(settings).context, trust_env=False, timeout=TIMEOUT) as http,
                connect_sse(http, "GET", url + PATH, **ask) as source,
            ):
                if _refused(source.response):
                    source.response.read()
                    raise error_for(source.response)
                for raw in source.iter_sse():
                    if (event := position.read(raw)) is not None:
                        yield event
        except (httpx.TransportError, SSEError) as error:
            _log.debug("watch broke off: %s", error)
            turns.missed(url)
        time.sleep(position.wait_s())


async def afollow(settings: MeshSettings, position: Position) -> AsyncGenerator[WatchEvent, None]:
    """As follow."""
    turns = Turns(settings.registries)
    while True:
        if (reset := position.again()) is not None:
            yield reset
        url, ask = turns.current, {"params": position.params(), "headers": credentials(settings)}
        try:
            async with (
                httpx.AsyncClient(verify=ShownCertificate(settings).context, trust_env=False, timeout=TIMEOUT) as http,
                aconnect_sse(http, "GET", url + PATH, **ask) as source,
            ):
                if _refused(source.response):
                    await source.response.aread()
                    raise error_for(source.response)
                async for raw in source.aiter_sse():
                    if (event := position.read(raw)) is not None:
                        yield event
        except (httpx.TransportError, SSEError) as error:
            _log.debug("watch broke off: %s", error)
            turns.missed(url)
        await asyncio.sleep(position.wait_s())


def _refused(response: httpx.Response) -> bool:
    """A 5xx is a registry on its way down or up: SSEError follows, and another try."""
    return 400 <= response.status_code < 500

"""GET /v1/watch: every revision as server-sent events (WHATWG HTML §9.2), resumable with none missed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from meshway.model.kinds import KINDS
from meshway.model.nearest import did_you_mean
from meshway.problem import FieldError, invalid_request
from meshway.snapshot import INSTANCE
from registry.machine.placed import PlacedStream
from registry.machine.request import Reply, Request
from registry.manners.query import number_of, query_of
from registry.view.view import EVERY_NAMESPACE

if TYPE_CHECKING:
    from registry.feed.feed import Feed
    from registry.feed.watcher import Event, Watcher
    from registry.machine.request import Outlet, Stream
    from registry.machine.rounds import Rounds
    from registry.manners.places import Places

QUIET_S: Final = 15.0
_KNOWN: Final = frozenset({"since", "namespace", "kind", "service"})
_HEAD: Final = b"content-type: text/event-stream\r\ncache-control: no-store\r\nx-accel-buffering: no\r\n"


class Watch:
    __slots__ = ("_feed", "_places", "_rounds")

    def __init__(self, feed: Feed, rounds: Rounds, places: Places) -> None:
        self._places = places
        self._feed = feed
        self._rounds = rounds

    def get(self, request: Request) -> Reply | Stream:
        query = query_of(request.query, _KNOWN)
        if (last := request.field(b"last-event-id")) is not None:
            query["since"] = last  # what a browser reconnects with is newer than what its page once asked for
        since = number_of(query, "since", None, low=0, high=2**63 - 1)
        namespace, kind = query.get("namespace"), _kind(query.get("kind"))
        namespace = None if namespace == EVERY_NAMESPACE else namespace
        if namespace is not None:
            request.caller.require("documents:read", namespace)
        if request.is_head:
            return Reply(200, headers=_HEAD)
        events = EventStream(
            self._feed,
            self._rounds,
            since=since,
            namespace=namespace,
            readable=request.caller.namespaces("documents:read"),
            kind=kind,
            service=query.get("service"),
        )
        return PlacedStream(events, self._places, request)


class EventStream:
    """Writes what the watcher has whenever the caller takes it; a caller too slow for its bounds gets `reset`."""

    __slots__ = (
        "_feed", "_filters", "_is_due", "_loop", "_outlet", "_rounds", "_since", "_snapshot", "_timer", "_watcher",
    )  # fmt: skip

    is_endless: bool = True

    def __init__(
        self,
        feed: Feed,
        rounds: Rounds,
        *,
        since: int | None,
        namespace: str | None,
        readable: frozenset[str] | None,
        kind: str | None,
        service: str | None,
    ) -> None:
        self._feed = feed
        self._rounds = rounds
        self._since = since
        self._filters = (namespace, readable, kind, service)
        self._loop = asyncio.get_running_loop()
        self._outlet: Outlet | None = None
        self._watcher: Watcher | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = False
        self._snapshot: int | None = None

    def start(self, outlet: Outlet) -> None:
        self._outlet = outlet
        outlet.open(200, _HEAD)
        namespace, readable, kind, service = self._filters
        self._watcher = self._feed.watch(
            since=self._since, namespace=namespace, readable=readable, kind=kind, service=service, wake=self._wake
        )
        self.resume()
        self._timer = self._loop.call_later(QUIET_S, self._say_head)

    def resume(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._rounds.go_on(self._write)

    def stop(self) -> None:
        self._outlet = None
        if self._timer is not None:
            self._timer.cancel()
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    def _wake(self) -> None:
        """Called within a commit: writing waits for the next round, and several wakes write once."""
        if not self._is_due and self._outlet is not None and not self._outlet.is_paused:
            self._is_due = True
            self._rounds.join(self._write)

    def _write(self) -> bool:
        """A piece; whether there is more and the caller takes it."""
        self._is_due = False
        outlet, watcher = self._outlet, self._watcher
        if outlet is None or watcher is None or outlet.is_paused:
            return False
        texts = [self._text(event) for event in watcher.take()]
        if not watcher.has_more:
            texts.append(self._end_of_snapshot())
        outlet.send(b"".join(texts))
        self._is_due = watcher.has_more and not outlet.is_paused
        return self._is_due

    def _text(self, event: Event) -> bytes:
        """Parts of a snapshot bear no id: a caller cut off between two of them must not resume behind the whole."""
        if event.name == "delta":
            return b"%bevent: delta\nid: %d\ndata: %b\n\n" % (self._end_of_snapshot(), event.revision, event.data)
        self._snapshot = event.revision
        return b"event: %b\ndata: %b\n\n" % (event.name.encode(), event.data)

    def _end_of_snapshot(self) -> bytes:
        revision, self._snapshot = self._snapshot, None
        return b"" if revision is None else b"id: %d\n\n" % revision

    def _say_head(self) -> None:
        """A sign of life, and the head for one whose filter lets nothing through: it resumes from there."""
        self._timer = self._loop.call_later(QUIET_S, self._say_head)
        outlet, watcher = self._outlet, self._watcher
        if outlet is None or watcher is None or outlet.is_paused:
            return
        if watcher.has_more:  # a page of the log that the store did not give
            self.resume()
        if not watcher.is_in_snapshot:
            outlet.send(b"%b: head\nid: %d\n\n" % (self._end_of_snapshot(), watcher.revision))


def _kind(kind: str | None) -> str | None:
    known = (INSTANCE, *KINDS)
    if kind is None or kind in known:
        return kind
    message = f"query.kind: {kind!r} is not a kind{did_you_mean(kind, known)}"
    raise invalid_request(message, (FieldError(path="query.kind", code="unknown_kind", message=message),))

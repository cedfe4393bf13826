"""GET /v1/live: what a page that is open shows, as server-sent events (WHATWG HTML §9.2), one stream for all topics.

`revisions` names what changed, with `id:` the revision, so that a reader that comes again with Last-Event-ID misses
none, or gets `reset`. `signals` and `gateways` bear the answer of GET /v1/insight/services and /v1/gateways whenever it
changed; `alerts` and `rollouts` say of which namespaces there is something new to be asked for. `head`, at the
beginning and every 15 s, is a sign of life.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.model.nearest import did_you_mean
from meshway.model.rollout import Rollout
from meshway.model.rollout_state import RolloutState
from meshway.problem import FieldError, Problem, invalid_request
from registry.insight.sight import Sight
from registry.machine.live_topics import TOPICS, Shown, Topic
from registry.machine.placed import PlacedStream
from registry.machine.request import Reply, Request, problem_reply
from registry.manners.query import number_of, query_of, refuse_bad_names
from registry.rights.roles import EVERYWHERE
from registry.view.view import EVERY_NAMESPACE

if TYPE_CHECKING:
    from registry.feed.feed import Feed
    from registry.feed.names import Changed, NameWatcher
    from registry.machine.live_topics import LiveTopics
    from registry.machine.request import Outlet, Stream
    from registry.machine.rounds import Rounds
    from registry.manners.places import Places
    from registry.rights.caller import Caller
    from registry.rights.roles import Right

PATH: Final = "/v1/live"
QUIET_S: Final = 15.0
GATHER_S: Final = 0.2  # between two pieces of revisions: people read no faster
SLOW_S: Final = 30.0  # without taking anything
WINDOW_S: Final = 900
LONGEST_S: Final = 86_400
MOST_SERVICES: Final = 100
RIGHT_OF: Final[dict[Topic, Right]] = {
    "revisions": "documents:read",
    "signals": "insight:read",
    "alerts": "insight:read",
    "rollouts": "documents:read",
    "gateways": "gateways:read",
}
_KNOWN: Final = frozenset({"topics", "namespace", "services", "window_s", "since"})
_HEAD: Final = b"content-type: text/event-stream\r\ncache-control: no-store\r\nx-accel-buffering: no\r\n"
_OF_REVISIONS: Final[frozenset[Topic]] = frozenset({"revisions", "rollouts"})
_ROLLOUTS: Final = frozenset({Rollout.__name__, RolloutState.__name__})
_encode: Final = msgspec.json.Encoder().encode


class LiveRoute:
    __slots__ = ("_feed", "_live", "_places", "_rounds")

    def __init__(self, feed: Feed, live: LiveTopics, rounds: Rounds, places: Places) -> None:
        self._feed = feed
        self._live = live
        self._rounds = rounds
        self._places = places

    def get(self, request: Request) -> Reply | Stream:
        query = query_of(request.query, _KNOWN)
        if (last := request.field(b"last-event-id")) is not None:
            query["since"] = last
        since = number_of(query, "since", None, low=0, high=2**63 - 1)
        namespace = query.get("namespace")
        namespace = None if namespace == EVERY_NAMESPACE else namespace
        if namespace is not None:
            refuse_bad_names(namespace=namespace)
        topics = _topics(query.get("topics"), request.caller, namespace)
        shown = None
        if "signals" in topics:
            window_s = number_of(query, "window_s", WINDOW_S, low=10, high=LONGEST_S) or WINDOW_S
            sight = Sight(request.caller.namespaces(RIGHT_OF["signals"]))
            shown = Shown(float(window_s), sight, namespace, _services(query.get("services", "")))
        if request.is_head:
            return Reply(200, headers=_HEAD)
        stream = LiveStream(self._feed, self._live, self._rounds, request, topics, shown, namespace, since)
        return PlacedStream(stream, self._places, request)


class LiveStream:
    """One reader: what it is owed waits for it, the newest of each topic; one that takes nothing is ended."""

    __slots__ = (
        "_caller", "_feed", "_is_due", "_live", "_loop", "_namespace", "_not_before", "_noticed", "_outlet", "_owed",
        "_paused_at", "_request", "_rounds", "_since", "_timer", "_waiting", "_watcher", "signals", "topics",
    )  # fmt: skip

    is_endless: bool = True

    def __init__(
        self,
        feed: Feed,
        live: LiveTopics,
        rounds: Rounds,
        request: Request,
        topics: frozenset[Topic],
        signals: Shown | None,
        namespace: str | None,
        since: int | None,
    ) -> None:
        self._feed = feed
        self._live = live
        self._rounds = rounds
        self._request = request
        self._caller = request.caller
        self._namespace = namespace
        self._since = since
        self.topics = topics
        self.signals = signals
        self._loop = asyncio.get_running_loop()
        self._outlet: Outlet | None = None
        self._watcher: NameWatcher | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self._owed: dict[Topic, bytes] = {}
        self._noticed: dict[Topic, set[str]] = {}
        self._is_due = False
        self._not_before = 0.0
        self._paused_at: float | None = None

    def start(self, outlet: Outlet) -> None:
        try:
            self._live.join(self)
        except Problem as refusal:
            outlet.reply(problem_reply(refusal, self._request.request_id))
            return
        self._outlet = outlet
        outlet.open(200, _HEAD)
        if self.topics & _OF_REVISIONS:
            self._watcher = self._feed.watch_names(
                since=self._since,
                namespace=self._namespace,
                readable=self._caller.namespaces(RIGHT_OF["revisions"]),
                wake=self._wake,
            )
        # Where it begins: a reader that asks for all there is now goes on from here.
        outlet.send(self._head())
        self.resume()
        self._timer = self._loop.call_later(QUIET_S, self._look)

    def resume(self) -> None:
        self._paused_at = None
        if not self._is_due:
            self._is_due = True
            self._rounds.go_on(self._write)

    def stop(self) -> None:
        self._outlet = None
        self._live.leave(self)
        for timer in (self._timer, self._waiting):
            if timer is not None:
                timer.cancel()
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    def owe(self, topic: Topic, text: bytes) -> None:
        self._owed[topic] = text
        self._join()

    def notice(self, topic: Topic, namespaces: frozenset[str]) -> None:
        readable = self._caller.namespaces(RIGHT_OF[topic])
        seen = namespaces if readable is None else namespaces & readable
        if self._namespace is not None:
            seen &= {self._namespace}
        if seen:
            self._noticed.setdefault(topic, set()).update(seen)
            self._wake()

    def _wake(self) -> None:
        """Called within a commit: writing waits for the next round, and what comes meanwhile is written with it."""
        if self._waiting is None and not self._is_due and self._outlet is not None:
            wait_s = self._not_before - self._loop.time()
            if wait_s <= 0.0:
                self._join()
            else:
                self._waiting = self._loop.call_later(wait_s, self._waited)

    def _waited(self) -> None:
        self._waiting = None
        self._join()

    def _join(self) -> None:
        if not self._is_due and self._outlet is not None and not self._outlet.is_paused:
            self._is_due = True
            self._rounds.join(self._write)

    def _write(self) -> bool:
        """A piece; whether there is more and the reader takes it."""
        self._is_due = False
        outlet, watcher = self._outlet, self._watcher
        if outlet is None or outlet.is_paused:
            return False
        texts: list[bytes] = []
        if watcher is not None and (changed := watcher.take()) is not None:
            texts.append(self._changed(changed))
            self._not_before = self._loop.time() + GATHER_S
        for topic, namespaces in self._noticed.items():
            texts.append(b"event: %b\ndata: %b\n\n" % (topic.encode(), _encode({"namespaces": sorted(namespaces)})))
        texts += self._owed.values()
        self._noticed, self._owed = {}, {}
        outlet.send(b"".join(texts))
        self._is_due = watcher is not None and watcher.has_more and not outlet.is_paused
        return self._is_due

    def _changed(self, changed: Changed) -> bytes:
        if "rollouts" in self.topics:
            # How far one is stands in documents of its own, so that the revisions tell of it.
            moved = {each.namespace for each in changed.names if each.kind in _ROLLOUTS}
            if moved:
                self._noticed.setdefault("rollouts", set()).update(moved)
        if not changed.is_reset and "revisions" not in self.topics:
            return b"id: %d\n" % changed.revision
        name = b"reset" if changed.is_reset else b"revisions"
        data = _encode({"revision": changed.revision, "changes": changed.names})
        return b"event: %b\nid: %d\ndata: %b\n\n" % (name, changed.revision, data)

    def _look(self) -> None:
        """A sign of life, with the head for one whose filter lets nothing through; the end of one that is too slow."""
        self._timer = self._loop.call_later(QUIET_S, self._look)
        outlet = self._outlet
        if outlet is None:
            return
        if not outlet.is_paused:
            if self._watcher is not None and self._watcher.has_more:  # a page of the log that the store did not give
                self.resume()
            outlet.send(self._head())
        elif self._paused_at is None:
            self._paused_at = self._loop.time()
        elif self._loop.time() - self._paused_at >= SLOW_S - QUIET_S:
            outlet.cut()

    def _head(self) -> bytes:
        """As an event: of a comment a page learns nothing, and who hears nothing for long comes again."""
        if self._watcher is None:
            return b"event: head\ndata: {}\n\n"
        return b'event: head\nid: %d\ndata: {"revision":%d}\n\n' % (self._watcher.revision, self._watcher.revision)


def _topics(text: str | None, caller: Caller, namespace: str | None) -> frozenset[Topic]:
    """None asked for by name: all that may be read; else each has to be. Raises Problem 401, 403, 404, 422."""
    if text is None:
        readable = frozenset(topic for topic in TOPICS if _may(caller, topic, namespace))
        if not readable:
            raise caller.refusal(RIGHT_OF["revisions"], EVERYWHERE if namespace is None else namespace)
        return readable
    found: set[Topic] = set()
    for word in text.split(","):
        topic = next((each for each in TOPICS if each == word), None)
        if topic is None:
            message = f"query.topics: {word!r} is none of {', '.join(TOPICS)}{did_you_mean(word, TOPICS)}"
            raise invalid_request(message, (FieldError(path="query.topics", code="unknown_topic", message=message),))
        if topic == "gateways":
            caller.require_everywhere(RIGHT_OF[topic])
        elif namespace is not None:
            caller.require(RIGHT_OF[topic], namespace)
        else:
            caller.require_somewhere(RIGHT_OF[topic])
        found.add(topic)
    return frozenset(found)


def _may(caller: Caller, topic: Topic, namespace: str | None) -> bool:
    if topic == "gateways":
        return caller.namespaces(RIGHT_OF[topic]) is None
    return caller.may_somewhere(RIGHT_OF[topic]) if namespace is None else caller.may(RIGHT_OF[topic], namespace)


def _services(text: str) -> frozenset[str]:
    """Raises Problem 422."""
    names = frozenset(filter(None, text.split(",")))
    message = ""
    if len(names) > MOST_SERVICES:
        message = f"query.services: {len(names)} services are above {MOST_SERVICES}"
    elif bad := next((name for name in sorted(names) if name.count("/") != 1), ""):
        message = f"query.services: {bad!r} is no namespace/name"
    if message:
        raise invalid_request(message, (FieldError(path="query.services", code="bad_service", message=message),))
    return names

"""A worker's parts put together, and its life: from the supervisor's first frame to the last call of its drain."""

import asyncio
import ipaddress
import logging
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import random
from typing import Any, Final

from gateway.channel import (
    Answered,
    Applied,
    Channel,
    ChannelFrame,
    Drained,
    Leaving,
    MissingKey,
    NonceFrame,
    Ready,
    Refusal,
    Start,
    TransitionFrame,
)
from gateway.compiler import diff
from gateway.compiler.tables import Compiler
from gateway.descriptors import receive_descriptors
from gateway.feed.state import Changes, FeedState, Trouble, Whole
from gateway.host_table import HostTable
from gateway.nonces import AskedNonces
from gateway.plan import Parts
from gateway.relay.deadline import TimerWheel
from gateway.relay.relay import Relay
from gateway.relay.shedding import Shedding
from gateway.routing.table import TablesHolder
from gateway.secret_ring import SecretRing
from gateway.upstream.transition import Transition
from gateway.wire.listener_context import ListenerContext
from gateway.wire.opening import Opener
from gateway.wire.tcp.caller import Carriage
from gateway.worker import caching, frames
from gateway.worker.answering import Answering
from gateway.worker.apply import Applier
from gateway.worker.beats import Beats
from gateway.worker.call_records import CallRecords
from gateway.worker.connecting import Connecting
from gateway.worker.desks import desks_of
from gateway.worker.evidence import Evidence
from gateway.worker.explaining import explaining
from gateway.worker.gauges import Gauges
from gateway.worker.judging import Judging
from gateway.worker.leftovers import remove_leftovers
from gateway.worker.listening import Listening
from gateway.worker.new_listeners import NewListeners
from gateway.worker.overload import Overload
from gateway.worker.own_listeners import OwnListeners
from gateway.worker.serving import Serving
from gateway.worker.streams import Streams
from gateway.worker.unready import unready_tables
from meshway.issuers.key_ring import KeyRing
from meshway.issuers.link import IssuerLink
from meshway.model.listener import Listener, face_of, spoken
from meshway.snapshot import Hello
from meshway.tasks import spawn

# Who was accepted from the queue at the last moment has this long to be heard.
ORPHAN_IDLE_S: Final = 0.5
# A frame holds 1 MiB, and a document may echo anything in its reason.
MOST_REFUSED: Final = 1_000
MOST_TEXT: Final = 300

_log = logging.getLogger("meshway.gateway.worker")


class Worker:
    """Its parts are there from the first frame (`Start`) on."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sockets: Mapping[str, socket.socket], handed: socket.socket
    ) -> None:
        """sockets: by the name of their listener. handed: over which further ones come."""
        handed.setblocking(False)
        self._handed = handed
        self.loop = loop
        self._sockets = sockets
        self.listening = Listening(loop, self._opened, self._count_handshake, self._gone)
        self._feed = FeedState(judges_values=False)
        self._is_orphan = False
        self._orphan_end_s = 5.0
        self.channel = Channel(self._on_frame, self._on_orphaned)
        self.finished = self.listening.closed
        self.nonces = AskedNonces(self._ask_nonce)

    def _on_frame(self, frame: ChannelFrame) -> None:
        if isinstance(frame, Start):
            self._build(frame)
        else:
            frames.take(self, frame)

    # Its parts.

    def _build(self, start: Start) -> None:
        settings, now = start.settings, time.monotonic
        self.node = settings.node
        self._runtime, self._folder_lock = Path(start.host_table).parent, settings.folder_lock
        self._orphan_end_s = settings.orphan_drain_s
        self.wheel = TimerWheel(now())
        secrets = SecretRing()
        self.records = CallRecords(settings, Path(start.counters), secrets, lambda: self.parts.workers, now)
        self.connecting = Connecting(
            self.loop, secrets, lambda: self.compiler.tables.trust, lambda: self.serving.identity, self.wheel, now
        )
        parts = self.parts = self._parts(start, secrets, now)
        self.compiler = Compiler(parts)
        self._policies = self.compiler.state.policies
        self.holder = TablesHolder(unready_tables(parts))
        streams = Streams(lambda: self.listening.listeners, now)
        self.judging = Judging(self.holder, self.records.counters, streams)
        self.applier = Applier(self.compiler, self.holder, self._applied, self.channel.pause, self.channel.resume)
        self._relay = Relay(self.holder, self.connecting.pool, self.wheel, now, self.records.finisher.finish)
        self._listen(start)
        self.gauges = Gauges(self.records.counters, self._relay.tunnels)
        self.evidence = Evidence(lambda instances: self.channel.send(Answered(instances=instances)))
        self.answering = Answering(self, now())
        receive_descriptors(self.loop, self._handed, self.own.take)
        self._beats = Beats(self, self.loop)

    def _parts(self, start: Start, secrets: SecretRing, now: Callable[[], float]) -> Parts:
        settings, connecting = start.settings, self.connecting
        return Parts(
            now=now,
            random=random,
            workers=start.workers,
            worker=start.column,
            zone=settings.zone,
            aside=self.aside,
            counters=self.records.counters,
            host_table=HostTable(Path(start.host_table), start.column),
            report=self._report,
            retire=connecting.retire,
            pool=connecting.pool,
            shared_pool=connecting.shared_pool,
            desks=desks_of(self.channel, self.loop.call_soon, start.workers),
            nonces=self.nonces,
            keys=KeyRing(lambda url: self.channel.send(MissingKey(url=url))),
            issuers=IssuerLink(allow_loopback=settings.calls_loopback),
            secrets=secrets,
            crosses_namespaces=settings.crosses_namespaces,
        )

    def _listen(self, start: Start) -> None:
        """Nobody is accepted before there are tables."""
        settings, relay, counters = start.settings, self._relay, self.records.counters
        proxies = [ipaddress.ip_network(text) for text in settings.trusted_proxies]
        listeners = NewListeners(
            relay,
            Carriage(self.holder, Opener(self.loop, self.connecting.contexts, alpn=())),
            counters,
            settings,
            proxies,
            explaining(lambda: self.compiler.state, settings.node),
            self._count_handshake,
            self.parts.wall,
            start.reset_key,
            self.parts.host_table.sources if self.parts.host_table is not None else None,
            is_alone=start.workers == 1,
        )
        usual = Listener()
        for name, accepting in self._sockets.items():
            self.listening.add(listeners.make(name, face_of(name, usual), spoken(name, usual)), accepting)
        self.serving = Serving(self.listening.listeners, proxies, self.parts.secrets)
        self.own = OwnListeners(listeners.make, self.listening, self.serving.add, settings.drain_s)
        shedding = Shedding(self.holder, random)

        def turn(sheds: bool) -> None:
            relay.holder = shedding if sheds else self.holder

        self.overload = Overload(
            settings.overload,
            shedding,
            self.listening.listeners,
            counters,
            start.column,
            turn=turn,
            close_idle=self._close_idle,
            shrink=lambda: caching.shrink(self.compiler.state),
        )

    # What it follows.

    def follow(self, frame: Any) -> None:
        """Of the feed: the supervisor has checked it; here frames become whole revisions again."""
        if isinstance(frame, Hello):
            self._feed = FeedState(judges_values=False)
        outcome = self._feed.take(frame)
        if isinstance(outcome, Trouble):
            # A fault between supervisor and worker: only a worker that starts anew is right again.
            _log.error("the channel is out of step: %s", outcome.reason)
            self.channel.close()
        elif isinstance(outcome, Whole | Changes):
            self.applier.take(outcome)

    def _applied(self, revision: int, refusals: list[diff.Refusal]) -> None:
        self.judging.begin()
        state, tables = self.compiler.state, self.compiler.tables
        self.serving.take(state.served, tables.trust)
        self.own.hold(state.served.listeners)
        if state.policies is not self._policies:
            self._policies = state.policies
            clusters = tables.clusters.values()
            self.connecting.contexts.keep({one.opening.tls for one in clusters if one.opening.tls is not None})
        self.records.follow(state.telling, self._relay)
        shown = refusals[:MOST_REFUSED]
        refused = [Refusal(r.kind, r.namespace, r.name, r.path[:MOST_TEXT], r.reason[:MOST_TEXT]) for r in shown]
        self.channel.send(Applied(revision=revision, refused=refused))
        self.listening.open()

    # What its parts say.

    def aside(self, make: Callable[[], Any], take: Callable[[Any], None]) -> None:
        """From any thread: makes a value in a thread, hands it over on the loop."""

        async def run() -> None:
            take(await self.loop.run_in_executor(None, make))

        self.loop.call_soon_threadsafe(lambda: spawn(run(), name="make a table beside the loop"))

    def _report(self, transition: Transition) -> None:
        self.channel.send(TransitionFrame(transition=transition))

    def _ask_nonce(self, number: int, mark: bytes, until: float) -> None:
        self.channel.send(NonceFrame(number=number, mark=mark, until=until))

    def _opened(self) -> None:
        self.channel.send(Ready(revision=self.holder.tables.revision))

    def _gone(self, listener: ListenerContext) -> None:
        self.serving.remove(listener)

    def _count_handshake(self, listener: str, has_failed: bool) -> None:
        counters = self.records.counters
        result = "failed" if has_failed else "done"
        counters.add(counters.counter("meshway_tls_handshakes_total", listener=listener, result=result))

    def _close_idle(self) -> None:
        """Connections of callers and to services that carry no call."""
        for listener in self.listening.listeners:
            listener.close_idle()
        for endpoint in self.holder.tables.endpoints.values():
            self.connecting.retire(endpoint)

    # Its end.

    def leave(self) -> None:
        """SIGTERM to this process alone; when the whole host ends, the supervisor says so in the same moment."""
        self.channel.send(Leaving())

    def _on_orphaned(self) -> None:
        """The supervisor is gone: nobody will replace us, so leave soon, and leave the port at once."""
        self._is_orphan = True
        self.listening.drain(ORPHAN_IDLE_S, self._orphan_end_s, is_last=True)

    async def end(self) -> None:
        if self.listening.listeners:
            await self.records.say_goodbye()
            if self._is_orphan and self._folder_lock:
                remove_leftovers(self._runtime, Path(self._folder_lock))
        self.channel.send(Drained())
        self.channel.close()

"""A worker: one process, one loop, its slot's sockets; puts the parts together and does what the channel says.

Run by the supervisor as `python -m gateway.worker.worker CHANNEL SOCKETS edge=N mesh=N …` (descriptors). It
leaves when its calls are done after `drain`, and within seconds when the supervisor is gone.
"""

import asyncio
import gc
import ipaddress
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import random
from typing import Any, Final

from gateway.channel import (
    Alive,
    Answered,
    Applied,
    Buckets,
    Channel,
    ChannelFrame,
    Drain,
    Drained,
    Gateways,
    GrantFrame,
    IdentityFrame,
    Kept,
    KeySetFrame,
    KeySetsWanted,
    Leaving,
    ListenersWanted,
    MissingKey,
    NonceFrame,
    NonceTold,
    NoSnapshot,
    PairFrame,
    PairsWanted,
    Proven,
    Ready,
    Refusal,
    ReopenLogs,
    Start,
    StoreFrame,
    Told,
    TransitionFrame,
)
from gateway.compiler import diff
from gateway.compiler.tables import Compiler
from gateway.compiler.telling import TellingPlans
from gateway.descriptors import receive_descriptors
from gateway.event_loop import loop_factory
from gateway.feed.state import Changes, FeedState, Trouble, Whole
from gateway.host_table import HostTable
from gateway.nonces import AskedNonces
from gateway.plan import Parts
from gateway.relay.deadline import TICK_S, TimerWheel
from gateway.relay.relay import Relay
from gateway.relay.shedding import Shedding
from gateway.routing.table import TablesHolder
from gateway.secret_ring import SecretRing
from gateway.settings import own_version
from gateway.telemetry.access_log import AccessLog
from gateway.telemetry.counters import BEYOND, Counters
from gateway.telemetry.finish import Finisher
from gateway.telemetry.otlp_sink import OtlpSinks
from gateway.telemetry.recorder import Recorder
from gateway.telemetry.tap import Tap
from gateway.telemetry.telling import Telling
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.pool import Pool
from gateway.upstream.shared_pool import SharedPool
from gateway.upstream.transition import Transition
from gateway.wire.http1.client import IDENTIFYING, make_connector
from gateway.wire.http2.client import make_shared_connector
from gateway.wire.http2.upstream import speaking
from gateway.wire.listener_context import ListenerContext
from gateway.wire.opening import Opener
from gateway.wire.places import allow_all_descriptors
from gateway.wire.tcp.caller import Carriage
from gateway.wire.upstream_tls import UpstreamContexts
from gateway.worker import caching
from gateway.worker.answering import Answering
from gateway.worker.apply import Applier
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
from gateway.worker.telling import follow
from gateway.worker.unready import unready_tables
from meshway.http1.field_lines import response_lines
from meshway.http1.head import HeadLimits
from meshway.issuers.key_ring import KeyRing
from meshway.issuers.link import IssuerLink
from meshway.model.document import MESH_NAMESPACE
from meshway.model.listener import Listener, face_of, spoken
from meshway.outbound.guard import guarded_dial
from meshway.snapshot import Hello, Question, SecretFrame, SecretsWanted
from meshway.tasks import spawn

# uvloop takes the GIL per callback: at the default 5 ms a compiling thread would hold every callback up that long.
SWITCH_INTERVAL_S: Final = 1e-4
# A young object of a call dies with the call; looking often finds nothing.
GC_THRESHOLDS: Final = (20_000, 20, 50)
# Who was accepted from the queue at the last moment has this long to be heard.
ORPHAN_IDLE_S: Final = 0.5
BEATS_PER_SLOW_BEAT: Final = 5  # 50 ms: access log, waits and ejections
# A frame holds 1 MiB, and a document may echo anything in its reason.
MOST_REFUSED: Final = 1_000
MOST_TEXT: Final = 300
BEATS_PER_SIGN: Final = 100  # 1 s: tells the supervisor that the loop turns

_log = logging.getLogger("meshway.gateway.worker")


class Worker:
    """Lives from the first frame (`start`) to the last call of its drain."""

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
        self._beats = 0
        self._told_by: TellingPlans | None = None
        self._is_orphan = False
        self._orphan_end_s = 5.0
        self.channel = Channel(self._on_frame, self._on_orphaned)
        self.finished = self.listening.closed
        self._nonces = AskedNonces(self._ask_nonce)

    def _on_frame(self, frame: ChannelFrame) -> None:
        if isinstance(frame, Start):
            self._build(frame)
        elif isinstance(frame, NoSnapshot):
            self.listening.open()
        elif isinstance(frame, Drain):
            self.listening.drain(frame.idle_s, frame.end_s, is_last=frame.is_last)
        elif isinstance(frame, ReopenLogs):
            self._log_file.reopen()
        elif isinstance(frame, TransitionFrame):
            self._applier.take(frame.transition)
        elif isinstance(frame, GrantFrame):
            self.parts.desks[frame.scope].answered(frame.number, frame.grants, frame.workers)
        elif isinstance(frame, StoreFrame):
            self.parts.desks["mesh"].tell(frame.lost, frame.workers)
        elif isinstance(frame, KeySetFrame):
            self.parts.keys.take(frame.url, frame.text, frame.confirmed_s)
        elif isinstance(frame, SecretFrame):
            self.parts.secrets.take(frame)
        elif isinstance(frame, SecretsWanted):
            self.parts.secrets.drop(frame.keys)
        elif isinstance(frame, NonceTold):
            self._nonces.told(frame.number, frame.is_fresh)
        elif isinstance(frame, KeySetsWanted):
            self.parts.keys.drop(frame.urls)
        elif isinstance(frame, PairFrame):
            self._serving.pairs.take((frame.namespace, frame.name), frame.pair)
        elif isinstance(frame, PairsWanted):
            self._serving.pairs.drop(frame.names)
        elif isinstance(frame, ListenersWanted):
            self._own.want(frame.spots)
        elif isinstance(frame, IdentityFrame):
            self._serving.take_identity(frame.pair)
        elif isinstance(frame, Buckets):
            self.compiler.limits.adopt(frame.limits, time.monotonic())
        elif isinstance(frame, Gateways):
            self.parts.gateways = frame.live
            self._serving.heard(frame.heard_s)
            for cluster in self.holder.tables.clusters.values():
                cluster.share_anew()
        elif isinstance(frame, Proven):
            self.compiler.prove(frame.changes)
        elif isinstance(frame, Kept):
            self._applier.take(frame)
        elif isinstance(frame, Question):
            self._answering.take(frame)
        else:
            self._follow(frame)

    def _build(self, start: Start) -> None:
        settings = start.settings
        self._orphan_end_s = settings.orphan_drain_s
        self.node = settings.node
        self._runtime, self._folder_lock = Path(start.host_table).parent, settings.folder_lock
        now = time.monotonic
        self.counters = Counters(Path(start.counters), settings.max_series)
        self.counters.counter(BEYOND)  # shown while there are none, too
        dropped = self.counters.counter("meshway_access_log_dropped_total")
        secrets = SecretRing()
        dial = guarded_dial(allow_loopback=settings.calls_loopback)
        self._log_file = AccessLog(
            settings.access_log,
            settings.log_buffer,
            lambda count: self.counters.add(dropped, count),
            now=now,
            collectors=OtlpSinks(secrets, MESH_NAMESPACE, settings.node, own_version(), dial),
        )
        self._wheel = TimerWheel(now())
        contexts = self._contexts = UpstreamContexts(
            secrets, lambda: self.compiler.tables.trust, lambda: self._serving.identity
        )
        shared_pool = self._shared_pool = SharedPool(
            make_shared_connector(self.loop, contexts=contexts), self._wheel, now
        )
        connector = speaking(
            make_connector(self.loop, contexts=contexts), shared_pool, HeadLimits(), response_lines(drop=IDENTIFYING)
        )
        pool = self._pool = Pool(connector, self._wheel, now)
        parts = self.parts = Parts(
            now=now,
            random=random,
            workers=start.workers,
            worker=start.column,
            zone=settings.zone,
            aside=self.aside,
            counters=self.counters,
            host_table=HostTable(Path(start.host_table), start.column),
            report=self._report,
            retire=self._retire,
            pool=pool,
            shared_pool=shared_pool,
            desks=desks_of(self.channel, self.loop.call_soon, start.workers),
            nonces=self._nonces,
            keys=KeyRing(lambda url: self.channel.send(MissingKey(url=url))),
            issuers=IssuerLink(allow_loopback=settings.calls_loopback),
            secrets=secrets,
            crosses_namespaces=settings.crosses_namespaces,
        )
        self._evidence = Evidence(lambda instances: self.channel.send(Answered(instances=instances)))
        self.compiler = Compiler(parts)
        self._policies = self.compiler.state.policies
        self.holder = TablesHolder(unready_tables(parts))
        streams = Streams(lambda: self.listening.listeners, now)
        self._judging = Judging(self.holder, self.counters, streams)
        self._applier = Applier(self.compiler, self.holder, self._applied, self.channel.pause, self.channel.resume)
        self.recorder = Recorder(Path(settings.recorded)) if settings.recorded else None
        self._answering = Answering(self, now())
        self._telling = Telling(
            self.counters, self._log_file.writer, lambda: parts.workers, keeps_lines=self._log_file.is_on
        )
        self._finisher = Finisher(self.counters, self._log_file, self.recorder, self._telling)
        self.tap = Tap(self._log_file.writer, self._turn_tap, random)
        relay = self._relay = Relay(self.holder, pool, self._wheel, now, self._finisher.finish)
        self._gauges = Gauges(self.counters, relay.tunnels)
        shedding = Shedding(self.holder, random)

        def turn(sheds: bool) -> None:
            relay.holder = shedding if sheds else self.holder

        proxies = [ipaddress.ip_network(text) for text in settings.trusted_proxies]
        explain = explaining(lambda: self.compiler.state, settings.node)
        listeners = NewListeners(
            relay,
            Carriage(self.holder, Opener(self.loop, contexts, alpn=())),
            self.counters,
            settings,
            proxies,
            explain,
            self._count_handshake,
            parts.wall,
            start.reset_key,
            parts.host_table.sources if parts.host_table is not None else None,
            is_alone=start.workers == 1,
        )
        usual = Listener()
        for name, accepting in self._sockets.items():
            self.listening.add(listeners.make(name, face_of(name, usual), spoken(name, usual)), accepting)
        self._serving = Serving(self.listening.listeners, proxies, parts.secrets)
        self._own = OwnListeners(listeners.make, self.listening, self._serving.add, settings.drain_s)
        self._overload = Overload(
            settings.overload,
            shedding,
            self.listening.listeners,
            self.counters,
            start.column,
            turn=turn,
            close_idle=self._close_idle,
            shrink=lambda: caching.shrink(self.compiler.state),
        )
        receive_descriptors(self.loop, self._handed, self._own.take)
        self._next_beat = now() + TICK_S
        self.loop.call_later(TICK_S, self._beat)

    def _follow(self, frame: Any) -> None:
        """The supervisor has checked the feed; here frames become whole revisions again."""
        if isinstance(frame, Hello):
            self._feed = FeedState(judges_values=False)
        outcome = self._feed.take(frame)
        if isinstance(outcome, Trouble):
            # A fault between supervisor and worker: only a worker that starts anew is right again.
            _log.error("the channel is out of step: %s", outcome.reason)
            self.channel.close()
        elif isinstance(outcome, Whole | Changes):
            self._applier.take(outcome)

    def _gone(self, listener: ListenerContext) -> None:
        self._serving.remove(listener)

    def _count_handshake(self, listener: str, has_failed: bool) -> None:
        result = "failed" if has_failed else "done"
        self.counters.add(self.counters.counter("meshway_tls_handshakes_total", listener=listener, result=result))

    def _applied(self, revision: int, refusals: list[diff.Refusal]) -> None:
        self._judging.begin()
        served = self.compiler.state.served
        self._serving.take(served, self.compiler.tables.trust)
        self._own.hold(served.listeners)
        if self.compiler.state.policies is not self._policies:
            self._policies = self.compiler.state.policies
            clusters = self.compiler.tables.clusters.values()
            self._contexts.keep({one.opening.tls for one in clusters if one.opening.tls is not None})
        if self.compiler.state.telling is not self._told_by:
            self._told_by = self.compiler.state.telling
            follow(self._told_by, self._finisher, self._log_file, self._relay, self.counters)
        shown = refusals[:MOST_REFUSED]
        refused = [Refusal(r.kind, r.namespace, r.name, r.path[:MOST_TEXT], r.reason[:MOST_TEXT]) for r in shown]
        self.channel.send(Applied(revision=revision, refused=refused))
        self.listening.open()

    def aside(self, make: Callable[[], Any], take: Callable[[Any], None]) -> None:
        """From any thread: makes a value in a thread, hands it over on the loop."""

        async def run() -> None:
            take(await self.loop.run_in_executor(None, make))

        self.loop.call_soon_threadsafe(lambda: spawn(run(), name="make a table beside the loop"))

    def _report(self, transition: Transition) -> None:
        self.channel.send(TransitionFrame(transition=transition))

    def _ask_nonce(self, number: int, mark: bytes, until: float) -> None:
        self.channel.send(NonceFrame(number=number, mark=mark, until=until))

    def _turn_tap(self, is_heard: bool) -> None:
        self._finisher.listen(self.tap if is_heard else None)

    def _opened(self) -> None:
        self.channel.send(Ready(revision=self.holder.tables.revision))

    def _beat(self) -> None:
        self.loop.call_later(TICK_S, self._beat)
        now = time.monotonic()
        self._overload.beat(now, now - self._next_beat)
        self._next_beat = now + TICK_S
        self._wheel.advance(now)
        self._judging.beat()
        for each in tuple(self.parts.advancing):
            each.advance(now)
        self._beats += 1
        if self._beats % BEATS_PER_SLOW_BEAT == 0:
            self.holder.tables.tick(now)
            self._finisher.flush()
            self._log_file.beat()
            for lines, spans in self._telling.take():
                self.channel.send(Told(lines=lines, spans=spans))
            if self.recorder is not None:
                self.recorder.beat()
            self.tap.beat(now)
            self._evidence.beat(self.holder.tables)
            self._gauges.beat(self.holder.tables, self.compiler.limits)
            self.listening.beat(now)
            self._serving.beat()
        if self._beats % BEATS_PER_SIGN == 0:
            self.channel.send(Alive())

    def _retire(self, endpoint: Endpoint) -> None:
        """An endpoint is gone, or is to be connected to otherwise."""
        self._pool.close_idle(endpoint)
        self._shared_pool.retire(endpoint)

    def _close_idle(self) -> None:
        """Connections of callers and to services that carry no call."""
        for listener in self.listening.listeners:
            listener.close_idle()
        for endpoint in self.holder.tables.endpoints.values():
            self._retire(endpoint)

    def leave(self) -> None:
        """SIGTERM to this process alone; when the whole host ends, the supervisor says so in the same moment."""
        self.channel.send(Leaving())

    def _on_orphaned(self) -> None:
        """The supervisor is gone: nobody will replace us, so leave soon, and leave the port at once."""
        self._is_orphan = True
        self.listening.drain(ORPHAN_IDLE_S, self._orphan_end_s, is_last=True)

    async def end(self) -> None:
        if self.listening.listeners:
            self._finisher.flush()
            await self._log_file.say_goodbye()
            self._log_file.close()
            if self.recorder is not None:
                self.recorder.close()
            if self._is_orphan and self._folder_lock:
                remove_leftovers(self._runtime, Path(self._folder_lock))
        self.channel.send(Drained())
        self.channel.close()


async def run(channel_fd: int, descriptors_fd: int, sockets: Mapping[str, int]) -> None:
    loop = asyncio.get_running_loop()
    listening = {name: socket.socket(fileno=descriptor) for name, descriptor in sockets.items()}
    worker = Worker(loop, listening, socket.socket(fileno=descriptors_fd))
    for number in (signal.SIGINT, signal.SIGHUP):  # a terminal sends them to all; the supervisor decides
        signal.signal(number, signal.SIG_IGN)
    loop.add_signal_handler(signal.SIGTERM, worker.leave)
    down = socket.socket(fileno=channel_fd)
    down.setblocking(False)
    await loop.create_connection(lambda: worker.channel, sock=down)
    await worker.finished.wait()
    await worker.end()


def main() -> None:
    channel_fd, descriptors_fd = int(sys.argv[1]), int(sys.argv[2])
    sockets = {name: int(descriptor) for name, _, descriptor in (each.partition("=") for each in sys.argv[3:])}
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s worker {os.getpid()} %(levelname)s %(message)s")
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(*GC_THRESHOLDS)
    allow_all_descriptors()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(run(channel_fd, descriptors_fd, sockets))


if __name__ == "__main__":
    main()

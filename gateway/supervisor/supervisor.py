"""The supervisor of a gateway host: owns the sockets, follows the registry, keeps the workers, answers the admin port.

It carries no call. What it holds is what its workers run, so a worker can be replaced at any moment.
"""

import asyncio
import contextlib
import os
import signal
import socket
import time
from importlib.util import find_spec
from pathlib import Path
from random import random
from typing import Final

from gateway.channel import ChannelFrame, Refusal, TransitionFrame, encode
from gateway.feed.follower import Follower
from gateway.feed.held import Held
from gateway.feed.keeper import Keeper
from gateway.feed.number_reports import NumberReports
from gateway.feed.registry_link import RegistryUrl
from gateway.feed.reporter import Reporter
from gateway.feed.state import FeedState
from gateway.feed.unsent import Unsent
from gateway.secret_ring import SecretRing
from gateway.settings import Addresses, GatewaySettings, own_version
from gateway.supervisor import status
from gateway.supervisor.admin import Admin
from gateway.supervisor.announcing import Announcing
from gateway.supervisor.assigning import Assigning
from gateway.supervisor.certificate_sources import CertificateSources
from gateway.supervisor.checking import Checking
from gateway.supervisor.data_folder import sign
from gateway.supervisor.followed import Followed
from gateway.supervisor.held_trust import HeldTrust
from gateway.supervisor.kept_frames import KeptFrames
from gateway.supervisor.kept_nonces import KeptNonces
from gateway.supervisor.key_fetching import KeyFetching
from gateway.supervisor.mesh_telemetry import mesh_telemetry
from gateway.supervisor.offer import Taken
from gateway.supervisor.own_certificate import OwnCertificate
from gateway.supervisor.own_listeners import Own, OwnListeners
from gateway.supervisor.place import Place
from gateway.supervisor.questions import Questions
from gateway.supervisor.removals import Removals
from gateway.supervisor.reports import Reports
from gateway.supervisor.service_manager import Manager, ServiceManager, manager_of
from gateway.supervisor.slot import Slot
from gateway.supervisor.slots import Slots
from gateway.supervisor.succession import Succession
from gateway.supervisor.telling import CallTelling
from gateway.supervisor.transitions import Transitions
from gateway.supervisor.worker_process import WorkerProcess
from gateway.telemetry.counters import Totals
from gateway.telemetry.differences import Differences
from gateway.upstream.transition import Transition
from gateway.wire.upstream_tls import UpstreamContexts
from meshway.addresses import is_loopback
from meshway.certificates import Pair
from meshway.issuers.key_sources import fetching
from meshway.outbound.connection import Dial
from meshway.outbound.guard import guarded_dial
from meshway.tasks import spawn

GOODBYE_S: Final = 1.0


class Supervisor:
    """runtime: the folder for what the host's processes share."""

    def __init__(
        self,
        settings: GatewaySettings,
        urls: tuple[RegistryUrl, ...],
        runtime: Path,
        slots: list[Slot],
        addresses: Addresses,
    ) -> None:
        self.settings = settings
        self._urls = urls
        self.addresses = addresses
        self.started_at = time.monotonic()
        self.secrets = SecretRing()
        dial = guarded_dial(allow_loopback=is_loopback(settings.bind))
        self._follow(urls)
        self._report_on(dial)
        self._hold_keys(dial)
        contexts = UpstreamContexts(
            self.secrets, HeldTrust(lambda: self.held.entries), lambda: self.own_certificate.pair
        )
        self.checking = Checking(self.held.changes, contexts, self._on_found)
        self.checker = self.checking.checker
        # What the environment of a child says is meant for whoever has started it.
        self.service_manager = ServiceManager(Manager() if settings.is_child else manager_of(os.environ, os.getpid()))
        self._announcing = Announcing(addresses, settings.ready_file, self.service_manager, self._report)
        self.questions = Questions(self)
        self.listeners = OwnListeners(
            settings.node_name,
            settings.worker_count,
            self._show_own,
            self._on_changed,
            is_insecure=settings.insecure,
            given={name: accepting.getsockname()[:2] for name, accepting in slots[0].sockets.items()},
            has_http3=find_spec("aioquic") is not None,
        )
        self._place = Place(self)
        self._succession = Succession(self, self._place)
        self.slots = self._slots_of(slots, runtime)
        self._server = Admin(status.pages(self), status.controls(self))
        self._has_ended = asyncio.Event()

    def _follow(self, urls: tuple[RegistryUrl, ...]) -> None:
        """The registry: what it says is held, kept, and guarded."""
        settings = self.settings
        self.held = Held()
        self.transitions = Transitions(time.monotonic)
        self.feed = FeedState()
        self.followed = Followed(self)
        self.follower = Follower(urls, settings.node_name, self.feed, self.followed.take, random)
        self.keeper = Keeper(self._last_good, self.followed.state, time.monotonic)
        self.removals = Removals(self._send, self._report, time.monotonic)
        self.guard = self.removals.guard

    def _report_on(self, dial: Dial) -> None:
        """What the registry, and collectors, are told."""
        settings = self.settings
        self.totals = Totals(lambda: mesh_telemetry(self.held.entries).max_series)
        self._reports = Reports(self)
        self.reporter = Reporter(lambda: self.follower.registry, self._reports.take)
        self.differences = Differences()
        self.totals.before_fold = self.differences.leave
        self.numbers = NumberReports(
            settings.node_name,
            Unsent(settings.data_dir / "gateway" / "unsent.reports", time.time),
            registry=lambda: self.follower.registry,
            post=self.reporter.post,
            count=lambda: self.differences.take(self.slots.counters()),
            wall=time.time,
            random=random,
            every_s=lambda: mesh_telemetry(self.held.entries).report_every,
        )
        self.assigning = Assigning(
            settings.node_name,
            settings.worker_count,
            lambda: self.follower.registry,
            self._on_store,
            time.monotonic,
        )
        self.telling = CallTelling(
            settings.node_name, own_version(), lambda: self.follower.registry, self.reporter.post, dial, self.secrets
        )

    def _hold_keys(self, dial: Dial) -> None:
        """Secrets, keys of who issues tokens, and what the gateway shows."""
        settings = self.settings
        self.keys = KeyFetching(
            fetching(dial),
            self._on_keys,
            time.monotonic,
            time.time,
            random,
        )
        self.kept = KeptFrames(settings.data_dir / "gateway", lambda: [*self.secrets.frames(), *self.keys.frames()])
        self.certificates = CertificateSources(
            settings.certificates_folder,
            self.secrets,
            lambda frame: self.slots.send_encoded(encode(frame)),
            self._on_changed,
        )
        self.own_certificate = OwnCertificate(
            settings.data_dir,
            settings.registry_urls,
            settings.enrol_token_file,
            settings.registry_ca_file,
            lambda frame: self.slots.send_encoded(encode(frame)),
            self._show,
        )
        self.nonces = KeptNonces(settings.data_dir / "gateway", time.time)

    def _slots_of(self, slots: list[Slot], runtime: Path) -> Slots:
        return Slots(
            slots,
            runtime,
            self.settings.for_workers(),
            self.totals,
            snapshot=lambda: None if self.held.is_empty else self.held.frames(),
            before=self.followed.before,
            in_force=self.followed.in_force,
            on_changed=self._on_changed,
            on_applied=self._on_applied,
            on_transition=self._on_transition,
            on_answered=self._reports.answered.update,
            on_told=self.telling.take,
            on_asked=self.assigning.take,
            on_missing_key=self.keys.miss,
            on_nonce=self._succession.on_nonce,
            on_reloaded=lambda: self._announcing.reloaded(self.slots.revision),
        )

    async def run(self, admin: socket.socket, lock: int, taken: Taken | None) -> None:
        """Until it is told to end, or another one has its place, and all workers have left. lock: of the data folder.
        taken: what it was given by the one whose place it takes."""
        self.followed.load(self._last_good)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        control = self.settings.data_dir / "run" / "gateway.sock"
        if taken is None:
            await self._server.listen(admin, control)
        await self.certificates.refresh()
        self.own_certificate.load()
        await self._succession.begin(taken)
        self.numbers.unsent.load()
        await self.listeners.settle()
        await self.slots.start()
        tasks = [
            spawn(self.follower.run(), name="follow the registry"),
            spawn(self.telling.run(), name="tell of single calls"),
            spawn(self.numbers.run(), name="report numbers to the registry"),
            spawn(self.slots.watch(), name="watch the workers"),
            spawn(self.questions.run(), name="prune recorded calls"),
            spawn(self.assigning.run(), name="ask for assignments of limits"),
            spawn(self.keys.run(), name="fetch keys of token issuers"),
            spawn(self.certificates.run(), name="read the files of certificates"),
            spawn(self.listeners.run(), name="bind the listeners of documents"),
        ]
        self._place.begin()
        try:
            if await self._succession.complete():
                if taken is not None:
                    sign(lock)
                    self.listeners.let_go_inherited()
                    await self._server.listen(admin, control)
                self._succession.listen(lock, admin)
                self._place.take()
                self._on_changed()
            await self._has_ended.wait()
        finally:
            for task in tasks:
                task.cancel()
            self._place.leave()
            self._succession.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self.telling.flush()
            await self.numbers.close(keeps=self._succession.has_place)
            if self._succession.has_place:
                await self.reporter.say_goodbye()
            await self.checker.close()
            if self._succession.has_place:
                await self._place.write_files()
            self._server.close()

    def reload(self) -> None:
        """Files are read anew, and workers take the place of workers."""
        if self._succession.has_place:
            self.service_manager.reloading()
        self.certificates.wake()
        self.slots.reload()

    def end(self) -> None:
        """Drains and ends; asked again, at once."""
        spawn(self._end(), name="end")

    async def _end(self) -> None:
        if self._succession.has_place:
            self.service_manager.stopping()
        self._succession.give_up()
        await self.slots.end(self.settings.worker.drain_s)
        self._has_ended.set()

    # What another supervisor that takes this one's place asks for (succession.py).

    def fall_silent(self) -> None:
        self._place.fall_silent()
        self._server.close()
        self.listeners.is_over = True

    async def leave(self) -> None:
        drain_s = self.settings.worker.drain_s
        await self.slots.hand_over(drain_s, drain_s, len(self.slots.slots))
        self._has_ended.set()

    # What parts say.

    def _show(self, pair: Pair) -> None:
        for url in self._urls:
            url.show(pair)

    def _on_keys(self, frame: ChannelFrame) -> None:
        self.kept.changed()
        self.slots.send_encoded(encode(frame))

    def _on_changed(self) -> None:
        slots = self.slots
        self._announcing.look(
            slots.revision,
            self.refused(),
            slots.hot_path,
            is_ready=not slots.missing,
            has_place=self._succession.has_place,
        )
        self._succession.look()

    def _on_applied(self, worker: WorkerProcess) -> None:
        self.followed.settle(worker)
        self._on_changed()

    def _on_store(self) -> None:
        self.slots.send_encoded(encode(self.assigning.frame()))
        self.reporter.changed()

    def _on_transition(self, worker: WorkerProcess, transition: Transition) -> None:
        self.transitions.take(transition)
        self.slots.send_encoded(encode(TransitionFrame(transition=transition)), but=worker)

    def _on_found(self, transition: Transition) -> None:
        """By a health check."""
        self.transitions.take(transition)
        self._send(encode(TransitionFrame(transition=transition)))

    def _send(self, frames: bytes) -> None:
        self.slots.send_encoded(frames)

    def _report(self) -> None:
        self.reporter.changed()

    def _show_own(self, own: Own) -> None:
        self.slots.show(own)

    @property
    def _last_good(self) -> Path:
        """The folder of the last good snapshots."""
        return self.settings.data_dir / "gateway" / "last_good"

    @property
    def silence_s(self) -> float:
        """Since the registry was last heard, or this process began."""
        heard = self.follower.heard_at
        return time.monotonic() - (self.started_at if heard is None else heard)

    # What others ask.

    def refused(self) -> list[Refusal]:
        """Documents that do not compile, as any worker says, each once, and those whose files may not serve."""
        of_workers = (refusal for worker in self.slots.running for refusal in worker.refused)
        return list(dict.fromkeys((*of_workers, *self.certificates.refused, *self.listeners.refused)))

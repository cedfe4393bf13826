"""One worker as its supervisor sees it: a process, a channel, and what it said last."""

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from gateway.channel import (
    Answer,
    Answered,
    Applied,
    AskFrame,
    Channel,
    ChannelFrame,
    Drain,
    Drained,
    Leaving,
    ListenerSpot,
    ListenersWanted,
    MissingKey,
    NonceFrame,
    NoSnapshot,
    Ready,
    Refusal,
    ReopenLogs,
    Start,
    Told,
    TransitionFrame,
)
from gateway.descriptors import descriptor_pair, send_descriptor
from gateway.hot_path import HotPath, hot_path
from gateway.supervisor.heap import heap
from gateway.upstream.transition import Transition
from meshway.snapshot import Question

REAP_S: Final = 2.0

InstanceKey = tuple[str, str, str]

_log = logging.getLogger("meshway.gateway.supervisor")


class Owner(Protocol):
    """Who is told what a worker says; all calls come on the loop."""

    def on_ready(self, worker: "WorkerProcess") -> None: ...

    def on_applied(self, worker: "WorkerProcess") -> None: ...

    def on_transition(self, worker: "WorkerProcess", transition: Transition) -> None: ...

    def on_answered(self, instances: list[InstanceKey]) -> None:
        """Evidence: these gave good answers."""

    def on_told(self, told: Told) -> None:
        """Lines and spans of single calls."""

    def on_missing_key(self, url: str) -> None:
        """A caller has named a key that the set lacks."""

    def on_nonce(self, worker: "WorkerProcess", frame: NonceFrame) -> None:
        """Of a signed request; it waits for the answer."""

    def on_asked(self, worker: "WorkerProcess", frame: AskFrame) -> None:
        """Its limits want assignments."""

    def on_leaving(self, worker: "WorkerProcess") -> None:
        """It was asked to end by somebody else."""

    def on_gone(self, worker: "WorkerProcess") -> None:
        """The process has ended and was reaped; `is_draining` says whether it was asked to."""


class WorkerProcess:
    """start: what the worker is told first. column: of the host table. revision: the last one it applied.

    ready_at: the loop's time when it said ready, None if it never did. was_heard: it has said something.
    silent_turns: of the watch since it said something; 0 again with each frame. hot_path: what it runs.
    """

    def __init__(self, slot: int, start: Start, owner: Owner) -> None:
        self.slot = slot
        self.start = start
        self.column = start.column
        self.counters = Path(start.counters)
        self.revision = 0
        self.refused: list[Refusal] = []
        self.is_ready = False
        self.has_tables = False
        self.is_draining = False
        self.has_drained = False
        self.ready = asyncio.Event()
        self.gone = asyncio.Event()
        self.ready_at: float | None = None
        self.was_heard = False
        self.silent_turns = 0
        self.hot_path = HotPath(is_compiled=False)
        self._owner = owner
        self._asked = 0
        self._spawned_at = 0.0
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._descriptors: socket.socket | None = None
        self._shown: set[int] = set()  # numbers of sockets that it was handed
        self._channel = Channel(self._on_frame, self._on_closed)

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    async def spawn(self, sockets: Mapping[str, socket.socket]) -> None:
        """The process and its channel; `begin` comes next. sockets: by their listener. Raises OSError."""
        loop = asyncio.get_running_loop()
        self.hot_path = await asyncio.to_thread(hot_path)  # in a checkout with machine code it reads all sources
        self._spawned_at = loop.time()
        ours, theirs = socket.socketpair()
        self._descriptors, their_descriptors = descriptor_pair()
        try:
            named = [f"{name}={listener.fileno()}" for name, listener in sockets.items()]
            pairs = [theirs.fileno(), their_descriptors.fileno()]
            handed = [*pairs, *(listener.fileno() for listener in sockets.values())]
            # Blocks for the few milliseconds of a fork; the watcher that asyncio's own would start is not wanted.
            self._process = subprocess.Popen(  # noqa: ASYNC220, S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "gateway.worker.process", *map(str, pairs), *named],
                pass_fds=handed,
                stdin=subprocess.DEVNULL,
                env=heap(self.hot_path.environment()),
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
            their_descriptors.close()
        ours.setblocking(False)
        await loop.create_connection(lambda: self._channel, sock=ours)

    def begin(self, snapshot: Iterator[bytes] | None, before: Iterable[ChannelFrame]) -> None:
        """snapshot: frames of what is held now; None: nothing is. Whatever is sent later must follow on it.

        before: what the worker must know to read the snapshot.
        """
        self._channel.send(self.start)
        for frame in before:
            self._channel.send(frame)
        if snapshot is None:
            self._channel.send(NoSnapshot())
        else:
            self._channel.send_all(snapshot)

    def show(self, own: Sequence[tuple[ListenerSpot, socket.socket]]) -> None:
        """Listeners beside those it was given: these and no others."""
        assert self._descriptors is not None
        try:
            for spot, accepting in own:
                if spot.number not in self._shown:
                    send_descriptor(self._descriptors, spot.number, accepting)
                    self._shown.add(spot.number)
        except OSError as error:  # it takes none, or is gone; another one takes its place
            _log.error("worker %d (pid %d) takes no listener: %s", self.slot, self.pid, error.strerror or error)
            self.kill()
        self._channel.send(ListenersWanted(spots=[spot for spot, _ in own]))

    def send(self, frame: ChannelFrame) -> None:
        self._channel.send(frame)

    def send_encoded(self, frames: bytes) -> None:
        self._channel.send_encoded(frames)

    def send_snapshot(self, frames: Iterator[bytes]) -> None:
        self._channel.send_all(frames)

    def drain(self, idle_s: float, end_s: float, *, is_last: bool = False) -> None:
        self.is_draining = True
        self._channel.send(Drain(idle_s=idle_s, end_s=end_s, is_last=is_last))

    def reopen_logs(self) -> None:
        self._channel.send(ReopenLogs())

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    async def ask(self, kind: str, timeout_s: float, body: Any = None) -> Any:
        """Its answer to a question of the supervisor's own. Raises TimeoutError, also when the worker is gone."""
        if self._channel.is_closed:
            raise TimeoutError("the worker is gone")
        self._asked += 1
        name = f"{kind}-{self._asked}"
        answer = self._answers[name] = asyncio.get_running_loop().create_future()
        self._channel.send(Question(id=name, kind=kind, deadline_s=timeout_s, body=body))
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        finally:
            self._answers.pop(name, None)

    def _on_frame(self, frame: ChannelFrame) -> None:
        self.was_heard, self.silent_turns = True, 0
        if isinstance(frame, Applied):
            self.revision, self.refused, self.has_tables = frame.revision, frame.refused, True
            self._owner.on_applied(self)
        elif isinstance(frame, Ready):
            self.is_ready = True
            self.ready_at = asyncio.get_running_loop().time()
            took_s = self.ready_at - self._spawned_at
            _log.info("worker %d (pid %d) accepts after %.2f s, r%d", self.slot, self.pid, took_s, frame.revision)
            self.ready.set()
            self._owner.on_ready(self)
        elif isinstance(frame, TransitionFrame):
            self._owner.on_transition(self, frame.transition)
        elif isinstance(frame, Answer):
            waiting = self._answers.get(frame.id)
            if waiting is not None and not waiting.done():
                waiting.set_result(frame.body)
        elif isinstance(frame, Answered):
            self._owner.on_answered(frame.instances)
        elif isinstance(frame, Told):
            self._owner.on_told(frame)
        elif isinstance(frame, AskFrame):
            self._owner.on_asked(self, frame)
        elif isinstance(frame, MissingKey):
            self._owner.on_missing_key(frame.url)
        elif isinstance(frame, NonceFrame):
            self._owner.on_nonce(self, frame)
        elif isinstance(frame, Leaving):
            self._owner.on_leaving(self)
        elif isinstance(frame, Drained):
            self.has_drained = True

    def _on_closed(self) -> None:
        """The other end is closed: the process is gone, or about to be."""
        self.is_ready = False
        if self._descriptors is not None:
            self._descriptors.close()
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(TimeoutError("the worker is gone"))
        self._reap(asyncio.get_running_loop(), asyncio.get_running_loop().time() + REAP_S)

    def _reap(self, loop: asyncio.AbstractEventLoop, give_up: float) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            if loop.time() >= give_up:
                self._process.kill()
            loop.call_later(0.01, self._reap, loop, give_up)
            return
        if not self.is_draining:
            _log.error("worker %d (pid %d) ended with %s", self.slot, self.pid, _said(self._process.returncode))
        self.ready.set()
        self.gone.set()
        self._owner.on_gone(self)


def _said(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"status {code}"

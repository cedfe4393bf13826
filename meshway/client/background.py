"""A service's presence in the mesh for programs without an event loop: one thread keeps all registrations alive.

The thread runs the same keeper as an async service does. Ending is done by the calling thread with a blocking client,
since it must also work while the interpreter is shutting down.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar
from weakref import WeakMethod

from meshway.client import calls
from meshway.client.errors import MeshwayError
from meshway.client.keeper import Keeper
from meshway.client.presence import SETTLE_S
from meshway.client.registration import Held, Registration, Status
from meshway.client.registry import AsyncRegistry, Registry
from meshway.client.settings import MeshSettings
from meshway.client.sharing import Share, join_share

T = TypeVar("T")
_log = logging.getLogger("meshway.client")
_ANSWER_S = 2.0


class Registered:
    """What `with mesh.register(...) as me` gives. Safe to use from any thread."""

    def __init__(self, background: Background, registry: Registry, held: Held, share: Share) -> None:
        self._background, self._registry, self._held, self._share = background, registry, held, share
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._ends = self._ended = False

    @property
    def id(self) -> str:
        return self._held.wanted.id

    def status(self) -> Status:
        return self._held.status(time.monotonic())

    def drain(self) -> None:
        """Takes no new calls from now on; returns when every gateway knows, after 5 s at the latest."""
        with self._lock:
            if self._ends or self._ended or not self._background.leave(self._held):
                return
            self._ends = True
            if not self._held.lease_id:
                return
            try:
                self._registry.send(calls.drain(self._held.wanted))
                time.sleep(SETTLE_S)
            except MeshwayError as error:
                _log.warning("%s could not say that it drains: %s", self._held.wanted.name, error.line)

    def end(self) -> None:
        """Deregisters; once. Without a registry the lease runs out by itself."""
        with self._lock:
            if self._ended or os.getpid() != self._process:
                return
            self._ended = True
            ends = self._ends or self._background.leave(self._held)
            known = self._held.lease_id is not None
            self._background.forget(self._held)
            if not ends:
                return
            try:
                self._registry.send(calls.deregister(self._held.wanted))
                _log.info("deregistered %s", self._held.wanted.name)
            except MeshwayError as error:
                # Asked also without a lease, since the answer to a registration may have been lost.
                level = logging.WARNING if known else logging.DEBUG
                _log.log(level, "%s could not deregister: %s", self._held.wanted.name, error.line)

    def abandon(self) -> None:
        """In a forked child: the registration is the parent's."""
        self._share.abandon()


class Background:
    """Belongs to one Mesh; its thread starts with the first registration."""

    def __init__(self, settings: MeshSettings, registry: Registry) -> None:
        self._settings, self._registry = settings, registry
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keeper: Keeper | None = None
        self._kept: list[Registered] = []
        self._starting = threading.Lock()
        after_fork = WeakMethod(self._forget_parent)
        os.register_at_fork(after_in_child=lambda: (method := after_fork()) and method())

    @contextmanager
    def present(self, wanted: Registration) -> Iterator[Registered]:
        """Registers in the background and never fails for want of a registry; drains on SIGTERM."""
        me = self.keep(wanted)
        restore = drain_on_sigterm(me)
        try:
            yield me
        finally:
            restore()
            self.end(me)

    def keep(self, wanted: Registration) -> Registered:
        """Registers until `end`, or the end of the process."""
        share = join_share(f"{self._settings.registry} {wanted.name}")
        keeper = self._start()
        held = self._ask(lambda: keeper.add(wanted, share))
        me = Registered(self, self._registry, held, share)
        self._kept.append(me)
        atexit.register(me.end)
        return me

    def end(self, me: Registered) -> None:
        me.end()
        atexit.unregister(me.end)
        with contextlib.suppress(ValueError):
            self._kept.remove(me)

    def leave(self, held: Held) -> bool:
        """See Keeper.leave. False when the thread does not answer: then the lease runs out."""
        keeper = self._keeper
        try:
            return keeper is not None and self._ask(lambda: keeper.leave(held))
        except TimeoutError:
            return False

    def forget(self, held: Held) -> None:
        keeper = self._keeper
        if keeper is not None:
            with contextlib.suppress(TimeoutError):
                self._ask(lambda: keeper.forget(held))

    def _start(self) -> Keeper:
        with self._starting:
            if self._keeper is None:
                begun = threading.Event()
                threading.Thread(target=self._run, args=(begun,), name="meshway", daemon=True).start()
                begun.wait()
            assert self._keeper is not None
            return self._keeper

    def _run(self, begun: threading.Event) -> None:
        async def keep() -> None:
            self._loop = asyncio.get_running_loop()
            self._keeper = Keeper(AsyncRegistry(self._settings))
            begun.set()
            await self._keeper.run()

        asyncio.run(keep())

    def _ask(self, what: Callable[[], T]) -> T:
        """Runs it on the keeper's loop, where alone its state is touched."""

        async def asked() -> T:
            return what()

        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(asked(), self._loop).result(_ANSWER_S)

    def _forget_parent(self) -> None:
        """The thread does not live in a forked child, and the parent's locks are not the child's to let go."""
        self._loop = self._keeper = None
        self._starting = threading.Lock()  # the parent's may be held by a thread that is not here to let it go
        for me in self._kept:
            me.abandon()
        self._kept.clear()


def drain_on_sigterm(me: Registered) -> Callable[[], None]:
    """Drains first, then does what SIGTERM did before: the server's handler, or the end of the program by SystemExit,
    which runs `finally` blocks. The main thread goes on serving meanwhile. Returns what takes the handler out again.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    before = signal.getsignal(signal.SIGTERM)
    stopping = has_left = False

    def drain_and_stop() -> None:
        me.drain()
        os.kill(os.getpid(), signal.SIGTERM)

    def on_sigterm(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        # Left already: a later registration put its handler over this one, and gave it back when it left.
        if not stopping and not has_left:
            stopping = True
            threading.Thread(target=drain_and_stop, name="meshway drains", daemon=True).start()
        elif callable(before):
            before(number, frame)
        elif before is signal.SIG_DFL:
            raise SystemExit(128 + number)

    def restore() -> None:
        nonlocal has_left
        has_left = True
        if signal.getsignal(signal.SIGTERM) is on_sigterm:
            signal.signal(signal.SIGTERM, before)

    signal.signal(signal.SIGTERM, on_sigterm)
    return restore

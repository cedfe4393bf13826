"""A service's presence in the mesh while it runs in an event loop: registered, renewed, drained, gone.

On SIGTERM the instance drains first: gateways stop sending calls, and only then the server's own shutdown begins, so
that no call meets a closed port.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any, Final

from meshway.client import calls
from meshway.client.errors import MeshwayError
from meshway.client.keeper import Keeper
from meshway.client.registration import Held, Registration, Status
from meshway.client.registry import AsyncRegistry
from meshway.client.settings import MeshSettings
from meshway.client.sharing import join_share
from meshway.tasks import spawn

_log = logging.getLogger("meshway.client")
Handler = Callable[[int, FrameType | None], Any]
# Requests a gateway had written before it heard of the draining are read within this time.
SETTLE_S: Final = 0.1


class Present:
    """What `async with mesh.register(...) as me` gives."""

    def __init__(self, keeper: Keeper, held: Held, registry: AsyncRegistry) -> None:
        self._keeper, self._held, self._registry = keeper, held, registry
        self._ends = False

    @property
    def id(self) -> str:
        return self._held.wanted.id

    def status(self) -> Status:
        return self._held.status(time.monotonic())  # the keeper's clock; a loop may have another

    async def drain(self) -> None:
        """Takes no new calls from now on; returns when every gateway knows, after 5 s at the latest."""
        if self._ends or not self._keeper.leave(self._held):
            return
        self._ends = True
        if not self._held.lease_id:
            return
        try:
            await self._registry.send(calls.drain(self._held.wanted))
            await asyncio.sleep(SETTLE_S)
        except MeshwayError as error:
            _log.warning("%s could not say that it drains: %s", self._held.wanted.name, error.line)

    async def end(self) -> None:
        """Deregisters. Without a registry the lease runs out by itself."""
        if not self._ends:
            self._ends = self._keeper.leave(self._held)
        known = self._held.lease_id is not None
        self._keeper.forget(self._held)
        if self._ends:
            try:
                await self._registry.send(calls.deregister(self._held.wanted))
                _log.info("deregistered %s", self._held.wanted.name)
            except MeshwayError as error:
                # Asked also without a lease, since the answer to a registration may have been lost.
                level = logging.WARNING if known else logging.DEBUG
                _log.log(level, "%s could not deregister: %s", self._held.wanted.name, error.line)


@asynccontextmanager
async def present(settings: MeshSettings, wanted: Registration) -> AsyncIterator[Present]:
    """Registers in the background and never fails for want of a registry."""
    registry = AsyncRegistry(settings)
    keeper = Keeper(registry)
    held = keeper.add(wanted, join_share(f"{settings.registry} {wanted.name}"))
    me = Present(keeper, held, registry)
    task = spawn(keeper.run(), name=f"meshway keeps {wanted.name}")
    restore = _drain_on_sigterm(me)
    try:
        yield me
    finally:
        restore()
        try:
            await me.end()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await registry.close()


def _drain_on_sigterm(me: Present) -> Callable[[], None]:
    """Puts the draining before whatever SIGTERM did so far; returns what takes it out again.

    The server's handler was installed before its lifespan began (uvicorn does so), thus it is what we find here. A
    second SIGTERM does not wait.
    """
    if threading.current_thread() is not threading.main_thread():
        return _nothing
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGTERM)
    stopping = has_left = False

    async def drain_and_stop() -> None:
        await me.drain()
        pass_on(signal.SIGTERM, None)

    def pass_on(number: int, frame: FrameType | None) -> None:
        if callable(before):
            before(number, frame)
        elif before is signal.SIG_DFL:
            raise SystemExit(128 + number)

    def on_sigterm(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        # Left already: a later registration put its handler over this one, and gave it back when it left.
        if stopping or has_left:
            pass_on(number, frame)
            return
        stopping = True
        loop.call_soon_threadsafe(lambda: spawn(drain_and_stop(), name="meshway drains"))

    def restore() -> None:
        nonlocal has_left
        has_left = True
        if signal.getsignal(signal.SIGTERM) is on_sigterm:
            signal.signal(signal.SIGTERM, before)

    signal.signal(signal.SIGTERM, on_sigterm)
    return restore


def _nothing() -> None:
    return None

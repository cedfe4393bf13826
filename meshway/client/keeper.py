"""Keeps the registrations of a process alive: registers, renews in one batch, registers again after a loss.

One keeper runs in one task (of the service's loop, or of a thread of its own). Nothing it meets may break the service:
without a registry it goes on trying, from 0.2 s to 15 s apart, for ever, and logs one line when that state changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from meshway.client import calls
from meshway.client.calls import Call, Renewal
from meshway.client.errors import MeshwayError, Unreachable
from meshway.client.registration import Held, Registration
from meshway.client.sharing import Alone, Share

T = TypeVar("T")
_log = logging.getLogger("meshway.client")

FIRST_RETRY_S: Final = 0.2
LAST_RETRY_S: Final = 15.0
SHARE_CHECK_S: Final = 1.0
PROBE_S: Final = 0.05
PROBE_LIMIT_S: Final = 10.0
# A registry that stood still does what it was asked when it goes on, though nobody waits for it any more.
DOUBT_S: Final = 60.0
_IDLE_S: Final = 3600.0
# Not among them: draining (registering again would bring the calls back), superseded and gone.
_TO_REGISTER: Final = frozenset({"starting", "shared", "unregistered"})


class Sends(Protocol):
    """What the keeper needs of `AsyncRegistry`."""

    async def send(self, call: Call[T]) -> T: ...


class Keeper:
    """clock, chance, listens: given by tests; otherwise the process's own."""

    def __init__(
        self,
        registry: Sends,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        listens: Callable[[str, int], Awaitable[bool]] | None = None,
    ) -> None:
        self._registry = registry
        self._clock, self._chance = clock, chance
        self._listens = listens or port_listens
        self._kept: list[tuple[Held, Share, float]] = []
        self._woken = asyncio.Event()
        self._away = False

    def add(self, wanted: Registration, share: Share) -> Held:
        """Starts to keep it; the first attempt is made at once. Call it on the keeper's loop."""
        held = Held(wanted)
        held.due = self._clock()
        self._kept.append((held, share, held.due))
        self._woken.set()
        return held

    def leave(self, held: Held) -> bool:
        """Gives up this process's part; True when it was the last that had one, and the registration is to be ended.

        Then the lease is renewed on, for what is under way must not look like a dead instance, until `forget`.
        """
        for at, (kept, share, since) in enumerate(self._kept):
            if kept is not held or held.state in ("superseded", "gone", "draining"):
                continue
            lease_id = held.lease_id or share.read_lease()
            if share.leave():
                held.lease_id, held.state = lease_id, "draining"
                self._kept[at] = (held, Alone(), since)
                return True
            self.forget(held)
        return False

    def forget(self, held: Held) -> None:
        """Stops keeping it. A registration that is not ended runs out with its lease."""
        for entry in self._kept:
            if entry[0] is held:
                self._kept.remove(entry)
                entry[1].leave()
        held.lease_id, held.state = None, "gone"

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            wait_s = await self.step()
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), wait_s)

    async def step(self) -> float:
        """Does what is due and returns the seconds until something is due again."""
        for held, share, since in tuple(self._kept):
            if held.due <= self._clock() and held.lease_id is None and held.state in _TO_REGISTER:
                await self._begin(held, share, since)
        if any(held.lease_id and held.due <= self._clock() for held, _, _ in self._kept):
            await self._renew()
        now = self._clock()
        waiting = (held.due - now for held, _, _ in self._kept if held.lease_id or held.state in _TO_REGISTER)
        return max(0.0, min(waiting, default=_IDLE_S))

    async def _begin(self, held: Held, share: Share, since: float) -> None:
        if not share.hold():
            held.state, held.due = "shared", self._clock() + SHARE_CHECK_S
            return
        if (left := share.read_lease()) is not None:
            held.lease_id, held.due = left, self._clock()  # the sister that held it died: go on with her lease
            held.state = "passing"
            return
        wanted = held.wanted
        # Registered before it listens, an instance would be called in vain; of datagrams nobody can tell.
        may_wait = held.state == "starting" and wanted.protocol != "udp"
        if may_wait and not await self._listens(wanted.address, wanted.port):
            if self._clock() - since < PROBE_LIMIT_S:
                held.due = self._clock() + PROBE_S
                return
            _log.warning(
                "nothing answers on %s:%d yet; registering %s all the same", wanted.address, wanted.port, wanted.name
            )
        await self._register(held, share)

    async def _register(self, held: Held, share: Share) -> None:
        call, begun = calls.register(held.wanted), self._clock()
        try:
            lease = await self._registry.send(call)
        except MeshwayError as error:
            if held.state != "draining":
                held.state = "unregistered"
            self._failed((held,), error)
            return
        finally:
            if self._clock() - begun >= call.timeout_s:
                held.doubted_until = self._clock() + DOUBT_S
        self._back()
        held.lease_id, held.revision = lease.lease_id, lease.revision
        if held.state != "draining":  # else it was told to leave while the answer was under way
            held.state = "passing"
            share.write_lease(lease.lease_id)
        held.renewed(self._clock())
        _log.info("registered %s at %s:%d", held.wanted.name, held.wanted.address, held.wanted.port)

    async def _renew(self) -> None:
        """All leases in one batch, also those not due yet: so they fall due together from then on."""
        leased = {held.lease_id: (held, share) for held, share, _ in self._kept if held.lease_id}
        try:
            answer = await self._registry.send(calls.renew(list(leased)))
        except MeshwayError as error:
            self._failed(tuple(held for held, _ in leased.values()), error)
            return
        self._back()
        self._judge(leased, answer)

    def _judge(self, leased: dict[str, tuple[Held, Share]], answer: Renewal) -> None:
        for lease_id, (held, share) in leased.items():
            if held.lease_id != lease_id:
                continue  # forgotten while the answer was under way
            is_superseded = lease_id in answer.superseded
            if is_superseded and self._clock() >= held.doubted_until:
                held.lease_id, held.state = None, "superseded"
                held.error = "another process registered under this id"
                _log.warning(
                    "%s was taken over by another process and is no longer renewed here; "
                    "two copies need two ids: register(..., id=...)",
                    held.wanted.name,
                )
            elif is_superseded or lease_id in answer.unknown:
                held.lease_id, held.due, held.doubted_until = None, self._clock(), 0.0
                if held.state != "draining":
                    share.write_lease(None)
                    held.state = "unregistered"
                    _log.warning("the registry does not know %s by its lease; registering it again", held.wanted.name)
            else:
                held.renewed(self._clock())

    def _failed(self, those: tuple[Held, ...], error: MeshwayError) -> None:
        away = isinstance(error, Unreachable)
        line = error.line
        for held in those:
            if not away and held.error != line:
                _log.error("%s is not registered: %s; trying on", held.wanted.name, error)
            wait_s = backoff_s(held.failures, self._chance()) if away else LAST_RETRY_S
            held.error, held.due = line, self._clock() + wait_s
            held.failures += 1
        if away and not self._away:
            self._away = True
            _log.warning("%s; serving on, and trying again until it does", line)

    def _back(self) -> None:
        if self._away:
            self._away = False
            _log.info("the registry answers again")


def backoff_s(failures: int, chance: float) -> float:
    """0.2 s doubling to 15 s, each time the upper half at random, so that a restarted registry is not stormed."""
    ceiling = min(LAST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures, 16))
    return ceiling * (0.5 + chance / 2.0)


async def port_listens(address: str, port: int) -> bool:
    """True when something accepts connections there within half a second."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 0.5)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True

"""Leases over several registries: each holds its own table of them, and Redis (or Valkey) tells them of each other.

A heartbeat is answered when Redis has it. Five times a second each replica reads what was renewed since it last looked,
so all of them know every lease's end, and any may sweep. Without Redis nobody expires: renewals are kept here, the
store is told so (`Veto`), and they are handed over, with their true time, when Redis is back.
docs/internals/leases.md tells why this is safe.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING, Final

from registry.live import scripts
from registry.live.held_sweep import HeldSweep
from registry.live.interface import LIVE, Claimed, Renewed
from registry.live.redis_link import LiveAway, RedisLink, masked
from registry.live.shared_table import SharedTable, scores
from registry.live.waiting_renewals import Waiting, WaitingRenewals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry.live.handover import Done
    from registry.live.interface import Agreement, Lease, Veto

_LOOK_EVERY_S: Final = 0.2
_TRY_EVERY_S: Final = 0.3
# No replica looked for so long: nobody could renew, so all leases count as renewed when one looks again.
_ABSENCE_S: Final = 2.0
_SAY_AGAIN_S: Final = 30.0
# Leases that one question to Redis names.
_ASKED: Final = 1000
# Late renewals stand in Redis for a minute; who looked longer ago reads everything.
_LATE_S: Final = 50.0
# How much sooner than here a lease may be over in another replica's eyes.
_CLAIMED_EARLY_S: Final = 1.5

_log = logging.getLogger("registry.live")


class RedisLive(SharedTable):
    """clock: monotonic seconds. `run` is its task; until its first look has succeeded Redis counts as away."""

    def __init__(self, url: str, clock: Callable[[], float], veto: Veto, agreement: Agreement) -> None:
        """Raises StartRefused."""
        super().__init__(clock)
        self.notice = self.noticed = b""
        self._url = masked(url)
        self._link = RedisLink(url, [scripts.BEAT, scripts.CLAIM, scripts.LOOK, scripts.SETTLE])
        self._sweep = HeldSweep(veto, clock)
        self._agreement = agreement
        self._place: str | None = None
        # Since when all look where this one looks; None: they do not, so nobody's renewals are heard.
        self._agreed_s: float | None = None
        self._away: str | None = "not connected yet"
        self._waiting = WaitingRenewals()
        self._looking = asyncio.Lock()
        self._run = b""
        self._since = 0
        self._looked_at = -1.0
        self.losses = 0
        self._said_at = -_SAY_AGAIN_S

    @property
    def kept(self) -> int:
        """Renewals that were answered and are not in Redis yet."""
        return len(self._handover.kept)

    @property
    def mark(self) -> int:
        return self._since  # a mark is Redis's time, as is how far the last look went

    def missing(self) -> str | None:
        return self._away

    def renew(self, lease_ids: Sequence[str]) -> Renewed:
        self._waiting.refuse_when_full(len(lease_ids))
        by_id = self._by_id
        found = [lease for one in lease_ids if (lease := by_id.get(one)) is not None and lease.state == LIVE]
        now = self.now()
        overdue = [Claimed(lease, 0) for lease in found if lease.expires_s <= now + _CLAIMED_EARLY_S]
        renewed = super().renew(lease_ids)
        if not (found or renewed.critical):
            return renewed
        written: asyncio.Future[list[Claimed]] = asyncio.get_running_loop().create_future()
        if self._sweep.is_sure or not found:
            self._handover.kept.update((lease.lease_id, now) for lease in found)
            # A sweep that claimed it before we lost Redis may still be on its way to the store.
            written.set_result(overdue)
        else:
            self._waiting.add(Waiting(found, overdue, written))
        return Renewed(renewed.count, renewed.critical, renewed.unknown, renewed.superseded, written)

    async def claim(self, leases: Sequence[Lease]) -> list[Claimed]:
        claimed: list[Claimed] = []
        for at in range(0, len(leases), _ASKED):
            part = leases[at : at + _ASKED]
            asked = scripts.pack_claim(self._link.shas[1], self._run, [(lease.ttl_s, lease.packed) for lease in part])
            try:
                ((mark, *members),) = await self._link.ask([asked])
            except LiveAway as away:
                self._lose(away)
                return []
            named = {member.decode() for member in members}
            claimed += [Claimed(lease, int(mark)) for lease in part if lease.lease_id in named]
        return claimed

    async def settle(self, claims: Sequence[Claimed]) -> None:
        marked = [(claim.lease.packed, claim.mark) for claim in claims if claim.mark]
        try:
            for at in range(0, len(marked), _ASKED):
                await self._link.ask([scripts.pack_settle(self._link.shas[3], marked[at : at + _ASKED])])
        except LiveAway as away:
            self._lose(away)

    async def begin_anew(self) -> bool:
        try:
            await self._link.ask([scripts.command(*scripts.END_PRESENCE)])
        except LiveAway as away:
            self._lose(away)
            return False
        return await self.catch_up()

    # --- its tasks ---

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await asyncio.gather(self._look_on(), self._write_renewals())
        finally:
            await self._link.close()

    async def catch_up(self) -> bool:
        async with self._looking:
            try:
                if not self._link.is_open:
                    await self._link.open()
                await self._look()
                if self._away is not None:
                    # From here on renewals go to Redis; those that came during the look follow it.
                    self._away = None
                    self._sweep.end()
                    while self._handover.kept:
                        await self._look()
                    _log.info("Redis at %s is there; %d leases are shared", self._url, len(self))
            except LiveAway as away:
                self._lose(away)
                return False
            self._sweep.release()
            return True

    async def _look_on(self) -> None:
        while True:
            if await self.catch_up():
                await asyncio.sleep(_LOOK_EVERY_S)
            else:
                await self._keep_what_waits(ask_anew=True)
                await asyncio.sleep(_TRY_EVERY_S)

    async def _write_renewals(self) -> None:
        while True:
            await self._waiting.due()
            if self._away is not None:
                await self._keep_what_waits()
                self._waiting.rest()
            elif batch := self._waiting.take(scripts.BEAT_MEMBERS):
                await self._write(batch)

    async def _write(self, batch: list[Waiting]) -> None:
        members = [lease.packed for waiting in batch for lease in waiting.leases]
        step = scripts.BEAT_MEMBERS
        asked = [scripts.pack_beat(self._link.shas[0], members[at : at + step]) for at in range(0, len(members), step)]
        try:
            answers = await self._link.ask(asked)
        except LiveAway as away:
            self._waiting.give_back(batch)
            self._lose(away)
            await self._keep_what_waits()
            return
        self._waiting.settle(batch, {member: mark for answer in answers for member, mark in scores(answer)})

    # --- without Redis ---

    def _lose(self, away: LiveAway) -> None:
        now = self.now()
        if self._away is None:
            self.losses += 1
            self._said_at = now
            _log.warning("Redis at %s is missing (%s): no lease ends, renewals are kept here", self._url, away)
        elif now - self._said_at > _SAY_AGAIN_S:
            self._said_at = now
            _log.warning("Redis at %s is still missing: %s", self._url, away)
        self._away = str(away)

    async def _keep_what_waits(self, *, ask_anew: bool = False) -> None:
        """Answers renewals that Redis did not take, if the store lets the others know that they exist. ask_anew:
        whether it still does."""
        if ask_anew or not self._sweep.is_sure:
            asked_s = self.now()
            is_held = await self._sweep.hold()
            if self._away is None:  # Redis came back meanwhile: the veto ends, and what waits goes there
                self._waiting.look_again()
                return
            self._sweep.held(is_held=is_held, asked_s=asked_s)
        now = self.now()
        leases = self._waiting.give_up(is_kept=self._sweep.is_held)
        self._handover.kept.update((lease.lease_id, now) for lease in leases)

    # --- looking ---

    async def _look(self) -> None:
        """Hands over what waits and reads what is new, until neither is left."""
        is_first = self._looked_at < 0
        if self.now() - self._looked_at > _LATE_S:
            self._since = 0
        run = self._link.run
        # A table that was just loaded is read before it is handed over: most of it is there.
        is_handing_over = self._since > 0
        while True:
            asked, done = self._pack(run, is_handing_over=is_handing_over)
            (answer,) = await self._link.ask([asked])
            received = self.now()
            agreed_s = await self._agree(answer[7].decode())
            now, begun = int(answer[0]), int(answer[1])
            self.noticed = answer[2]
            self._run = run
            if begun != self._begun:
                begun_s = received - (now - begun) / 1e6
                if not is_first:
                    _log.warning("Redis at %s began anew: all leases count as renewed", self._url)
                self._count_as_renewed(begun_s if is_first else max(begun_s, agreed_s))
                self._begun = begun
            done(answer[3], received)
            pages = answer[4:7]
            self._hear(pages, now, received, is_first=is_first)
            full = [page for page in pages if len(page) >= 2 * scripts.PAGE]
            # The page that got least far says where to go on; what is read twice does no harm.
            self._since = min((int(float(page[-1])) for page in full), default=now)
            if not full and is_handing_over and not self._handover.has_more:
                break
            is_handing_over = is_handing_over or not full
        self._looked_at = received

    async def _agree(self, place: str) -> float:
        """Since when all look here. Raises LiveAway where the others of the store do not: what is said here they do not
        hear."""
        refusal = self._agreement.refusal
        if place != self._place:
            refusal = await self._agreement.reach(place)
            self._place, self._agreed_s = place, None
        if refusal is not None:
            self._agreed_s = None
            raise LiveAway(refusal)
        if self._agreed_s is None:
            self._agreed_s = self.now()
        return self._agreed_s

    def _pack(self, run: bytes, *, is_handing_over: bool) -> tuple[bytes, Done]:
        """The bytes of one look, and what forgets what it has handed over."""
        lists, done = self._handover.part(self.now(), is_whole=is_handing_over)
        asked = scripts.pack_look(
            self._link.shas[2],
            run=run,
            absence_s=_ABSENCE_S,
            since=self._since,
            notice=self.notice,
            name=secrets.token_hex(8).encode(),  # never one that another place bears
            lists=lists,
        )
        return asked, done

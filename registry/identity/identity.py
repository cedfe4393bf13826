"""The parts of workload identity put together, and what has to be done about it by and by."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from meshway.problem import Problem
from registry.identity.custody import Custody, done
from registry.identity.enrolment import Enrolment
from registry.identity.outside import Outside
from registry.identity.publishing import Publisher
from registry.identity.revocation import Revocation
from registry.identity.rotation import Rotation
from registry.identity.service_tokens import TOKEN_S, ServiceTokens
from registry.store.authorities import add_authority, forget_authorities, move_trust, retire, set_state
from registry.store.certificates import forget_certificates
from registry.store.enrolments import forget_enrolments
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.sealing import Sealing
    from registry.identity.custody import Trust
    from registry.identity.kubernetes import TokenReviews
    from registry.revisions.revisions import Revisions
    from registry.store.interface import Store
    from registry.view.view import View

LOOK_S: Final = 2.0
_TIDY_TURNS: Final = 30  # of looks: once a minute
# What has expired is kept a day longer, so that a refusal can say so.
_KEPT_S: Final = 86_400.0
_DAY_S: Final = 86_400.0
# Of an intermediate's ninety days, the last third: the next one issues, while what this one issued lives on.
_INTERMEDIATE_LEFT_S: Final = 30 * _DAY_S
_WORK: Final = "identity"
_log = logging.getLogger("registry.identity")


class Identity:
    """behind: the live gateways that do not run a revision. lifetime_s: of leaves. wall: seconds since 1970. reviews:
    as in Enrolment."""

    def __init__(
        self,
        view: View,
        store: Store,
        revisions: Revisions,
        sealing: Sealing | None,
        *,
        behind: Callable[[int], tuple[str, ...]],
        lifetime_s: Callable[[], float],
        wall: Callable[[], float],
        reviews: TokenReviews | None = None,
    ) -> None:
        self._store = store
        self._wall = wall
        self._behind = behind
        self.custody = Custody(store, sealing, wall)
        self.publisher = Publisher(view, store, revisions, wall)
        self.enrolment = Enrolment(store, self.custody, revisions, wall, lifetime_s, reviews)
        self.revocation = Revocation(store, self.custody, self.publisher, wall)
        self.rotation = Rotation(store, self.custody, self.publisher, behind=behind, wall=wall)
        self.tokens = ServiceTokens(self.custody, self.enrolment, wall)
        self.outside = Outside(store, self.custody, revisions, wall)

    async def run(self) -> None:
        """Never ends. What fails is tried again at the next turn: issuing and renewing do not depend on it."""
        turn = 0
        while True:
            try:
                if await self.publisher.is_due() or (turn == 0 and self.publisher.shown is not None):
                    await self.publisher.publish()
                if turn == 0 and self.publisher.shown is not None and await self._store.lead(_WORK):
                    await self.tidy()
            except StoreUnavailable as error:
                _log.debug("not now: %s", error)
            except Problem as problem:
                _log.warning("what is due for identities is not done: %s", problem.detail or problem.title)
            turn = (turn + 1) % _TIDY_TURNS
            await asyncio.sleep(LOOK_S)

    async def tidy(self) -> None:
        """Forgets what is over, and renews what signs, by one registry of all."""
        now = self._wall()
        await self._store.do(
            [forget_certificates(now - _KEPT_S), forget_enrolments(now - _KEPT_S), forget_authorities(now)]
        )
        trust = await self.custody.trust()
        if trust.issuer.not_after - now < _INTERMEDIATE_LEFT_S:
            if trust.root.sealed_key is not None:
                await self.rotation.renew_intermediate()
                _log.info("another intermediate issues from now on")
            else:
                left_d = (trust.issuer.not_after - now) / _DAY_S
                _log.warning("the intermediate ends in %.0f days and the root's key is offline", left_d)
        await self._turn_token_key(await self.custody.trust(), now)

    async def _turn_token_key(self, trust: Trust, now: float) -> None:
        """The next key is told a day before it signs, and signs no sooner than all gateways know it; the one before it
        is known for as long as what it signed."""
        current, waiting = trust.token_key, trust.of("token_key", "next")
        if not waiting:
            if current.not_after - now < _DAY_S:
                fresh = self.custody.new_token_key("next")
                await done(self._store, [move_trust(trust.generation, trust.phase), add_authority(fresh)])
                await self.publisher.publish()
            return
        shown = self.publisher.shown
        if current.not_after > now or shown is None or shown[0].generation != trust.generation:
            return
        if not self._behind(shown[1]):
            steps = [retire(current.id, now + 2 * TOKEN_S), set_state(waiting[0].id, "current")]
            await done(self._store, [move_trust(trust.generation, trust.phase), *steps])
            await self.publisher.publish()

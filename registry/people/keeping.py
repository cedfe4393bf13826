"""What is written of people without being asked: when their sessions were used last; and what is over is forgotten."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.problem import Problem
from registry.people.session_callers import IDLE_S
from registry.rights.bootstrap import first_admin
from registry.store.interface import StoreUnavailable
from registry.store.people import forget_people
from registry.store.tokens import forget_tokens
from registry.view.view import SEEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.people.session_callers import SessionCallers
    from registry.revisions.draft import Draft
    from registry.revisions.revisions import Revisions
    from registry.store.interface import Store
    from registry.view.view import View

EVERY_S: Final = 60.0
# A use is written down when the last one that was is so old: of a session's 12 hours it may lose these minutes.
USE_S: Final = 300.0
# What is gone stays for a day, so that no registry that was away takes it for something new.
KEPT_S: Final = 86_400.0
# Whoever looks for what a token was for finds it so long; whoever shows one that is older shows one nobody knows. The
# first of an admin stays, or the bootstrap token would count again.
TOKENS_KEPT_S: Final = 30 * 86_400.0
_FORGET_EVERY: Final = 60
_BYTES: Final = 100
_log = logging.getLogger("registry.rights")


class PeopleKeeping:
    """wall: seconds since 1970."""

    def __init__(
        self, view: View, store: Store, revisions: Revisions, callers: SessionCallers, wall: Callable[[], float]
    ) -> None:
        self._view = view
        self._store = store
        self._revisions = revisions
        self._callers = callers
        self._wall = wall

    async def run(self) -> None:
        """Until cancelled."""
        turn = 0
        while True:
            await asyncio.sleep(EVERY_S)
            turn += 1
            try:
                await self.note_uses()
                if turn % _FORGET_EVERY == 0:
                    await self.forget()
            except (Problem, StoreUnavailable) as error:
                _log.warning("what sessions are used is not written down for now: %s", error)

    async def note_uses(self) -> None:
        """Raises Problem 503."""
        seen = self._view.people.get(SEEN, {})
        used, self._callers.used = self._callers.used, {}
        old = {digest: at for digest, at in used.items() if digest not in seen or at > seen[digest].version + USE_S}
        if old:
            try:
                await self._revisions.submit(_Used(old))
            except Problem:
                self._callers.used = used | self._callers.used
                raise
        # What is too young to be written down is younger than what is written.
        self._callers.used = {digest: at for digest, at in used.items() if digest not in old} | self._callers.used

    async def forget(self) -> None:
        """Raises StoreUnavailable."""
        before = self._wall() - KEPT_S
        over = self._wall() - TOKENS_KEPT_S
        kept = first_admin(self._view.tokens.values())
        await self._store.do([forget_people(before), forget_tokens(over, kept)])
        self._view.forget_people(before)
        self._view.forget_tokens(over, kept)


class _Used(msgspec.Struct, frozen=True):
    """at: seconds since 1970, by digest. Its rows take no part in what is judged: a session that was ended meanwhile
    stays ended."""

    at: dict[str, float]

    @property
    def size(self) -> int:
        return _BYTES * len(self.at)

    def judge(self, draft: Draft) -> None:
        for digest, at in self.at.items():
            draft.put_person(SEEN, digest, b"", at + IDLE_S, version=int(at))

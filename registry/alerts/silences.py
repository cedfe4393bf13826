"""Silences: made with an end and a reason, ended before it, each noted in the audit log before it holds."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from meshway.problem import Problem, not_found
from registry.alerts.records import Silence, packed, silence_of
from registry.revisions.acts import noted
from registry.store.alerts import add_silence, end_silence, silences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from registry.alerts.records import Matcher
    from registry.revisions.revisions import Revisions
    from registry.store.interface import Store

MOST_S: Final = 720 * 3_600.0
MOST: Final = 1_000  # at once: all are held against each alert


class Silences:
    """wall: seconds since 1970. told: of whose alerts one came or went. All raise StoreUnavailable."""

    def __init__(self, store: Store, revisions: Revisions, wall: Callable[[], float]) -> None:
        self._store = store
        self._revisions = revisions
        self._wall = wall
        self.told: Callable[[Iterable[str]], None] = lambda _: None

    async def all(self) -> list[Silence]:
        """Those that hold now, the next to end first."""
        ((*rows,),) = await self._store.do([silences(self._wall())])
        return [silence_of(value) for (value,) in rows]

    async def add(self, namespace: str, matchers: tuple[Matcher, ...], until: float, reason: str, by: str) -> Silence:
        """namespace: whose alerts, `*`: of all. until: seconds since 1970. Raises Problem 409 where there are MOST."""
        if len(await self.all()) >= MOST:
            raise Problem(
                409,
                "too_many_silences",
                "Too many silences",
                detail=f"{MOST} silences hold",
                mend="end some, or make one of fewer matchers in place of many",
            )
        silence = Silence(
            id=secrets.token_hex(6),
            namespace=namespace,
            matchers=matchers,
            until=until,
            reason=reason,
            created_at=self._wall(),
            created_by=by,
        )
        await self._note("create", silence)
        await self._store.do([add_silence(silence.id, namespace, until, packed(silence))])
        self.told([silence.namespace])
        return silence

    async def one(self, silence_id: str) -> Silence:
        """Raises Problem 404."""
        found = next((each for each in await self.all() if each.id == silence_id), None)
        if found is None:
            raise not_found(f"silence {silence_id}", "meshway alert list --silences tells the ids")
        return found

    async def end(self, silence: Silence) -> None:
        await self._note("end", silence)
        await self._store.do([end_silence(silence.id)])
        self.told([silence.namespace])

    async def _note(self, operation: str, silence: Silence) -> None:
        told = " and ".join(f"{each.name}{each.op}{each.value}" for each in silence.matchers)
        change = {
            "op": operation,
            "silence": silence.id,
            "namespace": silence.namespace,
            "matchers": told,
            "reason": silence.reason,
        }
        if (row := noted(change)) is not None:
            await self._revisions.submit(row)

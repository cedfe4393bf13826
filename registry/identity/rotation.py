"""A new root takes the place of the old one while calls go on.

Four states, each of which all live gateways must run before the next may begin, since a gateway that lags behind would
refuse what the others send:

    settled -> trust_both -> issue_new -> all_renewed -> settled

`trust_both`: everybody trusts the new root, the old one issues. `issue_new`: the new one issues, and everything is
renewed by and by. `all_renewed`: no certificate of the old one is in use. Back in `settled` the old one is gone; up to
then every step can be taken back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from cryptography import x509

from meshway.problem import Problem
from registry.identity.custody import done
from registry.identity.issuing import new_intermediate, new_key, new_root
from registry.store.authorities import add_authority, move_trust, remove_authority, set_state
from registry.store.certificates import subjects_under

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.model.trust_bundle import Phase
    from registry.identity.custody import Custody, Trust
    from registry.identity.publishing import Publisher
    from registry.store.authorities import AuthorityRecord, State
    from registry.store.interface import Store
    from registry.store.steps import Step

# Programs ask for the roots once a minute (meshway/client/certificate.py); then they too have what gateways have.
SETTLE_S: Final = 150.0
_NAMED: Final = 20


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """waits_for: what the next step waits for, in words, with the gateways or subjects by name; empty: it may come."""

    phase: Phase
    generation: int
    revision: int
    waits_for: list[str] = []


class Rotation:
    """behind: the live gateways that do not run a revision yet. wall: seconds since 1970. settle_s: what programs have
    to hear of a new root."""

    def __init__(
        self,
        store: Store,
        custody: Custody,
        publisher: Publisher,
        *,
        behind: Callable[[int], tuple[str, ...]],
        wall: Callable[[], float],
        settle_s: float | None = None,
    ) -> None:
        self._store = store
        self._custody = custody
        self._publisher = publisher
        self._behind = behind
        self._wall = wall
        self._settle_s = SETTLE_S if settle_s is None else settle_s

    async def progress(self) -> Progress:
        """Raises Problem 409 where there is no authority."""
        trust = await self._custody.trust()
        shown = self._publisher.shown
        revision = 0 if shown is None or shown[0].generation != trust.generation else shown[1]
        waits_for = await self._missing(trust, revision)
        return Progress(phase=trust.phase, generation=trust.generation, revision=revision, waits_for=waits_for)

    async def advance(self) -> Progress:
        """The next step. Raises Problem 409 with what it waits for."""
        trust, progress = await self._custody.trust(), await self.progress()
        if trust.phase != "settled" and progress.waits_for:
            raise Problem(
                409,
                "not_confirmed",
                "Not confirmed yet",
                detail=f"in state {trust.phase}: {'; '.join(progress.waits_for)}",
                mend="ask again later: meshway ca rotate --wait 10m",
                extra={"waits_for": progress.waits_for},
            )
        return await self._do(trust, self._forward(trust))

    async def take_back(self) -> Progress:
        """The step before. Raises Problem 409 where there is none, or it would leave certificates without a root."""
        trust = await self._custody.trust()
        if trust.phase == "trust_both":
            await self._refuse_used(trust, "next")
        return await self._do(trust, _backward(trust))

    async def renew_intermediate(self, root_key: str = "") -> Progress:
        """Another intermediate under the same root, which issues from now on. root_key: PEM, where it is offline."""
        trust = await self._custody.trust()
        intermediate = self._new_intermediate(trust, trust.root, root_key, "current")
        return await self._do(trust, (trust.phase, [set_state(trust.issuer.id, "old"), add_authority(intermediate)]))

    async def _do(self, trust: Trust, move: tuple[Phase, list[Step]]) -> Progress:
        phase, steps = move
        if not await done(self._store, [move_trust(trust.generation, phase), *steps]):
            raise Problem(409, "moved", "Somebody else moved it", detail="trust was changed meanwhile: look again")
        await self._publisher.publish()
        self._custody.forget(await self._custody.trust())
        return await self.progress()

    def _forward(self, trust: Trust) -> tuple[Phase, list[Step]]:
        if trust.phase == "settled":
            return "trust_both", self._begin(trust)
        if trust.phase == "trust_both":
            return "issue_new", [*_all(trust, "current", "old"), *_all(trust, "next", "current")]
        if trust.phase == "issue_new":
            return "all_renewed", []
        gone = {one.id for one in trust.of("root", "old")}
        under = [one for one in trust.of("intermediate") if one.issuer in gone]
        return "settled", [remove_authority(one) for one in (*gone, *(one.id for one in under))]

    def _begin(self, trust: Trust) -> list[Step]:
        now, key, own = self._wall(), new_key(), new_key()
        root = new_root(key, trust.trust_domain, now)
        intermediate = new_intermediate(own.public_key(), root, key, trust.trust_domain, now)
        record = self._custody.record("root", root, key, state="next")
        below = self._custody.record("intermediate", intermediate, own, state="next", issuer=record.id)
        return [add_authority(record), add_authority(below)]

    def _new_intermediate(self, trust: Trust, root: AuthorityRecord, root_key: str, state: State) -> AuthorityRecord:
        signing = self._custody.given_key(root, root_key) if root_key else self._custody.key_of(root)
        certificate, key = x509.load_der_x509_certificate(root.certificate), new_key()
        made = new_intermediate(key.public_key(), certificate, signing, trust.trust_domain, self._wall())
        return self._custody.record("intermediate", made, key, state=state, issuer=root.id)

    async def _missing(self, trust: Trust, revision: int) -> list[str]:
        if not revision:
            return ["the registry has not told it yet"]
        missing = []
        if behind := self._behind(revision):
            missing.append(f"gateways that do not run r{revision}: {_listed(behind)}")
        if trust.phase == "trust_both":
            begun = max(one.created_at for one in trust.of("root", "next"))
            if (left := begun + self._settle_s - self._wall()) > 0:
                missing.append(f"{left:.0f} s in which programs ask for the roots")
        if trust.phase in ("issue_new", "all_renewed") and (under := await self._under(trust, "old")):
            missing.append(f"certificates of the old root in use: {_listed(under)}")
        return missing

    async def _under(self, trust: Trust, state: State) -> list[str]:
        """Subjects that have no newer certificate than one under a root in this state."""
        roots = {one.id for one in trust.of("root", state)}
        issuers = [one.id for one in trust.of("intermediate") if one.issuer in roots]
        found = await self._store.do([subjects_under(one, self._wall(), _NAMED + 1) for one in issuers])
        return [str(subject) for rows in found for subject, _ in rows]

    async def _refuse_used(self, trust: Trust, state: State) -> None:
        if used := await self._under(trust, state):
            raise Problem(
                409,
                "root_in_use",
                "The root is in use",
                detail=f"certificates of the new root are in use: {_listed(used)}",
                mend="they are renewed under the old one by and by: ask again later",
            )


def _backward(trust: Trust) -> tuple[Phase, list[Step]]:
    if trust.phase == "settled":
        raise Problem(409, "nothing_to_take_back", "Nothing to take back", detail="no change of the root is under way")
    if trust.phase == "trust_both":
        gone = {one.id for one in trust.of("root", "next")}
        under = [one.id for one in trust.of("intermediate") if one.issuer in gone]
        return "settled", [remove_authority(one) for one in (*gone, *under)]
    if trust.phase == "issue_new":
        old = {one.id for one in trust.of("root", "old")}
        last = [one for one in trust.of("intermediate", "old") if one.issuer in old][-1]
        steps = [*_all(trust, "current", "next"), set_state(last.id, "current")]
        return "trust_both", [*steps, *(set_state(one, "current") for one in old)]
    return "issue_new", []


def _all(trust: Trust, state: State, to: State) -> list[Step]:
    """Roots and intermediates in one state into another."""
    return [set_state(one.id, to) for role in ("root", "intermediate") for one in trust.of(role, state)]


def _listed(names: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more

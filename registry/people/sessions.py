"""Opening, renewing, confirming and ending sessions, each with its row in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from meshway.problem import Problem, not_found, soon
from registry.people.cookies import csrf_of, new_text
from registry.people.session_callers import ABSOLUTE_S, IDLE_S
from registry.revisions.acts import Actor
from registry.revisions.draft import OfPeople
from registry.rights.records import (
    BINDING,
    SESSION,
    USER,
    Session,
    User,
    by_subject,
    digest_of,
    encode,
    grants_of,
    read,
    read_items,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from meshway.identity import Principal
    from registry.people.session_callers import SessionCallers
    from registry.revisions.draft import Draft
    from registry.revisions.revisions import Revisions
    from registry.rights.records import Carrier, How
    from registry.rights.token import Grant
    from registry.view.view import View

# Of one person; with another one the oldest ends.
MAX_OF_ONE: Final = 20
MAX_LIVE: Final = 5_000
SHOWN_ID: Final = 16
_MAX_AGENT: Final = 200
_BYTES: Final = 800


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """text: what the caller sends, as cookie or as bearer; nobody can tell it again. csrf: what its page sends with
    writes. until: seconds since 1970."""

    text: str
    csrf: str
    until: float


class SessionShown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """id: begins its digest, which is of no use to sign in. is_current: the caller's own. Times: seconds since 1970."""

    id: str
    principal: str
    how: str
    carrier: str
    opened_at: float
    used_at: float
    until: float
    address: str
    agent: str = ""
    is_current: bool = False


class Sessions:
    """wall: seconds since 1970."""

    def __init__(self, view: View, revisions: Revisions, callers: SessionCallers, wall: Callable[[], float]) -> None:
        self._view = view
        self._revisions = revisions
        self._callers = callers
        self._wall = wall

    async def open(
        self,
        principal: Principal,
        grants: Iterable[Grant],
        how: How,
        *,
        action: str,
        carrier: Carrier = "cookie",
        address: str = "",
        agent: str = "",
        user: User | None = None,
        totp_step: int = 0,
        confirmed_at: float | None = None,
        lasts_s: float = ABSOLUTE_S,
    ) -> Opened:
        """For one who has proved who he is. grants: what it holds beside the bindings of its user and its groups.

        action: the call, for the audit log. user: the local one, as he was when his password was compared: when he has
        changed since, he is refused. totp_step: of the code that he gave, which nobody can give again. confirmed_at:
        when the person was last asked who he is, seconds since 1970; None: just now. lasts_s: at the longest. Raises
        Problem 401, 503.
        """
        text, now = new_text(carrier), self._wall()
        session = Session(
            principal=principal.name,
            user="" if user is None else user.name,
            mark="" if user is None else user.mark,
            groups=tuple(sorted(principal.groups)),
            own=tuple(grants),
            how=how,
            carrier=carrier,
            opened_at=now,
            confirmed_at=now if confirmed_at is None else confirmed_at,
            until=now + lasts_s,
            address=address,
            agent=agent[:_MAX_AGENT],
        )
        actor = Actor(principal.name, address, action)
        write = _Open(actor, digest_of(text), session, now, self._last_uses(session), totp_step)
        await self._revisions.submit(write)
        return Opened(text=text, csrf=csrf_of(text), until=session.until)

    async def renew(self, digest: str, *, actor: Actor, confirmed: bool = False, totp_step: int = 0) -> Opened | None:
        """Gives it a new id, and what was added to its person's rights. confirmed: the password, or a code, was given
        again; totp_step: of the code. None: it is over. Raises Problem 401 for a code that was given before."""
        now = self._wall()
        session = read(self._view.people.get(SESSION, {}), digest, Session)
        if session is None:
            return None
        text = new_text(session.carrier)
        done = await self._revisions.submit(_Renew(actor, digest, digest_of(text), now, confirmed, totp_step))
        return Opened(text=text, csrf=csrf_of(text), until=session.until) if done else None

    async def end(self, digest: str, actor: Actor) -> None:
        """Also when it is over already."""
        await self._revisions.submit(_End(actor, (digest,), self._wall()))

    async def end_of(self, principal: str, actor: Actor, *, shown_id: str = "") -> None:
        """All of a person, or the one of this shown id. Raises Problem 404."""
        found = [key for key, _ in self._of(principal) if key.startswith(shown_id)]
        if shown_id and (len(shown_id) != SHOWN_ID or not found):
            raise not_found(f"session {shown_id}", "GET lists the sessions there are")
        await self._revisions.submit(_End(actor, tuple(found), self._wall()))

    def shown(self, principal: str = "", current: str = "") -> list[SessionShown]:
        """Those that are not over, newest first. principal: empty: everybody's. current: the digest of the caller's
        own."""
        rows = [
            SessionShown(
                id=digest[:SHOWN_ID],
                principal=one.principal,
                how=one.how,
                carrier=one.carrier,
                opened_at=one.opened_at,
                used_at=self._callers.last_used(digest, one),
                until=min(one.until, self._callers.last_used(digest, one) + IDLE_S),
                address=one.address,
                agent=one.agent,
                is_current=digest == current,
            )
            for digest, one in self._of(principal)
        ]
        return sorted(rows, key=lambda row: row.opened_at, reverse=True)

    def groups_of(self, principal: str) -> frozenset[str]:
        """That a provider told of at the last sign-in that is not over. Raises Problem 404 where there is none."""
        found = [session for _, session in self._of(principal)]
        if not found:
            raise not_found(principal, "nobody of that name is signed in: only the provider knows the groups")
        return frozenset(max(found, key=lambda session: session.opened_at).groups)

    def _of(self, principal: str) -> list[tuple[str, Session]]:
        """principal: empty: everybody's."""
        return [
            (digest, session)
            for digest, session in read_items(self._view.people.get(SESSION, {}), Session)
            if principal in ("", session.principal) and self._callers.known(digest) is not None
        ]

    def _last_uses(self, session: Session) -> dict[str, float]:
        """Of the others of the same person, by digest."""
        return {digest: self._callers.last_used(digest, one) for digest, one in self._of(session.principal)}


class _Open(msgspec.Struct, OfPeople, frozen=True):
    """used: the person's other sessions that are live, and when each was used last."""

    actor: Actor
    digest: str
    session: Session
    now: float
    used: dict[str, float]
    totp_step: int

    @property
    def size(self) -> int:
        return _BYTES

    def judge(self, draft: Draft) -> None:
        session = self.session
        if session.user:
            user = read(draft.people_of(USER), session.user, User)
            if user is None or user.is_disabled or user.mark != session.mark:
                raise wrong_credentials()
            if self.totp_step:
                user = spend_code(draft, user.name, self.totp_step)
            draft.put_person(USER, user.name, encode(msgspec.structs.replace(user, signed_in_at=self.now)))
        rows = draft.people_of(SESSION)
        if sum(record.value is not None for record in rows.values()) >= MAX_LIVE:
            raise Problem(503, "too_many_sessions", "Too many sessions", mend="end some", headers=soon())
        live = sorted((at, digest) for digest, at in self.used.items() if read(rows, digest, Session) is not None)
        for _, digest in live[: max(0, len(live) + 1 - MAX_OF_ONE)]:
            draft.put_person(SESSION, digest, None, self.now)
        held = held_now(draft, session)
        opened = msgspec.structs.replace(session, held=held)
        draft.put_person(SESSION, self.digest, encode(opened), session.until)
        told = {"op": "sign_in", "session": self.digest[:SHOWN_ID], "how": session.how}
        draft.acts.wrote(self.actor, 0, (), [told])


class _Renew(msgspec.Struct, OfPeople, frozen=True):
    actor: Actor
    digest: str
    new_digest: str
    now: float
    confirmed: bool
    totp_step: int

    @property
    def size(self) -> int:
        return _BYTES

    def judge(self, draft: Draft) -> bool:
        session = read(draft.people_of(SESSION), self.digest, Session)
        if session is None:
            return False
        if self.totp_step:
            spend_code(draft, session.user, self.totp_step)
        held = held_now(draft, session)
        renewed = msgspec.structs.replace(
            session, held=held, confirmed_at=self.now if self.confirmed else session.confirmed_at
        )
        draft.put_person(SESSION, self.digest, None, self.now)
        draft.put_person(SESSION, self.new_digest, encode(renewed), session.until)
        told = {"op": "confirm" if self.confirmed else "renew", "session": self.new_digest[:SHOWN_ID]}
        draft.acts.wrote(self.actor, 0, (), [told])
        return True


class _End(msgspec.Struct, OfPeople, frozen=True):
    actor: Actor
    digests: tuple[str, ...]
    now: float

    @property
    def size(self) -> int:
        return _BYTES

    def judge(self, draft: Draft) -> None:
        rows = draft.people_of(SESSION)
        told: list[dict[str, Any]] = []
        for digest in self.digests:
            if read(rows, digest, Session) is not None:
                draft.put_person(SESSION, digest, None, self.now)
                told.append({"op": "sign_out", "session": digest[:SHOWN_ID]})
        if told:
            draft.acts.wrote(self.actor, 0, (), told)


def held_now(draft: Draft, session: Session) -> tuple[Grant, ...]:
    return grants_of(by_subject(draft.people_of(BINDING)), session)


def end_sessions_of(draft: Draft, user: str, now: float, *, but: str = "") -> None:
    """Of a local user. but: the digest of one that goes on."""
    for digest, session in read_items(draft.people_of(SESSION), Session):
        if session.user == user and digest != but:
            draft.put_person(SESSION, digest, None, now)


def spend_code(draft: Draft, name: str, step: int) -> User:
    """step: of a code that its user gives once. Raises Problem 401."""
    user = read(draft.people_of(USER), name, User)
    if user is None or step <= user.totp_step:
        raise wrong_credentials()
    spent = msgspec.structs.replace(user, totp_step=step)
    draft.put_person(USER, name, encode(spent))
    return spent


def wrong_credentials() -> Problem:
    """The same whatever was wrong: who is known here is nobody's business."""
    return Problem(
        401,
        "wrong_credentials",
        "Not signed in",
        detail="name, password or code is wrong",
        mend="an admin can make a new link: meshway user reset-password NAME",
    )

"""What people change of their own accounts, as writes: judged once more where they stand in the order of all."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.problem import Problem
from registry.people.sessions import SHOWN_ID, end_sessions_of, held_now, wrong_credentials
from registry.people.users import end_links_of
from registry.revisions.draft import OfPeople
from registry.rights.bindings import put_binding, told
from registry.rights.records import LINK, SESSION, USER, Binding, Link, Session, User, encode, read
from registry.rights.token import Grant

if TYPE_CHECKING:
    from registry.revisions.acts import Actor
    from registry.revisions.draft import Draft

_BYTES: Final = 800


class SetUp(msgspec.Struct, OfPeople, frozen=True):
    actor: Actor
    link: str
    name: str
    hashed: str
    now: float

    @property
    def size(self) -> int:
        return _BYTES

    def judge(self, draft: Draft) -> None:
        record = draft.people_of(LINK).get(self.link)
        link = read(draft.people_of(LINK), self.link, Link)
        if record is None or link is None or self.now >= (record.until or 0.0):
            raise void_link()
        user = read(draft.people_of(USER), self.name, User)
        if link.user:
            if user is None or user.is_disabled:
                raise void_link()
            changes = [{"op": "set_password", "user": self.name}]
        else:
            user, changes = self._first_admin(draft, user)
        changed = msgspec.structs.replace(user, hash=self.hashed, must_change=False, mark=secrets.token_hex(8))
        draft.put_person(USER, self.name, encode(changed))
        end_links_of(draft, link.user, self.now)
        end_sessions_of(draft, self.name, self.now)
        draft.acts.wrote(self.actor, 0, (), changes)

    def _first_admin(self, draft: Draft, user: User | None) -> tuple[User, list[dict[str, str]]]:
        if user is not None:
            raise Problem(409, "name_taken", "Name taken", detail=f"there is a user {self.name} already")
        by = self.actor.principal
        made = User(name=self.name, mark="", created_at=self.now, created_by=by)
        binding = Binding(kind="user", subject=self.name, grant=Grant("admin"), created_at=self.now, created_by=by)
        put_binding(draft, binding)
        return made, [{"op": "create", "user": self.name}, told("bind", binding)]


class ChangePassword(msgspec.Struct, OfPeople, frozen=True):
    """user: as he was when the old password was compared. session: the caller's; the answer is when it is over."""

    actor: Actor
    user: User
    session: str
    new_session: str
    hashed: str
    now: float

    @property
    def size(self) -> int:
        return _BYTES

    def judge(self, draft: Draft) -> float:
        user = read(draft.people_of(USER), self.user.name, User)
        session = read(draft.people_of(SESSION), self.session, Session)
        if user is None or user.mark != self.user.mark or user.is_disabled or session is None:
            raise wrong_credentials()
        mark = secrets.token_hex(8)
        changed = msgspec.structs.replace(user, hash=self.hashed, must_change=False, mark=mark)
        draft.put_person(USER, user.name, encode(changed))
        end_sessions_of(draft, user.name, self.now)
        end_links_of(draft, user.name, self.now)
        goes_on = msgspec.structs.replace(session, mark=mark, held=held_now(draft, session), confirmed_at=self.now)
        draft.put_person(SESSION, self.new_session, encode(goes_on), session.until)
        changes = [{"op": "change_password", "user": user.name, "session": self.new_session[:SHOWN_ID]}]
        draft.acts.wrote(self.actor, 0, (), changes)
        return session.until


class ChangeTotp(msgspec.Struct, OfPeople, frozen=True):
    """user: as he was when the code was compared."""

    actor: Actor
    user: User
    fields: dict[str, object]
    what: str

    @property
    def size(self) -> int:
        return _BYTES

    def judge(self, draft: Draft) -> None:
        user = read(draft.people_of(USER), self.user.name, User)
        if user is None or (user.mark, user.totp, user.totp_offered) != (
            self.user.mark,
            self.user.totp,
            self.user.totp_offered,
        ):
            raise wrong_credentials()
        draft.put_person(USER, user.name, encode(msgspec.structs.replace(user, **self.fields)))
        draft.acts.wrote(self.actor, 0, (), [{"op": f"totp_{self.what}", "user": user.name}])


def void_link() -> Problem:
    return Problem(
        401,
        "void_link",
        "The link is over",
        detail="the link was used already, is older than its minutes, or is none of this mesh's",
        mend="an admin makes another: meshway user reset-password NAME",
    )

"""People whose passwords the registry knows: made, listed, disabled and deleted by an admin, and let in by a link.

A link lets its bearer set the password, once and within minutes; so nobody but the person ever knows it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.problem import Problem, not_found
from registry.people.sessions import end_sessions_of
from registry.revisions.draft import OfPeople
from registry.rights.last_admin import count_admins, keep_an_admin, keep_oneself
from registry.rights.records import (
    BINDING,
    LINK,
    USER,
    Binding,
    Link,
    User,
    admins_in,
    digest_of,
    encode,
    read,
    read_all,
    read_items,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from registry.revisions.acts import Actor
    from registry.revisions.draft import Draft
    from registry.revisions.revisions import Revisions
    from registry.view.view import View

LINK_S: Final = 600.0
SETUP_PAGE: Final = "/setup"
MAX_USERS: Final = 5_000
_BYTES: Final = 800


class UserShown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Times: seconds since 1970. must_change: the password, before anything else."""

    name: str
    display_name: str = ""
    is_disabled: bool = False
    has_password: bool
    must_change: bool = False
    has_totp: bool = False
    created_at: float
    created_by: str
    signed_in_at: float | None = None


class LinkMade(msgspec.Struct, frozen=True, kw_only=True):
    """path: of the console's page; behind `#`, so that no server and no log on the way sees it. expires_at: seconds
    since 1970."""

    token: str
    path: str
    expires_at: float


class Users:
    """wall: seconds since 1970. may_lose_admins: somebody is an admin without signing in (callers on this machine)."""

    def __init__(self, view: View, revisions: Revisions, wall: Callable[[], float], *, may_lose_admins: bool) -> None:
        self._view = view
        self._revisions = revisions
        self._wall = wall
        self._may_lose_admins = may_lose_admins

    def named(self, name: str) -> User | None:
        return read(self._view.people.get(USER, {}), name, User)

    def known(self, name: str) -> User:
        """Raises Problem 404."""
        return _known(self.named(name), name)

    def link(self, token: str) -> Link | None:
        """None: it was used already, is over, or none of ours."""
        rows, digest = self._view.people.get(LINK, {}), digest_of(token)
        record, link = rows.get(digest), read(rows, digest, Link)
        return link if record is not None and self._wall() < (record.until or 0.0) else None

    def shown(self) -> list[UserShown]:
        """By name."""
        return sorted(map(shown, read_all(self._view.people.get(USER, {}), User)), key=lambda one: one.name)

    async def create(
        self, name: str, actor: Actor, *, display_name: str = "", hashed: str = ""
    ) -> tuple[UserShown, LinkMade | None]:
        """hashed: of a password that the person has to change; empty: a link is made instead. Raises Problem 409."""
        now = self._wall()
        user = User(
            name=name,
            mark=secrets.token_hex(8),
            display_name=display_name,
            hash=hashed,
            must_change=bool(hashed),
            created_at=now,
            created_by=actor.principal,
        )
        link = None if hashed else self._new_link()
        await self._revisions.submit(_Create(actor, user, link))
        return shown(user), link

    async def change(self, name: str, actor: Actor, *, display_name: str | None, is_disabled: bool | None) -> UserShown:
        """None: as it is. Raises Problem 404, 409 for the last admin."""
        wanted: dict[str, Any] = {"display_name": display_name, "is_disabled": is_disabled}
        fields = {field: value for field, value in wanted.items() if value is not None}
        return shown(await self._revisions.submit(_Change(actor, name, fields, self._wall(), self._may_lose_admins)))

    async def reset(self, name: str, actor: Actor, *, hashed: str = "") -> LinkMade | None:
        """The password counts no more, and all sessions end. hashed: of the next one, which the person has to change;
        empty: a link is made. Raises Problem 404, 409 for the last admin."""
        link = None if hashed else self._new_link()
        fields: dict[str, Any] = {"hash": hashed, "must_change": bool(hashed), "mark": secrets.token_hex(8)}
        write = _Change(actor, name, fields, self._wall(), self._may_lose_admins, link)
        await self._revisions.submit(write)
        return link

    async def remove_totp(self, name: str, actor: Actor) -> None:
        """For who has lost the device. Raises Problem 404."""
        fields: dict[str, Any] = {"totp": b"", "totp_offered": b""}
        await self._revisions.submit(_Change(actor, name, fields, self._wall(), self._may_lose_admins))

    async def delete(self, name: str, actor: Actor) -> None:
        """With bindings, sessions and links. Raises Problem 404, 409 for the last admin."""
        await self._revisions.submit(_Delete(actor, name, self._wall(), self._may_lose_admins))

    async def first_link(self) -> LinkMade | None:
        """For the first admin, who says his name himself; None where somebody can sign in already."""
        if self._view.tokens or any(read_all(self._view.people.get(USER, {}), User)):
            return None
        link = self._new_link()
        await self._revisions.submit(_Offer(link))
        return link

    def _new_link(self) -> LinkMade:
        token = secrets.token_urlsafe(32)
        return LinkMade(token=token, path=f"{SETUP_PAGE}#{token}", expires_at=self._wall() + LINK_S)


class _Create(msgspec.Struct, OfPeople, frozen=True):
    actor: Actor
    user: User
    link: LinkMade | None

    @property
    def size(self) -> int:
        return _BYTES

    def judge(self, draft: Draft) -> None:
        rows, user = draft.people_of(USER), self.user
        if read(rows, user.name, User) is not None:
            raise Problem(
                409,
                "name_taken",
                "Name taken",
                detail=f"there is a user {user.name} already",
                mend=f"choose another name, or let this one in again: meshway user reset-password {user.name}",
            )
        if sum(record.value is not None for record in rows.values()) >= MAX_USERS:
            raise Problem(409, "too_many_users", "Too many users", detail=f"there are {MAX_USERS}")
        draft.put_person(USER, user.name, encode(user))
        if self.link is not None:
            put_link(draft, self.link, user.name)
        draft.acts.wrote(self.actor, 0, (), [{"op": "create", "user": user.name}])


class _Change(msgspec.Struct, OfPeople, frozen=True):
    """fields: of the User. link: to set the next password by, in the place of those there were."""

    actor: Actor
    name: str
    fields: dict[str, object]
    now: float
    may_lose_admins: bool
    link: LinkMade | None = None

    @property
    def size(self) -> int:
        return _BYTES

    def judge(self, draft: Draft) -> User:
        user = _known(read(draft.people_of(USER), self.name, User), self.name)
        before = count_admins(draft, self.now)
        was_admin = user.name in admins_in(draft.people_of(USER), draft.people_of(BINDING))
        changed = msgspec.structs.replace(user, **self.fields)
        draft.put_person(USER, user.name, encode(changed))
        if not self.may_lose_admins:
            keep_an_admin(draft, self.now, before, f"user {user.name}")
            keep_oneself(draft, was_admin, self.actor, user)
        if changed.is_disabled or changed.mark != user.mark:
            end_sessions_of(draft, user.name, self.now)
            end_links_of(draft, user.name, self.now)
        if self.link is not None:
            put_link(draft, self.link, user.name)
        draft.acts.wrote(self.actor, 0, (), [{"op": "change", "user": user.name, "fields": sorted(self.fields)}])
        return changed


class _Delete(msgspec.Struct, OfPeople, frozen=True):
    actor: Actor
    name: str
    now: float
    may_lose_admins: bool

    @property
    def size(self) -> int:
        return _BYTES

    def judge(self, draft: Draft) -> None:
        user = _known(read(draft.people_of(USER), self.name, User), self.name)
        before = count_admins(draft, self.now)
        was_admin = user.name in admins_in(draft.people_of(USER), draft.people_of(BINDING))
        draft.put_person(USER, self.name, None, self.now)
        for key, binding in read_items(draft.people_of(BINDING), Binding):
            if (binding.kind, binding.subject) == ("user", self.name):
                draft.put_person(BINDING, key, None, self.now)
        end_sessions_of(draft, self.name, self.now)
        end_links_of(draft, self.name, self.now)
        if not self.may_lose_admins:
            keep_an_admin(draft, self.now, before, f"user {self.name}")
            keep_oneself(draft, was_admin, self.actor, user)
        draft.acts.wrote(self.actor, 0, (), [{"op": "delete", "user": self.name}])


class _Offer(msgspec.Struct, OfPeople, frozen=True):
    """Nobody asked: it is the registry's first start."""

    link: LinkMade

    @property
    def size(self) -> int:
        return _BYTES

    def judge(self, draft: Draft) -> None:
        put_link(draft, self.link, "")


def put_link(draft: Draft, link: LinkMade, user: str) -> None:
    draft.put_person(LINK, digest_of(link.token), encode(Link(user=user)), link.expires_at)


def end_links_of(draft: Draft, user: str, now: float) -> None:
    for key, link in read_items(draft.people_of(LINK), Link):
        if link.user == user:
            draft.put_person(LINK, key, None, now)


def shown(user: User) -> UserShown:
    return UserShown(
        name=user.name,
        display_name=user.display_name,
        is_disabled=user.is_disabled,
        has_password=bool(user.hash),
        must_change=user.must_change,
        has_totp=bool(user.totp),
        created_at=user.created_at,
        created_by=user.created_by,
        signed_in_at=user.signed_in_at,
    )


def _known(user: User | None, name: str) -> User:
    if user is None:
        raise not_found(f"user {name}", "meshway user list tells the names")
    return user

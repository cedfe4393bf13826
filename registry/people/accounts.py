"""What people do with their own accounts: sign in by password and code, set and change the password, and have an app
tell codes.

Every comparison of a password, also with that of nobody, takes the same; and each try is counted before it is made.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from meshway.identity import Principal
from meshway.passwords import OF_PEOPLE, PasswordWork, nobody
from meshway.problem import FieldError, Problem, invalid_request, soon
from meshway.sealing import SealBroken
from registry.people.cookies import csrf_of, new_text
from registry.people.sessions import SHOWN_ID, Opened, end_sessions_of, held_now, wrong_credentials
from registry.people.totp import new_secret, shown_secret, step_of, uri_of
from registry.people.users import end_links_of
from registry.revisions.acts import Actor
from registry.revisions.draft import OfPeople
from registry.rights.bindings import put_binding, told
from registry.rights.records import (
    LINK,
    SESSION,
    USER,
    Binding,
    Link,
    Session,
    User,
    digest_of,
    encode,
    read,
)
from registry.rights.token import Grant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from meshway.sealing import Sealing
    from registry.people.sessions import Sessions
    from registry.people.throttle import Throttle
    from registry.people.users import Users
    from registry.revisions.draft import Draft
    from registry.revisions.revisions import Revisions
    from registry.rights.records import Carrier

MIN_PASSWORD: Final = 12
MAX_PASSWORD: Final = 256
_LEAST_LETTERS: Final = 5
_NOBODY: Final = nobody(OF_PEOPLE)
_BYTES: Final = 800
_T = TypeVar("_T")


class TotpOffered(msgspec.Struct, frozen=True, kw_only=True):
    """secret: base32. It counts once a code of it was given."""

    secret: str
    uri: str


class Accounts:
    """sealing: None where the registry has no master key, and so keeps no secrets. note_refused: of sign-ins, for the
    audit log, with the status. wall: seconds since 1970."""

    def __init__(
        self,
        users: Users,
        sessions: Sessions,
        revisions: Revisions,
        throttle: Throttle,
        sealing: Sealing | None,
        note_refused: Callable[[Actor, int], None],
        wall: Callable[[], float],
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._revisions = revisions
        self._throttle = throttle
        self._sealing = sealing
        self._note_refused = note_refused
        self._wall = wall
        self._work = PasswordWork()

    async def sign_in(
        self, name: str, password: str, code: str, *, action: str, address: str, carrier: Carrier, agent: str
    ) -> Opened:
        """Raises Problem 401, 429, 503."""
        user, step = await self._proved(name, password, code, address, f"{action} as {name}", is_needed=True)
        return await self._sessions.open(
            Principal(user.principal, method="session"),
            (),
            "password",
            action=action,
            carrier=carrier,
            address=address,
            agent=agent,
            user=user,
            totp_step=step,
        )

    async def confirm(self, session: str, user: User, password: str, code: str, actor: Actor) -> Opened:
        """Proved again, by password or by code: the session goes on under a new id. Raises Problem 401, 429, 503."""
        if password or not user.totp:
            _, step = await self._proved(user.name, password, code, actor.address, actor.action, is_needed=False)
        else:
            self._take(user.name, actor)
            given = self._step(user, code)
            if given is None:
                raise self._refused(actor)
            step = given
            self._throttle.succeeded(user.name, actor.address)
        renewed = await self._sessions.renew(session, actor=actor, confirmed=True, totp_step=step)
        if renewed is None:
            raise wrong_credentials()
        return renewed

    async def set_up(self, token: str, name: str, password: str, actor: Actor) -> str:
        """By a link; whose password it was. name: of the first admin; of others it may be left out.

        Raises Problem 401, 409, 422, 429, 503.
        """
        self._take("", actor)
        link = self._users.link(token)
        if link is None:
            self._note_refused(actor, 401)
            raise void_link()
        self._throttle.succeeded("", actor.address)
        named = link.user or name
        if not named or (name and name != named):
            message = "name: is whose link it is, or the first admin's own choice"
            raise invalid_request(message, (FieldError(path="name", code="missing", message=message),))
        refuse_weak(password, named)
        hashed = await self.hashed(password)
        await self._revisions.submit(_SetUp(actor, digest_of(token), named, hashed, self._wall()))
        return named

    async def change_password(
        self, session: str, carrier: Carrier, user: User, old: str, new: str, actor: Actor
    ) -> Opened:
        """All other sessions of the user end, and this one has a new id. Raises Problem 401, 422, 429, 503."""
        refuse_weak(new, user.name, "new_password")
        await self._proved(user.name, old, "", actor.address, actor.action, is_needed=False)
        hashed, text = await self.hashed(new), new_text(carrier)
        write = _ChangePassword(actor, user, session, digest_of(text), hashed, self._wall())
        until = await self._revisions.submit(write)
        return Opened(text=text, csrf=csrf_of(text), until=until)

    async def offer_totp(self, user: User, actor: Actor) -> TotpOffered:
        """Raises Problem 409 where codes are asked for already, or secrets cannot be kept."""
        if user.totp:
            raise Problem(
                409, "totp_on", "Codes are asked for", detail="an app tells codes already", mend="remove it first"
            )
        secret = new_secret()
        await self._revisions.submit(_Totp(actor, user, {"totp_offered": self._sealed(secret, user.name)}, "offer"))
        return TotpOffered(secret=shown_secret(secret), uri=uri_of(secret, user.name))

    async def take_totp(self, user: User, code: str, actor: Actor) -> None:
        """From now on codes are asked for. Raises Problem 401, 409, 429."""
        if not user.totp_offered:
            raise Problem(409, "totp_not_offered", "No secret was offered", mend="POST /v1/session/totp first")
        self._take(user.name, actor)
        step = self._step(user, code, user.totp_offered)
        if step is None:
            raise self._refused(actor)
        self._throttle.succeeded(user.name, actor.address)
        fields = {"totp": user.totp_offered, "totp_offered": b"", "totp_step": step}
        await self._revisions.submit(_Totp(actor, user, fields, "on"))

    async def drop_totp(self, user: User, actor: Actor) -> None:
        await self._revisions.submit(_Totp(actor, user, {"totp": b"", "totp_offered": b""}, "off"))

    def _take(self, account: str, actor: Actor) -> None:
        """As Throttle.take; who is held off stands in the audit log. Raises Problem 429."""
        try:
            self._throttle.take(account, actor.address)
        except Problem as refused:
            self._note_refused(actor, refused.status)
            raise

    async def hashed(self, password: str) -> str:
        """Raises Problem 503."""
        return await _room(self._work.hash(password.encode(), OF_PEOPLE))

    async def _proved(
        self, name: str, password: str, code: str, address: str, action: str, *, is_needed: bool
    ) -> tuple[User, int]:
        """The user, and the step of his code, 0 where none was asked for. is_needed: a code, of who has an app for it.

        Raises Problem 401, 429, 503.
        """
        self._take(name, Actor("anonymous", address, action))
        user = self._users.named(name)
        may = user is not None and bool(user.hash) and not user.is_disabled
        try:
            is_right = await _room(
                self._work.check(password.encode(), user.hash if may and user is not None else _NOBODY)
            )
        except Problem:
            self._throttle.give_back(name, address)
            raise
        if user is None or not may or not is_right:
            raise self._refused(Actor("anonymous", address, action))
        step: int | None = 0
        if is_needed and user.totp:
            if not code:
                self._throttle.give_back(name, address)
                raise totp_needed()
            step = self._step(user, code)
        if step is None:
            raise self._refused(Actor("anonymous", address, action))
        self._throttle.succeeded(name, address)
        return user, step

    def _refused(self, actor: Actor) -> Problem:
        self._note_refused(actor, 401)
        return wrong_credentials()

    def _step(self, user: User, code: str, sealed: bytes = b"") -> int | None:
        """None: it is no code of now, or was given before."""
        secret = self._unsealed(sealed or user.totp, user.name)
        step = step_of(secret, code, self._wall())
        return step if step is not None and step > user.totp_step else None

    def _sealed(self, secret: bytes, name: str) -> bytes:
        if self._sealing is None:
            raise _keyless()
        return self._sealing.seal(secret, _associated(name))

    def _unsealed(self, sealed: bytes, name: str) -> bytes:
        """Raises Problem 503: without the key nobody is let in without a code."""
        if self._sealing is None:
            raise _keyless()
        try:
            return self._sealing.unseal(sealed, _associated(name))
        except SealBroken:
            raise _keyless() from None


class _SetUp(msgspec.Struct, OfPeople, frozen=True):
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


class _ChangePassword(msgspec.Struct, OfPeople, frozen=True):
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


class _Totp(msgspec.Struct, OfPeople, frozen=True):
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


def refuse_weak(password: str, name: str, path: str = "password") -> None:
    """NIST SP 800-63B §3.1.1: a length, no rules of composition. Raises Problem 422."""
    why = ""
    if len(password) < MIN_PASSWORD:
        why = f"has fewer than {MIN_PASSWORD} characters"
    elif len(password.encode()) > MAX_PASSWORD:
        why = f"has more than {MAX_PASSWORD} bytes"
    elif len(set(password)) < _LEAST_LETTERS or len(password.lower().replace(name, "")) < MIN_PASSWORD // 2:
        why = "is easily guessed"
    if why:
        message = f"{path}: {why}"
        raise invalid_request(message, (FieldError(path=path, code="out_of_bounds", message=message),))


def void_link() -> Problem:
    return Problem(
        401,
        "void_link",
        "The link is over",
        detail="the link was used already, is older than its minutes, or is none of this mesh's",
        mend="an admin makes another: meshway user reset-password NAME",
    )


def totp_needed() -> Problem:
    return Problem(
        401, "totp_needed", "A code is needed", detail="the password is right", mend="send the app's code as totp"
    )


def _keyless() -> Problem:
    return Problem(
        503,
        "no_master_key",
        "Secrets cannot be opened",
        detail="codes of an app need the key that seals secrets",
        mend="start the registries with MESHWAY_MASTER_KEY_FILE",
    )


async def _room(begun: Awaitable[_T] | None) -> _T:
    if begun is None:
        raise Problem(
            503,
            "overloaded",
            "Too many sign in",
            detail="too many passwords are to be compared now",
            headers=soon(),
        )
    return await begun


def _associated(name: str) -> str:
    return f"User {name}"

"""What people do with their own accounts: sign in by password and code, set and change the password, and have an app
tell codes.

Every comparison of a password, also with that of nobody, takes the same; and each try is counted before it is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from meshway.identity import Principal
from meshway.passwords import OF_PEOPLE, PasswordWork, nobody
from meshway.problem import FieldError, Problem, invalid_request, soon
from meshway.sealing import SealBroken
from registry.people.account_writes import ChangePassword, ChangeTotp, SetUp, void_link
from registry.people.cookies import csrf_of, new_text
from registry.people.password_rules import refuse_weak
from registry.people.sessions import Opened, wrong_credentials
from registry.people.totp import new_secret, shown_secret, step_of, uri_of
from registry.revisions.acts import Actor
from registry.rights.records import digest_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from meshway.sealing import Sealing
    from registry.people.sessions import Sessions
    from registry.people.throttle import Throttle
    from registry.people.users import Users
    from registry.revisions.revisions import Revisions
    from registry.rights.records import Carrier, User

_NOBODY: Final = nobody(OF_PEOPLE)
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
        await self._revisions.submit(SetUp(actor, digest_of(token), named, hashed, self._wall()))
        return named

    async def change_password(
        self, session: str, carrier: Carrier, user: User, old: str, new: str, actor: Actor
    ) -> Opened:
        """All other sessions of the user end, and this one has a new id. Raises Problem 401, 422, 429, 503."""
        refuse_weak(new, user.name, "new_password")
        await self._proved(user.name, old, "", actor.address, actor.action, is_needed=False)
        hashed, text = await self.hashed(new), new_text(carrier)
        write = ChangePassword(actor, user, session, digest_of(text), hashed, self._wall())
        until = await self._revisions.submit(write)
        return Opened(text=text, csrf=csrf_of(text), until=until)

    async def offer_totp(self, user: User, actor: Actor) -> TotpOffered:
        """Raises Problem 409 where codes are asked for already, or secrets cannot be kept."""
        if user.totp:
            raise Problem(
                409, "totp_on", "Codes are asked for", detail="an app tells codes already", mend="remove it first"
            )
        secret = new_secret()
        await self._revisions.submit(
            ChangeTotp(actor, user, {"totp_offered": self._sealed(secret, user.name)}, "offer")
        )
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
        await self._revisions.submit(ChangeTotp(actor, user, fields, "on"))

    async def drop_totp(self, user: User, actor: Actor) -> None:
        await self._revisions.submit(ChangeTotp(actor, user, {"totp": b"", "totp_offered": b""}, "off"))

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

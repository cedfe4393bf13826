"""/v1/session: who the caller is and what it may, and what people do with their own sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import Meta

from meshway.http1.fields import find
from meshway.problem import Problem
from registry.api.answers import actor_of, answer, caller_of
from registry.manners.json_text import decoder_of, parse_json
from registry.manners.query import query_of
from registry.people.cookies import cookie_in, csrf_of, end_cookie, set_cookie
from registry.people.session_callers import ABSOLUTE_S
from registry.rights.records import Carrier, How
from registry.rights.roles import EVERYWHERE

if TYPE_CHECKING:
    from meshway.http1.message import RequestHead
    from registry.core import Core
    from registry.people.session_callers import Known
    from registry.people.sessions import Opened
    from registry.rights.caller import Caller
    from registry.rights.records import User

SESSION: Final = "/v1/session"
SETUP: Final = "/v1/session/setup"
CONFIRM: Final = "/v1/session/confirm"
PASSWORD: Final = "/v1/session/password"  # noqa: S105 - a path
TOTP: Final = "/v1/session/totp"
PREFERENCES: Final = "/v1/session/preferences"
_SECRET: Final = {"cache-control": "no-store"}
Name = Annotated[str, Meta(max_length=63)]
Password = Annotated[str, Meta(max_length=1024)]
Code = Annotated[str, Meta(max_length=16)]


class SignInWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """totp: the code of who has an app for it. carrier: a cookie for a browser, a text to send as a bearer's for all
    else."""

    name: Name
    password: Password
    totp: Code = ""
    carrier: Carrier = "cookie"


class SetupWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """token: behind `#` of the link. name: the first admin's own choice; of others it may be left out."""

    token: Annotated[str, Meta(max_length=200)]
    name: Annotated[str, Meta(pattern=r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$(?!\n)")] = ""
    password: Password


class ConfirmWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of both."""

    password: Password = ""
    totp: Code = ""


class PasswordWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """password: the one there is."""

    password: Password
    new_password: Password


class CodeWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    totp: Code


class SessionOpened(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """csrf: what writes by the cookie send as Meshway-CSRF. token: of a bearer's; told this once. until: seconds since
    1970, at the latest."""

    csrf: str = ""
    token: str = ""
    until: float


class SetUp(msgspec.Struct, frozen=True, kw_only=True):
    """name: whose password it is now; POST /v1/session signs in by it."""

    name: str


class Person(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """must_change: the password, before anything else. has_totp: codes are asked for at sign-in."""

    name: str
    display_name: str = ""
    must_change: bool = False
    has_totp: bool = False


class Session(msgspec.Struct, frozen=True, omit_defaults=True):
    """rights: by namespace, `*` for all. service: the one whose instances it registers. expires_at: seconds since 1970.

    user: of the registry's own, None: another caller. csrf: of a session by cookie. how: a session was opened;
    confirmed_at: a password or code was given last. read_only: the registry takes no writes now.
    """

    principal: str
    rights: dict[str, list[str]]
    service: str = ""
    expires_at: float | None = None
    user: Person | None = None
    csrf: str = ""
    how: How | None = None
    confirmed_at: float | None = None
    read_only: bool = False


_decode_sign_in: Final = decoder_of(SignInWanted, "")
_decode_setup: Final = decoder_of(SetupWanted, "")
_decode_confirm: Final = decoder_of(ConfirmWanted, "")
_decode_password: Final = decoder_of(PasswordWanted, "")
_decode_code: Final = decoder_of(CodeWanted, "")


def sessions_router(core: Core) -> APIRouter:
    router = APIRouter()
    for add in (_add_sessions, _add_account, _add_preferences):
        add(router, core)
    return router


def _add_sessions(router: APIRouter, core: Core) -> None:
    @router.get(SESSION)
    async def session(request: Request) -> Response:
        """A session whose person holds more roles than it was opened with has them from here on, with a new id."""
        query_of(request.url.query, frozenset())
        caller, head = caller_of(request), _head_of(request)
        text, headers = cookie_in(head.block, is_plain=core.callers.sign_in.is_plain(head)) or "", dict(_SECRET)
        known = core.callers.session_callers.known(caller.session) if caller.session else None
        if known is not None and known.has_more and text and core.store.missing() is None:
            renewed = await core.callers.sessions.renew(caller.session, actor=actor_of(request))
            if renewed is not None:
                text = renewed.text
                headers |= _set(core, request, renewed)
                caller = core.callers.session_callers.caller(text, "cookie") or caller
        return answer(session_of(core, caller, text), headers=headers)

    @router.post(SESSION)
    async def sign_in(request: Request) -> Response:
        """The session that the caller had before, if any, ends."""
        query_of(request.url.query, frozenset())
        wanted, before = _decode_sign_in(await request.body()), caller_of(request)
        agent = find(_head_of(request).block, b"user-agent") or b""
        actor = actor_of(request)
        opened = await core.callers.accounts.sign_in(
            wanted.name,
            wanted.password,
            wanted.totp,
            action=actor.action,
            address=actor.address,
            carrier=wanted.carrier,
            agent=agent.decode("latin-1"),
        )
        if before.session:
            await core.callers.sessions.end(before.session, actor)
        return _signed_in(core, request, opened, wanted.carrier, 201)

    @router.delete(SESSION)
    async def sign_out(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        digest = _known(core, request)[0]
        await core.callers.sessions.end(digest, actor_of(request))
        ended = end_cookie(is_plain=core.callers.sign_in.is_plain(_head_of(request)))
        return Response(status_code=204, headers={"set-cookie": ended})

    @router.post(SETUP)
    async def set_up(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        wanted = _decode_setup(await request.body())
        name = await core.callers.accounts.set_up(wanted.token, wanted.name, wanted.password, actor_of(request))
        return answer(SetUp(name=name), headers=_SECRET)


def _add_account(router: APIRouter, core: Core) -> None:
    @router.post(CONFIRM)
    async def confirm(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        wanted = _decode_confirm(await request.body())
        digest, known = _known(core, request)
        user = _user(core, known)
        opened = await core.callers.accounts.confirm(digest, user, wanted.password, wanted.totp, actor_of(request))
        return _signed_in(core, request, opened, known.session.carrier)

    @router.put(PASSWORD)
    async def change_password(request: Request) -> Response:
        """All other sessions of the person end."""
        query_of(request.url.query, frozenset())
        wanted = _decode_password(await request.body())
        digest, known = _known(core, request)
        opened = await core.callers.accounts.change_password(
            digest, known.session.carrier, _user(core, known), wanted.password, wanted.new_password, actor_of(request)
        )
        return _signed_in(core, request, opened, known.session.carrier)

    @router.post(TOTP)
    async def offer_totp(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        offered = await core.callers.accounts.offer_totp(_user(core, _known(core, request)[1]), actor_of(request))
        return answer(offered, 201, headers=_SECRET)

    @router.put(TOTP)
    async def take_totp(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        wanted = _decode_code(await request.body())
        await core.callers.accounts.take_totp(_user(core, _known(core, request)[1]), wanted.totp, actor_of(request))
        return Response(status_code=204)

    @router.delete(TOTP)
    async def drop_totp(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        await core.callers.accounts.drop_totp(_user(core, _known(core, request)[1]), actor_of(request))
        return Response(status_code=204)


def _add_preferences(router: APIRouter, core: Core) -> None:
    @router.get(PREFERENCES)
    async def preferences(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        return answer(core.callers.preferences.of(_known(core, request)[1].session.principal))

    @router.put(PREFERENCES)
    async def put_preferences(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        body = await request.body()
        principal = _known(core, request)[1].session.principal
        await core.callers.preferences.put(principal, parse_json(body))
        return Response(status_code=204)


def session_of(core: Core, caller: Caller, text: str = "") -> Session:
    """text: of the caller's cookie."""
    rights: dict[str, list[str]] = {namespace: sorted(held) for namespace, held in sorted(caller.within.items())}
    if caller.everywhere:
        rights[EVERYWHERE] = sorted(caller.everywhere)
    known = core.callers.session_callers.known(caller.session) if caller.session else None
    told: dict[str, Any] = {}
    if known is not None:
        one = known.session
        told = {"how": one.how, "confirmed_at": one.confirmed_at, "csrf": csrf_of(text) if text else ""}
        if one.user and (user := core.callers.users.named(one.user)) is not None:
            told["user"] = Person(
                name=user.name,
                display_name=user.display_name,
                must_change=user.must_change,
                has_totp=bool(user.totp),
            )
    is_read_only = core.settings.read_only or core.store.missing() is not None
    return Session(caller.principal.name, rights, caller.service, caller.expires_at, read_only=is_read_only, **told)


def _known(core: Core, request: Request) -> tuple[str, Known]:
    """The caller's session and its digest. Raises Problem 403 for one that came without."""
    digest = caller_of(request).session
    known = core.callers.session_callers.known(digest) if digest else None
    if known is None:
        raise Problem(
            403,
            "no_session",
            "Not a session",
            detail="this is for people who signed in, and the caller came without a session",
            mend="POST /v1/session with name and password",
        )
    return digest, known


def _user(core: Core, known: Known) -> User:
    """Raises Problem 403 for whose password another knows."""
    user = core.callers.users.named(known.session.user) if known.session.user else None
    if user is None:
        raise Problem(
            403,
            "not_our_user",
            "Not a user of the registry",
            detail="the provider that signed the caller in knows its password, not the registry",
            mend="sign in again there to confirm who you are",
        )
    return user


def _signed_in(core: Core, request: Request, opened: Opened, carrier: Carrier, status: int = 200) -> Response:
    if carrier == "bearer":
        return answer(SessionOpened(token=opened.text, until=opened.until), status, headers=_SECRET)
    headers = _SECRET | _set(core, request, opened)
    return answer(SessionOpened(csrf=opened.csrf, until=opened.until), status, headers=headers)


def _set(core: Core, request: Request, opened: Opened) -> dict[str, str]:
    is_plain = core.callers.sign_in.is_plain(_head_of(request))
    return {"set-cookie": set_cookie(opened.text, ABSOLUTE_S, is_plain=is_plain)}


def _head_of(request: Request) -> RequestHead:
    head: RequestHead = request.scope["state"]["head"]
    return head

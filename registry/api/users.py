"""/v1/users, /v1/sessions and /v1/bindings: who may sign in by a password, who is signed in, and which roles people
hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import Meta

from meshway.model.document import LABEL_PATTERN, Label
from meshway.problem import FieldError, Problem
from registry.api.answers import actor_of, answer, caller_of
from registry.federation.federation import PERSON
from registry.manners.json_text import decoder_of
from registry.manners.query import query_of
from registry.people.password_rules import refuse_weak
from registry.people.sessions import SessionShown
from registry.people.users import LinkMade, UserShown
from registry.rights.bindings import BindingShown
from registry.rights.records import Subject, SubjectKind
from registry.rights.records import principal_of as local_principal
from registry.rights.roles import EVERYWHERE, NOT_FOR_PEOPLE, OF_THE_MESH, RIGHTS_OF, Right, Role
from registry.rights.token import Grant

if TYPE_CHECKING:
    from registry.core import Core

USERS: Final = "/v1/users"
USER: Final = "/v1/users/{user}"
RESET: Final = "/v1/users/{user}/reset"
TOTP: Final = "/v1/users/{user}/totp"
SESSIONS_OF: Final = "/v1/users/{user}/sessions"
SESSION_OF: Final = "/v1/users/{user}/sessions/{session}"
RIGHTS_OF_USER: Final = "/v1/users/{user}/rights"
ROLES: Final = "/v1/roles"
SESSIONS: Final = "/v1/sessions"
BINDINGS: Final = "/v1/bindings"
BINDING: Final = "/v1/bindings/{binding}"
_SECRET: Final = {"cache-control": "no-store"}
DisplayName = Annotated[str, Meta(max_length=200)]
Password = Annotated[str, Meta(max_length=1024)]


class UserRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """password: which the person has to change; left out: a link is made, by which the person sets it."""

    name: Label
    display_name: DisplayName = ""
    password: Password | None = None


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays. is_disabled: all sessions end."""

    display_name: DisplayName | None = None
    is_disabled: bool | None = None


class ResetRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As in UserRequest."""

    password: Password | None = None


class UserMade(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """link: told this once."""

    user: UserShown
    link: LinkMade | None = None


class UserPage(msgspec.Struct, frozen=True):
    items: list[UserShown]


class SessionPage(msgspec.Struct, frozen=True):
    items: list[SessionShown]


class BindingPage(msgspec.Struct, frozen=True):
    items: list[BindingShown]


class RoleShown(msgspec.Struct, frozen=True, kw_only=True):
    """of_the_mesh: held in all namespaces, or not at all. for_people: it can be bound to a user or a group."""

    name: Role
    rights: list[Right]
    of_the_mesh: bool
    for_people: bool


class RolePage(msgspec.Struct, frozen=True):
    items: list[RoleShown]


class HeldBy(msgspec.Struct, frozen=True, kw_only=True):
    """Why: a role in a namespace, of the user or of a group; group: "" = the user's own."""

    role: Role
    namespace: str
    group: str = ""


class UserRights(msgspec.Struct, frozen=True, kw_only=True):
    """rights: by namespace, `*`: in all. Of people whom a provider knows, by the groups that it told of at the last
    sign-in that is not over."""

    principal: str
    rights: dict[str, list[Right]]
    by: list[HeldBy]


class BindingRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """subject: a user's name, or a group's as its provider calls it. namespace: `*` for all."""

    kind: SubjectKind = "user"
    subject: Subject
    role: Role
    namespace: Annotated[str, Meta(pattern=f"^\\*$|{LABEL_PATTERN}")] = EVERYWHERE


_decode_user: Final = decoder_of(UserRequest, "")
_decode_change: Final = decoder_of(UserChange, "")
_decode_reset: Final = decoder_of(ResetRequest, "")
_decode_binding: Final = decoder_of(BindingRequest, "")


def users_router(core: Core) -> APIRouter:
    router = APIRouter()
    for add in (_add_users, _add_letting_in, _add_sessions_of, _add_sessions, _add_bindings, _add_roles):
        add(router, core)
    return router


def _add_users(router: APIRouter, core: Core) -> None:
    @router.post(USERS)
    async def create(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        wanted = _decode_user(await request.body())
        hashed = await _hashed(core, wanted.password, wanted.name)
        user, link = await core.callers.users.create(
            wanted.name, actor_of(request), display_name=wanted.display_name, hashed=hashed
        )
        headers = _SECRET | {"location": f"{USERS}/{user.name}"}
        return answer(UserMade(user=user, link=link), 201, headers=headers)

    @router.get(USERS)
    async def many(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        return answer(UserPage(core.callers.users.shown()))

    @router.patch(USER)
    async def change(user: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        wanted = _decode_change(await request.body())
        changed = await core.callers.users.change(
            user, actor_of(request), display_name=wanted.display_name, is_disabled=wanted.is_disabled
        )
        return answer(changed)

    @router.delete(USER)
    async def delete(user: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        await core.callers.users.delete(user, actor_of(request))
        return Response(status_code=204)


def _add_letting_in(router: APIRouter, core: Core) -> None:
    @router.post(RESET)
    async def reset(user: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        wanted = _decode_reset(await request.body())
        core.callers.users.known(user)
        hashed = await _hashed(core, wanted.password, user)
        link = await core.callers.users.reset(user, actor_of(request), hashed=hashed)
        from_now = [one for one in core.callers.users.shown() if one.name == user]
        return answer(UserMade(user=from_now[0], link=link), headers=_SECRET)

    @router.delete(TOTP)
    async def remove_totp(user: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        await core.callers.users.remove_totp(user, actor_of(request))
        return Response(status_code=204)


def _add_sessions_of(router: APIRouter, core: Core) -> None:
    @router.get(SESSIONS_OF)
    async def sessions(user: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        return answer(SessionPage(core.callers.sessions.shown(_signed_in_as(core, user), caller_of(request).session)))

    @router.delete(SESSIONS_OF)
    async def end_all(user: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        await core.callers.sessions.end_of(_signed_in_as(core, user), actor_of(request))
        return Response(status_code=204)

    @router.delete(SESSION_OF)
    async def end_one(user: str, session: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        await core.callers.sessions.end_of(_signed_in_as(core, user), actor_of(request), shown_id=session)
        return Response(status_code=204)


def _signed_in_as(core: Core, user: str) -> str:
    """Whose sessions are meant: of a user, or of somebody whom a provider knows, `sso:PROVIDER:NAME`. Raises Problem
    404 for no user."""
    return user if user.startswith(f"{PERSON}:") else local_principal(core.callers.users.known(user).name)


def _add_sessions(router: APIRouter, core: Core) -> None:
    @router.get(SESSIONS)
    async def sessions(request: Request) -> Response:
        principal = query_of(request.url.query, frozenset({"principal"})).get("principal", "")
        return answer(SessionPage(core.callers.sessions.shown(principal, caller_of(request).session)))


def _add_bindings(router: APIRouter, core: Core) -> None:
    @router.post(BINDINGS)
    async def bind(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        wanted = _decode_binding(await request.body())
        if wanted.kind == "group" and not all(wanted.subject.partition(":")):
            raise _no_group(
                wanted.subject, [] if core.callers.federation is None else list(core.callers.federation.providers)
            )
        grant = Grant(wanted.role, wanted.namespace)
        made = await core.callers.bindings.create(
            caller_of(request), wanted.kind, wanted.subject, grant, actor_of(request)
        )
        return answer(made, 201, headers={"location": f"{BINDINGS}/{made.id}"})

    @router.get(BINDINGS)
    async def bindings(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        return answer(BindingPage(core.callers.bindings.list(caller_of(request))))

    @router.delete(BINDING)
    async def unbind(binding: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        await core.callers.bindings.delete(caller_of(request), binding, actor_of(request))
        return Response(status_code=204)


def _no_group(subject: str, providers: list[str]) -> Problem:
    """Nobody is ever in a group that names no provider."""
    message = f"subject: {subject!r} names no provider: a group is PROVIDER:GROUP, as the provider calls it"
    known = f"the providers here: {', '.join(providers)}" if providers else "no provider is known here: --oidc-file"
    return Problem(
        422,
        "invalid_request",
        "Invalid request",
        detail=message,
        errors=(FieldError(path="subject", code="bad_name", message=message),),
        mend=known,
    )


def _add_roles(router: APIRouter, core: Core) -> None:
    @router.get(ROLES)
    async def roles(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        items = [
            RoleShown(
                name=role, rights=sorted(rights), of_the_mesh=role in OF_THE_MESH, for_people=role not in NOT_FOR_PEOPLE
            )
            for role, rights in RIGHTS_OF.items()
        ]
        return answer(RolePage(items))

    @router.get(RIGHTS_OF_USER)
    async def rights(user: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        principal = _signed_in_as(core, user)
        groups = core.callers.sessions.groups_of(principal) if user.startswith(f"{PERSON}:") else frozenset()
        by = [
            HeldBy(role=one.grant.role, namespace=one.grant.namespace, group="" if one.kind == "user" else one.subject)
            for one in core.callers.bindings.of(user, groups)
        ]
        held: dict[str, set[Right]] = {}
        for one in by:
            held.setdefault(one.namespace, set()).update(RIGHTS_OF[one.role])
        told = {namespace: sorted(rights) for namespace, rights in sorted(held.items())}
        return answer(UserRights(principal=principal, rights=told, by=by))


async def _hashed(core: Core, password: str | None, name: str) -> str:
    """Empty where none is given. Raises Problem 422, 503."""
    if password is None:
        return ""
    refuse_weak(password, name)
    return await core.callers.accounts.hashed(password)

"""What the routes of sessions, users and bindings are, for the description of the API."""

from __future__ import annotations

from typing import Any, Final

from registry.api import sessions, users
from registry.api.parameters import PROBLEM
from registry.manners.openapi import Operation, Parameter
from registry.people.accounts import TotpOffered
from registry.people.users import UserShown
from registry.rights.bindings import BindingShown

_OBJECT: Final = {"type": "object"}
_TAG: Final = "people"
_USER: Final = {"user": "ann"}
_REFUSED: Final = {401: PROBLEM, 429: PROBLEM}


def people_operations() -> list[Operation]:
    return [*_sessions(), *_account(), *_users(), *_user_sessions(), *_sessions_of_all(), *_bindings()]


def _row(method: str, path: str, name: str, right: Any, about: str, answers: dict[int, Any], **more: Any) -> Operation:
    return Operation(method=method, path=path, id=name, tag=_TAG, right=right, about=about, answers=answers, **more)


def _sessions() -> list[Operation]:
    wanted = {"name": "ann", "password": "correct horse battery"}
    return [
        _row(
            "GET",
            sessions.SESSION,
            "getSession",
            "signed_in",
            "Who the caller is, and what it may, by namespace.",
            {200: sessions.Session},
            detail="A session by cookie is told what it sends as Meshway-CSRF with each write. Roles that were added "
            "since it was opened count from here on, and it gets a new id.",
        ),
        _row(
            "POST",
            sessions.SESSION,
            "signIn",
            "open",
            "Sign in by name, password and, of who has an app for it, its code.",
            {201: sessions.SessionOpened, **_REFUSED},
            body=sessions.SignInWanted,
            example_body=wanted,
        ),
        _row(
            "DELETE",
            sessions.SESSION,
            "signOut",
            "signed_in",
            "End the caller's session.",
            {204: None, 403: PROBLEM},
        ),
        _row(
            "POST",
            sessions.SETUP,
            "setUp",
            "open",
            "Set a password by a one-time link; of the first link the first admin's.",
            {200: sessions.SetUp, 409: PROBLEM, **_REFUSED},
            body=sessions.SetupWanted,
            example_body={"token": "A" * 43, "password": wanted["password"]},
        ),
    ]


def _account() -> list[Operation]:
    password = "correct horse battery"  # noqa: S105 - an example
    return [
        _row(
            "POST",
            sessions.CONFIRM,
            "confirmSession",
            "signed_in",
            "Give the password, or a code, again: keys, the authority and users ask for it after 10 min.",
            {200: sessions.SessionOpened, 403: PROBLEM, **_REFUSED},
            body=sessions.ConfirmWanted,
            example_body={"password": password},
        ),
        _row(
            "PUT",
            sessions.PASSWORD,
            "changePassword",
            "signed_in",
            "Change the caller's own password. Its other sessions end.",
            {200: sessions.SessionOpened, 403: PROBLEM, **_REFUSED},
            body=sessions.PasswordWanted,
            example_body={"password": password, "new_password": "battery horse correct"},
        ),
        _row(
            "POST",
            sessions.TOTP,
            "offerTotp",
            "signed_in",
            "A secret for an app that tells codes. It counts once a code of it was given.",
            {201: TotpOffered, 403: PROBLEM, 409: PROBLEM},
            is_confirmed=True,
        ),
        _row(
            "PUT",
            sessions.TOTP,
            "takeTotp",
            "signed_in",
            "Give the first code: from now on each sign-in asks for one.",
            {204: None, 403: PROBLEM, 409: PROBLEM, **_REFUSED},
            body=sessions.CodeWanted,
            example_body={"totp": "123456"},
        ),
        _row(
            "DELETE",
            sessions.TOTP,
            "dropTotp",
            "signed_in",
            "Ask for codes no more.",
            {204: None, 403: PROBLEM},
            is_confirmed=True,
        ),
        _row(
            "GET",
            sessions.PREFERENCES,
            "getPreferences",
            "signed_in",
            "What the console keeps for the caller.",
            {200: _OBJECT, 403: PROBLEM},
        ),
        _row(
            "PUT",
            sessions.PREFERENCES,
            "putPreferences",
            "signed_in",
            "Keep it: a JSON object of at most 16 KiB.",
            {204: None, 403: PROBLEM, 413: PROBLEM},
            body=_OBJECT,
            example_body={"language": "en"},
        ),
    ]


def _users() -> list[Operation]:
    return [
        _row(
            "POST",
            users.USERS,
            "createUser",
            "users:write",
            "Make a user. Without a password the answer tells a link, once, by which the person sets it.",
            {201: users.UserMade, 409: PROBLEM},
            body=users.UserRequest,
            example_body={"name": "ann", "display_name": "Ann"},
            is_confirmed=True,
        ),
        _row("GET", users.USERS, "listUsers", "users:read", "The users, without passwords.", {200: users.UserPage}),
        _row(
            "PATCH",
            users.USER,
            "changeUser",
            "users:write",
            "Change the name that is shown, or disable a user: all its sessions end.",
            {200: UserShown, 404: PROBLEM, 409: PROBLEM},
            body=users.UserChange,
            example=_USER,
            example_body={"is_disabled": False},
            is_confirmed=True,
        ),
        _row(
            "DELETE",
            users.USER,
            "deleteUser",
            "users:write",
            "Delete a user, with roles and sessions.",
            {204: None, 404: PROBLEM, 409: PROBLEM},
            example=_USER,
            is_confirmed=True,
        ),
        _row(
            "POST",
            users.RESET,
            "resetUser",
            "users:write",
            "Take the password away and end all sessions; the answer tells a link to set the next one by.",
            {200: users.UserMade, 404: PROBLEM, 409: PROBLEM},
            body=users.ResetRequest,
            example=_USER,
            example_body={},
            is_confirmed=True,
        ),
        _row(
            "DELETE",
            users.TOTP,
            "removeUserTotp",
            "users:write",
            "Ask a user for codes no more: the device is lost.",
            {204: None, 404: PROBLEM},
            example=_USER,
            is_confirmed=True,
        ),
    ]


def _user_sessions() -> list[Operation]:
    return [
        _row(
            "GET",
            users.ROLES,
            "listRoles",
            "signed_in",
            "The roles there are, and what each may.",
            {200: users.RolePage},
        ),
        _row(
            "GET",
            users.RIGHTS_OF_USER,
            "getUserRights",
            "users:read",
            "What a person may, by namespace, and by which roles.",
            {200: users.UserRights, 404: PROBLEM},
            detail="The user's name; of people whom a provider knows `sso:PROVIDER:NAME`.",
            example=_USER,
        ),
        _row(
            "GET",
            users.SESSIONS_OF,
            "listUserSessions",
            "users:read",
            "A user's sessions that are not over, newest first.",
            {200: users.SessionPage, 404: PROBLEM},
            example=_USER,
        ),
        _row(
            "DELETE",
            users.SESSIONS_OF,
            "endUserSessions",
            "users:write",
            "End all sessions of a user: here at once, at other registries within 5 s.",
            {204: None, 404: PROBLEM},
            example=_USER,
        ),
        _row(
            "DELETE",
            users.SESSION_OF,
            "endUserSession",
            "users:write",
            "End one session of a user.",
            {204: None, 404: PROBLEM},
            example=_USER | {"session": "0" * 16},
        ),
    ]


def _sessions_of_all() -> list[Operation]:
    whose = Parameter(name="principal", about="Of one person, `user:NAME` or `sso:PROVIDER:NAME`.")
    return [
        _row(
            "GET",
            users.SESSIONS,
            "listSessions",
            "users:read",
            "Everybody's sessions that are not over, newest first.",
            {200: users.SessionPage},
            parameters=(whose,),
        ),
    ]


def _bindings() -> list[Operation]:
    return [
        _row(
            "POST",
            users.BINDINGS,
            "createBinding",
            "bindings:write",
            "Give a role to a user, or to all of a provider's group.",
            {201: BindingShown, 409: PROBLEM},
            by_rows=True,
            detail="Nobody gives rights that they have not themselves. One that is there already stays as it is.",
            body=users.BindingRequest,
            example_body={"kind": "group", "subject": "corp:developers", "role": "viewer", "namespace": "default"},
            is_confirmed=True,
        ),
        _row(
            "GET",
            users.BINDINGS,
            "listBindings",
            "bindings:read",
            "Who holds which roles.",
            {200: users.BindingPage},
            by_rows=True,
        ),
        _row(
            "DELETE",
            users.BINDING,
            "deleteBinding",
            "bindings:write",
            "Take a role back: it counts no more at once, at other registries within 5 s.",
            {204: None, 404: PROBLEM, 409: PROBLEM},
            by_rows=True,
            example={"binding": "0" * 16},
            is_confirmed=True,
        ),
    ]

"""What is kept of people who sign in: users, the roles they are bound to, their sessions, and one-time links.

They are rows of `people` (registry/store/tables.py), each with a value in msgpack. A row that is gone has none.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from registry.rights.roles import EVERYWHERE
from registry.rights.token import Grant  # msgspec reads the fields' types

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from registry.store.interface import PeopleRecord

    Rows = Mapping[str, PeopleRecord]

USER: Final = "user"
BINDING: Final = "binding"
SESSION: Final = "session"
LINK: Final = "link"
PREFERENCES: Final = "preferences"

How = Literal["password", "link", "sso"]
Carrier = Literal["cookie", "bearer"]
SubjectKind = Literal["user", "group"]
# Of a group `PROVIDER:GROUP`, as the provider calls it.
MAX_SUBJECT: Final = 200
Subject = Annotated[str, Meta(min_length=1, max_length=MAX_SUBJECT, pattern=r"^[^\x00-\x1f\x7f]+$")]
_PRINCIPAL: Final = "user:"


class User(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person whose password the registry knows.

    hash: of the password, argon2id; empty: there is none yet. must_change: it was given by somebody else. totp: the
    secret, sealed; empty: none. totp_offered: one that was not confirmed yet. totp_step: of the last code that was
    taken. mark: of this person's sessions; with another one all that were opened before are over. Times: seconds since
    1970.
    """

    name: str
    mark: str
    display_name: str = ""
    hash: str = ""
    is_disabled: bool = False
    must_change: bool = False
    totp: bytes = b""
    totp_offered: bytes = b""
    totp_step: int = 0
    created_at: float
    created_by: str
    signed_in_at: float | None = None

    @property
    def principal(self) -> str:
        return principal_of(self.name)


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """A role that a user, or all who are in a group, hold in a namespace or in all (`*`)."""

    kind: SubjectKind
    subject: Subject
    grant: Grant
    created_at: float
    created_by: str

    @property
    def id(self) -> str:
        """The same for the same subject, role and namespace."""
        return binding_id(self.kind, self.subject, self.grant)

    @property
    def is_admin(self) -> bool:
        return self.grant.role == "admin" and self.grant.namespace == EVERYWHERE


class Session(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One sign-in, kept under the SHA-256 of what the caller sends.

    user: a local one's name; empty: of a provider's. mark: the user's, when it was opened. groups: that a provider told
    of. own: what it holds beside bindings. held: what it was opened with: what is added to it waits for a new id.
    address, agent: of whoever signed in. Times: seconds since 1970; confirmed_at: when a password or code was given.
    """

    principal: str
    user: str = ""
    mark: str = ""
    groups: tuple[str, ...] = ()
    own: tuple[Grant, ...] = ()
    held: tuple[Grant, ...] = ()
    how: How
    carrier: Carrier = "cookie"
    opened_at: float
    confirmed_at: float
    until: float
    address: str = ""
    agent: str = ""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Lets its bearer set a password, once; kept under its SHA-256. user: whose; empty: the first admin's, who says his
    name himself."""

    user: str = ""


_T = TypeVar("_T", User, Binding, Session, Link)
encode: Final = msgspec.msgpack.Encoder().encode


def principal_of(user: str) -> str:
    return _PRINCIPAL + user


def digest_of(text: str) -> str:
    """Under which a session or a link is kept: with 256 bits of chance nothing slower is needed."""
    return sha256(text.encode()).hexdigest()


def binding_id(kind: SubjectKind, subject: str, grant: Grant) -> str:
    whole = json.dumps([kind, subject, grant.role, grant.namespace])
    return sha256(whole.encode()).hexdigest()[:16]


def read(rows: Rows, key: str, kind: type[_T]) -> _T | None:
    """None for what was never there, or is gone."""
    record = rows.get(key)
    return None if record is None or record.value is None else msgspec.msgpack.decode(record.value, type=kind)


def read_all(rows: Rows, kind: type[_T]) -> Iterator[_T]:
    return (found for _, found in read_items(rows, kind))


def read_items(rows: Rows, kind: type[_T]) -> Iterator[tuple[str, _T]]:
    """With the ids of their rows."""
    for key, record in rows.items():
        if record.value is not None:
            yield key, msgspec.msgpack.decode(record.value, type=kind)


def grants_of(bindings: Mapping[tuple[str, str], tuple[Grant, ...]], session: Session) -> tuple[Grant, ...]:
    """What the one of the session holds now. bindings: by kind and subject."""
    grants = list(session.own)
    if session.user:
        grants += bindings.get(("user", session.user), ())
    for group in session.groups:
        grants += bindings.get(("group", group), ())
    return tuple(dict.fromkeys(grants))


def by_subject(rows: Rows) -> dict[tuple[str, str], tuple[Grant, ...]]:
    found: dict[tuple[str, str], tuple[Grant, ...]] = {}
    for binding in read_all(rows, Binding):
        key = (binding.kind, binding.subject)
        found[key] = (*found.get(key, ()), binding.grant)
    return found


def admins_in(users: Rows, bindings: Rows) -> set[str]:
    """Names of local users who can sign in, and may everything. Who is in a group only its provider knows: those do not
    count."""
    bound = {one.subject for one in read_all(bindings, Binding) if one.kind == "user" and one.is_admin}
    return {user.name for user in read_all(users, User) if user.name in bound and user.hash and not user.is_disabled}

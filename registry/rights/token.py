"""A token: how it is written, what is kept of it, and what it may.

`mwt_ID_SECRET`: eight letters and digits to find it by, and 32 random bytes in base64url. Only the SHA-256 of the whole
is kept: with 256 bits of chance nothing slower is needed. It is told once, to whoever made it.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from meshway.model.document import LABEL_PATTERN
from registry.rights.roles import EVERYWHERE, Role  # msgspec reads the fields' types
from registry.store.interface import TokenRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX: Final = "mwt_"
ID_LENGTH: Final = 8
SECRET_BYTES: Final = 32
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_LENGTH: Final = len(PREFIX) + ID_LENGTH + 1 + 43  # 32 bytes in base64url without padding


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A role in a namespace, or in all (`*`)."""

    role: Role
    namespace: Annotated[str, Meta(pattern=f"^\\*$|{LABEL_PATTERN}")] = EVERYWHERE


class Scope(msgspec.Struct, frozen=True):
    """What a token may. service: `namespace/name` of the one it registers; empty: none."""

    grants: tuple[Grant, ...] = ()
    service: str = ""

    @property
    def is_admin(self) -> bool:
        return any(grant.role == "admin" for grant in self.grants)

    @property
    def namespaces(self) -> frozenset[str]:
        """Of all that it names, `*` among them."""
        named = {grant.namespace for grant in self.grants}
        return frozenset(named | {self.service.partition("/")[0]} if self.service else named)


class Minted(msgspec.Struct, frozen=True):
    """text: the token, which nobody can tell again."""

    text: str
    id: str
    digest: bytes


def mint() -> Minted:
    token_id = "".join(secrets.choice(_LETTERS) for _ in range(ID_LENGTH))
    text = f"{PREFIX}{token_id}_{secrets.token_urlsafe(SECRET_BYTES)}"
    return Minted(text, token_id, digest_of(text))


def digest_of(text: str) -> bytes:
    return sha256(text.encode()).digest()


def id_of(text: str) -> str | None:
    """None for what is no token of ours."""
    if len(text) != _LENGTH or not text.startswith(PREFIX) or text[len(PREFIX) + ID_LENGTH] != "_":
        return None
    return text[len(PREFIX) : len(PREFIX) + ID_LENGTH]


def is_its_own(record: TokenRecord, text: str) -> bool:
    """Whether the text is the token of the record, in a time that tells nothing."""
    return hmac.compare_digest(record.digest, digest_of(text))


def scope_of(record: TokenRecord) -> Scope:
    return msgspec.msgpack.decode(record.scope, type=Scope)


def principal_of(record: TokenRecord) -> str:
    """As whom it acts, in histories and the audit log."""
    return f"token:{record.name}"


def is_live(record: TokenRecord, now: float) -> bool:
    """now: seconds since 1970."""
    return record.revoked_at is None and (record.expires_at is None or now < record.expires_at)


def live_admins(records: Iterable[TokenRecord], now: float) -> list[TokenRecord]:
    return [record for record in records if is_live(record, now) and scope_of(record).is_admin]

"""Names and passwords (RFC 7617) as a method: argon2id beside the loop, and for a minute by a keyed hash.

A name that is not known costs as much as one that is, so that nobody learns which names there are.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from gateway.authentication.proof import REMEMBERED_S, Fault, Proof
from gateway.consumer_ring import ConsumerRing
from gateway.secret_ring import ReadSecret
from meshway.identity import Principal
from meshway.passwords import OF_CALLS, PasswordWork, nobody

MOST_REMEMBERED: Final = 10_000
MAX_CREDENTIAL: Final = 1024  # bytes
_BUSY: Final = Fault("too many passwords are to be checked now", is_busy=True)
_WRONG: Final = Fault("the name or the password is wrong")
_NOBODY: Final = nobody(OF_CALLS)


def read_users(data: Any) -> Mapping[str, str]:
    """Hashes by name. data: of a Secret of type basic_users."""
    return {entry["username"]: entry["hash"] for entry in data}


class PasswordMethod:
    """As KeyMethod. users: the Secret's."""

    challenge = b"Basic"
    awaits = "a password is checked"

    def __init__(
        self,
        namespace: str,
        policy: str,
        consumers: ConsumerRing,
        users: ReadSecret[Mapping[str, str]],
        checks: PasswordWork,
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._namespace, self._policy = namespace, policy
        self._consumers, self._users, self._checks = consumers, users, checks
        self._now, self._wall = now, wall
        self._key = os.urandom(32)
        self._known: dict[bytes, Proof] = {}
        self._age = 0

    def judge(self, credential: bytes) -> Proof | Fault | Awaitable[Proof | Fault]:
        name, password = _read(credential)
        if name is None:
            return Fault("the credential is no name and password in base64")
        mark = hmac.digest(self._key, credential, hashlib.sha256)
        known = self._known.get(mark)
        if known is not None and known.until > self._now():
            return known
        return self._check(name, password, mark)

    def forget(self) -> None:
        self._age += 1
        self._known.clear()
        self._users.forget()

    async def _check(self, name: str, password: bytes, mark: bytes) -> Proof | Fault:
        wall_s, age = self._wall(), self._age
        hashes = [(users[name], until) for users, until in self._users.accepted(wall_s) if name in users]
        for hashed, until in hashes or [(_NOBODY, 0.0)]:
            checked = self._checks.check(password, hashed)
            if checked is None:
                return _BUSY
            if await checked and until > wall_s:
                proof = self._proof(name, min(REMEMBERED_S, until - wall_s))
                if age == self._age:  # meanwhile nobody took the password back
                    self._remember(mark, proof)
                    return proof
                return await self._check(name, password, mark)
        return _WRONG

    def _remember(self, mark: bytes, proof: Proof) -> None:
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[mark] = proof

    def _proof(self, name: str, for_s: float) -> Proof:
        consumer = self._consumers.by_user(self._namespace, name)
        principal = Principal(
            name=f"user:{name}" if consumer is None else consumer.name,
            consumer="" if consumer is None else consumer.name,
            groups=frozenset() if consumer is None else consumer.groups,
            method="basic",
            policy=self._policy,
        )
        return Proof(principal, b"", self._now() + for_s)


def _read(credential: bytes) -> tuple[str | None, bytes]:
    try:
        if len(credential) > MAX_CREDENTIAL:
            raise ValueError
        name, colon, password = base64.b64decode(credential, validate=True).partition(b":")
        return (name.decode() if colon else None), password
    except (binascii.Error, ValueError):
        return None, b""

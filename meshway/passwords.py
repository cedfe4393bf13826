"""Passwords and their hashes: argon2id (RFC 9106), beside the loop, since one takes some 60 to 200 ms of a core."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

AT_ONCE: Final = 2
MOST_WAITING: Final = 64
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32


class Cost(NamedTuple):
    """Of one hash, on one lane."""

    memory_kib: int
    turns: int


# Where a gateway compares for every call: OWASP's first choice.
OF_CALLS: Final = Cost(19_456, 2)
# Where a person signs in now and then: RFC 9106 §4, its second choice, on one lane.
OF_PEOPLE: Final = Cost(65_536, 3)


def nobody(cost: Cost) -> str:
    """The hash of nobody's password: compared where there is no such user, so that it takes as long."""
    return f"$argon2id$v=19$m={cost.memory_kib},t={cost.turns},p=1${'A' * 22}${'A' * 43}"


class PasswordWork:
    """One a process: at most two hashes at once, and few that wait for their turn."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._waiting = 0

    def check(self, password: bytes, hashed: str) -> Awaitable[bool] | None:
        """None: too many wait."""
        return self._begun(is_right, password, hashed)

    def hash(self, password: bytes, cost: Cost) -> Awaitable[str] | None:
        """None: too many wait."""
        return self._begun(hashed, password, cost)

    def _begun(self, work: Callable[..., Any], *given: object) -> Awaitable[Any] | None:
        if self._waiting >= MOST_WAITING:
            return None
        if self._threads is None:
            self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work, *given)
        future.add_done_callback(self._done)
        return future

    def _done(self, _: object) -> None:
        self._waiting -= 1


def hashed(password: bytes, cost: Cost) -> str:
    """In the form of the reference implementation, `$argon2id$v=19$…`; blocking."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    salt = os.urandom(_SALT_BYTES)
    kdf = Argon2id(salt=salt, length=_HASH_BYTES, iterations=cost.turns, lanes=1, memory_cost=cost.memory_kib)
    return kdf.derive_phc_encoded(password)


def is_right(password: bytes, hashed: str) -> bool:
    """Blocking. Whatever is no hash is nobody's."""
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    try:
        Argon2id.verify_phc_encoded(password, hashed)
    except (InvalidKey, ValueError):  # ValueError: it is no hash
        return False
    return True

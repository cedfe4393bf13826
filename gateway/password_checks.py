"""Compares passwords with their argon2id hashes, beside the loop: each takes some 60 ms of a core and 19 MiB."""

import asyncio
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

AT_ONCE: Final = 2
MOST_WAITING: Final = 64


class PasswordChecks:
    """One a process: at most two hashes at once, and few that wait for their turn."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._waiting = 0

    def check(self, password: bytes, hashed: str) -> Awaitable[bool] | None:
        """None: too many wait."""
        if self._waiting >= MOST_WAITING:
            return None
        if self._threads is None:
            self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, is_right, password, hashed)
        future.add_done_callback(self._done)
        return future

    def _done(self, _: object) -> None:
        self._waiting -= 1


def is_right(password: bytes, hashed: str) -> bool:
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    try:
        Argon2id.verify_phc_encoded(password, hashed)
    except (InvalidKey, ValueError):  # ValueError: it is no hash
        return False
    return True

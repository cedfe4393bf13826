"""A hash that every worker and every gateway computes alike; Python's own is seeded per process."""

from hashlib import blake2b
from typing import Final

BITS: Final = 64
SPACE: Final = 1 << BITS


def stable_hash(data: bytes) -> int:
    """0 to 2^64 - 1."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")


def stable_hashes(data: bytes) -> tuple[int, ...]:
    """Eight at the price of one."""
    digest = blake2b(data, digest_size=64).digest()
    return tuple(int.from_bytes(digest[at : at + 8], "big") for at in range(0, 64, 8))

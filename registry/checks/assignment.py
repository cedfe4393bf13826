"""Which replica checks which instance (pure), so that a replica that comes or goes moves only its own share.

Rendezvous hashing, Thaler and Ravishankar 1996: every replica is hashed with the instance, the highest has it.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry.view.rows import InstanceKey


def owner(key: InstanceKey, replicas: Iterable[bytes]) -> bytes:
    """replicas: ids, at least one. All replicas that know the same ones find the same owner."""
    name = "/".join(key).encode()
    return max(replicas, key=lambda replica: (blake2b(name, key=replica, digest_size=8).digest(), replica))

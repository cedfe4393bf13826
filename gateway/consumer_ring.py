"""The Consumers of one worker's tables: found by what a caller has proved."""

import threading
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeVar
from weakref import WeakSet

from meshway.issuers.key_ring import Forgetful
from meshway.model.consumer import Consumer
from meshway.model.document import MESH_NAMESPACE
from meshway.model.instant import parse_instant

NEVER: Final = float("inf")
_T = TypeVar("_T")


class Found(NamedTuple):
    """name: `namespace/name`."""

    name: str
    groups: frozenset[str]


class FoundKey(NamedTuple):
    """digest: SHA-256 of the whole key. until: seconds since 1970."""

    digest: bytes
    until: float
    consumer: Found


class _Index:
    """By namespace and what names a credential there."""

    def __init__(self, consumers: Iterable[tuple[str, str, Consumer]]) -> None:
        self.names: dict[tuple[str, str], Found] = {}
        self.keys: dict[tuple[str, str], FoundKey] = {}
        self.tokens: dict[tuple[str, str], Found] = {}
        self.users: dict[tuple[str, str], Found] = {}
        self.suspended: set[str] = set()
        for namespace, name, spec in consumers:
            found = self.names[namespace, name] = Found(f"{namespace}/{name}", frozenset(spec.groups))
            if spec.suspended:
                self.suspended.add(found.name)
            for credential in spec.credentials:
                if (key := credential.api_key) is not None:
                    until = NEVER if key.expires is None else parse_instant(key.expires)
                    digest = bytes.fromhex(key.hash.removeprefix("sha256:"))
                    self.keys[namespace, key.id] = FoundKey(digest, until, found)
                elif credential.jwt is not None:
                    self.tokens[namespace, f"{credential.jwt.issuer}#{credential.jwt.subject}"] = found
                elif credential.basic is not None:
                    self.users[namespace, credential.basic.username] = found


class ConsumerRing:
    """One a process. namespace: of the Authentication that asks; its own Consumers go before those of `mesh`."""

    def __init__(self) -> None:
        self._index = _Index(())
        self._watchers: WeakSet[Forgetful] = WeakSet()
        # As in a KeyRing.
        self._lock = threading.Lock()

    def replace(self, consumers: Iterable[tuple[str, str, Consumer]]) -> None:
        """On the loop. consumers: all of them, each with its namespace and name."""
        self._index = _Index(consumers)
        with self._lock:
            watchers = list(self._watchers)
        for each in watchers:
            each.forget()

    @property
    def held(self) -> object:
        """Another one whenever they are replaced."""
        return self._index

    def watch(self, who: Forgetful) -> None:
        """In any thread. who: kept weakly."""
        with self._lock:
            self._watchers.add(who)

    def is_suspended(self, consumer: str) -> bool:
        """consumer: `namespace/name`; "": none."""
        return consumer in self._index.suspended

    def by_name(self, namespace: str, name: str) -> Found | None:
        return _near(self._index.names, namespace, name)

    def by_key(self, namespace: str, key_id: str) -> FoundKey | None:
        return _near(self._index.keys, namespace, key_id)

    def by_token(self, namespace: str, principal: str) -> Found | None:
        """principal: `ISSUER#SUBJECT`."""
        return _near(self._index.tokens, namespace, principal)

    def by_user(self, namespace: str, username: str) -> Found | None:
        return _near(self._index.users, namespace, username)


def _near(found: dict[tuple[str, str], _T], namespace: str, name: str) -> _T | None:
    own = found.get((namespace, name))
    return found.get((MESH_NAMESPACE, name)) if own is None else own

"""What the registry told a worker of Secrets: by namespace and name, with who must forget when one is another."""

import logging
import threading
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any, Final, Generic, NamedTuple, TypeVar
from weakref import WeakSet

from meshway.certificates import CertificateFault, read_bundle
from meshway.issuers.key_ring import Forgetful
from meshway.model.secret import SecretRef, may_refer
from meshway.snapshot import SecretFrame

Key = tuple[str, str]
_T = TypeVar("_T")
NEVER: Final = float("inf")

_log = logging.getLogger("meshway.gateway.secrets")


class Version(NamedTuple, Generic[_T]):
    """until: seconds since 1970, from then on it is not accepted."""

    until: float
    contents: _T


class SecretRing:
    """One a process."""

    def __init__(self) -> None:
        self._held: dict[Key, SecretFrame] = {}
        self._watchers: dict[str, WeakSet[Forgetful]] = {}
        # Whoever watches is made in the compiler's thread, while Secrets come on the loop.
        self._lock = threading.Lock()

    def take(self, frame: SecretFrame) -> None:
        """On the loop."""
        if self._held.get(frame.key) != frame:
            self._held[frame.key] = frame
            self._tell(frame.name)

    def drop(self, but: Collection[Key]) -> None:
        """No document refers to the others any more."""
        for key in self._held.keys() - set(but):
            del self._held[key]
            self._tell(key[1])

    def held(self, namespace: str, wanted: SecretRef) -> SecretFrame | None:
        """The one that a document of this namespace means; None: it is not known here."""
        for place in wanted.namespaces(namespace):
            found = self._held.get((place, wanted.secret))
            if found is not None and (place == namespace or may_refer(tuple(found.share_with), namespace)):
                return found
        return None

    def frames(self) -> list[SecretFrame]:
        return list(self._held.values())

    def watch(self, name: str, who: Forgetful) -> None:
        """In any thread. who: told when a Secret of this name is another, of whichever namespace; kept weakly."""
        with self._lock:
            self._watchers.setdefault(name, WeakSet()).add(who)

    def _tell(self, name: str) -> None:
        with self._lock:
            watchers = list(self._watchers.get(name, ()))
        for each in watchers:
            each.forget()


class ReadSecret(Generic[_T]):
    """A Secret as one document means it, read when it is first wanted and again when it is another.

    kinds: types it may have. read: from its data.
    """

    def __init__(
        self, ring: SecretRing, namespace: str, wanted: SecretRef, kinds: Collection[str], read: Callable[[Any], _T]
    ) -> None:
        self._ring, self._namespace, self._wanted = ring, namespace, wanted
        self._kinds, self._read = kinds, read
        self._found: tuple[Version[_T], ...] | None = None

    def accepted(self, wall_s: float) -> list[tuple[_T, float]]:
        """Newest first, those that are accepted at this time, each with until when (seconds since 1970)."""
        found = self._found
        if found is None:
            frame = self._ring.held(self._namespace, self._wanted)
            if frame is None or frame.type not in self._kinds:
                return []
            found = self._found = tuple(
                Version(NEVER if one.until is None else one.until, self._read(one.data)) for one in frame.versions
            )
        return [(version.contents, version.until) for version in found if version.until > wall_s]

    def forget(self) -> None:
        self._found = None


def authorities(frame: SecretFrame | None, wall_s: float) -> Version[bytes] | None:
    """Of a `ca_bundle` all versions that are accepted now, PEM, until the first of them is not any more. None: it is
    not known, or another type, or holds nobody who can be believed."""
    if frame is None or frame.type != "ca_bundle":
        return None
    held = [one for one in frame.versions if one.until is None or one.until > wall_s]
    text = b"".join(_bundle(str(one.data)) for one in held)
    until = min((one.until for one in held if one.until is not None), default=NEVER)
    return Version(until, text) if text else None


@lru_cache(maxsize=64)
def _bundle(text: str) -> bytes:
    """As it can stand beside others; b"": it cannot be read."""
    try:
        return read_bundle(text.encode())
    except CertificateFault as fault:
        _log.error("authorities of a Secret are not believed: %s", fault)
        return b""

"""Key sets as their issuers have published them: by their URL, with who must forget when one changes."""

import threading
from collections.abc import Callable, Collection
from typing import Final, NamedTuple, Protocol
from weakref import WeakSet

from meshway.jwt_keys import KeySet, parse_set, sort_keys

MISSING_S: Final = 1.0  # of one URL, between two calls that say so


class Forgetful(Protocol):
    def forget(self) -> None:
        """The keys are others: what was believed by the old ones is to be proved anew."""


class _Held(NamedTuple):
    """text: as it was published. confirmed_s: when it last was, seconds since 1970."""

    text: bytes
    keys: KeySet
    confirmed_s: float


class KeyRing:
    """One a process. missing: told of a URL whose set lacks a key that a caller names."""

    def __init__(self, missing: Callable[[str], None] = lambda _: None) -> None:
        self._missing = missing
        self._held: dict[str, _Held] = {}
        self._said: dict[str, float] = {}
        self._watchers: dict[str, WeakSet[Forgetful]] = {}
        # Whoever watches is made in the compiler's thread, while keys come on the loop.
        self._lock = threading.Lock()

    def take(self, url: str, text: bytes, confirmed_s: float) -> None:
        """On the loop; the supervisor has read the set before. Keys that cannot be used are left out."""
        before = self._held.get(url)
        if before is not None and before.text == text:
            self._held[url] = before._replace(confirmed_s=confirmed_s)
            return
        keys, _ = sort_keys(parse_set(text))
        self._held[url] = _Held(text, KeySet(keys), confirmed_s)
        with self._lock:
            watchers = list(self._watchers.get(url, ()))
        for each in watchers:
            each.forget()

    def drop(self, but: Collection[str]) -> None:
        """No document names the others any more."""
        for url in self._held.keys() - set(but):
            del self._held[url]
            self._said.pop(url, None)

    def keys(self, url: str, since_s: float) -> KeySet | None:
        """Those that the issuer has published since then (seconds since 1970), None: there are none."""
        held = self._held.get(url)
        return held.keys if held is not None and held.confirmed_s >= since_s else None

    def text(self, url: str) -> tuple[bytes, float] | None:
        """As it was published, and when it last was; None: it is not known."""
        held = self._held.get(url)
        return None if held is None else (held.text, held.confirmed_s)

    def watch(self, url: str, who: Forgetful) -> None:
        """In any thread. who: kept weakly."""
        with self._lock:
            self._watchers.setdefault(url, WeakSet()).add(who)

    def miss(self, url: str, now: float) -> None:
        """now: monotonic seconds."""
        if now >= self._said.get(url, 0.0):
            self._said[url] = now + MISSING_S
            self._missing(url)

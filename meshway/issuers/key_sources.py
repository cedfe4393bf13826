"""Fetches what issuers publish, off the way of any call: sets of keys by URL, and OpenID providers by issuer.

A set is asked for anew each time its refresh is due, and when a caller names a key that it lacks, at most once in 30 s
whatever callers send. While its issuer is down the last one stays; how long it is believed is for those who use it.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from meshway.issuers.discovery import discover
from meshway.issuers.provider import issuer_named
from meshway.jwt_keys import MAX_SET, KeyFault, parse_set, sort_keys
from meshway.outbound.connection import Dial, PlainError
from meshway.outbound.fetch import fetch
from meshway.tasks import spawn

TIMEOUT_S: Final = 5.0
UNKNOWN_KEY_S: Final = 30.0
FIRST_RETRY_S: Final = 1.0
LAST_RETRY_S: Final = 60.0
MOST_AT_ONCE: Final = 8
JITTER: Final = 0.1

_log = logging.getLogger("meshway.keys")

Fetch = Callable[[str], Awaitable[bytes]]


class Published(NamedTuple):
    """text: the last set that held keys, as it was published. confirmed_s: when it last was, seconds since 1970."""

    url: str
    text: bytes
    confirmed_s: float


@dataclass(slots=True)
class _Source:
    """due, asked_at: monotonic seconds. failures: since it last answered."""

    refresh_s: float
    due: float = 0.0
    asked_at: float = float("-inf")
    held: Published | None = None
    failures: int = 0


def fetching(dial: Dial) -> Fetch:
    """Of public certificates, and those that SSL_CERT_FILE adds."""
    tls = ssl.create_default_context()

    async def by_url(url: str) -> bytes:
        return await fetch(url, dial, tls, limit=MAX_SET, timeout_s=TIMEOUT_S)

    async def by_name(name: str) -> bytes:
        issuer = issuer_named(name)
        return await by_url(name) if issuer is None else await discover(issuer, by_url)

    return by_name


class KeySources:
    """told: of each set that came. now: monotonic seconds, wall: since 1970; random: uniform in [0, 1)."""

    def __init__(
        self,
        fetch_text: Fetch,
        told: Callable[[Published], None],
        now: Callable[[], float],
        wall: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._fetch_text, self._told = fetch_text, told
        self._now, self._wall, self._random = now, wall, random
        self._sources: dict[str, _Source] = {}
        self._woken = asyncio.Event()
        self._room = asyncio.Semaphore(MOST_AT_ONCE)

    def want(self, wanted: Mapping[str, float]) -> bool:
        """wanted: seconds of refresh by URL or name. Returns whether some are not wanted any more."""
        gone = self._sources.keys() - wanted.keys()
        for url in gone:
            del self._sources[url]
        for url, refresh_s in wanted.items():
            self._sources.setdefault(url, _Source(refresh_s)).refresh_s = refresh_s
        self._woken.set()
        return bool(gone)

    def miss(self, url: str) -> None:
        """A caller has named a key that the set lacks."""
        source = self._sources.get(url)
        if source is not None:
            source.due = min(source.due, max(self._now(), source.asked_at + UNKNOWN_KEY_S))
            self._woken.set()

    def restore(self, held: Published) -> None:
        """As it was kept over a restart; how long it is believed counts from when it was published."""
        source = self._sources.get(held.url)
        if source is not None and source.held is None:
            source.held = held

    def held(self) -> list[Published]:
        return [source.held for source in self._sources.values() if source.held is not None]

    async def run(self) -> None:
        while True:
            self._woken.clear()
            now = self._now()
            for url, source in self._sources.items():
                if source.due <= now:
                    source.due, source.asked_at = float("inf"), now
                    spawn(self._refresh(url, source), name="fetch keys")
            due = min((source.due for source in self._sources.values()), default=float("inf"))
            try:
                async with asyncio.timeout(None if due == float("inf") else max(due - now, 0.0)):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _refresh(self, url: str, source: _Source) -> None:
        try:
            async with self._room:
                text = await self._fetch_text(url)
            keys, faults = sort_keys(parse_set(text))
            if not keys:
                raise KeyFault("", f"holds no key that can be used ({faults[0] if faults else 'it is empty'})")
        except (PlainError, KeyFault) as error:
            source.failures += 1
            if source.failures == 1:
                _log.error("keys of %s: %s", _shown(url), error)
            wait_s = min(FIRST_RETRY_S * 2 ** min(source.failures - 1, 10), LAST_RETRY_S, source.refresh_s)
        else:
            if source.failures or source.held is None:
                _log.info("keys of %s: %d fetched", _shown(url), len(keys))
            source.held, source.failures = Published(url, text, self._wall()), 0
            wait_s = source.refresh_s
            if self._sources.get(url) is source:
                self._told(source.held)
        source.due = self._now() + wait_s * (1.0 + JITTER * (2.0 * self._random() - 1.0))
        self._woken.set()


def _shown(url: str) -> str:
    """Its query may be what the issuer knows us by."""
    return url.partition("?")[0]

"""Fetches the key sets that Authentications name by URL or issuer, off the way of any call, and hands them to workers.

A set is asked for anew each `jwks_refresh`, and when a caller names a key that it lacks, at most once in 30 s whatever
callers send. While its issuer is down the last one stays; how long it is believed is each document's word
(`jwks_max_stale`), held by the workers.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from gateway.channel import ChannelFrame, KeySetFrame, KeySetsWanted
from gateway.compiler.diff import DocumentKey, read_changes
from gateway.openid_provider import REFRESH_S, issuer_named, set_name
from gateway.supervisor.discovery import discover
from meshway.jwt_keys import MAX_SET, KeyFault, parse_set, sort_keys
from meshway.model.authentication import Authentication
from meshway.outbound.connection import Dial, PlainError
from meshway.outbound.fetch import fetch
from meshway.snapshot import Change
from meshway.tasks import spawn

TIMEOUT_S: Final = 5.0
UNKNOWN_KEY_S: Final = 30.0
FIRST_RETRY_S: Final = 1.0
LAST_RETRY_S: Final = 60.0
MOST_AT_ONCE: Final = 8
JITTER: Final = 0.1

_log = logging.getLogger("meshway.gateway.keys")

Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(slots=True)
class _Source:
    """due, asked_at: monotonic seconds. text: the last set that held keys, as it was published; confirmed_s: when it
    last was, seconds since 1970. failures: since it last answered."""

    refresh_s: float
    due: float = 0.0
    asked_at: float = float("-inf")
    text: bytes | None = None
    confirmed_s: float = 0.0
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


class KeyFetching:
    """send: a frame to all workers. now: monotonic seconds, wall: since 1970; random: uniform in [0, 1)."""

    def __init__(
        self,
        fetch_text: Fetch,
        send: Callable[[ChannelFrame], None],
        now: Callable[[], float],
        wall: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._fetch_text, self._send = fetch_text, send
        self._now, self._wall, self._random = now, wall, random
        self._named: dict[DocumentKey, dict[str, float]] = {}
        self._sources: dict[str, _Source] = {}
        self._woken = asyncio.Event()
        self._room = asyncio.Semaphore(MOST_AT_ONCE)

    def replace(self, changes: Iterable[Change]) -> None:
        """A snapshot is held. As in `take`, a document whose new version cannot be read goes on as it was."""
        held = [change for change in changes if change.kind == Authentication.__name__]
        for key in self._named.keys() - {change.key for change in held}:
            del self._named[key]
        self.take(held)

    def take(self, changes: Iterable[Change]) -> None:
        """Changes are held."""
        diff = read_changes(change for change in changes if change.kind == Authentication.__name__)
        for key, entry in diff.documents.items():
            self._named.pop(key, None)
            if entry is not None:
                self._named[key] = {
                    method.jwt.jwks_uri: float(method.jwt.jwks_refresh)
                    for method in entry.spec.methods
                    if method.jwt is not None and method.jwt.jwks_uri is not None
                } | {
                    set_name(method.oidc.issuer): REFRESH_S for method in entry.spec.methods if method.oidc is not None
                }
        wanted: dict[str, float] = {}
        for urls in self._named.values():
            for url, refresh_s in urls.items():
                wanted[url] = min(refresh_s, wanted.get(url, refresh_s))
        gone = self._sources.keys() - wanted.keys()
        for url in gone:
            del self._sources[url]
        for url, refresh_s in wanted.items():
            self._sources.setdefault(url, _Source(refresh_s)).refresh_s = refresh_s
        if gone:
            self._send(KeySetsWanted(urls=list(wanted)))
        self._woken.set()

    def miss(self, url: str) -> None:
        """A caller has named a key that the set lacks."""
        source = self._sources.get(url)
        if source is not None:
            source.due = min(source.due, max(self._now(), source.asked_at + UNKNOWN_KEY_S))
            self._woken.set()

    def restore(self, frame: KeySetFrame) -> None:
        """As it was kept over a restart; how long it is believed counts from when it was published."""
        source = self._sources.get(frame.url)
        if source is not None and source.text is None:
            source.text, source.confirmed_s = frame.text, frame.confirmed_s

    def frames(self) -> list[KeySetFrame]:
        """What a new worker must know, and the next start."""
        return [_frame(url, source) for url, source in self._sources.items() if source.text is not None]

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
            if source.failures or source.text is None:
                _log.info("keys of %s: %d fetched", _shown(url), len(keys))
            source.text, source.confirmed_s, source.failures = text, self._wall(), 0
            wait_s = source.refresh_s
            if self._sources.get(url) is source:
                self._send(_frame(url, source))
        source.due = self._now() + wait_s * (1.0 + JITTER * (2.0 * self._random() - 1.0))
        self._woken.set()


def _shown(url: str) -> str:
    """Its query may be what the issuer knows us by."""
    return url.partition("?")[0]


def _frame(url: str, source: _Source) -> KeySetFrame:
    assert source.text is not None
    return KeySetFrame(url=url, text=source.text, confirmed_s=source.confirmed_s)

"""Tells the registry what this gateway runs: every 2 s, and at once when it changes (POST /v1/reports)."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from gateway.feed.registry_link import RegistryUrl
from meshway.outbound.connection import PlainConnection, PlainError

EVERY_S: Final = 2.0
ANSWER_S: Final = 5.0
GOODBYE_S: Final = 1.0
MAX_ANSWER: Final = 64 << 10

_log = logging.getLogger("meshway.gateway.reports")


class Answering(msgspec.Struct, frozen=True, gc=False):
    """Evidence: an instance that gave good answers since the report before."""

    namespace: str
    service: str
    id: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """revision: what all workers of the host run. refused: documents that do not compile at it. edge, mesh: the
    listeners' URLs for other hosts. mass_removal_guard: endpoints that are called on although the registry dropped
    them. ejected: endpoints that fail their calls or checks, as `namespace/service/id`. limits_alone: why shared limits
    are counted by this host's own share, "" while they are counted with the others. open_breakers: clusters that calls
    are kept away from. in_flight: attempts under way, by service. failing: endpoints that fail their calls and are
    called on for want of others. certificates: what callers by TLS are shown. is_leaving: the last one of a gateway
    that ends.
    """

    node: str
    version: str
    zone: str
    workers: int
    edge: str = ""
    mesh: str = ""
    revision: int
    refused: Sequence[msgspec.Struct]
    evidence: Sequence[Answering] = ()
    ejected: Sequence[str] = ()
    failing: Sequence[str] = ()
    mass_removal_guard: int = 0
    limits_alone: str = ""
    open_breakers: Sequence[str] = ()
    in_flight: Mapping[str, int] = {}
    certificates: Sequence[msgspec.Struct] = ()
    is_leaving: bool = False


class Reporter:
    """registry: where to report now, None = nobody is followed. reports: what to say, asked at every turn."""

    def __init__(self, registry: Callable[[], RegistryUrl | None], reports: Callable[[], Sequence[Report]]) -> None:
        self._registry = registry
        self._reports = reports
        self._changed = asyncio.Event()
        self._connection: PlainConnection | None = None
        self._url: RegistryUrl | None = None
        self.failures = 0

    def changed(self) -> None:
        self._changed.set()

    async def run(self) -> None:
        while True:
            self._changed.clear()
            url = self._registry()
            if url is not None:
                for report in self._reports():
                    await self.post(url, "/v1/reports", msgspec.json.encode(report))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._changed.wait()

    async def say_goodbye(self) -> None:
        """After `run` was ended; in vain where the registry does not answer at once, which then misses this gateway."""
        url, reports = self._registry() or self._url, self._reports()
        if url is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    last = msgspec.structs.replace(reports[-1], is_leaving=True)
                    await self.post(url, "/v1/reports", msgspec.json.encode(last))

    async def answer(self, url: RegistryUrl, question: str, body: object) -> None:
        """To a question that came over the feed."""
        await self.post(url, f"/v1/answers/{quote(question, safe='')}", msgspec.json.encode(body))

    async def post(self, url: RegistryUrl, target: str, body: bytes) -> int:
        """The answer's status, 0: there was none. A report that does not arrive is lost: the next one says all of it
        again."""
        connection, self._connection = self._connection, None
        try:
            if connection is None or not connection.is_reusable or url != self._url:
                if connection is not None:
                    connection.abort()
                connection, self._url = await url.connect(), url
            fields = url.fields + b"Content-Type: application/json\r\n"
            head = await connection.ask(b"POST", target.encode("ascii"), fields, body, timeout_s=ANSWER_S)
            text = await connection.text(MAX_ANSWER, ANSWER_S)
        except PlainError as error:
            self.failures += 1
            if connection is not None:
                connection.abort()
            _log.debug("report to %s failed: %s", url.text, error)
            return 0
        if head.status >= 300:
            self.failures += 1
            _log.warning("%s answered %d to a report: %s", url.text, head.status, text[:300].decode("utf-8", "replace"))
        self._keep(connection)
        return head.status

    def _keep(self, connection: PlainConnection) -> None:
        """A report and an answer may be under way at the same time: the later one's connection stays."""
        if self._connection is not None:
            self._connection.abort()
        self._connection = connection

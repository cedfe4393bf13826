"""Tells the registry what calls this gateway carried: every 2 s, in order, each report once (POST /v1/telemetry)."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator
from itertools import zip_longest
from typing import Final

import msgspec

from gateway.feed.registry_link import RegistryUrl
from gateway.feed.unsent import Unsent
from gateway.telemetry.differences import Sections
from meshway.telemetry import MOST_ROWS, PATH, Numbers, Row

EVERY_S: Final = 2.0  # unless the mesh's settings say otherwise
LONGEST_PAUSE_S: Final = 30.0
GOODBYE_S: Final = 1.0
# What says that this report will never be taken; everything else may be otherwise later.
_REFUSED: Final = frozenset({400, 413, 422})
_ROWS_A_REPORT: Final = MOST_ROWS // 4  # of each section: what the registry reads within some milliseconds
MOST_BODY: Final = 900 << 10  # the registry reads 1 MiB

Post = Callable[[RegistryUrl, str, bytes], Awaitable[int]]
"""To where, target, body to the answer's status; 0: there was none."""

_log = logging.getLogger("meshway.gateway.numbers")


class NumberReports:
    """count: what was counted since it was asked last. every_s: between two reports. refused: reports that the registry
    did not understand."""

    def __init__(
        self,
        node: str,
        unsent: Unsent,
        *,
        registry: Callable[[], RegistryUrl | None],
        post: Post,
        count: Callable[[], Awaitable[Sections]],
        wall: Callable[[], float],
        random: Callable[[], float],
        every_s: Callable[[], float] = lambda: EVERY_S,
    ) -> None:
        self.unsent = unsent
        self.refused = 0
        self._node = node
        self._registry = registry
        self._post = post
        self._count = count
        self._wall = wall
        self._random = random
        self._every_s = every_s
        self._boot = secrets.token_hex(8)
        self._sequence = 0
        self._begun = wall()
        self._pause_s = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        not_before = 0.0
        while True:
            await asyncio.sleep(self._every_s())
            await self.gather()
            if loop.time() >= not_before:
                await self.send()
                not_before = loop.time() + self._pause_s * (0.5 + self._random())
            await self.unsent.keep()

    async def gather(self) -> None:
        """What came since the last time, as one report or several."""
        begun, self._begun = self._begun, self._wall()
        counted = await self._count()
        if not counted:
            return
        for part in _parts(counted):
            self._add(part, begun, max(begun, self._begun))

    def _add(self, part: tuple[tuple[Row, ...], ...], begun: float, ended: float) -> None:
        """As one report, or as two of half the rows where it is larger than what the registry reads."""
        edges, routes, instances, consumers, tracks = part
        report = Numbers(
            node=self._node,
            boot=self._boot,
            sequence=self._sequence + 1,
            begun=begun,
            ended=ended,
            edges=edges,
            routes=routes,
            instances=instances,
            consumers=consumers,
            tracks=tracks,
        )
        body = msgspec.json.encode(report)
        if len(body) > MOST_BODY and max(map(len, part)) > 1:
            self._add(tuple(rows[: len(rows) // 2] for rows in part), begun, ended)
            self._add(tuple(rows[len(rows) // 2 :] for rows in part), begun, ended)
            return
        self._sequence += 1
        self.unsent.add(body)

    async def send(self) -> None:
        """All that waits, the oldest first, up to the first that the registry does not answer."""
        while (body := self.unsent.first()) is not None:
            url = self._registry()
            status = 0 if url is None else await self._post(url, PATH, body)
            if status in _REFUSED:
                self.refused += 1
                _log.error("a report of numbers is given up: the registry does not understand it")
            elif not 200 <= status < 300:
                self._pause_s = min(max(self._pause_s * 2, EVERY_S), LONGEST_PAUSE_S)
                return
            self._pause_s = 0.0
            self.unsent.done()

    async def close(self, *, keeps: bool = True) -> None:
        """After `run` was ended: what was counted last is told, or kept for the next start. keeps: not where another
        process has the file already."""
        await self.gather()
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self.send()
        except TimeoutError:
            pass
        if keeps:
            await self.unsent.keep(is_last=True)


def _parts(counted: Sections) -> Iterator[tuple[tuple[Row, ...], ...]]:
    """Rows by section, so many that the registry reads them without holding others up."""
    cut = [
        [tuple(rows[at : at + _ROWS_A_REPORT]) for at in range(0, len(rows), _ROWS_A_REPORT)]
        for rows in (list(section.values()) for section in counted.named().values())
    ]
    yield from zip_longest(*cut, fillvalue=())

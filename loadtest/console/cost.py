"""What open consoles cost the registry: each reads the live stream, and asks again for what a page asks again for."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import httpx

from loadtest.measure import cpu_s, process_tree

if TYPE_CHECKING:
    from collections.abc import Sequence

LIVE = "/v1/live?topics=revisions,rollouts,signals,alerts,gateways&window_s=900"
EVERY_S = 10.0


class Cost(NamedTuple):
    """cpu: share of one core. bytes_s: of the streams together, a second."""

    consoles: int
    cpu: float
    bytes_s: float


async def cost_of(url: str, pid: int, consoles: int, asked: Sequence[str], seconds: float) -> Cost:
    """asked: paths that each console asks for every ten seconds. pid: the registry's."""
    stop = asyncio.Event()
    counts = [0]
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=30.0, trust_env=False, limits=limits) as client:
        open_ = [
            asyncio.ensure_future(one)  # noqa: TID251  # ended below
            for number in range(consoles)
            for one in (_read(client, counts), _ask(client, asked, stop, number * EVERY_S / max(1, consoles)))
        ]
        await asyncio.sleep(5.0)
        before, bytes_before, began = cpu_s(process_tree(pid)), counts[0], time.monotonic()
        await asyncio.sleep(seconds)
        spent = cpu_s(process_tree(pid)) - before
        lasted = time.monotonic() - began
        found = Cost(consoles, spent / lasted, (counts[0] - bytes_before) / lasted)
        stop.set()
        for task in open_:
            task.cancel()
        for ended in await asyncio.gather(*open_, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
    return found


async def _read(client: httpx.AsyncClient, counts: list[int]) -> None:
    async with client.stream("GET", LIVE, timeout=None) as answer:
        answer.raise_for_status()
        async for piece in answer.aiter_raw():
            counts[0] += len(piece)


async def _ask(client: httpx.AsyncClient, asked: Sequence[str], stop: asyncio.Event, after_s: float) -> None:
    await asyncio.sleep(after_s)
    while not stop.is_set():
        for path in asked:
            (await client.get(path)).raise_for_status()
        await asyncio.sleep(EVERY_S)


def asked_again(urls: Sequence[str], seconds: float) -> list[str]:
    """Of what a page asked for in this time: the paths, as often as they were asked for in ten seconds of it."""
    paths = [(parts.path + ("?" + parts.query if parts.query else "")) for parts in map(urlsplit, urls)]
    kept = []
    for path in dict.fromkeys(each for each in paths if not each.startswith("/v1/live")):
        kept += [path] * round(paths.count(path) * EVERY_S / seconds)
    return kept

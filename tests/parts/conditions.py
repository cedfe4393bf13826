"""Waiting for what must come true, with a limit: nothing in the tests sleeps for luck."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx


class NeverTrueError(AssertionError):
    """The condition did not come true in time."""


def wait_until(condition: Callable[[], object], within_s: float = 10.0, every_s: float = 0.02, what: str = "") -> None:
    """Returns once `condition()` is true; a connection that fails counts as not yet."""
    deadline = time.monotonic() + within_s
    last: object = None
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (OSError, httpx.TransportError) as error:
            last = error
        time.sleep(every_s)
    raise NeverTrueError(f"{what or condition} within {within_s} s (last: {last})")


async def until(condition: Callable[[], object], within_s: float = 10.0, every_s: float = 0.01, what: str = "") -> None:
    """The same inside an event loop."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            raise NeverTrueError(f"{what or condition} within {within_s} s")
        await asyncio.sleep(every_s)


async def until_told(
    ask: Callable[[], Awaitable[object]], within_s: float = 10.0, every_s: float = 0.05, what: str = ""
) -> None:
    """The same where one has to ask for it: not at once again, as whoever is asked may have the same core."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not await ask():
        if asyncio.get_running_loop().time() > deadline:
            raise NeverTrueError(f"{what or ask} within {within_s} s")
        await asyncio.sleep(every_s)

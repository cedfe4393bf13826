"""The head, held by one registry while it judges something: in a transaction that the server ends when it falls
silent."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from meshway.tasks import spawn
from registry.store.interface import StoreUnavailable
from registry.store.postgres import statements
from registry.store.postgres.reading import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from registry.store.postgres.connections import Connections

# A registry that stops while it holds the head (a paused machine) loses it after so long. One that judges something
# long meanwhile shows that it lives, until it has taken too long as well.
_HOLD_MS: Final = 4_000
_SIGN_S: Final = 1.0
_HOLD_S: Final = 30.0
# Whoever waits for the head looks up after so long: a server that answers is not gone.
_LOCK_MS: Final = 1_000
_SIGN: Final = "SELECT 1"


def session_limits() -> dict[str, str]:
    """What the server is told of a session that may hold the head."""
    return {"idle_in_transaction_session_timeout": str(_HOLD_MS), "lock_timeout": str(_LOCK_MS)}


@asynccontextmanager
async def hold(connections: Connections) -> AsyncIterator[None]:
    """Until the block ends, which commits what it did; an error undoes it. Raises HeadHeld while another holds it."""
    async with connections.commit_side() as connection:
        await connection.execute("BEGIN")
    try:
        async with connections.commit_side() as connection:
            await run(connection, statements.LOCK_HEAD)
        connections.held = connection
        async with _signs_of_life(connections):
            yield
        async with connections.commit_side() as connection:
            await connection.execute("COMMIT")
    except BaseException:
        await _let_go(connections)
        raise
    finally:
        connections.held = None


@asynccontextmanager
async def _signs_of_life(connections: Connections) -> AsyncIterator[None]:
    """The server hears from us while the head is held: it ends the transaction of one that stands still."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    showing: list[asyncio.Task[None]] = []
    timer = loop.call_later(_SIGN_S, lambda: showing.append(spawn(_show_life(connections, over), name="signs of life")))
    try:
        yield
    finally:
        timer.cancel()
        over.set()  # a sign that is under way is waited for: cancelled, it would take the connection with it
        for task in showing:
            await task


async def _show_life(connections: Connections, over: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + _HOLD_S
    while not over.is_set() and loop.time() < until_s:
        try:
            async with connections.commit_side() as connection:
                await connection.execute(_SIGN)
            async with asyncio.timeout(_SIGN_S):
                await over.wait()
        except TimeoutError:
            pass
        except StoreUnavailable:
            return  # whoever holds the head meets the same


async def _let_go(connections: Connections) -> None:
    """Ends a transaction that failed, or the connection with it."""
    try:
        async with connections.commit_side() as connection:
            await connection.execute("ROLLBACK")
    except StoreUnavailable:
        pass  # the server has ended it

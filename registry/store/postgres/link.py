"""One connection that is opened when it is wanted, given up when it fails, and opened again, later and later."""

from __future__ import annotations

import asyncio
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

import asyncpg

from registry.store.interface import HeadHeld, StoreGone, StoreUnavailable
from registry.store.postgres.address import shown, with_primary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

CONNECT_S: Final = 2.0
# Above what a slow disk or a synchronous standby takes; a server that is silent for longer counts as gone.
ANSWER_S: Final = 5.0
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 2.0
_CACHED_STATEMENTS: Final = 256

# The server ends it, does not take it, or is no longer the one that takes writes (a failover): connect anew.
_GONE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class Connection(Protocol):
    """asyncpg's, which bears no types."""

    async def fetch(self, query: str, *args: object, timeout: float | None = None) -> list[Any]: ...  # noqa: ASYNC109  # asyncpg's
    async def fetchval(self, query: str, *args: object) -> Any: ...
    async def execute(self, query: str, *args: object) -> str: ...
    async def add_listener(self, channel: str, callback: Callable[[Any, int, str, object], None]) -> None: ...
    async def close(self, *, timeout: float) -> None: ...  # noqa: ASYNC109  # asyncpg's
    def transaction(self, *, isolation: str | None = None, readonly: bool = False) -> Any: ...
    def is_closed(self) -> bool: ...
    def terminate(self) -> None: ...


class Reached:
    """at_s: when one of the links that share this last got a connection, by the loop's clock. Who failed before that
    tries at once: the server is back."""

    def __init__(self) -> None:
        self.at_s = float("-inf")


class Link:
    """settings: of the server, for this session. ready: called with each new connection before it is used. reached: of
    all links of a store.

    Used by one task at a time.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        settings: dict[str, str],
        ready: Callable[[Connection], Awaitable[None]] | None = None,
        reached: Reached | None = None,
    ) -> None:
        self._url = url
        self._settings = {"application_name": f"meshway {name}", **settings}
        self._ready = ready
        self._connection: Connection | None = None
        self._reached = reached or Reached()
        self._pause_s = 0.0
        self._failed_at_s = self._not_before_s = 0.0
        self.trouble: str | None = None

    async def open(self) -> Connection:
        """The connection, a new one if need be. Raises StoreGone: at once while it is too early to try again."""
        if self.is_open:
            assert self._connection is not None
            return self._connection
        loop = asyncio.get_running_loop()
        if loop.time() < self._not_before_s and self._reached.at_s <= self._failed_at_s:
            raise StoreGone(self.trouble or "not connected")
        try:
            async with asyncio.timeout(CONNECT_S):
                connection: Connection = await asyncpg.connect(
                    with_primary(self._url),
                    timeout=CONNECT_S,
                    command_timeout=ANSWER_S,
                    server_settings=self._settings,
                    statement_cache_size=_CACHED_STATEMENTS,
                    max_cached_statement_lifetime=0,
                )
                self._connection = connection
                if self._ready is not None:
                    await self._ready(connection)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            self.drop()
            self._put_off(f"{shown(self._url)} does not answer: {said(error)}")
            raise StoreGone(str(self.trouble)) from error
        self._pause_s, self.trouble = 0.0, None
        self._reached.at_s = loop.time()
        return connection

    @property
    def is_open(self) -> bool:
        return self._connection is not None and not self._connection.is_closed()

    def drop(self) -> None:
        """Closes without waiting: an answer that is still to come belongs to nobody."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            try:
                await connection.close(timeout=CONNECT_S)
            except (*_GONE, asyncpg.PostgresError):
                connection.terminate()

    @contextmanager
    def judged(self) -> Iterator[None]:
        """What the database answers, in the store's words. A connection that failed is given up."""
        try:
            yield
        except asyncpg.DataError as error:  # the server's, and what asyncpg finds before it sends: a row's fault
            raise StoreUnavailable(said(error)) from error
        except _GONE as error:
            self.drop()
            self.trouble = f"{shown(self._url)} does not answer: {said(error)}"
            raise StoreGone(self.trouble) from error
        except asyncpg.LockNotAvailableError as error:
            raise HeadHeld(said(error)) from error
        except asyncpg.PostgresError as error:
            raise StoreUnavailable(said(error)) from error
        except asyncio.CancelledError:
            self.drop()  # in the midst of a statement: nobody would read its answer
            raise

    def _put_off(self, trouble: str) -> None:
        """Half to one and a half times the pause, so that registries do not come back all at once."""
        self.trouble = trouble
        self._pause_s = min(max(self._pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        self._failed_at_s = asyncio.get_running_loop().time()
        self._not_before_s = self._failed_at_s + self._pause_s * random.uniform(0.5, 1.5)


def said(error: BaseException) -> str:
    """One line; asyncpg's own may have several, and a timeout has none."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return " ".join(str(error).split()) or type(error).__name__

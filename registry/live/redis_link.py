"""One connection to Redis or Valkey: what is asked goes out in one write, every wait ends, and a fault ends the
connection rather than leaving it out of step."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from registry.live.scripts import command
from registry.settings import StartRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio.connection import AbstractConnection

# Beyond it Redis counts as away: heartbeats wait for it.
WAIT_S: Final = 1.0
_SCHEMES: Final = ("redis", "rediss", "unix")


class LiveAway(Exception):
    """Redis does not answer, or answers with an error; the message names no secret."""


class RedisLink:
    """Asked by one task at a time or by several: each has its turn. run: the server's own id, new at each start."""

    def __init__(self, url: str, scripts: Sequence[str] = ()) -> None:
        """Raises StartRefused for a URL that is none."""
        if urlsplit(url).scheme not in _SCHEMES:
            raise StartRefused(f"{masked(url)} is no URL of Redis: write redis://[user:password@]HOST:PORT/DATABASE")
        try:
            # Time is kept here, once an exchange: redis-py would make a task for each write.
            self._pool = ConnectionPool.from_url(
                url, socket_timeout=None, socket_connect_timeout=WAIT_S, protocol=2, retry=Retry(NoBackoff(), 0)
            )
        except ValueError as error:
            raise StartRefused(f"{masked(url)} is no URL of Redis: {error}") from None
        self._scripts = [script.encode() for script in scripts]
        self._connection: AbstractConnection | None = None
        self._turn = asyncio.Lock()
        self._trouble = "not connected"
        self.shas: list[bytes] = []
        self.run = b""

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    async def open(self) -> None:
        """Connects, signs in, loads the scripts. Raises LiveAway."""
        async with self._turn:
            if self._connection is not None:
                return
            connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py's
            asked = [command(b"SCRIPT", b"LOAD", script) for script in self._scripts]
            try:
                async with asyncio.timeout(2 * WAIT_S):
                    await connection.connect()  # type: ignore[no-untyped-call]  # redis-py's
                    *shas, info = await _exchange(connection, [*asked, command(b"INFO", b"server")])
            except (RedisError, OSError, TimeoutError) as error:
                await connection.disconnect(nowait=True)
                self._trouble = _reason(error)
                raise LiveAway(self._trouble) from error
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
            self.shas = [bytes(sha) for sha in shas]
            self.run = _run_id(info)
            self._connection = connection

    async def ask(self, commands: Sequence[bytes]) -> list[Any]:
        """The answers in order; bytes and lists. Raises LiveAway; what was asked may have been done or not."""
        async with self._turn:
            if self._connection is None:
                raise LiveAway(self._trouble)
            try:
                async with asyncio.timeout(WAIT_S):
                    return await _exchange(self._connection, commands)
            except (RedisError, OSError, TimeoutError) as error:
                self._trouble = _reason(error)
                await self._drop()
                raise LiveAway(self._trouble) from error
            except BaseException:  # cancelled between question and answer: the next answer would be the wrong one
                await self._drop()
                raise

    async def read(self) -> Any:
        """What comes without being asked for, to a subscriber; waits for it. Raises LiveAway."""
        if self._connection is None:
            raise LiveAway(self._trouble)
        try:
            return await self._connection.read_response(disable_decoding=True, timeout=float("inf"))
        except (RedisError, OSError) as error:
            self._trouble = _reason(error)
            await self._drop()
            raise LiveAway(self._trouble) from error

    async def close(self) -> None:
        await self._drop()

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


def masked(url: str) -> str:
    """The URL without its password, for logs and messages."""
    parts = urlsplit(url)
    user, at, place = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}:***@{place}" if at else place
    return urlunsplit(parts._replace(netloc=netloc, query=""))  # a password may stand in the query, too


async def _exchange(connection: AbstractConnection, commands: Sequence[bytes]) -> list[Any]:
    await connection.send_packed_command(commands, check_health=False)
    return [await connection.read_response(disable_decoding=True) for _ in commands]


def _run_id(info: bytes) -> bytes:
    for line in info.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"run_id":
            return value
    return b""


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {WAIT_S:g} s"
    return str(error) or type(error).__name__

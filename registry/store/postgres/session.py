"""The session that hears of commits and holds the locks of who leads what; both are lost with its connection."""

from __future__ import annotations

import asyncio
import random
import secrets
import zlib
from typing import TYPE_CHECKING, Any, Final

from meshway.tasks import spawn
from registry.store.interface import StoreGone, StoreUnavailable
from registry.store.postgres.batch import CHANNEL
from registry.store.postgres.link import Link

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.store.postgres.link import Connection

_PING_S: Final = 1.0
# A registry that was paused for longer has lost its session, and its locks are another's.
_IDLE_MS: Final = 5_000
_LOCK_SPACE: Final = 0x6D657368  # "mesh": the first half of the key, so that nobody else's locks are met
_PING: Final = "SELECT 1"
_TRY_LOCK: Final = "SELECT pg_try_advisory_lock($1, $2)"
_TRY_SHARED_LOCK: Final = "SELECT pg_try_advisory_lock_shared($1, $2)"
_UNLOCK_SHARED: Final = "SELECT pg_advisory_unlock_shared($1, $2)"
_ANY_HOLDS_LOCK: Final = (
    "EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND classid = $1::int8::oid AND objid = $2::int8::oid AND granted)"
)
_OTHERS_SAY: Final = (
    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND classid = $1::int8::oid AND objid <> $2::int8::oid AND granted LIMIT 1"
)
_ABANDONED: Final = "abandoned"
_HOLD: Final = (
    f"SELECT CASE WHEN {_ANY_HOLDS_LOCK} THEN 'held' "  # noqa: S608  # of constants, as the next
    f"WHEN EXISTS (SELECT 1 FROM holds WHERE what = $3) THEN '{_ABANDONED}' END"
)
_MARK: Final = "INSERT INTO holds (what, holder) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_UNMARK: Final = "DELETE FROM holds WHERE what = $1 AND holder = $2"
_FORGET_ABANDONED: Final = f"DELETE FROM holds WHERE what = $3 AND NOT {_ANY_HOLDS_LOCK}"  # noqa: S608
_HOLDS_LOCK: Final = (
    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() "
    "AND classid = $1::int8::oid AND objid = $2::int8::oid AND granted"
)


class Session:
    def __init__(self, url: str) -> None:
        self._link = Link(url, name="session", settings={"idle_session_timeout": str(_IDLE_MS)}, ready=self._begin)
        self._turn = asyncio.Lock()
        self._led: set[str] = set()
        self._shared: set[str] = set()
        self._said: dict[str, str] = {}
        self._holder = secrets.token_hex(8)
        self._marked: set[str] = set()
        self.abandoned: set[str] = set()
        self._wakes: list[Callable[[int], None]] = []
        self._keeper = spawn(self._keep(), name="store session")

    def on_wake(self, wake: Callable[[int], None]) -> None:
        self._wakes.append(wake)

    async def lead(self, what: str) -> bool:
        try:
            async with self._turn:
                connection = await self._link.open()
                with self._link.judged():
                    if not await _holds(connection, self._led, what, _TRY_LOCK):
                        return False
                    hold = await connection.fetchval(_HOLD, _LOCK_SPACE, _key(_veto(what)), what)
                    (self.abandoned.add if hold == _ABANDONED else self.abandoned.discard)(what)
                    return hold is None
        except StoreUnavailable:
            return False

    async def share(self, what: str) -> bool:
        try:
            async with self._turn:
                connection = await self._link.open()
                with self._link.judged():
                    return await _holds(connection, self._shared, what, _TRY_SHARED_LOCK)
        except StoreUnavailable:
            return False

    async def agree(self, what: str, said: str) -> bool | None:
        """What is said is the second half of a shared lock's key, and what it is about the first.

        The lock is taken before others' are looked for, and given back when there are any: of two that say different
        things at once neither goes by unseen. Who has it looks no more, so that nobody's trial makes it doubt.
        """
        try:
            async with self._turn:
                connection = await self._link.open()
                try:
                    with self._link.judged():
                        return await self._agree(connection, what, said)
                except StoreUnavailable:
                    self._link.drop()  # a lock that was taken and is not known here would refuse others
                    raise
        except StoreUnavailable:
            return None

    async def _agree(self, connection: Connection, what: str, said: str) -> bool:
        before = self._said.get(what)
        if before == said:
            return True
        if before is not None:
            del self._said[what]
            await connection.fetchval(_UNLOCK_SHARED, _signed(_key(what)), _signed(_key(before)))
        await connection.fetchval(_TRY_SHARED_LOCK, _signed(_key(what)), _signed(_key(said)))
        if await connection.fetchval(_OTHERS_SAY, _key(what), _key(said)):
            await connection.fetchval(_UNLOCK_SHARED, _signed(_key(what)), _signed(_key(said)))
            return False
        self._said[what] = said
        return True

    async def hold_off(self, what: str) -> bool:
        """A shared lock of its own name, which the leader looks for, and a row for when the lock is lost."""
        if not await self.share(_veto(what)):
            return False
        self._marked.add(what)
        try:
            async with self._turn:
                connection = await self._link.open()
                with self._link.judged():
                    await connection.execute(_MARK, what, self._holder)
        except StoreUnavailable as error:
            # A full disk takes no row, and the lock says the same as long as the session lives.
            return not isinstance(error, StoreGone)
        return True

    async def let_go(self, what: str) -> None:
        try:
            async with self._turn:
                connection = await self._link.open()
                with self._link.judged():
                    if what in self._marked:
                        # The row first: without its lock it says that something was left behind.
                        await connection.execute(_UNMARK, what, self._holder)
                        self._marked.discard(what)
                    if _veto(what) in self._shared:
                        await connection.fetchval(_UNLOCK_SHARED, _LOCK_SPACE, _signed(_key(_veto(what))))
                        self._shared.discard(_veto(what))
        except StoreUnavailable:
            pass  # the lock goes with its session, and the row with whoever leads

    async def forget_abandoned(self, what: str) -> None:
        """Raises StoreUnavailable."""
        async with self._turn:
            connection = await self._link.open()
            with self._link.judged():
                await connection.execute(_FORGET_ABANDONED, _LOCK_SPACE, _key(_veto(what)), what)
                self.abandoned.discard(what)

    async def close(self) -> None:
        self._keeper.cancel()
        await asyncio.wait([self._keeper])
        await self._link.close()

    async def _begin(self, connection: Connection) -> None:
        self._led.clear()
        self._shared.clear()
        self._said.clear()
        await connection.add_listener(CHANNEL, self._heard)

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        revision = int(payload) if isinstance(payload, str) and payload.isdigit() else 0
        for wake in self._wakes:
            wake(revision)

    async def _keep(self) -> None:
        """Opens the connection again when it is lost, and shows the server that we live."""
        while True:
            try:
                async with self._turn:
                    connection = await self._link.open()
                    with self._link.judged():
                        await connection.execute(_PING)
            except StoreUnavailable:
                pass  # the committer and readers meet the same, and say so
            await asyncio.sleep(_PING_S * random.uniform(0.8, 1.2))


async def _holds(connection: Connection, held: set[str], what: str, take: str) -> bool:
    """held: what this connection holds of this sort. A lock is tried until it is held and then asked for: tried again,
    it would be held twice."""
    if what in held:
        is_held = await connection.fetchval(_HOLDS_LOCK, _LOCK_SPACE, _key(what))
    else:
        is_held = await connection.fetchval(take, _LOCK_SPACE, _signed(_key(what)))
    (held.add if is_held else held.discard)(what)
    return bool(is_held)


def _veto(what: str) -> str:
    return f"no {what}"


def _key(what: str) -> int:
    """32 bits, unsigned, as pg_locks shows them."""
    return zlib.crc32(what.encode())


def _signed(key: int) -> int:
    """The same 32 bits as PostgreSQL's int4 takes them."""
    return key - (1 << 32) if key >= 1 << 31 else key

"""A tree of services in ZooKeeper, for one event loop.

kazoo has threads of its own: reads run in a worker thread, and a watch that fires only says what to read again, by
`call_soon_threadsafe`. So no change is lost between a read and the watch it set, and several changes are one read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final, TypeVar

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException, NodeExistsError, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

CONNECT_S: Final = 10.0
SESSION_S: Final = 10.0
_READ_S: Final = 10.0


class TreeAway(Exception):
    """ZooKeeper does not answer; one line. What was asked is asked again once it does."""


class ServiceTree:
    """hosts: as kazoo takes them, `a:2181,b:2181/chroot`. path: the folder of services."""

    def __init__(self, hosts: str, path: str) -> None:
        self.path = "/" + path.strip("/")
        self._loop = asyncio.get_running_loop()
        self._changed: Callable[[str | None], None] = _nobody
        self._connected: Callable[[bool], None] = _nobody
        # kazoo tells each of its attempts; what they come to is said here, once.
        quiet = logging.getLogger("registry.sources.kazoo")
        quiet.addHandler(logging.NullHandler())
        self._client = KazooClient(hosts=hosts, timeout=SESSION_S, logger=quiet)
        # One callable a service: kazoo keeps watchers in a set, where another would be one more at each read.
        self._watchers: dict[str | None, Callable[[Any], None]] = {}

    async def start(self, *, changed: Callable[[str | None], None], connected: Callable[[bool], None]) -> None:
        """changed: called on the loop with a service that has changed, or None for the list of services. connected:
        called on the loop with whether there is a connection.

        Raises TreeAway when nobody answers in CONNECT_S.
        """
        self._changed, self._connected = changed, connected
        self._client.add_listener(self._state)
        try:
            await asyncio.to_thread(self._client.start, timeout=CONNECT_S)
        except (KazooTimeoutError, KazooException, OSError) as error:
            await self.stop()
            raise TreeAway(f"ZooKeeper at {self._hosts} does not answer: {error}") from error

    async def stop(self) -> None:
        """Ends the session, and with it the nodes that were published in it."""
        await asyncio.to_thread(self._end)

    async def services(self) -> list[str]:
        """None where there is no such path yet. Raises TreeAway."""
        return await self._do(self._read_services)

    async def instances(self, service: str) -> dict[str, bytes]:
        """Data by id. Raises TreeAway."""
        return await self._do(lambda: self._read_instances(service))

    async def publish(self, service: str, node_id: str, data: bytes) -> None:
        """A node that goes with our session, in the place of one that an earlier session left. Raises TreeAway."""
        await self._do(lambda: self._publish(f"{self.path}/{service}/{node_id}", data))

    async def withdraw(self, service: str, node_id: str) -> None:
        """Raises TreeAway."""
        await self._do(lambda: self._delete(f"{self.path}/{service}/{node_id}"))

    # --- in a worker thread ---

    def _read_services(self) -> list[str]:
        watch = self._watcher(None)
        if self._client.exists(self.path, watch=watch) is None:
            return []
        with contextlib.suppress(NoNodeError):
            return list(self._client.get_children(self.path, watch=watch))
        return []

    def _read_instances(self, service: str) -> dict[str, bytes]:
        watch = self._watcher(service)
        folder = f"{self.path}/{service}"
        try:
            ids = self._client.get_children(folder, watch=watch)
        except NoNodeError:
            return {}
        reads = [(node_id, self._client.get_async(f"{folder}/{node_id}", watch=watch)) for node_id in ids]
        found: dict[str, bytes] = {}
        for node_id, read in reads:
            with contextlib.suppress(NoNodeError):
                found[node_id] = read.get(timeout=_READ_S)[0]
        return found

    def _publish(self, path: str, data: bytes) -> None:
        for _ in range(3):
            with contextlib.suppress(NodeExistsError):
                self._client.create(path, data, ephemeral=True, makepath=True)
                return
            self._delete(path)

    def _delete(self, path: str) -> None:
        with contextlib.suppress(NoNodeError):
            self._client.delete(path)

    def _end(self) -> None:
        with contextlib.suppress(KazooException, KazooTimeoutError):
            self._client.stop()
        with contextlib.suppress(KazooException):
            self._client.close()

    # --- in kazoo's threads ---

    def _watcher(self, service: str | None) -> Callable[[Any], None]:
        watcher = self._watchers.get(service)
        if watcher is None:

            def watcher(_: Any) -> None:
                self._tell(self._changed, service)

            self._watchers[service] = watcher
        return watcher

    def _state(self, state: str) -> None:
        """kazoo's listeners must neither wait nor raise."""
        self._tell(self._connected, state == KazooState.CONNECTED)

    def _tell(self, callback: Callable[[Any], None], value: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            self._loop.call_soon_threadsafe(callback, value)

    # --- small parts ---

    @property
    def _hosts(self) -> str:
        return ",".join(f"{host}:{port}" for host, port in self._client.hosts)

    async def _do(self, work: Callable[[], _T]) -> _T:
        try:
            return await asyncio.to_thread(work)
        except (KazooException, KazooTimeoutError, OSError) as error:
            raise TreeAway(f"ZooKeeper at {self._hosts} does not answer: {type(error).__name__}") from error


def _nobody(_: Any) -> None:
    """Before `start` nobody listens."""

"""Sockets of one caller each, of an endpoint that drains: the next worker reads the one that is for all, and the system
prefers these to it."""

import socket
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable

from gateway.wire.http3.link import Link, Place


class OwnSockets:
    """accepting: the one for all. read: called with a socket that has something."""

    __slots__ = ("_accepting", "_behind", "_loop", "_opened", "_read")

    def __init__(
        self, loop: AbstractEventLoop, accepting: socket.socket, read: Callable[[socket.socket], None]
    ) -> None:
        self._loop, self._accepting, self._read = loop, accepting, read
        self._opened: dict[Place, socket.socket] = {}
        self._behind: dict[Place, set[Link]] = {}  # connections that are left, by their caller

    def open(self, links: Iterable[Link]) -> list[tuple[Place, OSError]]:
        """Returns those callers who get none, and why."""
        for link in links:
            self._behind.setdefault(link.place, set()).add(link)
        without = []
        for place in tuple(self._behind):
            try:
                own = self._connected(place)
            except OSError as error:
                del self._behind[place]
                without.append((place, error))
                continue
            self._opened[place] = own
            self._loop.add_reader(own, self._read, own)
        return without

    def of(self, place: Place) -> socket.socket:
        """By which he is answered."""
        return self._opened.get(place, self._accepting)

    def leave(self, link: Link) -> None:
        """It is over: with the last of a caller his socket goes."""
        place = link.place
        behind = self._behind.get(place)
        if behind is not None:
            behind.discard(link)
            if not behind:
                self._close(place)

    def close(self) -> None:
        for place in tuple(self._opened):
            self._close(place)

    def _close(self, place: Place) -> None:
        del self._behind[place]
        own = self._opened.pop(place)
        self._loop.remove_reader(own)
        own.close()

    def _connected(self, place: Place) -> socket.socket:
        own = socket.socket(self._accepting.family, socket.SOCK_DGRAM)
        try:
            own.setblocking(False)
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            own.bind(self._accepting.getsockname())
            own.connect(place)
        except OSError:
            own.close()
            raise
        return own

"""The place of a supervisor handed to another one, of another version perhaps, without a refused connection.

The new one gets the sockets and starts workers that read them beside ours; when all of them do, it says so, and ours
drain. Until then whatever befalls it changes nothing here. What is used once in the mesh (nonces) stays in one book: it
goes with the word that the place is taken, and our draining workers ask there.
"""

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from gateway.channel import Channel, ChannelFrame, NonceFrame, NonceTold, Ready
from gateway.supervisor.offer import ANSWER_S, HELLO, SOCKET, Offer, send_offer
from meshway.socket_path import short_path
from meshway.tasks import spawn

SERVES_WITHIN_S: Final = 120.0  # else it is taken for stuck; it gives up by itself after half of that
_PEER: Final = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED
_log = logging.getLogger("meshway.gateway.supervisor")


class HandingOver:
    """offer: what there is now, with its descriptors. hold: nothing more is written to the data folder; go_on: it is
    again, the other one has failed. taken: it serves, by the process of this id (0 = the system does not tell).
    in_force: what it must know."""

    def __init__(
        self,
        folder: Path,
        offer: Callable[[], tuple[Offer, list[int]]],
        hold: Callable[[], Awaitable[None]],
        go_on: Callable[[], None],
        taken: Callable[[Channel, int], None],
        in_force: Callable[[], Iterable[ChannelFrame]],
    ) -> None:
        self._path = folder / SOCKET
        self._offer, self._hold, self._go_on, self._taken = offer, hold, go_on, taken
        self._in_force = in_force
        self._asked: dict[int, Callable[[bool], None]] = {}
        self._numbers = self._pid = 0
        self._listening: socket.socket | None = None
        self._channel: Channel | None = None
        self._is_held = False
        self.is_taken = False

    def listen(self) -> None:
        """Raises OSError."""
        self._path.unlink(missing_ok=True)
        self._listening = listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.setblocking(False)
        with short_path(self._path) as name:
            listening.bind(name)
        self._path.chmod(0o600)
        listening.listen(1)
        asyncio.get_running_loop().add_reader(listening.fileno(), self._accept)

    def ask(self, frame: NonceFrame, answer: Callable[[bool], None]) -> None:
        """Of a nonce, whoever keeps the book now; nobody there: it is not fresh."""
        if self._channel is None:
            answer(False)
            return
        self._numbers += 1
        self._asked[self._numbers] = answer
        self._channel.send(NonceFrame(number=self._numbers, mark=frame.mark, until=frame.until))

    def close(self) -> None:
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening.fileno())
            self._listening.close()
            self._listening = None

    def _accept(self) -> None:
        assert self._listening is not None
        with contextlib.suppress(OSError):
            link, _ = self._listening.accept()
            link.setblocking(False)
            if self._channel is not None or not _is_ours(link):
                link.close()
                return
            self._pid = peer_of(link).pid if hasattr(socket, "SO_PEERCRED") else 0
            self._channel = Channel(self._on_frame, self._on_closed)
            spawn(self._hand(link, self._channel), name="hand over to another supervisor")

    async def _hand(self, link: socket.socket, channel: Channel) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ANSWER_S):
                if await loop.sock_recv(link, len(HELLO)) != HELLO:
                    raise ConnectionResetError("it says something else")
            self._is_held = True
            await self._hold()
            send_offer(link, *self._offer())
            await loop.create_connection(lambda: channel, sock=link)
        except (OSError, TimeoutError) as error:
            _log.error("another supervisor that wanted this one's place got nothing: %s", error)
            link.close()
            self._on_closed()
            return
        _log.info("another supervisor was given the sockets, and starts its workers")
        for frame in self._in_force():
            channel.send(frame)
        loop.call_later(SERVES_WITHIN_S, self._part_from, channel)

    def _part_from(self, channel: Channel) -> None:
        if self._channel is channel and not self.is_taken:
            channel.close()

    def _on_frame(self, frame: ChannelFrame) -> None:
        assert self._channel is not None
        if isinstance(frame, Ready) and not self.is_taken:
            self.is_taken = True
            self._taken(self._channel, self._pid)
        elif isinstance(frame, NonceTold) and frame.number in self._asked:
            self._asked.pop(frame.number)(frame.is_fresh)

    def _on_closed(self) -> None:
        self._channel = None
        for answer in self._asked.values():
            answer(False)
        self._asked.clear()
        if self._is_held and not self.is_taken:
            self._is_held = False
            _log.error("the supervisor that wanted this one's place is gone: this one goes on")
            self._go_on()


class Peer(NamedTuple):
    pid: int
    user: int
    group: int


def peer_of(link: socket.socket) -> Peer:
    """Raises AttributeError where the system does not tell."""
    return Peer(*_PEER.unpack(link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)))


def _is_ours(link: socket.socket) -> bool:
    """Of the same user, or root, where the system tells."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the file system says who may
    return peer_of(link).user in (os.getuid(), 0)

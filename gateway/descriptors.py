"""Sockets on their way from a supervisor to a worker that runs: a pair of Unix sockets that carries descriptors
(unix(7), SCM_RIGHTS), one a message, each with the number by which the channel speaks of it."""

import array
import asyncio
import socket
from collections.abc import Callable
from typing import Final

_NUMBER_BYTES: Final = 8


def descriptor_pair() -> tuple[socket.socket, socket.socket]:
    """Ours and theirs. Datagrams keep a number with its descriptor."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


def send_descriptor(over: socket.socket, number: int, accepting: socket.socket) -> None:
    """Raises OSError, BlockingIOError where the other end has not taken those before."""
    socket.send_fds(over, [number.to_bytes(_NUMBER_BYTES, "big")], [accepting.fileno()])


def receive_descriptors(
    loop: asyncio.AbstractEventLoop, over: socket.socket, take: Callable[[int, socket.socket], None]
) -> None:
    """take: called for each that comes, on the loop, from now on."""
    room = socket.CMSG_SPACE(array.array("i").itemsize)

    def read() -> None:
        while True:
            try:
                message, ancillary, _, _ = over.recvmsg(_NUMBER_BYTES, room)
            except BlockingIOError:
                return
            except OSError:
                loop.remove_reader(over)
                return
            if not message:  # the other end is gone
                loop.remove_reader(over)
                return
            for level, kind, data in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    descriptors = array.array("i")
                    descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
                    for descriptor in descriptors:
                        take(int.from_bytes(message, "big"), socket.socket(fileno=descriptor))

    loop.add_reader(over, read)

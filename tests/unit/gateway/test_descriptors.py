"""A listening socket on its way to another owner."""

import asyncio
import socket

from gateway.descriptors import descriptor_pair, receive_descriptors, send_descriptor
from gateway.listeners.sockets import open_slots
from tests.parts.conditions import until


async def test_sockets_come_with_their_numbers_and_live_on_when_the_sender_closes_his() -> None:
    ours, theirs = descriptor_pair()
    taken: dict[int, socket.socket] = {}
    receive_descriptors(asyncio.get_running_loop(), theirs, taken.__setitem__)
    names = {}
    for number in (3, 2**40):
        (accepting,) = open_slots("127.0.0.1", 0, 1, "spec.port")
        with accepting:
            names[number] = accepting.getsockname()
            send_descriptor(ours, number, accepting)
    await until(lambda: len(taken) == 2)
    assert {number: each.getsockname() for number, each in taken.items()} == names
    for each in taken.values():
        with each:
            socket.create_connection(each.getsockname(), timeout=5.0).close()
    asyncio.get_running_loop().remove_reader(theirs)
    ours.close()
    theirs.close()

"""Connections go to the listening socket of the core that they come from."""

import os
import socket
from contextlib import ExitStack

import pytest

from loadtest.steering import steer

CORES = (0, 1)
TRIES = 12


@pytest.mark.skipif(not set(CORES) <= os.sched_getaffinity(0), reason="needs the first two cores")
def test_each_core_is_served_by_its_own_listener() -> None:
    allowed = os.sched_getaffinity(0)
    with ExitStack() as stack:
        listeners = [_listening(stack, 0)]
        port = listeners[0].getsockname()[1]
        listeners.append(_listening(stack, port))
        steer([os.getpid()], port)
        stack.callback(os.sched_setaffinity, 0, allowed)
        for core in CORES:
            os.sched_setaffinity(0, {core})
            for _ in range(TRIES):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5.0))
            for _ in range(TRIES):
                stack.enter_context(listeners[core].accept()[0])


def test_a_program_that_does_not_listen_there_is_told_of() -> None:
    with pytest.raises(LookupError, match="no process listens on port 1"):
        steer([os.getpid()], 1)


def _listening(stack: ExitStack, port: int) -> socket.socket:
    listener = stack.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(2 * TRIES)
    listener.settimeout(5.0)
    return listener

"""A worker's place on a host: its sockets for good, and one worker at a time that reads them."""

import socket
from collections.abc import Mapping

from gateway.channel import ListenerSpot
from gateway.supervisor.worker_process import WorkerProcess


class Slot:
    """sockets: by the name of their listener; own: of Listeners beside these. current: the worker that shall accept;
    None while one is due."""

    def __init__(self, index: int, sockets: Mapping[str, socket.socket]) -> None:
        self.index = index
        self.sockets = sockets
        self.own: list[tuple[ListenerSpot, socket.socket]] = []
        self.current: WorkerProcess | None = None
        self.crashes = 0  # in a row

    def close(self) -> None:
        """While any copy is open, new callers would queue for nobody."""
        for listener in (*self.sockets.values(), *(accepting for _, accepting in self.own)):
            listener.close()

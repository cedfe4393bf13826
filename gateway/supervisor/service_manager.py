"""What a service manager is told of the supervisor (sd_notify(3)): datagrams to the socket that NOTIFY_SOCKET names.

Where it names none nothing is told. A manager that has gone, or takes nothing, changes nothing for the gateway.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

import msgspec

SOCKET: Final = "NOTIFY_SOCKET"
WATCHDOG: Final = "WATCHDOG_USEC"
WATCHDOG_PID: Final = "WATCHDOG_PID"


class Manager(msgspec.Struct, frozen=True):
    """socket: its path, or name behind an @, "" = there is none. watchdog_s: so often at least it wants a sign of
    life, 0 = it does not."""

    socket: str = ""
    watchdog_s: float = 0.0


def manager_of(environ: Mapping[str, str], pid: int) -> Manager:
    """Of this process, as its environment says."""
    at, usual = environ.get(SOCKET, ""), environ.get(WATCHDOG, "")
    is_meant = environ.get(WATCHDOG_PID, str(pid)) == str(pid)
    watchdog_s = int(usual) / 1e6 if is_meant and usual.isdecimal() else 0.0
    return Manager(at if at[:1] in ("/", "@") else "", watchdog_s)


class ServiceManager:
    """manager: whom to tell. One supervisor after another tells the same."""

    def __init__(self, manager: Manager) -> None:
        self.manager = manager

    def inherit(self, manager: Manager) -> None:
        """Of the process whose place is taken; what this one was told itself goes before."""
        own = self.manager
        self.manager = Manager(own.socket or manager.socket, own.watchdog_s or manager.watchdog_s)

    def ready(self, status: str) -> None:
        """It serves, by this process. Also after a reload."""
        self._tell(f"READY=1\nMAINPID={os.getpid()}\nSTATUS={status}")

    def reloading(self) -> None:
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}\nSTATUS=new workers start")

    def stopping(self) -> None:
        self._tell("STOPPING=1\nSTATUS=drains")

    def succeeded_by(self, pid: int) -> None:
        """Another process has the place; this one is not missed when it ends, and says nothing more: a reload that ends
        late would take the place back. pid: 0 = not known."""
        if pid:
            self._tell(f"MAINPID={pid}")
        self.manager = Manager()

    async def watch(self) -> None:
        """A sign of life, as long as the loop turns. Until cancelled; at once where nobody wants any."""
        every_s = self.manager.watchdog_s / 2
        while every_s and self.manager.socket:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(every_s)

    def _tell(self, text: str) -> None:
        at = self.manager.socket
        if not at:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.setblocking(False)
            told.sendto(text.encode(), f"\0{at[1:]}" if at[0] == "@" else at)

"""What only one supervisor of a host may do: write the data folder, tell the registry, renew the certificate.

While one takes another's place there are two. Which of them has it: succession.py.
"""

import asyncio
from typing import TYPE_CHECKING

from meshway.tasks import spawn

if TYPE_CHECKING:
    from gateway.supervisor.supervisor import Supervisor


class Place:
    """Of one supervisor, from its start on."""

    def __init__(self, supervisor: "Supervisor") -> None:
        self._of = supervisor
        self._writing: list[asyncio.Task[None]] = []
        self._telling: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        self._telling = [spawn(self._of.reporter.run(), name="report to the registry")]
        self.keep_files()

    def take(self) -> None:
        """It has the place."""
        of = self._of
        # Two that renew it would each write a folder that the other one believes to be its own.
        self._telling.append(spawn(of.own_certificate.run(), name="keep the gateway's own certificate"))
        self._telling.append(spawn(of.service_manager.watch(), name="tell the service manager of turns"))

    def keep_files(self) -> None:
        """The data folder is this one's."""
        self._writing = [
            spawn(self._of.keeper.run(), name="keep the last good snapshot"),
            spawn(self._of.kept.run(), name="keep secrets and keys of token issuers"),
        ]

    async def hold_files(self) -> None:
        """The other one is about to read them, and to write its own."""
        for task in self._writing:
            task.cancel()
        await self.write_files()

    async def write_files(self) -> None:
        await self._of.keeper.sync(is_last=True)
        await self._of.kept.sync()

    def fall_silent(self) -> None:
        """The registry hears of this gateway from the other one, which keeps its certificate, too."""
        for task in self._telling:
            task.cancel()

    def leave(self) -> None:
        for task in (*self._writing, *self._telling):
            task.cancel()

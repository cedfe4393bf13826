"""Listeners of a document's own beside those that every gateway has: opened and let go while the worker serves.

The supervisor owns their sockets, too. A socket comes by itself (gateway/descriptors.py), the word that it is wanted by
the channel, and either may be first; it is read when the tables in force say what holds there, and not a moment sooner.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Final

from gateway.channel import ListenerSpot
from gateway.compiler.listeners import ListenerPlan
from gateway.wire.listener_context import ListenerContext
from gateway.worker.listening import Listening
from meshway.model.listener import Spoken
from meshway.tasks import spawn

HTTP3: Final = "gateway.listeners.http3"

_log = logging.getLogger("meshway.gateway.worker")


class OwnListeners:
    """make: a listener of this name and face, and what is spoken there. drain_s: of one that goes. on_open: one is
    there, before its first caller."""

    def __init__(
        self,
        make: Callable[[str, str, Spoken], ListenerContext],
        listening: Listening,
        on_open: Callable[[ListenerContext], None],
        drain_s: float,
    ) -> None:
        self._make, self._listening, self._on_open, self._drain_s = make, listening, on_open, drain_s
        self._wanted: dict[int, ListenerSpot] = {}
        self._told = 0  # the highest number that any word has named: what is above is wanted by one under way
        self._sockets: dict[int, socket.socket] = {}
        self._open: dict[int, ListenerContext] = {}
        self._plans: Mapping[str, ListenerPlan] = {}
        self._has_http3 = self._is_importing = False
        self._import_failure = ""

    def want(self, spots: Sequence[ListenerSpot]) -> None:
        """These and no others."""
        self._wanted = {spot.number: spot for spot in spots}
        self._told = max(self._told, *self._wanted, 0)
        for number in self._sockets.keys() - self._wanted.keys():
            if number <= self._told:
                self._sockets.pop(number).close()
        self._settle()

    def take(self, number: int, accepting: socket.socket) -> None:
        """The socket of a spot."""
        if number <= self._told and number not in self._wanted:
            accepting.close()  # it was let go before it came; callers would queue for nobody
            return
        accepting.setblocking(False)
        self._sockets[number] = accepting
        self._settle()

    def hold(self, plans: Mapping[str, ListenerPlan]) -> None:
        """What is in force from now on."""
        self._plans = plans
        self._settle()

    def _settle(self) -> None:
        """Whoever comes is opened before who goes is drained, so a port that stays is always read."""
        for number, spot in self._wanted.items():
            if number in self._open or number not in self._sockets:
                continue
            plan = self._plans.get(spot.name)
            if plan is None or not plan.has(spot.face, spot.spoken) or not self._can_make(spot):
                continue
            listener = self._open[number] = self._make(spot.name, spot.face, spot.spoken)
            self._on_open(listener)
            self._listening.add(listener, self._sockets.pop(number))
        for number in self._open.keys() - self._wanted.keys():
            self._listening.remove(self._open.pop(number), self._drain_s)

    def _can_make(self, spot: ListenerSpot) -> bool:
        """What HTTP/3 stands on is imported beside the loop, which would stand still for a quarter of a second."""
        if spot.spoken != "http3" or self._has_http3:
            return True
        if not self._is_importing:
            self._is_importing = True
            spawn(self._import(), name="import HTTP/3")
        return False

    async def _import(self) -> None:
        """Where it fails it is tried again when something is wanted or in force anew: it may have been installed."""
        try:
            await asyncio.to_thread(import_module, HTTP3)
        except Exception as error:  # whatever a package that is broken raises
            failure = f"{type(error).__name__}: {error}"
            if failure != self._import_failure:
                self._import_failure = failure
                _log.error("HTTP/3 is not served, its package cannot be imported (%s): install meshway[http3]", failure)
            return
        finally:
            self._is_importing = False
        self._has_http3 = True
        self._settle()

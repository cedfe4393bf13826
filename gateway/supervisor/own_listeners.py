"""Listeners that documents add to those of the flags: their sockets, one a worker slot, bound while the gateway runs.

A new address, port or protocol is bound before the former one is let go, and where it cannot be bound the former one
goes on and the document is reported as refused, until another try succeeds. Until a first try has ended it is reported
as pending: who waits for a revision learns then whether its ports are open.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

from gateway.channel import ListenerSpot, Refusal
from gateway.compiler.diff import read_changes
from gateway.listeners.sockets import filled, open_slots, url_of
from gateway.routing.string_match import compile_string
from gateway.supervisor.offer import OwnPlace
from meshway.addresses import is_loopback
from meshway.model.document import MESH_NAMESPACE
from meshway.model.listener import BY_TLS, BY_UDP, LISTENERS, Listener, Spoken, address_of, face_of, spoken
from meshway.problem import Problem
from meshway.snapshot import Change

TRY_AGAIN_S: Final = 10.0
_SCHEMES: Final = {"passthrough": "tls", "http3": "https"}
_BESIDE: Final = "/http3"  # ends the name of what stands beside a Listener, at its port of UDP
_PORT: Final = "spec.port"
_NO_HTTP3: Final = "HTTP/3 needs the extra meshway[http3], which is not installed where this gateway runs"
_MENDS: Final = {"http": "make it https, or ", "tcp": "make it tls, or "}

_log = logging.getLogger("meshway.gateway.listeners")

NO_PLACES: Final[Mapping[str, tuple[str, int]]] = {}
Own = Sequence[tuple[ListenerSpot, Sequence[socket.socket]]]


class _Place(NamedTuple):
    """Where a Listener is, and what is spoken there. is_udp: by datagrams."""

    address: str
    port: int
    face: str
    spoken: Spoken

    @property
    def is_encrypted(self) -> bool:
        return self.spoken in BY_TLS or self.spoken == "passthrough"

    @property
    def is_udp(self) -> bool:
        return self.spoken in BY_UDP


class _Opened(NamedTuple):
    place: _Place
    spot: ListenerSpot
    sockets: list[socket.socket]


class OwnListeners:
    """node: this gateway's name. count: of worker slots. is_insecure: others may be served without TLS. given: address
    and port of Listeners that flags have opened. has_http3: it can be spoken here.

    show: tells the workers which there are. on_refused: what is refused is other. inherited: sockets of the gateway
    whose place is taken. is_over: another one has this one's place, and opens what is to be opened.
    """

    def __init__(
        self,
        node: str,
        count: int,
        show: Callable[[Own], None],
        on_refused: Callable[[], None],
        *,
        is_insecure: bool,
        given: Mapping[str, tuple[str, int]] = NO_PLACES,
        has_http3: bool = True,
    ) -> None:
        self._node, self._count, self._show, self._on_refused = node, count, show, on_refused
        self._is_insecure, self._given, self._has_http3 = is_insecure, given, has_http3
        self._wanted: dict[str, _Place] = {}
        self._opened: dict[str, _Opened] = {}
        self._faults: dict[str, tuple[str, str]] = {}  # path and reason
        self._numbers = 0
        self.inherited: dict[OwnPlace, list[socket.socket]] = {}
        self.is_over = False
        self._woken = asyncio.Event()

    def replace(self, changes: Iterable[Change]) -> None:
        """A snapshot is held. A document whose new version cannot be read goes on as it was."""
        held = [change for change in changes if change.kind == Listener.__name__]
        names = {change.name for change in held}
        self._wanted = {name: place for name, place in self._wanted.items() if _named(name) in names}
        self.take(held)
        self._woken.set()

    def take(self, changes: Iterable[Change]) -> None:
        """Changes are held."""
        found = [change for change in changes if change.kind == Listener.__name__]
        former = dict(self._wanted)
        for (_, _, name), entry in read_changes(found).documents.items():
            self._wanted.pop(name, None)
            self._wanted.pop(name + _BESIDE, None)
            if entry is not None and self._is_for_us(entry.spec):
                self._want(name, entry.spec)
        for name in [name for name in self._faults if self._wanted.get(name) != former.get(name)]:
            del self._faults[name]  # of a place that nobody asks for any more
        if found:
            self._woken.set()

    def _want(self, name: str, spec: Listener) -> None:
        address, port = self._given.get(name) or (address_of(spec), spec.port or 0)
        if name not in LISTENERS:
            self._wanted[name] = _Place(address, port, face_of(name, spec), spoken(name, spec))
        if spec.http3 is not None and spec.http3.enabled and port:
            self._wanted[name + _BESIDE] = _Place(address, port, face_of(name, spec), "http3")

    @property
    def refused(self) -> list[Refusal]:
        return [
            Refusal(Listener.__name__, MESH_NAMESPACE, _named(name), path=path, reason=reason)
            for name, (path, reason) in sorted(self._faults.items())
        ] + [
            Refusal(Listener.__name__, MESH_NAMESPACE, _named(name), _PORT, "it is being opened", is_pending=True)
            for name in sorted(self._untried())
        ]

    def _untried(self) -> list[str]:
        """What is to be opened where no try has ended yet."""
        if self.is_over:
            return []
        opened, faults = self._opened, self._faults
        return [
            name
            for name, place in self._wanted.items()
            if name not in faults and (name not in opened or opened[name].place != place)
        ]

    def urls(self) -> dict[str, str]:
        """Where each can be reached on this host."""
        return {
            name: url_of(opened.sockets[0], _SCHEMES.get(opened.place.spoken, opened.place.spoken))
            for name, opened in sorted(self._opened.items())
        }

    async def run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TRY_AGAIN_S if self._faults else None):
                    await self._woken.wait()
            await self.settle()

    async def settle(self) -> None:
        """Opens and lets go what is due."""
        self._woken.clear()
        if self.is_over:
            return
        faults, before, told = dict[str, tuple[str, str]](), dict(self._opened), self.refused
        let_go = [self._opened.pop(name) for name in before.keys() - self._wanted.keys()]
        if let_go:  # another one may want their ports
            self._tell(let_go)
        for name, place in tuple(self._wanted.items()):
            known = self._opened.get(name)
            if known is not None and known.place == place:
                continue
            fault = await self._open(name, place, known)
            if fault is not None and self._wanted.get(name) == place:  # else another try is due
                faults[name] = fault
        if faults != self._faults:
            for name in faults.keys() - self._faults.keys():
                kept = ", the former one stays" if name in self._opened else ""
                _log.error("Listener mesh/%s: %s%s", name, faults[name][1], kept)
            self._faults = faults
        if self.refused != told:
            self._on_refused()

    async def _open(self, name: str, place: _Place, former: _Opened | None) -> tuple[str, str] | None:
        """Path and reason why it cannot be."""
        if place.spoken == "http3" and not self._has_http3:
            return "spec.http3" if name.endswith(_BESIDE) else "spec.protocol", _NO_HTTP3
        is_fit = place.is_encrypted or place.spoken == "udp"  # there is no other way to speak datagrams
        if not (is_fit or self._is_insecure or is_loopback(place.address)):
            return "spec.address", (
                f"others could reach {place.address} without TLS: {_MENDS.get(place.spoken, '')}start the gateway "
                "with --insecure"
            )
        if known := self.inherited.pop(OwnPlace(name, *place), None):
            try:
                known = filled(known, self._count, _PORT)
            except Problem as problem:
                for each in known:
                    each.close()
                return _PORT, problem.detail or problem.title
            self._take(name, place, known, former, ())
            return None
        leaving = self._leaving(name, place)
        is_shared = bool(leaving) or (former is not None and _has_port(former.place, place))
        try:  # it may wait for the port
            sockets = await asyncio.to_thread(
                open_slots,
                place.address,
                place.port,
                self._count,
                _PORT,
                is_shared=is_shared,
                is_udp=place.is_udp,
            )
        except Problem as problem:
            return _PORT, problem.detail or problem.title
        if self.is_over or self._wanted.get(name) != place:  # written anew meanwhile
            for each in sockets:
                each.close()
            self._woken.set()
            return None
        self._take(name, place, sockets, former, leaving)
        return None

    def _take(
        self, name: str, place: _Place, sockets: list[socket.socket], former: _Opened | None, leaving: Iterable[str]
    ) -> None:
        self._numbers += 1
        spot = ListenerSpot(self._numbers, _named(name), place.face, place.spoken)
        self._opened[name] = _Opened(place, spot, sockets)
        _log.info("Listener mesh/%s: %s port %d", name, place.address, place.port)
        let_go = [self._opened.pop(other) for other in leaving]
        self._tell(let_go if former is None else [former, *let_go])

    def let_go_inherited(self) -> None:
        """What no document asks for, or none that may be served here: callers would queue for nobody."""
        for each in chain.from_iterable(self.inherited.values()):
            each.close()
        self.inherited.clear()

    def opened(self) -> dict[OwnPlace, list[socket.socket]]:
        """Where each is, with its sockets."""
        return {OwnPlace(name, *each.place): each.sockets for name, each in sorted(self._opened.items())}

    def _leaving(self, name: str, place: _Place) -> list[str]:
        """Others of ours that are where this one is to be, and are to be elsewhere: of two that swap ports, one must
        leave first. They go when it is open, wherever they find a place then."""
        return [
            other
            for other, opened in self._opened.items()
            if other != name
            and _has_port(opened.place, place)
            and (wanted := self._wanted.get(other)) is not None
            and not _has_port(wanted, place)
        ]

    def _tell(self, let_go: Iterable[_Opened]) -> None:
        """The workers have copies of their own; who waits in the queue of one that goes is theirs to take in."""
        self._show([(opened.spot, opened.sockets) for opened in self._opened.values()])
        for opened in let_go:
            for each in opened.sockets:
                each.close()

    def _is_for_us(self, spec: Listener) -> bool:
        if not spec.enabled:
            return False
        return not spec.gateways or any(compile_string(text)(self._node.encode()) for text in spec.gateways)


def _named(key: str) -> str:
    """The document's name."""
    return key.removesuffix(_BESIDE)


def _has_port(one: _Place, other: _Place) -> bool:
    """Both are at one port of one transport."""
    return (one.port, one.is_udp) == (other.port, other.is_udp)

"""That something changed which is no revision: said to all registries, for whoever shows it to people.

What is not heard is no harm: who looks at it asks again, and a reader that comes anew asks for all of it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from registry.live.interface import Bus

Noticed = Literal["alerts", "rollouts"]
NOTICED: Final[tuple[Noticed, ...]] = get_args(Noticed)
_TOPIC: Final = "notices"
_log = logging.getLogger("registry.notices")
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(tuple[Noticed, frozenset[str]]).decode


class Notices:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._listeners: list[Callable[[Noticed, frozenset[str]], None]] = []
        bus.subscribe(_TOPIC, self._hear)

    def listen(self, told: Callable[[Noticed, frozenset[str]], None]) -> None:
        """told: of what, and of which namespaces. It must neither raise nor wait."""
        self._listeners.append(told)

    def tell(self, what: Noticed, namespaces: Iterable[str]) -> None:
        """Once it can be read. `mesh`: what is of no single namespace."""
        if changed := frozenset(namespaces):
            self._pass_on(what, changed)
            self._bus.publish(_TOPIC, _encode((what, changed)))

    def _hear(self, message: bytes) -> None:
        try:
            what, namespaces = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:  # a registry of another version
            _log.warning("a notice of another registry cannot be read: %s", error)
            return
        self._pass_on(what, namespaces)

    def _pass_on(self, what: Noticed, namespaces: frozenset[str]) -> None:
        for told in self._listeners:
            told(what, namespaces)

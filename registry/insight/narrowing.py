"""Which rows of a section are asked for, told so that the same question is known again. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from meshway.telemetry import Key


class Narrowing(NamedTuple):
    """parts: what stands at a place of the key. namespace, own: of the name at the place `own`; None: of any."""

    parts: tuple[tuple[int, str], ...] = ()
    namespace: str | None = None
    own: int = 0

    def takes(self, key: Key) -> bool:
        return all(key[place] == text for place, text in self.parts) and (
            self.namespace is None or key[self.own].partition("/")[0] == self.namespace
        )


ALL: Final = Narrowing()

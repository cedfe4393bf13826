"""The certificates with their keys that a worker's supervisor has read for it: by the document that names them."""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from meshway.certificates import Pair

DocumentName = tuple[str, str]  # namespace, name

NO_PAIRS: Final[Mapping[DocumentName, Pair]] = {}


class KeyPairs:
    """One a worker. changed: told after each change, on the loop."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._held: dict[DocumentName, Pair] = {}

    def take(self, name: DocumentName, pair: Pair) -> None:
        if self._held.get(name) != pair:
            self._held[name] = pair
            self._changed()

    def drop(self, but: Collection[DocumentName]) -> None:
        """No document names the others any more."""
        gone = self._held.keys() - set(but)
        for name in gone:
            del self._held[name]
        if gone:
            self._changed()

    @property
    def held(self) -> Mapping[DocumentName, Pair]:
        return self._held

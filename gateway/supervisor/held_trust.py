"""What the supervisor believes of the mesh's identities: read of the TrustBundle it holds when it is asked for."""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.compiler.diff import read_changes
from gateway.feed.state import Key
from gateway.trust import NOBODY, Trust
from meshway.model import trust_bundle
from meshway.model.document import MESH_NAMESPACE
from meshway.snapshot import Change

KEY: Final = (trust_bundle.TrustBundle.__name__, MESH_NAMESPACE, trust_bundle.NAME)


class HeldTrust:
    """held: the entries that are in force now."""

    def __init__(self, held: Callable[[], Mapping[Key, Change]]) -> None:
        self._held = held
        self._change: Change | None = None
        self._trust = NOBODY

    def __call__(self) -> Trust:
        change = self._held().get(KEY)
        if change is not self._change:
            entry = None if change is None else read_changes([change]).documents.get(KEY)
            self._trust = NOBODY if entry is None else Trust(entry.spec)
            self._change = change
        return self._trust

"""Of the documents that a host's workers refuse: the versions before, which they run instead (pure).

The feed holds the newest versions only. A worker that starts later must run what the others run, so it is told these
before its first snapshot, and they stand beside the snapshot on disk. What compiles in one worker compiles in all, so
the first to apply a version proves it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from gateway.feed.state import Changes, Key, Whole
from meshway.snapshot import INSTANCE, Change


@dataclass(slots=True)
class _Versions:
    """good: the last that compiled, None when there was none. refused: the last that was applied, if it did not."""

    good: Change | None
    refused: Change | None = None
    unproven: list[tuple[int, Change]] = field(default_factory=list)


class Proven:
    """Keeps a document from its change until the new version has compiled."""

    def __init__(self) -> None:
        self._documents: dict[Key, _Versions] = {}

    def restore(self, changes: Iterable[Change], revision: int, held: Mapping[Key, Change]) -> None:
        """As `changes` gave them, with what was held at that revision."""
        for change in changes:
            entry = held.get(change.key)
            if entry is not None:
                good = change if change.op == "put" else None
                self._documents[change.key] = _Versions(good, unproven=[(revision, entry)])

    def take(self, outcome: Whole | Changes, held: Mapping[Key, Change]) -> None:
        """Before the outcome is held. held: empty at a first start, where no version has proved itself."""
        if isinstance(outcome, Changes):
            for change in outcome.changes:
                if change.op == "delete":
                    self._documents.pop(change.key, None)
                elif change.kind != INSTANCE:
                    self._versions(change.key, held).unproven.append((outcome.revision, change))
        elif held:
            for key in self._documents.keys() - outcome.entries.keys():
                del self._documents[key]
            for key, entry in outcome.entries.items():
                if key[0] != INSTANCE and (key in self._documents or _differs(held.get(key), entry)):
                    self._versions(key, held).unproven = [(outcome.revision, entry)]

    def settle(self, revision: int, refused: Collection[Key]) -> None:
        """A worker has applied the revision, and refuses these documents at it."""
        for key, versions in list(self._documents.items()):
            applied = [change for at, change in versions.unproven if at <= revision]
            if applied:
                versions.refused = applied[-1]
                del versions.unproven[: len(applied)]
            if key in refused:
                continue
            versions.good, versions.refused = versions.refused or versions.good, None
            if not versions.unproven:
                del self._documents[key]

    def changes(self) -> list[Change]:
        """Puts of the versions that go on; deletes of documents that had none and without which calls go on."""
        return [versions.good or Change("delete", *key) for key, versions in sorted(self._documents.items())]

    def _versions(self, key: Key, held: Mapping[Key, Change]) -> _Versions:
        return self._documents.setdefault(key, _Versions(held.get(key)))


def _differs(old: Change | None, new: Change) -> bool:
    return old is None or bytes(old.value) != bytes(new.value)

"""Of the documents that a host's workers refuse: the versions before, which they run instead (pure).

The feed holds the newest versions only. A worker that starts later must run what the others run, so it is told these
before its first snapshot, and they stand beside the snapshot on disk. What compiles in one worker compiles in all, so
the first to apply a version proves it, or shows that it does not compile.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from gateway.feed.state import Changes, Key, Whole
from meshway.snapshot import INSTANCE, Change


@dataclass(slots=True)
class _Versions:
    """good: the last that compiled, None when there was none. refused: the last that was applied, if it did not.

    is_new: it came while the host ran, so without a good one calls go on without it; of what a host began with nobody
    knows what it kept away. judged: the newest revision at which it is known whether it compiles.
    """

    good: Change | None
    is_new: bool = True
    judged: int = -1
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

    def begin(self, revision: int, entries: Mapping[Key, Change]) -> None:
        """With what a registry, or the disk, has told first: no version of it has proved itself."""
        for key, entry in entries.items():
            if key[0] != INSTANCE and key not in self._documents:
                self._documents[key] = _Versions(None, is_new=False, unproven=[(revision, entry)])

    def take(self, outcome: Whole | Changes, held: Mapping[Key, Change]) -> None:
        """Before the outcome is held. held: empty at a first start."""
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
                    versions = self._versions(key, held)
                    versions.unproven, versions.judged = [(outcome.revision, entry)], -1  # of another history, maybe
        else:
            self.begin(outcome.revision, outcome.entries)

    def settle(self, revision: int, refused: Collection[Key]) -> None:
        """A worker has applied the revision, and refuses these documents at it. Others may be further already."""
        for key, versions in list(self._documents.items()):
            if revision < versions.judged:
                continue
            versions.judged = revision
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
        return [
            versions.good or Change("delete", *key)
            for key, versions in sorted(self._documents.items())
            if versions.good is not None or versions.is_new
        ]

    def _versions(self, key: Key, held: Mapping[Key, Change]) -> _Versions:
        return self._documents.setdefault(key, _Versions(held.get(key)))


def _differs(old: Change | None, new: Change) -> bool:
    return old is None or bytes(old.value) != bytes(new.value)

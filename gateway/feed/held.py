"""What a gateway host holds of the mesh: the entries at one revision, ready to be handed to a worker."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gateway.feed.frames import snapshot_frames
from gateway.feed.last_good import merge
from gateway.feed.state import Changes, Key, Whole
from meshway.snapshot import Change


@dataclass(slots=True)
class Held:
    """epoch "": nothing is held, not even an empty mesh."""

    epoch: str = ""
    revision: int = 0
    entries: dict[Key, Change] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not self.epoch

    def take(self, outcome: Whole | Changes) -> None:
        if isinstance(outcome, Whole):
            self.epoch, self.revision, self.entries = outcome.epoch, outcome.revision, outcome.entries
        else:
            merge(self.entries, outcome.changes)
            self.revision = outcome.revision

    def changes(self) -> Iterable[Change]:
        """All entries, as puts."""
        return self.entries.values()

    def frames(self) -> Iterator[bytes]:
        """The snapshot of now, made as it is sent; later changes do not show in it."""
        return snapshot_frames(self.epoch, self.revision, list(self.entries.values()))

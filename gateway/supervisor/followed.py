"""What the supervisor does by the feed: it holds the whole of it, hands it to the workers, and acts by it itself."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.channel import ChannelFrame, Gateways, TransitionFrame, encode
from gateway.channel import Proven as ProvenFrame
from gateway.feed.follower import Heard
from gateway.feed.frames import delta_frames, parts
from gateway.feed.last_good import load
from gateway.feed.proven import Proven
from gateway.feed.state import Changes, Key, Whole
from meshway.snapshot import Change, Question, SecretFrame, SecretsWanted, Tick

if TYPE_CHECKING:
    from gateway.supervisor.supervisor import Supervisor
    from gateway.supervisor.worker_process import WorkerProcess

_log = logging.getLogger("meshway.gateway.supervisor")


class Followed:
    """Of one supervisor. proven: versions of documents that compiled. refused: files of last good snapshots that could
    not be read."""

    def __init__(self, supervisor: "Supervisor") -> None:
        self._of = supervisor
        self.proven = Proven()
        self.refused: tuple[str, ...] = ()

    def load(self, folder: Path) -> None:
        """The last good snapshot, before the registry was heard."""
        of = self._of
        found, self.refused = load(folder)
        for refused in self.refused:
            _log.error("refused the last good snapshot %s", refused)
        if found is None:
            return
        whole = Whole(found.epoch, found.revision, found.entries)
        of.guard.take(whole, {})
        self.proven = found.proven
        of.held.take(whole)
        of.feed.epoch, of.feed.revision = found.epoch, found.revision
        of.keys.take(self.proven.changes())
        of.keys.replace(whole.entries.values())
        for frame in of.kept.load():
            if isinstance(frame, SecretFrame):
                of.secrets.take(frame)
            else:
                of.keys.restore(frame)
        self._replace(whole)
        of.checking.replace()
        _log.info("serving r%d from disk, %d entries", found.revision, len(found.entries))

    def take(self, outcome: Heard) -> None:
        """What the registry says."""
        of = self._of
        if isinstance(outcome, Question):
            of.questions.take(outcome)
        elif isinstance(outcome, SecretFrame | SecretsWanted):
            self._take_secrets(outcome)
        elif isinstance(outcome, Tick):
            of.slots.send_encoded(encode(Gateways(live=outcome.gateways)))
        else:
            of.removals.take(outcome, of.held.entries)
            self.proven.take(outcome, of.held.entries)
            of.held.take(outcome)
            if isinstance(outcome, Whole):
                self._replace(outcome)
                of.keeper.replaced()
                of.slots.send_snapshot()
                of.checking.replace()
            else:
                self._change(outcome)

    def _replace(self, whole: Whole) -> None:
        for part in (self._of.keys, self._of.telling, self._of.certificates, self._of.listeners):
            part.replace(whole.entries.values())

    def _change(self, outcome: Changes) -> None:
        of, changes = self._of, outcome.changes
        of.keeper.changed(outcome.revision, changes)
        of.slots.send_encoded(delta_frames(outcome.revision, changes))
        of.keys.take(changes)
        of.telling.follow(changes)
        of.certificates.take(changes)
        of.listeners.take(changes)
        of.checking.take(changes)

    def _take_secrets(self, frame: SecretFrame | SecretsWanted) -> None:
        of = self._of
        if isinstance(frame, SecretFrame):
            of.secrets.take(frame)
        else:
            of.secrets.drop(frame.keys)
        of.kept.changed()
        of.slots.send_encoded(encode(frame))

    def settle(self, worker: "WorkerProcess") -> None:
        """What compiles there is proven."""
        self.proven.settle(worker.revision, {(each.kind, each.namespace, each.name) for each in worker.refused})

    def state(self) -> tuple[str, int, dict[Key, Change], list[Change]]:
        """To be kept as the last good snapshot."""
        held = self._of.held
        return held.epoch, held.revision, held.entries, self.proven.changes()

    # What a new worker must know.

    def before(self) -> list[ChannelFrame]:
        """Before its snapshot, or it would serve without it for a moment."""
        of = self._of
        return [
            Gateways(live=of.feed.gateways, heard_s=of.silence_s),
            *of.secrets.frames(),
            *of.keys.frames(),
            *of.certificates.frames(),
            *of.own_certificate.frames(),
            *(ProvenFrame(changes=part) for part in parts(self.proven.changes())),
            *of.removals.frames(),
        ]

    def in_force(self) -> list[ChannelFrame]:
        """Beside its snapshot."""
        of = self._of
        return [of.assigning.frame(), *(TransitionFrame(transition=each) for each in of.transitions.in_force())]

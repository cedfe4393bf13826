"""A gateway's follower with what it holds, in the test's own loop."""

from gateway.feed.follower import Follower, Heard
from gateway.feed.held import Held
from gateway.feed.registry_link import RegistryUrl
from gateway.feed.state import Changes, FeedState, Whole
from meshway.snapshot import Tick
from meshway.tasks import spawn
from tests.parts.conditions import until
from tests.parts.feed_server import Feed


class Following:
    """revisions: that came as deltas, in order. wholes: snapshots that came. gateways: live ones, as it was told."""

    def __init__(self, *urls: str) -> None:
        self.state = FeedState()
        self.held = Held()
        self.revisions: list[int] = []
        self.wholes = 0
        self.gateways: list[int] = []
        parsed = tuple(RegistryUrl.parse(url) for url in urls)
        self.follower = Follower(parsed, "gw/1", self.state, self._on_outcome, lambda: 0.0)
        self.task = spawn(self.follower.run(), name="follow")

    def _on_outcome(self, outcome: Heard) -> None:
        if isinstance(outcome, Tick):
            self.gateways.append(outcome.gateways)
        if isinstance(outcome, Whole):
            self.wholes += 1
        elif not isinstance(outcome, Changes):
            return
        else:
            assert outcome.revision == self.held.revision + 1
            self.revisions.append(outcome.revision)
        self.held.take(outcome)

    async def reaches(self, feed: Feed) -> None:
        await until(lambda: (self.held.epoch, self.held.revision) == (feed.epoch, feed.revision))
        assert self.held.entries == feed.entries

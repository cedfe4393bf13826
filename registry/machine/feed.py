"""GET /v1/feed: what gateways follow, as binary frames (meshway/snapshot.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshway.problem import FieldError, invalid_request
from registry.machine.placed import PlacedStream
from registry.machine.request import Reply, Request
from registry.manners.query import number_of, query_of

if TYPE_CHECKING:
    from registry.feed.feed import Feed
    from registry.feed.follower import Follower
    from registry.machine.request import Outlet, Stream
    from registry.machine.rounds import Rounds
    from registry.manners.places import Places

_KNOWN: Final = frozenset({"since", "epoch", "node"})
_HEAD: Final = b"content-type: application/x-meshway-feed\r\ncache-control: no-store\r\n"


class FeedRoute:
    __slots__ = ("_feed", "_places", "_rounds")

    def __init__(self, feed: Feed, rounds: Rounds, places: Places) -> None:
        self._places = places
        self._feed = feed
        self._rounds = rounds

    def get(self, request: Request) -> Reply | Stream:
        query = query_of(request.query, _KNOWN)
        since = number_of(query, "since", None, low=0, high=2**63 - 1)
        node = query.get("node", "")
        if len(node) > 253:
            message = "query.node: has more than 253 characters"
            raise invalid_request(message, (FieldError(path="query.node", code="out_of_bounds", message=message),))
        if request.is_head:
            return Reply(200, headers=_HEAD)
        frames = FrameStream(
            self._feed,
            self._rounds,
            since,
            query.get("epoch"),
            node or request.peer,
            is_gateway=request.caller.is_gateway,
        )
        return PlacedStream(frames, self._places, request)


class FrameStream:
    """Writes frames whenever the gateway takes them; the queue behind it is bounded (registry/feed/feed.py)."""

    __slots__ = ("_epoch", "_feed", "_follower", "_is_due", "_is_gateway", "_node", "_outlet", "_rounds", "_since")

    is_endless: bool = True

    def __init__(
        self, feed: Feed, rounds: Rounds, since: int | None, epoch: str | None, node: str, *, is_gateway: bool
    ) -> None:
        """is_gateway: it is told what Secrets hold."""
        self._feed = feed
        self._is_gateway = is_gateway
        self._rounds = rounds
        self._since = since
        self._epoch = epoch
        self._node = node
        self._outlet: Outlet | None = None
        self._follower: Follower | None = None
        self._is_due = False

    def start(self, outlet: Outlet) -> None:
        self._outlet = outlet
        outlet.open(200, _HEAD)
        self._follower = self._feed.follow(
            since=self._since,
            epoch=self._epoch,
            node=self._node,
            wake=self._wake,
            at_commit=self._rounds.tell,
            is_gateway=self._is_gateway,
        )
        self._rounds.enter(self._ask)
        self.resume()

    def resume(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._rounds.go_on(self._write)

    def stop(self) -> None:
        self._outlet = None
        self._rounds.leave(self._ask)
        if self._follower is not None:
            self._follower.close()
            self._follower = None

    def _wake(self) -> None:
        """For what is no commit. Writing waits for the next round, and several wakes write once."""
        if not self._is_due and self._outlet is not None and not self._outlet.is_paused:
            self._is_due = True
            self._rounds.join(self._write)

    def _ask(self) -> bool:
        """In the round after a commit; who is in turns already gets its piece there."""
        if not self._is_due and self._write():
            self._rounds.go_on(self._write)
        return False

    def _write(self) -> bool:
        """A piece; whether there is more and the gateway takes it."""
        self._is_due = False
        outlet, follower = self._outlet, self._follower
        if outlet is None or follower is None or outlet.is_paused:
            return False
        if follower.is_over:
            outlet.end()
            return False
        frames = follower.take()
        if not frames:
            return False
        outlet.send(frames)
        self._is_due = follower.has_more and not outlet.is_paused
        return self._is_due

"""A request that must not meet the past: it waits until the view is known to be the store's head."""

from __future__ import annotations

import re
from asyncio import Future
from typing import TYPE_CHECKING, Final

from meshway.problem import Problem, soon
from registry.machine.request import Reply, problem_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry.live.interface import Live
    from registry.machine.request import Outlet, Request, Stream
    from registry.revisions.following import Following
    from registry.view.view import View

    Outcome = Reply | Stream | Future[Reply]

_SINCE: Final = re.compile(r"(?:\A|&)since=(\d{1,19})(?:&|\Z)")
_NUMBER: Final = re.compile(r"[0-9]{1,19}\Z")
NOT_FOUND: Final = 404
# Asked about the process itself, which must answer whatever becomes of the store.
OF_THE_PROCESS: Final = frozenset({"/v1/health/live", "/v1/health/ready", "/metrics"})


class Head:
    """What this registry knows of the store's head, where others write to it too."""

    __slots__ = ("_live", "following", "view")

    def __init__(self, view: View, following: Following, live: Live) -> None:
        self.view = view
        self.following = following
        self._live = live

    def has_to_ask(self, request: Request) -> bool:
        """Whether the view may be older than what the caller may expect: everybody the head, or who saw more there."""
        if request.method != "GET" or request.path in OF_THE_PROCESS:
            return False
        return not self.following.is_fresh or held_revision(request) > self.view.revision

    def is_news(self, lease_ids: Sequence[str]) -> bool:
        """Whether one of them was given out by another registry after what the view holds: a number or a generation
        above all that is known. Others that are unknown are gone."""
        known = self.view.instance_number
        for lease_id in lease_ids:
            number, _, rest = lease_id.partition("-")
            generation = rest.partition("-")[0]
            if not (_NUMBER.match(number) and _NUMBER.match(generation)):
                continue
            if int(number) > known:
                return True
            lease = self._live.find(int(number))
            if lease is not None and int(generation) > lease.generation:
                return True
        return False

    def behind(self) -> Problem:
        """For a caller that was told elsewhere what this registry cannot look for now."""
        return Problem(
            503,
            "behind",
            "Behind what you hold",
            detail=f"this registry is at r{self.view.revision} and its store does not answer",
            mend="ask another registry, or repeat the call after Retry-After",
            headers=soon(),
        )

    def stale_line(self) -> bytes:
        """`Meshway-Stale`, in seconds, for answers from a view whose head could not be confirmed."""
        return b"" if self.following.is_fresh else b"meshway-stale: %d\r\n" % self.following.age_s


def held_revision(request: Request) -> int:
    """The revision the caller says it has; 0: none."""
    last = request.field(b"last-event-id")
    if last is not None and _NUMBER.match(last):
        return int(last)
    found = _SINCE.search(request.query)
    return 0 if found is None else int(found[1])


class DoubtedAnswer:
    """An answer that may find nothing only now: a 404 is held back, and asked for again after a look at the store."""

    __slots__ = ("_again", "_inner", "_outlet", "is_endless")

    def __init__(self, inner: Stream, again: ConfirmedAnswer) -> None:
        self.is_endless = inner.is_endless
        self._inner = inner
        self._again = again
        self._outlet: Outlet | None = None

    def start(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._inner.start(_Judging(outlet, self._look_again))

    def resume(self) -> None:
        self._inner.resume()

    def stop(self) -> None:
        self._outlet = None
        self._inner.stop()

    def _look_again(self) -> None:
        if self._outlet is None:
            return
        self._inner.stop()
        self._inner = self._again
        self._again.start(self._outlet)


class _Judging:
    """An outlet that holds back a whole 404."""

    __slots__ = ("_outlet", "_refused", "cut", "end", "open", "send")

    def __init__(self, outlet: Outlet, refused: Callable[[], None]) -> None:
        self._outlet = outlet
        self._refused = refused
        self.open, self.send, self.end, self.cut = outlet.open, outlet.send, outlet.end, outlet.cut

    @property
    def is_paused(self) -> bool:
        return self._outlet.is_paused

    def reply(self, reply: Reply) -> None:
        if reply.status == NOT_FOUND:
            self._refused()
        else:
            self._outlet.reply(reply)


class ConfirmedAnswer:
    """Asks the store, then goes on as the request would have: of one that may be too early, or that found nothing.

    Without the store it answers what it has, marked stale; but never to one who holds more than that: 503 sends it to
    another registry.
    """

    __slots__ = ("_go_on", "_head", "_inner", "_outlet", "_request", "_settle")

    is_endless: bool = True

    def __init__(
        self,
        head: Head,
        request: Request,
        go_on: Callable[[Request], Outcome],
        settle: Callable[[Request, Future[Reply]], Outcome],
    ) -> None:
        self._head = head
        self._request = request
        self._go_on = go_on
        self._settle = settle
        self._outlet: Outlet | None = None
        self._inner: Stream | None = None

    def start(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._head.following.confirm().add_done_callback(self._confirmed)

    def resume(self) -> None:
        if self._inner is not None:
            self._inner.resume()

    def stop(self) -> None:
        self._outlet = None
        if self._inner is not None:
            self._inner.stop()

    def _confirmed(self, done: Future[bool]) -> None:
        outlet = self._outlet
        if outlet is None:
            return
        if not done.result() and held_revision(self._request) > self._head.view.revision:
            outlet.reply(problem_reply(self._head.behind(), self._request.request_id))
            return
        self._follow(self._go_on(self._request), outlet)

    def _follow(self, outcome: Outcome, outlet: Outlet) -> None:
        if isinstance(outcome, Reply):
            outlet.reply(outcome)
        elif isinstance(outcome, Future):
            outcome.add_done_callback(self._answered)
        else:
            self._inner = outcome
            outcome.start(outlet)

    def _answered(self, done: Future[Reply]) -> None:
        if self._outlet is not None:
            self._follow(self._settle(self._request, done), self._outlet)

"""What filters make classes of: verdicts (`exchange.py` has the others) and translations. Never compiled: no class of
theirs could be made of a compiled one (tools/compiled.py)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.exchange import Reply

if TYPE_CHECKING:
    from gateway.plan import RoutePlan
    from gateway.relay.call import Call
    from meshway.http1.message import ResponseHead


class Turn:
    """A call waits until it is called on, then goes on with the next filter.

    `wait` is called once. resume is called at most once, at once or later, on the loop: None goes on, a Reply ends the
    call.
    """

    __slots__ = ()

    def wait(self, resume: Callable[[Reply | None], None]) -> None:
        raise NotImplementedError

    def leave(self) -> None:
        """The call is over, perhaps while it waited: resume must not be called any more. Called once."""
        raise NotImplementedError


class Recoding:
    """The service gets the request's body as this makes it, and the next filter is asked."""

    __slots__ = ()

    def feed(self, data: bytes) -> bytes:
        """In order. Raises ValueError for what can be no part of such a body."""
        raise NotImplementedError

    @property
    def is_whole(self) -> bool:
        """The body may end here."""
        raise NotImplementedError


class Detour:
    """The answer comes from elsewhere than the service, or the call goes on to it later."""

    __slots__ = ()

    def begin(self, call: "Call", plan: "RoutePlan", index: int) -> None:
        """index: of the filter to go on with, where the call goes on."""
        raise NotImplementedError


class AnswerTranslation:
    """What becomes of one answer for a caller who does not speak as the service does: head, body and trailers.

    head: as it goes to the caller; None: that is not known yet, and nothing goes out before. is_cut: the answer is not
    whole, and its body has no way to say so.
    """

    __slots__ = ("head",)

    head: "ResponseHead | None"
    is_cut: bool = False

    def feed(self, data: bytes) -> bytes:
        raise NotImplementedError

    def end(self, trailers: bytes) -> bytes:
        """The last bytes; the head is known then. It has no trailers."""
        raise NotImplementedError

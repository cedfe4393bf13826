"""Answers that go on: server-sent events, and calls of gRPC. Found when a newer revision judges what is carried.

Nothing is noted of a call while it is carried: who looks goes over the connections of callers. A call of gRPC that is
young, and one without an answer, are looked for again: nothing tells yet whether that will be a stream, or a WebSocket,
which is among the carried by itself.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from gateway.exchange import NEVER, Exchange
from gateway.relay.lasting import Lasting
from meshway.grpc_message import CONTENT_TYPE
from meshway.http1.fields import find

if TYPE_CHECKING:
    from gateway.relay.call import Call
    from gateway.routing.standing import Judge
    from gateway.routing.table import Tables
    from gateway.wire.listener_context import ListenerContext

YOUNG_S: Final = 10.0
_EVENTS: Final = b"text/event-stream"


class Streams:
    """Of one worker. listeners: all that it has now. now: monotonic seconds. due: when to look for those that were too
    young."""

    def __init__(self, listeners: "Callable[[], Iterable[ListenerContext]]", now: Callable[[], float]) -> None:
        self._listeners, self._now = listeners, now
        self._known: dict[Call, LastingAnswer] = {}
        self._until = 0.0  # what began later was let in by the tables that judge now
        self.due = NEVER

    @property
    def is_due(self) -> bool:
        return self.due != NEVER and self._now() >= self.due

    def found(self, *, is_new: bool) -> "Iterator[Judge | None]":
        """Those that were not known. None: of one more connection nothing is said. is_new: by newer tables than the
        last time; else those that were too young then."""
        self.due = NEVER
        if is_new:
            self._until = self._now()
        return self._find()

    def _find(self) -> "Iterator[Judge | None]":
        for listener in tuple(self._listeners()):
            for connection in tuple(listener.connections):
                yield None
                for call in connection.calls():
                    if self._is_to_be_judged(call):
                        yield LastingAnswer(call, self._known).judge

    def _is_to_be_judged(self, call: "Call") -> bool:
        exchange, now = call.exchange, self._now()
        if call.is_over or call.tunnel is not None or call in self._known or exchange.started > self._until:
            return False
        is_asked = call.attempt is not None  # else it is held, or waits in line
        if is_asked and _is_of_grpc(exchange):
            again_at = exchange.started + YOUNG_S
            if now >= again_at:
                return True
        elif is_asked and exchange.answer is not None:
            return _answer_type(exchange).startswith(_EVENTS)
        else:
            again_at = now + YOUNG_S  # what it will be is not known yet
        self.due = min(self.due, again_at)
        return False


class LastingAnswer:
    """of: those that are known, by their calls."""

    __slots__ = ("_call", "_lasting", "_of")

    def __init__(self, call: "Call", of: "dict[Call, LastingAnswer]") -> None:
        self._call, self._of = call, of
        self._lasting = Lasting()
        of[call] = self
        call.relay.carried.add(self.judge)
        call.hold(self)

    def judge(self, tables: "Tables") -> str:
        """A caller who has nothing of his answer yet gets another one; else it is cut."""
        refusal = self._lasting.refusal(self._call.exchange, tables)
        if refusal is None:
            return ""
        self._call.on_bad_body(refusal)
        return refusal.reason

    def leave(self) -> None:
        """The call is over."""
        self._call.relay.carried.discard(self.judge)
        del self._of[self._call]


def _is_of_grpc(exchange: Exchange) -> bool:
    """Asked in it, or made of what was asked in JSON."""
    asked = exchange.head.named.get(b"content-type", b"")
    return asked.startswith(CONTENT_TYPE) or _answer_type(exchange).startswith(CONTENT_TYPE)


def _answer_type(exchange: Exchange) -> bytes:
    answer = exchange.answer
    return b"" if answer is None else (find(answer.block, b"content-type") or b"").lower()

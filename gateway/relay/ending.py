"""How a call ends, with an answer, a cut or a caller who left, and what it gives back then."""

from typing import TYPE_CHECKING, Final, Protocol

from gateway.exchange import NEVER, Exchange, Reply
from gateway.plan import BUILT_IN
from gateway.relay import encoding
from meshway.http1.message import ResponseHead

if TYPE_CHECKING:
    from gateway.relay.further_attempts import FurtherAttempts
    from gateway.relay.relay import Relay
    from gateway.wire.interfaces import AnyDownstream, AnyUpstream, TimerOwner

# Of a call to its cluster. Where nothing guards it, it stays outside: nothing to give back.
OUTSIDE: Final = 0
IN_LINE: Final = 1
ADMITTED: Final = 2
# What the downstream's timer is set for beside the deadline; a number above is the filter to go on with.
NOTHING: Final = 0
FURTHER: Final = -1


class Source(Protocol):
    """Where a call's answer comes from: mostly an attempt. upstream: as of one, None also where no connection is
    behind it."""

    @property
    def upstream(self) -> "AnyUpstream | None": ...

    is_over: bool

    def send_body(self, data: bytes) -> None: ...

    def send_end(self, trailers: bytes) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def cancel(self, outcome: str, now: float) -> None: ...


class Held(Protocol):
    """What a call gives back when it is over."""

    def leave(self) -> None: ...


class Ending:
    """What a call holds, for whoever ends it. Its attributes are set by `Call`: an `__init__` more costs each call.

    is_over: the exchange was finished; the downstream calls nothing any more. attempt: the newest that runs.
    """

    __slots__ = (
        "_cluster_state", "_further", "_turns", "_waits_for", "attempt", "downstream", "exchange", "is_over", "relay",
    )  # fmt: skip

    relay: "Relay"
    exchange: Exchange
    downstream: "AnyDownstream"
    is_over: bool
    attempt: Source | None
    _cluster_state: int
    _further: "FurtherAttempts | None"
    _turns: tuple[Held, ...]
    _waits_for: int

    def answer(self, reply: Reply) -> None:
        exchange = self.exchange
        exchange.take_reply(reply)
        self._release()
        self.downstream.send_reply(exchange, reply)  # counts the bytes it sends
        self.relay.finish(exchange, self.relay.now())

    def show(self, head: ResponseHead, first: bytes, ended: bool, trailers: bytes, now: float) -> None:
        """An answer in which all is changed but what this caller alone wants otherwise."""
        exchange = self.exchange
        plan = exchange.plan
        assert plan is not None
        if exchange.replaced is not None:
            head = head.without(exchange.replaced)
        if plan.encode is not None:
            head, first, self.downstream = encoding.begin(
                plan.encode, exchange, head, first, ended, trailers, self.downstream
            )
        self.send(head, first, ended, trailers, now)

    def send(self, head: ResponseHead, first: bytes, ended: bool, trailers: bytes, now: float) -> None:
        """An answer as it is."""
        exchange = self.exchange
        if ended:
            self._release()
            self.relay.finish(exchange, now)
        self.downstream.send_head(exchange, head, first, ended, trailers)

    def on_bad_body(self, reply: Reply) -> None:
        """The request cannot be read on. The caller gets the reply, or a cut when his answer has begun."""
        now = self.relay.now()
        self._leave("cancelled", now)
        if self.exchange.status:
            self.cut(reply.flag, reply.reason, reply.policy, reply.detail, now)
        else:
            self.answer(reply)

    def on_gone(self) -> None:
        """The caller left; nothing can be told him any more."""
        now = self.relay.now()
        self.exchange.mark("DC")
        self._leave("cancelled", now)
        self._finish(now)

    def on_cut_off(self, flag: str, reason: str, detail: str) -> None:
        """The gateway ends the caller's connection, whatever is under way on it."""
        now = self.relay.now()
        self.exchange.mark(flag)
        self.exchange.blame(reason, "", detail)
        self._leave("cancelled", now)
        self._finish(now)

    def _miss_deadline(self, now: float) -> None:
        exchange = self.exchange
        plan = exchange.plan
        assert plan is not None
        # A caller who asks for the impossible must not get an endpoint ejected.
        is_ours = exchange.deadline == exchange.started + plan.deadline_s
        self._leave("attempt_timeout" if is_ours and not exchange.status else "cancelled", now)
        said = "grpc-timeout" if b"grpc-timeout" in exchange.head.named else "meshway-deadline"
        policy = plan.sources.get("timeouts.deadline", BUILT_IN) if is_ours else f"caller's {said}"
        detail = "the call took longer than its deadline"
        if exchange.status:
            self.cut("DT", "deadline_exceeded", policy, detail, now)
        else:
            self.answer(Reply(504, "deadline_exceeded", "DT", detail, policy=policy))

    def end_tunnel(self, attempt: Source) -> None:
        """Both halves are closed."""
        now = self.relay.now()
        attempt.cancel("cancelled", now)
        self._finish(now)

    def end_upgraded(
        self, attempt: Source, outcome: str, flag: str, reason: str, detail: str, policy: str = ""
    ) -> None:
        """Both sides have been told all they will be. outcome: of the attempt, if it still runs. reason "": it is
        nobody's doing."""
        exchange, downstream, now = self.exchange, self.downstream, self.relay.now()
        exchange.mark(flag)
        if reason:
            exchange.blame(reason, policy, detail)
        attempt.cancel(outcome, now)
        self._finish(now)
        downstream.finish_upgraded()

    def hold(self, held: Held) -> None:
        """Until the call is over."""
        self._turns += (held,)

    def wait_for(self, what: int, owner: "TimerOwner", due: float) -> None:
        """The downstream's timer is for this until the call is over. due: monotonic seconds."""
        self._waits_for = what
        self.relay.wheel.set(self.downstream.timer, owner, due)

    def cut(self, flag: str, reason: str, policy: str, detail: str, now: float) -> None:
        exchange = self.exchange
        exchange.mark(flag)
        exchange.blame(reason, policy, detail)
        self._finish(now)
        self.downstream.abort()

    def _leave(self, outcome: str, now: float) -> None:
        """Gives up whatever is under way. outcome: of the attempt that was given the longest."""
        if self._further is not None:
            self._further.cancel(outcome, now)
        attempt, self.attempt = self.attempt, None
        if attempt is not None:
            attempt.cancel(outcome, now)

    def _finish(self, now: float) -> None:
        self._release()
        self.relay.finish(self.exchange, now)

    def _release(self) -> None:
        """Gives back what the exchange holds, before the downstream may begin the next one."""
        self.is_over = True
        # They know us: without the circle all are freed at once, and no collector runs.
        self.attempt = self._further = None
        if self._turns:
            turns, self._turns = self._turns, ()
            for turn in turns:
                turn.leave()
        exchange = self.exchange
        if exchange.deadline != NEVER or self._waits_for:
            timer = self.downstream.timer
            timer.due = NEVER
            timer.owner = None
        state = self._cluster_state
        if state:
            self._cluster_state = OUTSIDE
            cluster = exchange.cluster
            assert cluster is not None
            if state == ADMITTED:
                cluster.release(exchange)
            else:
                cluster.cancel_pending(exchange)

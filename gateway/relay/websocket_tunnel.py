"""A tunnel whose frames are looked at (RFC 6455): what breaks the rules or the sizes ends it, both sides being told."""

from os import urandom
from typing import TYPE_CHECKING, Final

from gateway.exchange import Reply
from gateway.plan import WebSocketPlan
from gateway.relay.passing import PassingDownstream
from gateway.relay.retry import FAILURES, Failure
from gateway.relay.tunnel import Tunnel
from gateway.wire.websocket.frame_meter import (
    BAD_GATEWAY,
    GOING_AWAY,
    POLICY_VIOLATION,
    TOO_BIG,
    FrameMeter,
    close_frame,
    ping_frame,
)
from gateway.wire.websocket.handshake import bits_of

if TYPE_CHECKING:
    from gateway.relay.attempt import Attempt
    from gateway.relay.call import Call
    from gateway.wire.interfaces import Downstream
    from meshway.http1.message import ResponseHead

PINGS: Final = -2  # what the downstream's timer is set for, beside the reasons of ending.py
ANSWERS_S: Final = 1.0  # so long a service may take to answer what came before a caller's fault, and to close
_KEY_SIZE: Final = 4
_NOT_ASKED: Final = -1


class MeteredDownstream(PassingDownstream):
    """From the 101 on: what the service sends."""

    __slots__ = ("_tunnel", "plain")

    def __init__(self, downstream: "Downstream", tunnel: "WebSocketTunnel") -> None:
        super().__init__(downstream)
        self.plain = downstream
        self._tunnel = tunnel

    def send_body(self, data: bytes) -> None:
        meter = self._tunnel.from_service
        data = meter.feed(data)
        if data:
            self._next.send_body(data)
        if meter.is_over:
            self._tunnel.service_is_over()

    def say(self, frame: bytes) -> None:
        """Of our own."""
        self._next.send_body(frame)


class WebSocketTunnel(Tunnel):
    """from_caller, from_service: what has come of each."""

    __slots__ = ("_owed", "_ping_every_s", "_pinged", "_said", "from_caller", "from_service")

    def __init__(self, call: "Call", attempt: "Attempt", plan: WebSocketPlan, head: "ResponseHead") -> None:
        """head: the service's 101."""
        super().__init__(call, attempt)
        bits, sizes = bits_of(head.block), (plan.max_frame, plan.max_message)
        self.from_caller = FrameMeter(masked=True, bits=bits, max_frame=sizes[0], max_message=sizes[1])
        self.from_service = FrameMeter(masked=False, bits=bits, max_frame=sizes[0], max_message=sizes[1])
        self._said = 0  # our own close code
        self._owed = 0  # the one the caller is told of his fault when what came before it was answered
        self._ping_every_s = plan.ping_every_s
        self._pinged = (_NOT_ASKED, _NOT_ASKED)  # what had come of each, caller and service, when it was asked last
        call.downstream = MeteredDownstream(call.downstream, self)
        if self._ping_every_s:
            call.wait_for(PINGS, self, call.relay.now() + self._ping_every_s)

    def on_bytes(self, data: bytes) -> None:
        self.call.exchange.bytes_in += len(data)
        meter = self.from_caller
        data = meter.feed(data)
        if data:
            self.attempt.send_body(data)
        if meter.fault and not self._said and not self._owed:
            self._caller_failed()

    def _caller_failed(self) -> None:
        """He broke the rules, or sent more at once than he may. The service is told that no more comes, and heard until
        it closes in its turn: it may still answer what came before."""
        meter, call = self.from_caller, self.call
        self._owed = meter.fault
        reason = "too_large" if meter.fault == TOO_BIG else "websocket_protocol"
        call.exchange.mark("DPE")
        call.exchange.blame(reason, "", f"the caller sent {meter.detail}")
        self.attempt.send_body(close_frame(GOING_AWAY, urandom(_KEY_SIZE)))
        if self.from_service.is_over or self._is_upstream_closed:
            self._end_failed()
        else:
            self.from_service.withholds_close = True
            call.wait_for(PINGS, self, call.relay.now() + ANSWERS_S)

    def _end_failed(self) -> None:
        self._tell_caller(self._owed)
        self.call.end_upgraded(self.attempt, "cancelled", "", "", "")

    def service_is_over(self) -> None:
        """It closed, broke the rules, or sent more at once than it may."""
        meter = self.from_service
        if self._owed:
            self._end_failed()
        elif meter.fault and not self._said:
            self._say(GOING_AWAY, meter.fault)
            failure = FAILURES["upstream_protocol"]
            reason = "too_large" if meter.fault == TOO_BIG else failure.reason
            detail = f"the service sent {meter.detail}"
            self.call.end_upgraded(self.attempt, failure.outcome, failure.flag, reason, detail)

    def upstream_ended(self) -> None:
        if self._owed:
            self._end_failed()
        else:
            super().upstream_ended()

    def say_goodbye(self, flag: str, reason: str, detail: str) -> bool:
        if self._owed:
            self._end_failed()
        elif not self._said:
            self._say(GOING_AWAY, GOING_AWAY)
            self.call.end_upgraded(self.attempt, "cancelled", flag, reason, detail)
        return True

    def end_refused(self, refusal: Reply) -> None:
        if self._owed:  # his fault came first, and the service has its close frame
            self._end_failed()
            return
        if not self._said:
            self._say(POLICY_VIOLATION, GOING_AWAY)
        self.call.end_upgraded(self.attempt, "cancelled", refusal.flag, refusal.reason, refusal.detail, refusal.policy)

    def tell_service(self) -> None:
        if self._service_hears and not self._owed:
            self.attempt.send_body(close_frame(GOING_AWAY, urandom(_KEY_SIZE)))

    def upstream_failed(self, failure: Failure, detail: str, policy: str, now: float) -> None:
        if self._owed:
            self._end_failed()
        elif self._tell_caller(GOING_AWAY if failure is FAILURES["upgraded_idle"] else BAD_GATEWAY):
            self.call.end_upgraded(self.attempt, failure.outcome, failure.flag, failure.reason, detail, policy)
        else:
            super().upstream_failed(failure, detail, policy, now)

    def on_timer(self, now: float) -> None:
        """Asks both sides whether they live. Who lets a whole span pass in silence, having been asked, does not."""
        if self._owed:
            self._end_failed()
            return
        call = self.call
        call.relay.wheel.set(call.downstream.timer, self, now + self._ping_every_s)
        if self.attempt.is_held_up:
            self._pinged = (_NOT_ASKED, _NOT_ASKED)
            return
        came, before = (call.exchange.bytes_in, call.exchange.bytes_out), self._pinged
        if came[0] == before[0] or came[1] == before[1]:
            who, outcome = ("caller", "cancelled") if came[0] == before[0] else ("service", "reset")
            self._say(GOING_AWAY, GOING_AWAY)
            detail = f"the {who} was silent for {self._ping_every_s:g} s after it was asked whether it lives"
            call.end_upgraded(self.attempt, outcome, "SI", "ping_timeout", detail)
            return
        # Within a frame of the one side the other cannot be asked, and need not speak.
        asks_caller, asks_service = self._caller_hears, self._service_hears
        self._pinged = (came[0] if asks_caller else _NOT_ASKED, came[1] if asks_service else _NOT_ASKED)
        if asks_caller:
            self._downstream.say(ping_frame())
        if asks_service:
            self.attempt.send_body(ping_frame(urandom(_KEY_SIZE)))

    def leave(self) -> None:
        super().leave()
        self.call.downstream = self._downstream.plain
        caller, service, tunnels = self.from_caller, self.from_service, self.call.relay.tunnels
        tunnels.from_callers += caller.messages
        tunnels.from_services += service.messages
        code = self._said or self._owed or caller.close_code or service.close_code
        self.call.exchange.metadata += b',"close_code":%d,"messages_in":%d,"messages_out":%d' % (
            code,
            caller.messages,
            service.messages,
        )

    @property
    def _downstream(self) -> MeteredDownstream:
        downstream = self.call.downstream
        assert isinstance(downstream, MeteredDownstream)
        return downstream

    @property
    def _caller_hears(self) -> bool:
        """A frame of ours: between two of the service's, and before its end, which he was told."""
        return not self._is_upstream_closed and self.from_service.takes_frame

    @property
    def _service_hears(self) -> bool:
        return not self.call.is_request_whole and self.from_caller.takes_frame

    def _say(self, to_caller: int, to_service: int) -> None:
        self._tell_caller(to_caller)
        if self._service_hears:
            self.attempt.send_body(close_frame(to_service, urandom(_KEY_SIZE)))
        self._said = to_caller

    def _tell_caller(self, code: int) -> bool:
        """Whether it could be told."""
        if not self._caller_hears:
            return False
        self._downstream.say(close_frame(code))
        self._said = code
        return True

"""A call from its 101 on: bytes both ways, until both sides have closed their halves."""

from typing import TYPE_CHECKING

from gateway.exchange import NEVER, Reply
from gateway.relay.lasting import Lasting
from gateway.relay.retry import Failure

if TYPE_CHECKING:
    from gateway.relay.attempt import Attempt
    from gateway.relay.call import Call
    from gateway.routing.table import Tables
    from meshway.http1.message import ResponseHead


class Tunnels:
    """Of a worker. open: now. from_callers, from_services: messages of WebSockets that are over."""

    __slots__ = ("from_callers", "from_services", "open")

    def __init__(self) -> None:
        self.open = self.from_callers = self.from_services = 0


class Tunnel:
    """The downstream tells it, in place of the call, what the caller sends."""

    __slots__ = ("_is_upstream_closed", "_lasting", "attempt", "call")

    def __init__(self, call: "Call", attempt: "Attempt") -> None:
        self.call, self.attempt = call, attempt
        self._is_upstream_closed = False
        self._lasting = Lasting()
        call.exchange.deadline = NEVER  # it is for an answer; what follows is a conversation
        call.downstream.timer.due = NEVER
        call.relay.tunnels.open += 1
        call.relay.carried.add(self.judge)

    def on_bytes(self, data: bytes) -> None:
        """From the caller."""
        self.call.exchange.bytes_in += len(data)
        self.attempt.send_body(data)

    def on_end(self) -> None:
        """The caller closed his half."""
        call = self.call
        call.is_request_whole = True
        self.attempt.send_end(b"")
        if self._is_upstream_closed:
            call.end_tunnel(self.attempt)
        else:
            self.attempt.await_rest()

    def upstream_ended(self) -> None:
        """Its half. When both are closed, the call is over before the downstream is told to close."""
        self._is_upstream_closed = True
        call = self.call
        if call.is_request_whole or not self.attempt.closes_halves:
            call.end_tunnel(self.attempt)
        call.downstream.send_end(b"")

    def say_goodbye(self, flag: str, reason: str, detail: str) -> bool:
        """The gateway is about to end the connection: both sides are told where they can be. Whether they were."""
        return False

    def tell_service(self) -> None:
        """That the connection is about to be closed, for nobody speaks."""

    def upstream_failed(self, failure: Failure, detail: str, policy: str, now: float) -> None:
        """The service's side is gone."""
        self.call.cut(failure.flag, failure.reason, policy, detail, now)

    def judge(self, tables: "Tables") -> str:
        """By newer tables: it was let in as a call, and asks nothing again."""
        refusal = self._lasting.refusal(self.call.exchange, tables)
        if refusal is None:
            return ""
        self.end_refused(refusal)
        return refusal.reason

    def end_refused(self, refusal: Reply) -> None:
        """Whoever looks at no frames can tell nobody why: what is cut does not look like what has ended."""
        self.call.on_bad_body(refusal)

    def leave(self) -> None:
        """The call is over, and knows us no more: without the circle all are freed at once."""
        self.call.relay.carried.discard(self.judge)
        self.call.relay.tunnels.open -= 1
        self.call.tunnel = None


def open_tunnel(call: "Call", tunnel: Tunnel, head: "ResponseHead", first: bytes, now: float) -> None:
    """head: the service's 101. first: what came behind it. now: monotonic seconds."""
    exchange = call.exchange
    exchange.status = 101
    exchange.first_byte = now
    call.is_request_whole = False
    call.body = None
    call.tunnel = tunnel
    call.hold(tunnel)
    exchange.bytes_out = len(first)
    call.downstream.send_upgrade(exchange, head)
    if first and not call.is_over:
        call.downstream.send_body(first)

"""Fails on purpose: holds a share of the calls, and refuses a share, before any service is called.

After Envoy's fault filter: the delay comes before the abort, each is drawn once a call. Log and answer say that it was
on purpose (`fault_delay` DI, `fault_abort` FI). Calls outside of `match` pass, and after `until` all do.
"""

import math
from collections.abc import Callable
from http import HTTPStatus

from gateway.exchange import Exchange, Hold, Reply
from gateway.plan import FilterStep, Forecast, Parts
from gateway.routing.predicates import compile_predicates
from meshway.model.instant import parse_instant
from meshway.model.rule_actions import Fault, FaultAbort, FaultDelay

_GRPC_OK = 200


def compile_filters(fault: Fault, rule: str, parts: Parts) -> tuple[FilterStep, ...]:
    """rule: how messages speak of whose fault it is."""
    aim = _Aim(fault, parts)
    steps: list[FilterStep] = []
    if fault.delay is not None:
        steps.append(_delay(fault.delay, aim))
    if fault.abort is not None:
        steps.append(_abort(fault.abort, rule, aim))
    return tuple(steps)


class _Aim:
    """Whom a fault may hit, and until when (seconds since 1970)."""

    def __init__(self, fault: Fault, parts: Parts) -> None:
        self._until = math.inf if fault.until is None else parse_instant(fault.until)
        self._is_meant = None if fault.match is None else compile_predicates(fault.match, parts.fields)
        self._random, self._wall = parts.random, parts.wall

    def draw(self, percent: float) -> Callable[[Exchange], bool]:
        """Whether a call is hit, each anew."""
        random, share, until, is_meant, wall = self._random, percent / 100.0, self._until, self._is_meant, self._wall
        if until == math.inf and is_meant is None:
            return lambda _: random() < share

        def is_drawn(exchange: Exchange) -> bool:
            return wall() < until and (is_meant is None or is_meant(exchange)) and random() < share

        return is_drawn

    def forecast(
        self, what: str, verdict: str, percent: float, reply: Reply | None
    ) -> Callable[[Exchange], list[Forecast]]:
        """Draws nothing: chance is told as what it is."""

        def forecast(exchange: Exchange) -> list[Forecast]:
            if self._wall() >= self._until:
                return [Forecast("pass", f"{what}, but its time is over")]
            if self._is_meant is not None and not self._is_meant(exchange):
                return [Forecast("pass", f"{what}, but this call is not meant: its match does not hold")]
            if percent <= 0.0:
                return [Forecast("pass", what)]
            return [Forecast(verdict, what, "", reply) if percent >= 100.0 else Forecast(f"may {verdict}", what)]

        return forecast


def _delay(delay: FaultDelay, aim: _Aim) -> FilterStep:
    is_drawn, hold = aim.draw(delay.percent), Hold(float(delay.fixed))

    def delay_call(exchange: Exchange) -> Hold | None:
        if not is_drawn(exchange):
            return None
        exchange.flag, exchange.reason = "DI", "fault_delay"
        return hold

    what = f"{delay.percent:g} % of the calls wait {float(delay.fixed):g} s"
    return FilterStep("fault delay", "fault.delay", delay_call, aim.forecast(what, "delay", delay.percent, None))


def _abort(abort: FaultAbort, rule: str, aim: _Aim) -> FilterStep:
    is_drawn = aim.draw(abort.percent)
    detail = f"{rule} aborts {abort.percent:g} % of its calls on purpose"
    if abort.grpc_status is not None:
        fields = b"Content-Type: application/grpc\r\ngrpc-status: %d\r\ngrpc-message: %b\r\n" % (
            abort.grpc_status,
            detail.replace("%", "%25").encode(),
        )
        reply = Reply(_GRPC_OK, "fault_abort", "FI", detail, fields=fields, body=b"")
    else:
        reply = Reply(abort.status or HTTPStatus.SERVICE_UNAVAILABLE, "fault_abort", "FI", detail)

    def abort_call(exchange: Exchange) -> Reply | None:
        return reply if is_drawn(exchange) else None

    what = f"{abort.percent:g} % of the calls are answered {reply.status}"
    return FilterStep("fault abort", "fault.abort", abort_call, aim.forecast(what, "refuse", abort.percent, reply))

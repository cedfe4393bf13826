"""Fails on purpose: holds a share of the calls, and refuses a share, before any service is called.

After Envoy's fault filter: the delay comes before the abort, each is drawn once a call. Log and answer say that it was
on purpose (`fault_delay` DI, `fault_abort` FI). After `until` the filter lets everything pass.
"""

import math
from collections.abc import Callable
from http import HTTPStatus

from gateway.exchange import Exchange, Hold, Reply
from gateway.plan import FilterStep, Forecast, Parts
from meshway.model.instant import parse_instant
from meshway.model.rule_actions import Fault, FaultAbort, FaultDelay

_GRPC_OK = 200


def compile_filters(fault: Fault, rule: str, parts: Parts) -> tuple[FilterStep, ...]:
    """rule: how messages speak of whose fault it is."""
    until = math.inf if fault.until is None else parse_instant(fault.until)
    steps: list[FilterStep] = []
    if fault.delay is not None:
        steps.append(_delay(fault.delay, until, parts))
    if fault.abort is not None:
        steps.append(_abort(fault.abort, until, rule, parts))
    return tuple(steps)


def _delay(delay: FaultDelay, until: float, parts: Parts) -> FilterStep:
    is_drawn, hold = _draw(delay.percent, until, parts), Hold(float(delay.fixed))

    def delay_call(exchange: Exchange) -> Hold | None:
        if not is_drawn():
            return None
        exchange.flag, exchange.reason = "DI", "fault_delay"
        return hold

    what = f"{delay.percent:g} % of the calls wait {float(delay.fixed):g} s"
    forecast = _forecast(what, "delay", delay.percent, until, parts, None)
    return FilterStep("fault delay", "fault.delay", delay_call, forecast)


def _abort(abort: FaultAbort, until: float, rule: str, parts: Parts) -> FilterStep:
    is_drawn = _draw(abort.percent, until, parts)
    detail = f"{rule} aborts {abort.percent:g} % of its calls on purpose"
    if abort.grpc_status is not None:
        fields = b"Content-Type: application/grpc\r\ngrpc-status: %d\r\ngrpc-message: %b\r\n" % (
            abort.grpc_status,
            detail.replace("%", "%25").encode(),
        )
        reply = Reply(_GRPC_OK, "fault_abort", "FI", detail, fields=fields, body=b"")
    else:
        reply = Reply(abort.status or HTTPStatus.SERVICE_UNAVAILABLE, "fault_abort", "FI", detail)

    def abort_call(_: Exchange) -> Reply | None:
        return reply if is_drawn() else None

    what = f"{abort.percent:g} % of the calls are answered {reply.status}"
    forecast = _forecast(what, "refuse", abort.percent, until, parts, reply)
    return FilterStep("fault abort", "fault.abort", abort_call, forecast)


def _forecast(
    what: str, verdict: str, percent: float, until: float, parts: Parts, reply: Reply | None
) -> Callable[[Exchange], list[Forecast]]:
    """Draws nothing: chance is told as what it is."""

    def forecast(_: Exchange) -> list[Forecast]:
        if parts.wall() >= until:
            return [Forecast("pass", f"{what}, but its time is over")]
        if percent <= 0.0:
            return [Forecast("pass", what)]
        return [Forecast(verdict, what, "", reply) if percent >= 100.0 else Forecast(f"may {verdict}", what)]

    return forecast


def _draw(percent: float, until: float, parts: Parts) -> Callable[[], bool]:
    random, wall = parts.random, parts.wall
    share = percent / 100.0
    if until == math.inf:
        return lambda: random() < share
    return lambda: wall() < until and random() < share

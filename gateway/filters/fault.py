"""Fails on purpose: holds a share of the calls, and refuses a share, before any service is called.

After Envoy's fault filter: the delay comes before the abort, each is drawn once a call. Log and answer say that it was
on purpose (`fault_delay` DI, `fault_abort` FI). After `until` the filter lets everything pass.
"""

import math
from collections.abc import Callable
from http import HTTPStatus

from gateway.exchange import Exchange, Hold, Reply
from gateway.plan import Parts, RequestFilter
from meshway.model.instant import parse_instant
from meshway.model.rule_actions import Fault, FaultAbort, FaultDelay

_GRPC_OK = 200


def compile_filters(fault: Fault, rule: str, parts: Parts) -> tuple[RequestFilter, ...]:
    """rule: how messages speak of whose fault it is."""
    until = math.inf if fault.until is None else parse_instant(fault.until)
    filters: list[RequestFilter] = []
    if fault.delay is not None:
        filters.append(_delay(fault.delay, until, parts))
    if fault.abort is not None:
        filters.append(_abort(fault.abort, until, rule, parts))
    return tuple(filters)


def _delay(delay: FaultDelay, until: float, parts: Parts) -> RequestFilter:
    is_drawn, hold = _draw(delay.percent, until, parts), Hold(float(delay.fixed))

    def delay_call(exchange: Exchange) -> Hold | None:
        if not is_drawn():
            return None
        exchange.flag, exchange.reason = "DI", "fault_delay"
        return hold

    return delay_call


def _abort(abort: FaultAbort, until: float, rule: str, parts: Parts) -> RequestFilter:
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

    return abort_call


def _draw(percent: float, until: float, parts: Parts) -> Callable[[], bool]:
    random, wall = parts.random, parts.wall
    share = percent / 100.0
    if until == math.inf:
        return lambda: random() < share
    return lambda: wall() < until and random() < share

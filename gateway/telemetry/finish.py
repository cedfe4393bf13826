"""The end of a call: counters, histogram and access log in one function (docs/guide/observability.md)."""

from collections.abc import Callable

from gateway.exchange import EDGE, Exchange
from gateway.telemetry.access_log import AccessLog
from gateway.telemetry.counters import CALL, ENDPOINT, HISTOGRAM, Counters
from gateway.telemetry.histogram import bucket_of

CallKey = tuple[int, str, int, int, str]


def make_finish(counters: Counters, log: AccessLog) -> Callable[[Exchange, float], None]:
    """The relay calls the result once an exchange, with the clock's reading at its end."""
    cells, add_line = counters.cells, log.add if log.is_on else None
    calls: dict[CallKey, int] = {}
    endpoints: dict[tuple[str, str], int] = {}

    def finish(exchange: Exchange, now: float) -> None:
        plan, cluster = exchange.plan, exchange.cluster
        service = "" if cluster is None else cluster.name
        key = (-1 if plan is None else plan.slot, service, exchange.listener, exchange.status, exchange.flag)
        base = calls.get(key)
        if base is None:
            base = calls[key] = _open_call(counters, key)
        started = exchange.started
        seconds = now - started
        bucket = HISTOGRAM + bucket_of(seconds)
        cells[base] += 1.0
        if exchange.bytes_in:
            cells[base + 1] += exchange.bytes_in
        cells[base + 2] += exchange.bytes_out
        cells[base + 3] += seconds
        cells[base + bucket] += 1.0

        endpoint = exchange.endpoint
        if endpoint is not None:
            base = endpoints.get((service, endpoint.id))
            if base is None:
                base = endpoints[(service, endpoint.id)] = counters.series(
                    ENDPOINT, (("service", service), ("instance", endpoint.id))
                )
            cells[base] += 1.0
            if exchange.attempts > 1:
                cells[base + 1] += exchange.attempts - 1
            first_byte = exchange.first_byte
            if first_byte:
                if first_byte != now:  # the answer was longer than one piece
                    seconds = first_byte - started
                    bucket = HISTOGRAM + bucket_of(seconds)
                cells[base + 3] += seconds
                cells[base + bucket] += 1.0
        if add_line is not None:
            add_line(exchange, now)

    return finish


def _open_call(counters: Counters, key: CallKey) -> int:
    slot, service, listener, status, flag = key
    route, rule = counters.rules[slot] if slot >= 0 else ("", "")
    return counters.series(
        CALL,
        (
            ("listener", "edge" if listener == EDGE else "mesh"),
            ("route", route),
            ("rule", rule),
            ("service", service),
            ("status_class", f"{status // 100}xx" if status else "none"),
            ("response_flag", flag),
        ),
    )

"""The bytes of one line of the access log, put together from parts that mostly were written before.

Callers, places and outcomes come again and again, so their part of a line is kept as JSON; the rest of a line is
numbers, ids of a checked alphabet, and the path. That costs a third of encoding an object of all fields.
"""

from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from gateway.exchange import EDGE, Exchange

KEPT: Final = 4096  # parts of one kind; beyond it all are forgotten and made again
_Key = TypeVar("_Key")


class LineWriter:
    """Fields: `time` (when the call ended, RFC 3339), `duration_ms first_byte_ms listener peer principal method
    authority path route rule service instance attempts status flag reason bytes_in bytes_out request_id trace_id
    protocol`, and `attempts_detail`, each attempt in order, of a call that took more than one. Durations in
    milliseconds, sizes in bytes; "" where a call never came that far, null for a first byte that never came. path:
    without its query. began_ms of an attempt: after the call's start, which is the line's time less its duration.

    wall_offset: seconds from the worker's clock to 1970's, set anew now and then.
    """

    __slots__ = ("_callers", "_encode", "_outcomes", "_places", "_second", "_second_text", "wall_offset")

    def __init__(self, wall_offset: float) -> None:
        self.wall_offset = wall_offset
        self._encode = msgspec.json.Encoder().encode
        self._callers: dict[tuple[int, str, bytes, bytes, str], bytes] = {}
        self._places: dict[tuple[str, str, str, str], bytes] = {}
        self._outcomes: dict[tuple[int, str, str], bytes] = {}
        self._second = -1
        self._second_text = b""

    def of(self, exchange: Exchange, ended: float) -> bytes:
        """With its LF. ended: seconds of the worker's clock."""
        wall = ended + self.wall_offset
        second = int(wall)
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()

        plan, cluster, endpoint, principal = exchange.plan, exchange.cluster, exchange.endpoint, exchange.principal
        name = principal.name if principal is not None else ""
        by = (exchange.listener, exchange.peer, exchange.method, exchange.authority, name)
        caller = self._callers.get(by) or _keep(self._callers, by, self._caller(*by))
        where = (
            plan.route if plan is not None else "",
            plan.rule if plan is not None else "",
            cluster.name if cluster is not None else "",
            endpoint.id if endpoint is not None else "",
        )
        place = self._places.get(where) or _keep(self._places, where, self._place(*where))
        how = (exchange.status, exchange.flag, exchange.reason)
        outcome = self._outcomes.get(how) or _keep(self._outcomes, how, self._outcome(*how))

        started, first_byte, trace = exchange.started, exchange.first_byte, exchange.traceparent
        return (
            (
                b'{"time":"%b.%03dZ","duration_ms":%.3f,"first_byte_ms":%b,%b"path":%b,%b"attempts":%d,%b'
                b'"bytes_in":%d,"bytes_out":%d,"request_id":"%b","trace_id":"%b","protocol":"HTTP/1.%d"%b}\n'
            )
            % (
                self._second_text,
                (wall - second) * 1000.0,
                (ended - started) * 1000.0,
                b"%.3f" % ((first_byte - started) * 1000.0) if first_byte else b"null",
                caller,
                self._encode(exchange.path.decode("latin-1")),
                place,
                exchange.attempts,
                outcome,
                exchange.bytes_in,
                exchange.bytes_out,
                exchange.request_id,  # this and the trace's are of a checked alphabet, or our own
                trace[3:35] if len(trace) >= 55 else b"",
                exchange.head.minor,
                self._attempts(exchange) if exchange.attempts > 1 else b"",
            )
        )

    def _caller(self, listener: int, peer: str, method: bytes, authority: bytes, principal: str) -> bytes:
        return self._fields(
            listener="edge" if listener == EDGE else "mesh",
            peer=peer,
            principal=principal,
            method=method.decode("latin-1"),
            authority=authority.decode("latin-1"),
        )

    def _place(self, route: str, rule: str, service: str, instance: str) -> bytes:
        return self._fields(route=route, rule=rule, service=service, instance=instance)

    def _outcome(self, status: int, flag: str, reason: str) -> bytes:
        return self._fields(status=status, flag=flag, reason=reason)

    def _fields(self, **fields: str | int) -> bytes:
        return self._encode(fields)[1:-1] + b","

    def _attempts(self, exchange: Exchange) -> bytes:
        begins = (exchange.started, *exchange.retried_at)
        attempts = [
            {"instance": endpoint.id, "began_ms": round((began - exchange.started) * 1000.0, 3)}
            for endpoint, began in zip(exchange.tried, begins, strict=True)
        ]
        return b',"attempts_detail":' + self._encode(attempts)


def _keep(kept: dict[_Key, bytes], key: _Key, part: bytes) -> bytes:
    if len(kept) >= KEPT:
        kept.clear()
    kept[key] = part
    return part

"""The bytes of one line of the access log, put together from parts that mostly were written before.

Callers, and where calls went and how they ended, come again and again, so their parts of a line are kept as JSON; the
rest of a line is numbers, ids of a checked alphabet, and the path. That costs a fourth of encoding an object.
"""

from datetime import UTC, datetime
from typing import Final

import msgspec

from gateway.exchange import Exchange

KEPT: Final = 4096  # callers, and sizes; beyond it all are forgotten and made again
_encode: Final = msgspec.json.Encoder().encode
_SIZES: Final = b'"attempts":%d,"bytes_in":%d,"bytes_out":%d,"request_id":"'
# By a head's minor: what has no head of its own has a number, too.
_NAMES: Final = (b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2", b"HTTP/3", b"TCP", b"UDP")
_PROTOCOLS: Final = tuple(b'","protocol":"%b"' % each for each in _NAMES)
_ENDS: Final = tuple(each + b"}\n" for each in _PROTOCOLS)
_THOUSANDTHS: Final = tuple(b".%03d" % each for each in range(1_000))


class LineWriter:
    """Fields: `time` (when the call ended, RFC 3339), `duration_ms first_byte_ms listener peer principal method
    authority path route rule service instance status flag reason attempts bytes_in bytes_out request_id trace_id
    protocol`, of an answer of our own `policy` (by whose word) and `detail` (why, in words), of gRPC `grpc_status` (its
    number), `authorization` (what the service that was asked of the call tells of it, an object), `cache` (where the
    rule keeps answers: what became of the call there), of a WebSocket whose frames are looked at `close_code` (0: it
    was cut), `messages_in` and `messages_out`, and `attempts_detail`, each attempt in order, of a call that took more
    than one. Durations in
    milliseconds, sizes in bytes; "" where a call never came that far, null for a first byte that never came. path:
    without its query. began_ms of an attempt: after the call's start, which is the line's time less its duration.

    wall_offset: seconds from the worker's clock to 1970's, set anew now and then.
    """

    __slots__ = ("_callers", "_second", "_second_text", "_sizes", "_time", "_time_begins", "_time_ends", "wall_offset")

    def __init__(self, wall_offset: float) -> None:
        self.wall_offset = wall_offset
        self._callers: dict[tuple[str, str, bytes, bytes, str], bytes] = {}
        self._sizes: dict[int, bytes] = {}
        self._second = -1
        self._second_text = self._time = b""
        self._time_begins = self._time_ends = 0.0

    def of(self, exchange: Exchange, ended: float, outcome: bytes) -> bytes:
        """With its LF. ended: seconds of the worker's clock. outcome: `outcome_of` the exchange."""
        if not self._time_begins <= ended < self._time_ends:
            self._turn_to(ended)
        principal = exchange.principal
        name = principal.name if principal is not None else ""
        by = (exchange.listener_name, exchange.peer, exchange.method, exchange.authority, name)
        caller = self._callers.get(by) or self._keep(by)
        started, first_byte = exchange.started, exchange.first_byte
        duration = _ms(ended - started)
        first_byte_ms = duration  # the answer came in one piece
        if first_byte != ended:
            first_byte_ms = _ms(first_byte - started) if first_byte else b"null"
        path, trace = exchange.path, exchange.traceparent
        # A canonical path holds no control, no backslash and nothing above 0x7F.
        if 0x22 in path:  # as a number: bytes are first taken for one, which fails by an exception
            path = path.replace(b'"', b'\\"')
        bytes_in, bytes_out, attempts = exchange.bytes_in, exchange.bytes_out, exchange.attempts
        if attempts == 1 and not bytes_in:
            sizes = self._sizes.get(bytes_out) or self._keep_size(bytes_out)
        else:
            sizes = _SIZES % (attempts, bytes_in, bytes_out)
        return b"".join(  # half the cost of a format
            (
                self._time,
                duration,
                b',"first_byte_ms":',
                first_byte_ms,
                caller,
                path,
                outcome,
                sizes,
                exchange.request_id,  # this and the trace's are of a checked alphabet, or our own
                b'","trace_id":"',
                trace[3:35] if len(trace) >= 55 else b"",
                _end(exchange)
                if attempts > 1 or exchange.reason or exchange.metadata or exchange.grpc_code >= 0
                else _ENDS[exchange.head.minor],
            )
        )

    def _turn_to(self, ended: float) -> None:
        """The text of its millisecond, and from when to when on the worker's clock it holds."""
        ms = int((ended + self.wall_offset) * 1000.0)
        second, rest = divmod(ms, 1000)
        if second != self._second:
            text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
            self._second, self._second_text = second, text
        self._time = b'{"time":"%b.%03dZ","duration_ms":' % (self._second_text, rest)
        self._time_begins = min(ms / 1000.0 - self.wall_offset, ended)
        self._time_ends = self._time_begins + 0.001

    def _keep_size(self, bytes_out: int) -> bytes:
        """Of a call with one attempt and no body."""
        if len(self._sizes) >= KEPT:
            self._sizes.clear()
        self._sizes[bytes_out] = part = _SIZES % (1, 0, bytes_out)
        return part

    def _keep(self, by: tuple[str, str, bytes, bytes, str]) -> bytes:
        listener, peer, method, authority, principal = by
        part = b"," + _fields(
            listener=listener,
            peer=peer,
            principal=principal,
            method=method.decode("latin-1"),
            authority=authority.decode("latin-1"),
        )
        part += b'"path":"'
        if len(self._callers) >= KEPT:
            self._callers.clear()
        self._callers[by] = part
        return part


def _ms(seconds: float) -> bytes:
    """Milliseconds, to the thousandth: a third of what a format of the float costs as machine code."""
    thousandths = int(seconds * 1_000_000.0 + 0.5)
    return b"%d%b" % (thousandths // 1_000, _THOUSANDTHS[thousandths % 1_000])


def outcome_of(exchange: Exchange) -> bytes:
    """The part of a line that says where the call went and how it ended; the same for many calls."""
    plan, cluster, endpoint = exchange.plan, exchange.cluster, exchange.endpoint
    return b'",' + _fields(  # behind the path
        route=plan.route if plan is not None else "",
        rule=plan.rule if plan is not None else "",
        service=cluster.name if cluster is not None else "",
        instance=endpoint.id if endpoint is not None else "",
        status=exchange.status,
        flag=exchange.flag,
        reason=exchange.reason,
    )


def _fields(**fields: str | int) -> bytes:
    return _encode(fields)[1:-1] + b","


def _end(exchange: Exchange) -> bytes:
    return _PROTOCOLS[exchange.head.minor] + _more(exchange) + b"}\n"


def _more(exchange: Exchange) -> bytes:
    more = b""
    if exchange.policy:
        more = b"," + _encode({"policy": exchange.policy, "detail": exchange.detail})[1:-1]
    if exchange.grpc_code >= 0:
        more += b',"grpc_status":%d' % exchange.grpc_code
    more += exchange.metadata
    return more + _attempts(exchange) if exchange.attempts > 1 else more


def _attempts(exchange: Exchange) -> bytes:
    begins = (exchange.started, *exchange.retried_at)
    assert exchange.endpoint is not None
    tried = exchange.tried
    if len(tried) < exchange.attempts:
        tried += (exchange.endpoint,)
    attempts = [
        {"instance": endpoint.id, "began_ms": round((began - exchange.started) * 1000.0, 3)}
        for endpoint, began in zip(tried, begins, strict=True)
    ]
    return b',"attempts_detail":' + _encode(attempts)

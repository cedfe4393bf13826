"""B3 trace headers, as Zipkin's tracers send them, read into what a traceparent says; one line or several.

Source: github.com/openzipkin/b3-propagation. A trace id of 64 bits is filled up with nought.
"""

from collections.abc import Mapping
from string import hexdigits
from typing import Final, NamedTuple

from meshway.http1.alphabet import table

NAMES: Final = (b"b3", b"x-b3-traceid", b"x-b3-spanid", b"x-b3-sampled", b"x-b3-flags")
_HEX: Final = table(hexdigits.encode())
_SAMPLED: Final = frozenset({b"1", b"d", b"true"})


class B3(NamedTuple):
    """trace_id, span_id: 32 and 16 small hexadecimal digits. is_sampled: None: the caller leaves that to us."""

    trace_id: bytes
    span_id: bytes
    is_sampled: bool | None


def b3_trace(named: Mapping[bytes, bytes]) -> B3 | None:
    """named: fields by their small name. None: there is no trace in them that is well formed."""
    one = named.get(b"b3")
    if one is not None:
        trace_id, _, rest = one.partition(b"-")
        span_id, _, rest = rest.partition(b"-")
        sampled = rest.partition(b"-")[0]
    else:
        trace_id, span_id = named.get(b"x-b3-traceid", b""), named.get(b"x-b3-spanid", b"")
        sampled = b"d" if named.get(b"x-b3-flags") == b"1" else named.get(b"x-b3-sampled", b"").lower()
    if len(trace_id) not in (16, 32) or len(span_id) != 16:
        return None
    if not (trace_id + span_id).translate(_HEX).isdigit():
        return None
    trace_id, span_id = trace_id.lower().rjust(32, b"0"), span_id.lower()
    if not trace_id.strip(b"0") or not span_id.strip(b"0"):
        return None
    return B3(trace_id, span_id, sampled in _SAMPLED if sampled else None)

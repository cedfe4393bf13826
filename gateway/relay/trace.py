"""Request id and trace context of a call: passed on when they are well formed, begun otherwise.

Sources: W3C Trace Context §3.2 (a new parent id for every hop, unknown versions read as 00). A call that brings
neither gets one random number for both, so that the request id finds the trace.
"""

from random import getrandbits
from string import ascii_letters, digits
from typing import Final

from gateway.exchange import Exchange
from meshway.http1.alphabet import table

_ID: Final = table((ascii_letters + digits + "._-").encode())
_SHAPE: Final = bytes(0x30 if code in b"0123456789abcdef" else 0x2D if code == 0x2D else 0x78 for code in range(256))
_WELL_SHAPED: Final = b"00-%b-%b-00" % (b"0" * 32, b"0" * 16)
_NO_TRACE: Final = b"0" * 32
_NO_PARENT: Final = b"0" * 16
# One in a hundred begun traces asks to be recorded: parent-based samplers down the line follow this flag.
_SAMPLED_OF_65536: Final = 655


def begin_trace(exchange: Exchange) -> None:
    """Sets request_id and traceparent of the exchange from what its head brought."""
    head = exchange.head
    request_id, incoming = head.request_id, head.traceparent
    begun = b""
    brought = _trace_of(incoming) if incoming else None
    if brought is not None:
        trace_id, flags = brought
        exchange.traceparent = b"00-%b-%016x-%b" % (trace_id, getrandbits(64) or 1, flags)
    else:
        bits = getrandbits(208)
        begun = exchange.traceparent = b"00-%032x-%016x-%b" % (
            (bits & 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF) or 1,
            (bits >> 128 & 0xFFFFFFFFFFFFFFFF) or 1,
            b"01" if bits >> 192 < _SAMPLED_OF_65536 else b"00",
        )
    if 8 <= len(request_id) <= 128 and request_id.translate(_ID).isdigit():
        exchange.request_id = request_id
    else:
        exchange.request_id = begun[3:35] or b"%032x" % getrandbits(128)


def _trace_of(value: bytes) -> tuple[bytes, bytes] | None:
    """Trace id and flags of a traceparent that is well formed."""
    if len(value) != 55:
        # A higher version may be longer, and then goes on after a dash.
        if len(value) < 55 or value[55:56] != b"-" or value[:2] == b"00":
            return None
        value = value[:55]
    if value.translate(_SHAPE) != _WELL_SHAPED or value >= b"ff":
        return None
    _, trace_id, parent_id, flags = value.split(b"-")
    return None if trace_id == _NO_TRACE or parent_id == _NO_PARENT else (trace_id, flags)

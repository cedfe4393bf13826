"""Request id and trace context of a call: passed on when they are well formed, begun otherwise; whether it is sampled.

Sources: W3C Trace Context §3.2 (a new parent id for every hop, unknown versions read as 00). A call that brings
neither gets one random number for both, so that the request id finds the trace. B3 is read where there is no
traceparent. The sampled flag of callers outside is not taken over: they could have all calls recorded; it is drawn from
the trace id, so that all gateways draw alike.
"""

from binascii import hexlify
from random import getrandbits
from string import ascii_letters, digits
from typing import Final

from gateway.exchange import EDGE, Exchange
from meshway.http1.alphabet import table
from meshway.http1.b3 import b3_trace

_ID: Final = table((ascii_letters + digits + "._-").encode())
_SHAPE: Final = bytes(0x30 if code in b"0123456789abcdef" else 0x2D if code == 0x2D else 0x78 for code in range(256))
_WELL_SHAPED: Final = b"00-%b-%b-00" % (b"0" * 32, b"0" * 16)
_NO_TRACE: Final = b"0" * 32
_NO_PARENT: Final = b"0" * 16
_NONE_IS_ZERO: Final = 1 << 191 | 1 << 63  # of a trace id and a parent id behind it
# One in a hundred begun traces asks to be recorded: parent-based samplers down the line follow this flag.
_SAMPLED_BELOW: Final = b"%04x" % 655  # of 65,536; a text of as many digits sorts as its number does


def begin_trace(exchange: Exchange) -> None:
    """Sets request_id and traceparent of the exchange from what its head brought."""
    head = exchange.head
    request_id, incoming, named = head.request_id, head.traceparent, head.named
    brought = None
    if incoming:
        brought = _trace_of(incoming)
    elif named and (b"b3" in named or b"x-b3-traceid" in named):
        brought = brought_trace(exchange)
    if brought is None:
        drawn = hexlify(
            (getrandbits(192) | _NONE_IS_ZERO).to_bytes(24, "big")
        )  # at once: one by one costs twice as much
        trace_id, parent_id, flags = drawn[:32], drawn[32:], b""
    else:
        trace_id, flags = brought
        parent_id = hexlify((getrandbits(64) or 1).to_bytes(8, "big"))
        if exchange.listener == EDGE and (b"x-forwarded-for" not in named or not _is_by_proxy(exchange)):
            flags = b""
    if not flags:
        # Most are drawn by one digit (0x30: "0"): taking four apart costs thrice as much.
        flags = b"01" if trace_id[28] == 0x30 and trace_id[28:] < _SAMPLED_BELOW else b"00"
    elif flags != b"00":
        flags = b"01" if int(flags, 16) & 1 else b"00"
    # A format of texts alone is put together in one step where it is machine code; one of numbers is not.
    exchange.traceparent = b"00-%b-%b-%b" % (trace_id, parent_id, flags)
    if 8 <= len(request_id) <= 128 and request_id.translate(_ID).isdigit():
        exchange.request_id = request_id
    else:
        exchange.request_id = trace_id if brought is None else _drawn_trace_id()


def sample_anew(exchange: Exchange, head: int, trusts: str) -> None:
    """As a document wants it. head: share of 65,536 that is sampled where nobody's word is taken. trusts: whose is:
    `mesh` inside and of trusted proxies, `all`, `none`."""
    is_trusted = trusts == "all" or (trusts == "mesh" and (exchange.listener != EDGE or _is_by_proxy(exchange)))
    brought = brought_trace(exchange) if is_trusted else None  # an outsider's is not read again
    if brought is not None and brought[1]:
        is_sampled = bool(int(brought[1], 16) & 1)
    else:
        is_sampled = is_drawn(exchange.traceparent[3:35], head)
    exchange.traceparent = exchange.traceparent[:53] + (b"01" if is_sampled else b"00")


def brought_trace(exchange: Exchange) -> tuple[bytes, bytes] | None:
    """The caller's trace id, and his flags; b"": he leaves it to us whether it is sampled."""
    head = exchange.head
    if head.traceparent:
        return _trace_of(head.traceparent)
    brought = b3_trace(head.named)
    if brought is None:
        return None
    return brought.trace_id, {None: b"", True: b"01", False: b"00"}[brought.is_sampled]


def _drawn_trace_id() -> bytes:
    return hexlify((getrandbits(128) or 1).to_bytes(16, "big"))


def is_drawn(trace_id: bytes, share: int) -> bool:
    """share: of 65,536."""
    return int(trace_id[28:], 16) < share


def _is_by_proxy(exchange: Exchange) -> bool:
    """Whether a trusted proxy has passed it on: of nobody else a chain of callers is taken over."""
    _, found, rest = exchange.forwarded.partition(b"X-Forwarded-For: ")
    return bool(found) and b"," in rest.partition(b"\r\n")[0]


def _trace_of(value: bytes) -> tuple[bytes, bytes] | None:
    """Trace id and flags of a traceparent that is well formed."""
    if len(value) != 55:
        # A higher version may be longer, and then goes on after a dash.
        if len(value) < 55 or value[55:56] != b"-" or value[:2] == b"00":
            return None
        value = value[:55]
    if value.translate(_SHAPE) != _WELL_SHAPED or value.startswith(b"ff"):
        return None
    trace_id = value[3:35]
    return None if trace_id == _NO_TRACE or value[36:52] == _NO_PARENT else (trace_id, value[53:])

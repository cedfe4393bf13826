"""Whether a copy was answered as its call was: both answers are held against each other once both are there.

What a rule does not ask for is not looked at; of bodies at most MAX_BODY is kept, and only for fields of JSON.
"""

import math
import zlib
from typing import Any, Final

import msgspec

from gateway.exchange import Exchange, Reply
from gateway.plan import ComparePlan
from gateway.relay.passing import PassingDownstream
from gateway.wire.interfaces import Downstream
from meshway.http1.fields import find_all
from meshway.http1.message import ResponseHead

MAX_BODY: Final = 64 * 1024
MAX_INFLATED: Final = 1 << 20  # of a body that came as gzip
_ABSENT: Final = object()
_decode: Final = msgspec.json.Decoder().decode


class Answer:
    """One side's, as far as it is asked for. at: when its head came, monotonic seconds. is_cut: nobody may judge it."""

    __slots__ = ("_is_gzip", "_keeps", "_pieces", "_size", "at", "is_cut", "status")

    def __init__(self, *, keeps: bool) -> None:
        """keeps: the body, too."""
        self._keeps = keeps
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_gzip = False
        self.status = 0
        self.at = 0.0
        self.is_cut = False

    def begin(self, status: int, head: ResponseHead | None, at: float) -> None:
        self.status, self.at = status, at
        if self._keeps and head is not None:
            encodings = [value.strip().lower() for value in find_all(head.block, b"content-encoding")]
            self._is_gzip = encodings in ([b"gzip"], [b"x-gzip"])
            self.is_cut = not self._is_gzip and encodings not in ([], [b"identity"])

    def feed(self, data: bytes) -> None:
        if self._keeps and data:
            self._size += len(data)
            if self._size > MAX_BODY:
                self._pieces.clear()
                self.is_cut = True
            else:
                self._pieces.append(data)

    def json(self) -> Any:
        """Raises ValueError for what is none, or none that can be read here."""
        if self.is_cut:
            raise ValueError("its body was not kept")
        body = b"".join(self._pieces)
        if self._is_gzip:
            inflating = zlib.decompressobj(wbits=31)
            try:
                body = inflating.decompress(body, MAX_INFLATED)
            except zlib.error as error:
                raise ValueError("its body is no gzip") from error
            if not inflating.eof:
                raise ValueError("its body is too long")
        return _decode(body)


class Comparison:
    """Of one call and one copy. since: when the copy was sent: both are measured from there."""

    __slots__ = ("_plan", "call", "copy", "is_call_over", "is_copy_over", "since")

    def __init__(self, plan: ComparePlan, since: float) -> None:
        self._plan = plan
        self.since = since
        self.call, self.copy = Answer(keeps=bool(plan.fields)), Answer(keeps=bool(plan.fields))
        self.is_call_over = self.is_copy_over = False

    def call_ended(self) -> None:
        if not self.is_call_over:
            self.is_call_over = True
            self._judge()

    def copy_ended(self) -> None:
        """Whole, or never to be."""
        self.is_copy_over = True
        self._judge()

    def _judge(self) -> None:
        if not (self.is_call_over and self.is_copy_over):
            return
        plan, call, copy = self._plan, self.call, self.copy
        if not call.status or not copy.status:
            plan.count("unanswered")
            return
        differs = False
        if plan.status and call.status != copy.status:
            differs = True
            plan.count("status")
        if plan.slower_s != math.inf and copy.at - self.since > max(call.at - self.since, 0.0) + plan.slower_s:
            differs = True
            plan.count("latency")
        if plan.fields and not (differs and call.status != copy.status):
            verdict = self._fields_verdict()
            if verdict:
                differs = True
                plan.count(verdict)
        if not differs:
            plan.count("same")

    def _fields_verdict(self) -> str:
        """ "" where they agree. Nothing that a service answers may be raised here: the call's answer waits behind."""
        try:
            call, copy = self.call.json(), self.copy.json()
            agree = all(_at(call, path) == _at(copy, path) for path in self._plan.fields)
        except (ValueError, RecursionError):  # msgspec's among them, and what is nested too deep
            return "incomparable"
        return "" if agree else "json_fields"


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if isinstance(value, dict):
            value = value.get(name, _ABSENT)
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return _ABSENT
    return value


class ComparedDownstream(PassingDownstream):
    """Tells a comparison what the caller gets."""

    __slots__ = ("_comparison",)

    def __init__(self, downstream: Downstream, comparison: Comparison) -> None:
        super().__init__(downstream)
        self._comparison = comparison

    def send_head(self, exchange: Exchange, head: ResponseHead, first: bytes, ended: bool, trailers: bytes) -> None:
        call = self._comparison.call
        call.begin(head.status, head, exchange.first_byte)
        call.feed(first)
        if ended:
            self._comparison.call_ended()
        self._next.send_head(exchange, head, first, ended, trailers)

    def send_body(self, data: bytes) -> None:
        self._comparison.call.feed(data)
        self._next.send_body(data)

    def send_end(self, trailers: bytes) -> None:
        self._comparison.call_ended()
        self._next.send_end(trailers)

    def send_reply(self, exchange: Exchange, reply: Reply) -> None:
        """The service did not answer, or was not asked."""
        self._comparison.call_ended()
        self._next.send_reply(exchange, reply)

    def abort(self) -> None:
        self._comparison.call.status = 0
        self._comparison.call_ended()
        self._next.abort()

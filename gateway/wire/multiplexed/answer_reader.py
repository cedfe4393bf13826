"""Reads the heads of a service's answers, and what stands behind them, as a connection of many calls tells them: the
same fields again are the same head, without a look at what they say."""

from gateway.wire.multiplexed.fields import answer_text, answer_trailers
from gateway.wire.multiplexed.messages import Fields
from meshway.http1.block_memo import MAX_REMEMBERED
from meshway.http1.field_lines import FieldLines
from meshway.http1.head import HeadLimits, ResponseReader
from meshway.http1.message import ResponseHead


class AnswerReader:
    """Of one connection. lines: as of a ResponseReader."""

    __slots__ = ("_ended", "_fields", "_head", "_method", "_reader", "_trailers", "_trailing")

    def __init__(self, limits: HeadLimits, lines: FieldLines) -> None:
        self._reader = ResponseReader(limits, lines=lines)
        self._fields: Fields = ()
        self._method = b""
        self._ended = False
        self._head: ResponseHead | None = None  # of these fields
        self._trailers: Fields = ()
        self._trailing = b""  # the block of those

    def read(self, fields: Fields, method: bytes, *, ended: bool) -> ResponseHead:
        """As `answer_text` and ResponseReader.read. Raises HeadError."""
        known = self._head
        if known is not None and fields == self._fields and method == self._method and ended == self._ended:
            return known
        head = self.read_text(answer_text(fields, method, ended=ended), method)
        if head.head_size <= MAX_REMEMBERED:
            self._head, self._fields, self._method, self._ended = head, fields, method, ended
        return head

    def read_trailers(self, fields: Fields) -> bytes:
        """As `answer_trailers`: most calls of gRPC end alike. Raises HeadError."""
        if fields == self._trailers:
            return self._trailing
        block = answer_trailers(fields)
        if len(block) <= MAX_REMEMBERED:
            self._trailers, self._trailing = fields, block
        return block

    def read_text(self, text: bytes, method: bytes) -> ResponseHead:
        """text: of a whole head. Raises HeadError."""
        head = self._reader.read(text, 0, method)
        assert head is not None
        return head

"""Reads the heads of a caller's requests, as a connection of many calls tells them: the same fields again are the same
head, without a look at what they say."""

from gateway.wire.multiplexed.fields import request_text
from gateway.wire.multiplexed.messages import Fields
from meshway.http1.block_memo import MAX_REMEMBERED
from meshway.http1.field_lines import FieldLines
from meshway.http1.head import HeadLimits, RequestReader
from meshway.http1.message import RequestHead


class FieldsReader:
    """Of one connection. minor: of its heads. lines: as of a RequestReader."""

    __slots__ = ("_fields", "_head", "_is_bare", "_minor", "_reader")

    def __init__(self, minor: int, limits: HeadLimits, lines: FieldLines) -> None:
        self._reader = RequestReader(limits, lines=lines)
        self._minor = minor
        self._head: RequestHead | None = None  # the last one, of these fields
        self._fields: Fields = ()
        self._is_bare = False

    def read(self, fields: Fields, *, is_bare: bool) -> RequestHead:
        """As `request_text` and RequestReader.read. is_bare: there is no body. Raises HeadError."""
        known = self._head
        if known is not None and fields == self._fields and is_bare == self._is_bare:
            return known
        head = self._reader.read(request_text(fields, ended=is_bare))
        assert head is not None  # it is whole
        head.minor = self._minor  # this reader's heads are of this connection alone
        if head.head_size <= MAX_REMEMBERED and not head.upgrade:  # of which each has a key of its own
            self._head, self._fields, self._is_bare = head, fields, is_bare
        return head

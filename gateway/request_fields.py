"""What is asked of a request beside its path, taken apart once a call however many rules ask.

A connection mostly sends the same block of fields again, as the same object (`meshway/http1/block_memo.py`): then it is
not taken apart at all.
"""

from gateway.exchange import Exchange
from meshway.http1.cookies import cookie_values
from meshway.http1.query import first_values


class RequestFields:
    """One a worker. The dicts are shared: read only."""

    __slots__ = ("_block", "_cookies", "_headers", "_query", "_values")

    def __init__(self) -> None:
        self._block = b""
        self._headers: dict[bytes, bytes] = {}
        self._cookies: dict[bytes, bytes] | None = None
        self._query = b""
        self._values: dict[bytes, bytes] = {}

    def headers(self, exchange: Exchange) -> dict[bytes, bytes]:
        """By lower-case name. `host` is the name that was matched: lower-case, without port."""
        block = exchange.block
        if block is not self._block:
            self._block, self._headers, self._cookies = block, block_values(block), None
        # Not of the block, so that two hosts may share it.
        self._headers[b"host"] = exchange.host
        return self._headers

    def cookies(self, exchange: Exchange) -> dict[bytes, bytes]:
        self.headers(exchange)  # of another block there are no cookies any more
        if self._cookies is None:
            self._cookies = cookie_values(exchange.block)
        return self._cookies

    def query(self, exchange: Exchange) -> dict[bytes, bytes]:
        query = exchange.query
        if query is not self._query:
            self._query, self._values = query, first_values(query)
        return self._values


def block_values(block: bytes) -> dict[bytes, bytes]:
    """Lower-case names of a block of fields and their values, comma-joined when repeated (RFC 9110 §5.3).

    Cookies that came in several fields, as HTTP/2 allows, are joined by a semicolon (RFC 9113 §8.2.3).
    """
    values: dict[bytes, bytes] = {}
    for line in block.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name:
            name, value = name.lower(), value.strip(b" \t")
            if name in values:
                value = values[name] + (b"; " if name == b"cookie" else b", ") + value
            values[name] = value
    return values

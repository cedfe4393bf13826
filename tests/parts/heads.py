"""Request heads as the registry's reader gives them."""

from meshway.http1.head import HeadLimits, RequestReader
from meshway.http1.message import RequestHead


def head_of(*lines: str, start: str = "GET / HTTP/1.1") -> RequestHead:
    head = RequestReader(HeadLimits(), strip=False).read(("\r\n".join((start, *lines)) + "\r\n\r\n").encode())
    assert head is not None
    return head

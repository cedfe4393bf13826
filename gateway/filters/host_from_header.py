"""A host that the caller names in a header, for rewrite and redirect; what is no host is as if it were not there."""

from collections.abc import Callable

from gateway.exchange import Exchange
from meshway.http1.authority import parse_authority
from meshway.http1.fields import find


def compile_host(header: str) -> Callable[[Exchange], bytes]:
    """header: its name in any case. The function gives the host with its port, b"" where there is none."""
    name = header.lower().encode()

    def host_of(exchange: Exchange) -> bytes:
        value = find(exchange.block, name)
        if value is None:
            return b""
        try:
            parse_authority(value)
        except ValueError:
            return b""
        return value

    return host_of

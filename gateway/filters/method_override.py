"""Passes on by which method the caller wants to be understood, where a Route says so; elsewhere the edge keeps it.

A service that believes these fields does what no rule about methods saw: nothing here reads them.
"""

from gateway.exchange import Exchange
from meshway.http1.field_lines import METHOD_OVERRIDES


def pass_on(exchange: Exchange) -> None:
    """A `RequestFilter`."""
    named = exchange.head.named
    for name in METHOD_OVERRIDES:
        if name in named:
            exchange.block += b"%b: %b\r\n" % (name, named[name])

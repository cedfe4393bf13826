"""Takes out what a caller wrote into fields by which Authentications elsewhere tell services who calls.

A service that trusts such a field trusts it on every way to it, also on one that asks nobody who he is.
"""

from typing import Final

from gateway.exchange import Exchange
from gateway.plan import RequestFilter
from meshway.http1.fields import dashed, remove_alike

_MOST: Final = 256  # blocks of connections that repeat themselves
_LONGEST: Final = 4096  # bytes


def compile_filter(names: frozenset[bytes]) -> RequestFilter:
    """names: lower-case."""
    alike = dashed(names)
    seen: dict[bytes, bytes] = {}

    def take_out(exchange: Exchange) -> None:
        block = exchange.block
        without = seen.get(block)
        if without is None:
            without = remove_alike(block, alike)
            if len(block) <= _LONGEST:
                if len(seen) >= _MOST:
                    seen.clear()
                seen[block] = without
        exchange.block = without

    return take_out

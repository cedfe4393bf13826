"""Breakers set by hand: what gateways are asked, and what each tells."""

from typing import Final

import msgspec

BREAKER_RESET: Final = "breaker_reset"  # the kind of the feed's question; its body: {"service": "shop/reviews"}


class BreakersReset(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """closed: clusters whose breaker was open there. error: why that gateway did nothing."""

    gateway: str = ""
    closed: list[str] = []
    error: str = ""

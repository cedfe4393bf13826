"""Answers that gateways are to forget: what they are asked, and what each tells."""

from typing import Final

import msgspec

PURGE: Final = "purge"  # the kind of the feed's question; its body: a Purge


class Purge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """route: `namespace/name`. rule, host: "" = all. path: where the paths begin, by whole segments."""

    route: str
    rule: str = ""
    host: str = ""
    path: str = ""


class Purged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """answers: how many are gone there. error: why that gateway did nothing."""

    gateway: str = ""
    answers: int = 0
    error: str = ""

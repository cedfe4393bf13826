"""What must hold inside a Consumer."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from meshway.model.consumer import Consumer, ConsumerCredential, ConsumerKey
from meshway.model.instant import parse_instant
from meshway.model.rule_kit import BlockRule, Finding, one_of, unique


def _expiry(part: Any) -> Iterator[Finding]:
    if part.expires is None:
        return
    try:
        parse_instant(part.expires)
    except ValueError as error:
        yield Finding(".expires", "out_of_bounds", str(error))


def _once(part: Any) -> Iterator[Finding]:
    ids = [None if one.api_key is None else one.api_key.id for one in part.credentials]
    yield from unique(ids, lambda at: f".credentials[{at}].api_key.id", "key")
    yield from unique(part.groups, lambda at: f".groups[{at}]", "group")


CONSUMER_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    ConsumerKey: (BlockRule(("expires",), _expiry),),
    ConsumerCredential: (one_of("api_key", "jwt", "basic"),),
    Consumer: (BlockRule(("credentials", "groups"), _once),),
}

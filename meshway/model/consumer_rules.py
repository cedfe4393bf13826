"""What must hold inside a Consumer."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from meshway.model.consumer import Consumer, ConsumerCredential, ConsumerKey
from meshway.model.instant import parse_instant
from meshway.model.rule_kit import BlockRule, Finding, one_of, unique


def _moments(part: Any) -> Iterator[Finding]:
    for name in ("expires", "created"):
        moment = getattr(part, name)
        if moment is None:
            continue
        try:
            parse_instant(moment)
        except ValueError as error:
            yield Finding(f".{name}", "out_of_bounds", str(error))


def _once(part: Any) -> Iterator[Finding]:
    ids = [None if one.api_key is None else one.api_key.id for one in part.credentials]
    yield from unique(ids, lambda at: f".credentials[{at}].api_key.id", "key")
    yield from unique(part.groups, lambda at: f".groups[{at}]", "group")


CONSUMER_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    ConsumerKey: (BlockRule(("expires", "created"), _moments),),
    ConsumerCredential: (one_of("api_key", "jwt", "basic"),),
    Consumer: (BlockRule(("credentials", "groups"), _once),),
}

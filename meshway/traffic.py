"""The recorded calls of a Route, counted: asked of gateways, told by them, the registry and the command."""

from collections.abc import Iterable
from typing import Final

import msgspec

TRAFFIC: Final = "traffic"  # the kind of the feed's question; its body: {"route": "shop/cart", "last_s": 3600.0}


class RuleTraffic(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """calls: for how many the recorded ones stand. failed: of these, 500 and above; refused: other answers of the
    gateway's own, 400 and above. to: by the service that was called."""

    calls: int = 0
    failed: int = 0
    refused: int = 0
    to: dict[str, int] = {}

    def with_call(self, calls: int, status: int, reason: str, service: str) -> "RuleTraffic":
        is_failed = status >= 500
        return RuleTraffic(
            calls=self.calls + calls,
            failed=self.failed + calls * is_failed,
            refused=self.refused + calls * bool(not is_failed and status >= 400 and reason),
            to=self.to | ({service: self.to.get(service, 0) + calls} if service else {}),
        )


class Traffic(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """rules: by name, those that had calls. error: why a gateway tells nothing."""

    gateways: list[str] = []
    rules: dict[str, RuleTraffic] = {}
    error: str = ""


def summed(told: Iterable[Traffic]) -> Traffic:
    """Of several gateways; those that tell nothing are left out, unless none does."""
    told = list(told)
    heard = [one for one in told if not one.error]
    if told and not heard:
        return told[0]
    rules: dict[str, RuleTraffic] = {}
    for one in heard:
        for name, rule in one.rules.items():
            known = rules.get(name, RuleTraffic())
            rules[name] = RuleTraffic(
                calls=known.calls + rule.calls,
                failed=known.failed + rule.failed,
                refused=known.refused + rule.refused,
                to={to: known.to.get(to, 0) + rule.to.get(to, 0) for to in dict.fromkeys((*known.to, *rule.to))},
            )
    return Traffic(gateways=sorted(name for one in heard for name in one.gateways), rules=rules)

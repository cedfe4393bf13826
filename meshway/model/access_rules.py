"""What must hold inside an AccessPolicy and an IpList."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from meshway.model.access_policy import AccessCaller, AccessCondition, AccessOperation, AccessPolicy, AccessRule
from meshway.model.instant import parse_instant
from meshway.model.ip_list import IpEntry
from meshway.model.match_rules import COOKIELESS_MATCH_RULES, network_fault, networks
from meshway.model.policy_rules import PORTLESS_TARGETS
from meshway.model.rule_kit import BlockRule, Finding, unique


def _says_something(part: Any) -> Iterator[Finding]:
    if part.default == "inherit" and not part.rules and part.external is None:
        yield Finding("", "missing_field", "says nothing: write a default (allow or deny), rules or external")
    yield from unique((rule.name for rule in part.rules), lambda at: f".rules[{at}].name", "rule")


def _asks_something(*names: str) -> BlockRule:
    def check(part: Any) -> Iterator[Finding]:
        if not any(getattr(part, name) for name in names):
            yield Finding("", "missing_field", f"needs at least one of {', '.join(names)}; leave it out for everything")

    return BlockRule(names, check, whole=True)


def _via(part: Any) -> Iterator[Finding]:
    if part.via is not None and part.namespace is None:
        yield Finding(".via", "forbidden_combination", "needs namespace beside it")
    elif part.via == "route" and part.service is not None:
        yield Finding(".via", "forbidden_combination", "a Route is no service: take one of them out")


def _nobody(part: Any) -> Iterator[Finding]:
    for name in ("principal", "consumer", "consumer_group", "service"):
        if part.anonymous and getattr(part, name) is not None:
            reason = f"who is anonymous has no {name}; write two callers"
            yield Finding(".anonymous", "forbidden_combination", reason)


def _denies_by_proof(part: Any) -> Iterator[Finding]:
    """What a caller cannot prove lets nobody in; but it would keep nobody out, either."""
    if part.action != "deny":
        return
    for at, caller in enumerate(part.from_):
        if caller.service is not None:
            reason = "no service has to show who it is, so this would not keep it out: allow the others instead"
            yield Finding(f".from[{at}].service", "forbidden_combination", reason)
        elif caller.namespace is not None and caller.via != "route":
            reason = "no service has to show its namespace, so this would not keep it out: write via: route"
            yield Finding(f".from[{at}].namespace", "forbidden_combination", reason)


def _entry(part: Any) -> Iterator[Finding]:
    if (fault := network_fault(part.cidr)) is not None:
        yield Finding(".cidr", "out_of_bounds", fault)


def _until(part: Any) -> Iterator[Finding]:
    if part.until is None:
        return
    try:
        parse_instant(part.until)
    except ValueError as error:
        yield Finding(".until", "out_of_bounds", str(error))


ACCESS_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    AccessPolicy: (PORTLESS_TARGETS, BlockRule(("default", "rules", "external"), _says_something, whole=True)),
    AccessRule: (BlockRule(("action", "from_"), _denies_by_proof),),
    AccessCaller: (
        _asks_something(
            "namespace",
            "service",
            "cidr",
            "ip_list",
            "not_cidr",
            "not_ip_list",
            "principal",
            "consumer",
            "consumer_group",
            "anonymous",
        ),
        BlockRule(("principal", "consumer", "consumer_group", "service", "anonymous"), _nobody),
        BlockRule(("namespace", "service", "via"), _via),
        networks("cidr"),
        networks("not_cidr"),
    ),
    AccessCondition: (_asks_something("claims"),),
    AccessOperation: (_asks_something("path", "methods", "headers", "query"), *COOKIELESS_MATCH_RULES),
    IpEntry: (BlockRule(("cidr",), _entry), BlockRule(("until",), _until)),
}

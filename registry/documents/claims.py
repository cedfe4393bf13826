"""What only one document of the mesh may say: two that claim the same are a `conflict`.

A Route claims each of its matches on each host; a TrafficPolicy each block for each target; a Service its aliases.
RateLimits claim nothing: all that apply must admit a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from meshway.model.fields import plain
from meshway.model.match import Match
from meshway.model.route import Route
from meshway.model.service import Service
from meshway.model.traffic_policy import TrafficPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshway.model.document import Spec, Target
    from registry.view.rows import Claim

_BLOCKS: Final = tuple(name for name in TrafficPolicy.__struct_fields__ if name != "targets")


def claims(spec: Spec, namespace: str) -> frozenset[Claim]:
    """namespace: the document's."""
    match spec:
        case Route():
            return frozenset(_of_route(spec, namespace))
        case TrafficPolicy():
            return frozenset(_of_policy(spec, namespace))
        case Service():
            return frozenset(("alias", alias) for alias in spec.aliases)
    return frozenset()


def claim_text(claim: Claim) -> str:
    """The claim in words, for the message of a conflict."""
    kind, *parts = claim
    if kind == "alias":
        return f'the alias "{parts[0]}"'
    if kind == "block":
        return f"{parts[1]} of {parts[0]}"
    listener, host, priority, match = parts
    return f"{match} on host {host} of the {listener} listener at priority {priority}"


def match_text(match: Match) -> str:
    """A match in a form that is equal for equal matches: order of methods and case of header names do not count."""
    normal = msgspec.structs.replace(
        match,
        methods=tuple(sorted(set(match.methods))),
        headers={name.lower(): match.headers[name] for name in sorted(match.headers, key=str.lower)},
    )
    return msgspec.json.encode(plain(normal)).decode()


def route_hosts(spec: Route, namespace: str) -> Iterator[tuple[str, str]]:
    """(listener, host) pairs; mesh hosts as `service.namespace`, however they were written; an alias as it is."""
    for listener in spec.listeners:
        for host in spec.hosts or ("*",):
            if listener == "mesh":
                host = host.removesuffix(".mesh")
                host = host if "." in host else f"{host}.{namespace}"
            yield listener, host


def _of_route(spec: Route, namespace: str) -> Iterator[Claim]:
    matches = {match_text(match) for rule in spec.rules for match in rule.match or (Match(),)}
    for listener, host in route_hosts(spec, namespace):
        for match in matches:
            yield ("match", listener, host, str(spec.priority), match)


def _of_policy(spec: TrafficPolicy, namespace: str) -> Iterator[Claim]:
    targets = [_target_text(target, namespace) for target in spec.targets] or [f"namespace {namespace}"]
    for block in _BLOCKS:
        if getattr(spec, block) is not None:
            for target in targets:
                yield ("block", target, block)


def _target_text(target: Target, namespace: str) -> str:
    if target.mesh:
        return "the mesh"
    if target.namespace is not None:
        return f"namespace {target.namespace}"
    if target.service is not None:
        subset = f" subset {target.subset}" if target.subset else ""
        return f"service {namespace}/{target.service}{subset}"
    rule = f" rule {target.rule}" if target.rule else ""
    return f"route {namespace}/{target.route}{rule}"

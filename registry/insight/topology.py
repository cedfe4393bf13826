"""Who calls whom: nodes and edges of a span, of all services, of one namespace, or around one service. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from meshway.model.listener import EDGE
from meshway.telemetry import Row, Rows, summed
from registry.insight.branching import Branching
from registry.insight.figures import Figures, figures_of
from registry.insight.health import Cause, Health, Instances, Signs, judged, worst
from registry.insight.protocols import Protocol, with_http3
from registry.insight.sight import HIDDEN, OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Set

    from registry.insight.services import ServiceSignals

Level = Literal["namespaces", "services", "focus"]
NodeKind = Literal["service", "namespace", "caller", "hidden"]
MOST_EDGES: Final = 5_000


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """id: a service's `namespace/name`, a namespace's name, `edge`, `anonymous`, `hidden`. figures: of the calls that
    come in. services: of a namespace, by health. breakers: gateways that keep calls away. branchings: where Routes part
    its calls, as documents say now. versions: which share of its calls each has answered, where that was asked for.
    open_now: connections, sessions and streams that have not ended, where such are spoken: figures know none yet."""

    id: str
    kind: NodeKind
    health: Health
    figures: Figures
    reasons: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    instances: Instances | None = None
    services: dict[str, int] | None = None
    breakers: int = 0
    branchings: tuple[Branching, ...] = ()
    versions: dict[str, float] | None = None
    open_now: int = 0


class Edge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of calls that `source` makes at `target`, both ids of nodes. health, reasons, causes: of these calls alone. Of
    them: limited: refused by a RateLimit; shed: by a breaker or a bulkhead; mutual: of callers that showed a
    certificate. protocols: what is spoken to the service by these callers, as documents say now; none: plain HTTP."""

    source: str
    target: str
    figures: Figures
    health: Health
    reasons: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    limited: int = 0
    shed: int = 0
    mutual: int = 0
    protocols: tuple[Protocol, ...] = ()


class Topology(msgspec.Struct, frozen=True, kw_only=True):
    """first, end: of the span, seconds since 1970. shape: the same as long as nodes and edges are. totals: of all
    edges. left_out: edges that are not told, the least busy."""

    first: float
    end: float
    shape: str
    nodes: list[Node]
    edges: list[Edge]
    totals: Figures
    left_out: int = 0


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """namespace: of services, None: of all. service, hops: what to look around, and how far. min_rps: of edges.
    versions: whether to tell which answered."""

    level: Level = "services"
    namespace: str | None = None
    service: str = ""
    hops: int = 1
    min_rps: float = 0.0
    versions: bool = False


class Also(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of services beside their figures, by `namespace/name`. answered: calls by (service, version).
    usual_p95_s: of this hour on the days before, where that is known. by_http3: services that callers outside
    may ask by it."""

    branchings: Mapping[str, tuple[Branching, ...]] = {}
    answered: Rows = {}
    usual_p95_s: Mapping[str, float] = {}
    protocols: Mapping[str, tuple[Protocol, ...]] = {}
    by_http3: Set[str] = frozenset()
    open_now: Mapping[str, int] = {}


NOTHING: Final = Also()


def topology_of(
    edges: Rows,
    services: Mapping[str, ServiceSignals],
    asked: Asked,
    also: Also = NOTHING,
    *,
    first: float,
    end: float,
    span_s: float,
) -> Topology:
    """edges: by source and service, hidden names hidden. services: all that are seen, by `namespace/name`."""
    kept = {key: row for key, row in edges.items() if key[1] and row.calls / span_s >= asked.min_rps}
    if asked.level == "focus":
        kept = _around(kept, asked.service, asked.hops)
    name_of = _naming(asked)
    told: Rows = {}
    for (source, service), row in kept.items():
        key = _named(source, service, name_of, asked)
        if key is None:
            continue
        if (known := told.get(key)) is None:
            told[key] = row.copied(key)
        else:
            known.add(row)
    ranked = sorted(told.values(), key=lambda row: (-row.calls, row.key))
    shown = ranked[:MOST_EDGES]
    names = {name for row in shown for name in row.key}
    alone = {name_of(name) for name in services if _is_asked(name, asked)}
    incoming: dict[str, list[Row]] = {}
    for row in shown:
        incoming.setdefault(row.key[1], []).append(row)
    members, versions = _members(services, name_of), _versions(also.answered)
    nodes = [
        _node(name, summed(incoming.get(name, ())), span_s, services, members.get(name, []), also, versions)
        for name in sorted(names | alone)
    ]
    shape = hashlib.sha256(repr((sorted(row.key for row in shown), [node.id for node in nodes])).encode())
    return Topology(
        first=first,
        end=end,
        shape=shape.hexdigest()[:16],
        nodes=nodes,
        edges=[_edge(row, span_s, also) for row in sorted(shown, key=lambda row: row.key)],
        totals=figures_of(summed(shown), span_s),
        left_out=len(ranked) - len(shown),
    )


def _naming(asked: Asked) -> Callable[[str], str]:
    """What a name is told as: itself, or the namespace that it is folded into."""

    def name_of(name: str) -> str:
        if name in OUTSIDE or name == HIDDEN or asked.level == "focus":
            return name
        namespace = name.partition("/")[0]
        if asked.level == "namespaces" or (asked.namespace is not None and namespace != asked.namespace):
            return namespace
        return name

    return name_of


def _named(source: str, service: str, name_of: Callable[[str], str], asked: Asked) -> tuple[str, str] | None:
    """None: neither end is of what was asked for."""
    if asked.level != "focus" and asked.namespace is not None:
        namespaces = {name.partition("/")[0] for name in (source, service)}
        if asked.namespace not in namespaces:
            return None
    return name_of(source), name_of(service)


def _is_asked(name: str, asked: Asked) -> bool:
    """Whether a service is told though nobody calls it."""
    if asked.level == "focus":
        return name == asked.service
    return asked.namespace is None or name.partition("/")[0] == asked.namespace


def _around(edges: Rows, service: str, hops: int) -> Rows:
    found: Rows = {}
    border = {service}
    seen = {service}
    for _ in range(hops):
        reached = set()
        for key, row in edges.items():
            if key[0] in border or key[1] in border:
                found[key] = row
                reached |= set(key)
        # What calls from outside, and what is hidden, is no way to others.
        border = {name for name in reached - seen if name not in OUTSIDE and name != HIDDEN}
        seen |= border
    return found


def _members(services: Mapping[str, ServiceSignals], name_of: Callable[[str], str]) -> dict[str, list[ServiceSignals]]:
    members: dict[str, list[ServiceSignals]] = {}
    for name, signals in services.items():
        members.setdefault(name_of(name), []).append(signals)
    return members


def _edge(row: Row, span_s: float, also: Also) -> Edge:
    source, target = row.key
    spoken = also.protocols.get(target, ())
    verdict = judged(Signs(row=row, instances=Instances(), usual_p95_s=also.usual_p95_s.get(target, 0.0)))
    return Edge(
        source=source,
        target=target,
        figures=figures_of(row, span_s),
        health=verdict.health,
        reasons=verdict.reasons,
        causes=verdict.causes,
        limited=row.limited,
        shed=row.shed,
        mutual=row.mutual,
        protocols=with_http3(spoken) if source == EDGE and target in also.by_http3 else spoken,
    )


def _versions(answered: Rows) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for (service, version), row in sorted(answered.items()):
        if row.calls:
            found.setdefault(service, {})[version] = row.calls
    for calls in found.values():
        total = sum(calls.values())
        for version, count in calls.items():
            calls[version] = float(f"{count / total:.4g}")
    return found


def _node(
    name: str,
    row: Row,
    span_s: float,
    services: Mapping[str, ServiceSignals],
    members: list[ServiceSignals],
    also: Also,
    versions: Mapping[str, dict[str, float]],
) -> Node:
    figures = figures_of(row, span_s)
    if name in services:
        known = services[name]
        return Node(
            id=name,
            kind="service",
            health=known.health,
            figures=figures,
            reasons=known.reasons,
            causes=known.causes,
            instances=known.instances,
            breakers=known.breakers,
            branchings=also.branchings.get(name, ()),
            versions=versions.get(name),
            open_now=also.open_now.get(name, 0),
        )
    if name in OUTSIDE:
        return Node(id=name, kind="caller", health="unknown", figures=figures)
    if name == HIDDEN:
        return Node(id=name, kind="hidden", health="unknown", figures=figures)
    if "/" in name:  # a service that is gone, or outside the catalogue
        return Node(id=name, kind="service", health="unknown", figures=figures)
    return Node(
        id=name,
        kind="namespace",
        health=worst([each.health for each in members]),
        figures=figures,
        services=_by_health(members),
    )


def _by_health(members: Iterable[ServiceSignals]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in members:
        counts[each.health] = counts.get(each.health, 0) + 1
    return counts

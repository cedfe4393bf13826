"""Whom a change of documents touches: Routes and services, who calls them, and how much, by the last minutes. Pure.

Told from what documents say of themselves, before and after: what a policy is for, where a Route leads, and for what
others only refer to, those that refer to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from meshway.model.document import MESH_NAMESPACE, Spec, Target
from meshway.model.mesh_settings import MeshSettings
from meshway.model.route import Route
from meshway.model.service import Service
from meshway.telemetry import Rows, summed
from registry.insight.figures import figures_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshway.telemetry import Key
    from registry.view.rows import DocumentRow
    from registry.view.view import View

SPAN_S: Final = 600.0
MOST_NAMED: Final = 100
# Kinds that only others give a meaning, as references call them.
_REFERRED: Final = {"Secret": "secret", "IpList": "ip_list"}

DocumentKey = tuple[str, str, str]


class Share(msgspec.Struct, frozen=True):
    """name: a Route's or a service's `namespace/name`; of a caller also `edge`, `anonymous`, `hidden`."""

    name: str
    rps: float


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What the last 600 s would have been touched of. rps: of calls that go by what changes, each once.

    callers: of the services; who calls them by a Route that does not change is among them. Each list names at most 100,
    the busiest first; counts are of all.
    """

    rps: float
    routes: list[Share]
    services: list[Share]
    callers: list[Share]
    route_count: int
    service_count: int
    caller_count: int


class Touched:
    """What changes: all of the mesh, namespaces, services and Routes by `namespace/name`."""

    __slots__ = ("is_mesh", "namespaces", "routes", "services")

    def __init__(self) -> None:
        self.is_mesh = False
        self.namespaces: set[str] = set()
        self.services: set[str] = set()
        self.routes: set[str] = set()

    def __contains__(self, key: Key) -> bool:
        """key: of the section of Routes."""
        route, _, service = key[:3]
        return self.is_mesh or route in self.routes or self.holds(service)

    def holds(self, service: str) -> bool:
        return bool(service) and (
            self.is_mesh or service in self.services or service.partition("/")[0] in self.namespaces
        )

    def add(self, spec: Spec, namespace: str, name: str) -> None:
        match spec:
            case Route():
                self.routes.add(f"{namespace}/{name}")
            case Service():
                self.services.add(f"{namespace}/{name}")
            case MeshSettings():
                self.is_mesh = True
            case _ if (targets := getattr(spec, "targets", None)) is not None:
                self._add_targets(targets, namespace)

    def _add_targets(self, targets: Iterable[Target], namespace: str) -> None:
        """A policy for nothing named is for its namespace, one in that of the mesh for all."""
        targets = tuple(targets)
        if not targets:
            self._add_namespace(namespace)
        for target in targets:
            if target.mesh:
                self.is_mesh = True
            elif target.service is not None:
                self.services.add(f"{target.namespace or namespace}/{target.service}")
            elif target.route is not None:
                self.routes.add(f"{target.namespace or namespace}/{target.route}")
            elif target.namespace is not None:
                self._add_namespace(target.namespace)

    def _add_namespace(self, namespace: str) -> None:
        if namespace == MESH_NAMESPACE:
            self.is_mesh = True
        else:
            self.namespaces.add(namespace)


def touched_by(changes: Iterable[tuple[DocumentKey, Spec | None]], view: View) -> Touched:
    """changes: documents that would change, each with its new spec; None: deleted."""
    touched = Touched()
    for key, spec in changes:
        kind, namespace, name = key
        row = view.document(key)
        for each in (spec, None if row is None else row.spec):
            if each is not None:
                touched.add(each, namespace, name)
        for other in _referring(kind, namespace, name, view):
            if other.spec is not None:
                touched.add(other.spec, *other.key[1:])
    return touched


def _referring(kind: str, namespace: str, name: str, view: View) -> Iterator[DocumentRow]:
    to = _REFERRED.get(kind)
    if to is None:
        return
    for of_kind in view.documents.values():
        for row in of_kind.values():
            if any((each.to, each.namespace, each.name) == (to, namespace, name) for each in row.references):
                yield row


def effect_of(touched: Touched, routes: Rows, edges: Rows, span_s: float) -> Effect:
    """routes, edges: rows of their sections that may be seen, of the last minutes."""
    by_route: dict[str, list[Key]] = {}
    services: set[str] = set()
    for key in routes:
        if key in touched:
            by_route.setdefault(key[0], []).append(key)
            if key[2]:
                services.add(key[2])
    callers: dict[str, list[Key]] = {}
    called: dict[str, list[Key]] = {}
    for key in edges:
        if key[1] in services or touched.holds(key[1]):
            callers.setdefault(key[0], []).append(key)
            called.setdefault(key[1], []).append(key)
    names = {name: by_route.get(name, []) for name in {*by_route, *touched.routes} if name}
    told_routes = _shares(names, routes, span_s)
    told_services = _shares({name: called.get(name, []) for name in {*called, *touched.services}}, edges, span_s)
    told_callers = _shares(callers, edges, span_s)
    all_calls = summed(routes[key] for keys in by_route.values() for key in keys)
    return Effect(
        rps=figures_of(all_calls, span_s).rps,
        routes=told_routes[:MOST_NAMED],
        services=told_services[:MOST_NAMED],
        callers=told_callers[:MOST_NAMED],
        route_count=len(told_routes),
        service_count=len(told_services),
        caller_count=len(told_callers),
    )


def _shares(names: dict[str, list[Key]], rows: Rows, span_s: float) -> list[Share]:
    found = [Share(name, figures_of(summed(rows[key] for key in keys), span_s).rps) for name, keys in names.items()]
    return sorted(found, key=lambda share: (-share.rps, share.name))

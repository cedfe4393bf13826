"""Where Routes part calls: split between destinations by weight, and copied to others. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from meshway.model.route import Route, Rule
from registry.insight.sight import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshway.model.document import Destination
    from registry.insight.sight import Sight
    from registry.view.rows import DocumentRow


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """service: `namespace/name`. share: of the rule's calls, 0 to 1."""

    service: str
    subset: str = ""
    share: float

    def seen_by(self, sight: Sight) -> Branch:
        if sight.sees(self.service):
            return self
        return msgspec.structs.replace(self, service=HIDDEN, subset="")


class Branching(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of a Route (`namespace/name`) that has more than one way: split: all of its destinations that get calls,
    where there are several; mirror: those that get copies."""

    route: str
    rule: str
    split: tuple[Branch, ...] = ()
    mirror: tuple[Branch, ...] = ()

    def seen_by(self, sight: Sight) -> Branching | None:
        """Destinations that are not seen are told as hidden; None: nor is the Route."""
        if not sight.sees(self.route):
            return None
        return msgspec.structs.replace(
            self,
            split=tuple(branch.seen_by(sight) for branch in self.split),
            mirror=tuple(branch.seen_by(sight) for branch in self.mirror),
        )


def branchings_of(routes: Iterable[DocumentRow]) -> dict[str, tuple[Branching, ...]]:
    """By the service that they lead to: those of all Routes, in the order of names."""
    found: dict[str, list[Branching]] = {}
    for row in sorted(routes, key=lambda row: row.key):
        if not isinstance(row.spec, Route):
            continue
        _, namespace, name = row.key
        for at, rule in enumerate(row.spec.rules):
            branching = _branching(f"{namespace}/{name}", rule.name or str(at), rule, namespace)
            if branching.split or branching.mirror:
                for service in {_full(one, namespace) for one in rule.destinations if one.weight}:
                    found.setdefault(service, []).append(branching)
    return {service: tuple(branchings) for service, branchings in found.items()}


def _branching(route: str, name: str, rule: Rule, namespace: str) -> Branching:
    weights = sum(one.weight for one in rule.destinations)
    ways = tuple(_branch(one, one.weight / weights, namespace) for one in rule.destinations if one.weight)
    copies = tuple(_branch(one.destination, one.percent / 100.0, namespace) for one in rule.mirror)
    return Branching(route=route, rule=name, split=ways if len(ways) > 1 else (), mirror=copies)


def _branch(destination: Destination, share: float, namespace: str) -> Branch:
    return Branch(service=_full(destination, namespace), subset=destination.subset or "", share=float(f"{share:.4g}"))


def _full(destination: Destination, namespace: str) -> str:
    return f"{destination.namespace or namespace}/{destination.service}"

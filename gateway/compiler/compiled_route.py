"""A Route as it runs: its candidates, whom it calls, and where it answers."""

from dataclasses import dataclass

from gateway.cache.rule_cache import RuleCache
from gateway.compiler.cluster_key import ClusterKey
from gateway.compiler.diff import Entry, ServiceKey
from gateway.compiler.matches import Placed
from meshway.model.route import Route


@dataclass(slots=True, frozen=True)
class CompiledRoute:
    """clusters: all it may call; by them a policy's change finds its routes. attached: where it answers. involved:
    who may be called in their place, whose policies count, too. caches: of its rules."""

    entry: Entry[Route]
    placed: tuple[Placed, ...]
    clusters: tuple[ClusterKey, ...]
    attached: "Attachment"
    involved: tuple[ClusterKey, ...] = ()
    caches: tuple[RuleCache, ...] = ()


@dataclass(slots=True, frozen=True)
class Attachment:
    """The host names on the edge, and the services on the mesh for which a Route speaks. named: the Listeners for which
    it speaks by their names, each with a host."""

    edge: tuple[str, ...]
    mesh: tuple[ServiceKey, ...]
    named: tuple[tuple[str, str], ...] = ()

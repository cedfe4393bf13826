"""Tables in which a path may be taken in another form than the canonical one (docs/internals/routing.md)."""

from collections.abc import Mapping, Sequence

from gateway.exchange import Exchange
from gateway.plan import RoutePlan, Slashes
from gateway.routing.path import PathError, canonical, has_slashes
from gateway.routing.table import EndpointKey, Hosts, Tables
from gateway.upstream.cluster import Cluster
from gateway.upstream.endpoint import Endpoint


class SpelledTables(Tables):
    """Where some Routes have encoded or repeated slashes as they came. spellings: what they keep, the most first.

    A rule is asked for the path that it would forward, so a call may have several until one takes it.
    """

    __slots__ = ("spellings",)

    def __init__(self, spellings: Sequence[Slashes], tables: Tables) -> None:
        """tables: the same, of Routes that all take paths in their canonical form."""
        super().__init__(
            tables.revision,
            tables.edge,
            tables.mesh,
            tables.clusters,
            tables.endpoints,
            tables.watched,
            tables.parts,
            tables.trust,
            tables.named,
            tables.sessions,
            tables.connections,
            tables.connects,
        )
        self.spellings = spellings

    def like_this(
        self,
        revision: int,
        mesh: Hosts,
        clusters: Mapping[str, Cluster],
        endpoints: "Mapping[EndpointKey, Endpoint]",
    ) -> "SpelledTables":
        return SpelledTables(self.spellings, super().like_this(revision, mesh, clusters, endpoints))

    def as_written(self, exchange: Exchange) -> tuple[bytes, bytes] | None:
        path = exchange.path
        try:
            plan = self._spelled(exchange)
            return None if plan is None else (exchange.path, canonical(exchange.head.target, plan.slashes)[1])
        finally:
            exchange.path = path

    def match(self, exchange: Exchange) -> RoutePlan | None:
        if not has_slashes(exchange.head.target):
            return super().match(exchange)
        path = exchange.path
        plan = self._spelled(exchange)
        if plan is not None:
            return plan
        exchange.path = path
        plan = super().match(exchange)
        return plan if plan is None or _reads(exchange.head.target, plan.slashes, path) else None

    def _spelled(self, exchange: Exchange) -> RoutePlan | None:
        """With the path that the plan keeps."""
        for keeps in self.spellings:
            try:
                exchange.path, _ = canonical(exchange.head.target, keeps)
            except PathError:
                continue
            plan = super().match(exchange)
            if plan is not None and plan.slashes == keeps:
                return plan
        return None


def _reads(target: bytes, keeps: Slashes, path: bytes) -> bool:
    """Whether a rule that keeps these would be asked for this path."""
    try:
        return canonical(target, keeps)[0] == path
    except PathError:
        return False

"""From a request to its plan: dict by host, dict by exact path, tree of segments for prefixes.

All candidates of an exact path, and of a node of the tree, lie in one tuple in the order in which they are asked, so a
match is a few dict lookups whatever the number of routes. Lower host tiers (`*.b.c`, then `*`) are asked only when
nothing above them matched. Order: docs/internals/routing.md, after Gateway API.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, Generic

from gateway.exchange import EDGE, Exchange
from gateway.plan import Parts, RoutePlan
from gateway.routing.connection_table import ConnectionPlan, ConnectionTable
from gateway.routing.plan_type import P
from gateway.routing.session_plan import SessionPlan
from gateway.routing.standing import Judge
from gateway.trust import NOBODY, Trust
from gateway.upstream.cluster import Cluster
from gateway.upstream.transition import Transition, apply_to_endpoint, service_of
from meshway.model.precedence import Rank

if TYPE_CHECKING:
    from gateway.upstream.endpoint import Endpoint

EndpointKey = tuple[str, str, str]
_OF_THE_INSTANCE = frozenset({"check_failed", "check_passed"})


class Candidate(Generic[P]):
    """One Match of one rule. plan: what its calls get, mostly a RoutePlan. test: what it asks beside the path, None =
    nothing.

    rank: sorts candidates of one host, the smaller is asked first.
    """

    __slots__ = ("plan", "rank", "test")

    def __init__(self, rank: Rank, plan: P, test: Callable[[Exchange], bool] | None = None) -> None:
        self.rank = rank
        self.plan = plan
        self.test = test


def in_order(candidates: Iterable[Candidate[P]]) -> tuple[Candidate[P], ...]:
    """By rank, each once; what stands behind a candidate that takes everything is never asked."""
    kept: list[Candidate[P]] = []
    for candidate in sorted(dict.fromkeys(candidates), key=lambda candidate: candidate.rank):
        kept.append(candidate)
        if candidate.test is None:
            break
    return tuple(kept)


class PathNode(Generic[P]):
    """A segment of the prefix tree. candidates: of the longest prefix that ends here or above, and all shorter ones."""

    __slots__ = ("candidates", "children")

    def __init__(self, candidates: tuple[Candidate[P], ...] = ()) -> None:
        self.candidates = candidates
        self.children: dict[bytes, PathNode[P]] = {}


class HostRoutes(Generic[P]):
    """What one host name routes. exact: also holds the prefixes that cover the path, in the order of asking.

    For exact paths and prefixes; `pattern_routes.py` has what more costs more.
    """

    __slots__ = ("exact", "root")

    def __init__(self, exact: dict[bytes, tuple[Candidate[P], ...]], root: PathNode[P]) -> None:
        self.exact = exact
        self.root = root

    def match(self, exchange: Exchange) -> P | None:
        path = exchange.path
        candidates = self.exact.get(path)
        if candidates is None:
            node = self.root
            if node.children:
                for segment in path.split(b"/")[1:]:
                    below = node.children.get(segment)
                    if below is None:
                        break
                    node = below
            candidates = node.candidates
        for candidate in candidates:
            test = candidate.test
            if test is None or test(exchange):
                return candidate.plan
        return None

    def candidates(self, path: bytes) -> tuple[Candidate[P], ...]:
        """All that may have a call of this path, as `match` finds them, who has it written out: every call takes it."""
        found = self.exact.get(path)
        if found is not None:
            return found
        node = self.root
        for segment in path.split(b"/")[1:]:
            below = node.children.get(segment)
            if below is None:
                break
            node = below
        return node.candidates


class Hosts:
    """The host names of one listener. wildcards: suffix with its dot (`.b.c`) to its routes; any: those of `*`."""

    __slots__ = ("any", "names", "wildcards")

    def __init__(
        self, names: Mapping[bytes, HostRoutes], wildcards: Mapping[bytes, HostRoutes], any_host: HostRoutes | None
    ) -> None:
        self.names = names
        self.wildcards = wildcards
        self.any = any_host

    def match_unnamed(self, exchange: Exchange) -> RoutePlan | None:
        """Where no route of the host's own name matched."""
        if self.wildcards:
            plan = self._match_wildcard(exchange)
            if plan is not None:
                return plan
        return self.any.match(exchange) if self.any is not None else None

    def _match_wildcard(self, exchange: Exchange) -> RoutePlan | None:
        """A wildcard matches any depth, not its own suffix."""
        for routes in self._wildcards_of(exchange.host):
            plan = routes.match(exchange)
            if plan is not None:
                return plan
        return None

    def _wildcards_of(self, host: bytes) -> Iterator[HostRoutes]:
        """The longest suffix first."""
        dot = host.find(b".", 1)
        while dot >= 0:
            routes = self.wildcards.get(host[dot:])
            if routes is not None:
                yield routes
            dot = host.find(b".", dot + 1)

    def tiers(self, host: bytes) -> Iterator[HostRoutes]:
        """All that may be asked for a host, in the order of asking: for whoever explains a match."""
        named = self.names.get(host)
        if named is not None:
            yield named
        yield from self._wildcards_of(host)
        if self.any is not None:
            yield self.any


NONE_NAMED: Final[Mapping[str, Hosts]] = {}
NO_SESSIONS: Final[Mapping[str, SessionPlan]] = {}
NO_CONNECTIONS: Final[Mapping[str, ConnectionTable]] = {}
NO_CONNECTS: Final[Mapping[tuple[bytes, int], ConnectionPlan]] = {}


class Tables:
    """All a worker decides by, of one revision; replaced whole. Clusters and endpoints live on over a swap.

    named: by Listener, of those that serve other Routes than their face does. sessions: by Listener, of those that have
    datagrams; connections: of those whose connections are carried as they are. connects: by host and port, what a
    CONNECT of the mesh may lead to."""

    __slots__ = (
        "clusters", "connections", "connects", "edge", "endpoints", "mesh", "named", "parts", "revision", "sessions",
        "trust", "watched",
    )  # fmt: skip

    def __init__(
        self,
        revision: int,
        edge: Hosts,
        mesh: Hosts,
        clusters: Mapping[str, Cluster],
        endpoints: "Mapping[EndpointKey, Endpoint]",
        watched: set[Cluster],
        parts: Parts,
        trust: Trust = NOBODY,
        named: Mapping[str, Hosts] = NONE_NAMED,
        sessions: Mapping[str, SessionPlan] = NO_SESSIONS,
        connections: Mapping[str, ConnectionTable] = NO_CONNECTIONS,
        connects: Mapping[tuple[bytes, int], ConnectionPlan] = NO_CONNECTS,
    ) -> None:
        self.revision = revision
        self.edge = edge
        self.mesh = mesh
        self.clusters = clusters
        self.endpoints = endpoints
        self.watched = watched
        self.parts = parts
        self.trust = trust
        self.named = named
        self.sessions = sessions
        self.connections = connections
        self.connects = connects

    def like_this(
        self,
        revision: int,
        mesh: Hosts,
        clusters: Mapping[str, Cluster],
        endpoints: "Mapping[EndpointKey, Endpoint]",
    ) -> "Tables":
        """Of the same Routes."""
        return Tables(
            revision,
            self.edge,
            mesh,
            clusters,
            endpoints,
            self.watched,
            self.parts,
            self.trust,
            self.named,
            self.sessions,
            self.connections,
            self.connects,
        )

    def hosts(self, exchange: Exchange) -> Hosts:
        """Of the listener that it came by."""
        hosts = self.edge if exchange.listener == EDGE else self.mesh
        return self.named.get(exchange.listener_name, hosts) if self.named else hosts

    def as_written(self, exchange: Exchange) -> tuple[bytes, bytes] | None:
        """Path and query of a target that is refused, for a rule that takes it as it came; None: there is none."""
        return None

    def match(self, exchange: Exchange) -> RoutePlan | None:
        """The plan for the exchange's listener, host, path, method and block; None is 404 `no_route`."""
        hosts = self.edge if exchange.listener == EDGE else self.mesh
        if self.named:
            hosts = self.named.get(exchange.listener_name, hosts)
        routes = hosts.names.get(exchange.host)
        if routes is not None:
            plan = routes.match(exchange)
            if plan is not None:
                return plan
        return hosts.match_unnamed(exchange)

    def connection_to(self, exchange: Exchange) -> ConnectionPlan | None:
        """What a CONNECT of the mesh leads to; None: nowhere."""
        port = exchange.authority.rpartition(b":")[2]
        return self.connects.get((exchange.host, int(port) if port.isdigit() else 0))

    def apply_transition(self, transition: Transition) -> None:
        """What another worker or the health checker found out; told twice is told once."""
        if transition.endpoint is not None:
            endpoint = self.endpoints.get(transition.endpoint)
            if endpoint is not None:
                apply_to_endpoint(endpoint, transition, self.parts.now())
                if transition.kind in _OF_THE_INSTANCE:
                    self._apply_to_ports(endpoint, transition)
        elif transition.kind == "breaker_reset":
            for name, one in self.clusters.items():
                if service_of(name) == transition.cluster:
                    one.apply_transition(Transition(kind="breaker_closed", cluster=name))
        else:
            cluster = self.clusters.get(transition.cluster)
            if cluster is not None:
                cluster.apply_transition(transition)

    def _apply_to_ports(self, endpoint: "Endpoint", transition: Transition) -> None:
        """An instance is checked once, for all its ports; `gateway/compiler/service_instances.py` makes their ids."""
        namespace, service, identity = endpoint.key
        for port in endpoint.instance.ports:
            other = self.endpoints.get((namespace, service, f"{identity}:{port}"))
            if other is not None:
                apply_to_endpoint(other, transition, self.parts.now())

    def tick(self, now: float) -> None:
        """Ends waits and ejections whose time is up. The worker calls it every 20 to 50 ms; idle it costs one test."""
        if self.watched:
            for cluster in tuple(self.watched):
                if not cluster.tick(now):
                    self.watched.discard(cluster)


class TablesHolder:
    """The one place where a worker's tables are swapped. carried: whatever goes on over that without asking the new
    ones, to be judged by them."""

    __slots__ = ("carried", "tables")

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.carried: set[Judge] = set()

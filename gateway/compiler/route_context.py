"""What a route is compiled against, of one revision."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.access.gate import Authorize
from gateway.compiler.access import Access
from gateway.compiler.alike import Alike
from gateway.compiler.authentication import Authentications
from gateway.compiler.cluster_key import ClusterKey, all_involved
from gateway.compiler.compiled_route import CompiledRoute
from gateway.compiler.diff import DocumentKey, Entry, ServiceKey
from gateway.compiler.filters import Limits
from gateway.compiler.policies import Attached, Place, sources
from gateway.compiler.transcoding import Descriptors
from gateway.exchange import Reply
from gateway.plan import (
    Parts,
)
from gateway.routing.standing import COUNTING
from gateway.upstream.cluster import Cluster
from meshway.model.listener import NOT_HTTP
from meshway.model.route import Rule
from meshway.model.traffic_policy import TrafficPolicy


@dataclass(slots=True)
class RouteContext:
    """What a route is compiled against. cluster_for: makes the cluster when there is none yet.

    standing_in: of a cluster, who may be called in its place. places_of: where a cluster's policies attach.
    protocol_of: what its port says is spoken there. unavailable: where a policy speaks that cannot be used, and its
    name. running: the Routes as they ran until now.
    """

    policies: Attached[TrafficPolicy]
    limits: Limits
    authentications: Authentications
    access: Access
    aliases: Mapping[str, ServiceKey]
    cluster_for: Callable[[ClusterKey], Cluster]
    standing_in: Callable[[ClusterKey], Sequence[ClusterKey]]
    places_of: Callable[[ClusterKey], tuple[Place, ...]]
    protocol_of: Callable[[ClusterKey], str]
    unavailable: Mapping[Place, DocumentKey]
    parts: Parts
    running: Mapping[DocumentKey, CompiledRoute] = field(default_factory=dict)
    descriptors: Descriptors = field(default_factory=dict)
    alike: Alike = field(default_factory=Alike)
    _sources: dict[tuple[DocumentKey, ...], Mapping[str, str]] = field(default_factory=dict)
    _reached: dict[tuple[ClusterKey, ...], frozenset[str]] = field(default_factory=dict)

    def blocking(self, places: Iterable[Place]) -> DocumentKey | None:
        """A policy that speaks for one of these and cannot be used; rather one that says who may than another."""
        found = [self.unavailable[place] for place in places if place in self.unavailable]
        return next((key for key in found if key[0] not in COUNTING), found[0] if found else None)

    def unusable(self, key: ClusterKey) -> Authorize | None:
        """What the calls of a service get for which a policy speaks that cannot be used."""
        blocking = self.blocking(self.places_of(key))
        return None if blocking is None else refusing(blocking)

    def all_speak_grpc(self, keys: Sequence[ClusterKey]) -> bool:
        return bool(keys) and all(self.protocol_of(key) == "grpc" for key in keys)

    def unspoken(self, keys: Sequence[ClusterKey]) -> str:
        """What these speak in place of HTTP, where no call of it can go to any; "" where one can."""
        spoken = [self.protocol_of(key) for key in keys]
        return spoken[0] if spoken and all(each in NOT_HTTP for each in spoken) else ""

    def reached(self, keys: Sequence[ClusterKey]) -> frozenset[str]:
        """Names of these and of whoever may be called in their place. Rules that lead to the same share one."""
        wanted = tuple(keys)
        known = self._reached.get(wanted)
        if known is None:
            involved = (other for key in keys for other in all_involved(key, self.standing_in))
            known = self._reached[wanted] = frozenset(other.name for other in involved)
        return known

    def sources_of(self, policies: Sequence[Entry[TrafficPolicy]], rule: Rule, route: str) -> Mapping[str, str]:
        """Most routes have the same policies and none of their own: they share one."""
        by = [(f"TrafficPolicy {policy.title}", policy.spec) for policy in policies]
        if rule.timeouts is not None or rule.retry is not None or rule.hedge is not None:
            return sources([*by, (route, as_policy(rule))])
        key = tuple(policy.key for policy in policies)
        known = self._sources.get(key)
        if known is None:
            known = self._sources[key] = sources(by)
        return known


def refusing(policy: DocumentKey) -> Authorize:
    """In place of all filters where one policy is not known: what it was to keep away must not pass."""
    reply = Reply(
        503,
        "policy_unavailable",
        "UAEX",
        "{} {}/{} cannot be used: this gateway cannot compile it and knows no earlier version".format(*policy),
        policy="{} {}/{}".format(*policy),
    )
    return lambda _: reply


def as_policy(rule: Rule) -> TrafficPolicy:
    return TrafficPolicy(timeouts=rule.timeouts, retry=rule.retry, hedge=rule.hedge)


def by_place(unavailable: Mapping[DocumentKey, tuple[Place, ...]]) -> dict[Place, DocumentKey]:
    """Of several at a place one that says who may."""
    rising = sorted(unavailable.items(), key=lambda pair: pair[0][0] not in COUNTING)
    return {place: key for key, places in rising for place in places}

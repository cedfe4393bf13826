"""What one rule of a Route asks: before a call goes on, and once more where the service is not settled before."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Final

from gateway.access.gate import AccessStep, Authorize, Guard
from gateway.compiler.access import Access
from gateway.compiler.cluster_key import ClusterKey, all_involved
from gateway.compiler.policies import (
    MESH,
    Place,
    service_places,
)
from gateway.exchange import Reply
from gateway.plan import FilterStep, Forecast
from gateway.upstream.cluster import Cluster


class RuleAccess:
    """What one rule of a Route asks.

    services: its destinations. standing_in: of each cluster, who may be called in its place. unusable: of a service for
    which a policy speaks that cannot be used, what its calls get. is_rewritten: the service sees another path, or other
    headers, than the Route. are_requests: as in `Access.route_gate`. steps: asked before the call goes on. asks_others:
    services are asked among these. overrules_answers: fields of the service's answer, by the word of who is asked.
    guard: asked of each service that is called.
    """

    def __init__(
        self,
        access: Access,
        route: Sequence[Place],
        services: Sequence[ClusterKey],
        standing_in: Callable[[ClusterKey], Iterable[ClusterKey]],
        unusable: Callable[[ClusterKey], Authorize | None],
        origin: str,
        *,
        is_rewritten: bool,
        cluster_for: Callable[[ClusterKey], Cluster],
        are_requests: bool = True,
    ) -> None:
        self._access = access
        self._are_requests = are_requests
        self._cluster_for = cluster_for
        self._origin = origin
        self._standing_in = standing_in
        self._unusable = unusable
        wide = () if services else (MESH, ("namespace", route[0][1]))
        gate = access.route_gate((*wide, *route), origin, are_requests=are_requests)
        steps: tuple[AccessStep, ...] = () if gate is None else (gate.step(),)
        is_settled = len({key[:3] for key in services}) == 1 and not is_rewritten
        if is_settled:
            steps += self._service_steps(services[0])
        self._settled = services[0][:3] if is_settled else None
        self.steps = tuple(FilterStep("access", "", *step) for step in steps)
        # Whichever service is drawn, or stands in for it: who is asked for any of them is asked before.
        involved = dict.fromkeys(other for key in services for other in all_involved(key, standing_in))
        own = dict.fromkeys(
            place for key in involved for place in service_places(key.namespace, key.service, key.subset)
        )
        checks = access.checks((*(own or wide), *route), cluster_for)
        self.asks_others = bool(checks)
        self.overrules_answers = access.overrules((*(own or wide), *route))
        self._asked = frozenset(id(step) for step in checks)
        self.steps += tuple({id(step): step for step in checks}.values())
        self.guard = self.guard_of(services)

    def copy_guard_of(self, key: ClusterKey) -> Guard | None:
        """For copies of calls. Nobody is asked of a copy: where a policy has somebody asked of whom the call was not,
        none is sent."""
        involved = all_involved(key, self._standing_in)
        checks = self._access.checks(_places(involved), self._cluster_for)
        if all(id(step) in self._asked for step in checks):
            return self.guard_of((key,))
        refusal = AccessStep(lambda _: _NOT_ASKED, lambda _: ())
        return Guard({(one.name, *owner.owner): (refusal,) for one in involved for owner in involved})

    def guard_of(self, services: Iterable[ClusterKey]) -> Guard | None:
        """None: the steps have asked already, or nobody says anything. Also for copies of calls."""
        asked: dict[tuple[str, str, str], dict[ClusterKey, tuple[AccessStep, ...]]] = {}
        for service in services:
            involved = all_involved(service, self._standing_in)
            for owner in involved:
                steps = self._steps(owner)
                if steps:
                    for cluster in involved:
                        # Of two subsets of one service both are asked: an instance may be of either.
                        asked.setdefault((cluster.name, *owner.owner), {})[owner] = steps
        return Guard({key: tuple(chain.from_iterable(of.values())) for key, of in asked.items()}) if asked else None

    def _steps(self, owner: ClusterKey) -> tuple[AccessStep, ...]:
        if owner[:3] == self._settled:
            return ()
        refusing = self._unusable(owner)
        steps = self._service_steps(owner)
        if refusing is not None:
            # The last one: a policy that only counts must not hide what others say of who may.
            return (*steps, AccessStep(refusing, lambda exchange: _refused(refusing(exchange))))
        return steps

    def _service_steps(self, key: ClusterKey) -> tuple[AccessStep, ...]:
        return self._access.service_steps(
            key.namespace, key.service, key.subset, self._origin, are_requests=self._are_requests
        )


_NOT_ASKED: Final = Reply(403, "denied", "UAEX", "nobody is asked of a copy")


def _places(services: Iterable[ClusterKey]) -> tuple[Place, ...]:
    """All at which policies speak for one of them, from the wider on."""
    found = (place for key in services for place in service_places(key.namespace, key.service, key.subset))
    return tuple(dict.fromkeys(found))


def _refused(reply: Reply | None) -> Sequence[Forecast]:
    return [] if reply is None else [Forecast("refuse", reply.detail, reply.policy, reply)]

"""A cluster alone, driven by hand."""

from gateway.balancing.round_robin import RoundRobin
from gateway.compiler.policies import effective
from gateway.compiler.settings import cluster_settings
from gateway.plan import Parts
from gateway.upstream.cluster import Cluster
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.transition import Transition
from meshway.model.traffic_policy import TrafficPolicy
from tests.parts.clock import ManualClock
from tests.parts.endpoints import endpoints


class Bench:
    """A cluster of n endpoints, its clock, its reports, and the clusters that wait for the tick."""

    def __init__(self, count: int = 3, policy: TrafficPolicy | None = None) -> None:
        self.clock = ManualClock()
        self.reports: list[Transition] = []
        self.watched: set[Cluster] = set()
        self.parts = Parts(now=self.clock, random=lambda: 0.0, report=self.reports.append)
        settings = cluster_settings(effective([policy] if policy else []))
        balancer = RoundRobin(self.parts.random, 1)
        self.cluster = Cluster("default/books", settings, balancer, self.parts, self.watched)
        self.endpoints = endpoints(*[1] * count)
        for endpoint in self.endpoints:
            endpoint.clusters = (self.cluster,)
        self.cluster.set_endpoints(self.endpoints)

    def attempt(self, endpoint: Endpoint, outcome: str = "ok", status: int = 200) -> None:
        endpoint.in_flight += 1
        self.cluster.attempt_ended(endpoint, outcome, status, self.clock())

    def fail(self, endpoint: Endpoint, times: int = 5, outcome: str = "reset") -> None:
        for _ in range(times):
            self.attempt(endpoint, outcome, 0)

    @property
    def eligible(self) -> list[str]:
        return [endpoint.id for endpoint in self.cluster.eligible]

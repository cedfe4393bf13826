"""All that the compiler knows between two revisions. Never changed, only replaced."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.compiler.access import Access
from gateway.compiler.authentication import Authentications
from gateway.compiler.cluster_key import ClusterKey
from gateway.compiler.compiled_route import CompiledRoute
from gateway.compiler.connection_routes import CompiledConnections
from gateway.compiler.connects import Connects
from gateway.compiler.diff import DocumentKey, Entry, Refusal, ServiceKey
from gateway.compiler.filters import Limits
from gateway.compiler.hosts import HostBuild
from gateway.compiler.listeners import NOTHING_WRITTEN, Served
from gateway.compiler.policies import Attached, Place
from gateway.compiler.service_update import EndpointKey
from gateway.compiler.telling import TellingPlans
from gateway.compiler.udp_routes import CompiledSessions
from gateway.plan import Parts
from gateway.routing.table import HostRoutes, Hosts, Tables
from gateway.upstream.cluster import Cluster
from gateway.upstream.endpoint import Endpoint
from meshway.model.instance import Instance
from meshway.model.traffic_policy import TrafficPolicy


@dataclass(slots=True, frozen=True)
class State:
    """documents: the last good version of each. waiting: newer versions that did not compile; tried again when other
    documents change. unavailable: refused policies whose targets refuse, with their places. instances:
    also of services that have none left, so that a call to them is told so. first_ports: their names, of services with
    a document; spoken_ports: by which something else than HTTP/1.1 is spoken. implicit: for every service there is.
    edge, mesh: tables of a host name, and of a service that mesh Routes speak for; named: those of Listeners that
    Routes name. kept: instances that the registry has dropped and that are called on, see `feed/removal_guard.py`.
    proven: before the first snapshot, last good versions that other workers run; None where they go on without.
    telling: None: no document says anything of it.
    """

    tables: Tables
    documents: Mapping[DocumentKey, Entry[Any]]
    waiting: Mapping[DocumentKey, Entry[Any]]
    unavailable: Mapping[DocumentKey, tuple[Place, ...]]
    refusals: Mapping[DocumentKey, Refusal]
    instances: Mapping[ServiceKey, Mapping[str, Instance]]
    policies: Attached[TrafficPolicy]
    first_ports: Mapping[ServiceKey, str]
    spoken_ports: Mapping[ServiceKey, Mapping[str, str]]
    limits: Limits
    authentications: Authentications
    access: Access
    routes: Mapping[DocumentKey, CompiledRoute]
    clusters: Mapping[ServiceKey, Mapping[ClusterKey, Cluster]]
    endpoints: Mapping[ServiceKey, Mapping[EndpointKey, Endpoint]]
    implicit: Mapping[ServiceKey, HostRoutes]
    edge: Mapping[str, HostBuild]
    mesh: Mapping[ServiceKey, HostBuild]
    kept: Mapping[ServiceKey, Mapping[str, Instance]]
    proven: Mapping[DocumentKey, Entry[Any] | None]
    served: Served = NOTHING_WRITTEN
    named: Mapping[str, Mapping[str, HostBuild]] = field(default_factory=dict)
    telling: TellingPlans | None = None
    connections: Mapping[DocumentKey, CompiledConnections] = field(default_factory=dict)
    sessions: Mapping[DocumentKey, CompiledSessions] = field(default_factory=dict)
    connects: Connects = field(default_factory=dict)


def empty_state(parts: Parts) -> State:
    tables = Tables(0, Hosts({}, {}, None), Hosts({}, {}, None), {}, {}, set(), parts)
    nothing: tuple[()] = ()
    access = Access(nothing, nothing, nothing, nothing, parts)
    limits = Limits(nothing, None, parts)
    authentications = Authentications((), None, parts)
    return State(
        tables,
        {},
        {},
        {},
        {},
        {},
        Attached(nothing),
        {},
        {},
        limits,
        authentications,
        access,
        {},
        {},
        {},
        {},
        {},
        {},
        {},
        {},
    )

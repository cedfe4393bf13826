"""The endpoints of all clusters in one revision: made anew for services that changed, as they were for the others."""

import logging
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, Final

from gateway.compiler.blame import Blamed
from gateway.compiler.cluster_key import ClusterKey
from gateway.compiler.diff import CompileError, DocumentKey, Entry, Refusal, ServiceKey
from gateway.compiler.policies import MESH_NAMESPACE
from gateway.compiler.service_instances import instances_of
from gateway.compiler.service_update import EndpointKey, ServiceUpdate
from gateway.compiler.state import State
from gateway.compiler.steps import Step, retiring
from gateway.plan import Parts
from gateway.upstream.cluster import Cluster
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.outside import Network
from meshway.model import mesh_settings
from meshway.model.instance import Instance
from meshway.model.service import Service

Instances = Mapping[ServiceKey, Mapping[str, Instance]]
_log: Final = logging.getLogger("meshway.gateway.compiler")


class EndpointSet:
    """steps: to be run on the loop, in order. updated: services whose endpoints could be made anew. stuck: refusals of
    services that keep theirs, after a defect."""

    def __init__(
        self,
        base: State,
        documents: Mapping[DocumentKey, Entry[Any]],
        instances: Instances,
        kept: Instances,
        parts: Parts,
    ) -> None:
        """documents, instances, kept: of the new revision."""
        self.steps: list[Step] = []
        self.updated: set[ServiceKey] = set()
        self.stuck: dict[DocumentKey, Refusal] = {}
        self._base = base
        self._documents = documents
        self._instances = instances
        self._kept = kept
        self._parts = parts

    def gather(
        self, clusters: Mapping[ServiceKey, Mapping[ClusterKey, Cluster]], changed: set[tuple[str, ...]]
    ) -> dict[ServiceKey, Mapping[EndpointKey, Endpoint]]:
        """changed: services whose document did."""
        base = self._base
        endpoints: dict[ServiceKey, Mapping[EndpointKey, Endpoint]] = {}
        for service, group in clusters.items():
            before = base.endpoints.get(service)
            is_same = (
                before is not None
                and service not in changed
                and base.clusters.get(service, {}).keys() == group.keys()
                and base.instances.get(service) == self._instances.get(service)
            )
            if before is not None and is_same:
                endpoints[service] = before
            else:
                endpoints[service] = self.update(service, group, before or {})
        for service, gone in base.endpoints.items():
            if service not in clusters:
                self.steps += [retiring(endpoint, self._parts) for endpoint in gone.values()]
        return endpoints

    def update(
        self,
        service: ServiceKey,
        clusters: Mapping[ClusterKey, Cluster],
        before: Mapping[EndpointKey, Endpoint],
    ) -> dict[EndpointKey, Endpoint]:
        """Of one service, made anew. clusters: all of its. before: its endpoints until now."""
        key = ("Service", *service)
        entry = self._documents.get(key)
        try:
            update = self._service_update(service, entry, clusters, before)
        except Exception as error:
            return self._keep(service, entry, clusters, before, error)
        self.updated.add(service)
        self.steps += update.steps
        return update.endpoints

    def _service_update(
        self,
        service: ServiceKey,
        entry: Entry[Service] | None,
        clusters: Mapping[ClusterKey, Cluster],
        before: Mapping[EndpointKey, Endpoint],
    ) -> ServiceUpdate:
        document = entry.spec if entry is not None else None
        instances = instances_of(*service, document)
        if instances is None:
            instances = dict(self._instances.get(service, {}))
        kept = self._kept.get(service, {})
        return ServiceUpdate(clusters, instances, document, before, kept, self._parts, self._allowed())

    def _allowed(self) -> tuple[Network, ...]:
        """Where hosts outside may be, by MeshSettings."""
        entry = self._documents.get(("MeshSettings", MESH_NAMESPACE, mesh_settings.NAME))
        egress = entry.spec.egress if entry is not None else None
        return () if egress is None else tuple(ip_network(text) for text in egress.allow_cidrs)

    def _keep(
        self,
        service: ServiceKey,
        entry: Entry[Service] | None,
        clusters: Mapping[ClusterKey, Cluster],
        before: Mapping[EndpointKey, Endpoint],
        error: Exception,
    ) -> dict[EndpointKey, Endpoint]:
        """A defect: a new Service document is to blame when the one before does not break down; else nobody is, and
        the service's endpoints stay what they were until its next change."""
        key = ("Service", *service)
        known = self._base.documents.get(key)
        if entry is not None and entry is not known:
            try:
                self._service_update(service, known, clusters, before)
            except Exception as same:
                error = same
            else:
                raise Blamed(key, CompileError.of_defect(error))
        self.stuck[key] = refusal = Refusal(*key, "", CompileError.of_defect(error).reason)
        if self._base.refusals.get(key) != refusal:
            _log.error("endpoints of %s/%s stay as they were", *service, exc_info=error)
        return dict(before)

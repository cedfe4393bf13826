"""Which endpoints of a host are checked, and how: from what is held to what the health checker shall do.

Policies of mesh, namespace and service count; one for a subset says how its calls are made, not who is asked.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from typing import Any

from gateway.compiler.diff import CompileError, DocumentKey, Entry, ServiceKey, read_changes
from gateway.compiler.mesh_tls import KINDS as MESH_TLS_KINDS
from gateway.compiler.mesh_tls import MeshTls
from gateway.compiler.policies import Attached, effective, places_of, service_places, sources
from gateway.compiler.service_instances import FIRST_PORT, instances_of
from gateway.compiler.settings import cluster_settings
from gateway.upstream.cluster_settings import ClusterSettings
from gateway.upstream.health import EndpointKey
from gateway.wire.proxy_protocol import proxy_head
from gateway.wire.upstream_tls import UpstreamContexts
from meshway.certificates import CertificateFault
from meshway.model import mesh_settings
from meshway.model.instance import Instance
from meshway.model.mesh_settings import MeshSettings
from meshway.model.namespace import Namespace
from meshway.model.service import Service, target_port
from meshway.model.traffic_policy import TrafficPolicy
from meshway.outbound.connection import PlainError
from meshway.outbound.health import Check, Secure
from meshway.snapshot import INSTANCE, Change

_DOCUMENTS = frozenset({"TrafficPolicy", "Service", *MESH_TLS_KINDS})
# Who shall not be called need not be asked; one in maintenance comes back by hand.
_ASKED = frozenset({"passing", "critical"})


class CheckTargets:
    """Kept up with the feed; instances are read only while a policy writes a health check.

    held: the entries that are in force now, those of the last change included.
    """

    def __init__(self, held: Callable[[], Iterable[Change]]) -> None:
        self._held = held
        self._instances: dict[ServiceKey, dict[str, Instance]] = {}
        self._policies: dict[DocumentKey, Entry[TrafficPolicy]] = {}
        self._services: dict[DocumentKey, Entry[Service]] = {}
        self._namespaces: dict[str, Namespace] = {}
        self._mesh = MeshSettings()

    def replace(self) -> None:
        """A snapshot is held."""
        self._instances, self._policies, self._services = {}, {}, {}
        self._namespaces, self._mesh = {}, MeshSettings()
        self._read_documents(self._held())
        if self._is_checking():
            self._read_instances(self._held())

    def take(self, changes: Iterable[Change]) -> bool:
        """Changes are held. Returns whether the wanted checks may have changed."""
        was_checking = self._is_checking()
        is_other = self._read_documents(changes)
        if not self._is_checking():
            self._instances.clear()
        else:
            self._read_instances(changes if was_checking else self._held())
        return is_other or was_checking

    def _read_instances(self, changes: Iterable[Change]) -> None:
        diff = read_changes(change for change in changes if change.kind == INSTANCE)
        for service, instances in diff.instances.items():
            running = self._instances.setdefault(service, {})
            for identity, instance in instances.items():
                if instance is None:
                    running.pop(identity, None)
                else:
                    running[identity] = instance
            if not running:
                del self._instances[service]

    def _read_documents(self, changes: Iterable[Change]) -> bool:
        """Returns whether there were any that count here."""
        diff = read_changes(change for change in changes if change.kind in _DOCUMENTS)
        for key, entry in diff.documents.items():
            if key[0] in MESH_TLS_KINDS:
                self._take_settings(key, entry)
                continue
            known: dict[DocumentKey, Entry[Any]] = self._services if key[0] == "Service" else self._policies
            known.pop(key, None)
            if entry is not None and (known is self._services or _is_placed(entry)):
                known[key] = entry
        return bool(diff.documents)

    def _take_settings(self, key: DocumentKey, entry: Entry[Any] | None) -> None:
        kind, _, name = key
        if kind == Namespace.__name__:
            self._namespaces.pop(name, None)
            if entry is not None:
                self._namespaces[name] = entry.spec
        elif name == mesh_settings.NAME:
            self._mesh = MeshSettings() if entry is None else entry.spec

    def wanted(self) -> dict[EndpointKey, Check]:
        if not self._is_checking():
            return {}
        attached: Attached[TrafficPolicy] = Attached(self._policies.values())
        mesh_tls = MeshTls(self._mesh, self._namespaces)
        checks: dict[EndpointKey, Check] = {}
        for (namespace, service), instances in self._all_instances().items():
            document = self._services.get(("Service", namespace, service))
            spec = None if document is None else document.spec
            is_strict = mesh_tls.said_by(namespace) is not None
            cluster = _settings(attached, namespace, service, spec, is_strict=is_strict)
            if cluster is None or (settings := cluster.health_check) is None:
                continue
            version = cluster.opening.proxy_protocol
            preamble = proxy_head(version, None, None) if version else b""
            tls = cluster.opening.tls
            secured = None if tls is None else (namespace, service, tls)
            for instance in instances.values():
                if instance.status in _ASKED:
                    port = settings.port or instance.port
                    key = (namespace, service, instance.id)
                    checks[key] = Check(instance.address, port, settings, instance.generation, preamble, secured)
        return checks

    def _all_instances(self) -> dict[ServiceKey, dict[str, Instance]]:
        """With those that static services bring in their documents instead of registering; hosts outside are not
        checked: nobody has judged their addresses."""
        found = dict(self._instances)
        for _, namespace, name in self._services:
            document = self._services[("Service", namespace, name)].spec
            if document.external is not None:
                found.pop((namespace, name), None)
                continue
            static = instances_of(namespace, name, document)
            if static is not None:
                found[(namespace, name)] = static
        return found

    def _is_checking(self) -> bool:
        return any(entry.spec.health_check is not None for entry in self._policies.values())


def securing(contexts: UpstreamContexts) -> Secure:
    """As calls are made secure, so are checks."""

    async def secure(check: Check, writer: asyncio.StreamWriter) -> None:
        assert isinstance(check.secured, tuple)
        namespace, service, tls = check.secured
        try:
            await writer.start_tls(contexts.context(tls), server_hostname=tls.sni or check.address)
            der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            contexts.check(tls, (namespace, service), der)
        except (CertificateFault, ssl.SSLError, OSError) as error:
            raise PlainError(str(error), "protocol") from error

    return secure


def _settings(
    attached: Attached[TrafficPolicy], namespace: str, service: str, document: Service | None, *, is_strict: bool
) -> ClusterSettings | None:
    """None: nobody wants it to be checked. How connections begin is said of the port that is asked."""
    checks = [
        policy.spec.health_check
        for policy in attached.at(service_places(namespace, service))
        if policy.spec.health_check is not None
    ]
    if not checks:
        return None
    asked = next((check.port for check in reversed(checks) if check.port is not None), None)
    entries = attached.at(service_places(namespace, service, port=_port_name(document, asked)))
    policies = [entry.spec for entry in entries]
    by = sources((f"TrafficPolicy {entry.title}", entry.spec) for entry in entries)
    return cluster_settings(effective(policies), by, is_strict=is_strict)


def _port_name(document: Service | None, asked: int | None) -> str:
    """Of a number that a check asks, None = the instance's own port; "" where no name is known for it."""
    if asked is None:
        return FIRST_PORT if document is None else document.ports[0].name
    ports = () if document is None else document.ports
    return next((port.name for port in ports if target_port(port) == asked), "")


def _is_placed(entry: Entry[TrafficPolicy]) -> bool:
    """The compiler refuses the others, with the reason."""
    try:
        list(places_of(entry))
    except CompileError:
        return False
    return True

"""Nacos's names and ours.

A service of DEFAULT_GROUP whose name is a label keeps it. Others (`orders` of group `blue`, `com.example.Api`) get a
label of their own, and their name is kept beside in the instances' metadata or in the document's annotations.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from registry.compat.bookkeeping import NACOS
from registry.compat.labels import is_label, label_of
from registry.compat.nacos.parameters import Parameters, refused, required

if TYPE_CHECKING:
    from registry.view.rows import InstanceRow
    from registry.view.view import View

DEFAULT_GROUP: Final = "DEFAULT_GROUP"
DEFAULT_CLUSTER: Final = "DEFAULT"
PUBLIC: Final = "public"
NAME: Final = NACOS + "service"
"""`group@@name`, where the service's own name does not say it."""
CLUSTER: Final = NACOS + "cluster"
"""Where it is not DEFAULT_CLUSTER."""
_JOIN: Final = "@@"
_CLUSTER: Final = re.compile(r"[0-9a-zA-Z-]{1,64}")


class Place(NamedTuple):
    """A service by both names. namespace, service: ours."""

    namespace: str
    service: str
    group: str
    name: str

    @property
    def full(self) -> str:
        return f"{self.group}{_JOIN}{self.name}"

    @property
    def kept(self) -> dict[str, str]:
        """What must be kept beside for the name to come back."""
        return {} if self.full == full_name(self.service) else {NAME: self.full}


def place_of(parameters: Parameters) -> Place:
    """Raises Problem 400."""
    group, name = split_name(required(parameters, "serviceName"), parameters.get("groupName", ""))
    full = f"{group}{_JOIN}{name}"
    try:
        service = name if group == DEFAULT_GROUP and is_label(name) else label_of(full)
    except ValueError as error:
        raise refused(f"Param 'serviceName' is illegal: {error}") from None
    return Place(namespace_of(parameters), service, group, name)


def namespace_of(parameters: Parameters) -> str:
    """Nacos calls its first one public, ours is default. Raises Problem 400."""
    namespace = parameters.get("namespaceId", "").strip()
    if namespace in ("", PUBLIC):
        return "default"
    if not is_label(namespace):
        raise refused(f'namespaceId {namespace[:100]!r}: lower-case letters, digits and "-", 1 to 63')
    return namespace


def namespace_id_of(namespace: str) -> str:
    return PUBLIC if namespace == "default" else namespace


def split_name(service_name: str, group: str) -> tuple[str, str]:
    """Group and name, from `group@@name` or apart."""
    before, join, after = service_name.partition(_JOIN)
    group, name = (before, after) if join else (group.strip() or DEFAULT_GROUP, service_name)
    if not group or not name:
        raise refused(f"Param 'serviceName' is illegal: {service_name[:100]!r}, it should be groupName@@serviceName")
    return group, name


def full_name(service: str) -> str:
    """Of a service that says nothing else of itself."""
    return f"{DEFAULT_GROUP}{_JOIN}{service}"


def service_name(view: View, namespace: str, service: str) -> str:
    """`group@@name` of one of our services."""
    document = view.document(("Service", namespace, service))
    if document is not None and (kept := document.document.metadata.annotations.get(NAME)):
        return kept
    for row in view.services.get((namespace, service), {}).values():
        return row.instance.metadata.get(NAME) or full_name(service)
    return full_name(service)


def cluster_of(parameters: Parameters) -> str:
    cluster = parameters.get("clusterName", "").strip() or parameters.get("cluster", "").strip()
    return checked_cluster("" if cluster == "None" else cluster)  # None: as Python's client writes that it has none


def checked_cluster(cluster: str) -> str:
    """Raises Problem 400."""
    if cluster and not _CLUSTER.fullmatch(cluster):
        raise refused(f"cluster name can only have these characters: 0-9a-zA-Z-, current: {cluster[:100]!r}")
    return cluster or DEFAULT_CLUSTER


def instance_label(ip: str, port: int, cluster: str) -> str:
    """Ours of an instance; Nacos knows them by these three. Raises Problem 400."""
    try:
        return label_of(f"{ip}:{port}:{cluster}")
    except ValueError as error:
        raise refused(f"Param 'ip' is illegal: {error}") from None


def find_row(view: View, place: Place, ip: str, port: int, cluster: str) -> InstanceRow | None:
    """By the id that its registration here got; one that another protocol registered, by its address."""
    row = view.instance((place.namespace, place.service, instance_label(ip, port, cluster)))
    if row is not None or cluster != DEFAULT_CLUSTER:
        return row
    for other in view.services.get((place.namespace, place.service), {}).values():
        instance = other.instance
        if instance.address == ip and instance.port == port and CLUSTER not in instance.metadata:
            return other
    return None

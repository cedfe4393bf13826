"""The instances of a service as a cluster has them: what a document brings and adds, and where the ports lead."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from gateway.compiler.diff import Entry, ServiceKey
from meshway.model.instance import Instance
from meshway.model.service import Service, ServicePort, SubsetMatch, target_port


def instances_of(namespace: str, service: str, document: Service | None) -> dict[str, Instance] | None:
    """The endpoints that a service brings in its document; None for a service whose instances register."""
    if document is not None and document.external is not None:
        external = document.external
        place = f"{external.host}:{external.target_port}"
        address, port = external.host, external.target_port
        return {place: Instance(namespace=namespace, service=service, id=place, address=address, port=port)}
    if document is None or document.type != "static":
        return None
    own = target_port(document.ports[0])
    others = {port.name: target_port(port) for port in document.ports[1:]}
    return {
        (place := f"{static.address}:{static.port or own}"): Instance(
            namespace=namespace,
            service=service,
            id=place,
            address=static.address,
            port=static.port or own,
            ports=others,
            version=static.version,
            zone=static.zone,
            weight=static.weight,
            tags=static.tags,
            metadata=static.metadata,
        )
        for static in document.endpoints
    }


def is_in_subset(instance: Instance, match: SubsetMatch) -> bool:
    if match.version is not None and instance.version != match.version:
        return False
    if match.zone is not None and instance.zone != match.zone:
        return False
    if not set(match.tags) <= set(instance.tags):
        return False
    return all(instance.metadata.get(name) == value for name, value in match.metadata.items())


FIRST_PORT: Final = "http"  # of a service without a document
MULTIPLEXED: Final = frozenset({"http2", "grpc"})
UNSAID: Final = "http"  # what most speak, and every port that says nothing
_USUAL: Final = (ServicePort(),)


def first_ports(services: Iterable[Entry[Service]]) -> dict[ServiceKey, str]:
    """The name under which a service's calls go that ask for no port."""
    return {(entry.namespace, entry.name): entry.spec.ports[0].name for entry in services}


def spoken_ports(
    document: Service | None, instances: Mapping[str, Instance], before: Mapping[str, str]
) -> Mapping[str, str]:
    """By name the ports of a service where something else than HTTP/1.1 is spoken, and what.

    Where its document says nothing of the first one, all that registered are believed who say the same: one who does
    not know HTTP/2 could not be called by it. before: the last answer, which holds while there is nobody.
    """
    ports = _USUAL if document is None else document.ports
    found: dict[str, str] = {port.name: port.protocol for port in ports if port.protocol != UNSAID}
    first = ports[0].name
    if first not in found and (document is None or document.type == "registered"):
        said = _said(instances) if instances else before.get(first, "")
        if said in MULTIPLEXED:
            found[first] = said
    return found


def _said(instances: Mapping[str, Instance]) -> str:
    """By all of them; "": nothing that holds for each."""
    said = {instance.protocol for instance in instances.values()}
    if said == {"grpc"}:
        return "grpc"
    return "http2" if said <= MULTIPLEXED else ""


def with_ports(instances: Mapping[str, Instance], document: Service | None) -> Mapping[str, Instance]:
    """With the ports that the document knows of and an instance does not name."""
    targets = {
        port.name: port.target_port
        for port in (document.ports[1:] if document is not None else ())
        if port.target_port is not None
    }
    if not targets:
        return instances
    return {
        identity: msgspec.structs.replace(instance, ports=targets | instance.ports)
        for identity, instance in instances.items()
    }


def on_port(instances: Mapping[str, Instance], port: str, document: Service | None) -> Mapping[str, Instance]:
    """The instances as they are called on a named port, by the id they registered; those without it are left out.

    The service's first port is what an instance registers as its `port`.
    """
    own = document.ports[0].name if document is not None else FIRST_PORT
    if not port or port == own:
        return instances
    # An id of its own: another port is another endpoint, with its own connections and failures.
    return {
        identity: msgspec.structs.replace(instance, id=f"{identity}:{port}", port=instance.ports[port])
        for identity, instance in instances.items()
        if port in instance.ports
    }


def with_kept(instances: Mapping[str, Instance], kept: Mapping[str, Instance]) -> dict[str, Instance]:
    """The instances, and in place of those that are missing or critical the kept ones."""
    gone = {identity for identity in kept if (real := instances.get(identity)) is None or real.status == "critical"}
    return {**instances, **{identity: kept[identity] for identity in gone}}

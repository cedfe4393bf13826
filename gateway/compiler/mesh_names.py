"""Names on the mesh: `service.namespace.mesh`, `service.namespace`, aliases; bare names of namespace `default`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from gateway.compiler.diff import CompileError, Entry, ServiceKey

DEFAULT_NAMESPACE: Final = "default"
SUFFIX: Final = "mesh"


def mesh_names(service: ServiceKey) -> Iterator[bytes]:
    namespace, name = service
    yield f"{name}.{namespace}.{SUFFIX}".encode()
    yield f"{name}.{namespace}".encode()
    if namespace == DEFAULT_NAMESPACE:
        yield name.encode()


def read_aliases(services: Iterable[Entry[Any]]) -> dict[str, ServiceKey]:
    """With the hosts of services outside. Aliases are unique in the mesh; should two services claim one, the first by
    name has it."""
    aliases: dict[str, ServiceKey] = {}
    for entry in sorted(services, key=lambda entry: entry.key):
        outside = entry.spec.external
        for alias in (*entry.spec.aliases, *(() if outside is None else (outside.host,))):
            aliases.setdefault(plain_host(alias), (entry.namespace, entry.name))
    return aliases


def mesh_service(host: str, namespace: str, aliases: Mapping[str, ServiceKey], at: str) -> ServiceKey:
    """The service that a mesh Route's host means. namespace: the Route's. Raises CompileError."""
    name = plain_host(host)
    owner = aliases.get(name)
    # A bare name is the namespace's own, or another namespace could take it over by an alias.
    if owner is not None and ("." in name or owner[0] == namespace):
        return owner
    labels = name.split(".")
    if len(labels) == 3 and labels[2] == SUFFIX:
        labels.pop()
    if len(labels) == 1:
        return (namespace, labels[0])
    if len(labels) == 2:
        return (labels[1], labels[0])
    raise CompileError(at, f'"{host}" is no service, service.namespace or alias')


def plain_host(host: str) -> str:
    return host.lower().rstrip(".")

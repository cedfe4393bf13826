"""Whose a host is: the namespace that has it for itself (`edge_hosts`), or of whose services it is the name. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from meshway.certificates import covers
from meshway.model.document import MESH_NAMESPACE

_SERVICES: Final = ".mesh"


class EdgeHosts:
    """listed: namespaces, each with its hosts. A host is found in a few look-ups however many there are. Of a wildcard
    any number of labels is meant, as in Routes."""

    def __init__(self, listed: Iterable[tuple[str, Sequence[str]]] = ()) -> None:
        self.hosts: dict[str, tuple[str, ...]] = {}
        self._exact: dict[str, list[str]] = {}
        self._below: dict[str, list[str]] = {}  # by what follows the wildcard, with its dot
        for name, hosts in listed:
            if hosts:
                self.hosts[name] = tuple(hosts)
            for host in hosts:
                place = self._below if host.startswith("*.") else self._exact
                place.setdefault(host.removeprefix("*"), []).append(name)

    def other(self, host: str, namespace: str) -> str | None:
        """Another namespace that has a host which this one means, too."""
        found = self._exact.get(host, []) + [name for suffix in _suffixes(host) for name in self._below.get(suffix, ())]
        if host.startswith("*."):
            suffix = host[1:]
            listed = (*self._exact.items(), *self._below.items())
            found += [name for one, names in listed if one.endswith(suffix) for name in names]
        return next((name for name in found if name != namespace), None)

    def may_certify(self, host: str, namespace: str) -> bool:
        """Whether a Certificate of this namespace may be shown for it."""
        if namespace == MESH_NAMESPACE:
            return True
        return not is_of_other_services(host, namespace) and self.other(host, namespace) is None


def is_of_other_services(host: str, namespace: str) -> bool:
    """Whether it is a name of services, and not of this namespace's."""
    return host.endswith(_SERVICES) and not covers((f"*.{namespace}{_SERVICES}",), host)


def _suffixes(host: str) -> Iterator[str]:
    """`.b.c`, `.c` of `a.b.c`."""
    dot = host.find(".")
    while dot >= 0:
        yield host[dot:]
        dot = host.find(".", dot + 1)

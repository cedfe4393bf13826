"""Hosts of the edge that a Namespace has for itself: Routes and Certificates of the others may not name them.

Otherwise one team takes over another's host by a longer path. And what the mesh issues a certificate for belongs to its
namespace: its services' names, and those hosts.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from meshway.certificates import covers
from meshway.model.certificate import Certificate
from meshway.model.document import MESH_NAMESPACE
from meshway.model.listener import MESH
from meshway.model.namespace import Namespace
from meshway.model.route import Route

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from registry.revisions.draft import Draft
    from registry.view.rows import DocumentRow

_MOST_NAMED: Final = 3


class _Claim(NamedTuple):
    """A host that is not its document's to name. by: the namespace by whose word."""

    path: str
    reason: str
    by: str


class _Owned:
    """Listed hosts, found by a host in a few look-ups however many there are. Of a wildcard any number of labels is
    meant, as in Routes."""

    def __init__(self, draft: Draft) -> None:
        self.hosts: dict[str, tuple[str, ...]] = {}
        self._exact: dict[str, list[str]] = {}
        self._below: dict[str, list[str]] = {}  # by what follows the wildcard, with its dot
        kind = Namespace.__name__
        keys = {(kind, *key) for key in draft.view.documents.get(kind, {})}
        keys |= {key for key in draft.documents if key[0] == kind}
        for row in map(draft.document, sorted(keys)):
            if row is None or not isinstance(row.spec, Namespace) or not row.spec.edge_hosts:
                continue
            name = row.key[2]
            self.hosts[name] = row.spec.edge_hosts
            for host in row.spec.edge_hosts:
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


def misplaced_hosts(changed: Iterable[DocumentRow], draft: Draft) -> Iterator[tuple[DocumentRow, str, str, str]]:
    """Document, path, code and reason of what was written; of a Namespace, too, that others stand in the way of."""
    rows = {row.key: row for row in changed if isinstance(row.spec, Route | Certificate | Namespace)}
    if not rows:
        return
    owned = _Owned(draft)
    namespaces = {row.key[2]: row for row in rows.values() if isinstance(row.spec, Namespace)}
    for row in rows.values():
        for claim in _claims(row, owned):
            yield row, claim.path, "forbidden_combination", claim.reason
    for name, row in namespaces.items():
        for at, host in enumerate(owned.hosts.get(name, ())):
            if (other := owned.other(host, name)) is not None:
                yield row, f"spec.edge_hosts[{at}]", "conflict", f"Namespace {other} has {host} for itself"
    if namespaces:
        yield from _in_the_way(rows, namespaces, owned, draft)


def _in_the_way(
    rows: dict[tuple[str, str, str], DocumentRow], namespaces: dict[str, DocumentRow], owned: _Owned, draft: Draft
) -> Iterator[tuple[DocumentRow, str, str, str]]:
    """Documents that were sound before; of many the first are told."""
    told: Counter[str] = Counter()
    for row in draft.all_documents():
        if row.key in rows or not isinstance(row.spec, Route | Certificate):
            continue
        for claim in _claims(row, owned):
            if claim.by in namespaces and told[claim.by] < _MOST_NAMED:
                told[claim.by] += 1
                reason = f"{row.document.name} at {claim.path}: {claim.reason}"
                yield namespaces[claim.by], "spec.edge_hosts", "forbidden_combination", reason
                break


def _claims(row: DocumentRow, owned: _Owned) -> Iterator[_Claim]:
    namespace, spec = row.key[1], row.spec
    if namespace == MESH_NAMESPACE or not isinstance(spec, Route | Certificate):
        return
    if isinstance(spec, Route) and set(spec.listeners) == {MESH}:
        return
    is_issued = isinstance(spec, Certificate) and spec.mesh_ca is not None
    for at, host in enumerate(spec.hosts):
        path = f"spec.hosts[{at}]"
        if host != "*" and (owner := owned.other(host, namespace)) is not None:
            yield _Claim(path, f"{host} is a host of namespace {owner} alone, which its Namespace says", owner)
        elif is_issued and not covers((*owned.hosts.get(namespace, ()), f"*.{namespace}.mesh"), host):
            own = f"*.{namespace}.mesh"
            reason = f"the mesh issues certificates for {own} and for edge_hosts of Namespace {namespace} alone"
            yield _Claim(path, f"{host}: {reason}", namespace)


def _suffixes(host: str) -> Iterator[str]:
    """`.b.c`, `.c` of `a.b.c`."""
    dot = host.find(".")
    while dot >= 0:
        yield host[dot:]
        dot = host.find(".", dot + 1)

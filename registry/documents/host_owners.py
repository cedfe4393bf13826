"""Hosts of the edge that a Namespace has for itself: Routes and Certificates of the others may not name them.

Otherwise one team takes over another's host by a longer path. And what the mesh issues a certificate for belongs to its
namespace: its services' names, and those hosts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshway.certificates import covers
from meshway.model.certificate import Certificate
from meshway.model.document import MESH_NAMESPACE
from meshway.model.listener import MESH
from meshway.model.namespace import Namespace
from meshway.model.route import Route

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from registry.revisions.draft import Draft
    from registry.view.rows import DocumentRow

_MOST_NAMED: Final = 3


def misplaced_hosts(changed: Iterable[DocumentRow], draft: Draft) -> Iterator[tuple[DocumentRow, str, str, str]]:
    """Document, path, code and reason of what was written; of a Namespace, too, that others stand in the way of."""
    rows = [row for row in changed if isinstance(row.spec, Route | Certificate | Namespace)]
    if not rows:
        return
    owners = _owners(draft)
    for row in rows:
        if isinstance(row.spec, Namespace):
            yield from _of_namespace(row, row.spec, owners, draft)
        else:
            for path, reason in _claimed(row, owners):
                yield row, path, "forbidden_combination", reason


def _owners(draft: Draft) -> dict[str, Sequence[str]]:
    kind = Namespace.__name__
    keys = {(kind, *key) for key in draft.view.documents.get(kind, {})}
    keys |= {key for key in draft.documents if key[0] == kind}
    rows = (draft.document(key) for key in sorted(keys))
    return {row.key[2]: row.spec.edge_hosts for row in rows if row is not None and isinstance(row.spec, Namespace)}


def _of_namespace(
    row: DocumentRow, spec: Namespace, owners: Mapping[str, Sequence[str]], draft: Draft
) -> Iterator[tuple[DocumentRow, str, str, str]]:
    for at, host in enumerate(spec.edge_hosts):
        for other, hosts in owners.items():
            if other != row.key[2] and any(_overlap(host, listed) for listed in hosts):
                yield row, f"spec.edge_hosts[{at}]", "conflict", f"Namespace {other} has {host} for itself"
    found = (each for each in draft.all_documents() if isinstance(each.spec, Route | Certificate))
    named = 0
    for each in sorted(found, key=lambda each: each.key):
        claimed = next(_claimed(each, owners, row.key[2]), None)
        if claimed is not None:
            yield row, "spec.edge_hosts", "forbidden_combination", f"{each.document.name} at {claimed[0]}: {claimed[1]}"
            named += 1
            if named == _MOST_NAMED:
                return


def _claimed(row: DocumentRow, owners: Mapping[str, Sequence[str]], of: str | None = None) -> Iterator[tuple[str, str]]:
    """Path and reason of each host that is not this document's to name. of: by the word of this namespace alone."""
    namespace, spec = row.key[1], row.spec
    if namespace == MESH_NAMESPACE or not isinstance(spec, Route | Certificate):
        return
    if isinstance(spec, Route) and set(spec.listeners) == {MESH}:
        return
    is_issued = isinstance(spec, Certificate) and spec.mesh_ca is not None and of in (None, namespace)
    for at, host in enumerate(spec.hosts):
        owner = next((other for other, hosts in owners.items() if other != namespace and _is_listed(host, hosts)), None)
        if owner is not None and of in (None, owner):
            yield f"spec.hosts[{at}]", f"{host} is a host of namespace {owner} alone, which its Namespace says"
        elif is_issued and not _is_own(host, namespace, owners.get(namespace, ())):
            own = f"*.{namespace}.mesh"
            reason = f"the mesh issues certificates for {own} and for edge_hosts of Namespace {namespace} alone"
            yield f"spec.hosts[{at}]", f"{host}: {reason}"


def _is_own(host: str, namespace: str, listed: Sequence[str]) -> bool:
    return covers((*listed, f"*.{namespace}.mesh"), host)


def _is_listed(host: str, listed: Sequence[str]) -> bool:
    return host != "*" and any(_overlap(host, one) for one in listed)


def _overlap(one: str, other: str) -> bool:
    """Whether some host is meant by both; of a wildcard any number of labels is, as in Routes."""
    if one == other:
        return True
    return _is_below(one, other) or _is_below(other, one)


def _is_below(host: str, wildcard: str) -> bool:
    return wildcard.startswith("*.") and host.endswith(wildcard[1:])

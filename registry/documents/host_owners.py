"""Hosts of the edge that a Namespace has for itself: no Route, TlsRoute or Certificate of the others may name them.

Otherwise one team takes over another's host by a longer path. And what the mesh issues a certificate for belongs to its
namespace: its services' names, and those hosts.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from meshway.certificates import covers
from meshway.edge_hosts import EdgeHosts, is_of_other_services
from meshway.model.certificate import Certificate
from meshway.model.connection_route import TlsRoute
from meshway.model.document import MESH_NAMESPACE
from meshway.model.listener import MESH
from meshway.model.namespace import Namespace
from meshway.model.route import Route
from registry.documents.certified import known_pair

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshway.sealing import Sealing
    from registry.revisions.draft import Draft
    from registry.view.rows import DocumentRow

_MOST_NAMED: Final = 3


class _Claim(NamedTuple):
    """A host that is not its document's to name. by: the namespace by whose word."""

    path: str
    reason: str
    by: str


def _owned(draft: Draft) -> EdgeHosts:
    kind = Namespace.__name__
    keys = {(kind, *key) for key in draft.view.documents.get(kind, {})}
    keys |= {key for key in draft.documents if key[0] == kind}
    rows = [row for row in map(draft.document, sorted(keys)) if row is not None]
    return EdgeHosts((row.key[2], row.spec.edge_hosts) for row in rows if isinstance(row.spec, Namespace))


def misplaced_hosts(
    changed: Iterable[DocumentRow], draft: Draft, sealing: Sealing | None
) -> Iterator[tuple[DocumentRow, str, str, str]]:
    """Document, path, code and reason of what was written; of a Namespace, too, that others stand in the way of.

    sealing: opens the Secrets of Certificates that write no hosts. Of files the gateways judge the names.
    """
    rows = {row.key: row for row in changed if isinstance(row.spec, Route | TlsRoute | Certificate | Namespace)}
    if not rows:
        return
    owned = _owned(draft)
    namespaces = {row.key[2]: row for row in rows.values() if isinstance(row.spec, Namespace)}
    for row in rows.values():
        for claim in _claims(row, owned, draft, sealing):
            yield row, claim.path, "forbidden_combination", claim.reason
    for name, row in namespaces.items():
        for at, host in enumerate(owned.hosts.get(name, ())):
            if (other := owned.other(host, name)) is not None:
                yield row, f"spec.edge_hosts[{at}]", "conflict", f"Namespace {other} has {host} for itself"
    if namespaces:
        yield from _in_the_way(rows, namespaces, owned, draft, sealing)


def _in_the_way(
    rows: dict[tuple[str, str, str], DocumentRow],
    namespaces: dict[str, DocumentRow],
    owned: EdgeHosts,
    draft: Draft,
    sealing: Sealing | None,
) -> Iterator[tuple[DocumentRow, str, str, str]]:
    """Documents that were sound before; of many the first are told."""
    told: Counter[str] = Counter()
    for row in draft.all_documents():
        if row.key in rows or not isinstance(row.spec, Route | TlsRoute | Certificate):
            continue
        for claim in _claims(row, owned, draft, sealing):
            if claim.by in namespaces and told[claim.by] < _MOST_NAMED:
                told[claim.by] += 1
                reason = f"{row.document.name} at {claim.path}: {claim.reason}"
                yield namespaces[claim.by], "spec.edge_hosts", "forbidden_combination", reason
                break


def _claims(row: DocumentRow, owned: EdgeHosts, draft: Draft, sealing: Sealing | None) -> Iterator[_Claim]:
    namespace, spec = row.key[1], row.spec
    if namespace == MESH_NAMESPACE or not isinstance(spec, Route | TlsRoute | Certificate):
        return
    if isinstance(spec, Route) and set(spec.listeners) == {MESH}:
        return
    is_issued = isinstance(spec, Certificate) and spec.mesh_ca is not None
    written = [(f"spec.hosts[{at}]", host) for at, host in enumerate(spec.hosts)]
    if isinstance(spec, Certificate) and not spec.hosts and sealing is not None:
        pair = known_pair(row, draft.document, sealing, draft.at)
        written = [("spec.secret", host) for host in (() if pair is None else pair.hosts)]
    for path, host in written:
        if host != "*" and (owner := owned.other(host, namespace)) is not None:
            yield _Claim(path, f"{host} is a host of namespace {owner} alone, which its Namespace says", owner)
        elif is_issued and not covers((*owned.hosts.get(namespace, ()), f"*.{namespace}.mesh"), host):
            own = f"*.{namespace}.mesh"
            reason = f"the mesh issues certificates for {own} and for edge_hosts of Namespace {namespace} alone"
            yield _Claim(path, f"{host}: {reason}", namespace)
        elif isinstance(spec, Certificate) and is_of_other_services(host, namespace):
            yield _Claim(path, f"{host} is no name of services of namespace {namespace}", namespace)

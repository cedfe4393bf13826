"""What a reference means: the document it names, the Secret it gets, and whether anybody would answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from meshway.model.document import MESH_NAMESPACE
from meshway.model.secret import Secret, may_refer
from meshway.model.service import Service
from registry.documents.matching import is_in_subset
from registry.documents.references import RECEIVER
from registry.view.rows import Reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.revisions.draft import Draft
    from registry.view.rows import DocumentKey, DocumentRow


def referred_secret(reference: Reference, find: Callable[[DocumentKey], DocumentRow | None]) -> DocumentRow | None:
    """The namespace's own, else the one of the mesh that is shared with it, or that of these that is asked for. find: a
    document by its key."""
    for place in reference.places:
        found = find(("Secret", place, reference.name))
        if found is not None and place == reference.namespace:
            return found
        spec = None if found is None else cast("Secret | None", found.spec)
        if spec is not None and may_refer(spec.share_with, reference.namespace):
            return found
    return None


def is_without_instances(reference: Reference, draft: Draft) -> bool:
    """A service or subset that nobody would answer for now; static endpoints count as instances."""
    service = service_of(draft, reference.namespace, reference.name)
    if reference.to not in ("service", "subset") or (service is not None and service.type != "registered"):
        return False
    subset = None
    if reference.to == "subset":
        found = () if service is None else service.subsets
        subset = next((one.match for one in found if one.name == reference.part), None)
    return not any(
        row.instance.status == "passing" and (subset is None or is_in_subset(row.instance, subset))
        for row in draft.instances_of(reference.namespace, reference.name)
    )


def targets_of(reference: Reference) -> tuple[DocumentKey, ...]:
    """The document it refers to, which for a service may not be written; of a list all that may be meant."""
    if reference.to == "descriptors":
        return (("DescriptorSet", reference.namespace, reference.name),)
    if reference.to == "ip_list":
        return tuple(("IpList", namespace, reference.name) for namespace in (reference.namespace, MESH_NAMESPACE))
    if reference.to == "receiver":
        return tuple((RECEIVER, namespace, reference.name) for namespace in (reference.namespace, MESH_NAMESPACE))
    if reference.to == "secret":
        return tuple(("Secret", namespace, reference.name) for namespace in reference.places)
    if reference.to == "listener":
        return (("Listener", MESH_NAMESPACE, reference.name),)
    kind = "Route" if reference.to in ("route", "rule") else "Service"
    return ((kind, reference.namespace, reference.name),)


def service_of(draft: Draft, namespace: str, name: str) -> Service | None:
    row = draft.document(("Service", namespace, name))
    return None if row is None else cast("Service | None", row.spec)

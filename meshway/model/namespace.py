"""Namespace: whose it is, and what holds in it other than in the rest of the mesh. It lives in namespace `mesh`."""

from typing import Annotated, ClassVar

from msgspec import Meta

from meshway.model.document import Spec
from meshway.model.mesh_settings import Approvals, CrossNamespace, Mtls


class Namespace(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Named as the namespace. cross_namespace, mtls: as in MeshSettings, for calls of its services. edge_hosts: hosts
    of the edge that no other namespace's Routes and Certificates may name, exact or `*.suffix`. approvals: people
    besides the author who must agree before its documents change; it only raises what MeshSettings asks for."""

    plural: ClassVar[str] = "namespaces"
    unsupported: ClassVar[frozenset[str]] = frozenset({"self_preservation", "egress_hosts", "quotas"})

    owner: str = ""
    contacts: Annotated[tuple[str, ...], Meta(max_length=32)] = ()
    description: str = ""
    cross_namespace: CrossNamespace | None = None
    edge_hosts: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    mtls: Mtls | None = None
    approvals: Approvals = 0

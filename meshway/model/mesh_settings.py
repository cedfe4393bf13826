"""MeshSettings: what holds for the whole mesh. There is one, `mesh/mesh`."""

from typing import ClassVar, Final, Literal

import msgspec

from meshway.model.document import Part, Spec
from meshway.units import Duration

NAME: Final = "mesh"

CrossNamespace = Literal["deny", "allow"]


class Identity(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """leaf_lifetime: of certificates of services and gateways. They are renewed at half of it."""

    unsupported: ClassVar[frozenset[str]] = frozenset({"revocation_stale"})

    leaf_lifetime: Duration = msgspec.field(default_factory=lambda: Duration(86_400.0))


class MeshSettings(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """cross_namespace: whether Routes may send to services of other namespaces that no AccessPolicy lets them call.
    identity: of workload certificates."""

    plural: ClassVar[str] = "mesh-settings"
    unsupported: ClassVar[frozenset[str]] = frozenset(
        {"trust_domain", "mtls", "leases", "telemetry", "retention", "approvals", "egress"}
    )

    cross_namespace: CrossNamespace | None = None
    identity: Identity | None = None

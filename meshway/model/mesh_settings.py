"""MeshSettings: what holds for the whole mesh. There is one, `mesh/mesh`."""

from typing import ClassVar, Final, Literal

from meshway.model.document import Spec

NAME: Final = "mesh"

CrossNamespace = Literal["deny", "allow"]


class MeshSettings(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """cross_namespace: whether Routes may send to services of other namespaces that no AccessPolicy lets them call."""

    plural: ClassVar[str] = "mesh-settings"
    unsupported: ClassVar[frozenset[str]] = frozenset(
        {"trust_domain", "mtls", "leases", "telemetry", "retention", "approvals", "egress", "identity"}
    )

    cross_namespace: CrossNamespace | None = None

"""Secret: what gateways and registries need to know and nobody is told. It is written, and never read back."""

from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from meshway.model.document import MESH_NAMESPACE, Label, Part, Spec
from meshway.units import Duration

SecretType = Literal["opaque", "tls", "api_key_set", "basic_users", "hmac_keys", "jwks", "ca_bundle"]
# Those that a gateway or registry shows to others; the rest is what it measures others by, and may be several.
SERVING: Final[frozenset[str]] = frozenset({"opaque", "tls"})
EVERY_NAMESPACE: Final = "*"
CLIENT_SECRET: Final = "client_secret"  # noqa: S105 - the name of a text of an opaque one


class SecretRef(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A Secret of the document's namespace or, where that has none of the name, of `mesh`; namespace: of that alone.
    key: which text of one of type opaque, where that holds several. The name is short for it."""

    secret: Label
    key: Annotated[str, Meta(min_length=1, max_length=253)] | None = None
    namespace: Literal["own", "mesh"] | None = None

    def namespaces(self, own: str) -> tuple[str, ...]:
        """Where it is looked for, in this order. own: the document's namespace."""
        if self.namespace is not None:
            return (own if self.namespace == "own" else MESH_NAMESPACE,)
        return (own, MESH_NAMESPACE)


class SecretVersion(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is told of a version: never its contents. until: it is accepted no longer. keys: names in it.

    fingerprint: the same for the same contents; nobody but the registry can compute it.
    """

    n: int
    created_at: str
    until: str | None = None
    fingerprint: str
    keys: tuple[str, ...] = ()


class Secret(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """data: by type. keep: what it holds stays, which is what is answered in place of data. versions: answered, and
    may be written back with keep. overlap: how long replaced contents are accepted, by types that verify. drop_old:
    not at all, from this write on. share_with: in namespace `mesh`, who may refer to it.
    """

    plural: ClassVar[str] = "secrets"
    max_size: ClassVar[int] = 64 << 10

    type: SecretType
    data: Any = None
    keep: bool = False
    overlap: Duration = msgspec.field(default_factory=lambda: Duration(86_400.0))
    drop_old: bool = False
    share_with: Annotated[tuple[str, ...], Meta(max_length=256)] = ()
    versions: Annotated[tuple[SecretVersion, ...], Meta(max_length=5)] = ()


def may_refer(share_with: tuple[str, ...], namespace: str) -> bool:
    """Whether documents of a namespace may refer to a Secret of `mesh`."""
    return namespace in (MESH_NAMESPACE, *share_with) or EVERY_NAMESPACE in share_with


def secret_ref(written: "str | SecretRef") -> SecretRef:
    """The short form is a name."""
    return SecretRef(secret=written) if isinstance(written, str) else written

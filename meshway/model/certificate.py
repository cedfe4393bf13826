"""Certificate: what a gateway shows of itself to callers by TLS, by the host they ask for."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from meshway.model.document import Label, Part, Spec
from meshway.model.secret import SecretRef
from meshway.units import Duration


class CertificateFiles(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Paths on each gateway's host: below its --certificates-dir in namespace `mesh`, elsewhere below the folder in it
    that is named as the namespace. They are read again every 10 s and on SIGHUP."""

    certificate: str
    key: str


class MeshCa(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The mesh's own authority issues it, for a lifetime, with another key each time."""

    lifetime: Duration = msgspec.field(default_factory=lambda: Duration(86_400.0))
    key: Literal["ec256", "ec384", "rsa2048"] = "ec256"


class Expiry(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """So long before the end people are told of it; None: 504h and 72h, and of lives of a week at most a quarter and a
    tenth."""

    warn: Duration | None = None
    critical: Duration | None = None


class Certificate(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one of files, mesh_ca and secret, a Secret of type tls. hosts: for which it is chosen, exact or
    `*.suffix`; none: all DNS names it bears. listeners: where, by the names of these. renew_before: so long before its
    end the mesh issues the next one; None: about half of its life.
    """

    plural: ClassVar[str] = "certificates"
    unsupported: ClassVar[frozenset[str]] = frozenset({"acme"})

    files: CertificateFiles | None = None
    secret: Label | SecretRef | None = None
    mesh_ca: MeshCa | None = None
    renew_before: Duration | None = None
    expiry: Expiry | None = None
    hosts: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    listeners: Annotated[tuple[Label, ...], Meta(min_length=1, max_length=32)] = ("edge-tls",)


def issued_name(certificate: str) -> str:
    """By which gateways are told the pair that the mesh issued for a Certificate, among Secrets; none has such a
    name."""
    return f"certificate:{certificate}"

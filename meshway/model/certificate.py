"""Certificate: what a gateway shows of itself to callers by TLS, by the host they ask for."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from meshway.model.document import Label, Part, Spec
from meshway.model.secret import SecretRef

TlsListener = Literal["edge-tls", "mesh-tls"]


class CertificateFiles(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Paths on each gateway's host, below its --certificates-dir; they are read again every 10 s and on SIGHUP."""

    certificate: str
    key: str


class Certificate(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one of files and secret, a Secret of type tls. hosts: for which it is chosen, exact or `*.suffix`; none:
    all DNS names it bears. listeners: where.
    """

    plural: ClassVar[str] = "certificates"
    unsupported: ClassVar[frozenset[str]] = frozenset({"mesh_ca", "acme", "renew_before", "expiry"})

    files: CertificateFiles | None = None
    secret: Label | SecretRef | None = None
    hosts: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    listeners: Annotated[tuple[TlsListener, ...], Meta(min_length=1, max_length=2)] = ("edge-tls",)

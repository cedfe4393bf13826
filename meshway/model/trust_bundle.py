"""TrustBundle: what every gateway must know of the mesh's identities. The registry itself writes it, nobody else."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from meshway.model.document import Part, Spec

NAME = "mesh"
Phase = Literal["settled", "trust_both", "issue_new", "all_renewed"]
MAX_REVOKED = 20_000  # of those that have not expired: a frame of the feed holds them all

SerialHash = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$(?!\n)")]


class TokenKey(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A key of service tokens as a JWK (RFC 7517) writes it: ES256 alone."""

    kty: Literal["EC"] = "EC"
    crv: Literal["P-256"] = "P-256"
    alg: Literal["ES256"] = "ES256"
    use: Literal["sig"] = "sig"
    kid: str
    x: str
    y: str


class TrustBundle(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """roots: certificates in PEM, each of which is trusted. revoked: `serial_hash` of certificates that are good by
    their dates alone, 16 hex digits each. generation: grows with whatever is changed by people; what expires goes
    without. phase: of a change of the root (docs/internals/identity.md).
    """

    plural: ClassVar[str] = "trust-bundles"
    max_size: ClassVar[int] = 768 << 10

    trust_domain: str
    generation: Annotated[int, Meta(ge=1)]
    phase: Phase = "settled"
    roots: tuple[str, ...] = ()
    token_keys: tuple[TokenKey, ...] = ()
    revoked: Annotated[tuple[SerialHash, ...], Meta(max_length=MAX_REVOKED)] = ()

"""Authentication: who is calling. Of all documents that reach a rule the one with the narrowest target holds, whole."""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from meshway.model.document import Label, Part, Spec, Target
from meshway.model.listener import TRUST_MESH
from meshway.model.match import Text
from meshway.model.oidc import Oidc
from meshway.model.secret import SecretRef
from meshway.units import Duration, Size

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"
]  # fmt: skip


CertifiedName = Literal["uri", "dns", "email", "subject"]


class CredentialPlace(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a caller puts its credential: exactly one. `bearer` in its place: `Authorization: Bearer …` (RFC 6750)."""

    header: str | None = None
    cookie: str | None = None
    query: str | None = None


Place = Literal["bearer"] | CredentialPlace
Places = Annotated[tuple[Place, ...], Meta(min_length=1, max_length=8)]


class Jwt(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A JSON Web Token of one issuer, for one of the audiences. Its keys: `jwks`, a JWKS as it is, or `{secret: NAME}`
    of type jwks, which algorithms with a shared secret (HS256 …) need; or `jwks_uri`, where every gateway fetches them
    each `jwks_refresh`, and believes them up to `jwks_max_stale` after it last could.

    principal_claim: names the caller. from: where tokens are looked for. required_claims: by claim, what it must be; a
    list must hold one that fits. claims_to_headers: by claim, the header that tells the service. max_age: since it was
    issued.
    """

    issuer: Annotated[str, Meta(min_length=1, max_length=512)]
    audiences: Annotated[tuple[str, ...], Meta(min_length=1, max_length=32)]
    algorithms: Annotated[tuple[Algorithm, ...], Meta(min_length=1)] = ("RS256", "ES256", "EdDSA")
    jwks: dict[str, Any] | None = None
    jwks_uri: str | None = None
    jwks_refresh: Duration = msgspec.field(default_factory=lambda: Duration(300.0))
    jwks_max_stale: Duration = msgspec.field(default_factory=lambda: Duration(86_400.0))
    from_: Places = msgspec.field(name="from", default=("bearer",))
    clock_skew: Duration = msgspec.field(default_factory=lambda: Duration(30.0))
    max_age: Duration | None = None
    principal_claim: Annotated[str, Meta(min_length=1, max_length=256)] = "sub"
    required_claims: dict[str, Text] = {}
    claims_to_headers: dict[str, str] = {}


class ApiKey(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A key of a Consumer of the document's namespace or of `mesh`, or one of a Secret of type api_key_set."""

    from_: Places = msgspec.field(name="from", default=(CredentialPlace(header="X-API-Key"),))
    secret: Label | SecretRef | None = None


class Basic(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A user's name and password (RFC 7617) of a Secret of type basic_users. realm: what browsers show; None: the
    document's name."""

    secret: Label | SecretRef
    realm: Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[ !#-\[\]-~]+$(?!\n)")] | None = None


class Mtls(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A certificate by whose handshake the call came. trust: by whose word it holds, `mesh` or a Secret of type
    ca_bundle, as the Listener has it. principal: what of it names the caller, the first it has; of the mesh's own
    certificates it is their one URI. allowed: such names, none: all. forward_certificate: the service is told of it in
    X-Forwarded-Client-Cert.
    """

    trust: Label | SecretRef = TRUST_MESH
    principal: Annotated[tuple[CertifiedName, ...], Meta(min_length=1, max_length=4)] = (
        "uri", "dns", "email", "subject",
    )  # fmt: skip
    allowed: Annotated[tuple[Text, ...], Meta(max_length=256)] = ()
    forward_certificate: bool = False


class Hmac(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A signed request (RFC 9421), by a key of a Secret of type hmac_keys, or jwks (Ed25519, P-256).

    components: what a signature must cover at least; `content-digest`, too, where there is a body, which is held until
    its digest agrees, up to max_body. max_age: since `created`. nonce: each once on a gateway's host within max_age.
    """

    keys: Label | SecretRef
    components: Annotated[tuple[str, ...], Meta(min_length=1, max_length=32)] = (
        "@method", "@authority", "@path", "@query",
    )  # fmt: skip
    max_age: Duration = msgspec.field(default_factory=lambda: Duration(300.0))
    max_body: Size = msgspec.field(default_factory=lambda: Size(1 << 20))
    nonce: Literal["required", "optional"] = "required"


class Introspection(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A token that its issuer is asked about at `endpoint` (RFC 7662), by the client `client_id` with `client_secret`
    of a Secret of type opaque. from: where tokens are looked for. audiences: one of these must be among the token's;
    none: nobody asks. cache: how long a yes holds, never past the token's own end; negative_cache: a no. timeout: of
    one question; without an answer the call is refused.
    """

    endpoint: Annotated[str, Meta(min_length=1, max_length=1024)]
    client_id: Annotated[str, Meta(min_length=1, max_length=256)]
    client_secret: Label | SecretRef
    from_: Places = msgspec.field(name="from", default=("bearer",))
    audiences: Annotated[tuple[str, ...], Meta(max_length=32)] = ()
    cache: Duration = msgspec.field(default_factory=lambda: Duration(30.0))
    negative_cache: Duration = msgspec.field(default_factory=lambda: Duration(5.0))
    timeout: Duration = msgspec.field(default_factory=lambda: Duration(0.5))


class AuthenticationMethod(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One way of proving who calls: exactly one."""

    unsupported: ClassVar[frozenset[str]] = frozenset({"service_token", "external"})

    jwt: Jwt | None = None
    api_key: ApiKey | None = None
    basic: Basic | None = None
    hmac: Hmac | None = None
    mtls: Mtls | None = None
    oidc: Oidc | None = None
    introspection: Introspection | None = None


class Authentication(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who is calling. The first method whose credential holds says it.

    require: `any` refuses who shows no credential, `all` who lacks that of one of the methods, `optional` lets him pass
    as nobody; a credential that does not hold is refused either way. forward_credentials: the service gets them too.
    """

    plural: ClassVar[str] = "authentications"
    targets: tuple[Target, ...] = ()
    methods: Annotated[tuple[AuthenticationMethod, ...], Meta(min_length=1, max_length=8)]
    require: Literal["any", "all", "optional"] = "any"
    forward_credentials: bool = False

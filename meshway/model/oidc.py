"""Oidc: people log in at an OpenID provider with their browser, and stay logged in by a session cookie."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from meshway.model.document import Label, Part
from meshway.model.match import Text
from meshway.model.secret import SecretRef
from meshway.units import Duration


class OidcLogout(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """path: a POST to it ends the session. end_session: at the issuer, too, where it has such an end point."""

    path: str = "/.meshway/oidc/logout"
    end_session: bool = True


class OidcSession(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """lifetime: from the login on; idle: without a call. domain: the cookie goes to its hosts, None: to one host."""

    store: Literal["cookie"] = "cookie"
    lifetime: Duration = msgspec.field(default_factory=lambda: Duration(28_800.0))
    idle: Duration = msgspec.field(default_factory=lambda: Duration(3600.0))
    same_site: Literal["lax", "none"] = "lax"
    domain: str | None = None


class Oidc(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """OpenID Connect's code flow with PKCE. client_secret: a Secret of type opaque, its key `client_secret`.

    redirect_path: where the issuer sends browsers back to. principal_claim, required_claims, claims_to_headers: as of a
    Jwt. groups_claim: the caller's groups. forward: the token that the service gets. unauthenticated: `auto` sends
    those to the issuer who look like a browser that opens a page, `redirect` every GET, `refuse` nobody.
    """

    issuer: Annotated[str, Meta(min_length=1, max_length=512)]
    client_id: Annotated[str, Meta(min_length=1, max_length=256)]
    client_secret: Label | SecretRef
    scopes: Annotated[tuple[str, ...], Meta(min_length=1, max_length=32)] = ("openid",)
    redirect_path: str = "/.meshway/oidc/callback"
    logout: OidcLogout = msgspec.field(default_factory=OidcLogout)
    principal_claim: Annotated[str, Meta(min_length=1, max_length=256)] = "sub"
    groups_claim: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    required_claims: dict[str, Text] = {}
    claims_to_headers: dict[str, str] = {}
    forward: Literal["none", "access_token", "id_token"] = "none"
    unauthenticated: Literal["auto", "redirect", "refuse"] = "auto"
    session: OidcSession = msgspec.field(default_factory=OidcSession)

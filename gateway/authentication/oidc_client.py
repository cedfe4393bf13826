"""A document's client at its OpenID provider: tokens for codes, and what they say, verified.

RFC 6749 §4.1.3, §6 and §2.3.1; RFC 7636; OpenID Connect Core 1.0 §3.1.3.7 and §12.2.
"""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus, urlencode

import msgspec

from gateway.authentication.session_cookie import SessionSeal
from gateway.issuer_link import IssuerLink
from gateway.key_ring import KeyRing
from gateway.openid_provider import Provider, read_provider, set_name
from gateway.secret_ring import SecretRing
from meshway.jwt import TokenFault, TokenRules, verify
from meshway.model.oidc import Oidc
from meshway.model.secret import secret_ref
from meshway.outbound.connection import PlainError

SECRET_KEY: Final = "client_secret"  # noqa: S105  # its name
# A provider that was not reached for so long is taken to be down: nobody is sent there.
LOGIN_STALE_S: Final = 900.0
KEYS_STALE_S: Final = 86_400.0


class IssuerAway(Exception):
    """Nobody can log in now. The message is for whoever reads the answer, and holds nothing of a secret."""


class LoginRefused(Exception):
    """The provider's word, or ours: this one does not log in. The message holds nothing of a token."""


class Tokens(NamedTuple):
    """claims: of the ID token, None where a refresh brought none. expires: seconds since 1970, 0 = not said."""

    claims: Mapping[str, Any] | None
    access_token: str
    id_token: str
    refresh_token: str
    expires: float


class Credentials(NamedTuple):
    secret: str
    seal: SessionSeal


class OidcClient:
    """namespace, title: of the document. wall: seconds since 1970; now: monotonic seconds."""

    def __init__(
        self,
        spec: Oidc,
        namespace: str,
        title: str,
        keys: KeyRing,
        secrets: SecretRing,
        link: IssuerLink,
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.spec = spec
        self._namespace, self._title = namespace, title
        self._keys, self._secrets, self._link = keys, secrets, link
        self._now, self._wall = now, wall
        self._set = set_name(spec.issuer)
        self._secret_name = secret_ref(spec.client_secret).secret
        self._credentials: Credentials | None = None
        self._provider: Provider | None = None
        self._rules = TokenRules(spec.issuer, frozenset({spec.client_id}))

    def credentials(self) -> Credentials | None:
        """None: the Secret is not known here, or of no use."""
        if self._credentials is None:
            frame = self._secrets.held(self._namespace, self._secret_name)
            if frame is None or frame.type != "opaque" or not frame.versions:
                return None
            version = frame.versions[0]
            secret = version.data.get(SECRET_KEY) if isinstance(version.data, Mapping) else None
            if not isinstance(secret, str) or not secret or len(version.session_key) != 32:
                return None
            owner = f"{self._title} {self.spec.issuer} {self.spec.client_id}"
            self._credentials = Credentials(secret, SessionSeal(version.session_key, owner))
        return self._credentials

    def provider(self, stale_s: float) -> Provider:
        """As it was published no longer ago than that. Raises IssuerAway."""
        held = self._keys.text(self._set)
        if held is None or held[1] < self._wall() - stale_s:
            raise IssuerAway("the issuer cannot be reached")
        if self._provider is None:
            try:
                self._provider = read_provider(held[0])
            except msgspec.DecodeError as error:
                raise IssuerAway("the issuer says nothing of use of itself") from error
        return self._provider

    def forget(self) -> None:
        """Keys, end points or the secret are others."""
        self._credentials = self._provider = None

    async def redeem(self, code: str, verifier: str, redirect_uri: str, nonce: str) -> Tokens:
        """Raises IssuerAway, LoginRefused."""
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier,
        }  # fmt: skip
        tokens = self._read(await self._ask(form), "")
        if tokens.claims is None:
            raise LoginRefused("the issuer gave no ID token")
        said = tokens.claims.get("nonce")
        if not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
            raise LoginRefused("the ID token was made for another login")
        return tokens

    async def refresh(self, token: str, subject: object) -> Tokens:
        """subject: of the session's claims, which must stay. Raises IssuerAway, LoginRefused."""
        tokens = self._read(await self._ask({"grant_type": "refresh_token", "refresh_token": token}), token)
        if tokens.claims is not None and tokens.claims.get("sub") != subject:
            raise LoginRefused("the issuer says that somebody else is logged in")
        return tokens

    async def _ask(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        provider, credentials = self.provider(KEYS_STALE_S), self.credentials()
        if credentials is None:
            raise IssuerAway("the client's secret is not known here")
        fields, form = b"", dict(form)
        ways = provider.token_endpoint_auth_methods_supported
        if "client_secret_post" in ways and "client_secret_basic" not in ways:
            form |= {"client_id": self.spec.client_id, "client_secret": credentials.secret}
        else:
            pair = f"{quote_plus(self.spec.client_id)}:{quote_plus(credentials.secret)}"
            fields = b"Authorization: Basic %b\r\n" % base64.b64encode(pair.encode())
        try:
            status, text = await self._link.post(provider.token_endpoint, urlencode(form).encode(), fields)
        except PlainError as error:
            raise IssuerAway("the issuer does not answer") from error
        try:
            said = json.loads(text.decode())
        except (ValueError, RecursionError):
            said = None
        if status in (400, 401) and isinstance(said, dict):
            if said.get("error") == "invalid_grant":
                raise LoginRefused("the issuer does not know this login, or no longer")
            raise IssuerAway("the issuer does not take this gateway for its client")
        if status != 200 or not isinstance(said, dict):
            raise IssuerAway(f"the issuer answers {status}")
        return said

    def _read(self, said: Mapping[str, Any], refresh_token: str) -> Tokens:
        """refresh_token: the one that goes on where the answer has no other."""
        id_token, access, further = said.get("id_token", ""), said.get("access_token", ""), said.get("refresh_token")
        if not isinstance(id_token, str) or not isinstance(access, str) or not _is_token(access):
            raise LoginRefused("the issuer's tokens are of no use")
        life = said.get("expires_in")
        is_number = isinstance(life, int | float) and not isinstance(life, bool) and 0 < life < 1e9
        expires = self._wall() + float(life) if is_number and life is not None else 0.0
        claims = self._verified(id_token) if id_token else None
        refresh = further if isinstance(further, str) and further else refresh_token
        return Tokens(claims, access, id_token, refresh, expires)

    def _verified(self, token: str) -> Mapping[str, Any]:
        wall = self._wall()
        keys = self._keys.keys(self._set, wall - KEYS_STALE_S)
        if keys is None:
            raise IssuerAway("no keys of the issuer are known here")
        try:
            claims = verify(token.encode("utf-8", "surrogatepass"), self._rules, keys, wall)
        except TokenFault as fault:
            if fault.unknown_key is not None:
                self._keys.miss(self._set, self._now())
                raise IssuerAway("the issuer's new keys are not known here yet") from fault
            raise LoginRefused(fault.reason) from fault
        if "iat" not in claims or not isinstance(claims.get("sub"), str):
            raise LoginRefused("the ID token lacks what it must say")
        audience, party = claims["aud"], claims.get("azp")
        if (party is not None or (isinstance(audience, list) and len(audience) > 1)) and party != self.spec.client_id:
            raise LoginRefused("the ID token is for another client")
        return claims


def _is_token(text: str) -> bool:
    """Whether it may stand in `Authorization: Bearer` (RFC 6750 §2.1), or is none."""
    return text.isascii() and text.isprintable() and " " not in text

"""The code flow with PKCE at one OpenID provider: where browsers go, tokens for codes, what they say, verified.

RFC 6749 §4.1, §6 and §2.3.1; RFC 7636; RFC 9207; OpenID Connect Core 1.0 §3.1 and §12.2.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus, urlencode

import msgspec

from meshway.issuers.key_ring import KeyRing
from meshway.issuers.link import IssuerLink
from meshway.issuers.logins import Login
from meshway.issuers.provider import Provider, read_provider, set_name
from meshway.jwt import TokenFault, TokenRules, verify
from meshway.outbound.connection import PlainError

# A provider that was not reached for so long is taken to be down: nobody is sent there.
LOGIN_STALE_S: Final = 900.0
KEYS_STALE_S: Final = 86_400.0
_LONGEST_CODE: Final = 4096
_ERROR: Final = re.compile(r"[a-z_]{1,64}\Z")


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


class CodeFlow:
    """secret: the client's, None: it is not known now. now: monotonic seconds; wall: seconds since 1970."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        secret: Callable[[], str | None],
        keys: KeyRing,
        link: IssuerLink,
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._client_id, self._secret = client_id, secret
        self._keys, self._link = keys, link
        self._now, self._wall = now, wall
        self._set = set_name(issuer)
        self._provider: Provider | None = None
        self._rules = TokenRules(issuer, frozenset({client_id}))

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
        """Keys or end points are others."""
        self._provider = None

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
        provider, secret = self.provider(KEYS_STALE_S), self._secret()
        if secret is None:
            raise IssuerAway("the client's secret is not known here")
        fields, form = b"", dict(form)
        ways = provider.token_endpoint_auth_methods_supported
        if "client_secret_post" in ways and "client_secret_basic" not in ways:
            form |= {"client_id": self._client_id, "client_secret": secret}
        else:
            pair = f"{quote_plus(self._client_id)}:{quote_plus(secret)}"
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
            raise IssuerAway("the issuer does not take us for its client")
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
        if (party is not None or (isinstance(audience, list) and len(audience) > 1)) and party != self._client_id:
            raise LoginRefused("the ID token is for another client")
        return claims


def new_login(now_s: float, host: bytes, back: bytes) -> Login:
    """now_s: since 1970. host: by which the browser came; back: path and query, where it goes on."""
    state, nonce, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(16), secrets.token_urlsafe(32)
    return Login(now_s, state, nonce, verifier, host.decode("latin-1"), back.decode("latin-1"))


def authorization_url(
    provider: Provider,
    client_id: str,
    redirect_uri: str,
    scopes: Sequence[str],
    login: Login,
    *,
    asks_again: bool = False,
) -> str:
    """Where the browser is sent. asks_again: whoever is logged in at the issuer has to show anew who he is, and the ID
    token says when (`auth_time`; OpenID Connect Core 1.0 §3.1.2.1)."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(login.verifier.encode()).digest()).rstrip(b"=")
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(scopes),
        "state": login.state,
        "nonce": login.nonce,
        "code_challenge": challenge.decode(),
        "code_challenge_method": "S256",
    }
    if asks_again:
        asked |= {"prompt": "login", "max_age": "0"}
    return with_query(provider.authorization_endpoint, asked)


def code_of(said: Mapping[bytes, bytes], issuer: str) -> str:
    """Of the query by which a browser comes back. Raises LoginRefused."""
    answering = said.get(b"iss")
    if answering is not None and answering != issuer.encode():
        raise LoginRefused("another issuer answers")
    code = said.get(b"code", b"")
    if b"error" in said or not 0 < len(code) <= _LONGEST_CODE:
        error = said.get(b"error", b"").decode("latin-1")
        raise LoginRefused(f"the issuer lets nobody in: {error if _ERROR.match(error) else 'no code'}")
    return code.decode("latin-1")


def with_query(url: str, asked: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(asked)}"


def _is_token(text: str) -> bool:
    """Whether it may stand in `Authorization: Bearer` (RFC 6750 §2.1), or is none."""
    return text.isascii() and text.isprintable() and " " not in text

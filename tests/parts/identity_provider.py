"""A small OpenID provider over real HTTP: discovery, keys, authorization and tokens. Whoever comes is its subject."""

import base64
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from tests.parts.tokens import SigningKey, base64url, token
from tests.parts.upstream import Received, RecordingUpstream

CLIENT, SECRET = "backoffice", "canary-client:secret-5f1d"  # of tests


class IdentityProvider:
    """claims: further ones of ID tokens, or others. life_s: of access tokens. is_down: answers 503. refusal: of logins.
    nonce: in place of the one that was asked for. signed: makes the ID token of its claims. asks_again: where it is
    to, and says when. host: of its URLs, a name of this machine.

    asked: grants, in order. A code is good once, by the client and the verifier it was asked for.
    """

    def __init__(self) -> None:
        self.key = SigningKey("EC")
        self.key_id = "k1"
        self.claims: dict[str, Any] = {}
        self.life_s = 3600
        self.is_down = False
        self.refusal = ""
        self.subject = "ada"
        self.nonce: str | None = None
        self.asks_again = True
        self.signed: Callable[[dict[str, Any]], str] = lambda claims: token(self.key, claims, kid=self.key_id)
        self.asked: list[str] = []
        self.host = "127.0.0.1"
        self._codes: dict[str, dict[str, str]] = {}
        self._refresh: set[str] = set()
        self._made = 0
        self.upstream = RecordingUpstream(pieces_of=self._answer)

    @property
    def issuer(self) -> str:
        return f"http://{self.host}:{self.upstream.port}"

    def revoke(self) -> None:
        self._refresh.clear()

    def _answer(self, received: Received) -> list[bytes]:
        parts = urlsplit(received.target.decode())
        if self.is_down:
            return _said(503, {})
        if parts.path == "/.well-known/openid-configuration":
            return _said(200, self._configuration())
        if parts.path == "/keys":
            return _said(200, {"keys": [self.key.jwk(self.key_id)]})
        if parts.path == "/authorize":
            return self._authorize({name: values[0] for name, values in parse_qs(parts.query).items()})
        if parts.path == "/token":
            return self._token(received)
        return _said(404, {})

    def _configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/logout",
        }

    def _authorize(self, asked: dict[str, str]) -> list[bytes]:
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        said = {"state": asked["state"], "iss": self.issuer}
        if self.refusal:
            said["error"] = self.refusal
        else:
            self._made += 1
            said["code"] = f"code-{self._made}"
            self._codes[said["code"]] = asked
        location = f"{asked['redirect_uri']}?{urlencode(said)}"
        return [b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n" % location.encode()]

    def _token(self, received: Received) -> list[bytes]:
        form = {name: values[0] for name, values in parse_qs(received.body.decode()).items()}
        shown = base64.b64decode(received.values(b"authorization")[0].removeprefix(b"Basic ")).decode()
        client, _, secret = shown.partition(":")
        if (unquote_plus(client), unquote_plus(secret)) != (CLIENT, SECRET):
            return _said(401, {"error": "invalid_client"})
        self.asked.append(form["grant_type"])
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] not in self._refresh:
                return _said(400, {"error": "invalid_grant"})
            self._refresh.discard(form["refresh_token"])
            return self._tokens(None, {})
        asked = self._codes.pop(form["code"], None)
        if asked is None or asked["redirect_uri"] != form["redirect_uri"]:
            return _said(400, {"error": "invalid_grant"})
        challenge = base64url(hashlib.sha256(form["code_verifier"].encode()).digest())
        if challenge != asked["code_challenge"]:
            return _said(400, {"error": "invalid_grant"})
        return self._tokens(asked["nonce"], asked)

    def _tokens(self, nonce: str | None, asked: dict[str, str]) -> list[bytes]:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": self.subject, "iat": now, "exp": now + 300}
        if "max_age" in asked and self.asks_again:
            claims["auth_time"] = now
        claims |= self.claims
        if nonce is not None:
            claims["nonce"] = self.nonce or nonce
        self._made += 1
        said: dict[str, Any] = {
            "access_token": f"access-{self._made}",
            "token_type": "Bearer",
            "expires_in": self.life_s,
            "id_token": self.signed(claims),
        }
        said["refresh_token"] = f"refresh-{self._made}"
        self._refresh.add(said["refresh_token"])
        return _said(200, said)


def _said(status: int, content: dict[str, Any]) -> list[bytes]:
    text = json.dumps(content).encode()
    return [
        b"HTTP/1.1 %d Said\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(text)),
        text,
    ]

"""People sign in by an OpenID provider: a browser is sent there, comes back, and gets a session.

OpenID Connect Core 1.0 §3.1, RFC 7636, RFC 8252 §7.3 (the command's own loopback address). What was begun stands in a
sealed cookie of the browser that began it, and nothing of it here. A command gets no session by its browser, but a
grant that only who began can change for one: it is bound to a challenge.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec

from meshway.http1.cookies import cookie_values
from meshway.identity import Principal
from meshway.issuers.code_flow import (
    KEYS_STALE_S,
    LOGIN_STALE_S,
    IssuerAway,
    LoginRefused,
    authorization_url,
    code_of,
    new_login,
    with_query,
)
from meshway.issuers.logins import SKEW_S, CookieSeal, LoginJar
from meshway.jwt import TokenFault
from meshway.problem import Problem, invalid_request, not_found
from registry.federation.federation import PERSON, principal_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from meshway.issuers.code_flow import CodeFlow
    from meshway.sealing import Sealing
    from registry.federation.federation import Federation
    from registry.federation.providers import Provider
    from registry.people.sessions import Opened, Sessions
    from registry.rights.token import Grant

CALLBACK: Final = "/v1/session/oidc/callback"
GRANT_S: Final = 60.0
# What a provider has said of somebody, his groups and that he is with them at all, is believed so long.
LASTS_S: Final = 12 * 3600.0
MAX_BACK: Final = 1024
# Of the sealed cookie that holds an ID token; browsers keep 4,096 bytes of a cookie with its name.
MAX_HINT: Final = 3_800
_NAMES: Final = {True: b"meshway-sso-", False: b"__Host-meshway-sso-"}
_COMMAND: Final = "command:"  # begins where a login of the command goes on, in place of a path
_CHALLENGE: Final = 43  # SHA-256 in base64url


class Onward(NamedTuple):
    """Where a browser goes, and the fields Set-Cookie of the answer (whole lines)."""

    url: str
    cookies: bytes


class Arrived(NamedTuple):
    """Somebody who is let in. confirmed_at: when the provider last asked who it is, seconds since 1970, 0 = it does not
    say. back: a path of ours, where a browser goes on; grant_url: where a command's browser does, with what it changes
    for a session, empty: it is none."""

    principal: Principal
    confirmed_at: float
    back: str
    grant_url: str


class Refused(Exception):
    """Nobody is let in. cookies: as in Onward. who: as far as it is known, for the audit log."""

    def __init__(self, problem: Problem, cookies: bytes, who: str = "") -> None:
        super().__init__(problem.detail)
        self.problem, self.cookies, self.who = problem, cookies, who


class _Grant(msgspec.Struct, frozen=True, array_like=True):
    """until: seconds since 1970. challenge: of who may use it (RFC 7636 §4.2)."""

    until: float
    challenge: str
    principal: str
    groups: tuple[str, ...]
    confirmed_at: float


class _Hint(msgspec.Struct, frozen=True, array_like=True):
    """What the provider is shown at a sign-out, so that it knows whose it is and asks no more."""

    id_token: str


_grants: Final = msgspec.msgpack.Decoder(_Grant)
_hints: Final = msgspec.msgpack.Decoder(_Hint)


class SingleSignOn:
    """sealing: of the store, so that any registry over it takes in whom another has sent; None: this one alone does.
    held_by: grants of groups. wall: seconds since 1970."""

    def __init__(
        self,
        federation: Federation,
        sealing: Sealing | None,
        sessions: Sessions,
        held_by: Callable[[Iterable[str]], tuple[Grant, ...]],
        wall: Callable[[], float],
    ) -> None:
        self._federation, self._sessions = federation, sessions
        self._held_by, self._wall = held_by, wall
        key = secrets.token_bytes(32) if sealing is None else sealing.derive("single sign-on")
        self._seals = {name: CookieSeal(key, f"provider {name}") for name in federation.flows}
        self._grants = CookieSeal(key, "grants")
        self.url = federation.url
        self.is_plain = federation.url.startswith("http://")
        tail = b"; Path=/; HttpOnly; SameSite=Lax" + (b"" if self.is_plain else b"; Secure")
        prefix = _NAMES[self.is_plain]
        self._hint_names = {name: b"%bhint_%b" % (prefix, name.encode()) for name in federation.flows}
        self._tail = tail
        self._jars = {name: LoginJar(b"%b%b." % (prefix, name.encode()), tail) for name in federation.flows}
        self._host = urlsplit(federation.url).netloc.encode()
        self._redirect_uri = federation.url + CALLBACK

    def offered(self) -> list[Provider]:
        """Where people may sign in."""
        return [self._federation.providers[name] for name in self._federation.flows]

    def start(
        self,
        name: str,
        authority: bytes,
        block: bytes,
        *,
        back: str,
        port: int,
        challenge: str,
        asks_again: bool = False,
    ) -> Onward:
        """name: of the provider; "" = the only one. back: a path of ours. port, challenge: of a command on the
        browser's own machine, 0 and "" = it is no command. asks_again: as in authorization_url. block: of the
        request. Raises Problem 404, 421, 422, 503."""
        provider, flow = self._named(name)
        if authority.lower() != self._host.lower():
            raise Problem(
                421,
                "other_host",
                "Another host",
                detail="people sign in where their browser's cookies are kept",
                mend=f"open {self._federation.url}",
            )
        onward = _command(port, challenge) if port or challenge else _local(back)
        login = new_login(self._wall(), authority, f"{provider.name} {asks_again:d} {onward}".encode())
        try:
            published = flow.provider(LOGIN_STALE_S)
        except IssuerAway as away:
            raise _away(provider, away) from away
        # The state says which provider it was begun at, so that another's answer is none to it.
        login = msgspec.structs.replace(login, state=f"{login.state}.{provider.name}")
        url = authorization_url(
            published, provider.client_id, self._redirect_uri, provider.scopes, login, asks_again=asks_again
        )
        return Onward(url, self._jars[provider.name].begin(login, self._seals[provider.name], block))

    async def callback(self, said: Mapping[bytes, bytes], authority: bytes, block: bytes) -> tuple[Arrived, bytes]:
        """said: of the query. Returns who is let in, and lines that end what was begun. Raises Refused."""
        state = said.get(b"state", b"")
        name = state.partition(b".")[2].decode("latin-1")
        jar = self._jars.get(name)
        found = None if jar is None else jar.begun(state, authority, self._seals[name], block, self._wall())
        if found is None:
            detail = "this sign-in was not begun by this browser, or is over"
            raise Refused(_refusal(detail, f"sign in again: {self._federation.url}"), b"")
        login, ended = found
        provider, flow = self._federation.providers[name], self._federation.flows[name]
        begun_at, asks_again, onward = login.back.split(" ", 2)
        assert begun_at == name, "what is sealed for one provider is opened for it alone"
        try:
            code = code_of(said, provider.issuer)
            tokens = await flow.redeem(code, login.verifier, self._redirect_uri, login.nonce)
            assert tokens.claims is not None
            confirmed_at = _confirmed_at(tokens.claims, self._wall())
            if asks_again == "1" and confirmed_at < login.begun - SKEW_S:
                raise LoginRefused("the issuer does not say that it has asked again who it is")
            principal = principal_of(provider, tokens.claims, PERSON)
        except IssuerAway as away:
            raise Refused(_away(provider, away), ended) from away
        except LoginRefused as refused:
            raise Refused(_refusal(str(refused), "sign in again"), ended) from refused
        except TokenFault as fault:
            raise Refused(_denied(fault.reason), ended) from fault
        if not self._held_by(principal.groups):
            named = ", ".join(sorted(principal.groups)[:20]) or f"{provider.groups_claim} names none"
            detail = f"{principal.name} has no role here; groups: {named}"
            raise Refused(_denied(detail), ended, principal.name)
        if onward.startswith(_COMMAND):
            return Arrived(principal, confirmed_at, "/", self._granted(principal, onward, confirmed_at)), ended
        return Arrived(principal, confirmed_at, onward, ""), ended + self._hint(provider, tokens.id_token)

    async def open(self, arrived: Arrived, *, address: str, agent: str, action: str) -> Opened:
        """A browser's session. Raises Problem 503."""
        return await self._sessions.open(
            arrived.principal,
            (),
            "sso",
            action=action,
            address=address,
            agent=agent,
            confirmed_at=arrived.confirmed_at,
            lasts_s=LASTS_S,
        )

    async def redeem(self, grant: str, verifier: str, *, address: str, agent: str, action: str) -> tuple[Opened, str]:
        """A command's session, and whose it is. Raises Problem 401, 403, 503."""
        opened = self._grants.open(grant.encode("latin-1", "replace"), self._wall(), _grants)
        if opened is None or self._wall() > opened.until:
            raise _refusal("the grant is none of ours, or over", "sign in again: meshway login --sso")
        shown = _challenge_of(verifier)
        if not hmac.compare_digest(shown.encode(), opened.challenge.encode()):
            raise _refusal("the grant is another command's", "sign in again: meshway login --sso")
        principal = Principal(opened.principal, groups=frozenset(opened.groups), method=PERSON)
        if not self._held_by(principal.groups):
            raise _denied(f"{principal.name} has no role here")
        session = await self._sessions.open(
            principal,
            (),
            "sso",
            action=action,
            carrier="bearer",
            address=address,
            agent=agent,
            confirmed_at=opened.confirmed_at,
            lasts_s=LASTS_S,
        )
        return session, principal.name

    def end(self, name: str, block: bytes) -> Onward:
        """Where a browser goes that has signed out here, so that it is signed out at the provider, too. block: of the
        request, with the ID token in a cookie (OpenID Connect RP-Initiated Logout 1.0 §2: id_token_hint). Raises
        Problem 404."""
        provider, flow = self._named(name)
        home = f"{self._federation.url}/"
        try:
            end_point = flow.provider(KEYS_STALE_S).end_session_endpoint if provider.end_session else ""
        except IssuerAway:
            end_point = ""
        asked = {"client_id": provider.client_id, "post_logout_redirect_uri": home}
        hint_name = self._hint_names[provider.name]
        text = cookie_values(block).get(hint_name)
        hint = None if text is None else self._seals[provider.name].open(text, self._wall(), _hints)
        if hint is not None:
            asked["id_token_hint"] = hint.id_token
        cleared = b"" if text is None else b"Set-Cookie: %b=; Max-Age=0%b\r\n" % (hint_name, self._tail)
        return Onward(with_query(end_point, asked) if end_point else home, cleared)

    def _hint(self, provider: Provider, id_token: str) -> bytes:
        """The ID token for the browser to keep, where the provider wants it at the end and it is not too long."""
        if not provider.end_session:
            return b""
        sealed = self._seals[provider.name].seal(_Hint(id_token), self._wall())
        if len(sealed) > MAX_HINT:
            return b""
        return b"Set-Cookie: %b=%b; Max-Age=%d%b\r\n" % (
            self._hint_names[provider.name], sealed, int(LASTS_S), self._tail,
        )  # fmt: skip

    def _named(self, name: str) -> tuple[Provider, CodeFlow]:
        flows = self._federation.flows
        if not name and len(flows) == 1:
            name = next(iter(flows))
        if name not in flows:
            raise not_found(f"provider {name}", f"there are: {', '.join(flows) or 'none'}")
        return self._federation.providers[name], flows[name]

    def _granted(self, principal: Principal, onward: str, confirmed_at: float) -> str:
        port, challenge = onward.removeprefix(_COMMAND).split(":")
        grant = _Grant(self._wall() + GRANT_S, challenge, principal.name, tuple(sorted(principal.groups)), confirmed_at)
        text = self._grants.seal(grant, self._wall()).decode()
        return f"http://127.0.0.1:{port}/?{urlencode({'grant': text})}"


def _confirmed_at(claims: Mapping[str, Any], now: float) -> float:
    """Of an ID token; 0: it does not say."""
    said = claims.get("auth_time")
    is_time = isinstance(said, int | float) and not isinstance(said, bool) and 0 < said <= now + SKEW_S
    return min(float(said), now) if is_time and said is not None else 0.0


def _local(back: str) -> str:
    """Raises Problem 422 for what could lead to another site."""
    is_path = back.startswith("/") and not back.startswith(("//", "/\\"))
    if not is_path or len(back) > MAX_BACK or not back.isascii() or not back.isprintable() or "\\" in back:
        raise invalid_request("back: is no path of this registry, such as /services")
    return back


def _command(port: int, challenge: str) -> str:
    """Raises Problem 422."""
    is_challenge = len(challenge) == _CHALLENGE and challenge.replace("-", "a").replace("_", "a").isalnum()
    if not 0 < port < 65536 or not is_challenge or not challenge.isascii():
        raise invalid_request("port and challenge come together: a port, and a SHA-256 in base64url")
    return f"{_COMMAND}{port}:{challenge}"


def _challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode("utf-8", "replace")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _refusal(detail: str, mend: str) -> Problem:
    return Problem(401, "sign_in_refused", "Not signed in", detail=detail, mend=mend)


def _denied(detail: str) -> Problem:
    mend = "ask an admin to bind a role to one of the groups: meshway user bind --group PROVIDER:GROUP --role ROLE"
    return Problem(403, "no_role", "Not let in", detail=detail, mend=mend)


def _away(provider: Provider, away: IssuerAway) -> Problem:
    return Problem(
        503,
        "provider_away",
        "The provider is away",
        detail=f"{provider.title or provider.name}: {away}",
        mend="try again in some seconds; local users sign in meanwhile, and tokens go on",
        headers={"Retry-After": "5"},
    )

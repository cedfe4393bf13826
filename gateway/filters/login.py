"""Sends browsers to their OpenID provider and takes them in again: begin, callback, logout, around authentication.

RFC 6749 §4.1, RFC 7636, RFC 9207; OpenID Connect Core 1.0 §3.1.2, RP-Initiated Logout 1.0. A login is the browser's
that began it: its state stands in a sealed cookie, and what comes back must name it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from gateway.authentication.oidc_client import OidcClient
from gateway.authentication.oidc_method import OidcMethod
from gateway.authentication.places import Credentials
from gateway.exchange import EDGE, Exchange, Reply
from gateway.plan import Forecast, RequestFilter
from meshway.http1.fields import find
from meshway.http1.query import first_values
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
from meshway.issuers.logins import Login
from meshway.jwt import TokenFault

_LONGEST_BACK: Final = 1024
_NEAR: Final = frozenset({b"localhost", b"127.0.0.1", b"[::1]"})
_UNSTORED: Final = b"Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"


class LoginDesk:
    """policy: `Authentication shop/people`. wall: seconds since 1970."""

    def __init__(self, method: OidcMethod, policy: str, wall: Callable[[], float]) -> None:
        self._method, self._policy, self._wall = method, policy, wall
        self._client: OidcClient = method.client
        spec = self._spec = method.client.spec
        self.issuer = spec.issuer
        self.callback_path, self.logout_path = spec.redirect_path.encode(), spec.logout.path.encode()

    def wants_login(self, exchange: Exchange) -> bool:
        """Whether it is a browser that would go there and come back."""
        if exchange.method not in (b"GET", b"HEAD") or exchange.listener != EDGE:
            return False
        if self._spec.unauthenticated != "auto":
            return self._spec.unauthenticated == "redirect"
        block = exchange.head.block
        if (find(block, b"sec-fetch-mode") or b"navigate") != b"navigate":
            return False
        return bool((find(block, b"accept") or b"").lower().partition(b"text/html")[1])

    def begin(self, exchange: Exchange) -> Reply:
        if _scheme(exchange) != b"https" and exchange.host not in _NEAR:
            return self._refusal(
                401, "unauthenticated", "a login needs https: browsers keep its cookies for that alone"
            )
        try:
            provider = self._client.provider(LOGIN_STALE_S)
        except IssuerAway as away:
            return self._away(str(away))
        credentials = self._client.credentials()
        if credentials is None:
            return self._away("the client's secret is not known here")
        back = exchange.path + exchange.query
        if len(back) > _LONGEST_BACK:
            back = b"/"
        login = new_login(self._wall(), exchange.authority, back)
        url = authorization_url(provider, self._spec.client_id, self._redirect_uri(exchange), self._spec.scopes, login)
        cookies = self._method.jar.logins.begin(login, credentials.seal, exchange.head.block)
        return self._sent(url.encode(), cookies)

    async def callback(self, exchange: Exchange) -> Reply:
        if exchange.method != b"GET":
            return self._refusal(405, "method_not_allowed", "a login comes back by GET", b"Allow: GET\r\n")
        said = first_values(exchange.query)
        found = self._begun(exchange, said.get(b"state", b""))
        if found is None:
            detail = "this login was not begun by this browser, or is over: open the page again"
            return self._refusal(401, "unauthenticated", detail)
        login, used = found
        try:
            code = code_of(said, self._spec.issuer)
            tokens = await self._client.redeem(code, login.verifier, self._redirect_uri(exchange), login.nonce)
        except IssuerAway as away:
            return self._away(str(away), used)
        except LoginRefused as refused:
            return self._refusal(401, "unauthenticated", str(refused), used)
        try:
            session = self._method.begin(tokens)
        except TokenFault as fault:
            return self._refusal(403, "denied", fault.reason, used)
        cookies = self._method.cookies(session, exchange.head.block)
        if cookies is None:
            return self._away("what the issuer says of the caller is more than a browser keeps", used)
        back = b"%b://%b%b" % (_scheme(exchange), exchange.authority, login.back.encode("latin-1"))
        return self._sent(back, used + cookies)

    def logout(self, exchange: Exchange) -> Reply:
        if exchange.method != b"POST":
            return self._refusal(405, "method_not_allowed", "a logout is a POST", b"Allow: POST\r\n")
        if not self._is_own(exchange):
            return self._refusal(403, "denied", "another site cannot log anybody out")
        ended = self._method.jar.end_session(exchange.head.block)
        url = f"{self._origin(exchange)}/"
        if self._spec.logout.end_session:
            try:
                end_point = self._client.provider(KEYS_STALE_S).end_session_endpoint
            except IssuerAway:
                end_point = ""
            if end_point:
                asked = {"client_id": self._spec.client_id, "post_logout_redirect_uri": url}
                return self._sent(with_query(end_point, asked).encode(), ended, status=303)
        return self._sent(url.encode(), ended, status=303)

    def _begun(self, exchange: Exchange, state: bytes) -> tuple[Login, bytes] | None:
        """The login of this browser that the answer names, and fields that end it."""
        credentials = self._client.credentials()
        if credentials is None:
            return None
        logins = self._method.jar.logins
        return logins.begun(state, exchange.authority, credentials.seal, exchange.head.block, self._wall())

    def _is_own(self, exchange: Exchange) -> bool:
        block = exchange.head.block
        site, origin = find(block, b"sec-fetch-site"), find(block, b"origin")
        if site is not None:
            return site in (b"same-origin", b"none")
        return origin is None or origin.lower() == self._origin(exchange).lower().encode()

    def _redirect_uri(self, exchange: Exchange) -> str:
        return self._origin(exchange) + self._spec.redirect_path

    def _origin(self, exchange: Exchange) -> str:
        return f"{_scheme(exchange).decode()}://{exchange.authority.decode('latin-1')}"

    def _sent(self, url: bytes, fields: bytes, status: int = 302) -> Reply:
        fields = b"Location: %b\r\n%b%b" % (url, _UNSTORED, fields)
        return Reply(status, "redirect", "", fields=fields, body=b"", policy=self._policy)

    def _away(self, detail: str, fields: bytes = b"") -> Reply:
        fields = b"Retry-After: 5\r\n" + _UNSTORED + fields
        return Reply(503, "policy_unavailable", "UAEX", f"{self._policy}: {detail}", fields=fields, policy=self._policy)

    def _refusal(self, status: int, code: str, detail: str, fields: bytes = b"") -> Reply:
        if status == 401:
            fields += b'WWW-Authenticate: Cookie realm="%b"\r\n' % self._policy.partition(" ")[2].encode()
        return Reply(status, code, "UAEX", f"{self._policy}: {detail}", fields=_UNSTORED + fields, policy=self._policy)


def compile_filter(
    desk: LoginDesk, method: OidcMethod, authenticate: RequestFilter, others: Sequence[Credentials], *, is_all: bool
) -> RequestFilter:
    """authenticate: judges, after which the service gets none of our cookies. others: where other methods of the
    document look; is_all: they are asked for beside the session."""
    take_out = method.jar.take_out

    def log_in(exchange: Exchange) -> Reply | Awaitable[Reply | None] | None:
        if exchange.path == desk.callback_path:
            return desk.callback(exchange)
        if exchange.path == desk.logout_path:
            return desk.logout(exchange)
        waiting = method.prepare(exchange)
        if waiting is not None:
            return after(exchange, waiting)
        verdict = authenticate(exchange)
        if verdict is None or isinstance(verdict, Reply):
            return settle(exchange, verdict)
        assert isinstance(verdict, Awaitable)
        return judged(exchange, verdict)

    async def after(exchange: Exchange, waiting: Awaitable[None]) -> Reply | None:
        await waiting
        verdict = authenticate(exchange)
        if verdict is not None and not isinstance(verdict, Reply):
            assert isinstance(verdict, Awaitable)
            verdict = await verdict
        return settle(exchange, verdict)

    async def judged(exchange: Exchange, verdict: Awaitable[Reply | None]) -> Reply | None:
        return settle(exchange, await verdict)

    def settle(exchange: Exchange, reply: Reply | None) -> Reply | None:
        if reply is None:
            exchange.block = take_out(exchange.block)
            return None
        is_login = reply.status == 401 and desk.wants_login(exchange) and not method.shown(exchange)
        if is_login and (is_all or not any(shown(exchange) for shown in others)):
            return desk.begin(exchange)
        return reply

    return log_in


def compile_forecast(
    desk: LoginDesk, policy: str, forecast: Callable[[Exchange], Sequence[Forecast]]
) -> Callable[[Exchange], Sequence[Forecast]]:
    """forecast: of authentication. Nobody is sent anywhere, and no issuer is asked."""

    def foresee(exchange: Exchange) -> Sequence[Forecast]:
        if exchange.path in (desk.callback_path, desk.logout_path):
            return [Forecast("answer", "logins come back here, or end", policy)]
        told = forecast(exchange)
        if any(each.reply is not None and each.reply.status == 401 for each in told) and desk.wants_login(exchange):
            return [Forecast("answer", f"the browser is sent to {desk.issuer} to log in", policy)]
        return told

    return foresee


def _scheme(exchange: Exchange) -> bytes:
    """As the browser sees it: the word of a trusted proxy stands in what the service is told of the way here."""
    return find(exchange.forwarded, b"x-forwarded-proto") or exchange.scheme

"""People who have logged in: their sessions, opened once and looked up after, noted and refreshed as time goes.

A session lives in the browser alone. Nothing here knows of it before it comes, so every worker and gateway serves it,
and nobody but time, the issuer (by its refresh token) and another secret ends it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from gateway.authentication.claim_rules import ClaimRules
from gateway.authentication.oidc_client import OidcClient
from gateway.authentication.proof import REMEMBERED_S, Fault, Proof
from gateway.authentication.session_cookie import Jar, Session
from gateway.consumer_ring import ConsumerRing
from gateway.exchange import Exchange
from meshway.identity import Principal, claim, claim_texts
from meshway.issuers.code_flow import IssuerAway, LoginRefused, Tokens
from meshway.jwt import TokenFault
from meshway.tasks import spawn

MAX_REMEMBERED: Final = 4 << 20  # bytes of cookies
REFRESH_EARLY_S: Final = 60.0
REFRESH_AGAIN_S: Final = 30.0
NOTED_S: Final = 60.0  # a session's last call is noted no more often
SKEW_S: Final = 30.0  # between gateways
# They speak of one token, not of the one who has it; without them a session is smaller.
_OF_TOKEN: Final = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "jti"})


class _Known(NamedTuple):
    """What a cookie came to. proof None: the session is over."""

    session: Session
    proof: Proof | None


class OidcMethod:
    """namespace, policy: of the Authentication. now: monotonic seconds; wall: since 1970."""

    challenge = b"Cookie"

    def __init__(
        self,
        client: OidcClient,
        jar: Jar,
        namespace: str,
        policy: str,
        consumers: ConsumerRing,
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.client, self.jar = client, jar
        spec = self._spec = client.spec
        self._namespace, self._policy, self._consumers = namespace, policy, consumers
        self._now, self._wall = now, wall
        self._claims = ClaimRules(spec.principal_claim, spec.required_claims, spec.claims_to_headers)
        self._lifetime_s, self._idle_s = float(spec.session.lifetime), float(spec.session.idle)
        self._noted_s = min(NOTED_S, self._idle_s / 4)
        self._known: dict[bytes, _Known] = {}
        self._known_bytes = 0
        self._refreshing: dict[bytes, asyncio.Task[bytes]] = {}
        self._refresh_after: dict[bytes, float] = {}

    def shown(self, exchange: Exchange) -> Sequence[bytes]:
        """The cookie of a session that holds; one that does not is as none: who has it logs in again."""
        cookie = self.jar.session(exchange.head.block)
        return (cookie,) if cookie and self._open(cookie) is not None else ()

    def judge(self, credential: bytes) -> Proof | Fault:
        known = self._open(credential)
        return Fault("the session is over") if known is None or known.proof is None else known.proof

    def forget(self) -> None:
        self.client.forget()
        self._known.clear()
        self._known_bytes = 0

    def prepare(self, exchange: Exchange) -> Awaitable[None] | None:
        """Before it is judged: notes that the session is used, and waits for other tokens where they end."""
        cookie = self.jar.session(exchange.head.block)
        known = self._open(cookie) if cookie else None
        if known is None:
            return None
        session, wall = known.session, self._wall()
        if self._wants_refresh(cookie, session, wall):
            return self._refresh(exchange, cookie, session)
        if wall - session.seen >= self._noted_s:
            noted = msgspec.structs.replace(session, seen=wall)
            exchange.added += self.cookies(noted, exchange.head.block) or b""
        return None

    def begin(self, tokens: Tokens) -> Session:
        """Raises TokenFault for claims that this document lets nobody in by."""
        assert tokens.claims is not None
        wall = self._wall()
        session = Session(
            wall, wall, tokens.expires, tokens.refresh_token, self._forwarded(tokens), _kept(tokens.claims)
        )
        self._prove(session, self._now())
        return session

    def cookies(self, session: Session, block: bytes) -> bytes | None:
        """Fields that give it to the browser. None: it is too large, or nothing seals it. block: of the request."""
        credentials = self.client.credentials()
        if credentials is None:
            return None
        wall = self._wall()
        left_s = min(session.issued + self._lifetime_s - wall, self._idle_s)
        return self.jar.give_session(credentials.seal.seal(session, wall), max(left_s, 1.0))

    def _open(self, cookie: bytes) -> _Known | None:
        known, now = self._known.get(cookie), self._now()
        if known is not None and (known.proof is None or known.proof.until > now):
            return known if known.proof is not None else None
        credentials, wall = self.client.credentials(), self._wall()
        if credentials is None:
            return None
        session = credentials.seal.session(cookie, wall) if known is None else known.session
        if session is None or not self._holds(session, wall):
            return None
        try:
            proof = self._prove(session, now)
        except TokenFault:
            return None
        self._remember(cookie, _Known(session, proof))
        return self._known[cookie]

    def _holds(self, session: Session, wall: float) -> bool:
        if session.issued > wall + SKEW_S or wall >= self._end(session):
            return False
        # A service that wants a token is not called with one that is of no use.
        return self._spec.forward == "none" or not session.expires or wall < session.expires

    def _end(self, session: Session) -> float:
        return min(session.issued + self._lifetime_s, session.seen + self._idle_s)

    def _prove(self, session: Session, now: float) -> Proof:
        """Raises TokenFault."""
        claims, spec, wall = session.claims, self._spec, self._wall()
        name = f"{spec.issuer}#{self._claims.subject(claims)}"
        consumer = self._consumers.by_token(self._namespace, name)
        groups = () if spec.groups_claim is None else claim_texts(claim(claims, spec.groups_claim))
        principal = Principal(
            name,
            namespace="",
            consumer="" if consumer is None else consumer.name,
            groups=frozenset() if consumer is None else consumer.groups,
            token_groups=frozenset(groups),
            claims=claims,
            method="oidc",
            policy=self._policy,
        )
        lines = self._claims.lines(claims)
        if session.forwarded:
            lines += b"Authorization: Bearer %b\r\n" % session.forwarded.encode()
        left_s = self._end(session) - wall
        if spec.forward != "none" and session.expires:
            left_s = min(left_s, session.expires - wall)
        return Proof(principal, lines, now + min(REMEMBERED_S, left_s))

    def _remember(self, cookie: bytes, known: _Known) -> None:
        if cookie not in self._known:
            self._known_bytes += len(cookie)
            if self._known_bytes > MAX_REMEMBERED:
                self._known.clear()
                self._known_bytes = len(cookie)
        self._known[cookie] = known

    def _wants_refresh(self, cookie: bytes, session: Session, wall: float) -> bool:
        if not session.refresh or not session.expires or wall < session.expires - REFRESH_EARLY_S:
            return False
        return self._now() >= self._refresh_after.get(cookie, 0.0)

    async def _refresh(self, exchange: Exchange, cookie: bytes, session: Session) -> None:
        """Of several calls of one session the first asks, the others wait for what it gets."""
        task = self._refreshing.get(cookie)
        if task is None:
            task = self._refreshing[cookie] = spawn(self._renewed(cookie, session), name="refresh a session")
            task.add_done_callback(lambda _: self._refreshing.pop(cookie, None))
        exchange.added += await asyncio.shield(task)

    async def _renewed(self, cookie: bytes, session: Session) -> bytes:
        """Fields that give the browser the session with other tokens, b"": it stays as it is, or is over."""
        if len(self._refresh_after) > 4096:
            self._refresh_after.clear()
        self._refresh_after[cookie] = self._now() + REFRESH_AGAIN_S
        try:
            tokens = await self.client.refresh(session.refresh, session.claims.get("sub"))
            wall = self._wall()
            claims = session.claims if tokens.claims is None else _kept(tokens.claims)
            forwarded = self._forwarded(tokens) or session.forwarded
            new = Session(session.issued, wall, tokens.expires, tokens.refresh_token, forwarded, claims)
            proof = self._prove(new, self._now())
        except IssuerAway:
            return b""  # a session outlives its issuer's absence
        except (LoginRefused, TokenFault):
            # Another worker may have used the token up: the browser has, or gets, what came of that.
            if self._wall() >= session.expires or not self._holds(session, self._wall()):
                self._remember(cookie, _Known(session, None))
            return b""
        given = self.cookies(new, b"")
        if given is None:
            return b""
        # Calls that were sent before the browser had the new cookie still show this one.
        self._remember(cookie, _Known(msgspec.structs.replace(session, seen=wall), proof))
        return given

    def _forwarded(self, tokens: Tokens) -> str:
        chosen: Any = {"none": "", "access_token": tokens.access_token, "id_token": tokens.id_token}
        return str(chosen[self._spec.forward])


def _kept(claims: Any) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in _OF_TOKEN}

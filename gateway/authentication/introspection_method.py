"""Tokens that their issuer is asked about (RFC 7662) as a method: one question for a token, then remembered a while.

Without an answer nobody is let in, whatever was said before: what was taken back meanwhile must not go on.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus, urlencode

from gateway.authentication.claim_rules import MAX_NAME, is_plain
from gateway.authentication.proof import Fault, Proof
from gateway.consumer_ring import ConsumerRing
from gateway.secret_ring import ReadSecret
from meshway.identity import Principal
from meshway.issuers.link import IssuerLink
from meshway.model.authentication import Introspection
from meshway.model.secret import CLIENT_SECRET
from meshway.outbound.connection import PlainError
from meshway.tasks import spawn

MOST_REMEMBERED: Final = 10_000
LONGEST_TOKEN: Final = 8 * 1024  # bytes
_INACTIVE: Final = Fault("the token is of no use, says its issuer", is_unknown=True)


class _Said(NamedTuple):
    """until: monotonic seconds."""

    verdict: Proof | Fault
    until: float


class IntrospectionMethod:
    """policy: `Authentication shop/people`. secret: the client's. link: asks, so many at once. now: monotonic seconds;
    wall: seconds since 1970. The caller's name is `ENDPOINT#SUBJECT`: what an issuer says of itself names no other."""

    challenge = b"Bearer"
    awaits = "the token's issuer is asked"

    def __init__(
        self,
        spec: Introspection,
        namespace: str,
        policy: str,
        secret: ReadSecret[str | None],
        consumers: ConsumerRing,
        link: IssuerLink,
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._spec, self._namespace, self._policy = spec, namespace, policy
        self._secret, self._consumers, self._link = secret, consumers, link
        self._now, self._wall = now, wall
        self._audiences = frozenset(spec.audiences)
        self._known: dict[bytes, _Said] = {}
        self._asked: dict[bytes, asyncio.Task[Proof | Fault]] = {}
        self._age = 0

    def judge(self, credential: bytes) -> Proof | Fault | Awaitable[Proof | Fault]:
        if len(credential) > LONGEST_TOKEN or not credential.isascii():
            return Fault("the token is no token of use")
        mark = hashlib.sha256(credential).digest()
        known = self._known.get(mark)
        if known is not None and known.until > self._now():
            return known.verdict
        return self._once(mark, credential.decode())

    def forget(self) -> None:
        """Secret or Consumers are others."""
        self._age += 1
        self._known.clear()
        self._asked.clear()
        self._secret.forget()

    async def _once(self, mark: bytes, token: str) -> Proof | Fault:
        """One question for all who show the token at once; who leaves takes it from nobody else."""
        asking = self._asked.get(mark)
        if asking is None:
            asking = self._asked[mark] = spawn(self._ask(mark, token), name="introspect a token")
        return await asyncio.shield(asking)

    async def _ask(self, mark: bytes, token: str) -> Proof | Fault:
        age, me = self._age, asyncio.current_task()
        try:
            said = await self._question(token)
            verdict = said if isinstance(said, Fault) else self._judge(said)
        finally:
            if self._asked.get(mark) is me:
                del self._asked[mark]
        if age == self._age and not (isinstance(verdict, Fault) and verdict.is_busy):
            self._remember(mark, verdict)
        return verdict

    async def _question(self, token: str) -> Mapping[str, Any] | Fault:
        spec = self._spec
        secret = next((one for one, _ in self._secret.accepted(self._wall()) if one), None)
        if secret is None:
            return Fault("the secret by which the token's issuer knows this gateway is not here", is_busy=True)
        pair = f"{quote_plus(spec.client_id)}:{quote_plus(secret)}"
        fields = b"Authorization: Basic %b\r\n" % base64.b64encode(pair.encode())
        form = urlencode({"token": token, "token_type_hint": "access_token"}).encode()
        try:
            status, text = await self._link.post(spec.endpoint, form, fields, float(spec.timeout))
        except PlainError:
            return Fault("the token's issuer does not answer", is_busy=True)
        try:
            said = json.loads(text.decode())
        except (ValueError, RecursionError):
            said = None
        if status != 200 or not isinstance(said, dict) or not isinstance(said.get("active"), bool):
            return Fault("the token's issuer gives no answer of use", is_busy=True)
        return said

    def _judge(self, said: Mapping[str, Any]) -> Proof | Fault:
        wall = self._wall()
        ends, begins = said.get("exp"), said.get("nbf")
        if said["active"] is not True:
            return _INACTIVE
        for time_s in (ends, begins):
            if time_s is not None and (isinstance(time_s, bool) or not isinstance(time_s, int | float)):
                return Fault("the token's times cannot be read")
        if (ends is not None and ends <= wall) or (begins is not None and begins > wall):
            return _INACTIVE
        if self._audiences and self._audiences.isdisjoint(_texts(said.get("aud"))):
            return Fault("the token is for another audience")
        subject = said.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_NAME or not is_plain(subject):
            return Fault("the token's sub names nobody")
        name = f"{self._spec.endpoint}#{subject}"
        consumer = self._consumers.by_token(self._namespace, name)
        principal = Principal(
            name,
            namespace="",
            consumer="" if consumer is None else consumer.name,
            groups=frozenset() if consumer is None else consumer.groups,
            claims={name: value for name, value in said.items() if name != "active"},
            method="introspection",
            policy=self._policy,
        )
        lives_s = float(self._spec.cache) if ends is None else min(float(self._spec.cache), ends - wall)
        return Proof(principal, b"", self._now() + lives_s)

    def _remember(self, mark: bytes, verdict: Proof | Fault) -> None:
        until = verdict.until if isinstance(verdict, Proof) else self._now() + float(self._spec.negative_cache)
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()  # whoever fills it costs the others one question each
        self._known[mark] = _Said(verdict, until)


def _texts(audience: Any) -> list[str]:
    listed = audience if isinstance(audience, list) else [audience]
    return [one for one in listed if isinstance(one, str)]


def reading_client_secret(key: str | None) -> Callable[[Any], str | None]:
    """Of a Secret of type opaque. key: which of its texts, None: `client_secret`."""

    def read(data: Any) -> str | None:
        found = data.get(key or CLIENT_SECRET) if isinstance(data, Mapping) else None
        return found if isinstance(found, str) and found else None

    return read

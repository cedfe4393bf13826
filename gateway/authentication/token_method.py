"""Tokens of one issuer as a method: verified once, then looked up as long as they hold, a minute at most."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from gateway.authentication.proof import REMEMBERED_S, Fault, Proof
from gateway.consumer_ring import ConsumerRing
from gateway.key_ring import KeyRing
from gateway.routing.string_match import compile_string
from gateway.secret_ring import ReadSecret
from meshway.http1.fields import is_value
from meshway.identity import Principal, claim, claim_texts
from meshway.jwt import TokenFault, TokenRules, expiry_of, issuer_of, verify
from meshway.jwt_keys import KeySet, ReadKey, read_keys, read_shared_keys
from meshway.model.authentication import Jwt
from meshway.model.match import StringMatch, Text

MAX_REMEMBERED: Final = 4 << 20  # bytes of tokens
MAX_NAME: Final = 256  # characters


class Keys(Protocol):
    """The issuer's keys, wherever they come from."""

    def current(self, wall_s: float) -> KeySet | None:
        """None: there are none that may be believed at this time, seconds since 1970."""

    def miss(self, now: float) -> None:
        """A caller has named a key that they lack; now: monotonic seconds."""

    def forget(self) -> None:
        """They are others."""


class InlineKeys:
    """Those of the document itself."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    def current(self, wall_s: float) -> KeySet | None:
        return self._keys

    def miss(self, now: float) -> None:
        """There are no others."""

    def forget(self) -> None:
        """They come and go with the document."""


class FetchedKeys:
    """Those that the supervisor fetches. max_stale_s: how long they hold without having been published again."""

    def __init__(self, ring: KeyRing, url: str, max_stale_s: float) -> None:
        self._ring, self._url, self._max_stale_s = ring, url, max_stale_s

    def current(self, wall_s: float) -> KeySet | None:
        return self._ring.keys(self._url, wall_s - self._max_stale_s)

    def miss(self, now: float) -> None:
        self._ring.miss(self._url, now)

    def forget(self) -> None:
        """The ring has them."""


class SecretKeys:
    """Those of a Secret, of all its versions that are accepted."""

    def __init__(self, secret: ReadSecret[tuple[ReadKey, ...]]) -> None:
        self._secret = secret

    def current(self, wall_s: float) -> KeySet | None:
        keys = [key for version, _ in self._secret.accepted(wall_s) for key in version]
        return KeySet(keys) if keys else None

    def miss(self, now: float) -> None:
        """There are no others."""

    def forget(self) -> None:
        self._secret.forget()


def read_set(data: Any) -> tuple[ReadKey, ...]:
    """data: of a Secret of type jwks. Raises KeyFault."""
    is_shared = any(key.get("kty") == "oct" for key in data["keys"])
    return read_shared_keys(data) if is_shared else read_keys(data)


Holds = Callable[[Mapping[str, Any]], bool]


class TokenMethod:
    """namespace, policy: of the Authentication (`Authentication shop/people`). is_only: no other method knows other
    issuers' tokens.

    now: monotonic seconds; wall: seconds since 1970.
    """

    challenge = b"Bearer"

    def __init__(
        self,
        spec: Jwt,
        namespace: str,
        policy: str,
        keys: Keys,
        consumers: ConsumerRing,
        now: Callable[[], float],
        wall: Callable[[], float],
        *,
        is_only: bool,
    ) -> None:
        self._keys, self._now, self._wall, self._policy = keys, now, wall, policy
        self._namespace, self._consumers = namespace, consumers
        self._is_only = is_only
        max_age = {} if spec.max_age is None else {"max_age_s": float(spec.max_age)}
        self._rules = TokenRules(
            spec.issuer, frozenset(spec.audiences), frozenset(spec.algorithms), float(spec.clock_skew), **max_age
        )
        self._principal_claim = spec.principal_claim
        self._required = [(path, _compile_claim(path, text)) for path, text in spec.required_claims.items()]
        self._headers = [(path, header.encode()) for path, header in spec.claims_to_headers.items()]
        self._known: dict[bytes, Proof] = {}
        self._known_bytes = 0

    def judge(self, credential: bytes) -> Proof | Fault:
        now, found = self._now(), self._known.get(credential)
        if found is not None and found.until > now:
            return found
        if not self._is_only and issuer_of(credential) != self._rules.issuer:
            return Fault("the token is another issuer's", is_unknown=True)
        wall = self._wall()
        keys = self._keys.current(wall)
        if keys is None:
            return Fault("no keys of the token's issuer are known here")
        try:
            claims = verify(credential, self._rules, keys, wall)
            proof = self._prove(claims, now + min(REMEMBERED_S, expiry_of(claims) + self._rules.skew_s - wall))
        except TokenFault as fault:
            if fault.unknown_key is not None:
                self._keys.miss(now)
            return Fault(fault.reason)
        self._remember(credential, proof)
        return proof

    def forget(self) -> None:
        """The keys are others."""
        self._keys.forget()
        self._known.clear()
        self._known_bytes = 0

    def _prove(self, claims: Mapping[str, Any], until: float) -> Proof:
        """Raises TokenFault."""
        subject = claim(claims, self._principal_claim)
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_NAME or not _is_plain(subject):
            raise TokenFault(f"the token's {self._principal_claim} names nobody")
        for path, holds in self._required:
            if not holds(claims):
                raise TokenFault(f"the token's {path} is not what it must be")
        name = f"{self._rules.issuer}#{subject}"
        consumer = self._consumers.by_token(self._namespace, name)
        principal = Principal(
            name,
            namespace="",
            consumer="" if consumer is None else consumer.name,
            groups=frozenset() if consumer is None else consumer.groups,
            claims=claims,
            method="jwt",
            policy=self._policy,
        )
        return Proof(principal, b"".join(_line(claims, *pair) for pair in self._headers), until)

    def _remember(self, token: bytes, proof: Proof) -> None:
        if token not in self._known:
            self._known_bytes += len(token)
            if self._known_bytes > MAX_REMEMBERED:
                self._known.clear()  # whoever fills it costs the others one verification each
                self._known_bytes = len(token)
        self._known[token] = proof


def _is_plain(text: str) -> bool:
    """Whether it may stand in a log and in a header as it is."""
    return text.isprintable() and text == text.strip()


def _line(claims: Mapping[str, Any], path: str, header: bytes) -> bytes:
    """Raises TokenFault for a claim that would say something else in a field than in the token."""
    value = claim(claims, path)
    texts = claim_texts(value)
    if not texts:
        return b""
    text = ",".join(texts).encode()
    if not is_value(text) or (isinstance(value, list) and text.count(b",") != len(texts) - 1):
        raise TokenFault(f"the token's {path} cannot stand in a header")
    return b"%b: %b\r\n" % (header, text)


def _compile_claim(path: str, text: Text) -> Holds:
    """Of a list one member must fit; where the match is inverted, all."""
    holds = compile_string(text)
    every = all if isinstance(text, StringMatch) and text.invert else any

    def fits(claims: Mapping[str, Any]) -> bool:
        texts = claim_texts(claim(claims, path))
        return every(holds(one.encode()) for one in texts) if texts else holds(None)

    return fits

"""Tokens of one issuer as a method: verified once, then looked up as long as they hold, a minute at most."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from gateway.authentication.claim_rules import ClaimRules
from gateway.authentication.proof import REMEMBERED_S, Fault, Proof
from gateway.consumer_ring import ConsumerRing
from gateway.secret_ring import NEVER, ReadSecret
from meshway.identity import Principal
from meshway.issuers.key_ring import KeyRing
from meshway.jwt import TokenFault, TokenRules, expiry_of, issuer_of, verify
from meshway.jwt_keys import KeySet, ReadKey, read_keys, read_shared_keys
from meshway.model.authentication import Jwt

MAX_REMEMBERED: Final = 4 << 20  # bytes of tokens


class Keys(Protocol):
    """The issuer's keys, wherever they come from."""

    def current(self, wall_s: float) -> KeySet | None:
        """None: there are none that may be believed at this time, seconds since 1970."""

    def held_s(self, wall_s: float) -> float:
        """How long those that `current` gives may be believed at most."""

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

    def held_s(self, wall_s: float) -> float:
        return NEVER

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

    def held_s(self, wall_s: float) -> float:
        held = self._ring.text(self._url)
        return 0.0 if held is None else held[1] + self._max_stale_s - wall_s

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

    def held_s(self, wall_s: float) -> float:
        """Until the first version ends: which one has verified a token nobody keeps."""
        return min((until for _, until in self._secret.accepted(wall_s)), default=wall_s) - wall_s

    def miss(self, now: float) -> None:
        """There are no others."""

    def forget(self) -> None:
        self._secret.forget()


def read_set(data: Any) -> tuple[ReadKey, ...]:
    """data: of a Secret of type jwks. Raises KeyFault."""
    is_shared = any(key.get("kty") == "oct" for key in data["keys"])
    return read_shared_keys(data) if is_shared else read_keys(data)


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
        self._claims = ClaimRules(spec.principal_claim, spec.required_claims, spec.claims_to_headers)
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
            held_s = min(expiry_of(claims) + self._rules.skew_s - wall, self._keys.held_s(wall))
            proof = self._prove(claims, now + min(REMEMBERED_S, held_s))
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
        name = f"{self._rules.issuer}#{self._claims.subject(claims)}"
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
        return Proof(principal, self._claims.lines(claims), until)

    def _remember(self, token: bytes, proof: Proof) -> None:
        if token not in self._known:
            self._known_bytes += len(token)
            if self._known_bytes > MAX_REMEMBERED:
                self._known.clear()  # whoever fills it costs the others one verification each
                self._known_bytes = len(token)
        self._known[token] = proof

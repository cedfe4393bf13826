"""Signed requests (RFC 9421) as a method: the key of their key id, a time, a nonce that nobody used before."""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.authentication.message_signature import Signed, Unsigned, read_signed
from gateway.authentication.places import Credentials
from gateway.authentication.proof import Fault, Proof
from gateway.exchange import Exchange
from gateway.nonces import WHOSE, Nonces
from gateway.secret_ring import NEVER, ReadSecret
from meshway.identity import Principal
from meshway.jwt_keys import ReadKey, algorithm_of, sort_keys
from meshway.model.authentication import Hmac
from meshway.model.instant import parse_instant
from meshway.signatures import PublicKey, Scheme, SharedKey

# RFC 9421 §6.2: the names of those that are taken, with how JOSE calls the same.
ALGORITHMS: Final = {"hmac-sha256": "HS256", "ed25519": "EdDSA", "ecdsa-p256-sha256": "ES256"}
AHEAD_S: Final = 30.0  # clocks of callers may be ahead of ours by so much
_SHA256: Final = Scheme("SHA256")
_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(Signed | str)


class SigningKey:
    """until: seconds since 1970. algorithm: as RFC 9421 names it."""

    __slots__ = ("algorithm", "key", "scheme", "until")

    def __init__(self, algorithm: str, scheme: Scheme, key: PublicKey | SharedKey, until: float) -> None:
        self.algorithm, self.scheme, self.key, self.until = algorithm, scheme, key, until


def read_signing_keys(data: Any) -> Mapping[str, SigningKey]:
    """By key id. data: of a Secret of type hmac_keys or jwks; keys for other algorithms are passed over."""
    if isinstance(data, Mapping):
        return {key.key_id: made for key in sort_keys(data)[0] if (made := _of_jwk(key)) is not None}
    return {
        entry["key_id"]: SigningKey(
            "hmac-sha256",
            _SHA256,
            SharedKey(base64.b64decode(entry["secret"])),
            parse_instant(entry["expires"]) if "expires" in entry else NEVER,
        )
        for entry in data
    }


def _of_jwk(key: ReadKey) -> SigningKey | None:
    name = next((name for name, jose in ALGORITHMS.items() if jose != "HS256" and key.is_for(jose)), None)
    if name is None or not key.key_id:
        return None
    return SigningKey(name, algorithm_of(ALGORITHMS[name])[2], key.public, NEVER)


def signature_of(required: Collection[bytes]) -> Credentials:
    """What was signed and the signature, as `SignatureMethod.judge` reads it; or why there is none."""

    def shown(exchange: Exchange) -> Sequence[bytes]:
        try:
            signed = read_signed(exchange, required)
        except Unsigned as reason:
            return (_encode(str(reason)),)
        return () if signed is None else (_encode(signed),)

    return shown


class SignatureMethod:
    """policy: `Authentication shop/tills`. now: monotonic seconds; wall: seconds since 1970."""

    challenge = b"Signature"
    awaits = "it is asked whether the nonce was used before"

    def __init__(
        self,
        spec: Hmac,
        policy: str,
        keys: ReadSecret[Mapping[str, SigningKey]],
        nonces: Nonces,
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._policy, self._keys, self._nonces = policy, keys, nonces
        self._now, self._wall = now, wall
        self._max_age_s = float(spec.max_age)
        self._needs_nonce = spec.nonce == "required"

    def judge(self, credential: bytes) -> Proof | Fault | Awaitable[Proof | Fault]:
        signed = _decoder.decode(credential)
        if isinstance(signed, str):
            return Fault(signed)
        wall_s = self._wall()
        if (fault := self._fault_of_times(signed, wall_s)) is not None:
            return fault
        if self._needs_nonce and not signed.nonce:
            return Fault("the signature has no nonce")
        if not self._is_signed(signed, wall_s):
            return Fault("the signature is of no key that is known here, or of another message")
        proof = Proof(Principal(f"signature:{signed.key_id}", method="hmac", policy=self._policy), b"", self._now())
        return self._once(signed, proof) if signed.nonce else proof

    def forget(self) -> None:
        self._keys.forget()

    def _fault_of_times(self, signed: Signed, wall_s: float) -> Fault | None:
        if signed.created is None:
            return Fault("the signature does not say when it was made")
        if not wall_s - self._max_age_s <= signed.created <= wall_s + AHEAD_S:
            return Fault("the signature is too old, or of a time to come")
        if signed.expires is not None and signed.expires <= wall_s:
            return Fault("the signature has expired")
        return None

    def _is_signed(self, signed: Signed, wall_s: float) -> bool:
        for keys, _ in self._keys.accepted(wall_s):
            key = keys.get(signed.key_id)
            if key is None or key.until <= wall_s or signed.algorithm not in ("", key.algorithm):
                continue
            if key.key.verifies(key.scheme, signed.base, signed.signature):
                return True
        return False

    async def _once(self, signed: Signed, proof: Proof) -> Proof | Fault:
        """Kept for as long as the signature could be shown again."""
        assert signed.created is not None
        whose = hashlib.sha256(f"{self._policy} {signed.key_id}".encode()).digest()[:WHOSE]
        mark = whose + hmac.digest(signed.key_id.encode(), signed.nonce.encode(), hashlib.sha256)[:16]
        is_fresh = await self._nonces.use(mark, signed.created + self._max_age_s + AHEAD_S)
        if is_fresh is None:
            return Fault("nonces cannot be compared now", is_busy=True)
        return proof if is_fresh else Fault("the signature's nonce was used before, or too many are in use")
